"""What any placements bring, before they are made: the boards after them, and which of them lose.

Boards are gone through by columns (bit y of word x is cell (x, y)): all A placements go through the same W words
side by side.
"""

import functools
from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board, measures
from tetrax.env.game.measures import Board
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State

FULL_COLUMN = np.uint32(0xFFFFFFFF)
COLUMN_ROWS = 32  # rows that a column word holds


class Candidates(NamedTuple):
    """Every placement of an action set, legal or not; leftmost columns go round: that of placement a is a % W."""

    legal: Bool[Array, "A"]
    pose: Pose  # each int32[A]: where the box comes to rest
    kind: Int32[Array, "A"]
    cells: tuple[UInt32[Array, "A"], ...]  # the resting piece's column j from its left, j < 4


def check(rules: Rules) -> None:
    """Raise a ValueError where a piece could come to rest above the rows that a column word holds."""
    allowed = COLUMN_ROWS - MAX_BOX - rules.height
    if rules.top_out != "stack" and rules.spawn_row > allowed:
        raise ValueError(
            f"rules.spawn_row: given {rules.spawn_row} with actions 'drop' and height {rules.height}; allowed: "
            f"0 to {allowed}, so that no placement reaches beyond row {COLUMN_ROWS}"
        )


def after(rules: Rules, state: State, placed: Candidates) -> Board:
    """Return the board after each placement and its line clears, [A]."""
    chex.assert_equal_shape([placed.legal, placed.kind, *placed.pose, *placed.cells])
    chex.assert_is_divisible(placed.kind.shape[0], rules.width)  # leftmost columns go round
    columns = board.columns(rules, state.rows)
    leftmost = np.arange(placed.kind.shape[0]) % rules.width
    filled = []
    for x in range(rules.width):
        column = jnp.broadcast_to(columns[x], placed.kind.shape)
        for j in range(MAX_BOX):
            here = np.where(leftmost == x - j, FULL_COLUMN, np.uint32(0))
            column = column | (placed.cells[j] & here)
        filled.append(column)
    return measures.clear_rows(tuple(filled))


def ends_game(rules: Rules, state: State, placed: Candidates, boards: Board) -> Bool[Array, "A"]:
    """Tell which placements lose as far as a player may know.

    Lock-out, where the rules have it; block-out when the piece that comes next is in the visible
    queue. With top_out "stack" exactly those that leave a cell above the visible rows. Garbage
    that would enter is not looked at.
    """
    if rules.top_out == "stack":
        return functools.reduce(jnp.bitwise_or, boards.columns) >> np.uint32(rules.height) != 0
    bottom = jnp.asarray(rules.tables.bottom)[placed.kind, placed.pose.orientation]
    lost = jnp.zeros(placed.kind.shape, bool)
    if rules.top_out == "guideline":
        lost = placed.pose.y + bottom >= rules.height
    if rules.preview == 0:
        return lost
    num_placed = placed.kind.shape[0] // (2 if rules.hold else 1)  # without holding first
    blocked = _is_blocked(rules, state.queue[0], boards, slice(0, num_placed))
    if rules.hold:
        held = slice(num_placed, None)
        second = _is_blocked(rules, state.queue[0], boards, held)
        if rules.preview > 1:
            second = jnp.where(state.hold >= 0, second, _is_blocked(rules, state.queue[1], boards, held))
        else:
            second &= state.hold >= 0
        blocked = jnp.concatenate([blocked, second])
    if rules.spawn_rise:  # after a clear a blocked piece enters above what is in its way
        blocked &= boards.lines == 0
    return lost | blocked


def _is_blocked(rules: Rules, kind: Int32[Array, ""], boards: Board, part: slice) -> Bool[Array, "a"]:
    """Tell on which of the boards a piece cannot enter."""
    spawn_cells = jnp.asarray(_spawn_columns(rules))[kind]
    overlap = [column[part] & spawn_cells[x] for x, column in enumerate(boards.columns)]
    return functools.reduce(jnp.bitwise_or, overlap) != 0


@functools.lru_cache(maxsize=64)
def _spawn_columns(rules: Rules) -> np.ndarray:
    """Return the cells of each kind at spawn by board column, uint32[K, W]."""
    tables = rules.tables
    spawned = np.zeros((rules.num_pieces, rules.width), np.uint32)
    for kind in range(rules.num_pieces):
        left = rules.spawn_x[kind] + tables.left[kind, 0]
        for j in range(tables.width[kind, 0]):
            spawned[kind, left + j] = tables.columns[kind, 0, j] << np.uint32(rules.spawn_y[kind])
    return spawned
