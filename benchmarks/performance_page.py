"""The tables of docs/performance.md, from the records of the benchmark programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks import charts
from benchmarks.measure import thousands
from benchmarks.records import Record

NOTHING = "Nothing has been measured yet: the commands above fill this part.\n"


def content(found: Sequence[Record]) -> str:
    """Return what stands between the page's markers."""
    parts = [
        _environment(_of(found, "env")),
        _peers(_of(found, "peers")),
        _training(_of(found, "train")),
        _dreamer(_of(found, "dreamer")),
        _startup(_of(found, "startup")),
    ]
    written = [part for part in parts if part]
    return "\n".join(written) if written else NOTHING


def _of(found: Sequence[Record], kind: str) -> list[Record]:
    return [record for record in found if charts.kind(record) == kind]


def _environment(found: Sequence[Record]) -> str:
    """Return the speed of the environment: the best batch of each sweep, and the sweeps drawn."""
    if not found:
        return ""
    rows = []
    for record in found:
        data = record.data
        observed = data["observation"] + (" and board features" if data["board_features"] else "")
        rows.append(
            [
                f"`{data['actions']}`",
                f"{data['preset']}; {observed}",
                str(data["batch"]),
                thousands(data["steps_per_second"]),
                thousands(data["steps_per_cpu_second"]),
                thousands(data["pieces_per_second"]),
                f"{data['compile_seconds']:.1f}",
                thousands(data["state_bytes_per_board"]),
            ]
        )
    head = (
        "actions", "rules; observed", "best batch", "steps/s", "steps per CPU second", "pieces/s", "compiling, s",
        "state, bytes per board",
    )  # fmt: skip
    return "\n".join(["### The environment, random legal play", "", *_table(head, rows), *_sources(found)])


def _peers(found: Sequence[Record]) -> str:
    """Return the ratios, and what they are ratios of."""
    lines: list[str] = []
    for record in found:
        data = record.data
        lines += [f"### Against others, by turns in one run ({data['device']['platform']})", ""]
        ratios = [
            [
                one["ours"],
                one["peer"],
                one["counted"],
                thousands(one["per_cpu_second"]),
                thousands(one["per_second"]),
            ]
            for one in data["ratios"]
        ]
        lines += _table(("ours", "theirs", "counted", "times per CPU second", "times per second"), ratios)
        lines += [f"| {name} | absent: {reason} | | | |" for name, reason in data["absent"].items()]
        contestants = [
            [
                name,
                ", ".join(f"{package} {version}" for package, version in one["versions"].items()),
                one["plays"],
                one["observation"],
                str(one["batch"]),
                thousands(one["rates"]["steps_per_second"]),
                thousands(one["rates"]["steps_per_cpu_second"]),
                thousands(one["rates"]["pieces_per_cpu_second"]),
            ]
            for name, one in data["contestants"].items()
        ]
        head = (
            "", "with", "a step is", "observed", "batch", "steps/s", "steps per CPU second", "pieces per CPU second"
        )  # fmt: skip
        lines += ["", *_table(head, contestants), *_sources([record])]
    return "\n".join(lines)


def _training(found: Sequence[Record]) -> str:
    """Return the speed of whole training, and the parts of an iteration."""
    rows = []
    for record in found:
        rows += [_training_row(record.data["device"], agent) for agent in record.data["agents"]]
    if not rows:
        return ""
    head = (
        "agent", "device", "boards", "parameters", "steps/s", "environment", "acting", "learning", "rest",
        "model GFLOP/s", "memory, MiB",
    )  # fmt: skip
    return "\n".join(
        ["### Training from end to end", "", *_table(head, rows), *_sources(found, charts_too=False)]
    )


def _training_row(device: dict[str, Any], agent: dict[str, Any]) -> list[str]:
    shares = agent["profile"]
    parts = [
        f"{shares[part]:.0%}" if shares else "?" for part in ("environment", "acting", "learning", "rest")
    ]
    memory = agent["memory_bytes"]
    return [
        f"{agent['algorithm']} {agent['preset']}, `{agent['actions']}`, {agent['compute_dtype']}",
        device["kind"],
        f"{agent['num_envs']:,}",
        f"{agent['parameters']:,}",
        thousands(agent["steps_per_second"]),
        *parts,
        thousands(agent["model_flops_per_second"] / 1e9),
        thousands(memory["total"] / 2**20) if memory else "?",
    ]


def _dreamer(found: Sequence[Record]) -> str:
    """Return the speed of Dreamer's updates beside the published agent, and the parts of an update."""
    lines: list[str] = []
    for record in found:
        data = record.data
        title = f"### Dreamer beside the published agent, by turns in one run ({data['device']['platform']})"
        rows = []
        for name, one in data["contestants"].items():
            rates, ratio = one["rates"], data["ratios"].get(name)
            times = (
                [thousands(ratio[unit]) for unit in ("per_second", "per_cpu_second")] if ratio else ["", ""]
            )
            units = ("updates_per_second", "updates_per_cpu_second", "moments_per_second")
            rows.append([name, f"{one['parameters']:,}", *(thousands(rates[unit]) for unit in units), *times])
        head = (
            "", "parameters", "updates/s", "updates per CPU second", "replayed steps/s",
            "times the published, per second", "per CPU second",
        )  # fmt: skip
        lines += [title, "", *_table(head, rows), ""]
        parts = {name: one["parts"] for name, one in data["contestants"].items() if one.get("parts")}
        if parts:
            names = [name for name in next(iter(parts.values())) if name != "unnamed"]
            shares = [[name, *(f"{found[part]:.0%}" for part in names)] for name, found in parts.items()]
            lines += _table(("share of an update", *names), shares)
        lines += _sources([record], charts_too=False)
    return "\n".join(lines)


def _startup(found: Sequence[Record]) -> str:
    if not found:
        return ""
    rows = [
        [
            f"`{record.data['command']}`",
            *(
                f"{record.data[kind][unit]:.1f}"
                for kind in ("cold", "warm")
                for unit in ("seconds", "cpu_seconds")
            ),
            *(
                f"{record.data[kind]['whole_seconds']:.0f}" if "whole_seconds" in record.data[kind] else "?"
                for kind in ("cold", "warm")
            ),
        ]
        for record in found
    ]
    head = (
        "command", "first metric, cold, s", "CPU s", "warm, s", "CPU s", "whole run, cold, s", "warm, s"
    )  # fmt: skip
    lines = ["### Start and whole run", "", *_table(head, rows), *_sources(found, charts_too=False)]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _sources(found: Sequence[Record], charts_too: bool = True) -> list[str]:
    """Return how the numbers above came about, and their charts."""
    lines = [""]
    if charts_too:
        names = dict.fromkeys(charts.name(record) for record in found)
        lines += [f"![{name.replace('-', ' ')}]({charts.FOLDER.name}/{name}.svg)" for name in names]
        lines.append("")
    for record in found:
        one = record.measurement
        lines.append(f"- `{one.command}`: {one.machine}; {one.date}, commit {one.commit[:7]}")
    return [*lines, ""]
