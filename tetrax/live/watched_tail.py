"""The watched game of a run: what is added to its watched.jsonl, from near its end on.

Its lines come in bursts. The first says the rules and the names of the actions, and so does the first after the rules
have changed; a file that has grown long is replaced by another one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from tetrax.live import safe_reading

WATCHED = "watched.jsonl"
HEAD = 2**20  # bytes in which the first line is
SHOWN_AT_ONCE = 2**18  # bytes before the end from which on steps are shown
MOST_READ = 2**22  # bytes of one reading: what falls behind further is passed over


class WatchedTail:
    """A reader of one run's watched game."""

    def __init__(self, run: Path) -> None:
        self._run, self._path = run, run / WATCHED
        self._file: tuple[int, int] | None = None
        self._offset = 0

    def read_on(self) -> dict[str, Any] | None:
        """Return `lines`, the steps and rules that are new, and whether they are `fresh`: of another file.

        None where nothing is new. OSError for what cannot be read; a file that is not there yet has nothing new.
        """
        try:
            file = safe_reading.open_file(self._run, self._path)
        except FileNotFoundError:
            return None
        with file:
            status = os.fstat(file.fileno())
            fresh = self._file != (status.st_dev, status.st_ino) or status.st_size < self._offset
            lines: list[bytes] = []
            if fresh:
                self._file, self._offset = (status.st_dev, status.st_ino), 0
                first = file.readline(HEAD)
                if not first.endswith(b"\n"):
                    self._file = None  # it is being written, or is none of ours
                    return None
                lines, self._offset = [first], len(first)
            most = SHOWN_AT_ONCE if fresh else MOST_READ
            lines += self._new_lines(file, status.st_size, most)
        told = safe_reading.objects(lines)
        return {"fresh": fresh, "lines": told} if told else None

    def _new_lines(self, file: BinaryIO, size: int, most: int) -> list[bytes]:
        """Return the whole lines that were added, the last `most` bytes of them."""
        skipped = size - self._offset > most
        self._offset = max(self._offset, size - most)
        file.seek(self._offset)
        content = file.read(most)
        whole = content.rfind(b"\n") + 1
        self._offset += whole
        lines = content[:whole].split(b"\n")[:-1]
        return lines[1:] if skipped else lines
