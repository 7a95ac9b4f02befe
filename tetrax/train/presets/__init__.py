"""Whole configurations by name: the numbers of every algorithm and size, in one place.

A preset is kept once per action set, since what suits placements does not suit keys; and once more as
"actions/observation" where one observation wants settings of its own. The first is the preset's default.
Every algorithm has `tiny` (tests: seconds), `small` (2 CPU cores) and `large` (one data-centre GPU).
"""

from __future__ import annotations

import dataclasses

from tetrax.agents.ppo import PPOConfig
from tetrax.env.tetris import ENV_PRESETS, EnvConfig
from tetrax.fields.errors import wrong, wrong_name
from tetrax.networks.network_config import NetworkConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.cross_entropy_presets import CROSS_ENTROPY
from tetrax.train.presets.dqn_presets import DQN
from tetrax.train.presets.preset_parts import DIRECT, DROP, DROP_BOARDS, TINY_EVALUATION

CPU_PRESET = "small"
ACCELERATOR_PRESET = "large"

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
PPO_LARGE = PPOConfig(
    num_envs=4096,
    num_steps=64,
    num_minibatches=16,
    num_groups=8,  # for up to 8 devices
    network=NetworkConfig(hidden=(128, 128), channels=(64, 64)),
)

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
        for actions, env in {"drop": DROP, "drop/afterstate_boards": DROP_BOARDS, "direct": DIRECT}.items()
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
    },
}

PRESETS: dict[str, dict[str, dict[str, TrainConfig]]] = {
    "ppo": PPO,
    "dqn": DQN,
    "cross-entropy": CROSS_ENTROPY,
}


def algorithms() -> list[str]:
    """Return the names of the algorithms."""
    return list(PRESETS)


def names(algorithm: str) -> list[str]:
    """Return the names of an algorithm's presets."""
    return list(PRESETS[algorithm])


def rule_names() -> list[str]:
    """Return the names that --env.preset takes."""
    return list(ENV_PRESETS)


def any_config(algorithm: str) -> TrainConfig:
    """Return a configuration of the algorithm: all have the same fields."""
    return next(iter(PRESETS[algorithm][CPU_PRESET].values()))


def find(
    algorithm: str, name: str, actions: str | None = None, observation: str | None = None
) -> TrainConfig:
    """Return the preset's settings for an action set and an observation; UserError where there are none."""
    if name not in PRESETS[algorithm]:
        raise wrong_name("--preset", name, PRESETS[algorithm])
    variants = PRESETS[algorithm][name]
    actions = actions or next(iter(variants)).split("/")[0]
    config = variants.get(f"{actions}/{observation}") or variants.get(actions)
    if config is None:
        allowed = action_sets(algorithm, name)
        raise wrong(f"--env.actions with preset {name}", actions, ", ".join(sorted(allowed)), allowed)
    return config


def action_sets(algorithm: str, name: str) -> set[str]:
    """Return the action sets that an algorithm's preset is kept for; none where there is no such preset."""
    return {variant.split("/")[0] for variant in PRESETS[algorithm].get(name, {})}


def with_rules(env: EnvConfig, name: str) -> EnvConfig:
    """Return the environment with the rules that --env.preset names; UserError for an unknown name."""
    if name not in ENV_PRESETS:
        raise wrong_name("--env.preset", name, ENV_PRESETS)
    return dataclasses.replace(env, preset=name, rules=ENV_PRESETS[name].rules)
