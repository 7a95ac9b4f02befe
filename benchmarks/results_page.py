"""The tables of docs/results.md, and the few of its numbers that the README shows, from benchmarks/results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import NamedTuple

from benchmarks.records import Record

NOTHING = "Nothing has been measured yet.\n"
NUMBER_IN_NAME = re.compile(r"^\d+-(baselines-\d+-)?")  # of a file: only for their order
SHOWN = re.compile(
    r"-(peers|dreamer|env-.*|startup-.*)$"
)  # of the names in results/performance; docs/performance.md shows all


class Group(NamedTuple):
    """Measurements that stand in one table."""

    title: str
    names: tuple[str, ...]  # patterns of their files' names
    note: str = ""


OURS = "Agents"  # and whatever else is no other group's
GROUPS = (
    Group(OURS, ()),
    Group(
        "Controllers",
        ("dellacherie", "bcts", "dt10", "dt20", "classic-10x10"),
        "In brackets in the first column: what the literature reports, or its engine measures.",
    ),
    Group("Other games", ("cartpole-*", "lunar-*", "acrobot-*", "gridworld-*")),
    Group(
        "Speed",
        ("first-metric-*", "perft-*", "*-env-*", "*-peers", "*-dreamer", "*-startup-*"),
        "A step is a key or a placement, by the set of actions (`direct`, `drop`, `locked_position`); `bitboards` is "
        "the observation that shows a board as one word a row; a batch is the boards that are played side by side.",
    ),
)


class Headline(NamedTuple):
    """A row of the README: a measurement, and one to hold against it."""

    name: str
    what: str
    result: str  # {value} and {unit}, {other} of the one beside it
    beside: str = ""


HEADLINES = (
    Headline("default", "PPO, by default: lines in a game of 2,000 pieces (800 are possible)", "{value}"),
    Headline(
        "dqn-default", "`dqn`, by default: lines in a game of 5,000 pieces (2,000 are possible)", "{value}"
    ),
    Headline(
        "classic-10x10",
        "`pretrained/classic-10x10`: lines until a game of the literature's 10x10 board is lost",
        "{value} (the literature's DT-10: {other})",
        beside="dt10",
    ),
    Headline(
        "cpu-env-direct-guideline-bitboards",
        "the guideline game by random keys on one core",
        "{value} steps per second",
    ),
    Headline("cpu-peers", "the same beside Jumanji, by turns in one run", "{value} times as many steps"),
)


def content(found: Sequence[Record]) -> str:
    """Return what stands between the page's markers: every measurement once."""
    if not found:
        return NOTHING
    machines = list(dict.fromkeys(record.measurement.machine for record in found))
    parts = [_table(group, found, machines) for group in GROUPS]
    listed = [f"- {_letter(index)}: {machine}" for index, machine in enumerate(machines)]
    return "\n".join([*(part for part in parts if part), "## Machines", "", *listed, ""])


def headlines(found: Sequence[Record]) -> str:
    """Return the README's rows; nothing without measurements."""
    by_name = {_name(record): record.measurement for record in found}
    rows = []
    for row in HEADLINES:
        if row.name in by_name and (not row.beside or row.beside in by_name):
            other = number(by_name[row.beside].value) if row.beside else ""
            rows.append(
                f"| {row.what} | {row.result.format(value=number(by_name[row.name].value), other=other)} |"
            )
    return "\n".join(["| what | result |", "|---|---|", *rows, ""]) if rows else ""


def durations(found: Sequence[Record]) -> str:
    """Return how long the README's first command takes; nothing where that was not measured."""
    by_name = {_name(record): record for record in found}
    start = by_name.get("cpu-startup-default-default")
    if start is not None:
        machine, (cold, warm) = start.measurement.machine, (start.data["cold"], start.data["warm"])
    elif "first-metric-cold" in by_name and "first-metric-warm" in by_name:
        measured = [by_name[f"first-metric-{kind}"].measurement for kind in ("cold", "warm")]
        machine, (cold, warm) = measured[0].machine, ({"seconds": one.value} for one in measured)
    else:
        return ""
    first = f"the first numbers come after {cold['seconds']:.0f} seconds"
    again = f"(after {warm['seconds']:.0f} where its programs were compiled before)"
    whole = ""
    if "whole_seconds" in cold:
        whole = f", the end after {cold['whole_seconds']:.0f} ({warm['whole_seconds']:.0f})"
    return f"On {machine.partition(' (')[0]} {first} {again}{whole}.\n"


def number(value: float) -> str:
    """Write a number with four digits, or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _table(group: Group, found: Sequence[Record], machines: Sequence[str]) -> str:
    """Return a group's heading and rows; nothing without rows."""
    rows = [record for record in found if _group(record) is group]
    if not rows:
        return ""
    lines = [f"## {group.title}", "", "| what | result | command | measured |", "|---|---|---|---|"]
    for record in rows:
        one = record.measurement
        low_high = (
            "" if one.interval is None else f" ({number(one.interval[0])} to {number(one.interval[1])})"
        )
        measured = f"{one.date}, {one.commit[:7]}, {_letter(machines.index(one.machine))}"
        result = f"{number(one.value)}{low_high} {one.unit}"
        lines.append(f"| {one.what} | {result} | `{one.command}` | {measured} |")
    return "\n".join([*lines, "", *([group.note, ""] if group.note else [])])


def _group(record: Record) -> Group:
    """Return the group of a measurement: the first that names it, else that of the agents."""
    name = _name(record)
    fitting = [group for group in GROUPS if any(fnmatch(name, pattern) for pattern in group.names)]
    return fitting[0] if fitting else GROUPS[0]


def _name(record: Record) -> str:
    return NUMBER_IN_NAME.sub("", record.name)


def _letter(index: int) -> str:
    return chr(ord("a") + index)
