"""A recording as frames: its scenes with locked cells coloured by their pieces, and what happened in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from tetrax.env.actions import KEY_ACTIONS
from tetrax.env.game.rules import Rules
from tetrax.env.record import Recording, Replay, replay
from tetrax.view.captions import Happening, is_highlight, read_happenings, tell
from tetrax.view.origins import Step, explain, first_board
from tetrax.view.scene import Scene, read_moments, show_moment


class Frame(NamedTuple):
    """One scene of a recording and how it came about."""

    scene: Scene
    step: int  # actions played so far; the last of them led here
    caption: str  # what it did, "" = nothing worth a word
    highlight: bool  # whether a player would want to find it again


def frames(game: Recording | Replay) -> Iterator[Frame]:
    """Show a recording frame by frame; one that is given as a replay is not played again.

    With keys, one frame per tick (and one more before rows are cleared); with placements, one frame per
    piece, as it locks. The last frame is the end of the game.
    """
    replayed = replay(game)
    config = replayed.recording.config
    rules, by_keys = config.rules, config.actions in KEY_ACTIONS
    start_level = int(replayed.recording.params.game.start_level)
    last = start = _show_start(replayed)
    if by_keys:
        yield Frame(start, 0, "", False)
    told = read_happenings(replayed.events)
    for step in explain(replayed):
        happening, over = told[step.index], step.after.game_over
        if over and not by_keys:
            happening = happening._replace(life_lost=False)  # that is the last frame's to say
        words, highlight = tell(rules, happening, step.kind, over=over), is_highlight(happening)
        last, played = show_moment(rules, step.after, step.cells, start_level), step.index + 1
        if step.placed and (step.full_rows or not by_keys):
            yield Frame(_show_lock(rules, step, start_level), played, words, highlight)
        if by_keys or happening.life_lost:
            yield Frame(last, played, words, highlight and not step.full_rows)
    if not by_keys:
        words = tell(rules, _only_loss(told[-1]), -1, over=True) if last.game_over else ""
        yield Frame(last, len(replayed.recording.actions), words, last.game_over)


def scenes(game: Recording | Replay) -> Iterator[Scene]:
    """Show a recording as the scenes of its frames."""
    return (frame.scene for frame in frames(game))


def scene_at(game: Recording | Replay, step: int = -1) -> Scene:
    """Show a recording after `step` actions; a negative number counts from the end, -1 being the last."""
    replayed = replay(game)
    length = len(replayed.recording.actions)
    if not isinstance(step, int) or not -length - 1 <= step <= length:
        raise ValueError(
            f"step: given {step!r}; allowed: {-length - 1} to {length}, the steps of the recording"
        )
    played = step if step >= 0 else length + 1 + step
    if played == 0:
        return _show_start(replayed)
    found = next(islice(explain(replayed), played - 1, None))
    recording = replayed.recording
    return show_moment(
        recording.config.rules, found.after, found.cells, int(recording.params.game.start_level)
    )


def _show_start(replayed: Replay) -> Scene:
    recording, start = replayed.recording, read_moments(replayed.states)[0]
    start_level = int(recording.params.game.start_level)
    rules = recording.config.rules
    return show_moment(rules, start, first_board(rules, start), start_level)


def _show_lock(rules: Rules, step: Step, start_level: int) -> Scene:
    """Show the moment of a lock: the piece where it came to rest, its full rows still there."""
    shown = show_moment(rules, step.after, step.locked, start_level)
    shown = replace(shown, piece=-1, active=(), ghost=(), game_over=False)  # the end comes next
    return replace(shown, placed=step.placed, full_rows=step.full_rows)


def _only_loss(happening: Happening) -> Happening:
    return happening._replace(locked=False, hold_refused=False, garbage_received=0)
