"""The ablation's table in docs/agents.md, and its charts.

How well an agent plays while it learns is read off the games that end, over the steps played. Lines per ended game
would leave out the best games, those that go on: of an agent that never loses nothing would be seen.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import charts, curves
from benchmarks.ablation_results import POINTS, WHOLE, Result
from benchmarks.measure import thousands
from tetrax.fields.errors import UserError

FOLDER = charts.FOLDER
COLUMNS = 4  # of panels
HEAD = (
    "variant", "lines, greedy", "games ended per 1,000 steps of training", "the same, in the last tenth", "training, s",
)  # fmt: skip


def content(found: Sequence[Result]) -> str:
    """Return what stands between the page's markers: a table and a chart for each action set."""
    return "\n".join(_section(of) for of in by_actions(found).values())


def by_actions(found: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results of each action set."""
    grouped: dict[str, list[Result]] = {}
    for one in found:
        grouped.setdefault(one.actions, []).append(one)
    return grouped


def _section(found: Sequence[Result]) -> str:
    first = found[0]
    for one in found:
        if _setting(one) != _setting(first):
            raise UserError(
                f"{one.file_name}: given {_setting(one)}; allowed: {_setting(first)}, as in {first.file_name}"
            )
    rows = [[f"`{one.name}`", *_numbers(one)] for one in found]
    lines = [f"### Rainbow without each of its parts, `{first.actions}`", ""]
    lines += [f"| {' | '.join(HEAD)} |", "|---|" + "---:|" * (len(HEAD) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [
        "",
        f"Mean ± standard deviation over seeds: {_setting(first)}.",
        "",
        f"![ablation, {first.actions}]({FOLDER.name}/{chart_name(first.actions)})",
        "",
        *(f"- `{one.command}`: {one.machine}; {one.date}, commit {one.commit[:7]}" for one in found),
        "",
    ]
    return "\n".join(lines)


def _setting(one: Result) -> str:
    """Say what all variants must have in common for their numbers to be compared."""
    played = one.seeds[0]["evaluation"]
    capped = f" of at most {played['max_pieces']:,} pieces" if played["max_pieces"] else ""
    steps = f"{one.steps:,} steps after {one.warmup_steps:,} random ones"
    return f"{len(one.seeds)} seeds, {steps}, then {played['games']:,} greedy games{capped} each"


def _numbers(one: Result) -> list[str]:
    """Return the cells of a variant's row after its name."""
    greedy = [seed["evaluation"]["lines"] for seed in one.seeds]
    starts = [one.warmup_steps, one.warmup_steps + one.steps * 9 / 10]
    end = one.warmup_steps + one.steps
    ended = [[count_ended(seed["points"], start, end) for seed in one.seeds] for start in starts]
    return [*(_spread(values) for values in (greedy, *ended)), f"{one.seconds:,.0f}"]


def count_ended(points: Sequence[Sequence[float]], start: float, end: float) -> float:
    """Return the training games that ended after one step and up to another, per 1,000 steps."""
    # A point lies at the end of its steps; none was kept where no game ended.
    return 1_000 * sum(games for step, _, games in points if start < step <= end) / (end - start)


def _spread(values: Sequence[float]) -> str:
    """Write the mean of some seeds, and their standard deviation where there are several."""
    mean = thousands(statistics.fmean(values))
    return mean if len(values) == 1 else f"{mean} ± {thousands(statistics.stdev(values))}"


def chart_name(actions: str) -> str:
    """Return the file name of an action set's chart."""
    return f"ablation-{actions}.svg"


def draw(found: Sequence[Result], folder: Path) -> list[Path]:
    """Draw a chart for each action set; return the files."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "tetrax"  # the same data, the same file
    import matplotlib.pyplot as plt

    files = []
    for actions, of in by_actions(found).items():
        folder.mkdir(parents=True, exist_ok=True)
        figure = _panels(of)
        files.append(folder / chart_name(actions))
        figure.savefig(files[-1], metadata={"Date": None})
        plt.close(figure)
    return files


def _panels(found: Sequence[Result]) -> Any:
    """Draw each variant beside the whole agent, its seeds thin, and last the greedy games of all."""
    import matplotlib.pyplot as plt

    whole = next((one for one in found if one.name == WHOLE), None)
    variants = [one for one in found if one is not whole] or list(found)
    rows = -(-(len(variants) + 1) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(3.2 * COLUMNS, 2.6 * rows), squeeze=False)
    axes = [axis for row in grid for axis in row]
    for axis in axes[1 : len(variants)]:
        axis.sharey(axes[0])
    for axis, one in zip(axes, variants, strict=False):
        if whole is not None and one is not whole:
            _curve(axis, whole, charts.OTHERS)
        _curve(axis, one, charts.OURS)
        axis.set_title(one.name, loc="left", fontsize=9)
        axis.set_xlabel("environment steps (millions)", fontsize=8)
        axis.legend(frameon=False, fontsize=7)
    axes[0].set_yscale("symlog", linthresh=0.1)
    axes[0].set_ylim(bottom=0)
    for axis in axes[: len(variants) : COLUMNS]:
        axis.set_ylabel("games ended per 1,000 steps", fontsize=8)
    _greedy(axes[len(variants)], found)
    for axis in axes[: len(variants) + 1]:
        axis.tick_params(axis="x", labelsize=8)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(variants) + 1 :]:
        axis.set_visible(False)
    figure.tight_layout()
    return figure


def _curve(axis: Any, one: Result, colour: str) -> None:
    """Draw the seeds of a variant thin, and their mean thick."""
    seeds = [count_ended_over_steps(one, seed["points"]) for seed in one.seeds]
    for points in seeds:
        axis.plot(*curves.columns(points, 1), color=colour, linewidth=0.8, alpha=0.45)
    mean = curves.mean_curve(seeds, column=1)
    axis.plot(*curves.columns(mean, 1), color=colour, linewidth=2, label=one.name)


def count_ended_over_steps(one: Result, points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return [(step, games that ended per 1,000 steps up to there, from the point before)], POINTS of them."""
    edges = [one.warmup_steps + one.steps * number / POINTS for number in range(POINTS + 1)]
    return [(end, count_ended(points, start, end)) for start, end in itertools.pairwise(edges)]


def _greedy(axis: Any, found: Sequence[Result]) -> None:
    """Draw the lines per greedy game: a dot for each seed, a bar for their mean."""
    for place, one in enumerate(reversed(found)):
        lines = [seed["evaluation"]["lines"] for seed in one.seeds]
        colour = charts.OTHERS if one.name == WHOLE else charts.OURS
        axis.barh(place, statistics.fmean(lines), color=colour, alpha=0.5, height=0.6)
        axis.plot(lines, [place] * len(lines), linestyle="", marker="o", markersize=3, color=colour)
    names = [one.name for one in reversed(found)]
    axis.set_yticks(range(len(found)), names, fontsize=7, ha="left")
    axis.tick_params(axis="y", length=0, pad=-4)  # the names stand on the bars
    axis.set_title("lines per greedy game", loc="left", fontsize=9)
