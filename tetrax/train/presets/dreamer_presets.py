"""Whole configurations of Dreamer: see `tetrax.train.presets`."""

from __future__ import annotations

import dataclasses
from typing import Any

from tetrax.agents.dreamer import DreamerConfig
from tetrax.env.game.rules import RULE_PRESETS
from tetrax.env.tetris import EnvConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.preset_parts import CARTPOLE, OTHER_EVALUATION, TINY_EVALUATION
from tetrax.world_model.model_config import WorldModelConfig

# What is foretold is what is seen: boards, not what placements would leave of them.
DROP = EnvConfig(actions="drop", observation="bitboards", reward="lines_only")
DIRECT = EnvConfig(actions="direct", observation="planes", reward="lines_only")
# Thirty dominoes fill the board two and a half times: at most 15 lines.
MINI = EnvConfig(preset="mini", rules=RULE_PRESETS["mini"], reward="lines_only")
MINI_DROP = dataclasses.replace(MINI, actions="drop", observation="bitboards", time_limit=30)
MINI_DIRECT = dataclasses.replace(MINI, actions="direct", observation="planes", time_limit=300)

# What costs on a CPU is kept small: few layers, few bins (they reach as far as returns do), and a part of the states to
# imagine from.
SHALLOW = WorldModelConfig(
    deter=256,
    units=256,
    encoder_layers=1,
    decoder_layers=1,
    prior_layers=1,
    actor_layers=1,
    bins=63,
    largest_exponent=4.0,
)
# Weights shared along the board: what a piece does in one column is learned for all. In trials on the small board that
# took fewer steps than one vector.
COLUMNS = dataclasses.replace(
    SHALLOW, state="columns", deter=64, units=64, latents=8, column_latents=6, dynamics_layers=2
)
# A game is over after thirty steps, so that short sequences show all of it.
MINI_AGENT = DreamerConfig(
    model=COLUMNS,
    num_envs=16,
    num_steps=8,
    num_updates=12,
    batch_size=32,
    batch_length=32,
    replay_capacity=65_536,
    warmup_steps=640,
    imagined_starts=128,
    learning_rate=1e-3,
    learning_rate_warmup=50.0,
    entropy=0.01,
)
# By keys more has to be tried before a line comes.
MINI_KEYS = dataclasses.replace(MINI_AGENT, entropy=0.03)
SMALL = dataclasses.replace(
    MINI_AGENT,
    model=dataclasses.replace(COLUMNS, deter=96, latents=16, column_latents=12),
    replay_capacity=131_072,
    batch_size=16,
    batch_length=64,
    warmup_steps=2_048,
    num_updates=6,
    learning_rate=5e-4,
    learning_rate_warmup=200.0,
)
# Of placements the latents are what is seen: what a piece does at one cell is learned for all. The model is soon right,
# and may learn faster than those that act in it. Placements leave little to remember, so that short sequences do.
SMALL_DROP = dataclasses.replace(
    SMALL,
    model=dataclasses.replace(
        SHALLOW,
        state="cells",
        deter=96,
        units=64,
        classes=8,
        latents=4,
        row_units=32,
        latent_mixture=2e-4,
        # A piece is worth about 0.3 and 0.4 lines: at this discount some 230 for play without end.
        largest_exponent=6.0,
    ),
    free_nats=0.0,  # of cells that are nearly sure there is still something to learn
    batch_size=32,
    batch_length=16,
    num_updates=8,
    learning_rate=1e-3,
    model_rate=3.0,
    learning_rate_warmup=50.0,
    entropy=0.002,  # of advantages in units of the returns' range, which is large here
)
# Random play hardly ever clears a line of ten cells: the way there is shown.
SMALL_DROP_GAME = dataclasses.replace(DROP, reward="shaped_lines")
LARGE = DreamerConfig(
    model=WorldModelConfig(size="50m", compute_dtype="bfloat16"),
    num_envs=256,
    num_steps=4,
    num_groups=8,
    num_updates=4,
    batch_size=64,
    replay_capacity=2_097_152,
    warmup_steps=32_768,
)
TINY = DreamerConfig(
    model=WorldModelConfig(
        deter=32,
        units=16,
        classes=4,
        latents=4,
        blocks=4,
        encoder_layers=1,
        decoder_layers=1,
        prior_layers=1,
        actor_layers=1,
        bins=15,
        largest_exponent=4.0,
    ),
    num_envs=8,
    num_steps=16,
    num_updates=2,
    batch_size=4,
    batch_length=8,
    replay_capacity=1_024,
    warmup_steps=128,
    imagined_steps=4,
    learning_rate=1e-3,
    learning_rate_warmup=10.0,
)
# Vectors of numbers, few of them: a small model, and a gain at every step.
VECTORS = dataclasses.replace(
    MINI_AGENT,
    model=dataclasses.replace(SHALLOW, units=128, largest_exponent=7.0),
    num_envs=8,
    num_updates=4,
    replay_capacity=32_768,
    warmup_steps=1_024,
)

MINI_EVALUATION = EvalConfig(every=1_024, episodes=64, max_pieces=30, final_episodes=256, final_max_pieces=30)
SMALL_EVALUATION = EvalConfig(
    every=8_192, episodes=32, max_pieces=500, final_episodes=64, final_max_pieces=1_000
)
LARGE_EVALUATION = EvalConfig(every=1_000_000, episodes=128, max_pieces=2_000)


def _config(
    preset: str,
    env: Any,
    agent: DreamerConfig,
    evaluation: EvalConfig,
    total_steps: int,
    chunk_iterations: int,
    game: str = "tetris",
) -> TrainConfig:
    return TrainConfig(
        algorithm="dreamer",
        preset=preset,
        env=env,
        agent=agent,
        evaluation=evaluation,
        total_steps=total_steps,
        chunk_iterations=chunk_iterations,
        game=game,
    )


CARTPOLE_EVALUATION = dataclasses.replace(OTHER_EVALUATION, every=4_096)

DREAMER: dict[str, dict[str, TrainConfig]] = {
    "tiny": {
        "drop": _config("tiny", DROP, TINY, TINY_EVALUATION, 1_024, 2),
        "direct": _config("tiny", DIRECT, TINY, TINY_EVALUATION, 1_024, 2),
        "gymnax": _config("tiny", CARTPOLE, TINY, TINY_EVALUATION, 1_024, 2, "gymnax"),
    },
    "mini": {
        "drop": _config("mini", MINI_DROP, MINI_AGENT, MINI_EVALUATION, 3_328, 2),
        "direct": _config("mini", MINI_DIRECT, MINI_KEYS, MINI_EVALUATION, 18_432, 2),
    },
    "small": {
        "drop": _config("small", SMALL_DROP_GAME, SMALL_DROP, SMALL_EVALUATION, 65_536, 8),
        "direct": _config("small", DIRECT, SMALL, SMALL_EVALUATION, 65_536, 8),
        "gymnax": _config("small", CARTPOLE, VECTORS, CARTPOLE_EVALUATION, 16_384, 8, "gymnax"),
    },
    "large": {
        "drop": _config("large", DROP, LARGE, LARGE_EVALUATION, 10_000_000, 8),
        "direct": _config("large", DIRECT, LARGE, LARGE_EVALUATION, 10_000_000, 8),
        "gymnax": _config("large", CARTPOLE, LARGE, OTHER_EVALUATION, 10_000_000, 8, "gymnax"),
    },
}
