"""Follow every locked cell of a recording: which piece it came from, or that it rose from below as garbage.

A State holds bits, not colours. Whoever saw the piece lock knows: each step of a recording is explained by a
piece that locked, the rows it cleared and the garbage that entered, and each board is checked against the
State's bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tetrax.env.game.rules import Rules
from tetrax.env.record import Replay
from tetrax.env.tetris import EnvConfig
from tetrax.view.cells import (
    EMPTY,
    Cell,
    clear_rows,
    fill,
    fits,
    garbage_kind,
    piece_cells,
    raise_rows,
    shift_row,
    unknown_kind,
    unpack_rows,
)
from tetrax.view.scene import Moment, read_moments


class Pose(NamedTuple):
    """How a piece is turned, and the column of its box's left side."""

    orientation: int
    x: int


AT_THE_LEFT = Pose(0, 0)


class Action(NamedTuple):
    """An action of a game, and what of its event a board does not show."""

    step: int
    number: int  # 0..A-1
    entered: int  # garbage rows that entered
    life_lost: bool


@dataclass(frozen=True)
class Step:
    """One action of a recording and what it did to the coloured board."""

    index: int  # of the action
    before: Moment
    after: Moment
    placed: tuple[Cell, ...]  # cells that locked; () when none did or nothing tells where
    kind: int  # of the piece that locked; -1 = none
    locked: np.ndarray  # int8[H, W], the board with those cells and its full rows
    full_rows: tuple[int, ...]
    cells: np.ndarray  # int8[H, W], the board after the step


def explain(replayed: Replay) -> Iterator[Step]:
    """Explain a replayed recording step by step."""
    recording, events = replayed.recording, replayed.events
    moments = read_moments(replayed.states)
    entered = np.asarray(events.garbage_received).tolist()
    lost = np.asarray(events.life_lost).tolist()
    cells = first_board(recording.config.rules, moments[0])
    for index, (before, after) in enumerate(pairwise(moments)):
        action = Action(index, int(recording.actions[index]), entered[index], lost[index])
        step = explain_step(recording.config, cells, before, after, action)
        cells = step.cells
        yield step


def explain_step(config: EnvConfig, cells: np.ndarray, before: Moment, after: Moment, action: Action) -> Step:
    """Explain one step of a game whose board is known cell by cell before it, int8[H, W]."""
    rules, entered = config.rules, action.entered
    placed: tuple[Cell, ...] = ()
    full: tuple[int, ...] = ()
    kind, locked = -1, cells
    emptied = action.life_lost and not after.game_over  # the board of a life that is over
    if after.pieces > before.pieces:
        kind = _find_kind(rules, before, after)
        if not emptied:
            hint = _read_hint(config, before, kind, action.number)
            placed = find_placed_cells(rules, before, after, kind=kind, entered=entered, hint=hint)
            locked = _add(cells, placed, kind)
            full = tuple(int(row) for row in np.flatnonzero((locked != EMPTY).all(axis=1)))
    cells = np.full_like(cells, EMPTY) if emptied else clear_rows(locked, full)
    if entered and not emptied:
        cells = raise_rows(cells, fill(rules, after.rows[:entered], garbage_kind(rules)))
    _check(rules, cells, after)
    return Step(action.step, before, after, placed, kind, locked, full, cells)


def first_board(rules: Rules, start: Moment) -> np.ndarray:
    """Return the board that a game starts from, int8[H, W]: empty but for starting garbage."""
    return fill(rules, start.rows, garbage_kind(rules))


def find_placed_cells(
    rules: Rules,
    before: Moment,
    after: Moment,
    *,
    kind: int,
    entered: int = 0,
    hint: Pose = AT_THE_LEFT,
) -> tuple[Cell, ...]:
    """Find the cells that a piece of `kind` filled when it locked between two states.

    `entered` rows of garbage came after it. Without a clear the cells are the difference of the boards.
    With one, every resting place of the piece is tried for the board that followed; of several (their
    boards are alike, their colours may not be), the one nearest to `hint` counts.
    A piece of unknown kind may have been any.
    """
    old, new = before.rows, after.rows[entered:]
    if after.lines == before.lines:
        bits = unpack_rows(rules, [b & ~a for a, b in zip(old, new, strict=False)])
        return tuple((int(x), int(y)) for y, x in np.argwhere(bits))
    kinds = [kind] if kind < rules.num_pieces else list(range(rules.num_pieces))
    poses = [Pose(orientation, x) for orientation in range(4) for x in range(-3, rules.width)]
    poses.sort(key=lambda pose: (pose.orientation != hint.orientation, abs(pose.x - hint.x)))
    top = max((y for y, row in enumerate(old) if row), default=-1) + 1
    for orientation, x in poses:
        for tried in kinds:
            piece = rules.tables.rows[tried, orientation].tolist()
            for y in range(-3, top + 1):
                if _gives(rules, old, new, piece, x, y):
                    return piece_cells(rules, tried, orientation, x, y)
    names = " or ".join(rules.pieces[tried].name for tried in kinds)
    raise ValueError(f"piece {before.pieces}: no place of {names} gives the next board")


def _gives(rules: Rules, old: list[int], new: list[int], piece: list[int], x: int, y: int) -> bool:
    """Whether a piece rests at (x, y) on board `old` and the clear leaves the rows `new`."""
    if not fits(rules, old, piece, x, y) or fits(rules, old, piece, x, y - 1):
        return False
    full, board = (1 << rules.width) - 1, list(old)
    for dy, row in enumerate(piece):
        if row:
            board[y + dy] |= shift_row(row, x)
    kept = [row for row in board if row != full]
    cleared = kept + [0] * (len(board) - len(kept))
    return len(kept) < len(board) and cleared[: len(new)] == new


def _find_kind(rules: Rules, before: Moment, after: Moment) -> int:
    """Return the kind that locked between two states: the active one unless hold was used in the same step."""
    if after.hold == before.hold:
        return before.piece
    if before.hold >= 0:
        return before.hold
    return before.queue[0] if before.queue else unknown_kind(rules)  # without a preview it was never seen


def _read_hint(config: EnvConfig, before: Moment, kind: int, action: int) -> Pose:
    """Return where the action meant the piece to go, exactly so for straight drops."""
    if config.actions != "drop":
        return Pose(before.orientation, before.x)
    rules = config.rules
    orientation, left = divmod(action % (4 * rules.width), rules.width)
    return Pose(orientation, left - int(rules.tables.left[kind, orientation]))


def _add(cells: np.ndarray, placed: tuple[Cell, ...], kind: int) -> np.ndarray:
    """Return the board with cells of a kind added."""
    cells = cells.copy()
    for x, y in placed:
        cells[y, x] = kind
    return cells


def _check(rules: Rules, cells: np.ndarray, after: Moment) -> None:
    """Refuse a coloured board whose occupancy is not the State's."""
    wrong = (cells != EMPTY) != unpack_rows(rules, after.rows)
    if wrong.any():
        y, x = (int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(f"board after piece {after.pieces}: colours and bits differ at column {x}, row {y}")
