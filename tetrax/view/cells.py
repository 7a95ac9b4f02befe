"""Boards as cells of kinds: empty, one of the pieces, unknown or garbage.

A kind is the index of a piece, 0..K-1; K stands for a locked cell whose piece nobody saw, K + 1 for garbage.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State

EMPTY = -1  # the number of a cell without a block

Cell = tuple[int, int]  # column x, row y


def unknown_kind(rules: Rules) -> int:
    """Return the number that stands for a locked cell whose piece nobody saw, K."""
    return rules.num_pieces


def garbage_kind(rules: Rules) -> int:
    """Return the number that stands for a cell of garbage, K + 1."""
    return rules.num_pieces + 1


def num_kinds(rules: Rules) -> int:
    """Return how many kinds of blocks there are: the pieces, unknown and garbage."""
    return rules.num_pieces + 2


def read_cells(rules: Rules, state: State) -> np.ndarray:
    """Return the board of one State as int8[H, W]: its garbage, and all other cells of unknown kind."""
    cells = fill(rules, state.rows, unknown_kind(rules))
    height = 0 if state.garbage is None else int(state.garbage.height)
    cells[:height][cells[:height] != EMPTY] = garbage_kind(rules)
    return cells


def fill(rules: Rules, rows: Any, kind: int) -> np.ndarray:
    """Unpack rows (uint32[R]) into int8[R, W], every block of one kind."""
    return np.where(unpack_rows(rules, rows), kind, EMPTY).astype(np.int8)


def unpack_rows(rules: Rules, rows: Any) -> np.ndarray:
    """Unpack rows (uint32[R]) into bool[R, W]."""
    columns = np.arange(rules.width, dtype=np.uint32)
    return (np.asarray(rows, np.uint32)[:, None] >> columns & 1).astype(bool)


def clear_rows(cells: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
    """Take rows out; those above fall, empty ones enter on top."""
    kept = np.delete(cells, rows, axis=0)
    new = np.full((len(rows), cells.shape[1]), EMPTY, cells.dtype)
    return np.concatenate([kept, new])


def raise_rows(cells: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Let rows (lowest first) enter from below; what is pushed over the top is gone."""
    return np.concatenate([below, cells[: len(cells) - len(below)]])


def piece_cells(rules: Rules, kind: int, orientation: int, x: int, y: int) -> tuple[Cell, ...]:
    """Return the cells of a piece whose box has its lower-left corner at (x, y)."""
    bits = rules.tables.rows[kind, orientation]
    return tuple(
        (x + dx, y + dy) for dy, row in enumerate(bits) for dx in range(len(bits)) if int(row) >> dx & 1
    )


class Shape(NamedTuple):
    """A piece as it enters, with its lower left corner at (0, 0)."""

    cells: tuple[Cell, ...]  # row by row from below, each from the left
    width: int
    height: int


def shape_of(rules: Rules, kind: int) -> Shape:
    """Return the shape of a piece as it enters."""
    cells = piece_cells(rules, kind, 0, 0, 0)
    left, bottom = min(x for x, _ in cells), min(y for _, y in cells)
    moved = tuple((x - left, y - bottom) for x, y in cells)
    return Shape(moved, 1 + max(x for x, _ in moved), 1 + max(y for _, y in moved))


def shift_row(row: int, x: int) -> int:
    """Move a row of a piece's box by x columns, left ones for negative x: bits that leave on the left are lost."""
    return row << x if x >= 0 else row >> -x


def fits(rules: Rules, board: list[int], piece: list[int], x: int, y: int) -> bool:
    """Whether the rows of a piece's box fit on a board with the box's lower-left corner at (x, y)."""
    for dy, row in enumerate(piece):
        if not row:
            continue
        moved = shift_row(row, x)
        inside = moved < 1 << rules.width and moved.bit_count() == row.bit_count()
        if not inside or not 0 <= y + dy < len(board) or moved & board[y + dy]:
            return False
    return True
