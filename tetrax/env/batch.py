"""Many games side by side: the one place that decides how a batch of states lies in memory.

States have the boards last and are kept by word: `State.rows` is a tuple of H arrays uint32[B], so that each row
of all boards is one run of words and a step is arithmetic on whole vectors. What goes to and comes from learners
(keys, actions, `TimeStep`) has the boards first. `jax.vmap(env.step)`, with states by array and the boards first
everywhere, gives the same games.

Over several devices the boards are spread evenly: each device holds B / devices of them in a row. What learns
from them picks within groups of boards that lie on one device, so that no board's data ever moves to another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Int32, PRNGKeyArray

from tetrax.env.game.board import by_array, by_word
from tetrax.env.game.state import State
from tetrax.env.observe import Observation
from tetrax.env.tetris import TimeStep
from tetrax.env.wrappers import Environment

BOARDS = -1  # axis of the boards in every leaf of a batch of states
DEVICES = "boards"  # the mesh's one axis: devices that the boards are spread over


@dataclass(frozen=True)
class Batch:
    """B games of an environment, wrapped or not, with that environment's own methods."""

    env: Environment

    def reset(self, keys: PRNGKeyArray, params: Any = None) -> tuple[Any, TimeStep]:
        """Start B games from B keys; the state has the boards last, the TimeStep first."""
        state, timestep = jax.vmap(self.env.reset, in_axes=(0, None), out_axes=(BOARDS, 0))(keys, params)
        return _each_game(by_word, state), timestep

    def step(self, state: Any, action: Int32[Array, "B"], params: Any = None) -> tuple[Any, TimeStep]:
        """Play one action on every board."""
        step = jax.vmap(self.env.step, in_axes=(BOARDS, 0, None), out_axes=(BOARDS, 0))
        return step(state, action, params)

    def observe(self, state: Any, params: Any = None) -> Observation:
        """Return what a player may know of each board."""
        return jax.vmap(self.env.observe, in_axes=(BOARDS, None))(state, params)


def game(states: Any, index: Int32[Array, ""] | int) -> Any:
    """Take one game out of a batch of states."""
    return _each_game(by_array, jax.tree.map(lambda leaf: leaf[..., index], states))


def _each_game(change: Callable[[State], State], states: Any) -> Any:
    def is_game(node: Any) -> bool:
        return isinstance(node, State)

    return jax.tree.map(lambda node: change(node) if is_game(node) else node, states, is_leaf=is_game)


def device_mesh(num_groups: int) -> Mesh | None:
    """Return a mesh of all devices of all processes; None where there is only one, which needs none.

    ValueError unless every device gets equally many of the groups within which boards are shuffled.
    """
    devices = jax.devices()
    if num_groups % len(devices):
        raise ValueError(f"num_groups: given {num_groups}; allowed: a multiple of the {len(devices)} devices")
    return Mesh(np.asarray(devices), (DEVICES,)) if len(devices) > 1 else None


def spread(states: Any) -> Any:
    """Say for each leaf of a batch of states, or of its shapes, that its boards are spread over the devices."""
    return jax.tree.map(lambda leaf: PartitionSpec(*[None] * (leaf.ndim - 1), DEVICES), states)


def spread_rows(tree: Any) -> Any:
    """Say the same of a tree whose boards are the last axis but one, such as memories [B, M]."""
    return jax.tree.map(lambda leaf: PartitionSpec(*[None] * (leaf.ndim - 2), DEVICES), tree)


def everywhere(tree: Any) -> Any:
    """Say for each leaf of a tree that every device holds the whole of it."""
    return jax.tree.map(lambda _: PartitionSpec(), tree)


def grouped(rollout: Any, num_groups: int) -> Any:
    """Put the samples of each group of neighbouring boards together: [T, B, ...] -> [G, T * B / G, ...]."""

    def regroup(leaf: Array) -> Array:
        steps, boards = leaf.shape[:2]
        leaf = leaf.reshape(steps, num_groups, boards // num_groups, *leaf.shape[2:])  # [T, G, B / G, ...]
        return jax.lax.collapse(leaf.swapaxes(0, 1), 1, 3)

    return jax.tree.map(regroup, rollout)


def shuffled(key: PRNGKeyArray, num_groups: int, num_samples: int, num_parts: int) -> Int32[Array, "M G N"]:
    """Deal the samples of each group, int32[G, num_samples] places, out at random to M parts of equal size."""
    keys = key[None] if num_groups == 1 else jax.random.split(key, num_groups)
    order = jax.vmap(lambda group_key: jax.random.permutation(group_key, num_samples))(keys)
    return order.reshape(num_groups, num_parts, num_samples // num_parts).swapaxes(0, 1)


def pick(samples: Any, index: Int32[Array, "G N"]) -> Any:
    """Take N samples of each group, by their places in it, and forget the groups: [G, M, ...] -> [G * N, ...]."""
    taken = jax.tree.map(lambda leaf: jax.vmap(lambda group, places: group[places])(leaf, index), samples)
    return jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 0, 2), taken)
