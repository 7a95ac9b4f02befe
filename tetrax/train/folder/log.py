"""The metrics of a run: metrics.jsonl, and other logs where they are wanted, such as TensorBoard's events.

Every line is one whole JSON object, strictly: no NaN, null where there is nothing to tell. Steps only grow,
so that going back to a checkpoint means cutting off what comes after it.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from tetrax.fields.errors import UserError, install
from tetrax.system import disk

Warn = Callable[[str], object]
NESTED = (
    "per_seed",
    "members",
    "diverged",
    "per_member",
)  # what a row holds besides numbers; a sweep's the last three
Row = dict[str, Any]  # "step", "wall_time", "steps_per_second", metrics, "eval/*", "per_seed"


class Sink(Protocol):
    """Another log that gets the rows."""

    def write(self, row: Row) -> None:
        """Add the numbers of a row."""

    def flush(self) -> None:
        """Wait until everything is on disk."""

    def close(self) -> None:
        """Write what is left and end."""


class MetricsLog:
    """Appends rows to metrics.jsonl and to what else there is."""

    def __init__(self, path: Path, *others: Sink, step: int, warn: Warn = warnings.warn) -> None:
        """Continue the log from `step`: what was logged after it is cut off."""
        cut_back(path, step, warn)
        self._path = path
        with disk.naming(path):
            self._file = path.open("ab", buffering=0)
        self._others = others

    def write(self, row: Row) -> None:
        """Append one row; it is in the system's hands on return, so that killing this process loses nothing."""
        with disk.naming(self._path):
            disk.write_all(self._file, json.dumps(row, allow_nan=False) + "\n")
        for other in self._others:
            other.write(row)

    def sync(self) -> None:
        """Wait until everything is on disk."""
        with disk.naming(self._path):
            disk.sync(self._file.fileno())
        for other in self._others:
            other.flush()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        for other in self._others:
            # What has failed fails in closing again, and the first error is the one that tells.
            with nullcontext() if error is None else suppress(OSError):
                other.close()


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
    """Return the rows of a metrics.jsonl; what is no row, such as a last line that was half written, is left out."""
    return [line.row for line in _lines(path) if line.row is not None]


def cut_back(path: Path, step: int, warn: Warn) -> None:
    """Remove the rows after `step`, a half-written last line, and, with one warning, lines that hold no row."""
    lines = _lines(path)
    bad = [str(number) for number, line in enumerate(lines, 1) if line.row is None and line.is_whole]
    if bad:
        which = (
            f"line {bad[0]} holds" if len(bad) == 1 else f"{len(bad)} lines, the first of them {bad[0]}, hold"
        )
        warn(f"{path}: {which} no metrics and will be removed; nothing else is lost")
    kept = [line for line in lines if line.row is not None and line.row["step"] <= step]
    if len(kept) < len(lines):
        with disk.replacing(path) as temporary:
            temporary.write_bytes(b"".join(line.content for line in kept))


class Line(NamedTuple):
    """A line of a log."""

    content: bytes
    row: Row | None  # None where the line holds none

    @property
    def is_whole(self) -> bool:
        """Whether it was written to its end."""
        return self.content.endswith(b"\n")


def _lines(path: Path) -> list[Line]:
    """Read a log, if it is there: any bytes may be in it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = content.split(b"\n")
    whole = [Line(line + b"\n", _row(line)) for line in lines[:-1]]
    return [*whole, Line(lines[-1], None)] if lines[-1] else whole


def _row(line: bytes) -> Row | None:
    """Return the row that a line holds, None where it holds anything else."""
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return None
    numbers = (value for name, value in row.items() if name not in NESTED and value is not None)
    return row if all(type(value) in (int, float) for value in numbers) else None


def places(folder: Path, *, tensorboard: bool, wandb: str | None, steps: bool) -> str:
    """Say in one line where the logs of a run are."""
    told = [f"metrics in {folder / 'metrics.jsonl'}"]
    if tensorboard:
        told.append(f"TensorBoard's in {folder / 'tensorboard'}")
    if wandb is not None:
        told.append(f"Weights & Biases' in {folder / 'wandb'} (project {wandb})")
    told.append(
        f"the watched game's steps in {folder / 'watched.jsonl'}{'' if steps else ' while somebody watches'}"
    )
    return ", ".join(told)


def check_tensorboard() -> None:
    """Raise UserError if TensorBoard events are wanted but cannot be written."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise UserError(
            "--tensorboard: given True, but tensorboardX is not installed; "
            f"allowed: after {install('tensorboard')}"
        ) from None
