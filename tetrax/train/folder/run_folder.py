"""The run folder: where everything is, who may write to it, and what was asked of the run over time.

config.json           the configuration as it is now
config_history.jsonl  one object per start of the run: when, from which step, what changed
metrics.jsonl         one object per chunk of training
tensorboard/          the same as events, if wanted
checkpoints/STEP/     everything that decides the future
policy/               the newest policy alone, ready to act
plots/                the learning curve; what a world model foresees, beside the truth
recordings/           the best game of the evaluation; some games of those while training
eval.json             the evaluation at the end, if wanted
watched.jsonl         the facts of each step of a game that somebody watches
alerts.jsonl          what somebody was called for
diverged/             where a number was none any more: the state before
control/              commands to the run, and what it does: see `mailbox`
finished.json         the step at which the run has finished; written last, when all of the above is there
"""

from __future__ import annotations

import datetime
import errno
import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import UserError, in_words
from tetrax.system import disk
from tetrax.train.folder import files

try:
    from fcntl import LOCK_EX, LOCK_NB, flock

    HAS_LOCKS = True
except ImportError:  # on Windows, which locks no folders
    HAS_LOCKS = False

# What file systems answer that cannot lock, or not a folder.
NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL, errno.EBADF}
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def history(self) -> Path:
        return self.root / "config_history.jsonl"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def policy(self) -> Path:
        return self.root / "policy"

    @property
    def evaluation(self) -> Path:
        return self.root / "eval.json"

    @property
    def finished(self) -> Path:
        return self.root / "finished.json"

    @property
    def learning_curve(self) -> Path:
        return self.root / "plots" / "learning_curve.png"

    @property
    def dream(self) -> Path:
        return self.root / "plots" / "dream.png"

    @property
    def watched(self) -> Path:
        return self.root / "watched.jsonl"

    @property
    def alerts(self) -> Path:
        return self.root / "alerts.jsonl"

    @property
    def diverged(self) -> Path:
        return self.root / "diverged"

    @property
    def wandb(self) -> Path:
        return self.root / "wandb"

    @property
    def recordings(self) -> Path:
        return self.root / "recordings"

    def final_evaluation(self) -> dict[str, Any] | None:
        """Return the content of eval.json; None before the evaluation at the end."""
        return _read_object(self.evaluation)

    def has_finished(self, step: int, *, evaluated: bool) -> bool:
        """Whether the run came to its end at this step, and all that it leaves is there: with eval.json, if asked."""
        evaluation, mark = self.final_evaluation() or {}, _read_object(self.finished)
        if evaluated or mark is None:  # before there was a mark, eval.json was written last
            return evaluation.get("step") == step
        return mark.get("step") == step


