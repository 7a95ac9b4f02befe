"""What is decided by the boards at the end of a beam search.

That is the first placement on the way to the best of them, or the one of a few that is best on average over what
may come next.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.env.game.rules import Rules
from tetrax.search import beam, children, ends, lines, next_piece
from tetrax.search.attack_weights import Weights
from tetrax.search.beam import Root, Size
from tetrax.search.board_value import BoardValue


class Plan(NamedTuple):
    """What was decided for G games."""

    use_hold: Bool[Array, "G"]
    orientation: Int32[Array, "G"]
    x: Int32[Array, "G"]
    y: Int32[Array, "G"]
    value: Float32[Array, "G"]  # in rows: of the best board, or on average over what may come
    boards: Int32[Array, "G"]  # that were expanded
    missed: Int32[Array, "G"]  # placements that there was no room for
    lines: lines.Lines  # the best ones


@functools.lru_cache(maxsize=64)
def planner(rules: Rules, size: Size) -> Callable[[Weights, BoardValue | None, Root], Plan]:
    """Return the search, on games [G]; under vmap more games are searched side by side, by one value."""

    @jax.custom_batching.custom_vmap
    def plan(weights: Weights, value: BoardValue | None, root: Root) -> Plan:
        return decide(rules, size, weights, value, root)

    @plan.def_vmap
    def plan_more(axis_size: int, in_batched: Any, weights: Any, value: Any, root: Any) -> tuple[Plan, Any]:
        def merge(field: Array, is_batched: bool) -> Array:
            if not is_batched:
                field = jnp.broadcast_to(field[None], (axis_size, *field.shape))
            return field.reshape(-1, *field.shape[2:])

        if any(jax.tree.leaves(in_batched[1])):
            return _plan_one_by_one(plan, axis_size, in_batched, (weights, value, root))
        weights, root = jax.tree.map(merge, (weights, root), (in_batched[0], in_batched[2]))
        found = plan(weights, value, root)
        split = jax.tree.map(lambda field: field.reshape(axis_size, -1, *field.shape[1:]), found)
        return split, jax.tree.map(lambda _: True, split)

    return plan


def _plan_one_by_one(
    plan: Callable[..., Plan], axis_size: int, in_batched: Any, given: Any
) -> tuple[Plan, Any]:
    """Plan by several values, one after the other."""

    def at(number: Array) -> Plan:
        return plan(
            *jax.tree.map(
                lambda leaf, is_batched: leaf[number] if is_batched else leaf, given, tuple(in_batched)
            )
        )

    found = jax.lax.map(at, jnp.arange(axis_size))
    return found, jax.tree.map(lambda _: True, found)


def decide(rules: Rules, size: Size, weights: Weights, value: BoardValue | None, root: Root) -> Plan:
    """Search, and choose a first placement: to the best board, or the best on average over the next piece."""
    if value is not None and size.candidates:
        found, took, worth = next_piece.search(rules, size, weights, value, root)
    else:
        found, took = beam.search(rules, size, weights, root)
        worth = ends.judge(rules, size, weights, value, root, found)
    best = jnp.argmax(worth, axis=1)[:, None]
    first = jnp.take_along_axis(found.lanes.first.reshape(worth.shape), best, axis=1)[:, 0]
    step = children.decode(first)
    return Plan(
        use_hold=step.choice == 1,
        orientation=step.orientation,
        x=step.x,
        y=step.y,
        value=jnp.take_along_axis(worth, best, axis=1)[:, 0],
        boards=found.boards,
        missed=found.missed,
        lines=lines.trace(took, worth),
    )
