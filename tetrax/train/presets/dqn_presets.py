"""Whole configurations of value learning: see `tetrax.train.presets`."""

from __future__ import annotations

import dataclasses
from typing import Any

from tetrax.agents.dqn import DQNConfig
from tetrax.env.tetris import EnvConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.preset_parts import (
    CARTPOLE,
    CHORDS,
    DIRECT,
    DROP,
    DROP_BOARDS,
    OTHER_EVALUATION,
    PLACES,
    PLACES_EVALUATION,
    TINY_EVALUATION,
)

SMALL_EVALUATION = EvalConfig(every=500_000, episodes=64, max_pieces=1_000, final_max_pieces=5_000)
BOARDS_EVALUATION = dataclasses.replace(SMALL_EVALUATION, every=1_000_000)
KEYS_EVALUATION = EvalConfig(every=500_000, episodes=64, max_pieces=200)
RAINBOW_EVALUATION = EvalConfig(every=65_536, episodes=64, max_pieces=1_000)
LARGE_EVALUATION = EvalConfig(every=20_000_000, episodes=256, max_pieces=5_000, final_max_pieces=5_000)

# Values of afterstates by lambda returns of fresh rollouts: only the placement that was made is learned from, so that
# learning costs a fraction of deciding, and nothing has to be kept.
AFTERSTATES = DQNConfig(
    num_envs=256,
    num_steps=16,
    num_epochs=2,
    num_minibatches=4,
    value_scale="normalised",
    loss="squared",
    epsilon_start=0.02,
    epsilon_final=0.001,
    epsilon_steps=1_000_000,
    learning_rate=2e-3,
)
# Reading 80 boards costs so much more than learning of one that each rollout is gone over often. Steps further away
# than a score or two are noise to a network that reads boards: in trials a shorter horizon did better.
AFTERSTATES_BOARDS = dataclasses.replace(
    AFTERSTATES,
    num_envs=128,
    num_steps=64,
    num_epochs=6,
    num_minibatches=32,
    discount=0.95,
    learning_rate=1e-3,
    final_learning_rate_fraction=0.05,
)
# Deciding among all places costs ten times what it does among drops: fewer steps, each gone over more often.
AFTERSTATES_PLACES = dataclasses.replace(AFTERSTATES, num_envs=64, num_epochs=4, epsilon_steps=50_000)
# Keys: what a key is worth is learned from a replay.
KEYS = DQNConfig(
    num_envs=128,
    num_steps=16,
    network=NetworkConfig(hidden=(128,)),
    replay_capacity=262_144,
    warmup_steps=16_384,
    num_updates=16,
    batch_size=256,
    n_step=10,  # about what a piece takes
    target_network="periodic",
    target_period=100,
    double=True,
    dueling=True,
    epsilon_start=1.0,
    epsilon_final=0.02,
    epsilon_steps=300_000,
)
# All parts of Rainbow (Hessel et al. 2018); noise in the weights takes the place of epsilon.
RAINBOW: dict[str, Any] = {
    "form": "actions",
    "double": True,
    "dueling": True,
    "prioritised": True,
    "n_step": 3,
    "distribution": "categorical",
    "noisy": True,
    "target_network": "periodic",
    "epsilon_start": 0.0,
    "epsilon_final": 0.0,
}
RAINBOW_KEYS = dataclasses.replace(KEYS, **RAINBOW, lowest_value=-5.0, highest_value=10.0)
# Values begin in the middle of the range, and each copy to the target network takes them a step of the discount
# further: a range around 0, near ends and frequent copies leave the beginning behind soon.
RAINBOW_DROP = dataclasses.replace(
    KEYS,
    **RAINBOW,
    network=NetworkConfig(hidden=(32, 32)),
    num_steps=4,
    num_updates=16,
    batch_size=32,
    learning_rate=2e-3,
    discount=0.95,
    lowest_value=-10.0,
    highest_value=10.0,
    target_period=50,
)
# R2D2: sequences with a memory.
RECURRENT_KEYS = dataclasses.replace(
    KEYS,
    network=NetworkConfig(hidden=(128,), recurrent="lstm", memory=64),
    batch_size=16,
    n_step=5,
    prioritised=True,
    value_scale="rescaled",
)


def _tiny(agent: DQNConfig) -> DQNConfig:
    """Shrink an agent for tests."""
    network = dataclasses.replace(agent.network, hidden=(16,), channels=(8,), memory=8)
    small: dict[str, Any] = {"num_envs": 8, "num_steps": 16, "num_minibatches": 2, "network": network}
    if agent.replay_capacity:
        small |= {
            "replay_capacity": 1_024,
            "warmup_steps": 256,
            "num_updates": 2,
            "batch_size": 8,
            "atoms": 11,
        }
    return dataclasses.replace(agent, **small)


