"""The run folder: where everything is, who may write to it, and what was asked of the run over time.

config.json           the configuration as it is now
config_history.jsonl  one object per start of the run: when, from which step, what changed
metrics.jsonl         one object per chunk of training
tensorboard/          the same as events, if wanted
checkpoints/STEP/     everything that decides the future
policy/               the newest policy alone, ready to act
eval.json             the evaluation at the end; written last: where it is, the run has finished
plots/  recordings/   the learning curve; the best game of the evaluation
"""

from __future__ import annotations

import datetime
import fcntl
import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import UserError
from tetrax.train.folder import files

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
    def learning_curve(self) -> Path:
        return self.root / "plots" / "learning_curve.png"

    @property
    def recordings(self) -> Path:
        return self.root / "recordings"

    def final_evaluation(self) -> dict[str, Any] | None:
        """Return the content of eval.json; None before the run has finished."""
        try:
            document = json.loads(self.evaluation.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return document if isinstance(document, dict) else None


def create(root: Path) -> RunFolder:
    """Make a new run folder; refuse one that already holds something."""
    if root.exists() and not root.is_dir():
        raise UserError(f"--run-dir: given {root}, which is a file; allowed: a new or empty folder")
    folder = RunFolder(root)
    if folder.config.exists():
        raise UserError(
            f"--run-dir: given {root}, which holds a run already; allowed: a new or empty folder, "
            f"or continue that run with --resume {root}"
        )
    if root.exists() and any(not entry.name.startswith(files.TEMPORARY) for entry in root.iterdir()):
        raise UserError(f"--run-dir: given {root}, which is not empty; allowed: a new or empty folder")
    root.mkdir(parents=True, exist_ok=True)
    return folder


def open_existing(root: Path) -> RunFolder:
    """Open the folder of a run that was started before."""
    folder = RunFolder(root)
    if not root.is_dir():
        raise UserError(f"--resume: given {root}, which does not exist; allowed: the folder of a run")
    if not folder.config.is_file():
        raise UserError(f"--resume: given {root}, which has no config.json; allowed: the folder of a run")
    return folder


@contextmanager
def lock(folder: RunFolder) -> Iterator[None]:
    """Keep every other process from training in this folder; the system lets go even after a SIGKILL."""
    descriptor = os.open(folder.root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--resume: given {folder.root}, which another process is training in; "
                "allowed: a run that nothing else writes to"
            ) from None
        yield
    finally:
        os.close(descriptor)


def record_start(folder: RunFolder, step: int, changes: Mapping[str, tuple[Any, Any]]) -> None:
    """Add to the history that the run was started or resumed at `step`, and what changed in its config."""
    entry = {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "step": step,
        "changes": {name: {"from": old, "to": new} for name, (old, new) in changes.items()},
        "versions": versions(),
        "command": sys.argv,
    }
    with folder.history.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


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
