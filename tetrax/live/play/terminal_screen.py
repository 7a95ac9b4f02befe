"""A terminal that is played in: keys come at once, only lines that changed are drawn, and all is put back."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tetrax.live.play import terminal_keys
from tetrax.live.play.terminal_keys import INTERRUPT, SUSPEND, KeyEvent

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[0m\x1b[?25h\x1b[?1049l"
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show no half-drawn frame
PATIENCE = 0.3  # seconds to wait for a terminal's answer
ESCAPE_WAIT = 0.03  # seconds in which the rest of a key's bytes follows
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Stopped(Exception):
    """Somebody wants this process to end."""


class Screen:
    """The terminal while it is played in."""

    def __init__(self, on_suspend: Callable[[], None]) -> None:
        self.on_suspend = on_suspend
        self.with_releases = False  # whether it tells when keys come up
        self.size_changed = True
        self.open = False
        self._descriptor = sys.stdin.fileno()
        self._as_it_was = termios.tcgetattr(self._descriptor)
        self._drawn: list[str] = []
        self._rest = b""

    def enter(self) -> None:
        """Take the terminal over."""
        tty.setcbreak(self._descriptor)
        self.open = True
        self._write(ENTER + terminal_keys.ASK)
        answer, until = b"", time.monotonic() + PATIENCE
        while not terminal_keys.ANSWERED.search(answer) and (left := until - time.monotonic()) > 0:
            if select.select([self._descriptor], [], [], left)[0]:
                answer += os.read(self._descriptor, 1024)
        self.with_releases = terminal_keys.HAS_PROTOCOL.search(answer) is not None
        if self.with_releases:
            self._write(terminal_keys.BEGIN)
        self._drawn = []

    def leave(self) -> None:
        """Put the terminal back as it was."""
        if self.open:
            self.open = False
            self._write((terminal_keys.END if self.with_releases else "") + LEAVE)
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._as_it_was)

    def read(self, seconds: float) -> list[KeyEvent]:
        """Wait for keys, at most so long; raise Stopped where the terminal is gone."""
        if not select.select([self._descriptor], [], [], max(0.0, seconds))[0]:
            return []
        data = self._rest + self._receive()
        if (
            terminal_keys.UNFINISHED.search(data)
            and select.select([self._descriptor], [], [], ESCAPE_WAIT)[0]
        ):
            data += self._receive()
        events, self._rest = terminal_keys.read_keys(data, with_releases=self.with_releases)
        for event in events:
            if event.kind != "release" and event.key == INTERRUPT:
                raise KeyboardInterrupt
            if event.kind != "release" and event.key == SUSPEND:
                self.suspend()
        return events

    def draw(self, lines: Sequence[str]) -> None:
        """Draw lines from the top; only those that changed are written."""
        rows = shutil.get_terminal_size().lines
        lines = [*lines[:rows], *[""] * (len(self._drawn) - len(lines))]
        changed = [
            f"\x1b[{number + 1};1H{line}\x1b[0m\x1b[K"
            for number, line in enumerate(lines)
            if number >= len(self._drawn) or self._drawn[number] != line
        ]
        self._drawn = list(lines)
        if changed:
            self._write("".join([BEGIN_FRAME, *changed, END_FRAME]))

    def forget(self) -> None:
        """Let the next drawing begin with an empty terminal."""
        self._drawn = []
        self._write("\x1b[2J")

    def suspend(self) -> None:
        """Stop as Ctrl-Z does, and take the terminal over again once this process goes on."""
        self.on_suspend()
        self.leave()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        self.enter()

    def ignore_signals(self) -> None:
        """Let nothing interrupt what is left to do: a terminal that is closed sends more than one signal."""
        for number in (*ENDING, signal.SIGTSTP):
            signal.signal(number, signal.SIG_IGN)

    def _receive(self) -> bytes:
        try:
            data = os.read(self._descriptor, 4096)
        except OSError:
            data = b""
        if not data:
            raise Stopped
        return data

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


@contextmanager
def taken_over(on_suspend: Callable[[], None]) -> Iterator[Screen]:
    """Take the terminal over within this block; whatever ends it, the terminal is put back.

    The first SIGTERM, SIGHUP or SIGINT raises Stopped here; those after it are ignored.
    """
    screen = Screen(on_suspend)

    def stop(signum: int, frame: FrameType | None) -> None:
        screen.ignore_signals()
        raise Stopped

    def resize(signum: int, frame: FrameType | None) -> None:
        screen.size_changed = True

    def suspend(signum: int, frame: FrameType | None) -> None:
        screen.suspend()

    handlers: dict[int, Any] = {
        **dict.fromkeys(ENDING, stop),
        signal.SIGWINCH: resize,
        signal.SIGTSTP: suspend,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        screen.enter()
        yield screen
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone
            screen.leave()
        for number, handler in before.items():
            signal.signal(number, handler)
