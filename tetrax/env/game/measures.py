"""What can be measured on a board given by columns: bit y of word x is cell (x, y), the lowest 32 rows.

Heights, surfaces and transitions of a column are a few operations on one word, and any number of
boards [*n] goes through the same W words side by side.
"""

import functools
import itertools
from collections.abc import Iterable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Int32, UInt32

from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.rules import Rules


class Board(NamedTuple):
    """Boards as columns, after clearing."""

    columns: tuple[UInt32[Array, "*n"], ...]  # W words
    lines: Int32[Array, "*n"]  # lines cleared to get here
    full: UInt32[Array, "*n"]  # bit y: row y was full before the clear


class BoardFeatures(struct.PyTreeNode):
    """Features of a board, each int32[*n], in cells unless said."""

    aggregate_height: Array  # sum of the column heights
    max_height: Array
    bumpiness: Array  # sum of the steps between neighbouring columns
    holes: Array  # empty cells with a filled cell above them
    rows_with_holes: Array  # rows
    hole_depth: Array  # filled cells with an empty cell anywhere below them in their column
    wells: Array  # d (d + 1) / 2 summed over columns d lower than both neighbours (walls are high)
    row_transitions: Array  # filled/empty changes along the visible rows, walls filled
    column_transitions: Array  # the same along the columns, floor filled


def clear_rows(columns: tuple[UInt32[Array, "*n"], ...]) -> Board:
    """Remove full rows, lowest first, at most as many as a piece has rows."""
    full = functools.reduce(jnp.bitwise_and, columns)
    remaining = full
    for _ in range(MAX_BOX):
        lowest = remaining & (~remaining + np.uint32(1))
        below = lowest - np.uint32(1)  # all ones when no full row remains
        columns = tuple((c & below) | ((c >> np.uint32(1)) & ~below) for c in columns)
        remaining = (remaining ^ lowest) >> np.uint32(1)
    return Board(columns, popcount(full), full)


def board_features(rules: Rules, columns: tuple[UInt32[Array, "*n"], ...]) -> BoardFeatures:
    """Measure boards given by their W columns (the lowest 32 rows).

    The features are those of the controllers of Dellacherie and of Thiery and Scherrer (2009),
    but for `wells`, which here are read off the surface; theirs are `covered_wells`.
    """
    chex.assert_equal(len(columns), rules.width)
    chex.assert_equal_shape(columns)
    heights = [height(column) for column in columns]
    covered = [
        ~c & ((np.uint32(1) << h.astype(jnp.uint32)) - 1) for c, h in zip(columns, heights, strict=True)
    ]
    above_holes = [c & (c + np.uint32(1)) for c in columns]  # the carry takes away what stands on the floor
    visible = np.uint32((1 << rules.height) - 1)
    wall = jnp.full_like(columns[0], visible)
    walled = (wall, *columns, wall)
    sideways = [(a ^ b) & visible for a, b in itertools.pairwise(walled)]
    upwards = [c ^ ((c << np.uint32(1)) | np.uint32(1)) for c in columns]
    return BoardFeatures(
        aggregate_height=total(heights),
        max_height=functools.reduce(jnp.maximum, heights),
        bumpiness=total([jnp.zeros_like(heights[0]), *steps(heights)]),
        holes=total(map(popcount, covered)),
        rows_with_holes=popcount(functools.reduce(jnp.bitwise_or, covered)),
        hole_depth=total(map(popcount, above_holes)),
        wells=_wells(heights),
        row_transitions=total(map(popcount, sideways)),
        column_transitions=total(map(popcount, upwards)),
    )


def covered_wells(columns: tuple[UInt32[Array, "*n"], ...], num_rows: int) -> Int32[Array, "*n"]:
    """Return the wells of Dellacherie, and of Thiery and Scherrer (2009), of boards of `num_rows` rows, in cells.

    An empty cell whose neighbours to both sides are filled (walls are) counts itself and the empty
    cells directly below it, covered or not.
    """
    rows = np.uint32((1 << num_rows) - 1)
    wall = jnp.full_like(columns[0], rows)
    inside = [column & rows for column in columns]
    lefts, rights = [wall, *inside[:-1]], [*inside[1:], wall]
    if 2 * num_rows < 32 and len(columns) % 2 == 0:  # two columns share a word, an unused bit between them
        lefts, inside, rights = _pair(lefts), _pair(inside), _pair(rights)
        rows = rows | (rows << np.uint32(16))
    counted = []
    for left, here, right in zip(lefts, inside, rights, strict=True):
        empty = here ^ rows
        # Bit by bit, how many wells are at each cell and above it with only empty cells between: first of one
        # row, then of two, of four, ….
        wells, reach = [empty & left & right], 1
        while reach < num_rows:
            wells = _add(wells, [(bit >> np.uint32(reach)) & empty for bit in wells])
            empty, reach = empty & (empty >> np.uint32(reach)), 2 * reach
        counted += [popcount(bit) << power for power, bit in enumerate(wells)]
    return total(counted)


