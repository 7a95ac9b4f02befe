"""Many games side by side: the one place that decides how a batch of states lies in memory.

States have the games last. Those of Tetris are kept by word: `State.rows` is a tuple of H arrays uint32[B], so that
each row of all boards is one run of words and a step is arithmetic on whole vectors. What goes to and comes from
learners (keys, actions, `TimeStep`) has the games first. `jax.vmap(env.step)`, with states by array and the games
first everywhere, plays the same.

Over several devices the games are spread evenly: each device holds B / devices of them in a row. What learns
from them picks within groups of games that lie on one device, so that no game's data ever moves to another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Int32, PRNGKeyArray

from tetrax.env.contract import Environment, Observation, Spec, TimeStep, check_game
from tetrax.env.game.board import by_array, by_word
from tetrax.env.game.state import State
from tetrax.env.game.vector import describe

GAMES = -1  # axis of the games in every leaf of a batch of states
DEVICES = "boards"  # the mesh's one axis: devices that the games are spread over


@dataclass(frozen=True)
class Batch:
    """B games of an environment, wrapped or not, with that environment's own methods."""

    env: Environment

    def __post_init__(self) -> None:
        check_game(self.env)

    def reset(self, keys: PRNGKeyArray, params: Any = None) -> tuple[Any, TimeStep]:
        """Start B games from B keys; the state has the games last, the TimeStep first."""
        if not isinstance(keys, Array) or keys.ndim != 1:
            raise TypeError(f"keys: given {describe(keys)}; allowed: typed keys, one a game, [B]")
        state, timestep = jax.vmap(self.env.reset, in_axes=(0, None), out_axes=(GAMES, 0))(keys, params)
        return _each_game(by_word, state), timestep

    def step(self, state: Any, action: Int32[Array, "B *P"], params: Any = None) -> tuple[Any, TimeStep]:
        """Play one action in every game; where P players act together, one of each: int32[B, P]."""
        chex.assert_rank(action, 2 if self.env.spec.acts_together else 1)
        if any(not np.ndim(leaf) for leaf in jax.tree.leaves(state)):
            raise TypeError(
                "state: given one game; allowed: many, with the games on the last axis, as reset gives them"
            )
        step = jax.vmap(self.env.step, in_axes=(GAMES, 0, None), out_axes=(GAMES, 0))
        return step(state, action, params)

    def observe(self, state: Any, params: Any = None) -> Observation:
        """Return what a player may know of each game."""
        return jax.vmap(self.env.observe, in_axes=(GAMES, None))(state, params)


def by_seat(tree: Any, spec: Spec) -> Any:
    """Put the players of B games side by side, as policies see them: [B, P, ...] -> [B * P, ...].

    Nothing changes where players do not act together.
    """
    if not spec.acts_together:
        return tree
    return jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[0] * leaf.shape[1], *leaf.shape[2:]), tree)


def by_game(tree: Any, spec: Spec) -> Any:
    """Undo `by_seat`: [B * P, ...] -> [B, P, ...]."""
    if not spec.acts_together:
        return tree
    players = spec.num_players
    return jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[0] // players, players, *leaf.shape[1:]), tree)


def seats_of_one(tree: Any, spec: Spec) -> Any:
    """Return one game's seats as a batch, as policies see it: [P, ...] as it is; else a batch of one, [1, ...]."""
    return tree if spec.acts_together else jax.tree.map(lambda leaf: leaf[None], tree)


def actions_of_one(actions: Int32[Array, "P"], spec: Spec) -> Int32[Array, "*P"]:
    """Undo `seats_of_one`: what one game is stepped with."""
    return actions if spec.acts_together else actions[0]


def game(states: Any, index: Int32[Array, ""] | int) -> Any:
    """Take one game out of a batch of states."""
    return _each_game(by_array, jax.tree.map(lambda leaf: leaf[..., index], states))


def games_first(states: Any) -> Any:
    """Return a batch of states with the games on the first axis, by array, as `jax.vmap(env.step)` has them."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, GAMES, 0), _each_game(by_array, states))


def _each_game(change: Callable[[State], State], states: Any) -> Any:
    def is_game(node: Any) -> bool:
        return isinstance(node, State)

    return jax.tree.map(lambda node: change(node) if is_game(node) else node, states, is_leaf=is_game)


def device_mesh(num_groups: int) -> Mesh | None:
    """Return a mesh of all devices of all processes; None where there is only one, which needs none.

    ValueError unless every device gets equally many of the groups within which games are shuffled.
    """
    devices = jax.devices()
    if num_groups % len(devices):
        raise ValueError(f"num_groups: given {num_groups}; allowed: a multiple of the {len(devices)} devices")
    return Mesh(np.asarray(devices), (DEVICES,)) if len(devices) > 1 else None


def spread(states: Any) -> Any:
    """Say for each leaf of a batch of states, or of its shapes, that its games are spread over the devices."""
    return jax.tree.map(lambda leaf: PartitionSpec(*[None] * (leaf.ndim - 1), DEVICES), states)


def spread_rows(tree: Any) -> Any:
    """Say the same of a tree that has the games on the last axis but one, such as memories [B, M]."""
    return jax.tree.map(lambda leaf: PartitionSpec(*[None] * (leaf.ndim - 2), DEVICES), tree)


def everywhere(tree: Any) -> Any:
    """Say for each leaf of a tree that every device holds the whole of it."""
    return jax.tree.map(lambda _: PartitionSpec(), tree)
