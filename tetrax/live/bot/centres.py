"""Where pieces are in the Tetris Bot Protocol: by the cell that is their centre, for each kind and orientation."""

from __future__ import annotations

import functools

import numpy as np

from tetrax.env.game.pieces import NUM_ORIENTATIONS, TETROMINOES, piece_tables

Cell = tuple[int, int]  # column and row, both from 0, the lowest row first

KINDS = tuple(piece.name for piece in TETROMINOES)
ORIENTATIONS = ("north", "east", "south", "west")  # spawn, and after one, two and three turns clockwise
WIDTH, HEIGHT = 10, 40  # of the protocol's board

_MIDDLE = ((1, 1), (1, 1), (1, 1), (1, 1))
# The centre's column and row in the box that a piece is drawn in, by orientation, as the protocol defines it: the
# cell that turning leaves where it is; of O and I, which turn around a corner, the cell that goes around with it.
CENTRES: dict[str, tuple[Cell, ...]] = {
    "I": ((1, 2), (2, 2), (2, 1), (1, 1)),
    "J": _MIDDLE,
    "L": _MIDDLE,
    "O": ((0, 0), (0, 1), (1, 1), (1, 0)),
    "S": _MIDDLE,
    "T": _MIDDLE,
    "Z": _MIDDLE,
}


def cells_at(kind: str, orientation: int, x: int, y: int) -> tuple[Cell, ...]:
    """Return the cells of a piece whose centre is at a cell."""
    return tuple((x + dx, y + dy) for dx, dy in _offsets()[kind, orientation])


def centre_of(kind: str, orientation: int, x: int, y: int) -> Cell:
    """Return the centre of a piece whose bounding box has its lower-left corner at a cell."""
    offsets = _offsets()[kind, orientation]
    return x - min(dx for dx, _ in offsets), y - min(dy for _, dy in offsets)


@functools.cache
def _offsets() -> dict[tuple[str, int], tuple[Cell, ...]]:
    """Return the cells of each piece as they lie around its centre."""
    tables = piece_tables(TETROMINOES, "srs")
    offsets = {}
    for number, kind in enumerate(KINDS):
        for orientation in range(NUM_ORIENTATIONS):
            box = tables.rows[number, orientation]
            centre_x, centre_y = CENTRES[kind][orientation]
            offsets[kind, orientation] = tuple(
                (int(dx) - centre_x, int(dy) - centre_y)
                for dy, dx in np.ndindex(len(box), len(box))
                if int(box[dy]) >> dx & 1
            )
    return offsets
