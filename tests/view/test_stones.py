"""Pictures of tic-tac-toe and connect four."""

import xml.etree.ElementTree as ElementTree

import jax
import jax.numpy as jnp
import pytest

from tests.games import noughts
from tetrax import games
from tetrax.games.in_a_row import ConnectFourConfig, TicTacToeConfig
from tetrax.view.render import render, render_svg
from tetrax.view.stones import COLOURS, HOLE

NOUGHTS = games.make("tictactoe", TicTacToeConfig())
FOUR = games.make("connect4", ConnectFourConfig())


def test_text_has_free_cells_by_their_numbers_and_says_who_moves():
    state = noughts.state(NOUGHTS, noughts.read("X..\n.O.\n..X"))
    assert render(NOUGHTS, state) == "X 7 8\n3 O 5\n0 1 X\nO to move"
    drawing = ". . . . . . .\n" * 4 + ". . . O . . .\n. . X X . . .\n0 1 2 3 4 5 6\nO to move"
    assert render(FOUR, noughts.state(FOUR, noughts.read(drawing.rsplit("\n", 2)[0]))) == drawing


@pytest.mark.parametrize(
    ("board", "said"), [("XXX\nOO.\n...", "X wins"), ("OXX\nXOO\nXOX", "a draw"), ("OOO\nXX.\nXX.", "O wins")]
)
def test_the_end_is_told(board, said):
    assert render(NOUGHTS, noughts.state(NOUGHTS, noughts.read(board))).endswith(said)


def test_who_makes_an_illegal_move_has_lost():
    state, _ = NOUGHTS.reset(jax.random.key(0))
    for action in (4, 4):
        state, _ = NOUGHTS.step(state, jnp.int32(action))
    assert render(NOUGHTS, state).endswith("X wins")


def test_svg_shows_every_cell_in_its_place():
    state = noughts.state(FOUR, noughts.read("......." * 5 + "X.....O"))
    image = render_svg(FOUR, state)
    circles = [each for each in ElementTree.fromstring(image).iter() if each.tag.endswith("circle")]
    colours = [each.get("fill") for each in circles]
    assert (len(circles), colours.count(HOLE)) == (42, 40)
    lowest = max(float(each.get("cy")) for each in circles)
    for colour, furthest in zip(COLOURS, (min, max), strict=True):
        [stone] = [each for each in circles if each.get("fill") == colour]
        assert float(stone.get("cy")) == lowest
        assert float(stone.get("cx")) == furthest(float(each.get("cx")) for each in circles)
    assert "X to move" in image and image._repr_svg_() == image


def test_other_states_are_refused():
    with pytest.raises(TypeError, match=r"state: given .*; allowed: an InARowState"):
        render(NOUGHTS, None)
    state, _ = FOUR.reset(jax.random.key(0))
    with pytest.raises(ValueError, match=r"state.rows: given shape \(2, 6\); allowed: \(2, 3\), one board"):
        render_svg(NOUGHTS, state)
