"""Writes that a kill at any moment leaves either whole or not there at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp-"  # first letters of a name that no reader looks at


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to (a file or a folder) and move it to `path` once it is on disk."""
    temporary = path.with_name(TEMPORARY + path.name)
    discard(temporary)
    try:
        yield temporary
        _sync_all(temporary)
        # Renaming replaces a file, but of folders only empty ones.
        replaced = _set_aside(path) if path.is_dir() else None
        os.replace(temporary, path)
        sync_folder(path.parent)
        if replaced is not None:
            discard(replaced)
    finally:
        discard(temporary)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document atomically, for people to read."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def discard(path: Path) -> None:
    """Remove a file or a folder, if it is there; a folder is renamed first, so that no half of it is seen."""
    if path.is_dir():
        shutil.rmtree(path if path.name.startswith(TEMPORARY) else _set_aside(path))
    else:
        path.unlink(missing_ok=True)


def discard_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written in `folder`."""
    for leftover in folder.glob(TEMPORARY + "*"):
        discard(leftover)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(path: Path) -> None:
    if path.is_dir():
        for entry in path.iterdir():
            _sync_all(entry)
        sync_folder(path)
    else:
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _set_aside(folder: Path) -> Path:
    aside = folder.with_name(f"{TEMPORARY}{folder.name}-old")
    discard(aside)
    return folder.rename(aside)
