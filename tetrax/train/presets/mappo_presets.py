"""Whole configurations of PPO for several players: see `tetrax.train.presets`."""

from __future__ import annotations

import dataclasses

from tetrax.agents.mappo import LeagueConfig, MAPPOConfig
from tetrax.games.grid_config import GridWorldConfig
from tetrax.games.versus_config import VersusConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.preset_parts import TINY_EVALUATION

# Games end by themselves or by their limit of steps, so that none is capped.
GRID_EVALUATION = EvalConfig(every=100_000, episodes=64, max_pieces=0, final_episodes=512, final_max_pieces=0)

TINY = MAPPOConfig(
    num_envs=4, num_steps=8, num_epochs=1, num_minibatches=2, network=NetworkConfig(hidden=(8,))
)
# A step later costs a twentieth of what is still to come: enough to be seen behind what games differ in.
GRID = MAPPOConfig(
    num_envs=256,
    num_steps=16,
    num_epochs=4,
    num_minibatches=8,
    network=NetworkConfig(hidden=(64, 64)),
    learning_rate=2e-3,
    discount=0.95,
)
GRID_LARGE = dataclasses.replace(
    GRID, num_envs=4096, num_groups=8, network=NetworkConfig(hidden=(256, 256)), learning_rate=1e-3
)

GRID_GAME = GridWorldConfig()
# Two who drop pieces, each of which is judged by what it leaves and sends; a quarter of the games against past selves.
# The end weighs as much as fifty rows: whoever only attacks loses to who survives.
VERSUS_GAME = VersusConfig(shows_attack=True, win=5.0, attack=0.1)
VERSUS = MAPPOConfig(
    value="own",
    num_envs=128,
    num_steps=32,
    num_epochs=2,
    num_minibatches=4,
    learning_rate=2e-3,
    discount=0.995,
    entropy=0.001,
    league=LeagueConfig(size=8),
)
VERSUS_TINY = dataclasses.replace(
    TINY, value="own", league=LeagueConfig(size=2, share=0.5, every=2, tables=1)
)
VERSUS_LARGE = dataclasses.replace(
    VERSUS, num_envs=2048, num_steps=64, num_groups=8, league=LeagueConfig(size=32, tables=16)
)
VERSUS_EVALUATION = EvalConfig(
    every=1_000_000, episodes=16, max_pieces=1_000, final_episodes=16, final_max_pieces=2_000
)


def _config(
    preset: str,
    agent: MAPPOConfig,
    evaluation: EvalConfig,
    total_steps: int,
    chunk_iterations: int,
    env: GridWorldConfig | VersusConfig = GRID_GAME,
) -> TrainConfig:
    return TrainConfig(
        algorithm="mappo",
        preset=preset,
        game="versus" if isinstance(env, VersusConfig) else "gridworld",
        env=env,
        agent=agent,
        evaluation=evaluation,
        total_steps=total_steps,
        chunk_iterations=chunk_iterations,
    )


MAPPO: dict[str, dict[str, TrainConfig]] = {
    "tiny": {
        "gridworld": _config("tiny", TINY, TINY_EVALUATION, 512, 2),
        "versus": _config("tiny", VERSUS_TINY, TINY_EVALUATION, 512, 2, VERSUS_GAME),
    },
    "small": {
        "gridworld": _config("small", GRID, GRID_EVALUATION, 400_000, 8),
        "versus": _config("small", VERSUS, VERSUS_EVALUATION, 3_000_000, 4, VERSUS_GAME),
    },
    "large": {
        "gridworld": _config(
            "large", GRID_LARGE, dataclasses.replace(GRID_EVALUATION, every=10_000_000), 100_000_000, 8
        ),
        "versus": _config(
            "large",
            VERSUS_LARGE,
            dataclasses.replace(VERSUS_EVALUATION, every=20_000_000, episodes=256),
            200_000_000,
            8,
            VERSUS_GAME,
        ),
    },
}
