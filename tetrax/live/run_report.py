"""What a page shows of one run, and of several side by side, as JSON values; what cannot be read is said."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tetrax.agents import AGENTS
from tetrax.fields.errors import in_words
from tetrax.live import safe_reading
from tetrax.live.shelf import Entry, places
from tetrax.train.config import may_change
from tetrax.train.folder import checkpoint, mailbox
from tetrax.train.folder.run_folder import RunFolder, differences
from tetrax.train.steering import LOGS

PICTURES = (".png",)
RECORDINGS = (".json",)
MOST_FILES = 200
MOST_LINES = 100  # of a history, of alerts
TAIL = 262_144  # bytes of them
SHELL = "watch.alert_command"
NO_MEASURES = ("step", "seed", "episodes", "max_pieces", "capped")  # of eval.json


def describe(entry: Entry) -> dict[str, Any]:
    """Return everything of a run but its curves."""
    paths, faults = places(entry), list[str]()
    config = _object(entry, paths["config"], faults)
    report = {
        "config": [
            {"name": name, "value": value, "may_change": not entry.is_sweep and _may_change(config, name)}
            for name, value in flat(config).items()
        ],
        "history": [_change(line) for line in _lines(entry, paths["history"], faults)],
        "alerts": [_alert(line) for line in _lines(entry, paths["alerts"], faults)],
        "evaluation": evaluation(entry, faults),
        "pictures": files(entry, "pictures"),
        "recordings": files(entry, "recordings"),
        "has_policy": safe_reading.mark(RunFolder(entry.path).policy / "config.json") is not None,
        "saved_step": _saved_step(entry),
        "waiting": [{"command": one.words, "at": one.at} for one in mailbox.waiting(entry.path)],
        "sweep": sweep(entry, faults) if entry.is_sweep else None,
    }
    return report | {"faults": faults}


def compare(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the settings in which some runs differ, and their evaluations side by side."""
    faults: list[str] = []
    configs = [_object(entry, RunFolder(entry.path).config, faults) for entry in entries]
    readable = [config for config in configs if config]
    paths = sorted({path for one in readable for path in differences(readable[0], one)})
    flattened = [flat(config) for config in configs]
    tables = [evaluation(entry, faults) for entry in entries]
    return {
        "runs": [entry.name for entry in entries],
        "settings": [{"name": path, "values": [_told(one, path) for one in flattened]} for path in paths],
        "evaluations": tables,
        "faults": faults,
    }


def flat(config: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Return the leaves of a configuration by their paths, each as it is written in JSON, words without quotes."""
    found: dict[str, str] = {}
    for name, value in config.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, dict) and value and here.count(".") < 16:
            found |= flat(value, here)
        else:
            found[here] = value if isinstance(value, str) else json.dumps(value)
    return found


def _told(settings: Mapping[str, str], path: str) -> str | None:
    """Return what a path stands for: a leaf, or all that is under it."""
    if path in settings:
        return settings[path]
    under = [
        f"{name[len(path) + 1 :]} {value}" for name, value in settings.items() if name.startswith(f"{path}.")
    ]
    return ", ".join(under) or None


def evaluation(entry: Entry, faults: list[str]) -> dict[str, Any] | None:
    """Return the evaluation at the end of a run: how it was done, and each measure with its spread."""
    document = _object(entry, RunFolder(entry.path).evaluation, faults)
    if not document:
        return None
    measures = {
        name: {
            key: value[key]
            for key in ("mean", "std", "min", "max", "ci95", "quantiles")
            if _is_plain(value.get(key))
        }
        for name, value in document.items()
        if isinstance(value, dict)
    }
    how = {name: _number(document[name]) for name in NO_MEASURES if name in document}
    return {"how": how, "measures": measures}


def _is_plain(value: Any) -> bool:
    """Whether a value is a number, or a list or object of numbers."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return type(value) in (int, float) and abs(value) < 1e300


def files(entry: Entry, what: str) -> list[dict[str, Any]]:
    """Return the pictures or the recordings of a run, with the time at which each was written."""
    folder, endings = places(entry)[what], PICTURES if what == "pictures" else RECORDINGS
    found = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder))[:MOST_FILES]:
            known = safe_reading.mark(folder / name)
            if name.endswith(endings) and not name.startswith(".") and known is not None:
                found.append({"name": name, "changed": known.changed, "size": known.size})
    return found


def find_file(entry: Entry, what: str, name: str) -> Path | None:
    """Return the path of a picture or a recording that is listed; None for any other name."""
    listed = any(one["name"] == name for one in files(entry, what))
    return places(entry)[what] / name if listed else None


