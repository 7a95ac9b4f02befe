"""The metrics of a run: metrics.jsonl, and TensorBoard events where they are wanted.

Every line is one whole JSON object, strictly: no NaN, null where there is nothing to tell. Steps only grow,
so that going back to a checkpoint means cutting off what comes after it.
"""

from __future__ import annotations

import json
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tetrax.fields import disk
from tetrax.fields.errors import UserError
from tetrax.train.folder import files

Row = dict[str, Any]  # "step", "wall_time", "steps_per_second", metrics, "eval/*", "per_seed"


class MetricsLog:
    """Appends rows to metrics.jsonl and, if given a folder for it, to TensorBoard."""

    def __init__(self, path: Path, tensorboard: Path | None, *, step: int) -> None:
        """Continue the log from `step`: what was logged after it is cut off."""
        cut_back(path, step)
        self._path = path
        with disk.naming(path):
            self._file = path.open("ab", buffering=0)
        self._events = None if tensorboard is None else Events(tensorboard, step)

    def write(self, row: Row) -> None:
        """Append one row; it is in the system's hands on return, so that killing this process loses nothing."""
        with disk.naming(self._path):
            disk.write_all(self._file, json.dumps(row, allow_nan=False) + "\n")
        if self._events is not None:
            self._events.write(row)

    def sync(self) -> None:
        """Wait until everything is on disk."""
        with disk.naming(self._path):
            disk.sync(self._file.fileno())
        if self._events is not None:
            self._events.flush()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._events is not None:
            # What has failed fails in closing again, and the first error is the one that tells.
            with nullcontext() if error is None else suppress(OSError):
                self._events.close()


class Events:
    """TensorBoard's events of a run. Raises OSError that names the folder.

    They are written from here: tensorboardX's own writer has a thread for it, which a full disk ends, and the run
    would wait for it for ever.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Open a file that makes readers forget events after `step`."""
        check_tensorboard()
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._folder = folder
        with disk.naming(folder):
            folder.mkdir(exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
            begins = SessionLog(status=SessionLog.START)
            self._writer.write_event(Event(step=step + 1, wall_time=time.time(), session_log=begins))
        self.flush()

    def write(self, row: Row) -> None:
        """Add the numbers of a row."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        with disk.naming(self._folder):
            for name, value in row.items():
                if isinstance(value, (int, float)) and name != "step":
                    summary = scalar(name, value)
                    self._writer.write_event(Event(step=row["step"], wall_time=time.time(), summary=summary))

    def flush(self) -> None:
        """Wait until everything is on disk."""
        with disk.naming(self._folder):
            try:
                self._writer.flush()
            except OSError as error:
                if error.errno not in disk.NOT_OFFERED:
                    raise

    def close(self) -> None:
        """Write what is left and close the file."""
        try:
            self.flush()
        finally:
            with disk.naming(self._folder):
                self._writer._py_recordio_writer.close()  # EventsWriter.close() leaves it open where that fails


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
