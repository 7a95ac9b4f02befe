"""The files of a run: text and JSON, whole or not there at all, and what a killed process left of them."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

from tetrax.system.disk import ASIDE as ASIDE
from tetrax.system.disk import TEMPORARY as TEMPORARY
from tetrax.system.disk import discard as discard
from tetrax.system.disk import replacing as replacing

# What file managers, network file systems and fresh disks put into any folder.
FOREIGN = (
    ".DS_Store", "._*", ".localized", ".Spotlight-V100", ".Trash*", ".fseventsd", "Thumbs.db", "desktop.ini",
    ".directory", ".nfs*", ".fuse_hidden*", ".snapshot", "@eaDir", "lost+found",
)  # fmt: skip


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document atomically, for people to read."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def is_foreign(path: Path) -> bool:
    """Whether a file or folder is none of ours or the user's, but what a system leaves by itself."""
    return any(fnmatch.fnmatchcase(path.name, pattern) for pattern in FOREIGN)


def discard_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written in `folder`."""
    for leftover in folder.glob(TEMPORARY + "*"):
        discard(leftover)