def _large(agent: DQNConfig) -> DQNConfig:
    """Let an agent use one data-centre GPU, or up to eight."""
    network = dataclasses.replace(agent.network, hidden=(128, 128), channels=(64, 64))
    large: dict[str, Any] = {"num_envs": 4_096, "num_groups": 8, "num_minibatches": 8, "network": network}
    if agent.replay_capacity:
        large |= {
            "replay_capacity": 8_388_608,
            "warmup_steps": 262_144,
            "num_updates": 32,
            "batch_size": 4_096,
        }
    return dataclasses.replace(agent, **large)


def _config(
    preset: str,
    env: Any,
    agent: DQNConfig,
    evaluation: EvalConfig,
    total_steps: int,
    chunk_iterations: int,
    game: str = "tetris",
) -> TrainConfig:
    return TrainConfig(
        algorithm="dqn",
        preset=preset,
        env=env,
        agent=agent,
        evaluation=evaluation,
        total_steps=total_steps,
        chunk_iterations=chunk_iterations,
        game=game,
    )


# Vectors of numbers: double learning of five steps at a time. Returns are long, so that the Huber loss, whose
# gradient is at most 1, would take long to reach them.
VECTORS = DQNConfig(
    num_envs=16,
    num_steps=4,
    network=NetworkConfig(hidden=(128, 128)),
    replay_capacity=65_536,
    warmup_steps=4_096,
    num_updates=8,
    batch_size=128,
    n_step=5,
    target_network="periodic",
    target_period=200.0,
    double=True,
    loss="squared",
    epsilon_start=1.0,
    epsilon_final=0.05,
    epsilon_steps=50_000.0,
    learning_rate=1e-3,
    final_learning_rate_fraction=0.0,
)

AGENTS: dict[str, tuple[EnvConfig, DQNConfig]] = {
    "drop": (DROP, AFTERSTATES),
    "drop/afterstate_boards": (DROP_BOARDS, AFTERSTATES_BOARDS),
    "locked_position": (PLACES, AFTERSTATES_PLACES),
    "direct": (DIRECT, KEYS),
    "chords": (CHORDS, KEYS),
}

DQN: dict[str, dict[str, TrainConfig]] = {
    "tiny": {
        name: _config("tiny", env, _tiny(agent), TINY_EVALUATION, 1_024, 2)
        for name, (env, agent) in AGENTS.items()
    }
    | {"gymnax": _config("tiny", CARTPOLE, _tiny(VECTORS), TINY_EVALUATION, 1_024, 2, "gymnax")},
    "small": {
        "drop": _config("small", DROP, AFTERSTATES, SMALL_EVALUATION, 2_000_000, 8),
        "drop/afterstate_boards": _config(
            "small", DROP_BOARDS, AFTERSTATES_BOARDS, BOARDS_EVALUATION, 2_000_000, 2
        ),
        "locked_position": _config("small", PLACES, AFTERSTATES_PLACES, PLACES_EVALUATION, 200_000, 8),
        "direct": _config("small", DIRECT, KEYS, KEYS_EVALUATION, 2_000_000, 16),
        "chords": _config("small", CHORDS, KEYS, KEYS_EVALUATION, 2_000_000, 16),
        "gymnax": _config("small", CARTPOLE, VECTORS, OTHER_EVALUATION, 400_000, 64, "gymnax"),
    },
    "large": {
        "drop": _config("large", DROP, _large(AFTERSTATES), LARGE_EVALUATION, 100_000_000, 8),
        "drop/afterstate_boards": _config(
            "large", DROP_BOARDS, _large(AFTERSTATES_BOARDS), LARGE_EVALUATION, 200_000_000, 8
        ),
        "direct": _config("large", DIRECT, _large(KEYS), LARGE_EVALUATION, 500_000_000, 8),
        "locked_position": _config(
            "large",
            PLACES,
            dataclasses.replace(_large(AFTERSTATES_PLACES), num_envs=1_024),
            LARGE_EVALUATION,
            50_000_000,
            8,
        ),
        "chords": _config("large", CHORDS, _large(KEYS), LARGE_EVALUATION, 500_000_000, 8),
        "gymnax": _config("large", CARTPOLE, _large(VECTORS), LARGE_EVALUATION, 50_000_000, 8, "gymnax"),
    },
    "rainbow": {
        "drop": _config("rainbow", DROP, RAINBOW_DROP, RAINBOW_EVALUATION, 262_144, 16),
        "direct": _config("rainbow", DIRECT, RAINBOW_KEYS, KEYS_EVALUATION, 2_000_000, 16),
    },
    "recurrent": {"direct": _config("recurrent", DIRECT, RECURRENT_KEYS, KEYS_EVALUATION, 2_000_000, 16)},
}
