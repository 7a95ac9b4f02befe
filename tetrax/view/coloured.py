"""Follow every locked cell of a recording: which piece it came from, or that it rose from below as garbage.

A State holds bits, not colours. Whoever saw the piece lock knows: each step of a recording is explained by a
piece that locked, the rows it cleared and the garbage that entered, and each board is checked against the
State's bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.env.record import Recording, Replay

EMPTY = -1  # a cell without a block; others are of a kind 0..K-1 or of one that is no piece
NO_PIECES = 2  # such kinds: K = unknown, K + 1 = garbage

Cell = tuple[int, int]  # column x, row y


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


def unknown_kind(rules: Rules) -> int:
    """Return the number that stands for a locked cell whose piece nobody saw, K."""
    return rules.num_pieces


def garbage_kind(rules: Rules) -> int:
    """Return the number that stands for a cell of garbage, K + 1."""
    return rules.num_pieces + 1


def moment(state: State) -> Moment:
    """Copy one State to the host."""
    return Moment(*(np.asarray(getattr(state, name)).tolist() for name in Moment._fields))


def moments(states: State) -> list[Moment]:
    """Copy states with a leading time axis to the host."""
    columns = [np.asarray(getattr(states, name)).tolist() for name in Moment._fields]
    return [Moment(*values) for values in zip(*columns, strict=True)]


def uncoloured(rules: Rules, state: State) -> np.ndarray:
    """Return one board as int8[H, W]: its garbage, and all other cells of unknown kind."""
    cells = np.where(board_bits(rules, state.rows), unknown_kind(rules), EMPTY).astype(np.int8)
    height = 0 if state.garbage is None else int(state.garbage.height)
    cells[:height][cells[:height] != EMPTY] = garbage_kind(rules)
    return cells


def follow(recording: Recording, replayed: Replay) -> Iterator[Step]:
    """Explain a replayed recording step by step."""
    rules, events = recording.config.rules, replayed.events
    steps = moments(replayed.states)
    entered = np.asarray(events.garbage_received).tolist()
    lost = np.asarray(events.life_lost).tolist()
    cells = first_board(recording, replayed)
    for index, (before, after) in enumerate(pairwise(steps)):
        placed: tuple[Cell, ...] = ()
        full: tuple[int, ...] = ()
        kind, locked = -1, cells
        emptied = lost[index] and not after.game_over  # the board of a life that is over
        if after.pieces > before.pieces:
            kind = _locked_kind(rules, before, after)
            if not emptied:
                hint = _hint(recording, before, kind, int(recording.actions[index]))
                placed = placed_cells(rules, before, after, kind=kind, entered=entered[index], hint=hint)
                locked = _coloured(rules, cells, placed, kind)
                full = tuple(int(row) for row in np.flatnonzero((locked != EMPTY).all(axis=1)))
        cells = np.full_like(cells, EMPTY) if emptied else clear_rows(locked, full)
        if entered[index] and not emptied:
            cells = raise_rows(rules, cells, after.rows[: entered[index]])
        _check(rules, cells, after)
        yield Step(index, before, after, placed, kind, locked, full, cells)


def first_board(recording: Recording, replayed: Replay) -> np.ndarray:
    """Return the board that a recording starts from, int8[H, W]: empty but for starting garbage."""
    rows = replayed.states.rows[0]
    kind = garbage_kind(recording.config.rules)
    return np.where(board_bits(recording.config.rules, rows), kind, EMPTY).astype(np.int8)


def piece_cells(rules: Rules, kind: int, orientation: int, x: int, y: int) -> tuple[Cell, ...]:
    """Return the cells of a piece whose box has its lower-left corner at (x, y)."""
    bits = rules.tables.rows[kind, orientation]
    return tuple(
        (x + dx, y + dy) for dy, row in enumerate(bits) for dx in range(len(bits)) if int(row) >> dx & 1
    )


def board_bits(rules: Rules, rows: Any) -> np.ndarray:
    """Unpack rows (uint32[H]) into bool[H, W]."""
    columns = np.arange(rules.width, dtype=np.uint32)
    return (np.asarray(rows, np.uint32)[:, None] >> columns & 1).astype(bool)


def clear_rows(cells: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
    """Take rows out; those above fall, empty ones enter on top."""
    kept = np.delete(cells, rows, axis=0)
    new = np.full((len(rows), cells.shape[1]), EMPTY, cells.dtype)
    return np.concatenate([kept, new])


def raise_rows(rules: Rules, cells: np.ndarray, rows: list[int]) -> np.ndarray:
    """Let rows of garbage (words, lowest first) enter from below; what is pushed over the top is gone."""
    garbage = np.where(board_bits(rules, rows), garbage_kind(rules), EMPTY).astype(cells.dtype)
    return np.concatenate([garbage, cells[: len(cells) - len(rows)]])


def placed_cells(
    rules: Rules,
    before: Moment,
    after: Moment,
    *,
    kind: int,
    entered: int = 0,
    hint: tuple[int, int] = (0, 0),
) -> tuple[Cell, ...]:
    """Find the cells that a piece of `kind` filled when it locked between two states.

    `entered` rows of garbage came after it. Without a clear the cells are the difference of the boards.
    With one, every resting place of the piece is tried for the board that followed; of several (their
    boards are alike, their colours may not be), the one nearest to `hint`, (orientation, box x), counts.
    A piece of unknown kind may have been any.
    """
    old, new = before.rows, after.rows[entered:]
    if after.lines == before.lines:
        bits = board_bits(rules, [b & ~a for a, b in zip(old, new, strict=False)])
        return tuple((int(x), int(y)) for y, x in np.argwhere(bits))
    kinds = [kind] if kind < rules.num_pieces else list(range(rules.num_pieces))
    poses = [(orientation, x) for orientation in range(4) for x in range(-3, rules.width)]
    top = max((y for y, row in enumerate(old) if row), default=-1) + 1
    for orientation, x in sorted(poses, key=lambda pose: (pose[0] != hint[0], abs(pose[1] - hint[1]))):
        for tried in kinds:
            piece = rules.tables.rows[tried, orientation].tolist()
            for y in range(-3, top + 1):
                if _gives(rules, old, new, piece, x, y):
                    return piece_cells(rules, tried, orientation, x, y)
    names = " or ".join(rules.pieces[tried].name for tried in kinds)
    raise ValueError(f"piece {before.pieces}: no place of {names} gives the next board")


def fits(rules: Rules, board: list[int], piece: list[int], x: int, y: int) -> bool:
    """Whether the rows of a piece's box fit on a board with the box's lower-left corner at (x, y)."""
    for dy, row in enumerate(piece):
        if not row:
            continue
        moved = row << x if x >= 0 else row >> -x
        inside = moved < 1 << rules.width and moved.bit_count() == row.bit_count()
        if not inside or not 0 <= y + dy < len(board) or moved & board[y + dy]:
            return False
    return True


def _gives(rules: Rules, old: list[int], new: list[int], piece: list[int], x: int, y: int) -> bool:
    """Whether a piece rests at (x, y) on board `old` and the clear leaves the rows `new`."""
    if not fits(rules, old, piece, x, y) or fits(rules, old, piece, x, y - 1):
        return False
    full, board = (1 << rules.width) - 1, list(old)
    for dy, row in enumerate(piece):
        if row:
            board[y + dy] |= row << x if x >= 0 else row >> -x
    kept = [row for row in board if row != full]
    cleared = kept + [0] * (len(board) - len(kept))
    return len(kept) < len(board) and cleared[: len(new)] == new


def _locked_kind(rules: Rules, before: Moment, after: Moment) -> int:
    """Return the kind that locked between two states: the active one unless hold was used in the same step."""
    if after.hold == before.hold:
        return before.piece
    if before.hold >= 0:
        return before.hold
    return before.queue[0] if before.queue else unknown_kind(rules)  # without a preview it was never seen


def _hint(recording: Recording, before: Moment, kind: int, action: int) -> tuple[int, int]:
    """Where the action meant the piece to go: (orientation, box x), exactly so for straight drops."""
    if recording.config.actions != "drop":
        return before.orientation, before.x
    rules = recording.config.rules
    orientation, left = divmod(action % (4 * rules.width), rules.width)
    return orientation, left - int(rules.tables.left[kind, orientation])


def _coloured(rules: Rules, cells: np.ndarray, placed: tuple[Cell, ...], kind: int) -> np.ndarray:
    cells = cells.copy()
    for x, y in placed:
        cells[y, x] = kind
    return cells


def _check(rules: Rules, cells: np.ndarray, after: Moment) -> None:
    """Refuse a coloured board whose occupancy is not the State's."""
    wrong = (cells != EMPTY) != board_bits(rules, after.rows)
    if wrong.any():
        y, x = (int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(f"board after piece {after.pieces}: colours and bits differ at column {x}, row {y}")