def sweep(entry: Entry, faults: list[str]) -> dict[str, Any] | None:
    """Return what a sweep came to, best first; while it goes on, what its members came to last."""
    document = _object(entry, places(entry)["results"], faults)
    points = document.get("points")
    if not isinstance(points, list):
        return _members(entry, faults)
    rows = [point for point in points[:1_000] if isinstance(point, dict)]
    measures = dict.fromkeys(name for row in rows for name, value in row.items() if _has_mean(value))
    tuned = dict.fromkeys(name for row in rows for name in _under(row, "values"))
    return {
        "status": _word(document.get("status")),
        "metric": _word(document.get("metric")),
        "command": _word(document.get("command")),
        "columns": [*tuned, *measures],
        "tuned": len(tuned),
        "rows": [
            {
                "label": f"{rank}.",
                "step": _number(row.get("step")),
                "diverged": _number(row.get("diverged")),
                "cells": [_number(_under(row, "values").get(name)) for name in tuned]
                + [_spread(row.get(name)) for name in measures],
            }
            for rank, row in enumerate(rows, 1)
        ],
    }


def _members(entry: Entry, faults: list[str]) -> dict[str, Any] | None:
    """Return the newest row of each member of a sweep that goes on."""
    newest: dict[int, dict[str, Any]] = {}
    names: dict[str, None] = {}
    for row in _lines(entry, places(entry)["metrics"], faults):
        members, told = row.get("members"), _under(row, "per_member")
        for place, member in enumerate(members if isinstance(members, list) else []):
            if type(member) is not int:
                continue
            known = newest.setdefault(member, {"step": None, "values": {}, "diverged": False})
            known["step"] = _number(row.get("step"))
            known["diverged"] |= isinstance(row.get("diverged"), list) and member in row["diverged"]
            for name, values in told.items():
                if isinstance(values, list) and place < len(values) and _number(values[place]) is not None:
                    known["values"][name] = _number(values[place])
                    names[name] = None
    if not newest:
        return None
    return {
        "status": "goes on",
        "metric": "",
        "command": "",
        "columns": list(names),
        "tuned": 0,
        "rows": [
            {
                "label": f"member {member}",
                "step": one["step"],
                "diverged": int(one["diverged"]),
                "cells": [one["values"].get(name) for name in names],
            }
            for member, one in sorted(newest.items())
        ],
    }


def _may_change(config: Mapping[str, Any], path: str) -> bool:
    agent = AGENTS.get(config["algorithm"]) if isinstance(config.get("algorithm"), str) else None
    return agent is not None and path not in LOGS and not is_shell(path) and may_change(path, agent.tunables)


def is_shell(name: str) -> bool:
    """Return whether a setting is a command line: whoever may look at a page need not run programs here."""
    return name.removeprefix("--").replace("-", "_") == SHELL


def _change(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of the history: when, at which step, what was asked for, and what changed."""
    command, changes = line.get("command"), line.get("changes")
    words = " ".join(map(str, command[1:])) if isinstance(command, list) else ""
    return {
        "time": _word(line.get("time")),
        "step": _number(line.get("step")),
        "how": _word(line.get("control")) or words[:2_000],
        "changes": [
            {"name": str(name), "from": json.dumps(one.get("from")), "to": json.dumps(one.get("to"))}
            for name, one in (changes if isinstance(changes, dict) else {}).items()
            if isinstance(one, dict)
        ],
    }


def _alert(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "step": _number(line.get("step")),
        "rule": _word(line.get("rule")),
        "said": _word(line.get("said")),
    }


def _saved_step(entry: Entry) -> int | None:
    try:
        saved = checkpoint.steps(RunFolder(entry.path).checkpoints)
    except (OSError, ValueError):
        return None
    return saved[-1] if saved else None


def _object(entry: Entry, path: Path, faults: list[str]) -> dict[str, Any]:
    """Return the JSON object in a file, an empty one where there is no such file; note what is wrong with it."""
    try:
        return safe_reading.read_object(entry.path, path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        faults.append(in_words(error))
    except ValueError as error:
        faults.append(str(error))
    return {}


def _lines(entry: Entry, path: Path, faults: list[str]) -> list[dict[str, Any]]:
    """Return the last objects of a file of lines."""
    try:
        return safe_reading.objects(safe_reading.read_tail(entry.path, path, TAIL))[-MOST_LINES:]
    except FileNotFoundError:
        return []
    except OSError as error:
        faults.append(in_words(error))
        return []


def _under(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the object under a name, an empty one for anything else."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _has_mean(value: Any) -> bool:
    return isinstance(value, dict) and "mean" in value


def _spread(value: Any) -> dict[str, float | None] | None:
    if not _has_mean(value):
        return None
    return {"mean": _number(value["mean"]), "std": _number(value.get("std"))}


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) and abs(value) < 1e300 else None


def _word(value: Any) -> str:
    return value[:4_000] if isinstance(value, str) else ""
