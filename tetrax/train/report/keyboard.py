"""Keys of the live view: each is a command to the run, sent as other terminals send theirs."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tetrax.train.folder import mailbox

try:
    import termios
    import tty

    HAS_TERMINALS = True
except ImportError:  # on Windows
    HAS_TERMINALS = False

LOOK_AGAIN_SECONDS = 0.2
COMMANDS = {"s": "save", "e": "eval", "q": "stop", "r": "reload"}
PAUSE, BRANCH, PROMPT, ESCAPE = "p", "b", ":", "\x1b"
ENTER, BACKSPACE, ERASE_LINE = "\r\n", "\x7f\b", "\x15"
HINT = "p pause · s save · e eval · b branch · q stop · : more"
LONGEST = 200  # letters of a command that is typed

Send = Callable[[str, tuple[str, ...]], None]


class Keyboard:
    """Turns keys into commands; what is typed after a colon is one in words, such as `set agent.learning_rate x0.5`.

    A branch needs a name, and its key begins such a command.
    """

    def __init__(self, send: Send, refuse: Callable[[str], None], is_paused: Callable[[], bool]) -> None:
        self._send, self._refuse, self._is_paused = send, refuse, is_paused
        self._typed: str | None = None  # after the colon; None: no command is being typed

    @property
    def line(self) -> str:
        """Return the line to show: what is being typed, or which keys there are."""
        if self._typed is not None:
            return f":{self._typed}▏ enter sends, escape leaves"
        return HINT.replace("pause", "go on") if self._is_paused() else HINT

    def press(self, keys: str) -> None:
        """Take what was read at once: some keys, or the several letters that a terminal sends for one."""
        if keys.startswith(ESCAPE):
            self._typed = None
            return
        for key in keys:
            self._press(key)

    def _press(self, key: str) -> None:
        if self._typed is not None:
            self._type(key)
        elif key == PROMPT:
            self._typed = ""
        elif key == BRANCH:
            self._typed = "branch "  # and the folder
        elif key == PAUSE:
            self._send("resume" if self._is_paused() else "pause", ())
        elif key in COMMANDS:
            self._send(COMMANDS[key], ())

    def _type(self, key: str) -> None:
        assert self._typed is not None
        if key in ENTER:
            words, self._typed = self._typed.split(), None
            if words:
                self._command(words[0], tuple(words[1:]))
        elif key in BACKSPACE:
            self._typed = self._typed[:-1] if self._typed else None
        elif key == ERASE_LINE:
            self._typed = ""
        elif key.isprintable() and len(self._typed) < LONGEST:
            self._typed += key

    def _command(self, name: str, arguments: tuple[str, ...]) -> None:
        try:
            mailbox.check(name, arguments, None)
        except ValueError as error:
            self._refuse(str(error))
            return
        self._send(name, arguments)


@contextmanager
def reading(press: Callable[[str], None]) -> Iterator[Callable[[], None] | None]:
    """Read keys in this block as they are pressed, in a thread of its own; give what leaves the terminal as it was.

    None where standard input is no terminal, or somebody else's now: then nothing is read. Ctrl-C stays what it is.
    """
    descriptor = _terminal()
    if descriptor is None:
        yield None
        return
    before = termios.tcgetattr(descriptor)

    def restore() -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    over = threading.Event()
    tty.setcbreak(descriptor, termios.TCSADRAIN)
    reader = threading.Thread(target=_read, args=(descriptor, press, over), daemon=True)
    reader.start()
    try:
        yield restore
    finally:
        over.set()
        reader.join(2 * LOOK_AGAIN_SECONDS)
        restore()


def _terminal() -> int | None:
    """Return the descriptor of standard input where it is a terminal that is ours to read from."""
    if not HAS_TERMINALS:
        return None
    try:
        descriptor = sys.stdin.fileno()
        is_ours = os.isatty(descriptor) and _is_in_front(descriptor)
    except (AttributeError, ValueError, OSError):  # closed, or replaced by what has no descriptor
        return None
    return descriptor if is_ours else None


def _is_in_front(descriptor: int) -> bool:
    """Return whether this process is the terminal's foreground job; others are stopped where they read from it."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def _read(descriptor: int, press: Callable[[str], None], over: threading.Event) -> None:
    while not over.is_set():
        if not _is_in_front(descriptor):
            over.wait(LOOK_AGAIN_SECONDS)
            continue
        try:
            readable, _, _ = select.select([descriptor], [], [], LOOK_AGAIN_SECONDS)
            if not readable or over.is_set():
                continue
            data = os.read(descriptor, 1024)
        except (OSError, ValueError):
            return
        if not data:
            return
        press(data.decode("utf-8", "ignore"))
