"""Whole configurations of PPO: see `tetrax.train.presets`."""

from __future__ import annotations

import dataclasses
from typing import Any

from tetrax.agents.ppo import PPOConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.preset_parts import (
    CARTPOLE,
    CARTPOLE_ON_HOST,
    CHORDS,
    DIRECT,
    DROP,
    DROP_BOARDS,
    LUNAR_LANDER,
    OTHER_EVALUATION,
    PLACES,
    PLACES_EVALUATION,
    TINY_EVALUATION,
)

SMALL_EVALUATION = EvalConfig(every=200_000, episodes=64, max_pieces=500)  # 64 games are one group
LARGE_EVALUATION = EvalConfig(every=20_000_000, episodes=256, max_pieces=2_000)

PPO_TINY = PPOConfig(
    num_envs=8, num_steps=16, num_minibatches=2, network=NetworkConfig(hidden=(16,), channels=(8,))
)
PPO_SMALL = PPOConfig()
# Reading boards costs ten times what reading features does: many small updates, one pass over each rollout.
PPO_SMALL_BOARDS = PPOConfig(
    num_envs=128, num_steps=16, num_epochs=1, num_minibatches=4, learning_rate=2e-3, entropy=0.001
)
PPO_SMALL_DIRECT = PPOConfig(
    num_envs=128,
    num_steps=64,
    num_minibatches=8,
    network=NetworkConfig(hidden=(128,)),
    learning_rate=1e-3,
    entropy=0.005,
)
# All places of all pieces are judged: small rollouts, gone over once in small parts.
PPO_SMALL_PLACES = PPOConfig(
    num_envs=64, num_steps=16, num_epochs=1, num_minibatches=4, learning_rate=2e-3, entropy=0.001
)
PPO_LARGE = PPOConfig(
    num_envs=4096,
    num_steps=64,
    num_minibatches=16,
    num_groups=8,  # for up to 8 devices
    network=NetworkConfig(hidden=(128, 128), channels=(64, 64)),
)

PPO_LARGE_PLACES = dataclasses.replace(PPO_LARGE, num_envs=1024, num_steps=32)

# Vectors of numbers: two small networks of tanh, as has been usual since Schulman et al. 2017.
PPO_VECTORS = PPOConfig(
    num_envs=64,
    num_steps=32,
    num_epochs=4,
    num_minibatches=8,
    network=NetworkConfig(hidden=(64, 64), activation="tanh"),
    learning_rate=2.5e-3,
    final_learning_rate_fraction=0.0,
    entropy=0.0,
)
# On the host a step of one environment costs as much as one of many on the device: few of them, long rollouts.
PPO_HOST = dataclasses.replace(PPO_VECTORS, num_envs=16, num_steps=128, learning_rate=1e-3, entropy=0.001)
# As the zoo of Stable-Baselines3 has it (Raffin 2020), with larger minibatches.
PPO_LUNAR_LANDER = dataclasses.replace(
    PPO_HOST,
    num_steps=512,
    num_epochs=4,
    num_minibatches=64,
    learning_rate=1e-3,
    discount=0.999,
    gae_lambda=0.98,
    entropy=0.01,
)
TINY_ENVIRONMENTS = {
    "drop": DROP,
    "drop/afterstate_boards": DROP_BOARDS,
    "locked_position": PLACES,
    "direct": DIRECT,
    "chords": CHORDS,
}
OTHERS = {"gymnax": CARTPOLE, "gymnasium": CARTPOLE_ON_HOST}


def _other(preset: str, game: str, agent: PPOConfig, **settings: Any) -> TrainConfig:
    """Return a preset of other people's games."""
    return TrainConfig(algorithm="ppo", preset=preset, env=OTHERS[game], agent=agent, game=game, **settings)


