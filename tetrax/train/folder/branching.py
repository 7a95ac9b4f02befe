"""A branch of a run: another folder that begins at its newest checkpoint."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tetrax.fields.errors import UserError, in_words, wrong
from tetrax.system import disk
from tetrax.train.folder import checkpoint, run_folder
from tetrax.train.folder.run_folder import RunFolder

NEW = "NEW_DIR"  # what a branch takes


def begin(folder: RunFolder, new: Path) -> int:
    """Start a run folder from the newest checkpoint of a run; return its step.

    UserError where there is nothing to start from, or something in the new folder already, or it cannot be written.
    """
    is_there = os.path.lexists(new)
    try:
        made = run_folder.create(new)
    except UserError as error:
        raise UserError(str(error).replace("--run-dir", NEW, 1)) from None
    saved = checkpoint.newest(folder.checkpoints, lambda text: None)
    if saved is None:
        if not is_there:
            new.rmdir()
        raise wrong("branch", str(folder.root), "a run that has saved a checkpoint")
    try:
        _copy(folder, saved.path, made)
    except OSError as error:
        raise UserError(f"{NEW}: given {new}, which cannot be written ({in_words(error)})") from None
    return saved.step


def _copy(folder: RunFolder, saved: Path, made: RunFolder) -> None:
    """Copy the configuration last: a folder without it is no run, and what a kill leaves can be thrown away."""
    with disk.replacing(made.checkpoints) as copy:
        shutil.copytree(saved, copy / saved.name)
    for source, target in (
        (folder.history, made.history),
        (folder.metrics, made.metrics),
        (folder.config, made.config),
    ):
        if source.is_file():
            disk.write_whole(target, source.read_bytes())
