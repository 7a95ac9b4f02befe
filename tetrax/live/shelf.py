"""Which runs there are, and what each does in a few words: cheap enough to be asked for every other second."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import in_words
from tetrax.live import safe_reading
from tetrax.live.safe_reading import Mark, mark
from tetrax.train.folder import mailbox
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.report.rows import EVALUATION, SO_FAR
from tetrax.train.sweep.sweep_points import SWEEP_LOG
from tetrax.train.sweep.sweep_report import RESULTS

DEEPEST = 4  # folders within each other that are looked through
MOST_FOLDERS = 20_000
MOST_RUNS = 5_000
SIGNS = {
    "config.json",
    "metrics.jsonl",
    SWEEP_LOG,
    RESULTS,
}  # a folder with one of these is a run, or what is left
TAIL = 262_144  # bytes at the end of a log in which its last row is
NO_MEASURES = {"step", "wall_time", "steps_per_second"}
EVALUATION_BEGINS = f'"{EVALUATION}'.encode()
ALERTS = "alerts.jsonl"
FRESH_SECONDS = 1.5  # in which several readers are told the same list


@dataclass(frozen=True)
class Entry:
    """A folder that holds a run or a sweep."""

    name: str  # its path, as it was found
    path: Path
    is_sweep: bool


def find(roots: Sequence[Path]) -> list[Entry]:
    """Return the runs in some folders, each once; what cannot be read is passed over, links are followed once."""
    found: dict[str, Entry] = {}
    seen: set[tuple[int, int]] = set()
    waiting = [(root, 0) for root in reversed(roots)]
    while waiting and len(seen) < MOST_FOLDERS and len(found) < MOST_RUNS:
        folder, depth = waiting.pop()
        try:
            status = folder.stat()
            names = os.listdir(folder)
        except (OSError, ValueError):
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if SIGNS & set(names):
            found[str(folder)] = Entry(str(folder), folder, SWEEP_LOG in names or RESULTS in names)
        elif depth < DEEPEST:
            inner = (folder / name for name in sorted(names, reverse=True) if not name.startswith("."))
            waiting += [(path, depth + 1) for path in inner if _is_folder(path)]
    return list(found.values())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


class Shelf:
    """The runs in some folders, with what was read of them before."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._entries: dict[str, Entry] = {}
        self._looked = -math.inf
        self._summaries: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def entries(self) -> dict[str, Entry]:
        """Return the runs by name."""
        with self._lock:
            if time.monotonic() - self._looked > FRESH_SECONDS:
                self._entries = {entry.name: entry for entry in find(self._roots)}
                self._summaries = {
                    name: kept for name, kept in self._summaries.items() if name in self._entries
                }
                self._looked = time.monotonic()
            return self._entries

    def entry(self, name: str) -> Entry | None:
        """Return a run by its name; None where there is no such run any more. Nothing else is ever opened."""
        return self._entries.get(name) or self.entries().get(name)

    def summary(self, entry: Entry) -> dict[str, Any]:
        """Return what a run does, as JSON values; read again only where something has changed."""
        state = None
        if safe_reading.is_small_file(entry.path, mailbox.Places(entry.path).state):
            state = mailbox.read_state(entry.path)
        # A process may be gone without having written anything.
        alive = None if state is None else mailbox.is_alive(state)
        now = (marks(entry), state, alive)
        kept = self._summaries.get(entry.name)
        if kept is None or kept[0] != now:
            kept = (now, _summary(entry, state, alive))
            self._summaries[entry.name] = kept
        return kept[1]


def places(entry: Entry) -> dict[str, Path]:
    """Return the files of a run that a page shows something of, by what they are."""
    folder, control = RunFolder(entry.path), mailbox.Places(entry.path)
    return {
        "config": folder.config,
        "metrics": entry.path / SWEEP_LOG if entry.is_sweep else folder.metrics,
        "results": entry.path / RESULTS,
        "evaluation": folder.evaluation,
        "finished": folder.finished,
        "alerts": entry.path / ALERTS,
        "history": folder.history,
        "pictures": folder.learning_curve.parent,
        "recordings": folder.recordings,
        "checkpoints": folder.checkpoints,
        "waiting": control.inbox,
    }


