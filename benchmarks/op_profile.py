"""Where the time of a compiled program goes: the profiler's events, by the names its operations were traced under.

JAX gives every operation the names of the scopes it was traced in (`jax.named_scope`; flax's modules and
gradients add theirs). `jax.profiler` records how long each operation took, as JSON. Both together give the time
per part, without anything to install. A fused operation counts where its last one belongs.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

# Part of an iteration -> what its operations' names contain. The first that fits counts.
PARTS: dict[str, re.Pattern[str]] = {
    "learning": re.compile(r"\blearning\b|\bjvp\("),  # what is differentiated, and a scope of that name
    "environment": re.compile(r"\benvironment\b"),
    "acting": re.compile(r"\bacting\b|\bActorCritic\b|\w+ActorCritic\b"),
}
REST = "rest"
CONTAINERS = re.compile(r"(while|call|conditional)(\.\w+)*$")  # they hold other operations' time
INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = .*?op_name=\"([^\"]*)\"", re.MULTILINE)


def operation_names(compiled: Any) -> dict[str, str]:
    """Return the name that each operation of a compiled program was traced under."""
    return dict(INSTRUCTION.findall(compiled.as_text()))


def part_of(name: str, parts: Mapping[str, re.Pattern[str]] = PARTS) -> str:
    """Return the part of an iteration that a traced name belongs to."""
    return next((part for part, pattern in parts.items() if pattern.search(name)), REST)


def trace(work: Callable[[], Any]) -> list[dict[str, Any]]:
    """Run some work under the profiler; return the trace's events."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(work())
        files = sorted(Path(folder).rglob("*.trace.json.gz"))
        return [event for file in files for event in json.loads(gzip.open(file).read())["traceEvents"]]


def breakdown(
    events: list[dict[str, Any]], names: dict[str, str], parts: Mapping[str, re.Pattern[str]] = PARTS
) -> dict[str, float] | None:
    """Return the share of each part in the time of all operations; None where the trace tells too little.

    "unnamed" is the share of operations without a name of their own, such as copies that XLA put in; it is
    part of "rest". None: there are no operations in the trace, or fewer than half of their time has a name.
    """
    seconds = dict.fromkeys([*parts, REST], 0.0)
    unnamed = 0.0
    for name, duration in operations(events):
        part = part_of(names[name], parts) if name in names else REST
        seconds[part] += duration
        unnamed += 0.0 if name in names else duration
    total = sum(seconds.values())
    if not total or unnamed > total / 2:
        return None
    return {part: value / total for part, value in seconds.items()} | {"unnamed": unnamed / total}


def operations(events: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """Return name and duration of every executed operation, without those that only hold others.

    A GPU's trace tells the same time on several lines; those of its streams are the executed kernels.
    """
    threads = {(e["pid"], e.get("tid")): e["args"]["name"] for e in events if e.get("name") == "thread_name"}
    devices = {
        e["pid"] for e in events if e.get("name") == "process_name" and "/device:" in e["args"]["name"]
    }
    found = []
    for event in events:
        operation = (event.get("args") or {}).get("hlo_op")
        if event.get("ph") != "X" or operation is None or CONTAINERS.match(operation):
            continue
        is_copy_of_line = event["pid"] in devices and "Stream" not in threads.get(
            (event["pid"], event["tid"]), ""
        )
        if not is_copy_of_line:
            found.append((operation, float(event["dur"])))
    return found
