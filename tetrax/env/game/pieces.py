"""Pieces as drawings, and the kick tables of the Super Rotation System and its kin.

A piece is drawn in its spawn orientation inside a square box; the other orientations follow by
turning the box clockwise. Orientations are numbered 0 (spawn), 1 (R), 2 (half turn), 3 (L).
Everything here is NumPy: no array reaches a device at import.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

NUM_ORIENTATIONS = 4
MAX_BOX = 4  # cells; the largest box a piece may be drawn in
MAX_KICK = 2  # cells; the furthest a rotation is kicked, to any side
Kicks = Literal["jlstz", "i", "none"]
KickSystem = Literal["srs", "srs180", "srs+", "none"]
KickTable = dict[tuple[int, int], tuple[tuple[int, int], ...]]  # (from, to) -> tests


@dataclass(frozen=True)
class Piece:
    """One piece kind, as data."""

    name: str
    """One letter (or word) that names the piece in drawings and records."""
    drawing: tuple[str, ...]
    """The box in spawn orientation, top row first; '#' is a cell, '.' is empty."""
    kicks: Kicks = "none"
    """Which kick table the piece uses: 'jlstz', 'i' or 'none'."""
    spins: bool = False
    """Whether a rotation into a tight place is rewarded (the three-corner rule; 3x3 boxes only)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "drawing", as_tuple(self.drawing))


def as_tuple(given: Any) -> Any:
    """Return a list, and lists in it, as the tuples that they stand for; what is neither list nor tuple as it is."""
    return tuple(as_tuple(item) for item in given) if isinstance(given, (list, tuple)) else given


TETROMINOES = (
    Piece("I", ("....", "####", "....", "...."), kicks="i"),
    Piece("J", ("#..", "###", "..."), kicks="jlstz"),
    Piece("L", ("..#", "###", "..."), kicks="jlstz"),
    Piece("O", ("##", "##")),
    Piece("S", (".##", "##.", "..."), kicks="jlstz"),
    Piece("T", (".#.", "###", "..."), kicks="jlstz", spins=True),
    Piece("Z", ("##.", ".##", "..."), kicks="jlstz"),
)

DOMINOES = (Piece("D", ("..", "##")),)

# Kick tests (dx, dy) by (from, to), y up. Source: the SRS tables of the Tetris Design Guideline
# (2009), as reproduced by public implementations; for I in the coordinates of its 4x4 box.
SRS_JLSTZ: KickTable = {
    (0, 1): ((0, 0), (-1, 0), (-1, 1), (0, -2), (-1, -2)),
    (2, 1): ((0, 0), (-1, 0), (-1, 1), (0, -2), (-1, -2)),
    (1, 0): ((0, 0), (1, 0), (1, -1), (0, 2), (1, 2)),
    (1, 2): ((0, 0), (1, 0), (1, -1), (0, 2), (1, 2)),
    (0, 3): ((0, 0), (1, 0), (1, 1), (0, -2), (1, -2)),
    (2, 3): ((0, 0), (1, 0), (1, 1), (0, -2), (1, -2)),
    (3, 0): ((0, 0), (-1, 0), (-1, -1), (0, 2), (-1, 2)),
    (3, 2): ((0, 0), (-1, 0), (-1, -1), (0, 2), (-1, 2)),
}
SRS_I: KickTable = {
    (0, 1): ((0, 0), (-2, 0), (1, 0), (-2, -1), (1, 2)),
    (3, 2): ((0, 0), (-2, 0), (1, 0), (-2, -1), (1, 2)),
    (1, 0): ((0, 0), (2, 0), (-1, 0), (2, 1), (-1, -2)),
    (2, 3): ((0, 0), (2, 0), (-1, 0), (2, 1), (-1, -2)),
    (1, 2): ((0, 0), (-1, 0), (2, 0), (-1, 2), (2, -1)),
    (0, 3): ((0, 0), (-1, 0), (2, 0), (-1, 2), (2, -1)),
    (2, 1): ((0, 0), (1, 0), (-2, 0), (1, -2), (-2, 1)),
    (3, 0): ((0, 0), (1, 0), (-2, 0), (1, -2), (-2, 1)),
}
# TETR.IO's kicks for I, mirror images of each other (SRS's are not), and its half turns. Source: the tables
# published for TETR.IO's SRS+, as reproduced by public implementations.
SRS_PLUS_I: KickTable = {
    (0, 1): ((0, 0), (1, 0), (-2, 0), (-2, -1), (1, 2)),
    (0, 3): ((0, 0), (-1, 0), (2, 0), (2, -1), (-1, 2)),
    (1, 0): ((0, 0), (-1, 0), (2, 0), (-1, -2), (2, 1)),
    (1, 2): ((0, 0), (-1, 0), (2, 0), (-1, 2), (2, -1)),
    (2, 1): ((0, 0), (-2, 0), (1, 0), (-2, 1), (1, -2)),
    (2, 3): ((0, 0), (2, 0), (-1, 0), (2, 1), (-1, -2)),
    (3, 0): ((0, 0), (1, 0), (-2, 0), (1, -2), (-2, 1)),
    (3, 2): ((0, 0), (1, 0), (-2, 0), (1, 2), (-2, -1)),
}
HALF_TURNS: KickTable = {
    (0, 2): ((0, 0), (0, 1), (1, 1), (-1, 1), (1, 0), (-1, 0)),
    (1, 3): ((0, 0), (1, 0), (1, 2), (1, 1), (0, 2), (0, 1)),
    (2, 0): ((0, 0), (0, -1), (-1, -1), (1, -1), (-1, 0), (1, 0)),
    (3, 1): ((0, 0), (-1, 0), (-1, 2), (-1, 1), (0, 2), (0, 1)),
}
NO_KICKS: KickTable = {(start, (start + turn) % 4): ((0, 0),) for start in range(4) for turn in (1, 2, 3)}

