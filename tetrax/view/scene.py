"""One moment of a game as a picture needs it: plain host values, no arrays on a device.

`scene` shows one State, whose locked cells are of unknown kind; `frames` shows a whole recording and
`scene_at` one step of it, locked cells coloured by their pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from tetrax.env.actions import KEY_ACTIONS
from tetrax.env.game.rules import LINES_PER_LEVEL, Rules
from tetrax.env.game.state import State
from tetrax.env.record import Recording, Replay, replay
from tetrax.view.coloured import (
    Cell,
    Moment,
    Step,
    first_board,
    fits,
    follow,
    moment,
    moments,
    piece_cells,
    uncoloured,
)
from tetrax.view.words import Happening, describe, happenings, is_highlight

ROWS_ABOVE = 2  # rows of the buffer shown above the matrix: where pieces enter


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


class Frame(NamedTuple):
    """One scene of a recording and how it came about."""

    scene: Scene
    step: int  # actions played so far; the last of them led here
    words: str  # what it did, "" = nothing worth a word
    highlight: bool  # whether a player would want to find it again


def scene(rules: Rules, state: State, *, start_level: int = 1) -> Scene:
    """Show one State (a single board, not a batch); its locked cells are of unknown kind, or garbage."""
    if np.shape(state.rows) != (rules.total_height,):
        raise ValueError(
            f"state.rows: given shape {np.shape(state.rows)}; allowed: ({rules.total_height},), one board"
        )
    return _scene(rules, moment(state), uncoloured(rules, state), start_level)


def scenes(recording: Recording) -> Iterator[Scene]:
    """Replay a recording and show it, locked cells coloured by their pieces.

    With keys, one scene per tick (and one more before rows are cleared); with placements, one scene per
    piece, as it locks. The last scene is the end of the game.
    """
    return (frame.scene for frame in frames(recording))


def frames(recording: Recording) -> Iterator[Frame]:
    """Yield the scenes of `scenes`, each with its step and what happened in it."""
    rules, by_keys = recording.config.rules, recording.config.actions in KEY_ACTIONS
    start_level = int(recording.params.game.start_level)
    replayed = replay(recording)
    last = start = _first_scene(recording, replayed)
    if by_keys:
        yield Frame(start, 0, "", False)
    told = happenings(replayed.events)
    for step in follow(recording, replayed):
        happening, over = told[step.index], step.after.game_over
        if over and not by_keys:
            happening = happening._replace(life_lost=False)  # that is the last scene's to say
        words, highlight = describe(rules, happening, step.kind, over=over), is_highlight(happening)
        last, played = _scene(rules, step.after, step.cells, start_level), step.index + 1
        if step.placed and (step.full_rows or not by_keys):
            yield Frame(_locking(rules, step, start_level), played, words, highlight)
        if by_keys or happening.life_lost:
            yield Frame(last, played, words, highlight and not step.full_rows)
    if not by_keys:
        words = describe(rules, _only_loss(told[-1]), -1, over=True) if last.game_over else ""
        yield Frame(last, len(recording.actions), words, last.game_over)


def scene_at(recording: Recording, step: int = -1) -> Scene:
    """Show a recording after `step` actions; a negative number counts from the end, -1 being the last."""
    length = len(recording.actions)
    if not -length - 1 <= step <= length:
        raise ValueError(
            f"step: given {step}; allowed: {-length - 1} to {length}, the steps of the recording"
        )
    played = step if step >= 0 else length + 1 + step
    replayed = replay(recording)
    if played == 0:
        return _first_scene(recording, replayed)
    found = next(islice(follow(recording, replayed), played - 1, None))
    return _scene(recording.config.rules, found.after, found.cells, int(recording.params.game.start_level))


def numbers(scene: Scene) -> list[tuple[str, str]]:
    """Return the labels and numbers beside the board."""
    values = [
        ("SCORE", scene.score),
        ("LINES", scene.lines),
        ("LEVEL", scene.level),
        ("PIECES", scene.pieces),
    ]
    if scene.rules.lives > 1:
        values.append(("LIVES", scene.lives))
    return [(label, f"{value:,}") for label, value in values]


def upright(rules: Rules, kind: int) -> tuple[set[Cell], int, int]:
    """Return the cells of a piece as it enters, moved to (0, 0), with its width and height."""
    cells = piece_cells(rules, kind, 0, 0, 0)
    left, bottom = min(x for x, _ in cells), min(y for _, y in cells)
    moved = {(x - left, y - bottom) for x, y in cells}
    return moved, max(x for x, _ in moved) + 1, max(y for _, y in moved) + 1


def _first_scene(recording: Recording, replayed: Replay) -> Scene:
    start, rules = moments(replayed.states)[0], recording.config.rules
    return _scene(rules, start, first_board(recording, replayed), int(recording.params.game.start_level))


def _locking(rules: Rules, step: Step, start_level: int) -> Scene:
    """Show the moment of a lock: the piece where it came to rest, its full rows still there."""
    shown = _scene(rules, step.after, step.locked, start_level)
    shown = replace(shown, piece=-1, active=(), ghost=(), game_over=False)  # the end comes next
    return replace(shown, placed=step.placed, full_rows=step.full_rows)


def _only_loss(happening: Happening) -> Happening:
    return happening._replace(locked=False, hold_refused=False, garbage_received=0)


def _scene(rules: Rules, moment: Moment, cells: np.ndarray, start_level: int) -> Scene:
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


SCENES: dict[str, Callable[[Any, Any], Scene]] = {"tetris": lambda env, state: scene(env.rules, state)}
"""Games that have pictures, by `Spec.name`: (environment, one state) -> what a frame shows."""


def scene_of(env: Any, state: Any) -> Scene | None:
    """Show one state of any game; None where the game has no pictures."""
    return SCENES[env.spec.name](env, state) if has_pictures(env) else None


def has_pictures(env: Any) -> bool:
    """Tell whether a game can be shown, and so recorded."""
    return env.spec.name in SCENES
