"""One moment of a game as a picture needs it: plain host values, no arrays on a device.

A State holds bits, not colours: which piece a locked cell came from is known only to whoever saw it
lock. `scene` shows one State with locked cells of unknown kind; `scenes` replays a recording, follows
every locked cell through the line clears and checks each board it shows against the State's bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from tetrax.env.game.rules import LINES_PER_LEVEL, Rules
from tetrax.env.game.state import State
from tetrax.env.record import Recording, replay

EMPTY = -1  # in Scene.cells; a locked cell of unknown kind is `rules.num_pieces`

ROWS_ABOVE = 2  # rows of the buffer shown above the matrix: where pieces enter

Cell = tuple[int, int]  # column x, row y


@dataclass(frozen=True)
class Scene:
    """What one frame shows. Kinds index `rules.pieces`; -1 = none."""

    rules: Rules
    cells: np.ndarray  # int8[H, W], row 0 at the bottom: EMPTY, a kind, or rules.num_pieces = unknown
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
    game_over: bool


def piece_cells(rules: Rules, kind: int, orientation: int, x: int, y: int) -> tuple[Cell, ...]:
    """Return the cells of a piece whose box has its lower-left corner at (x, y)."""
    bits = rules.tables.rows[kind, orientation]
    return tuple(
        (x + dx, y + dy) for dy, row in enumerate(bits) for dx in range(len(bits)) if int(row) >> dx & 1
    )


def scene(rules: Rules, state: State, *, start_level: int = 1) -> Scene:
    """Show one State (a single board, not a batch); its locked cells are of unknown kind."""
    if np.shape(state.rows) != (rules.total_height,):
        raise ValueError(
            f"state.rows: given shape {np.shape(state.rows)}; allowed: ({rules.total_height},), one board"
        )
    cells = np.where(board_bits(rules, state.rows), rules.num_pieces, EMPTY).astype(np.int8)
    moment = Moment(*(np.asarray(getattr(state, name)).tolist() for name in Moment._fields))
    return _scene(rules, moment, cells, start_level)


def scenes(recording: Recording) -> Iterator[Scene]:
    """Replay a recording and show it, locked cells coloured by their pieces.

    With keys, one scene per tick (and one more before rows are cleared); with placements, one scene per
    piece, as it locks. The last scene is the end of the game.
    """
    rules, by_keys = recording.config.rules, recording.config.actions == "direct"
    start_level = int(recording.params.game.start_level)
    steps = moments(replay(recording).states)
    cells = np.full((rules.total_height, rules.width), EMPTY, np.int8)
    _check(rules, cells, steps[0])
    if by_keys:
        yield _scene(rules, steps[0], cells, start_level)
    for before, after, action in zip(steps, steps[1:], recording.actions, strict=False):
        if after.pieces > before.pieces:
            placed, kind = placed_cells(rules, before, after, hint=_hint(recording, before, int(action)))
            cells = cells.copy()
            for x, y in placed:
                cells[y, x] = kind
            full = tuple(int(row) for row in np.flatnonzero((cells != EMPTY).all(axis=1)))
            if full or not by_keys:
                shown = _scene(rules, after, cells, start_level)
                shown = replace(shown, piece=-1, active=(), ghost=(), game_over=False)  # the end comes next
                yield replace(shown, placed=placed, full_rows=full)
            cells = clear_rows(cells, full)
            _check(rules, cells, after)
        if by_keys:
            yield _scene(rules, after, cells, start_level)
    if not by_keys:
        yield _scene(rules, steps[-1], cells, start_level)


def numbers(scene: Scene) -> list[tuple[str, str]]:
    """Return the labels and numbers beside the board."""
    values = (
        ("SCORE", scene.score),
        ("LINES", scene.lines),
        ("LEVEL", scene.level),
        ("PIECES", scene.pieces),
    )
    return [(label, f"{value:,}") for label, value in values]


def upright(rules: Rules, kind: int) -> tuple[set[Cell], int, int]:
    """Return the cells of a piece as it enters, moved to (0, 0), with its width and height."""
    cells = piece_cells(rules, kind, 0, 0, 0)
    left, bottom = min(x for x, _ in cells), min(y for _, y in cells)
    moved = {(x - left, y - bottom) for x, y in cells}
    return moved, max(x for x, _ in moved) + 1, max(y for _, y in moved) + 1


def board_bits(rules: Rules, rows: Any) -> np.ndarray:
    """Unpack rows (uint32[H]) into bool[H, W]."""
    columns = np.arange(rules.width, dtype=np.uint32)
    return (np.asarray(rows, np.uint32)[:, None] >> columns & 1).astype(bool)


def clear_rows(cells: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
    """Take rows out; those above fall, empty ones enter on top."""
    kept = np.delete(cells, rows, axis=0)
    new = np.full((len(rows), cells.shape[1]), EMPTY, cells.dtype)
    return np.concatenate([kept, new])


def placed_cells(
    rules: Rules, before: Moment, after: Moment, *, hint: tuple[int, int] = (0, 0)
) -> tuple[tuple[Cell, ...], int]:
    """Find the cells that the lock between two states filled, and their kind.

    Without a clear they are the difference of the boards. With one, every resting place of the piece is
    tried for the board that followed; of several (their boards are alike, their colours may not be), the
    one nearest to `hint`, (orientation, box x), counts.
    """
    kind = before.piece
    if after.hold != before.hold:  # hold was used in the same step
        kind = before.hold if before.hold >= 0 else before.queue[0] if len(before.queue) else kind
    old, new = before.rows, after.rows
    if after.lines == before.lines:
        bits = board_bits(rules, [b & ~a for a, b in zip(old, new, strict=True)])
        return tuple((int(x), int(y)) for y, x in np.argwhere(bits)), kind
    poses = [(orientation, x) for orientation in range(4) for x in range(-3, rules.width)]
    for orientation, x in sorted(poses, key=lambda pose: (pose[0] != hint[0], abs(pose[1] - hint[1]))):
        piece = rules.tables.rows[kind, orientation].tolist()
        for y in range(-3, sum(map(bool, old)) + 1):
            if _gives(rules, old, new, piece, x, y):
                return piece_cells(rules, kind, orientation, x, y), kind
    raise ValueError(f"piece {before.pieces}: no place of {rules.pieces[kind].name} gives the next board")


def _gives(rules: Rules, old: list[int], new: list[int], piece: list[int], x: int, y: int) -> bool:
    """Whether a piece rests at (x, y) on board `old` and the clear leaves board `new`."""
    if not _fits(rules, old, piece, x, y) or _fits(rules, old, piece, x, y - 1):
        return False
    full, board = (1 << rules.width) - 1, list(old)
    for dy, row in enumerate(piece):
        if row:
            board[y + dy] |= row << x if x >= 0 else row >> -x
    kept = [row for row in board if row != full]
    return len(kept) < len(board) and kept + [0] * (len(board) - len(kept)) == new


def _fits(rules: Rules, board: list[int], piece: list[int], x: int, y: int) -> bool:
    for dy, row in enumerate(piece):
        if not row:
            continue
        moved = row << x if x >= 0 else row >> -x
        inside = moved < 1 << rules.width and moved.bit_count() == row.bit_count()
        if not inside or not 0 <= y + dy < len(board) or moved & board[y + dy]:
            return False
    return True


def _hint(recording: Recording, before: Moment, action: int) -> tuple[int, int]:
    """Where the action meant the piece to go: (orientation, box x), exactly so for placements."""
    if recording.config.actions == "direct":
        return before.orientation, before.x
    width = recording.config.rules.width
    orientation, left = divmod(action % (4 * width), width)
    return orientation, left - int(recording.config.rules.tables.left[before.piece, orientation])


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
    game_over: bool


def moments(states: State) -> list[Moment]:
    """Copy states with a leading time axis to the host."""
    columns = [np.asarray(getattr(states, name)).tolist() for name in Moment._fields]
    return [Moment(*values) for values in zip(*columns, strict=True)]


def _scene(rules: Rules, moment: Moment, cells: np.ndarray, start_level: int) -> Scene:
    fallen, piece = moment.y, rules.tables.rows[moment.piece, moment.orientation].tolist()
    while _fits(rules, moment.rows, piece, moment.x, fallen - 1):
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
        game_over=moment.game_over,
    )


def _check(rules: Rules, cells: np.ndarray, moment: Moment) -> None:
    """Refuse a coloured board whose occupancy is not the State's."""
    wrong = (cells != EMPTY) != board_bits(rules, moment.rows)
    if wrong.any():
        y, x = (int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(f"board after piece {moment.pieces}: colours and bits differ at column {x}, row {y}")