IN_SUMMARY = ("config", "metrics", "results", "finished", "alerts")


def marks(entry: Entry, parts: Sequence[str] = IN_SUMMARY) -> dict[str, Mark | None]:
    """Return what tells whether some parts of a run are as they were."""
    paths = places(entry)
    return {part: mark(paths[part]) for part in parts}


def _summary(entry: Entry, state: mailbox.RunState | None, alive: bool | None) -> dict[str, Any]:
    paths = places(entry)
    config, fault = _config(entry)
    rows: list[dict[str, Any]] = []
    if mark(paths["metrics"]) is not None:
        try:
            lines = safe_reading.read_tail(entry.path, paths["metrics"], TAIL)
            # The last row, and the last one with an evaluation: the others need not be read.
            evaluated = [line for line in lines if EVALUATION_BEGINS in line][-1:]
            rows = safe_reading.objects([*evaluated, *lines[-1:]])
        except OSError as error:
            fault = fault or in_words(error)
    newest: dict[str, Any] = next((row for row in reversed(rows) if type(row.get("step")) is int), {})
    written = [found.changed for found in marks(entry).values() if found is not None]
    return {
        "name": entry.name,
        "kind": "sweep" if entry.is_sweep else "run",
        "title": title(config),
        "state": _state(entry, state, alive),
        "host": None if state is None or alive is not None else state.host,
        "step": state.step if state is not None and alive else newest.get("step", 0),
        "total_steps": _whole(config.get("total_steps")),
        "speed": _number(newest.get("steps_per_second")),
        "measured": _first(newest, evaluated=False),
        "evaluated": next((told for row in reversed(rows) if (told := _first(row, evaluated=True))), None),
        "changed": max(written, default=0) / 1e9,
        "fault": fault,
    }


def _config(entry: Entry) -> tuple[dict[str, Any], str | None]:
    """Return the configuration of a run as it is written, and what is wrong with it."""
    try:
        return safe_reading.read_object(entry.path, RunFolder(entry.path).config), None
    except OSError as error:
        return {}, in_words(error)
    except ValueError as error:
        return {}, str(error)


def title(config: dict[str, Any]) -> str:
    """Return what is trained on what."""
    env = config.get("env")
    game = config.get("game")
    if isinstance(env, dict):  # the game's own name, where it has one
        game = next((env[name] for name in ("preset", "id") if isinstance(env.get(name), str)), game)
    words = [config.get("algorithm"), config.get("preset"), game]
    return " · ".join(word[:60] for word in words if isinstance(word, str))


def _state(entry: Entry, state: mailbox.RunState | None, alive: bool | None) -> str:
    """Return running, paused, finished or stopped; of a run on another machine what it said last."""
    if state is not None and state.state != mailbox.ENDED and alive is not False:
        return state.state
    done = RunFolder(entry.path).finished if not entry.is_sweep else entry.path / RESULTS
    return "stopped" if mark(done) is None else "finished"  # nobody may be allowed to look


def _first(row: dict[str, Any], *, evaluated: bool) -> dict[str, Any] | None:
    """Return the first measure of a row, which is the one that games are judged by."""
    names = (name for name in row if name not in NO_MEASURES and name.startswith(EVALUATION) is evaluated)
    name = next(names, "")
    value = _number(row.get(name))
    if value is None:  # no game has ended: what those that run have come to
        name = SO_FAR + name
        value = _number(row.get(name))
    return None if value is None else {"name": name, "value": value, "step": _whole(row.get("step"))}


def _number(value: Any) -> float | None:
    if type(value) not in (int, float):
        return None
    with contextlib.suppress(OverflowError):
        return float(value) if math.isfinite(value) else None
    return None


def _whole(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 2**53 else None
