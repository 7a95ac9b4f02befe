"""Reading files of runs that others write, or have written: bounded, regular, and none that leads out of its run."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

LARGEST_DOCUMENT = 4 * 2**20  # bytes of a JSON file


class Mark(NamedTuple):
    """What tells whether a file is the one that was read."""

    device: int
    inode: int
    size: int
    changed: int  # nanoseconds


def mark(path: Path) -> Mark | None:
    """Return the mark of a file or folder; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return None
    return Mark(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def open_file(run: Path, path: Path) -> BinaryIO:
    """Open a file of a run to read it; OSError for what is no regular file, and for a link that leads elsewhere.

    Runs may come from anybody, and what a page shows leaves this machine.
    """
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(run)):
        raise OSError(errno.EPERM, "leads out of its run", str(path))
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def is_small_file(run: Path, path: Path) -> bool:
    """Return whether there is a regular file of a run that is no larger than a document."""
    try:
        with open_file(run, path) as file:
            return os.fstat(file.fileno()).st_size <= LARGEST_DOCUMENT
    except (OSError, ValueError):
        return False


def read_object(run: Path, path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a run; OSError for what cannot be read, ValueError for anything else."""
    with open_file(run, path) as file:
        content = file.read(LARGEST_DOCUMENT + 1)
    if len(content) > LARGEST_DOCUMENT:
        raise ValueError(f"{path.name}: more than {LARGEST_DOCUMENT:,} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError(f"{path.name}: no JSON") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path.name}: no JSON object")
    return document


def read_tail(run: Path, path: Path, size: int) -> list[bytes]:
    """Return the last whole lines of a file, of `size` bytes at most; OSError for what cannot be read."""
    with open_file(run, path) as file:
        end = file.seek(0, os.SEEK_END)
        begin = file.seek(max(0, end - size))
        lines = file.read(size).split(b"\n")
    return lines[1 if begin else 0 : -1]


def objects(lines: list[bytes]) -> list[dict[str, Any]]:
    """Return the JSON objects among some lines; what is none is left out."""
    found = []
    for line in lines:
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            found.append(document)
    return found
