"""Boards as drawings."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.env.ascii import board_to_ascii, state_from_ascii
from tetrax.env.game import engine
from tetrax.env.game.pieces import DOMINOES
from tetrax.env.game.rules import Rules, default_params

GUIDELINE = Rules()
SMALL = Rules(width=4, height=6, buffer=4, pieces=DOMINOES, preview=1, hold=False)


def test_a_drawing_becomes_rows_with_the_bottom_line_lowest() -> None:
    state = state_from_ascii(
        SMALL,
        """
        #...
        ##.#
        """,
    )
    # bit x = column x: "##.#" is 1 + 2 + 8, "#..." is 1
    assert state.rows.tolist() == [11, 1] + [0] * 8
    assert state.rows.dtype == np.uint32


def test_everything_else_is_a_fresh_game_at_its_spawn_place() -> None:
    """Without cells and names the state is, field by field, that of a reset."""
    key = jax.random.key(3)
    drawn, fresh = (
        state_from_ascii(GUIDELINE, "", key=key),
        engine.init(GUIDELINE, default_params(GUIDELINE), key),
    )
    assert (jax.random.key_data(drawn.key) == jax.random.key_data(fresh.key)).all()
    same = jax.tree.map(
        lambda a, b: a.dtype == b.dtype and bool((a == b).all()),
        drawn.replace(key=None),
        fresh.replace(key=None),
    )
    assert all(jax.tree.leaves(same)), same


def test_named_pieces_take_their_places_and_leave_the_bag() -> None:
    state = state_from_ascii(GUIDELINE, "", piece="T", hold="I", queue="SZOLJ")
    # order I J L O S T Z = 0..6
    assert (int(state.piece), int(state.hold), state.queue.tolist()) == (5, 0, [4, 6, 3, 2, 1])
    assert int(state.bag) == 0b0000001  # of T S Z O L J and I only the I is left
    assert int(state.draws) == 6


def test_a_repeated_piece_starts_a_new_bag_and_the_rest_is_drawn_from_it() -> None:
    state = state_from_ascii(GUIDELINE, "", piece="T", queue=["T"], key=jax.random.key(1))
    drawn = state.queue.tolist()[1:]
    assert state.queue.tolist()[0] == 5
    assert len(set(drawn)) == 4  # from one bag: no two alike
    assert 5 not in drawn  # and no T, which the queue has taken
    assert int(state.bag) == 0b1111111 & ~sum(1 << kind for kind in [5, *drawn])


@given(st.lists(st.integers(0, 14), max_size=5))
def test_drawing_and_reading_are_inverse(rows: list[int]) -> None:
    lines = ["".join("#" if row >> x & 1 else "." for x in range(4)) for row in rows]
    text = "\n".join(["...."] * (6 - len(rows)) + lines)
    assert board_to_ascii(SMALL, state_from_ascii(SMALL, text)) == text


def test_rows_in_the_buffer_are_drawn_only_when_they_hold_cells() -> None:
    drawing = "\n".join(["#..."] * 8)
    assert board_to_ascii(SMALL, state_from_ascii(SMALL, drawing)) == drawing
    assert len(board_to_ascii(SMALL, state_from_ascii(SMALL, "#...")).splitlines()) == 6


@pytest.mark.parametrize(
    ("drawing", "arguments", "message"),
    [
        ("#..x", {}, "drawing: line 1: given 'x'; allowed: '#' (cell) and '.' (none)"),
        ("....\n#...#", {}, "drawing: line 2: given 5 columns; allowed: 4"),
        ("#..", {}, "drawing: line 1: given 3 columns; allowed: 4"),
        ("#...\n" * 11, {}, "drawing: given 11 rows; allowed: at most 10"),
        ("####", {}, "drawing: line 1: given a full row; allowed: rows with an empty cell"),
        (".##.\n" * 8, {}, "drawing: given cells where piece 'D' enters; allowed: its spawn place free"),
        ("", {"piece": "T"}, "piece: given 'T'; allowed: D"),
        ("", {"queue": "DD"}, "queue: given 2 pieces; allowed: at most 1"),
        ("", {"queue": "d"}, "queue[0]: given 'd'; allowed: D; did you mean 'D'?"),
        ("", {"hold": "D"}, "hold: given 'D'; allowed: None, these rules have no hold"),
    ],
)
def test_refusals(drawing: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        state_from_ascii(SMALL, drawing, **arguments)
    assert str(caught.value) == message
