"""Bitboard primitives: a board is one unsigned word per row, bit x = column x, row 0 lowest.

`Walled` boards carry a frame in which everything outside the matrix (walls, floor, and the space
above the top row) is filled, so that a collision is one `and` and no index needs a bound check.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.rules import Rules

WALL = 5  # columns of frame on the left: a box may stand 3 outside and be kicked 2 further
BELOW = 5  # rows of frame under the floor, for the same reason
ABOVE = 8  # rows of frame over the top row: a box of 4 kicked 2 up, and the look-up's own length
FILLED = np.uint32(0xFFFFFFFF)


def full_row(rules: Rules) -> np.uint32:
    """Return the word of a full row."""
    return np.uint32((1 << rules.width) - 1)


def walled(rules: Rules, rows: UInt32[Array, "H"]) -> UInt32[Array, "H+13"]:
    """Put the frame around a board."""
    walls = np.uint32(~(int(full_row(rules)) << WALL) & 0xFFFFFFFF)
    inside = (rows << np.uint32(WALL)) | walls
    return jnp.concatenate([np.full(BELOW, FILLED), inside, np.full(ABOVE, FILLED)])


def shifted(piece_rows: UInt32[Array, "4"], x: Int32[Array, ""]) -> UInt32[Array, "4"]:
    """Move a piece's rows to column x of a walled board."""
    return piece_rows << (x + WALL).astype(jnp.uint32)


def fits(
    board: UInt32[Array, "H+13"],
    piece_rows: UInt32[Array, "4"],
    x: Int32[Array, ""],
    y: Int32[Array, ""],
) -> Bool[Array, ""]:
    """Tell whether a piece with its box at (x, y) overlaps nothing."""
    window = jax.lax.dynamic_slice(board, (y + BELOW,), (MAX_BOX,))
    return ~jnp.any((window & shifted(piece_rows, x)) != 0)


def drop_distance(
    board: UInt32[Array, "H+13"],
    piece_rows: UInt32[Array, "4"],
    x: Int32[Array, ""],
    y: Int32[Array, ""],
) -> Int32[Array, ""]:
    """Return how many cells a fitting piece can fall straight down."""
    hits, place = _overlaps(board, piece_rows, x)
    blocked_at = jnp.where(hits & (place < y), place, -BELOW - 1)
    return y - 1 - jnp.max(blocked_at)


def first_free_row(
    board: UInt32[Array, "H+13"],
    piece_rows: UInt32[Array, "4"],
    x: Int32[Array, ""],
    y: Int32[Array, ""],
) -> Int32[Array, ""]:
    """Return the lowest row from y on where a piece fits at column x, or y itself if there is none."""
    hits, place = _overlaps(board, piece_rows, x)
    free_at = jnp.where(~hits & (place >= y), place, board.shape[0])
    lowest = jnp.min(free_at)
    return jnp.where(lowest < board.shape[0], lowest, y)


def _overlaps(
    board: UInt32[Array, "H+13"], piece_rows: UInt32[Array, "4"], x: Int32[Array, ""]
) -> tuple[Bool[Array, "H+9"], np.ndarray]:
    """Tell at which rows of the box a piece overlaps something in column x; return the rows with it."""
    moved = shifted(piece_rows, x)
    num_places = board.shape[0] - MAX_BOX
    hits = jnp.zeros(num_places, jnp.uint32)
    for dy in range(MAX_BOX):
        hits |= board[dy : dy + num_places] & moved[dy]
    return hits != 0, np.arange(num_places, dtype=np.int32) - BELOW


def place(
    rules: Rules,
    rows: UInt32[Array, "H"],
    piece_rows: UInt32[Array, "4"],
    x: Int32[Array, ""],
    y: Int32[Array, ""],
) -> UInt32[Array, "H"]:
    """Fill a fitting piece's cells."""
    moved = shifted(piece_rows, x) >> np.uint32(WALL)
    row = np.arange(rules.total_height, dtype=np.int32)
    for dy in range(MAX_BOX):
        rows = rows | jnp.where(row == y + dy, moved[dy], np.uint32(0))
    return rows


def clear(
    rules: Rules, rows: UInt32[Array, "H"], y: Int32[Array, ""]
) -> tuple[UInt32[Array, "H"], Int32[Array, ""]]:
    """Remove the full rows among y..y+3, where the last piece was placed; return them counted.

    Rows above fall, and empty rows enter at the top.
    """
    row = np.arange(rules.total_height, dtype=np.int32)
    is_full = rows == full_row(rules)
    num_lines = jnp.int32(0)
    for dy in reversed(range(MAX_BOX)):
        full_here = jnp.any(is_full & (row == y + dy))
        fallen = jnp.concatenate([rows[1:], np.zeros(1, np.uint32)])
        rows = jnp.where(full_here & (row >= y + dy), fallen, rows)
        num_lines += full_here.astype(jnp.int32)
    return rows, num_lines


def columns(rules: Rules, rows: UInt32[Array, "H"]) -> UInt32[Array, "W"]:
    """Return the board by column: bit y of word x is cell (x, y), for the lowest 32 rows."""
    num_rows = min(rules.total_height, 32)
    x = np.arange(rules.width, dtype=np.uint32)[:, None]
    y = np.arange(num_rows, dtype=np.uint32)
    cells = (rows[None, :num_rows] >> x) & np.uint32(1)  # [W, rows]
    return jnp.sum(cells << y[None], axis=1, dtype=jnp.uint32)


def cells(rules: Rules, rows: UInt32[Array, "R"]) -> Bool[Array, "R W"]:
    """Expand row words to cells."""
    x = np.arange(rules.width, dtype=np.uint32)[None]
    return ((rows[:, None] >> x) & np.uint32(1)) != 0
