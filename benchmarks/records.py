"""Results as data: one JSON file a measurement, with what anybody needs to get it again."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
PERFORMANCE = RESULTS / "performance"  # those of the programs here, with all they found


@dataclass(frozen=True)
class Measurement:
    """One number, and how anybody can get it again."""

    what: str  # what was measured, in words
    value: float
    unit: str
    interval: tuple[float, float] | None  # 95%, where there is one
    machine: str
    command: str
    commit: str  # the commit it was measured on
    date: str  # YYYY-MM-DD


class Record(NamedTuple):
    """A measurement, and the whole JSON object that a program here printed (empty where there is none)."""

    name: str  # of the file
    measurement: Measurement
    data: dict[str, Any]


def read(folder: Path) -> list[Record]:
    """Read every measurement without data, in the order of the file names."""
    paths = sorted(folder.glob("*.json"))
    return [Record(path.stem, _measurement(path, json.loads(path.read_text())), {}) for path in paths]


def read_performance(folder: Path) -> list[Record]:
    """Read every record that has data, in the order of the file names."""
    found = []
    for path in sorted(folder.glob("*.json")):
        fields = json.loads(path.read_text())
        if "data" not in fields:
            raise ValueError(f"{path}: given no data; allowed: what benchmarks.measure.save wrote")
        data = fields.pop("data")
        found.append(Record(path.stem, _measurement(path, fields), data))
    return found


def write(path: Path, measurement: Measurement, data: dict[str, Any]) -> Path:
    """Write one record; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {**dataclasses.asdict(measurement), "data": data}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _measurement(path: Path, fields: dict[str, Any]) -> Measurement:
    names = {field.name for field in dataclasses.fields(Measurement)}
    if fields.keys() != names:
        raise ValueError(f"{path}: given fields {sorted(fields)}; allowed: {sorted(names)}")
    return Measurement(**fields)
