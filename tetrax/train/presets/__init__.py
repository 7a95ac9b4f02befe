"""Whole configurations by name: the numbers of every algorithm and size, in one place.

A preset of Tetris is kept once per action set, since what suits placements does not suit keys; and once more as
"actions/observation" where one observation wants settings of its own. The first is the preset's default. For other
games it is kept by their kind, and as "kind:id" where one of them wants settings of its own.
Every algorithm has `tiny` (tests: seconds), `small` (2 CPU cores) and `large` (one data-centre GPU).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tetrax import games
from tetrax.env.tetris import ENV_PRESETS, EnvConfig
from tetrax.fields.errors import wrong, wrong_name
from tetrax.train.config import TrainConfig
from tetrax.train.presets.alphazero_presets import ALPHAZERO
from tetrax.train.presets.beam_presets import BEAM, BEAM_VALUE
from tetrax.train.presets.cross_entropy_presets import CROSS_ENTROPY
from tetrax.train.presets.dqn_presets import DQN
from tetrax.train.presets.dreamer_presets import DREAMER
from tetrax.train.presets.mappo_presets import MAPPO
from tetrax.train.presets.ppo_presets import PPO

CPU_PRESET = "small"
ACCELERATOR_PRESET = "large"

PRESETS: dict[str, dict[str, dict[str, TrainConfig]]] = {
    "ppo": PPO,
    "dqn": DQN,
    "dreamer": DREAMER,
    "cross-entropy": CROSS_ENTROPY,
    "alphazero": ALPHAZERO,
    "mappo": MAPPO,
    "beam": BEAM,
    "beam-value": BEAM_VALUE,
}


def algorithms() -> list[str]:
    """Return the names of the algorithms."""
    return list(PRESETS)


def names(algorithm: str) -> list[str]:
    """Return the names of an algorithm's presets."""
    return list(PRESETS[algorithm])


def first_game(algorithm: str) -> str:
    """Return the game that an algorithm plays when none is named: Tetris, if it plays that."""
    return next(iter(PRESETS[algorithm][CPU_PRESET].values())).game


def rule_names() -> list[str]:
    """Return the names that --env.preset takes."""
    return list(ENV_PRESETS)


def any_config(algorithm: str, game: str = "tetris", env: Any = None) -> TrainConfig:
    """Return a configuration of the algorithm on a game: all have the same fields."""
    return find(algorithm, CPU_PRESET, game=game, env=env)


def find(
    algorithm: str,
    name: str,
    actions: str | None = None,
    observation: str | None = None,
    game: str = "tetris",
    env: Any = None,
) -> TrainConfig:
    """Return the preset's settings for a game, in Tetris for an action set and an observation.

    `env` is the configuration of another game, put into the preset. UserError where there are no such settings.
    """
    if algorithm not in PRESETS:
        raise wrong_name("algorithm", algorithm, PRESETS)
    if name not in PRESETS[algorithm]:
        raise wrong_name("--preset", name, PRESETS[algorithm])
    variants = PRESETS[algorithm][name]
    if game != "tetris" or first_game(algorithm) != "tetris":
        return _of_other_game(algorithm, name, game, env)
    actions = actions or next(iter(variants)).split("/")[0]
    config = variants.get(f"{actions}/{observation}") or variants.get(actions)
    if config is None:
        allowed = action_sets(algorithm, name)
        raise wrong(f"--env.actions with preset {name}", actions, ", ".join(sorted(allowed)), allowed)
    return config


def _of_other_game(algorithm: str, name: str, game: str, env: Any) -> TrainConfig:
    env = games.GAMES[game].config() if env is None else env
    variants = PRESETS[algorithm][name]
    config = variants.get(games.word_for(game, env)) or variants.get(game)
    if config is None:
        kinds = sorted({variant.split(":")[0] for variant in variants} & games.GAMES.keys())
        able = [each for each, presets in PRESETS.items() if game in presets[CPU_PRESET]]
        allowed = ", ".join([*(["tetris"] if first_game(algorithm) == "tetris" else []), *kinds]) + (
            f"; {game} with {', '.join(able)}" if able else ""
        )
        raise wrong(f"--game with {algorithm} and preset {name}", games.word_for(game, env), allowed)
    return dataclasses.replace(config, env=env)


def action_sets(algorithm: str, name: str) -> set[str]:
    """Return the action sets that an algorithm's preset is kept for; none where there is no such preset."""
    variants = PRESETS[algorithm].get(name, {})
    return {variant.split("/")[0] for variant in variants if variants[variant].game == "tetris"}


def with_rules(env: EnvConfig, name: str) -> EnvConfig:
    """Return the environment with the rules that --env.preset names; UserError for an unknown name."""
    if name not in ENV_PRESETS:
        raise wrong_name("--env.preset", name, ENV_PRESETS)
    return dataclasses.replace(env, preset=name, rules=ENV_PRESETS[name].rules)
