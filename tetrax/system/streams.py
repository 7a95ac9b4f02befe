"""Standard output and error that no command dies of: what cannot be written is dropped, what has no letter replaced."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tetrax.fields.errors import STANDARD_OUTPUT


class Output(io.FileIO):
    """A file descriptor whose first failure is remembered; from then on, what is written to it goes nowhere."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of it, and wait for a descriptor that another program has made non-blocking."""
        left = memoryview(data).cast("B")
        size = len(left)
        while self.failure is None and left:
            try:
                written = super().write(left)
                if written is None:
                    select.select([], [self.fileno()], [])
                left = left[written or 0 :]
            except OSError as error:
                self.failure = error
        return size


def fill_closed() -> None:
    """Let standard streams that were closed before this process began lead nowhere.

    Otherwise the next file that is opened takes their number, and gets what libraries print.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                _reserve(descriptor)
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


@contextmanager
def forgiving() -> Iterator[None]:
    """Inside this block, let nothing that is printed raise: a closed pipe, a full disk, a letter the encoding lacks.

    Streams that somebody has put in the place of Python's own are left alone.
    """
    originals = sys.stdout, sys.stderr
    fill_closed()
    sys.stdout = _forgive(sys.stdout, sys.__stdout__, "replace")
    sys.stderr = _forgive(sys.stderr, sys.__stderr__, "backslashreplace")
    try:
        yield
    finally:
        for now, original in zip((sys.stdout, sys.stderr), originals, strict=True):
            if now is not original:
                now.flush()
        sys.stdout, sys.stderr = originals


def deliver() -> None:
    """Raise the OSError that standard output has met, if any: for a command whose result is what it prints."""
    sys.stdout.flush()
    output = _raw(sys.stdout)
    if isinstance(output, Output) and output.failure is not None:
        raise OSError(output.failure.errno, output.failure.strerror, STANDARD_OUTPUT)


def _forgive(stream: Any, own: Any, errors: str) -> Any:
    """Return a stream to the same place that does not raise."""
    if stream is not own or not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = _raw(stream)
    if type(raw) is not io.FileIO:  # the console of Windows, or one that forgives already
        stream.reconfigure(errors=errors)
        return stream
    with contextlib.suppress(OSError):
        stream.flush()
    output = Output(raw.fileno(), "wb", closefd=False)
    unbuffered = raw is stream.buffer  # by python -u
    return io.TextIOWrapper(
        output if unbuffered else io.BufferedWriter(output),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _raw(stream: Any) -> Any:
    """Return what a stream of text writes its bytes to in the end, None where it has no bytes."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def _reserve(descriptor: int) -> None:
    """Open a descriptor on nothing, if it is closed."""
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
