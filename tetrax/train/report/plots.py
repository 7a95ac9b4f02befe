"""The learning curve as a picture, over environment steps: what games come to, what of that is only length, losses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tetrax.train.folder import files
from tetrax.train.folder.log import Row
from tetrax.train.report.metric_labels import RATE, Measures
from tetrax.train.report.numbers import short_number
from tetrax.train.report.rows import CAP, EVALUATION, SO_FAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, GREEDY, FINAL = "#2a6fdb", "#e4572e", "#8e1b0e"  # of games while training, and of evaluations
COLORS = {
    "loss/policy": "#2a6fdb",
    "loss/value": "#e4572e",
    "entropy": "#17a673",
}
MAX_MARKERS = 50  # more would run together
MOST_IN_A_LINE = 4  # losses in a legend
FAR_APART = 10.0  # times what training games come to; where evaluations do, the axis is logarithmic
DASHES = ("-", "--", ":")  # of evaluations with one cap, with another …
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "text.parse_math": False,  # a dollar in a name is no formula
}


@dataclass(frozen=True)
class FinalEvaluation:
    """The evaluation at the end."""

    step: int
    cap: int  # length at which its games were stopped; 0 = never
    episodes: int
    capped: int  # games that were stopped, and not lost
    means: Mapping[str, float]  # by measure of the game
    interval: tuple[float, float]  # 95%, of the headline measure's mean

    @classmethod
    def of(cls, document: Mapping[str, Any], measures: Sequence[str], length: str) -> FinalEvaluation:
        """Read the content of eval.json; KeyError or TypeError where it is something else."""
        low, high = document[measures[0]]["ci95"]
        means = {name: float(document[name]["mean"]) for name in measures}
        return cls(
            step=int(document["step"]),
            cap=int(document[f"max_{length}"]),
            episodes=int(document["episodes"]),
            capped=int(document["capped"]),
            means=means,
            interval=(float(low), float(high)),
        )


def learning_curve(
    rows: Sequence[Row], path: Path, title: str, measures: Measures, final: FinalEvaluation | None = None
) -> None:
    """Draw the rows of metrics.jsonl, and the evaluation at the end if there is one; write a PNG."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [measures.with_rates(row) for row in rows]
    heights = (3, 1.7, 2) if measures.has_rate else (3, 2)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 1.3 * sum(heights)), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        panels[0].set_title(title)
        _draw_games(panels[0], rows, measures, final)
        if measures.has_rate:
            _draw_rates(panels[1], rows, measures, final)
        _draw_learning(panels[-1], rows)
        panels[-1].set_xlabel("environment steps")
        panels[-1].xaxis.set_major_formatter(lambda value, _: short_number(value))
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            figure.savefig(temporary, format="png")


def _draw_games(axes: Axes, rows: Sequence[Row], measures: Measures, final: FinalEvaluation | None) -> None:
    """Draw what games come to: those of training, those that run where none has ended yet, and evaluations."""
    headline = measures.headline
    for seed_values in _per_seed(rows, headline):
        axes.plot(*seed_values, color=TRAINING, alpha=0.25, linewidth=1)
    trained = _draw_training(axes, rows, headline)
    evaluated = [value for _, _, values in evaluations(rows, headline) for value in values]
    _draw_evaluations(axes, rows, headline, measures)
    if final is not None:
        low, high = final.interval
        mean = final.means[headline]
        axes.errorbar(
            final.step,
            mean,
            [[mean - low], [high - mean]],
            color=FINAL,
            marker="D",
            markersize=7,
            capsize=4,
            linestyle="none",
            label=final_label(final, measures),
            zorder=4,
        )
        evaluated.append(mean)
    axes.set_ylabel(f"{headline} per game")
    shown = [*trained, *evaluated]
    if min(shown, default=0.0) >= 0:
        if trained and evaluated and max(evaluated) > FAR_APART * max(1.0, *trained):
            axes.set_yscale("symlog", linthresh=1.0)
            axes.yaxis.set_major_formatter(lambda value, _: short_number(value))
            axes.set_ylabel(f"{headline} per game (logarithmic)")
        axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def final_label(final: FinalEvaluation, measures: Measures) -> str:
    """Say what the evaluation at the end was, and how many of its games were stopped instead of lost."""
    stop = measures.stop(final.cap)
    kept = f"; {final.capped:,} of {final.episodes:,} not lost" if measures.has_rate else ""
    return f"final evaluation {stop}{kept}".replace("  ", " ").rstrip()


