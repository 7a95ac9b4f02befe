"""Measures of boards against counting cell by cell."""

import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.env.game import measures
from tetrax.env.game.rules import Rules


def test_height_is_the_row_above_the_highest_cell() -> None:
    draw = np.random.default_rng(0)
    words = [0, *(1 << top for top in range(32)), *((1 << (top + 1)) - 1 for top in range(32))]
    words += [(1 << top) | int(draw.integers(1 << top)) for top in range(1, 32) for _ in range(8)]
    expected = [word.bit_length() for word in words]
    assert measures.height(jnp.asarray(words, jnp.uint32)).tolist() == expected


@pytest.mark.parametrize(
    ("width", "num_rows"),
    [(10, 14), (10, 15), (10, 24), (7, 14)],
    ids=["two columns a word", "the most rows for that", "more rows", "an odd width"],
)
def test_covered_wells_are_counted_cell_by_cell(width: int, num_rows: int) -> None:
    filled = (
        np.random.default_rng(width + num_rows).random((64, num_rows, width))
        < np.linspace(0.1, 0.9, 64)[:, None, None]
    )
    columns = tuple(
        jnp.asarray([sum(1 << y for y in range(num_rows) if one[y, x]) for one in filled], jnp.uint32)
        for x in range(width)
    )
    expected = [_wells(one) for one in filled]
    assert max(expected) > 0
    assert measures.covered_wells(columns, num_rows).tolist() == expected


def _wells(filled: np.ndarray) -> int:
    """Count each empty cell between two filled ones, and the empty cells right below it."""
    num_rows, width = filled.shape
    walled = np.pad(filled, ((0, 0), (1, 1)), constant_values=True)
    count = 0
    for y, x in np.ndindex(num_rows, width):
        if not filled[y, x] and walled[y, x] and walled[y, x + 2]:
            below = y
            while below >= 0 and not filled[below, x]:
                count, below = count + 1, below - 1
    return count


def test_hole_depth_counts_cells_over_any_hole() -> None:
    # Columns from the bottom. 0: empty, full, empty, full: both cells have a hole below. 1: two full, a hole, three
    # full: 3. 2: full to the top: nothing. 3: empty. 4: a hole, then full to row 31: 31, none lost in the carry.
    columns = (0b1010, 0b111011, 0xFFFFFFFF, 0, 0xFFFFFFFE)
    found = measures.board_features(
        Rules(width=5, height=20), tuple(jnp.uint32(column) for column in columns)
    )
    assert int(found.hole_depth) == 2 + 3 + 0 + 0 + 31