def _read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no file or another content."""
    try:
        document = disk.read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def create(root: Path) -> RunFolder:
    """Make a new run folder; refuse one that already holds something, or that cannot be made."""
    folder = RunFolder(root)
    with _refusing_what_fails(root):
        if root.exists() and not root.is_dir():
            raise UserError(f"--run-dir: given {root}, which is a file; allowed: a new or empty folder")
        if folder.config.exists():
            raise UserError(
                f"--run-dir: given {root}, which holds a run already; allowed: a new or empty folder, "
                f"or continue that run with --resume {root}"
            )
        if root.exists() and any(_is_somebodys(entry) for entry in root.iterdir()):
            raise UserError(f"--run-dir: given {root}, which is not empty; allowed: a new or empty folder")
        check_can_be_made(root)
        root.mkdir(parents=True, exist_ok=True)
    return folder


def check_can_be_made(root: Path) -> None:
    """Raise UserError where a run folder cannot be made or written to: make it, write in it, and take it away again.

    Only trying tells: permissions say nothing of read-only and full disks, nor anything to an administrator.
    """
    place = next((folder for folder in (root, *root.absolute().parents) if os.path.lexists(folder)), root)
    if os.path.lexists(place) and not place.is_dir():
        raise UserError(f"--run-dir: given {root}; allowed: a new or empty folder ({place} is a file)")
    made: list[Path] = []
    try:
        with _refusing_what_fails(root):
            made = [folder for folder in (root, *root.parents) if not folder.exists()]
            root.mkdir(parents=True, exist_ok=True)
            disk.try_writing_in(root)
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def _refusing_what_fails(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"--run-dir: given {root}, which cannot be written ({in_words(error)}); allowed: a new or empty folder"
        ) from None


def _is_somebodys(entry: Path) -> bool:
    return not (entry.name.startswith(files.TEMPORARY) or files.is_foreign(entry))


def open_existing(root: Path) -> RunFolder:
    """Open the folder of a run that was started before."""
    folder = RunFolder(root)
    if root.exists() and not root.is_dir():
        near = f"; did you mean {root.parent}?" if RunFolder(root.parent).config.is_file() else ""
        raise UserError(f"--resume: given {root}, which is a file; allowed: the folder of a run{near}")
    if not root.is_dir():
        raise UserError(f"--resume: given {root}, which does not exist; allowed: the folder of a run")
    if not folder.config.is_file():
        raise UserError(f"--resume: given {root}, which has no config.json; allowed: the folder of a run")
    return folder


@contextmanager
def lock(folder: RunFolder) -> Iterator[tuple[str, ...]]:
    """Keep every other process from training in this folder; the system lets go even after a SIGKILL.

    Gives what the user should know of a file system that cannot lock, or cannot write a folder for good.
    """
    notices = []
    with disk.naming(folder.root):
        syncs_folders = disk.sync_folder(folder.root)
    if not syncs_folders:
        notices.append(
            f"the file system of {folder.root} cannot be told to write a folder (fsync): "
            "a loss of power may cost the newest checkpoint"
        )
    unlocked = f"the file system of {folder.root} has no locks: let no other process train in this folder"
    if not HAS_LOCKS:
        yield (*notices, unlocked)
        return
    descriptor = os.open(folder.root, os.O_RDONLY)
    try:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--resume: given {folder.root}, which another process is training in; "
                "allowed: a run that nothing else writes to"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                error.filename = str(folder.root)
                raise
            notices.append(unlocked)
        yield tuple(notices)
    finally:
        os.close(descriptor)


def check_writable(folder: RunFolder) -> None:
    """Raise OSError, naming it, if a folder of this run that is there cannot be written to; leave all as it is."""
    for place in (folder.root, folder.checkpoints, folder.recordings, folder.learning_curve.parent):
        if place.is_dir():
            disk.try_writing_in(place)
    for file in (folder.config, folder.metrics):
        disk.try_writing(file)


def record_start(folder: RunFolder, step: int, changes: Mapping[str, tuple[Any, Any]]) -> None:
    """Add to the history that the run was started or resumed at `step`, and what changed in its config."""
    _record(folder, step, changes, {"command": sys.argv})


def record_change(folder: RunFolder, step: int, changes: Mapping[str, tuple[Any, Any]], command: str) -> None:
    """Add to the history what a command to the run has changed at `step`."""
    _record(folder, step, changes, {"control": command})


def _record(
    folder: RunFolder, step: int, changes: Mapping[str, tuple[Any, Any]], how: Mapping[str, Any]
) -> None:
    entry = {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "step": step,
        "changes": {name: {"from": old, "to": new} for name, (old, new) in changes.items()},
        "versions": versions(),
        **how,
    }
    # A line that a full disk cut off must not spoil this one; so it is written in one go, on a line of its own.
    with disk.naming(folder.history), folder.history.open("a+b", buffering=0) as file:
        cut_off = file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
        disk.write_all(file, ("\n" if cut_off else "") + json.dumps(entry) + "\n")


def versions() -> dict[str, str]:
    """Return the versions of the libraries that results may depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def differences(old: Any, new: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Return what differs between two JSON documents: {"agent.num_envs": (512, 256)}; None = not there."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return {} if old == new and type(old) is type(new) else {path: (old, new)}
    found: dict[str, tuple[Any, Any]] = {}
    for name in {**old, **new}:
        found |= differences(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    return found
