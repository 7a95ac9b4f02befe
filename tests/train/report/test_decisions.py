"""What is told of a decision: numbers, scores, and the lines of those who plan."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.search.drawn_games import TINY
from tetrax.search.lines import LINES, Lines
from tetrax.train.report.decisions import decision_data, lines_data, summarise
from tetrax.view.scene import Moment

MOMENT = Moment([0] * TINY.total_height, 0, 0, 1, 6, -1, False, [3, 2], 0, 0, 0, 1, False)  # I, then L and T


def test_lines_are_told_beside_the_numbers():
    """Two lines and room for a third; the first goes on with what hold brings, the second is over at once."""
    x = jnp.array([[[0, 1], [3, -1], [-1, -1]]], jnp.int32)
    lines = Lines(
        use_hold=jnp.array([[[False, True], [False, False], [False, False]]]),
        orientation=jnp.zeros_like(x),
        x=x,
        y=jnp.zeros_like(x).at[0, 0, 1].set(1),
        worth=jnp.array([[7.25, 6.0, -jnp.inf]]),
        visits=jnp.array([[3, 2, 0]], jnp.int32),
    )
    told = {"value": jnp.array([7.25]), LINES: lines}
    decision = summarise(jnp.array([1], jnp.int32), jnp.ones((1, 4), bool), told)
    decisions = jax.tree.map(lambda leaf: np.asarray(leaf)[None], decision)  # one step
    assert decision_data(decisions, 0, None)["value"] == 7.25
    assert LINES not in decision_data(decisions, 0, None)
    first, second = lines_data(decisions, 0, TINY, MOMENT)[LINES]
    assert (first["worth"], first["visits"]) == (7.25, 3)
    assert [(step["piece"], step["hold"]) for step in first["steps"]] == [("I", False), ("T", True)]
    assert first["steps"][1]["cells"] == [[1, 1], [2, 1], [3, 1], [2, 2]]
    assert [step["piece"] for step in second["steps"]] == ["I"]


def test_of_those_who_plan_nothing_there_are_no_lines():
    decision = summarise(jnp.array([0], jnp.int32), jnp.ones((1, 2), bool), {"value": jnp.array([1.0])})
    decisions = jax.tree.map(lambda leaf: np.asarray(leaf)[None], decision)
    assert lines_data(decisions, 0, TINY, MOMENT) == {}