# Kick system -> a piece's `kicks` -> table. With half turns a piece without kicks turns in place.
KICK_TABLES: dict[KickSystem, dict[Kicks, KickTable]] = {
    "srs": {"jlstz": SRS_JLSTZ, "i": SRS_I, "none": NO_KICKS},
    "srs180": {"jlstz": SRS_JLSTZ | HALF_TURNS, "i": SRS_I | HALF_TURNS, "none": NO_KICKS},
    "srs+": {"jlstz": SRS_JLSTZ | HALF_TURNS, "i": SRS_PLUS_I | HALF_TURNS, "none": NO_KICKS},
    "none": {"jlstz": NO_KICKS, "i": NO_KICKS, "none": NO_KICKS},
}
TURNS: dict[KickSystem, tuple[int, ...]] = {  # quarter turns clockwise: 1, 3 and, with half turns, 2
    "srs": (1, 3),
    "srs180": (1, 3, 2),
    "srs+": (1, 3, 2),
    "none": (1, 3),
}


@dataclass(frozen=True, eq=False)
class PieceTables:
    """Look-up tables of a piece set (K kinds), one row per kind and orientation; all NumPy."""

    box: np.ndarray  # int32[K], side of the box in cells
    rows: np.ndarray  # uint32[K, 4, 4], bit dx of entry dy (bottom row first) = cell (dx, dy)
    columns: np.ndarray  # uint32[K, 4, 4], bit dy of entry j = cell (left + j, dy)
    left: np.ndarray  # int32[K, 4], first column of the box that holds a cell
    bottom: np.ndarray  # int32[K, 4], first row (from below) of the box that holds a cell
    width: np.ndarray  # int32[K, 4], columns from the first to the last cell
    height: np.ndarray  # int32[K, 4], rows from the first to the last cell
    num_cells: np.ndarray  # int32[K]
    kicks: np.ndarray  # int32[K, 4, turns, tests, 2], tests (dx, dy); third axis by TURNS (0 = clockwise)
    spins: np.ndarray  # bool[K]
    twin: np.ndarray  # int32[K, 4], lowest orientation with the same cells up to a shift


def piece_tables(pieces: tuple[Piece, ...], kicks: KickSystem) -> PieceTables:
    """Derive every look-up table from the drawings."""
    boxes = np.array([len(piece.drawing) for piece in pieces], np.int32)
    grids = [[_turn(piece, turns) for turns in range(4)] for piece in pieces]
    bits = np.uint32(1) << np.arange(MAX_BOX, dtype=np.uint32)
    cells = np.array(grids)  # bool[K, 4, dy, dx]
    any_column, any_row = cells.any(axis=2), cells.any(axis=3)
    left, bottom = any_column.argmax(axis=2), any_row.argmax(axis=2)
    by_column = np.array(
        [[np.roll(cells[k, o], -left[k, o], axis=1) for o in range(4)] for k in range(len(pieces))]
    )
    columns = (by_column * bits[:, None]).sum(axis=2, dtype=np.uint32)
    shape = columns >> bottom[..., None].astype(np.uint32)
    twin = [[[(a == b).all() for b in kind].index(True) for a in kind] for kind in shape]
    return PieceTables(
        box=boxes,
        rows=(cells * bits).sum(axis=3, dtype=np.uint32),
        columns=columns,
        left=left.astype(np.int32),
        bottom=bottom.astype(np.int32),
        width=any_column.sum(axis=2, dtype=np.int32),
        height=any_row.sum(axis=2, dtype=np.int32),
        num_cells=cells[:, 0].sum(axis=(1, 2), dtype=np.int32),
        kicks=np.array([_kick_rows(kicks, piece.kicks) for piece in pieces], np.int32),
        spins=np.array([piece.spins for piece in pieces]),
        twin=np.array(twin, np.int32),
    )


def _turn(piece: Piece, turns: int) -> np.ndarray:
    """Cells of a piece after `turns` clockwise quarter turns, bool[4, 4], bottom row first."""
    drawn = np.array([[mark == "#" for mark in row] for row in piece.drawing])
    grid = np.zeros((MAX_BOX, MAX_BOX), bool)
    grid[: len(drawn), : len(drawn)] = np.rot90(drawn, -turns)[::-1]
    return grid


def _kick_rows(system: KickSystem, name: Kicks) -> list[list[list[tuple[int, int]]]]:
    """Kick tests by orientation, turn and number; short rows repeat their first test, which adds nothing."""
    tables = KICK_TABLES[system]
    longest = max(len(tests) for table in tables.values() for tests in table.values())
    rows = [[tables[name][start, (start + turn) % 4] for turn in TURNS[system]] for start in range(4)]
    return [[[*tests, *tests[:1] * (longest - len(tests))] for tests in row] for row in rows]
