"""The data of the player in the browser: the frames of a recording, each as what changes from the one before."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tetrax.env.actions import KEY_ACTIONS
from tetrax.env.record import Recording
from tetrax.env.tetris import Tetris
from tetrax.view.cells import EMPTY, Cell, clear_rows, garbage_kind, raise_rows, shape_of
from tetrax.view.frames import Frame
from tetrax.view.layout import CELL, MARGIN, PANEL_WIDTH, SLOT, SMALL, lay_out
from tetrax.view.scene import ROWS_ABOVE, Scene, number_labels, numbers

FORMAT = "tetrax player"
VERSION = 1
PIECES_PER_SECOND = 4  # at normal speed, where a step is a piece; with keys it is the speed of the game
MANY_CELLS = 8  # more than a piece has: a change that large is worth looking for garbage that entered

Table = dict[Any, int]  # thing -> index, in order of appearance


def encode_frames(recording: Recording, shown: Iterable[Frame]) -> dict[str, Any]:
    """Return the frames of a recording as JSON can hold them.

    A frame is an object of what changed. Lasting: `active` ([kind, shape, x, y, rows to fall] or null), `hold`,
    `used`, `next`, `numbers` (text by index), `over`; `step` is one more than before unless given. Of this
    frame alone: `cut` (rows to take out), `rise` (empty rows to enter from below), `set` (lists of a kind and
    cells, a cell being y * columns + x), in this order; then `placed` (whether what was set has just locked),
    `full` (rows about to be cleared), `did` and `say` (the action and what it did, indices of `strings`) and
    `mark` (whether to be found again).
    """
    config = recording.config
    rules, names = config.rules, Tetris(config).action_names
    strings: Table = {}
    shapes: Table = {}
    pieces = [_find_shape(shapes, shape_of(rules, kind).cells).number for kind in range(rules.num_pieces)]
    frames: list[dict[str, Any]] = []
    before: Frame | None = None
    for frame in shown:
        did = names[int(recording.actions[frame.step - 1])] if frame.step else ""
        frames.append(_changes(before, frame, did, strings, shapes))
        before = frame
    sizes = {"cell": CELL, "small": SMALL, "margin": MARGIN, "slot": SLOT, "panel_width": PANEL_WIDTH}
    return {
        "format": FORMAT,
        "version": VERSION,
        "columns": rules.width,
        "rows": rules.height + ROWS_ABOVE,  # that are shown, of all_rows
        "all_rows": rules.total_height,
        "steps": len(recording.actions),
        "pace": rules.ticks_per_second if config.actions in KEY_ACTIONS else PIECES_PER_SECOND,
        "layout": dataclasses.asdict(lay_out(rules)) | sizes,
        "labels": number_labels(rules),
        "shapes": [[list(cell) for cell in shape] for shape in shapes],
        "pieces": pieces,  # the shape of each kind as it enters
        "strings": list(strings),
        "frames": frames,
    }


def encode_thought(thought: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what a policy held of a decision, for the page: `best`, names with scores; whether it was `played`.

    `lines` are there where it planned: each with the pieces in order, in brackets those that hold brings; `error`
    where it learns by the temporal-difference error of what was played.
    """
    error = {} if thought.get("td_error") is None else {"error": thought["td_error"]}
    planned = {"lines": [line_text(line) for line in thought["lines"]]} if "lines" in thought else {}
    return {
        "best": [[names[action], score] for action, score in thought["scores"]],
        "kind": thought["kind"],
        "did": thought["did"],
        "legal": thought["legal"],
        "value": thought.get("value"),
        "played": thought["played"],
        **error,
        **planned,
    }


def line_text(line: dict[str, Any]) -> str:
    """Return a planner's line in words: `planned.line_data` has it."""
    pieces = " ".join(f"({step['piece']})" if step["hold"] else step["piece"] for step in line["steps"])
    visits = f", {line['visits']:,} visits" if line["visits"] else ""
    return f"{pieces}: {line['worth']:.4g}{visits}"


