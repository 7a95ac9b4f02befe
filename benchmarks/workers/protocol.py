"""How a benchmark talks to the process of a contestant: one JSON object a line, marked, on stdout.

A contestant says that it is ready, then plays whenever it is asked to, and waits in between without using
the CPU. So all of them can be compiled once and take turns.
"""

import json
import platform
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

from benchmarks.workers.stopwatch import Learned, Played

MARK = "@contestant "  # first letters of the lines that are meant; libraries print others


def serve(about: dict[str, Any], play: Callable[[float], Played | Learned]) -> None:
    """Say that this contestant is ready, then answer each line with a number of seconds by what was done."""
    say({**about, "python": platform.python_version()})
    for line in sys.stdin:
        say(play(float(line))._asdict())


def say(document: dict[str, Any]) -> None:
    """Print one object."""
    print(MARK + json.dumps(document), flush=True)


def read(line: str) -> dict[str, Any] | None:
    """Return the object of a line, or None where the line is not meant."""
    return json.loads(line[len(MARK) :]) if line.startswith(MARK) else None


def find_versions(*names: str) -> dict[str, str]:
    """Return the versions of installed packages."""
    return {name: metadata.version(name) for name in names}
