"""Minibatches: samples put together by groups of neighbouring games, dealt out at random within each group.

Over several devices every group lies on one of them, so that no game's data ever moves to another, and what is
drawn depends on the number of groups alone.
"""

from typing import Any

import chex
import jax
from jax import Array
from jaxtyping import Int32, PRNGKeyArray


def group(rollout: Any, num_groups: int) -> Any:
    """Put the samples of each group of neighbouring games together: [T, B, ...] -> [G, T * B / G, ...]."""
    chex.assert_tree_shape_prefix(rollout, jax.tree.leaves(rollout)[0].shape[:2])

    def regroup(leaf: Array) -> Array:
        steps, games = leaf.shape[:2]
        leaf = leaf.reshape(steps, num_groups, games // num_groups, *leaf.shape[2:])  # [T, G, B / G, ...]
        return jax.lax.collapse(leaf.swapaxes(0, 1), 1, 3)

    return jax.tree.map(regroup, rollout)


def shuffle(key: PRNGKeyArray, num_groups: int, num_samples: int, num_parts: int) -> Int32[Array, "M G N"]:
    """Deal the samples of each group, int32[G, num_samples] places, out at random to M parts of equal size."""
    keys = key[None] if num_groups == 1 else jax.random.split(key, num_groups)
    order = jax.vmap(lambda group_key: jax.random.permutation(group_key, num_samples))(keys)
    return order.reshape(num_groups, num_parts, num_samples // num_parts).swapaxes(0, 1)


def pick(samples: Any, index: Int32[Array, "G N"]) -> Any:
    """Take N samples of each group, by their places in it, and forget the groups: [G, M, ...] -> [G * N, ...]."""
    taken = jax.tree.map(lambda leaf: jax.vmap(lambda group, places: group[places])(leaf, index), samples)
    return jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 0, 2), taken)
