"""What the adapters for several players show of a game, and the compiled steps behind them.

A game is named by its word and overrides of its configuration, or is given itself. What a player sees is one array with
bounds, and which actions are legal.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Int32, UInt32

from tetrax import games
from tetrax.adapters.programs import KEY_KIND
from tetrax.adapters.views import FLAT_BOUND
from tetrax.env.contract import RETURN, STEPS, Observation, TimeStep, check_game
from tetrax.env.game.rules import check_choice
from tetrax.env.observe import CELLS
from tetrax.system import compilation_cache

OBSERVATION = "observation"  # the field that says what a board shows
VIEWS = ("flat", "planes", "cells", "bitboards")  # of an observation: the first that there is is shown


class Position(struct.PyTreeNode, kw_only=True):
    """A game of P players, and what is told of it and of the step just taken."""

    state: Any
    shown: Array  # [P, ...], what `Players` shows to each
    action_mask: Array  # int8[P, A], 1 = legal; all 0 for who is not to move
    rewards: Array  # float32[P]
    terminated: Array  # bool[]
    truncated: Array  # bool[]
    player: Array | None  # int32[], who moves next; None where all act together
    measures: dict[str, Array]  # int32[] by name, of the game so far


class PlayersPrograms(NamedTuple):
    """A game is begun by the first and played by the second; each is one compiled program."""

    reset: Callable[[ArrayLike], Position]  # the two words of a key: uint32[2]
    step: Callable[[Position, ArrayLike], Position]  # action: int32[], or int32[P] where all act together


@dataclass(frozen=True)
class Players:
    """A game of several players; equal ones share programs."""

    game: Any  # TurnGame or TogetherGame
    view: str  # one of VIEWS

    @property
    def names(self) -> tuple[str, ...]:
        """Return how the players are called: player_0 and so on."""
        return tuple(f"player_{number}" for number in range(self.game.spec.num_players))

    @property
    def shown(self) -> jax.ShapeDtypeStruct:
        """Return the shape and dtype of what is shown to one player."""
        array = _example(self).shown
        return jax.ShapeDtypeStruct(array.shape[1:], array.dtype)

    @property
    def bounds(self) -> tuple[float, float]:
        """Return what no number of the array is below or above."""
        return {
            "flat": (-FLAT_BOUND, FLAT_BOUND),
            "planes": (0, 1),
            "cells": (0, len(CELLS) - 1),
            "bitboards": (0, 1),
        }[self.view]

    def show(self, seen: Observation) -> Array:
        """Return what is shown of what one player sees.

        float32[N] (flat), uint8[R, W, n] of 0 and 1 (planes), int8[R, W] (cells), or int8[H, W, n] of 0 and 1
        (bitboards; of stones the player's own and the other's), row 0 at the bottom.
        """
        if self.view == "flat":
            return jnp.clip(jnp.asarray(seen.flat), -FLAT_BOUND, FLAT_BOUND)
        if self.view == "bitboards":
            columns = np.arange(self.game.spec.shows.width, dtype=np.uint32)[None, None]
            bits = (jnp.asarray(seen.bitboards)[..., None] >> columns) & np.uint32(1)  # [n, H, W]
            return jnp.moveaxis(bits, 0, -1).astype(jnp.int8)
        return jnp.asarray(getattr(seen, self.view))

    def look(self, state: Any) -> tuple[Array, Array]:
        """Return what each player is shown of a state, and which actions are legal for each, int8[P, A]."""
        params, spec = self.game.default_params, self.game.spec
        if spec.acts_together:
            seen = self.game.observe(state, params)
            return jax.vmap(self.show)(seen), seen.legal.astype(jnp.int8)

        def look_from(seat: Int32[Array, ""]) -> tuple[Array, Array]:
            seen = self.game.observe(state.replace(player=seat), params)
            return self.show(seen), (seen.legal & (seat == state.player)).astype(jnp.int8)

        return jax.vmap(look_from)(jnp.arange(spec.num_players, dtype=jnp.int32))


def find_players(game: Any, overrides: dict[str, object]) -> Players:
    """Return a game of several players and how it is shown.

    `game` is a word as `--game` takes it, or a game itself, of which nothing can be overridden; `overrides` are fields
    of its configuration, or of a board's inside it, which shows "flat" where nothing else is given. ValueError or
    TypeError names what is not allowed.
    """
    compilation_cache.enable_for_slow_programs()
    if isinstance(game, str):
        game = make_named(game, overrides)
    elif overrides:
        raise ValueError(f"overrides: given {', '.join(overrides)}, and a game; allowed: either, or its word")
    check_game(game)
    spec = game.spec
    if spec.num_players < 2:
        raise ValueError(f"game: given {spec.title}, a game of one player; allowed: one of several")
    seen = jax.eval_shape(lambda: game.observe(game.init(_key(np.zeros(2, np.uint32)), game.default_params)))
    for view in VIEWS:
        if getattr(seen, view) is not None:
            return Players(game, view)
    raise ValueError(f"game: given {spec.title}; allowed: one that shows {', '.join(VIEWS)}")


def make_named(word: str, overrides: dict[str, object]) -> Any:
    """Return the game of a word, with other values in fields of its configuration and of a board's inside it."""
    named = games.find(word)
    config = games.GAMES[named.game].config() if named.config is None else named.config
    names = _field_names(config)
    for name in overrides:
        check_choice(f"{word}: field", name, tuple(sorted(names)))
    are_given = any(map(dataclasses.is_dataclass, overrides.values()))
    if OBSERVATION in names and not are_given:  # of boards: what else they show is made for our networks
        overrides = {OBSERVATION: VIEWS[0], **overrides}
    return games.make(named.game, _replace(config, overrides))


