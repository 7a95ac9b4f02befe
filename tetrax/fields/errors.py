"""What a user did wrong, said in one line: the thing, what was given, what is allowed, the nearest name."""

from __future__ import annotations

import contextlib
import difflib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from types import TracebackType
from typing import NoReturn

from tetrax.fields.abbreviations import meant_by
from tetrax.fields.machine_errors import in_one_line

USER_ERROR_EXIT_CODE = 2
CLOSED_PIPE_EXIT_CODE = 128 + 13  # as shells say it of a program that SIGPIPE ended
STANDARD_OUTPUT = "standard output"  # names it, as a file, in the errors of writing to it


class UserError(Exception):
    """A mistake of the user's. Its text is one line; entries print it to stderr and exit with code 2."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


def stop_in_one_line() -> None:
    """Let Ctrl-C end this process in one line until `exit_code` runs: a command's own imports come before it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it otherwise
        signal.signal(signal.SIGINT, _stop)


def _stop(signum: int, frame: object) -> NoReturn:
    """End at once: an exception might be caught by whatever is being imported, or shown with its traceback."""
    with contextlib.suppress(OSError):  # nobody may be there to read it
        os.write(2, b"stopped before anything began\n")
    os._exit(128 + signum)


def fail_in_one_line() -> None:
    """Let what JAX says against the machine end this process in one line, where importing it already fails."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _fail


def _fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = in_one_line(error)
    if line is None:
        sys.__excepthook__(kind, error, trace)
        return
    print(f"error: {line}", file=sys.stderr)
    sys.exit(USER_ERROR_EXIT_CODE)


def exit_code(run: Callable[[list[str]], int], argv: Sequence[str] | None, when_stopped: str) -> int:
    """Run a command with its words (`sys.argv` when None); return its exit code.

    A user's mistake, a file that cannot be read or written, a device that is not there, or too little memory is one
    line on standard error and code 2; Ctrl-C is `when_stopped` and code 130. Whoever reads standard output may stop
    reading: then the code is 141, without a word.
    """
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run(list(sys.argv[1:] if argv is None else argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    except OSError as error:
        if isinstance(error, BrokenPipeError) and error.filename == STANDARD_OUTPUT:
            return CLOSED_PIPE_EXIT_CODE
        print(f"error: {in_words(error)}", file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    except (RuntimeError, AssertionError, MemoryError) as error:
        line = in_one_line(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    except KeyboardInterrupt:
        print(when_stopped, file=sys.stderr)
        return 128 + signal.SIGINT


def in_words(error: OSError) -> str:
    """Say which file an error of the system is about, and what it is: "run/config.json: Read-only file system".

    Of an error that is about no file, say where it came up: "Connection refused (in tetrax.train.machine.x.join)".
    """
    reason = error.strerror or str(error) or type(error).__name__
    said = f"{reason}{_place(error)}" if error.filename is None else f"{error.filename}: {reason}"
    return " ".join(said.split())


def _place(error: OSError) -> str:
    """Name the last function of ours, else the last of all, that an error went through; nothing if none is known."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    named = [f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}" for frame in frames]
    ours = [name for name in named if name.startswith("tetrax.") and name != f"{__name__}.exit_code"]
    return f" (in {(ours or named)[-1]})" if named else ""


def wrong(thing: str, given: object, allowed: str, names: Iterable[str] = ()) -> UserError:
    """Build the error for a wrong value; `names` are searched for one near to `given`."""
    return UserError(f"{thing}: given {given!r}; allowed: {allowed}{hint(given, names)}")


def wrong_name(thing: str, given: object, names: Iterable[str]) -> UserError:
    """Build the error for a name that is not one of `names`."""
    listed = sorted(names)
    return wrong(thing, given, ", ".join(listed) or "nothing", listed)


def hint(given: object, names: Iterable[str]) -> str:
    """Return the end of an error's line that names the nearest of some names; nothing where none is near."""
    suggestion = nearest(str(given), names)
    return f"; did you mean {suggestion!r}?" if suggestion else ""


def nearest(given: str, names: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the name most like `given`, or None where none is as much alike (1 = equal)."""
    by_lower_case = {name.lower(): name for name in names}
    matches = difflib.get_close_matches(given.lower(), by_lower_case, n=1, cutoff=likeness)
    return by_lower_case[matches[0]] if matches else None


def nearest_path(given: str, paths: Collection[str]) -> str | None:
    """Return the path that ends like `given`, or in what that is short for, or that is spelt like it.

    What it ends in counts before what it begins with, which many share; of paths that end alike, that with the
    beginning of `given` counts.
    """
    *owners, last = given.split(".")
    by_last = {
        path.split(".")[-1]: path for path in sorted(paths, key=lambda path: path.split(".")[:-1] == owners)
    }
    ends = last if last in by_last else None
    ends = ends or nearest(last, by_last, 0.8) or meant_by(last, by_last) or nearest(last, by_last, 0.7)
    return by_last[ends] if ends else nearest(given, paths, 0.85)


def install(extra: str) -> str:
    """Return the command that brings an extra: tetrax is installed from a checkout, and is on no index."""
    return f"pip install -e '.[{extra}]' in a checkout of tetrax"


def missing(package: str) -> str:
    """Say which extra brings a package that is not installed."""
    return f"{package} is not installed; it comes with: {install(package)}"
