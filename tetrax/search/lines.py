"""The best lines that a planner has found: which placements follow each other, and what they are worth."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.search import children

LINES = "lines"  # what planners call them among what they tell of a decision
MOST_LINES = 3
LONGEST = 7  # placements of a line that is read off a tree
PLACEMENT = (1 << 15) - 1  # what of `children.encode` is not the lane


class Lines(NamedTuple):
    """Lines of B games, the best first, each with another first placement; x is -1 where a line is over."""

    use_hold: Bool[Array, "B L D"]
    orientation: Int32[Array, "B L D"]
    x: Int32[Array, "B L D"]  # of the lower-left corner of the piece's bounding box, when it is placed
    y: Int32[Array, "B L D"]
    worth: Float32[Array, "B L"]  # in rows; -inf where there is no line
    visits: Int32[Array, "B L"]  # simulations that began so; 0 where nothing is counted


def trace(took: Int32[Array, "D B W"], score: Float32[Array, "B W"]) -> Lines:
    """Follow the boards of a beam's end back to the root.

    `took` are the placements that led to the boards after each step, with the lane that each came from, -1 where
    nothing was placed any more.
    """
    own = jnp.broadcast_to(jnp.arange(score.shape[1], dtype=jnp.int32), score.shape)

    def go_back(lanes: Int32[Array, "B W"], step: Int32[Array, "B W"]) -> tuple[Array, Array]:
        number = jnp.take_along_axis(step, lanes, axis=1)
        return jnp.where(number >= 0, children.decode(number).lane, lanes), _alone(number)

    _, ways = jax.lax.scan(go_back, own, took, reverse=True)  # [D, B, W]
    first = ways[0]
    order = jnp.argsort(-score, axis=1)
    first, score = jnp.take_along_axis(first, order, axis=1), jnp.take_along_axis(score, order, axis=1)
    earlier = np.tril(np.ones((score.shape[1],) * 2, bool), -1)
    is_new = ~jnp.any((first[:, :, None] == first[:, None]) & earlier[None], axis=2)
    worth, best = _top(jnp.where(is_new & (first >= 0), score, -jnp.inf))
    lanes = jnp.take_along_axis(order, best, axis=1)
    chosen = jnp.take_along_axis(ways, lanes[None], axis=2)  # [D, B, L]
    return _read(jnp.moveaxis(chosen, 0, -1), worth, jnp.zeros(worth.shape, jnp.int32))


def read_tree(tree: Any) -> Lines:
    """Read the most visited lines off a search tree whose embeddings are `placement_tree.Node`s."""
    summary = tree.summary()
    visits, firsts = _top(summary.visit_counts)
    worth = jnp.take_along_axis(summary.qvalues, firsts, axis=1)
    games = jnp.arange(visits.shape[0])[:, None]

    def go_on(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], Array]:
        node, action, goes_on = carry
        number = jnp.where(goes_on, _alone(tree.embeddings.steps[games, node, action]), -1)
        below = tree.children_index[games, node, action]
        counts = tree.children_visits[games, jnp.maximum(below, 0)]  # [B, L, M]
        exists = jnp.isfinite(tree.embeddings.scores[games, jnp.maximum(below, 0)])
        counts = jnp.where(exists, counts, 0)
        goes_on &= (below >= 0) & jnp.any(counts > 0, axis=2)
        return (jnp.maximum(below, 0), jnp.argmax(counts, axis=2).astype(firsts.dtype), goes_on), number

    _, chosen = jax.lax.scan(go_on, (jnp.zeros_like(firsts), firsts, visits > 0), None, length=LONGEST)
    return _read(jnp.moveaxis(chosen, 0, -1), jnp.where(visits > 0, worth, -jnp.inf), visits)


def _top(values: Array) -> tuple[Array, Array]:
    """Return the highest values and where they are, as many as lines are told."""
    return jax.lax.top_k(values, min(MOST_LINES, values.shape[1]))


def _alone(number: Int32[Array, "*n"]) -> Int32[Array, "*n"]:
    """Return a placement without its lane."""
    return jnp.where(number >= 0, number & PLACEMENT, -1)


def _read(number: Int32[Array, "B L D"], worth: Float32[Array, "B L"], visits: Int32[Array, "B L"]) -> Lines:
    step, is_there = children.decode(jnp.maximum(number, 0)), number >= 0
    return Lines(
        use_hold=step.choice == 1,
        orientation=step.orientation,
        x=jnp.where(is_there, step.x, -1),
        y=step.y,
        worth=worth.astype(jnp.float32),
        visits=visits.astype(jnp.int32),
    )