def _field_names(config: Any) -> set[str]:
    """Return the names of the fields of a configuration and of those inside it."""
    names = {field.name for field in dataclasses.fields(config)}
    return names.union(*(_field_names(inner) for inner in _inner(config).values()))


def _replace(config: Any, overrides: dict[str, object]) -> Any:
    """Return a configuration with other values, each in the outermost field of its name."""
    names = {field.name for field in dataclasses.fields(config)}
    changed = {name: value for name, value in overrides.items() if name in names}
    others = {name: value for name, value in overrides.items() if name not in names}
    for name, inner in _inner(config).items():
        taken = {each: others.pop(each) for each in list(others) if each in _field_names(inner)}
        if taken:
            changed[name] = _replace(changed.get(name, inner), taken)
    return dataclasses.replace(config, **changed)


def _inner(config: Any) -> dict[str, Any]:
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {
        name: value
        for name, value in fields.items()
        if dataclasses.is_dataclass(value) and not isinstance(value, type)
    }


@functools.lru_cache(maxsize=16)
def players_programs(players: Players) -> PlayersPrograms:
    """Return the programs of a game; each is compiled when it is first called."""
    game = players.game
    told_by_steps = tuple(name for name in game.spec.measures if name not in (RETURN, STEPS))

    def position(state: Any, timestep: TimeStep, measures: dict[str, Array]) -> Position:
        shown, action_mask = players.look(state)
        return Position(
            state=state,
            shown=shown,
            action_mask=action_mask,
            rewards=timestep.reward,
            terminated=timestep.terminated,
            truncated=timestep.truncated,
            player=None if game.spec.acts_together else state.player,
            measures=measures,
        )

    def reset(words: UInt32[Array, "2"]) -> Position:
        state, timestep = game.reset(_key(words), game.default_params)
        return position(state, timestep, {name: jnp.int32(0) for name in told_by_steps})

    def step(before: Position, action: Int32[Array, "*P"]) -> Position:
        state, timestep = game.step(before.state, action, game.default_params)
        told = game.measure(timestep.event)
        measures = {name: before.measures[name] + told[name] for name in told_by_steps}
        return position(state, timestep, measures)

    return PlayersPrograms(reset=jax.jit(reset), step=jax.jit(step))


@functools.lru_cache(maxsize=16)
def _example(players: Players) -> Position:
    """Return the shapes and types of a position."""
    return jax.eval_shape(players_programs(players).reset, jax.ShapeDtypeStruct((2,), jnp.uint32))


def _key(words: ArrayLike) -> Array:
    return jax.random.wrap_key_data(jnp.asarray(words), impl=KEY_KIND)
