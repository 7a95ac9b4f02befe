"""Alerts: rules on metrics that call somebody when they begin to hold.

A rule is looked at with every row of metrics that has its metric. It calls once, and again only after it has not held
for some rows. What was called is in RUN/alerts.jsonl, and every view shows it.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tetrax.fields.errors import UserError
from tetrax.system import disk
from tetrax.train.folder.log import Row

FORM = "METRIC below NUMBER, METRIC above NUMBER, METRIC stalls STEPS, METRIC falls SHARE"
USUAL = 20  # rows whose median is the usual value of a metric
FEWEST = 5  # rows without which nothing is usual
CALM = 5  # rows for which a rule has not held before it calls again: a metric that wavers calls once
NAN = "nan"  # the rule that always is there


@dataclass(frozen=True)
class Rule:
    """One rule, and what it is written as."""

    text: str
    metric: str
    kind: str  # below, above, stalls or falls
    number: float


@dataclass(frozen=True)
class Alert:
    """A rule that has begun to hold."""

    step: int
    wall_time: float  # seconds of the run
    rule: str
    said: str


@dataclass
class Seen:
    """What a rule has seen of its metric."""

    calm: int = CALM  # rows since it held last, 0 while it holds
    recent: list[float] = field(default_factory=list)  # up to USUAL values
    highest: float | None = None
    highest_step: int = 0


def read_rule(text: str) -> Rule:
    """Read a rule; UserError for what is none."""
    words = text.split()
    refused = UserError(f"--watch.alerts: given {text!r}; allowed: {FORM}")
    if len(words) != 3 or words[1] not in CHECKS:
        raise refused
    try:
        number = float(words[2])
    except ValueError:
        raise refused from None
    least = {"stalls": 1.0, "falls": 0.0}.get(words[1], -float("inf"))
    most = 1.0 if words[1] == "falls" else float("inf")
    if not least <= number <= most or number in (float("inf"), -float("inf")):
        raise refused
    return Rule(text, words[0], words[1], number)


class Alerts:
    """The rules of a run."""

    def __init__(self, path: Path, rules: Sequence[str], command: str | None, earlier: Sequence[Row]) -> None:
        """Begin after `earlier` rows, of which nobody is called again; drop alerts that come after these."""
        self._path, self._command = path, command
        self._seen = {rule: Seen() for rule in map(read_rule, rules)}
        for row in earlier:
            self._find(row)
        _cut_back(path, earlier[-1]["step"] if earlier else 0)

    def change(self, rules: Sequence[str], command: str | None) -> None:
        """Go on by other rules; those that stay remember what they have seen."""
        self._command = command
        self._seen = {rule: self._seen.get(rule, Seen()) for rule in map(read_rule, rules)}

    def look(self, row: Row) -> list[Alert]:
        """Return the rules that begin to hold with this row; they are in the file, and their command is started."""
        found = self._find(row)
        for alert in found:
            self._call(alert)
        return found

    def call(self, step: int, wall_time: float, rule: str, said: str) -> Alert:
        """Raise an alert of another kind."""
        alert = Alert(step, round(wall_time, 3), rule, said)
        self._call(alert)
        return alert

    def _find(self, row: Row) -> list[Alert]:
        found = []
        for rule, seen in self._seen.items():
            value = row.get(rule.metric)
            if not isinstance(value, int | float):
                continue
            said = CHECKS[rule.kind](rule, seen, float(value), row["step"])
            if said and seen.calm >= CALM:
                found.append(Alert(row["step"], row.get("wall_time", 0.0), rule.text, said))
            seen.calm = 0 if said else seen.calm + 1
        return found

    def _call(self, alert: Alert) -> None:
        with disk.naming(self._path), self._path.open("ab", buffering=0) as file:
            disk.write_all(file, json.dumps(alert.__dict__) + "\n")
        if self._command is None:
            return
        told = {
            "TETRAX_ALERT": alert.said,
            "TETRAX_RUN": str(self._path.parent),
            "TETRAX_STEP": str(alert.step),
        }
        started = subprocess.Popen(
            self._command,
            shell=True,
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        threading.Thread(target=started.wait, daemon=True).start()  # nobody else sees it end


def _below(rule: Rule, seen: Seen, value: float, step: int) -> str | None:
    return f"{rule.metric} is {value:.4g}, below {rule.number:g}" if value < rule.number else None


def _above(rule: Rule, seen: Seen, value: float, step: int) -> str | None:
    return f"{rule.metric} is {value:.4g}, above {rule.number:g}" if value > rule.number else None


def _stalls(rule: Rule, seen: Seen, value: float, step: int) -> str | None:
    if seen.highest is None or value > seen.highest:
        seen.highest, seen.highest_step = value, step
    since = step - seen.highest_step
    if since < rule.number:
        return None
    return (
        f"{rule.metric} was highest ({seen.highest:.4g}) at step {seen.highest_step:,}, {since:,} steps ago"
    )


def _falls(rule: Rule, seen: Seen, value: float, step: int) -> str | None:
    usual = median(seen.recent) if len(seen.recent) >= FEWEST else None
    seen.recent = [*seen.recent, value][-USUAL:]
    if usual is None or value >= rule.number * usual:
        return None
    return f"{rule.metric} is {value:.4g}, below {rule.number:g} times its usual {usual:.4g}"


CHECKS = {"below": _below, "above": _above, "stalls": _stalls, "falls": _falls}


def read(path: Path) -> list[dict[str, Any]]:
    """Return the alerts of a run; lines that are none are left out."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            alert = json.loads(line)
        except ValueError:
            continue
        if isinstance(alert, dict) and type(alert.get("step")) is int and isinstance(alert.get("said"), str):
            found.append(alert)
    return found


def _cut_back(path: Path, step: int) -> None:
    """Remove alerts after a step: the run that goes on from there comes to its own."""
    there = read(path)
    kept = [alert for alert in there if alert["step"] <= step]
    if len(kept) < len(there):
        disk.write_whole(path, "".join(json.dumps(alert) + "\n" for alert in kept).encode())
