"""The metrics of many runs in memory: each log is read from where it was read to, and kept as columns of numbers.

As objects the rows of a hundred runs would take gigabytes. Columns of runs that nobody has asked for lately are let go.
"""

from __future__ import annotations

import functools
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tetrax.live import safe_reading
from tetrax.train.folder.log import NESTED

BLOCK = 2 * 2**20  # bytes that are read at once
LONGEST_LINE = 4 * 2**20
MOST_NAMES = 2_000
MOST_SEEDS = 256
MOST_BYTES = 256 * 2**20  # of all columns together
NESTED_NAMES = frozenset(NESTED)
REMEMBERED = 64  # bytes before the place that was read to: where they have changed, it is another file


@dataclass(frozen=True)
class Logged:
    """A log as columns at one moment; NaN where a row has nothing."""

    steps: np.ndarray  # int64[rows]
    seconds: np.ndarray  # float64[rows]
    values: Mapping[str, np.ndarray]  # float32[rows]
    per_seed: Mapping[str, np.ndarray]  # float32[seeds, rows]


class Columns:
    """A log as columns, which grow: each is replaced by a longer one."""

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, file: tuple[int, int] | None) -> None:
        """Forget everything, and read this file from its beginning."""
        self.steps = np.zeros(0, np.int64)
        self.seconds = np.zeros(0, np.float64)
        self.values: dict[str, np.ndarray] = {}  # float32[rows]
        self.per_seed: dict[str, np.ndarray] = {}  # float32[seeds, rows]
        self._file = file
        self._offset = 0
        self._before = b""
        self._rest = b""  # the beginning of a line that is not whole yet

    @property
    def size(self) -> int:
        """Return about how many bytes these are."""
        arrays = [self.steps, self.seconds, *self.values.values(), *self.per_seed.values()]
        return sum(array.nbytes for array in arrays) + len(self._rest)

    def now(self) -> Logged:
        """Return what has been read."""
        return Logged(self.steps, self.seconds, dict(self.values), dict(self.per_seed))

    def read_on(self, run: Path, path: Path, late: float) -> bool:
        """Read what has been added, until `late` (of time.monotonic); return whether that was all.

        A file that was replaced or cut is read from its beginning. OSError for what cannot be read.
        """
        with safe_reading.open_file(run, path) as file:
            status = os.fstat(file.fileno())
            if not self._is_same((status.st_dev, status.st_ino), status.st_size, file):
                self._begin((status.st_dev, status.st_ino))
            file.seek(self._offset)
            while block := file.read(BLOCK):
                self._offset += len(block)
                self._before = (self._before + block)[-REMEMBERED:]
                self._add(block)
                if time.monotonic() > late:
                    return self._offset >= status.st_size
        return True

    def _is_same(self, file: tuple[int, int], size: int, content: Any) -> bool:
        if self._file != file or size < self._offset:
            return False
        content.seek(self._offset - len(self._before))
        return bool(content.read(len(self._before)) == self._before)

    def _add(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
        rows = [row for row in _rows(lines) if type(row.get("step")) is int and 0 <= row["step"] < 2**62]
        if not rows:
            return
        before, after = len(self.steps), len(self.steps) + len(rows)
        self.steps = np.append(self.steps, np.array([row.pop("step") for row in rows], np.int64))
        seconds = [[row.pop("wall_time", None)] for row in rows]
        self.seconds = np.append(self.seconds, _table(seconds, 0)[:, 0])
        seeds = [row.get("per_seed") for row in rows]
        for row in rows:
            for name in row.keys() & NESTED_NAMES:
                del row[name]
        self.values = _put(self.values, rows, before, after, 0)
        told = [
            {name: values for name, values in each.items() if isinstance(values, list) and values}
            if isinstance(each, dict)
            else {}
            for each in seeds
        ]
        most = min(MOST_SEEDS, max((len(values) for each in told for values in each.values()), default=0))
        if most or self.per_seed:
            self.per_seed = _put(self.per_seed, told, before, after, most)


class Library:
    """The columns of many logs, of which those that were used last are kept."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Columns] = OrderedDict()
        self._lock = threading.Lock()

    def columns(self, run: Path, path: Path, late: float) -> Logged | None:
        """Return a log's columns as it is now; None where the time is over before it is read. It goes on next time.

        OSError for what cannot be read.
        """
        name = str(path)
        with self._lock:
            columns = self._kept.setdefault(name, Columns())
            self._kept.move_to_end(name)
            try:
                is_whole = columns.read_on(run, path, late)
            except OSError:
                del self._kept[name]
                raise
            total = sum(each.size for each in self._kept.values())
            while total > self._most_bytes and len(self._kept) > 1:
                total -= self._kept.popitem(last=False)[1].size
            return columns.now() if is_whole else None

    @property
    def size(self) -> int:
        """Return about how many bytes are kept."""
        return sum(each.size for each in self._kept.values())


def _put(
    columns: Mapping[str, np.ndarray], rows: Sequence[Mapping[str, Any]], before: int, after: int, seeds: int
) -> dict[str, np.ndarray]:
    """Return columns with rows added to them; of several seeds (0: of none) each value is a list."""
    grown = {name: _longer(column, after) for name, column in columns.items()}
    alike: dict[
        tuple[str, ...], tuple[list[int], list[list[Any]]]
    ] = {}  # rows with the same names are one table
    for place, row in enumerate(rows, before):
        where, told = alike.setdefault(tuple(row), ([], []))
        where.append(place)
        told.append(list(row.values()))
    for names, (where, told) in alike.items():
        table = np.ascontiguousarray(_small(_table(told, seeds)).T)  # [names, rows] or [seeds, names, rows]
        for index, name in enumerate(names):
            values = table[..., index, :]
            if name not in grown and len(grown) < MOST_NAMES:
                grown[name] = _longer(np.zeros((*values.shape[:-1], 0), np.float32), after)
            if name in grown and grown[name].shape[:-1] == values.shape[:-1]:
                grown[name][..., np.array(where)] = values
    return grown


def _table(rows: list[list[Any]], seeds: int) -> np.ndarray:
    """Return rows of values as numbers, NaN for what is none; float64[rows, names], or [rows, names, seeds]."""
    shape = (len(rows), len(rows[0])) + ((seeds,) if seeds else ())
    try:
        table = np.array(rows, np.float64)
        if table.shape == shape:
            return table
    except (ValueError, TypeError, OverflowError):
        pass
    table = np.full(shape, np.nan)
    for place, row in enumerate(rows):
        for index, value in enumerate(row):
            if seeds:
                listed = [_number(each) for each in value[:seeds]]
                table[place, index, : len(listed)] = listed
            else:
                table[place, index] = _number(value)
    return table


def _longer(column: np.ndarray, rows: int) -> np.ndarray:
    """Return a copy of a column with NaN at its end."""
    grown = np.full((*column.shape[:-1], rows), np.nan, np.float32)
    grown[..., : column.shape[-1]] = column
    return grown


def _rows(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the objects of some lines: all at once, and one by one where something else is among them."""
    there = [line for line in lines if line]
    load = _fastest_loads()
    try:
        found = load(b"[" + b",".join(there) + b"]")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != len(there):  # a line may end a list, and begin another
        found = safe_reading.objects(there)
    return [row for row in found if isinstance(row, dict)]


@functools.cache
def _fastest_loads() -> Callable[[bytes], Any]:
    """Return what reads JSON: orjson takes an eighth of the time, where it is installed."""
    try:
        import orjson
    except ImportError:
        return json.loads
    loads: Callable[[bytes], Any] = orjson.loads
    return loads


def _number(value: Any) -> float:
    try:
        return float(value) if type(value) in (int, float) else np.nan
    except OverflowError:
        return np.nan


def _small(values: np.ndarray) -> np.ndarray:
    """Return numbers in half the memory, what is infinite or too large for it as NaN."""
    with np.errstate(over="ignore"):
        small = values.astype(np.float32)
    small[~np.isfinite(small)] = np.nan
    return small
