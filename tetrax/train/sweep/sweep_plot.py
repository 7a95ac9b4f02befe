"""A sweep as a picture: the curve of each point with its spread, and the metric against each number varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tetrax.train.folder import files
from tetrax.train.folder.log import Row
from tetrax.train.report.numbers import short_number
from tetrax.train.report.plots import STYLE
from tetrax.train.report.rows import SO_FAR
from tetrax.train.sweep.sweep_points import show
from tetrax.train.sweep.sweep_results import Results, heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_LEGEND = 8  # more points are grey, but for the best ones
MAX_PANELS = 4  # numbers varied that get a panel; a fifth would make the picture hard to read
LOG_RATIO = 8.0  # from this ratio of highest to lowest value on, an axis is logarithmic
MAX_TICKS = 6  # values that are written on an axis themselves
GREY = "#bbbbbb"


def draw(rows: Sequence[Row], results: Results, path: Path, title: str) -> None:
    """Draw the rows of a sweep and what they came to; write a PNG."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tuned = list(results.points[0])[:MAX_PANELS]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 7), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        halves: Any = figure.subfigures(2, 1, height_ratios=(3, 2))
        curves, colors = halves[0].subplots(), _colors(results)
        curves.set_title(title)
        _draw_curves(curves, rows, results, colors)
        panels = halves[1].subplots(1, len(tuned), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, tuned, strict=True):
            _draw_metric(panel, results, name, colors)
        panels[0].set_ylabel(heading(results.metric, results.measures[0], results.stop).replace(", ", "\n"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            figure.savefig(temporary, format="png")


def _colors(results: Results) -> list[Any]:
    """Return a colour per point: along a scale in the order asked for, or grey for all but the best of many."""
    import matplotlib

    scale = matplotlib.colormaps["viridis"]
    count = len(results.points)
    if count <= MAX_LEGEND:
        return [scale(0.9 * point / max(count - 1, 1)) for point in range(count)]
    best = results.ranking[:MAX_LEGEND]
    return [
        scale(0.9 * best.index(point) / (MAX_LEGEND - 1)) if point in best else GREY for point in range(count)
    ]


def _draw_curves(axes: Axes, rows: Sequence[Row], results: Results, colors: list[Any]) -> None:
    """Draw the mean over seeds of the training metric, with a band of one standard deviation.

    Where no game has ended in a chunk, what games have come to so far is drawn, dotted.
    """
    name = results.metric.removeprefix("eval/")
    labelled = results.ranking[:MAX_LEGEND]
    for point in [*reversed(results.ranking)]:
        steps, values = curve(rows, results, point, name)  # [chunks], [chunks, seeds]
        present = ~np.isnan(values).all(axis=1)
        steps, values = steps[present], values[present]
        mean, spread = np.nanmean(values, axis=1), np.nanstd(values, axis=1)
        axes.fill_between(steps, mean - spread, mean + spread, color=colors[point], alpha=0.15, linewidth=0)
        label = ", ".join(f"{key.rpartition('.')[2]} {show(v)}" for key, v in results.points[point].items())
        axes.plot(steps, mean, color=colors[point], label=label if point in labelled else None)
        axes.plot(*_running(rows, results, point, name), color=colors[point], linestyle=":")
    axes.set_ylabel(heading(name, results.measures[0]) + ", training")
    axes.set_xlabel("environment steps of one seed")
    axes.xaxis.set_major_formatter(lambda value, _: short_number(value))
    handles, labels = axes.get_legend_handles_labels()
    order = [*reversed(range(len(labels)))]
    axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="upper left", title="best first")


def curve(rows: Sequence[Row], results: Results, point: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps [chunks] and a training metric of each seed of a point [chunks, seeds], NaN where none."""
    members = range(point * results.num_seeds, (point + 1) * results.num_seeds)
    by_step: dict[int, np.ndarray] = {}
    for row in rows:
        for member, value in zip(row["members"], row["per_member"].get(name, ()), strict=False):
            if member in members:
                seeds = by_step.setdefault(row["step"], np.full(results.num_seeds, np.nan))
                seeds[member - members[0]] = math.nan if value is None else value
    steps = sorted(by_step)
    values = [by_step[step] for step in steps]
    return np.asarray(steps), np.asarray(values).reshape(-1, results.num_seeds)


def _running(rows: Sequence[Row], results: Results, point: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps, and the mean over seeds of a metric of games that run where none of the point ended."""
    steps, values = curve(rows, results, point, SO_FAR + name)
    ended = dict(zip(*curve(rows, results, point, name), strict=True))
    means = [
        math.nan if step in ended and not np.isnan(ended[step]).all() else float(np.mean(seeds))
        for step, seeds in zip(steps, values, strict=True)
    ]
    return steps, np.asarray(means)


def _draw_metric(axes: Axes, results: Results, name: str, colors: list[Any]) -> None:
    """Draw the metric of each point over one of its numbers: every seed faint, mean and spread bold."""
    values = np.asarray([point[name] for point in results.points], float)
    means, spreads = results.means(results.metric), results.spreads(results.metric)
    if len(results.points[0]) == 1:  # otherwise points with equal values differ in something else
        order = [index for index in np.argsort(values) if not math.isnan(means[index])]
        axes.plot(values[order], means[order], color=GREY, linewidth=1.2, zorder=1)
    for point, color in enumerate(colors):
        seeds = results.values[results.metric][point]
        axes.plot(
            np.full(len(seeds), values[point]), seeds, "o", color=color, alpha=0.25, markersize=3, zorder=2
        )
        axes.errorbar(
            values[point],
            means[point],
            spreads[point],
            color=color,
            marker="o",
            markersize=6,
            capsize=3,
            zorder=3,
        )
    if values.min() > 0 and values.max() / values.min() >= LOG_RATIO:
        axes.set_xscale("log")
    distinct = sorted({point[name] for point in results.points})
    if len(distinct) <= MAX_TICKS:
        axes.set_xticks(distinct, [show(value) for value in distinct])
        axes.set_xticks([], minor=True)
    axes.set_xlabel(name)