def _changes(before: Frame | None, frame: Frame, did: str, strings: Table, shapes: Table) -> dict[str, Any]:
    """Return a frame as what changed since the one before (None = the first)."""
    scene, last = frame.scene, before.scene if before else None
    changes: dict[str, Any] = {}
    if frame.step != (before.step + 1 if before else 0):
        changes["step"] = frame.step
    changes |= _board_changes(last, scene)
    old, new = _tell_lasting(last, shapes) if last else {}, _tell_lasting(scene, shapes)
    changes |= {name: value for name, value in new.items() if name not in old or old[name] != value}
    shown, now = [value for _, value in numbers(last)] if last else [], [value for _, value in numbers(scene)]
    values = {str(index): value for index, value in enumerate(now) if not shown or shown[index] != value}
    alone = {
        "numbers": values,
        "placed": bool(scene.placed),
        "full": list(scene.full_rows),
        "mark": frame.highlight,
    }
    changes |= {name: value for name, value in alone.items() if value}
    for name, text in (("did", did), ("say", frame.caption)):
        if text:
            changes[name] = strings.setdefault(text, len(strings))
    return changes


def _board_changes(last: Scene | None, scene: Scene) -> dict[str, Any]:
    """Return `cut`, `rise` and `set`: rows that went, rows that came, and the cells that still differ."""
    changes: dict[str, Any] = {}
    cells = np.full_like(scene.cells, EMPTY)
    if last is not None:
        cells = clear_rows(last.cells, last.full_rows)
        if last.full_rows:
            changes["cut"] = list(last.full_rows)
    rows = _count_risen(cells, scene)
    if rows:
        changes["rise"] = rows
        cells = _raise_empty(cells, rows)
    by_kind: dict[int, list[int]] = {}
    for cell in np.flatnonzero(cells != scene.cells).tolist():
        by_kind.setdefault(int(scene.cells.flat[cell]), []).append(cell)
    if by_kind:
        changes["set"] = [[kind, *where] for kind, where in by_kind.items()]
    return changes


def _count_risen(cells: np.ndarray, scene: Scene) -> int:
    """Return by how many rows raising the board leaves the fewest cells to set."""
    is_garbage = (scene.cells == garbage_kind(scene.rules)).any(axis=1)
    most = len(is_garbage) if is_garbage.all() else int(is_garbage.argmin())  # rows of garbage at the floor
    different = [int((_raise_empty(cells, rows) != scene.cells).sum()) for rows in range(most + 1)]
    return int(np.argmin(different)) if different[0] > MANY_CELLS else 0


def _raise_empty(cells: np.ndarray, rows: int) -> np.ndarray:
    return raise_rows(cells, np.full((rows, cells.shape[1]), EMPTY, cells.dtype))


def _tell_lasting(scene: Scene, shapes: Table) -> dict[str, Any]:
    """Return what a scene shows until something else is said."""
    return {
        "active": _active(scene, shapes),
        "hold": scene.hold,
        "used": scene.hold_used,
        "next": list(scene.queue),
        "over": scene.game_over,
    }


def _active(scene: Scene, shapes: Table) -> list[int] | None:
    """Return the active piece as [kind, shape, x, y, rows to fall]; None when none is shown."""
    if not scene.active:
        return None
    shape = _find_shape(shapes, scene.active)
    fall = shape.bottom - min(row for _, row in scene.ghost) if scene.ghost else 0
    return [scene.piece, shape.number, shape.left, shape.bottom, fall]


class _PlacedShape(NamedTuple):
    """Where cells are: the number of their shape, and the column and the row of its lower left corner."""

    number: int
    left: int
    bottom: int


def _find_shape(shapes: Table, cells: Iterable[Cell]) -> _PlacedShape:
    """Find the shape of cells in the table, adding it if it is new."""
    cells = sorted(cells, key=lambda cell: (cell[1], cell[0]))  # row by row, as pieces list them
    left, bottom = min(x for x, _ in cells), min(y for _, y in cells)
    moved = tuple((x - left, y - bottom) for x, y in cells)
    return _PlacedShape(shapes.setdefault(moved, len(shapes)), left, bottom)
