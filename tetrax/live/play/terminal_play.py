"""Playing in a terminal: the loop of keys, ticks and drawings."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping

from tetrax.live.play import key_bindings as meant
from tetrax.live.play import terminal_view
from tetrax.live.play.match import RUNNING, Match
from tetrax.live.play.modes import Result
from tetrax.live.play.pacing import Pace
from tetrax.live.play.seats import Seat, Setting
from tetrax.live.play.terminal_keys import KeyEvent
from tetrax.live.play.terminal_screen import Screen, Stopped, taken_over

IDLE = 0.25  # seconds between looks at a game that does not run
TICKS_OF_CLOCK = 6  # after which its tenths are drawn anew


def play(
    setting: Setting, bindings: Mapping[str, str], on_end: Callable[[Seat, Result], object], *, colour: bool
) -> None:
    """Play until the player ends it, by a key, Ctrl-C, a signal, or by closing the terminal."""
    match = Match(setting, on_end)
    pace = Pace(setting.board.rules.ticks_per_second, time.monotonic())
    try:
        with taken_over(on_suspend=match.pause) as screen:
            try:
                _loop(match, pace, screen, bindings, colour)
            finally:
                screen.ignore_signals()
                match.end()  # which saves the game
    except (Stopped, KeyboardInterrupt):
        pass


def _loop(match: Match, pace: Pace, screen: Screen, bindings: Mapping[str, str], colour: bool) -> None:
    drawn, is_running = -1, False
    while True:
        if screen.size_changed:
            screen.size_changed, drawn = False, -1
            screen.forget()
            if not terminal_view.fits(match, shutil.get_terminal_size()):
                match.pause()  # nobody sees it
        now = time.monotonic()
        if (match.phase == RUNNING) != is_running:
            is_running = match.phase == RUNNING
            pace.restart(now)
        for event in screen.read(pace.deadline - now if is_running else IDLE if drawn >= 0 else 0):
            meaning = bindings.get(event.key)
            if meaning == meant.QUIT and event.kind != "release":
                return
            if meaning is not None:
                _obey(match, pace, event, meaning)
        if is_running and match.phase == RUNNING:
            for _ in range(pace.take_due(time.monotonic())):
                match.advance()
        else:
            match.refresh()
        shows_time = is_running and match.person.session.ticks % TICKS_OF_CLOCK == 0
        if drawn != match.changes or shows_time:
            drawn = match.changes
            size = shutil.get_terminal_size()
            screen.draw(
                terminal_view.draw(
                    match,
                    bindings,
                    (size.columns, size.lines),
                    colour=colour,
                    with_releases=screen.with_releases,
                )
            )


def _obey(match: Match, pace: Pace, event: KeyEvent, meaning: str) -> None:
    """Do what a key is for; a key of the game is played at once if the clock allows it."""
    if event.kind == "release":
        match.release(meaning)
        return
    if event.kind == "repeat":  # of the keyboard; ours is better
        return
    was_running = match.phase == RUNNING
    if event.kind == "tap":
        match.tap(meaning)
    else:
        match.press(meaning)
    if was_running and meaning in meant.GAME_KEYS and match.wants_keys and pace.take_early(time.monotonic()):
        match.advance()
