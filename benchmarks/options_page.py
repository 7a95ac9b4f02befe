"""What the options of Dreamer change: a table in docs/world_model.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import records

RESULTS = records.RESULTS / "options"


@dataclass(frozen=True)
class Variant:
    """Runs of one setting: what evaluations of theirs came to."""

    what: str
    flags: str  # beside the command
    lines: list[list[float]]  # of each seed, at each step
    seconds: list[float]  # of each seed, in all


@dataclass(frozen=True)
class Planned:
    """The policies of the first variant after so many steps, with and without looking ahead."""

    what: str
    flags: str
    commit: str
    after: int  # steps
    seeds: list[int]
    games: int  # of each seed
    actor: list[float]  # lines of each seed
    lines: list[float]
    seconds: list[list[float]]  # of each seed: without, with


@dataclass(frozen=True)
class Options:
    """A file of benchmarks/results/options: one game, several settings."""

    title: str
    command: str
    machine: str
    commit: str
    date: str  # YYYY-MM-DD
    seeds: list[int]
    games: int  # of an evaluation
    steps: list[int]  # of evaluations, without the random ones at the start
    variants: list[Variant]
    planned: list[Planned]


def read(folder: Path = RESULTS) -> list[Options]:
    """Read every file, in the order of their names; ValueError naming one that is not as it should be."""
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> Options:
    fields: dict[str, Any] = json.loads(path.read_text())
    try:
        fields["variants"] = [Variant(**each) for each in fields["variants"]]
        fields["planned"] = [Planned(**each) for each in fields["planned"]]
        found = Options(**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: given other fields ({error}); allowed: those of options_page.Options"
        ) from None
    for one in found.variants:
        if [len(lines) for lines in one.lines] != [len(found.steps)] * len(found.seeds):
            raise ValueError(
                f"{path}: {one.what}: given other numbers of lines; allowed: one for each seed and step"
            )
    return found


def content(found: Sequence[Options]) -> str:
    """Return what stands between the page's markers."""
    return "\n".join(_section(each) for each in found)


def _section(one: Options) -> str:
    heads = ["", *(f"{step:,} steps" for step in one.steps), "seconds"]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for variant in one.variants:
        by_step = zip(*variant.lines, strict=True)
        rows.append([_name(variant), *(_spread(lines) for lines in by_step), _spread(variant.seconds, 0)])
    lines = [_row(row) for row in rows]
    what = f"lines of {one.games} greedy games, mean over the seeds {_list(one.seeds)}"
    lines += ["", f"{one.title}: {what}, in brackets the lowest and the highest.", ""]
    for planned in one.planned:
        without, with_it = ([pair[place] for pair in planned.seconds] for place in (0, 1))
        lines += [
            f"{planned.what} (`{planned.flags}`), by the policies of the first line after {planned.after:,} steps: "
            f"{_spread(planned.lines)} lines in {planned.games} games, with seed {_list(planned.seeds)}, against "
            f"{_spread(planned.actor)} without. They took {_spread(with_it, 0)} seconds, compiling included, against "
            f"{_spread(without, 0)} (commit {planned.commit[:7]}).",
            "",
        ]
    lines += [f"`{one.command}` and the flags above; {one.machine}; {one.date}, commit {one.commit[:7]}.", ""]
    return "\n".join(lines)


def _name(variant: Variant) -> str:
    return f"{variant.what}: `{variant.flags}`" if variant.flags else variant.what


def _list(seeds: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in seeds)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], digits: int = 1) -> str:
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    low, high = (f"{end(values):.{digits}f}" for end in (min, max))
    return f"{statistics.fmean(values):.{digits}f} ({low} to {high})"
