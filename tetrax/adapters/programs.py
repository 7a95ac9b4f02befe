"""The compiled steps behind the gymnasium adapters, shared by all environments that show the same view."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Int32, UInt32

from tetrax.adapters.views import View
from tetrax.env.contract import TimeStep
from tetrax.env.game.state import State, select

KEY_KIND = "threefry2x32"  # of every key, whatever kind JAX makes by default


class Board(struct.PyTreeNode):
    """A game, and what is told of it and of the step just taken; with leading axes for many boards."""

    state: State
    shown: Array  # what `view` shows
    action_mask: Array  # int8[A], 1 = legal
    reward: Array  # float32[]
    terminated: Array  # bool[]
    truncated: Array  # bool[]
    lines: Array  # int32[], of the game so far, as the next two
    pieces: Array  # int32[], locked
    score: Array  # int32[], points


class Programs(NamedTuple):
    """One board is played by the first two, many ([B]) by the others. Keys are given by their two words."""

    reset: Callable[[ArrayLike], Board]  # key: uint32[2]
    step: Callable[[State, ArrayLike], Board]  # action: int32[]
    reset_all: Callable[[ArrayLike], Board]  # keys: uint32[B, 2]
    step_then_reset: Callable[[State, ArrayLike, ArrayLike], tuple[Board, Board]]
    """Play (actions: int32[B]), and start new games (keys: uint32[B, 2]) where one ended: what the step left,
    and what is seen next."""
    reset_or_step: Callable[[State, ArrayLike, ArrayLike, ArrayLike], Board]
    """Start new games (keys: uint32[B, 2]) where the last, bool[B], is True; play (int32[B]) elsewhere."""
    take: Callable[[State, int], State]
    """Return one state of a batch."""


@functools.lru_cache(maxsize=16)
def programs(view: View) -> Programs:
    """Return the programs of a view; each is compiled when it is first called."""

    def board(state: State, timestep: TimeStep) -> Board:
        return Board(
            state=state,
            shown=view(timestep.observation),
            action_mask=timestep.observation.legal.astype(jnp.int8),
            reward=timestep.reward,
            terminated=timestep.terminated,
            truncated=timestep.truncated,
            lines=state.lines,
            pieces=state.pieces,
            score=state.score,
        )

    def reset(words: UInt32[Array, "2"]) -> Board:
        return board(*view.env.reset(jax.random.wrap_key_data(words, impl=KEY_KIND)))

    def step(state: State, action: Int32[Array, ""]) -> Board:
        return board(*view.env.step(state, action))

    def step_then_reset(
        state: State, action: Int32[Array, ""], words: UInt32[Array, "2"]
    ) -> tuple[Board, Board]:
        last = step(state, action)
        return last, select(last.terminated | last.truncated, reset(words), last)

    def reset_or_step(
        state: State, action: Int32[Array, ""], words: UInt32[Array, "2"], is_reset: Bool[Array, ""]
    ) -> Board:
        return select(is_reset, reset(words), step(state, action))

    return Programs(
        reset=jax.jit(reset),
        step=jax.jit(step),
        reset_all=jax.jit(jax.vmap(reset)),
        step_then_reset=jax.jit(jax.vmap(step_then_reset)),
        reset_or_step=jax.jit(jax.vmap(reset_or_step)),
        take=jax.jit(lambda states, index: jax.tree.map(lambda leaf: leaf[index], states)),
    )
