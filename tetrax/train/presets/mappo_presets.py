"""Whole configurations of PPO for several players: see `tetrax.train.presets`."""

from __future__ import annotations

import dataclasses

from tetrax.agents.mappo import MAPPOConfig
from tetrax.games.grid_config import GridWorldConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.preset_parts import TINY_EVALUATION

# Games end by themselves or by their limit of steps, so that none is capped.
GRID_EVALUATION = EvalConfig(every=500_000, episodes=64, max_pieces=0, final_episodes=512, final_max_pieces=0)

TINY = MAPPOConfig(
    num_envs=4, num_steps=8, num_epochs=1, num_minibatches=2, network=NetworkConfig(hidden=(8,))
)
GRID = MAPPOConfig(
    num_envs=256,
    num_steps=32,
    num_epochs=4,
    num_minibatches=8,
    network=NetworkConfig(hidden=(128, 128), activation="tanh"),
)
GRID_LARGE = dataclasses.replace(
    GRID, num_envs=4096, num_groups=8, network=NetworkConfig(hidden=(256, 256), activation="tanh")
)


def _config(
    preset: str, agent: MAPPOConfig, evaluation: EvalConfig, total_steps: int, chunk_iterations: int
) -> TrainConfig:
    return TrainConfig(
        algorithm="mappo",
        preset=preset,
        game="gridworld",
        env=GridWorldConfig(),
        agent=agent,
        evaluation=evaluation,
        total_steps=total_steps,
        chunk_iterations=chunk_iterations,
    )


MAPPO: dict[str, dict[str, TrainConfig]] = {
    "tiny": {"gridworld": _config("tiny", TINY, TINY_EVALUATION, 512, 2)},
    "small": {"gridworld": _config("small", GRID, GRID_EVALUATION, 2_000_000, 8)},
    "large": {
        "gridworld": _config(
            "large", GRID_LARGE, dataclasses.replace(GRID_EVALUATION, every=10_000_000), 100_000_000, 8
        )
    },
}