PPO: dict[str, dict[str, TrainConfig]] = {
    "tiny": {
        actions: TrainConfig(
            algorithm="ppo",
            preset="tiny",
            env=env,
            agent=PPO_TINY,
            evaluation=TINY_EVALUATION,
            total_steps=1_024,
            chunk_iterations=2,
        )
        for actions, env in TINY_ENVIRONMENTS.items()
    }
    | {
        game: _other(
            "tiny", game, PPO_TINY, evaluation=TINY_EVALUATION, total_steps=1_024, chunk_iterations=2
        )
        for game in OTHERS
    },
    "small": {
        "drop": TrainConfig(
            algorithm="ppo",
            preset="small",
            env=DROP,
            agent=PPO_SMALL,
            evaluation=SMALL_EVALUATION,
            total_steps=800_000,
            chunk_iterations=1,
        ),
        "drop/afterstate_boards": TrainConfig(
            algorithm="ppo",
            preset="small",
            env=DROP_BOARDS,
            agent=PPO_SMALL_BOARDS,
            evaluation=dataclasses.replace(SMALL_EVALUATION, every=500_000),
            total_steps=1_100_000,
            chunk_iterations=8,
        ),
        "direct": TrainConfig(
            algorithm="ppo",
            preset="small",
            env=DIRECT,
            agent=PPO_SMALL_DIRECT,
            evaluation=dataclasses.replace(SMALL_EVALUATION, every=1_000_000, max_pieces=200),
            total_steps=4_000_000,
            chunk_iterations=4,
        ),
        "locked_position": TrainConfig(
            algorithm="ppo",
            preset="small",
            env=PLACES,
            agent=PPO_SMALL_PLACES,
            evaluation=PLACES_EVALUATION,
            total_steps=200_000,
            chunk_iterations=4,
        ),
        "chords": TrainConfig(
            algorithm="ppo",
            preset="small",
            env=CHORDS,
            agent=PPO_SMALL_DIRECT,
            evaluation=dataclasses.replace(SMALL_EVALUATION, every=1_000_000, max_pieces=200),
            total_steps=4_000_000,
            chunk_iterations=4,
        ),
        "gymnax": _other(
            "small",
            "gymnax",
            PPO_VECTORS,
            evaluation=OTHER_EVALUATION,
            total_steps=500_000,
            chunk_iterations=8,
        ),
        "gymnasium": _other(
            "small",
            "gymnasium",
            PPO_HOST,
            evaluation=OTHER_EVALUATION,
            total_steps=200_000,
            chunk_iterations=4,
        ),
        "gymnasium:LunarLander-v3": TrainConfig(
            algorithm="ppo",
            preset="small",
            env=LUNAR_LANDER,
            agent=PPO_LUNAR_LANDER,
            game="gymnasium",
            evaluation=dataclasses.replace(OTHER_EVALUATION, every=250_000),
            total_steps=1_000_000,
            chunk_iterations=1,
        ),
    },
    "large": {
        "drop": TrainConfig(
            algorithm="ppo",
            preset="large",
            env=DROP,
            agent=PPO_LARGE,
            evaluation=LARGE_EVALUATION,
            total_steps=100_000_000,
            chunk_iterations=8,
        ),
        "drop/afterstate_boards": TrainConfig(
            algorithm="ppo",
            preset="large",
            env=DROP_BOARDS,
            agent=PPO_LARGE,
            evaluation=LARGE_EVALUATION,
            total_steps=200_000_000,
            chunk_iterations=8,
        ),
        "direct": TrainConfig(
            algorithm="ppo",
            preset="large",
            env=DIRECT,
            agent=dataclasses.replace(PPO_LARGE, entropy=0.01),
            evaluation=LARGE_EVALUATION,
            total_steps=500_000_000,
            chunk_iterations=4,
        ),
        "locked_position": TrainConfig(
            algorithm="ppo",
            preset="large",
            env=PLACES,
            agent=PPO_LARGE_PLACES,
            evaluation=LARGE_EVALUATION,
            total_steps=50_000_000,
            chunk_iterations=8,
        ),
        "chords": TrainConfig(
            algorithm="ppo",
            preset="large",
            env=CHORDS,
            agent=dataclasses.replace(PPO_LARGE, entropy=0.01),
            evaluation=LARGE_EVALUATION,
            total_steps=500_000_000,
            chunk_iterations=4,
        ),
        "gymnax": _other(
            "large",
            "gymnax",
            dataclasses.replace(PPO_VECTORS, num_envs=2_048, num_groups=8),
            evaluation=dataclasses.replace(OTHER_EVALUATION, every=5_000_000),
            total_steps=20_000_000,
            chunk_iterations=8,
        ),
    },
}