def _draw_training(axes: Axes, rows: Sequence[Row], name: str) -> list[float]:
    """Draw a metric of training games: of those that ended, and dotted of those that run where none did."""
    steps, values = _series(rows, name)
    if values:
        axes.plot(steps, values, color=TRAINING, label="games while training, to their end")
    running = [
        (row["step"], row[SO_FAR + name] if row.get(name) is None else math.nan)
        for row in rows
        if row.get(SO_FAR + name) is not None
    ]
    so_far = [value for _, value in running if not math.isnan(value)]
    if so_far:
        marker = "." if len(so_far) <= MAX_MARKERS else ""
        axes.plot(
            *zip(*running, strict=True),
            color=TRAINING,
            linestyle=":",
            marker=marker,
            markersize=4,
            label="games still running, so far (where none ended)",
        )
    return [*values, *so_far]


def _draw_evaluations(axes: Axes, rows: Sequence[Row], name: str, measures: Measures) -> None:
    """Draw the evaluations while training, those that were stopped elsewhere apart."""
    for index, (cap, steps, values) in enumerate(evaluations(rows, name)):
        stop = measures.stop(cap)
        axes.plot(
            steps,
            values,
            color=GREEDY,
            linestyle=DASHES[index % len(DASHES)],
            marker="o" if len(steps) <= MAX_MARKERS else "",
            markersize=4,
            label=f"evaluation (greedy) {stop}".rstrip(),
        )


def _draw_rates(axes: Axes, rows: Sequence[Row], measures: Measures, final: FinalEvaluation | None) -> None:
    """Draw what games come to for each unit of length: the same for all, wherever they were stopped."""
    _draw_training(axes, rows, RATE)
    _draw_evaluations(axes, rows, RATE, measures)
    if final is not None and final.means[measures.length]:
        rate = final.means[measures.headline] / final.means[measures.length]
        axes.plot(final.step, rate, color=FINAL, marker="D", markersize=7, zorder=4)
    axes.set_ylabel(measures.rate_label)
    if all(
        value >= 0 for name in (RATE, EVALUATION + RATE, SO_FAR + RATE) for value in _series(rows, name)[1]
    ):
        axes.set_ylim(bottom=0)


def evaluations(rows: Sequence[Row], name: str) -> list[tuple[float | None, list[int], list[float]]]:
    """Return where evaluations were stopped (None: unknown), their steps and what a metric was: by cap, in order."""
    by_cap: dict[float | None, tuple[list[int], list[float]]] = {}
    for row in rows:
        if row.get(EVALUATION + name) is not None:
            steps, values = by_cap.setdefault(row.get(CAP), ([], []))
            steps.append(row["step"])
            values.append(row[EVALUATION + name])
    return [(cap, steps, values) for cap, (steps, values) in by_cap.items()]


def _draw_learning(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the losses on the left scale and the entropy, if there is one, on the right one."""
    losses = sorted({name for row in rows for name in row if name.startswith("loss/")} - {"loss/total"})
    spare = iter(("#8e5bd0", "#c8a415", "#555555", "#d0588e", "#3aa7c9", "#8a5a2b", "#b6c94a"))
    for name in losses:
        color = COLORS.get(name) or next(spare, "#999999")
        axes.plot(
            *_series(rows, name),
            color=color,
            label=f"{name.removeprefix('loss/').replace('_', ' ')} loss",
            linewidth=1.3,
        )
    axes.set_ylabel("loss")
    halves = [axes]
    if _series(rows, "entropy")[0]:  # only policies that are drawn from have one
        halves.append(axes.twinx())
        halves[1].grid(visible=False)
        halves[1].spines["right"].set_visible(True)
        halves[1].plot(*_series(rows, "entropy"), color=COLORS["entropy"], label="entropy", linewidth=1.3)
        halves[1].set_ylabel("entropy (nats)", color=COLORS["entropy"])
        halves[1].set_ylim(bottom=0)
    handles = [line for half in halves for line in half.get_lines() if np.size(line.get_xdata())]
    axes.legend(handles=handles, loc="upper right", ncols=min(len(handles), MOST_IN_A_LINE) or 1)


def _series(rows: Sequence[Row], name: str) -> tuple[list[int], list[float]]:
    """Return steps and values of a metric, where it has one."""
    points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
    return [step for step, _ in points], [value for _, value in points]


def _per_seed(rows: Sequence[Row], name: str) -> list[tuple[list[int], list[Any]]]:
    """Return the series of each seed, nothing where there is only one."""
    rows = [row for row in rows if name in row.get("per_seed", {})]
    if not rows:
        return []
    steps = [row["step"] for row in rows]
    by_seed = zip(*(row["per_seed"][name] for row in rows), strict=True)
    return [(steps, [math.nan if value is None else value for value in values]) for values in by_seed]
