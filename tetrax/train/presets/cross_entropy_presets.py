"""The cross-entropy method's presets: three sizes for the guideline game, and the literature's classic games."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tetrax.agents.cross_entropy import CrossEntropyConfig
from tetrax.env.tetris import ENV_PRESETS, EnvConfig
from tetrax.train.config import EvalConfig, TrainConfig

GUIDELINE = EnvConfig(actions="drop", observation="afterstate_classic", reward="survival")

TINY = CrossEntropyConfig(num_candidates=8, num_boards=4, num_steps=16, elite_fraction=0.25)
SMALL = CrossEntropyConfig(elite_fraction=0.15, noise=0.01, noise_generations=15)
LARGE = CrossEntropyConfig(
    num_candidates=256, num_boards=64, num_steps=1024, step_size=0.5, noise=0.003, noise_generations=40
)
# A good controller loses a game in thirteen thousand pieces: 33 thousand for each candidate tell little, but
# generations are many, and what counts is their average. More noise would blur what is learned.
CLASSIC_10X10 = CrossEntropyConfig(
    num_candidates=128,
    num_boards=32,
    num_steps=1024,
    elite_fraction=0.2,
    step_size=0.5,
    noise=0.0002,
    averaging=0.03,
)
# On the large board it loses one in many millions, so that what tells players apart is how they do on the small one.
CLASSIC_10X20 = dataclasses.replace(CLASSIC_10X10, fewer_rows=10)


def _classic(
    name: str,
    view: Literal["afterstate_classic", "afterstate_extended"],
    agent: CrossEntropyConfig,
    final: EvalConfig,
    generations: int,
) -> TrainConfig:
    return TrainConfig(
        algorithm="cross-entropy",
        preset=name,
        env=dataclasses.replace(ENV_PRESETS[name], observation=view),
        agent=agent,
        evaluation=final,
        total_steps=generations * agent.num_candidates * agent.num_boards * agent.num_steps,
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
            "afterstate_extended",
            CLASSIC_10X10,
            final=EvalConfig(every=0, final_episodes=200, final_max_pieces=0),
            generations=160,
        )
    },
    "classic-10x20": {
        "drop": _classic(
            "classic-10x20",
            "afterstate_classic",  # the nine mean the same on a board of any height
            CLASSIC_10X20,
            final=EvalConfig(every=0, final_episodes=64, final_max_pieces=100_000),
            generations=100,
        )
    },
}
