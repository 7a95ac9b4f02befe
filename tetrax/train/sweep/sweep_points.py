"""The points of a sweep: which numbers can be varied, and which values are asked for.

A name is that of a number which is an array while training goes on, so that members with different values share
one program: the tunables of the agent (`agent.learning_rate`) and the environment's params
(`env_params.reward.game_over`, `env_params.game.gravity`).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.agents import AGENTS
from tetrax.env.contract import Game
from tetrax.fields.as_words import WORDS, read_finite
from tetrax.fields.errors import UserError, nearest_path, wrong
from tetrax.train.config import MAX_MEMBERS, TrainConfig

SWEEP_LOG = "sweep.jsonl"  # in the folder of a sweep: what was measured, a JSON object per line
AGENT, ENV = "agent.", "env_params."
Point = Mapping[str, float | int]  # by name, in the order they were asked for
SCALES = ("linear", "log")
DRAWN_DIGITS = 4  # of a value drawn at random, so that what is printed is what was trained


def names(config: TrainConfig) -> dict[str, type]:
    """Return what can be varied under a configuration: each name, and whether it is an int or a float."""
    found: dict[str, type] = {AGENT + name: float for name in AGENTS[config.algorithm].tunables}
    env = config.make_env()
    params = env.default_params
    # What the agent's discount is put in place of cannot be varied by itself.
    kept = jax.tree.leaves(env.with_discount(params, jnp.float32(0)))
    for (path, leaf), after in zip(jax.tree_util.tree_leaves_with_path(params), kept, strict=True):
        if after is leaf:
            name = ENV + jax.tree_util.keystr(path, simple=True, separator=".")
            found[name] = int if jnp.issubdtype(leaf.dtype, jnp.integer) else float
    return found


def read(
    config: TrainConfig, grid: Iterable[str], random: Iterable[str], samples: int, seed: int
) -> tuple[Point, ...]:
    """Return every combination of the grid's values, each with every random draw; UserError for a wrong word.

    `grid` has words NAME=VALUE,VALUE,…, `random` words NAME=LOW:HIGH or NAME=LOW:HIGH:log. Each draw takes one
    value of every random name, uniform or uniform in the logarithm, decided by `seed` alone.
    """
    types = names(config)
    listed = dict(_unique(_grid_word(word, types) for word in grid))
    ranges = dict(_unique(_random_word(word, types) for word in random))
    for name in ranges:
        if name in listed:
            raise wrong("--random", name, f"names that --grid does not give (it gives {', '.join(listed)})")
    number = math.prod(map(len, listed.values())) * (samples if ranges else 1)
    if number > MAX_MEMBERS:
        raise wrong("--grid, --random", f"{number} points", f"up to {MAX_MEMBERS}")
    drawn = _draws(ranges, types, samples, seed) if ranges else [{}]
    combinations = itertools.product(*listed.values())
    grid_points = [dict(zip(listed, values, strict=True)) for values in combinations]
    points = tuple({**point, **draw} for point in grid_points for draw in drawn)
    for point in points:
        with_point(config, point)
        _check_params(config.make_env(), point)
    return points


def with_point(config: TrainConfig, point: Point) -> TrainConfig:
    """Put the agent's values of a point into a configuration; UserError for one out of its range.

    The environment's values are no part of a configuration.
    """
    agent = {name.removeprefix(AGENT): value for name, value in point.items() if name.startswith(AGENT)}
    try:
        changed = dataclasses.replace(config, agent=dataclasses.replace(config.agent, **agent))
        changed.validate()
    except ValueError as error:
        raise UserError(str(error)) from None
    return changed


def arrays(
    config: TrainConfig, points: Sequence[Point], seeds: Sequence[int], members: Sequence[int]
) -> dict[str, Any]:
    """Return what some members differ in, as arrays [S]: "seed", and the value of each name.

    Member number i has point i // len(seeds) and seed i % len(seeds).
    """
    types = names(config)
    chosen = [points[member // len(seeds)] for member in members]
    values = {
        name: np.asarray([point[name] for point in chosen], np.int32 if types[name] is int else np.float32)
        for name in points[0]
    }
    seed_of = np.asarray([seeds[member % len(seeds)] for member in members], np.int32)
    return {name: jnp.asarray(value) for name, value in {"seed": seed_of, **values}.items()}


def show(value: float | int) -> str:
    """Write a value as the command line takes it back: 0.001, 3e-05, 1179."""
    return str(value) if isinstance(value, int) else f"{value!r}".removesuffix(".0")


def _grid_word(word: str, types: Mapping[str, type]) -> tuple[str, list[float | int]]:
    name, text = _split("--grid", word, types, "NAME=VALUE,VALUE,…")
    values = [_number("--grid", name, item, types[name]) for item in text.split(",")]
    seen: set[float | int] = set()
    for value in values:
        if value in seen:
            raise wrong(f"--grid {name}", show(value), "every value once")
        seen.add(value)
    return name, values


def _random_word(word: str, types: Mapping[str, type]) -> tuple[str, tuple[float | int, float | int, str]]:
    form = "NAME=LOW:HIGH, or with :log after it"
    name, text = _split("--random", word, types, form)
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise wrong("--random", word, form)
    low, high = (_number("--random", name, item, types[name]) for item in parts[:2])
    scale = parts[2] if len(parts) == 3 else "linear"
    if scale not in SCALES:
        raise wrong(f"--random {name}", scale, ", ".join(SCALES), SCALES)
    if low >= high:
        raise wrong(f"--random {name}", text, "a low end below the high end")
    if scale == "log" and low <= 0:
        raise wrong(f"--random {name}", text, "a low end above 0 with log")
    return name, (low, high, scale)


def _split(flag: str, word: str, types: Mapping[str, type], form: str) -> tuple[str, str]:
    """Take a word apart at its first "=", and check the name."""
    name, equals, text = word.partition("=")
    if not equals or not text:
        raise wrong(flag, word, form)
    name = name.replace("-", "_")
    if name not in types:
        near = nearest_path(name, types)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UserError(f"{flag}: given {name!r}, which is no tunable; allowed: {', '.join(types)}{hint}")
    return name, text


def _number(flag: str, name: str, text: str, kind: type) -> float | int:
    notation = dataclasses.replace(NUMBERS, name=lambda path: f"{flag} {path}")
    try:
        return notation.read(kind, text, name)
    except ValueError as error:
        raise UserError(str(error)) from None


def _read_number(kind: Any, text: str) -> float | int:
    """Read a number, 6e3 as a whole one too; ValueError for anything else."""
    number = read_finite(text)
    if kind is float:
        return number
    if not number.is_integer() or abs(number) >= 2**31:
        raise ValueError(f"{text} is no whole number of 32 bits")
    return int(number)


NUMBERS = dataclasses.replace(
    WORDS,
    plain={int: "whole numbers of 32 bits", float: "finite numbers"},
    read_plain=_read_number,
    hint=lambda kind, given: "",
)


def _unique(words: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for name, values in words:
        if name in seen:
            raise wrong("--grid, --random", name, "each name once, with all its values")
        seen.add(name)
        yield name, values


def _draws(
    ranges: Mapping[str, tuple[float, float, str]], types: Mapping[str, type], samples: int, seed: int
) -> list[dict[str, float | int]]:
    random = np.random.default_rng(seed)
    return [{name: _draw(random, *ranges[name], kind=types[name]) for name in ranges} for _ in range(samples)]


def _draw(random: np.random.Generator, low: float, high: float, scale: str, kind: type) -> float | int:
    is_log = scale == "log"
    drawn = random.uniform(math.log(low) if is_log else low, math.log(high) if is_log else high)
    value = math.exp(drawn) if is_log else drawn
    if kind is int:
        return round(value)
    return min(max(float(f"{value:.{DRAWN_DIGITS}g}"), low), high)


def _check_params(env: Game, point: Point) -> None:
    """Refuse numbers of the game outside the ranges that it gives."""
    for name, value in point.items():
        if name.startswith(ENV):
            try:
                env.check_param(name.removeprefix(ENV), value)
            except ValueError as error:
                raise UserError(f"{ENV}{error}") from None
