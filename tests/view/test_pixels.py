"""Simple SVG images as pixels: every shape where it belongs, in its colour."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.games import noughts
from tetrax import games
from tetrax.games.grid_config import GridWorldConfig
from tetrax.games.in_a_row import TicTacToeConfig
from tetrax.view import grid_pictures
from tetrax.view.pixels import draw_pixels
from tetrax.view.render import render_rgb
from tetrax.view.stones import CELL, COLOURS, HOLE, MARGIN

SIZE = 'xmlns="http://www.w3.org/2000/svg" width="40" height="20"'


def draw(elements):
    return draw_pixels(f"<svg {SIZE}><title>none is drawn</title>{elements}</svg>")


def find_red(elements):
    """Return the left, upper, right and lower end of what is wholly red."""
    down, across = np.nonzero((draw(elements) == (255, 0, 0)).all(axis=-1))
    return across.min(), down.min(), across.max() + 1, down.max() + 1


def test_shapes_lie_where_they_belong():
    assert find_red('<rect x="3" y="2" width="10" height="8" fill="#ff0000"/>') == (3, 2, 13, 10)
    assert find_red('<path d="M5 4.5L30 4.5" stroke="#ff0000"/>') == (5, 4, 30, 5)
    left, top, right, bottom = find_red('<circle cx="20" cy="10" r="6" fill="#ff0000"/>')
    assert (left, top, right, bottom) == pytest.approx((14, 4, 26, 16), abs=1)
    # A square of 10 stood on its corner reaches half its diagonal, 7.07, to all sides.
    turned = '<rect x="15" y="5" width="10" height="10" fill="#ff0000" transform="rotate(45 20 10)"/>'
    assert find_red(turned) == pytest.approx((13, 3, 27, 17), abs=1)
    assert not (draw(turned)[6, 15] == (255, 0, 0)).all()  # where its corner was


def test_words_stand_on_their_baseline_around_their_anchor():
    words = '<text x="20" y="15" font-size="16" text-anchor="{}" fill="#ff0000">IHI</text>'
    for anchor, low, high in (("start", 20, 40), ("middle", 5, 35), ("end", 0, 20)):
        left, top, right, bottom = find_red(words.format(anchor))
        assert low <= left < right <= high and 0 < top < bottom <= 15
        middle = (left + right) / 2
        assert (middle > 24) == (anchor == "start") and (middle < 16) == (anchor == "end")


def test_the_background_is_white_and_other_elements_are_refused():
    assert (draw("") == 255).all() and draw("").shape == (20, 40, 3)
    with pytest.raises(
        ValueError, match="svg: given <ellipse>; allowed: rect, circle, path, text, title, desc"
    ):
        draw("<ellipse/>")


def test_a_grid_world():
    """Agents at the lower left and the upper right, the target between them is a square on its corner."""
    game = games.make("gridworld", GridWorldConfig(width=3, height=3, num_targets=1))
    state = game.init(jax.random.key(0), ())
    places = {"agents": [[0, 0], [2, 2]], "targets": [[1, 1]]}
    image = render_rgb(game, state.replace(**{name: jnp.int32(place) for name, place in places.items()}))

    def colour(x, y, aside):
        """Return that of a cell, so many pixels left of its middle."""
        middle = grid_pictures.CELL // 2 - aside
        left, top = (
            grid_pictures.MARGIN + x * grid_pictures.CELL,
            grid_pictures.MARGIN + (2 - y) * grid_pictures.CELL,
        )
        red, green, blue = image[top + grid_pictures.CELL // 2, left + middle]
        return f"#{red:02x}{green:02x}{blue:02x}"

    assert [colour(0, 0, 9), colour(2, 2, 9)] == list(grid_pictures.COLOURS[:2])
    assert colour(1, 1, 9) == grid_pictures.STAR  # half the diagonal, 11 pixels, reaches there
    assert colour(1, 0, 9) == colour(1, 1, 14) == grid_pictures.GROUND


def test_a_board_of_stones():
    game = games.make("tictactoe", TicTacToeConfig())
    image = render_rgb(game, noughts.state(game, noughts.read("X..\n.O.\n...")))

    def colour(x, y):
        """Return that of a cell, beside its letter."""
        red, green, blue = image[MARGIN + y * CELL + CELL // 2, MARGIN + x * CELL + CELL // 2 - 14]
        return f"#{red:02x}{green:02x}{blue:02x}"

    assert [colour(0, 0), colour(1, 1), colour(2, 2)] == [*COLOURS, HOLE]
