"""The metrics of a run: metrics.jsonl, and TensorBoard events where they are wanted.

Every line is one whole JSON object, strictly: no NaN, null where there is nothing to tell. Steps only grow,
so that going back to a checkpoint means cutting off what comes after it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from tetrax.fields.errors import UserError
from tetrax.train.folder import files

Row = dict[str, Any]  # "step", "wall_time", "steps_per_second", metrics, "eval/*", "per_seed"


class MetricsLog:
    """Appends rows to metrics.jsonl and, if given a folder for it, to TensorBoard."""

    def __init__(self, path: Path, tensorboard: Path | None, *, step: int) -> None:
        """Continue the log from `step`: what was logged after it is cut off."""
        cut_back(path, step)
        self._file = path.open("a", encoding="utf-8")
        self._events = None if tensorboard is None else _open_events(tensorboard, step)

    def write(self, row: Row) -> None:
        """Append one row; it is in the system's hands on return, so that killing this process loses nothing."""
        self._file.write(json.dumps(row, allow_nan=False) + "\n")
        self._file.flush()
        if self._events is not None:
            for name, value in row.items():
                if isinstance(value, (int, float)) and name != "step":
                    self._events.add_scalar(name, value, global_step=row["step"])

    def sync(self) -> None:
        """Wait until everything is on disk."""
        os.fsync(self._file.fileno())
        if self._events is not None:
            self._events.flush()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()


def read(path: Path) -> list[Row]:
    """Return the rows of a metrics.jsonl, without a last line that was only half written."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def cut_back(path: Path, step: int) -> None:
    """Remove the rows after `step` and a half-written last line."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    kept = "".join(line for line in lines if json.loads(line)["step"] <= step)
    if kept != text:
        files.write_text(path, kept)


def check_tensorboard() -> None:
    """Raise UserError if TensorBoard events are wanted but cannot be written."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise UserError(
            "--tensorboard: given True, but tensorboardX is not installed; "
            "allowed: after pip install 'tetrax[tensorboard]'"
        ) from None


def _open_events(folder: Path, step: int) -> Any:
    """Open a TensorBoard writer that makes readers forget events after `step`."""
    check_tensorboard()
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)