def _pair(words: list[UInt32[Array, "*n"]]) -> list[UInt32[Array, "*n"]]:
    """Put the second half of some words of 16 bits beside the first half."""
    half = len(words) // 2
    return [a | (b << np.uint32(16)) for a, b in zip(words[:half], words[half:], strict=True)]


def _add(some: list[UInt32[Array, "*n"]], others: list[UInt32[Array, "*n"]]) -> list[UInt32[Array, "*n"]]:
    """Add numbers that are given bit by bit, the lowest first: 32 of them at once."""
    carry = jnp.zeros_like(some[0])
    added = []
    for a, b in zip(some, others, strict=True):
        added.append(a ^ b ^ carry)
        carry = (a & b) | ((a ^ b) & carry)
    return [*added, carry]


def pattern_diversity(columns: tuple[UInt32[Array, "*n"], ...]) -> Int32[Array, "*n"]:
    """Return how many of the steps -2, -1, 0, 1, 2 occur between neighbouring columns (0 to 5)."""
    heights = [height(column) for column in columns]
    steps = [(b - a).astype(jnp.uint32) for a, b in itertools.pairwise(heights)]
    # Step d is bit d + 2 of a word; others are beyond it, since a negative one wraps to a large one.
    seen = [np.uint32(1) << jnp.minimum(step + np.uint32(2), np.uint32(31)) for step in steps]
    every = functools.reduce(jnp.bitwise_or, seen, jnp.zeros_like(columns[0]))
    return popcount(every & np.uint32(0b11111))


def to_rows(columns: tuple[UInt32[Array, "*n"], ...], num_rows: int) -> UInt32[Array, "*n R"]:
    """Turn columns into row words, the lowest `num_rows` rows."""
    y = np.arange(num_rows, dtype=np.uint32).reshape((1,) * columns[0].ndim + (num_rows,))
    one = np.uint32(1)
    words = [((c[..., None] >> y) & one) << np.uint32(x) for x, c in enumerate(columns)]
    return functools.reduce(jnp.bitwise_or, words)


def _wells(heights: list[Int32[Array, "*n"]]) -> Int32[Array, "*n"]:
    return total([depth * (depth + 1) // 2 for depth in well_depths(heights)])


def well_depths(heights: list[Int32[Array, "*n"]]) -> list[Int32[Array, "*n"]]:
    """Return how far each column is lower than both neighbours (walls are high), 0 where it is not."""
    walls = jnp.full_like(heights[0], 64)
    beside = zip([walls, *heights], heights, [*heights[1:], walls], strict=False)
    return [jnp.maximum(jnp.minimum(left, right) - here, 0) for left, here, right in beside]


def steps(heights: list[Int32[Array, "*n"]]) -> list[Int32[Array, "*n"]]:
    """Return the differences in height between neighbouring columns, never negative."""
    return [jnp.abs(a - b) for a, b in itertools.pairwise(heights)]


def beyond(counts: list[Int32[Array, "*n"]], limit: int) -> Int32[Array, "*n"]:
    """Add up what each count exceeds a limit by."""
    return total([jnp.maximum(count - limit, 0) for count in counts])


def height(column: UInt32[Array, "*n"]) -> Int32[Array, "*n"]:
    """Return the row above the highest set bit."""
    # The exponent of the word as a float: an ordinary CPU counts leading zeros of vectors in many more operations.
    # Without the bits below the highest one it cannot be rounded up; the highest bit of all would be a sign.
    rounded = (column & ~(column >> np.uint32(1))).astype(jnp.int32).astype(jnp.float32)
    exponent = (jax.lax.bitcast_convert_type(rounded, jnp.int32) >> 23) - 126
    return jnp.where(rounded < 0, 32, jnp.maximum(exponent, 0))


def total(counts: Iterable[Int32[Array, "*n"]]) -> Int32[Array, "*n"]:
    """Add up."""
    return functools.reduce(jnp.add, counts)


def popcount(word: UInt32[Array, "*n"]) -> Int32[Array, "*n"]:
    """Return the number of set bits."""
    return jax.lax.population_count(word).astype(jnp.int32)
