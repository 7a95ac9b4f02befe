"""The cross-entropy method's presets: three sizes for the guideline game, and the literature's classic games."""

from __future__ import annotations

import dataclasses

from tetrax.agents.cross_entropy import CrossEntropyConfig
from tetrax.env.tetris import ENV_PRESETS, EnvConfig
from tetrax.train.config import EvalConfig, TrainConfig

GUIDELINE = EnvConfig(actions="drop", observation="afterstate_classic", reward="survival")

TINY = CrossEntropyConfig(num_candidates=8, num_boards=4, num_steps=16, elite_fraction=0.25)
SMALL = CrossEntropyConfig(elite_fraction=0.15, noise=0.01, noise_generations=15)
LARGE = CrossEntropyConfig(
    num_candidates=256, num_boards=64, num_steps=1024, step_size=0.5, noise=0.003, noise_generations=40
)
# A good controller of the small board loses a game in ten thousand pieces, on one with a row less in a few thousand:
# 16 thousand for each candidate tell little, but generations are many, and what counts is their average.
CLASSIC_10X10 = CrossEntropyConfig(
    num_candidates=128,
    num_boards=16,
    num_steps=1024,
    fewer_rows=1,
    elite_fraction=0.2,
    step_size=0.5,
    noise=0.0007,
    averaging=0.04,
)
# On the large board it loses one in many millions, so that only an accelerator can tell good ones apart.
CLASSIC_10X20 = dataclasses.replace(CLASSIC_10X10, num_boards=512, num_steps=4096)


def _classic(name: str, agent: CrossEntropyConfig, total_steps: int, final: EvalConfig) -> TrainConfig:
    return TrainConfig(
        algorithm="cross-entropy",
        preset=name,
        env=dataclasses.replace(ENV_PRESETS[name], observation="afterstate_classic"),
        agent=agent,
        evaluation=final,
        total_steps=total_steps,
        chunk_iterations=1,
    )


CROSS_ENTROPY: dict[str, dict[str, TrainConfig]] = {
    "tiny": {
        "drop": TrainConfig(
            algorithm="cross-entropy",
            preset="tiny",
            env=GUIDELINE,
            agent=TINY,
            evaluation=EvalConfig(
                every=1_024, episodes=4, max_pieces=20, final_episodes=8, final_max_pieces=50
            ),
            total_steps=2_048,
            chunk_iterations=2,
        )
    },
    "small": {
        "drop": TrainConfig(
            algorithm="cross-entropy",
            preset="small",
            env=GUIDELINE,
            agent=SMALL,
            evaluation=EvalConfig(every=2_000_000, episodes=64, max_pieces=500),
            total_steps=6_553_600,
            chunk_iterations=1,
        )
    },
    "large": {
        "drop": TrainConfig(
            algorithm="cross-entropy",
            preset="large",
            env=GUIDELINE,
            agent=LARGE,
            evaluation=EvalConfig(every=200_000_000, episodes=256, max_pieces=2_000),
            total_steps=1_000_000_000,
            chunk_iterations=1,
        )
    },
    # `fitness/current` is the learning curve: whole games of good controllers would take longer than learning.
    "classic-10x10": {
        "drop": _classic(
            "classic-10x10",
            CLASSIC_10X10,
            total_steps=314_572_800,
            final=EvalConfig(every=0, final_episodes=200, final_max_pieces=0),
        )
    },
    "classic-10x20": {
        "drop": _classic(
            "classic-10x20",
            CLASSIC_10X20,
            total_steps=40_000_000_000,
            final=EvalConfig(every=0, final_episodes=64, final_max_pieces=1_000_000),
        )
    },
}
