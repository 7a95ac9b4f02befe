"""Ctrl-C, SIGTERM, the end of the terminal: the first has the run stop at the next boundary, the second at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(BaseException):
    """The user asked to stop where nothing would be lost by stopping at once."""


class StopRequest:
    """Whether the user asked to stop, and with which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._immediate = self._interrupted = False

    @property
    def notice(self) -> str:
        """Say what the first signal does, as things stand."""
        when = "Stopping" if self._immediate or self._interrupted else "Stopping after this chunk"
        return f"{when}; once more to quit at once."

    @property
    def exit_code(self) -> int:
        """Return the exit code that shells expect of a program ended by the signal: 130 for Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise `Interrupted` inside this block instead of waiting for a boundary."""
        self._immediate = True
        try:
            if self.signal is not None:
                self._interrupted = True
                raise Interrupted
            yield
        finally:
            self._immediate = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """Run in the main thread, once it is back from compiled code."""
        self.signal = self.signal or signum
        if self._immediate:
            self._interrupted = True
            raise Interrupted


@contextmanager
def catching_signals(on_first: Callable[[str], None], on_second: Callable[[], None]) -> Iterator[StopRequest]:
    """Watch for signals inside this block.

    Python runs signal handlers only between its own instructions, so a program that waits for a compiled
    chunk would not react to the user for seconds. The system's handler, however, writes each signal to the
    wake-up descriptor at once; a thread reads there, says so (`on_first`, with words for people), and at the
    second tidies up (`on_second`) and ends the process.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may have signals; elsewhere the caller has to stop us
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def watch() -> None:
        asked_before = False
        while received := reader.recv(1):
            if received[0] not in SIGNALS:
                continue
            if asked_before:
                on_second()
                os._exit(128 + received[0])
            asked_before = True
            request.signal = request.signal or received[0]  # the handler may have been quicker
            on_first(request.notice)

    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    # nohup has the end of the terminal ignored, and so it stays.
    hangup = getattr(signal, "SIGHUP", None)
    watched = [number for number in SIGNALS if number != hangup or signal.getsignal(number) != signal.SIG_IGN]
    previous_handlers = {number: signal.signal(number, request.handle) for number in watched}
    previous_descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield request
    finally:
        signal.set_wakeup_fd(previous_descriptor)
        for number, handler in previous_handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: not set by Python
        writer.close()
        watcher.join()
        reader.close()
