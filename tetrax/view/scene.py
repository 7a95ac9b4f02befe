"""One moment of a game as a picture needs it: plain host values, no arrays on a device.

`scene` shows one State, whose locked cells are of unknown kind; `shown_games.picture_of` does so for any game that
has pictures. A recording's scenes, with locked cells coloured by their pieces, are in frames.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from tetrax.env.game.rules import LINES_PER_LEVEL, Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import describe
from tetrax.view.cells import EMPTY, Cell, fits, piece_cells, read_cells

ROWS_ABOVE = 2  # rows of the buffer shown above the matrix: where pieces enter
WIDE_ENOUGH = 7  # columns, for "GAME OVER" in one line


class Moment(NamedTuple):
    """The fields of one State that a picture needs, as Python numbers."""

    rows: list[int]
    piece: int
    orientation: int
    x: int
    y: int
    hold: int
    hold_used: bool
    queue: list[int]
    score: int
    lines: int
    pieces: int
    lives: int
    game_over: bool


@dataclass(frozen=True)
class Scene:
    """What one frame shows. Kinds index `rules.pieces`; -1 = none."""

    rules: Rules
    cells: np.ndarray  # int8[H, W], row 0 at the bottom: EMPTY, a kind, K = unknown or K + 1 = garbage
    piece: int  # kind of the active piece; -1 when none is shown
    active: tuple[Cell, ...]
    ghost: tuple[Cell, ...]  # where the active piece would land, without its own cells
    placed: tuple[Cell, ...]  # cells that locked just now
    full_rows: tuple[int, ...]  # rows about to be cleared
    hold: int
    hold_used: bool
    queue: tuple[int, ...]
    score: int
    level: int
    lines: int
    pieces: int
    lives: int
    game_over: bool
    hint: tuple[Cell, ...] = ()  # where somebody proposes to put a piece


class Look(IntEnum):
    """What a cell is drawn as."""

    EMPTY = 0
    BLOCK = 1
    GHOST = 2
    ACTIVE = 3
    PLACED = 4  # locked just now
    FULL = 5  # of a row about to be cleared
    HINT = 6  # where a piece is proposed to go


class Looks(NamedTuple):
    """How the cells of a scene are drawn; row 0 is the bottom, the last row the highest shown."""

    look: np.ndarray  # int8[R, W] of Look
    kind: np.ndarray  # int8[R, W], EMPTY where nothing is


def scene(rules: Rules, state: State, *, start_level: int = 1) -> Scene:
    """Show one State (a single board, not a batch); its locked cells are of unknown kind, or garbage."""
    if not isinstance(state, State):
        raise TypeError(
            f"state: given {describe(state)}; allowed: a State, the first result of reset and step"
        )
    if np.shape(state.rows) != (rules.total_height,):
        raise ValueError(
            f"state.rows: given shape {np.shape(state.rows)}; allowed: ({rules.total_height},), one board"
        )
    return show_moment(rules, read_moment(state), read_cells(rules, state), start_level)


def read_moment(state: State) -> Moment:
    """Copy one State to the host."""
    return Moment(*(np.asarray(getattr(state, name)).tolist() for name in Moment._fields))


def read_moments(states: State) -> list[Moment]:
    """Copy states with a leading time axis to the host."""
    columns = [np.asarray(getattr(states, name)).tolist() for name in Moment._fields]
    return [Moment(*values) for values in zip(*columns, strict=True)]


def show_moment(rules: Rules, moment: Moment, cells: np.ndarray, start_level: int) -> Scene:
    """Show a moment whose board is known cell by cell, int8[H, W]."""
    fallen, piece = moment.y, rules.tables.rows[moment.piece, moment.orientation].tolist()
    while fits(rules, moment.rows, piece, moment.x, fallen - 1):
        fallen -= 1
    active = piece_cells(rules, moment.piece, moment.orientation, moment.x, moment.y)
    landed = piece_cells(rules, moment.piece, moment.orientation, moment.x, fallen)
    return Scene(
        rules=rules,
        cells=cells,
        piece=moment.piece,
        active=active,
        ghost=() if moment.game_over else tuple(cell for cell in landed if cell not in active),
        placed=(),
        full_rows=(),
        hold=moment.hold,
        hold_used=moment.hold_used,
        queue=tuple(moment.queue),
        score=moment.score,
        level=start_level + moment.lines // LINES_PER_LEVEL,
        lines=moment.lines,
        pieces=moment.pieces,
        lives=moment.lives,
        game_over=moment.game_over,
    )


def find_looks(scene: Scene) -> Looks:
    """Decide how every cell that is shown is drawn: those of the matrix and ROWS_ABOVE rows above it."""
    rows = scene.rules.height + ROWS_ABOVE
    kind = scene.cells[:rows].copy()
    look = np.where(kind == EMPTY, Look.EMPTY, Look.BLOCK).astype(np.int8)
    for x, y in scene.hint:
        if y < rows and look[y, x] == Look.EMPTY:
            look[y, x], kind[y, x] = Look.HINT, scene.rules.num_pieces
    for drawn, cells in ((Look.GHOST, scene.ghost), (Look.ACTIVE, scene.active)):
        for x, y in cells:
            if y < rows:
                look[y, x], kind[y, x] = drawn, scene.piece
    for x, y in scene.placed:
        if y < rows:
            look[y, x] = Look.PLACED
    look[[y for y in scene.full_rows if y < rows]] = Look.FULL
    return Looks(look, kind)


def number_labels(rules: Rules) -> list[str]:
    """Return the labels of the numbers beside the board, from the top; lives are told where there are several."""
    labels = ["SCORE", "LINES", "LEVEL", "PIECES", "LIVES"]
    return labels if rules.lives > 1 else labels[:-1]


def numbers(scene: Scene) -> list[tuple[str, str]]:
    """Return the labels and numbers beside the board."""
    values = [scene.score, scene.lines, scene.level, scene.pieces, scene.lives]
    return [(label, f"{value:,}") for label, value in zip(number_labels(scene.rules), values, strict=False)]


def game_over_lines(rules: Rules) -> list[str]:
    """Return what is written across the matrix at the end, in as many lines as it needs."""
    return ["GAME OVER"] if rules.width >= WIDE_ENOUGH else ["GAME", "OVER"]
