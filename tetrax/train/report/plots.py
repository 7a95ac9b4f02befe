"""The learning curve as a picture: what games come to above, losses and entropy below, over environment steps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tetrax.train.folder import files
from tetrax.train.folder.log import Row
from tetrax.train.report.rows import EVALUATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, GREEDY = "#2a6fdb", "#e4572e"  # of games while training, and of evaluations
COLORS = {
    "loss/policy": "#2a6fdb",
    "loss/value": "#e4572e",
    "entropy": "#17a673",
}
MAX_MARKERS = 50  # more would run together
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
    "lines.linewidth": 1.8,
}


def learning_curve(rows: list[Row], path: Path, title: str, headline: str) -> None:
    """Draw the rows of metrics.jsonl, of games whose first measure is `headline`, and write a PNG."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 6.5), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        games, learning = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        games.set_title(title)
        _draw_games(games, rows, headline)
        _draw_learning(learning, rows)
        learning.set_xlabel("environment steps")
        learning.xaxis.set_major_formatter(lambda value, _: short_number(value))
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            figure.savefig(temporary, format="png")


def short_number(value: float) -> str:
    """Write a large number with three digits: 1.31M, 26.4k, 512."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _draw_games(axes: Axes, rows: list[Row], headline: str) -> None:
    for seed_values in _per_seed(rows, headline):
        axes.plot(*seed_values, color=TRAINING, alpha=0.25, linewidth=1)
    trained, evaluations = _series(rows, headline), _series(rows, EVALUATION + headline)
    axes.plot(*trained, color=TRAINING, label="while training")
    if evaluations[0]:
        marker = "o" if len(evaluations[0]) <= MAX_MARKERS else ""
        axes.plot(*evaluations, color=GREEDY, marker=marker, markersize=4, label="evaluation (greedy)")
    axes.set_ylabel(f"{headline} per game")
    if min((*trained[1], *evaluations[1]), default=0.0) >= 0:
        axes.set_ylim(bottom=0)
    axes.legend(loc="best")


def _draw_learning(axes: Axes, rows: list[Row]) -> None:
    """Draw the losses on the left scale and the entropy, if there is one, on the right one."""
    losses = sorted({name for row in rows for name in row if name.startswith("loss/")} - {"loss/total"})
    spare = iter(("#8e5bd0", "#c8a415", "#555555", "#d0588e"))
    for name in losses:
        color = COLORS.get(name) or next(spare, "#999999")
        axes.plot(
            *_series(rows, name), color=color, label=f"{name.removeprefix('loss/')} loss", linewidth=1.3
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
    axes.legend(handles=handles, loc="upper right", ncols=len(handles) or 1)


def _series(rows: list[Row], name: str) -> tuple[list[int], list[float]]:
    """Return steps and values of a metric, where it has one."""
    points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
    return [step for step, _ in points], [value for _, value in points]


def _per_seed(rows: list[Row], name: str) -> list[tuple[list[int], list[Any]]]:
    """Return the series of each seed, nothing where there is only one."""
    rows = [row for row in rows if name in row.get("per_seed", {})]
    if not rows:
        return []
    steps = [row["step"] for row in rows]
    by_seed = zip(*(row["per_seed"][name] for row in rows), strict=True)
    return [(steps, [math.nan if value is None else value for value in values]) for values in by_seed]
