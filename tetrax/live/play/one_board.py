"""The engine for one board in real time: one compiled step, and one copy to the host of all that it shows.

A step with its copy takes about 0.1 ms on a CPU, of the 16.7 ms of a tick.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.env.actions.keys import NOOP, direct_keys
from tetrax.env.env_params import EnvParams
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import Event, State, no_event
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.live.play.handling import HOLD
from tetrax.view.captions import Happening
from tetrax.view.scene import Moment


class Played(NamedTuple):
    """A state and what the host knows of it."""

    state: State
    moment: Moment
    happening: Happening  # in the tick that led to it
    rows: bytes  # of the board, as a recording's digest has them


@dataclass(frozen=True, eq=False)
class OneBoard:
    """An environment for people, whose action is every key of a tick, and its numbers."""

    env: Tetris
    params: EnvParams
    first: Callable[[Array], Played]  # of a reset key
    step: Callable[[State, int], Played]

    @property
    def rules(self) -> Rules:
        """Return the rules of the game."""
        return self.env.rules

    @property
    def start_level(self) -> int:
        """Return the level before the first line."""
        return int(self.params.game.start_level)

    @functools.cached_property
    def key_bits(self) -> dict[str, int]:
        """Return what each key of the game adds to an action."""
        names = [name for name in direct_keys(self.rules) if name != NOOP]
        return {name: 1 << bit for bit, name in enumerate(names)}

    @property
    def useful_keys(self) -> list[str]:
        """Return the keys of the game that do something by its rules."""
        return [name for name in self.key_bits if name != HOLD or self.rules.hold]

    def action(self, keys: frozenset[str]) -> int:
        """Return the action that presses keys together; those that the rules do not have press nothing."""
        return sum(self.key_bits.get(name, 0) for name in keys)


def people_config(preset: str, rules: Rules, params: tuple[str, ...] = ()) -> EnvConfig:
    """Return the configuration of a game for people; ValueError for numbers that the rules cannot have."""
    return EnvConfig(preset=preset, rules=rules, actions="chords", params=params)


def compile_board(config: EnvConfig) -> OneBoard:
    """Compile the two programs of a game: its start and its step."""
    env = Tetris(config)
    params = env.default_params

    def start(key: Array) -> tuple[State, Array]:
        state = env.init(key, params)
        return state, _pack(state, no_event(state))

    @jax.jit
    def step(state: State, action: Array) -> tuple[State, Array]:
        state, _, _, _, event = env.transition(state, action, params)
        return state, _pack(state, event)

    start = jax.jit(start)
    shape = jax.eval_shape(lambda: env.init(jax.random.key(0, impl="threefry2x32"), params))
    unpack = functools.partial(_unpack, _layout(shape), config.rules.total_height)
    return OneBoard(
        env=env,
        params=params,
        first=lambda key: unpack(*start(key)),
        step=lambda state, action: unpack(*step(state, np.int32(action))),
    )


def _pack(state: State, event: Event) -> Array:
    """Put the fields of a Moment and a Happening into one int32 vector."""
    parts = [getattr(state, name) for name in Moment._fields]
    parts += [getattr(event, name) for name in Happening._fields]
    return jnp.concatenate([jnp.ravel(part).astype(jnp.int32) for part in parts])


class _Field(NamedTuple):
    """How a field stands in that vector."""

    width: int | None  # None: one number
    is_bool: bool


def _layout(state: Any) -> list[_Field]:
    """Return how each field stands in that vector."""
    event = jax.eval_shape(no_event, state)
    fields = [getattr(state, name) for name in Moment._fields]
    fields += [getattr(event, name) for name in Happening._fields]
    return [_Field(field.shape[0] if field.shape else None, field.dtype == bool) for field in fields]


def _unpack(layout: list[_Field], num_rows: int, state: State, packed: Array) -> Played:
    """Copy the vector to the host and take it apart; the rows come first."""
    vector = np.asarray(packed)
    numbers, values, at = vector.tolist(), list[Any](), 0
    for width, is_bool in layout:
        value = numbers[at] if width is None else numbers[at : at + width]
        values.append(bool(value) if is_bool else value)
        at += 1 if width is None else width
    split = len(Moment._fields)
    return Played(
        state=state,
        moment=Moment(*values[:split]),
        happening=Happening(*values[split:]),
        rows=vector[:num_rows].astype("<u4").tobytes(),
    )
