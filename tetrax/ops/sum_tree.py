"""Sampling in proportion to priorities that change (Schaul et al. 2016, arXiv 1511.05952, appendix B.2.1).

A complete binary tree whose leaves are the priorities and whose every other node is the sum of its two
children. A change sums anew on its way to the root and never adds differences, so that no rounding piles up:
a node is always exactly its children's sum.
"""

import chex
import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

ROOT = 1


class SumTree(struct.PyTreeNode, kw_only=True):
    """Priorities, finite and never below 0, of N leaves: those asked for, rounded up to a power of two."""

    # The children of node n are 2n and 2n + 1; the leaves begin at N, node 0 is unused.
    nodes: Array  # float32[2 * N]

    @property
    def leaves(self) -> Float32[Array, "N"]:
        """The priorities; 0 for the leaves that were not asked for."""
        return self.nodes[self.nodes.shape[0] // 2 :]


def empty(num_leaves: int) -> SumTree:
    """Return a tree of at least `num_leaves` priorities, all 0."""
    if num_leaves < 1:
        raise ValueError(f"num_leaves: given {num_leaves}; allowed: 1 or more")
    depth = max((num_leaves - 1).bit_length(), 1)
    return SumTree(nodes=jnp.zeros(2 ** (depth + 1), jnp.float32))


def total(tree: SumTree) -> Float32[Array, ""]:
    """Return the sum of all priorities."""
    return tree.nodes[ROOT]


def priorities(tree: SumTree, index: Int32[Array, "M"]) -> Float32[Array, "M"]:
    """Return the priorities of M leaves."""
    num_leaves, _ = _size(tree)
    return tree.nodes.at[num_leaves + index].get(mode="promise_in_bounds")


def update(tree: SumTree, index: Int32[Array, "M"], value: Float32[Array, "M"]) -> SumTree:
    """Give M leaves new priorities; of several values for one leaf, the largest is kept.

    `index` has to be within the leaves. The work is M log N.
    """
    chex.assert_equal_shape([index, value])
    num_leaves, depth = _size(tree)

    def sum_parents(_: int, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        nodes, node = carry
        parent = node // 2
        sums = jnp.sum(_children(nodes, parent), axis=1)
        return nodes.at[parent].set(sums, mode="promise_in_bounds"), parent

    node = num_leaves + index
    # Which of several values is written last is left open, and on GPUs changes from run to run; a maximum is not.
    nodes = tree.nodes.at[node].set(value, mode="promise_in_bounds")
    nodes = nodes.at[node].max(value, mode="promise_in_bounds")
    nodes, _ = jax.lax.fori_loop(0, depth, sum_parents, (nodes, node))
    return tree.replace(nodes=nodes)


def update_range(tree: SumTree, first: Int32[Array, ""], value: Float32[Array, "M"]) -> SumTree:
    """Give new priorities to M leaves, those from `first` on; all of them have to exist.

    The parents of neighbours are neighbours, so that this moves whole runs of numbers.
    """
    num_leaves, depth = _size(tree)
    width = min(value.shape[0] // 2 + 1, num_leaves - 1)  # as many parents as M neighbours can have

    def sum_parents(_: int, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        nodes, node = carry
        parent = node // 2
        # Higher up there are fewer parents than `width`: nodes of deeper levels are then summed once more.
        start = jnp.clip(parent, ROOT, num_leaves - width)
        children = jax.lax.dynamic_slice(nodes, (2 * start,), (2 * width,))
        sums = jnp.sum(children.reshape(width, 2), axis=1)
        return jax.lax.dynamic_update_slice(nodes, sums, (start,)), parent

    node = num_leaves + first
    nodes = jax.lax.dynamic_update_slice(tree.nodes, value, (node,))
    nodes, _ = jax.lax.fori_loop(0, depth, sum_parents, (nodes, node))
    return tree.replace(nodes=nodes)


def sample(tree: SumTree, key: PRNGKeyArray, num: int) -> tuple[Int32[Array, "num"], Float32[Array, "num"]]:
    """Draw `num` leaves, each in proportion to its priority; return their indices and probabilities.

    The total is cut into `num` equal shares and one point is drawn in each, so that the leaves come in
    ascending order. A leaf of priority 0 is never drawn while the total is above 0.
    """
    num_leaves, depth = _size(tree)

    def descend(_: int, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        node, point = carry
        left, right = jnp.unstack(_children(tree.nodes, node), axis=1)  # [num]
        # Rounding may carry a point past the last priority: what is empty is not entered.
        goes_right = (point >= left) & (right > 0)
        return 2 * node + jnp.asarray(goes_right, jnp.int32), jnp.where(goes_right, point - left, point)

    share = total(tree) / num
    point = share * (jnp.arange(num, dtype=jnp.float32) + jax.random.uniform(key, (num,)))
    node, _ = jax.lax.fori_loop(0, depth, descend, (jnp.full(num, ROOT, jnp.int32), point))
    index = node - num_leaves
    return index, priorities(tree, index) / jnp.where(total(tree) > 0, total(tree), 1.0)


def _size(tree: SumTree) -> tuple[int, int]:
    """Return the number of leaves, N, and that of the levels above them."""
    num_leaves = tree.nodes.shape[0] // 2
    return num_leaves, num_leaves.bit_length() - 1


def _children(nodes: Float32[Array, "2*N"], parent: Int32[Array, "M"]) -> Float32[Array, "M 2"]:
    """Take the two children of each parent; they lie side by side."""
    return nodes.reshape(-1, 2).at[parent].get(mode="promise_in_bounds")
