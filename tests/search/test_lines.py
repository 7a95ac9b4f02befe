"""Lines of a beam, traced back by hand."""

import jax.numpy as jnp
import numpy as np

from tetrax.search import children
from tetrax.search.children import Step
from tetrax.search.lines import trace


def placement(lane, x, hold=0):
    """Write a placement that came from a board; it is known again by its column."""
    return int(children.encode(Step(*(jnp.int32(part) for part in (lane, hold, 0, x, 1, 0)))))


def test_ways_back_through_a_beam():
    """Three boards, two steps: the best end came from board 1, the second from board 1 too, the third from board 0."""
    first = [placement(0, 3), placement(0, 7, hold=1), placement(0, 5)]
    second = [placement(1, 2), placement(0, 4), placement(1, 9)]
    lines = trace(jnp.array([[first], [second]], jnp.int32), jnp.array([[8.0, 5.0, 7.0]]))
    assert lines.x[0].tolist()[:2] == [[7, 2], [3, 4]]  # of two that begin alike the better one
    assert lines.use_hold[0].tolist()[:2] == [[True, False], [False, False]]
    assert lines.worth[0].tolist() == [8.0, 5.0, -np.inf]
    assert lines.visits[0].tolist() == [0, 0, 0]


def test_a_game_that_ends_before_the_beam_does():
    """Nothing is placed in the second step: the boards stay where they are."""
    first = [placement(0, 3), placement(0, 7)]
    lines = trace(jnp.array([[first], [[-1, -1]]], jnp.int32), jnp.array([[1.0, -np.inf]]))
    assert lines.x[0].tolist()[0] == [3, -1]
    assert lines.worth[0].tolist() == [1.0, -np.inf]
