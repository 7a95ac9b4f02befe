"""Curves of several runs in one picture: runs that differ in nothing but their seed are one line, with their spread."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tetrax.fields.errors import UserError, wrong, wrong_name
from tetrax.system import disk
from tetrax.train.config import TrainConfig, load_config, to_json
from tetrax.train.folder import log
from tetrax.train.folder.log import Row
from tetrax.train.folder.run_folder import RunFolder, differences
from tetrax.train.report.numbers import short_number
from tetrax.train.report.plots import STYLE
from tetrax.train.report.rows import EVALUATION

# Settings that make no other line of a curve: which seeds, how far, and what is looked at and saved on the way.
SAME_LINE = (
    "seed",
    "num_seeds",
    "total_steps",
    "chunk_iterations",
    "checkpoint_seconds",
    "keep_checkpoints",
    "tensorboard",
    "wandb",
    "evaluation",
    "watch",
)
NO_METRICS = ("step", "wall_time")
MOST_NAMED = 3  # settings in a label; runs that differ in more are named by their folders
SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#2a6fdb", "#d9822b", "#3a9d5d", "#8e4ec6", "#c43d4b", "#5f7a86", "#b0a11f", "#d0588e")
AXES = {"steps": "environment steps", "minutes": "minutes"}
SECONDS = 60.0  # of a minute


class Series(NamedTuple):
    """A metric of one seed."""

    steps: np.ndarray  # int64[N]
    minutes: np.ndarray  # float64[N]
    values: np.ndarray  # float64[N]


@dataclass(frozen=True)
class LoggedRun:
    """A run's configuration and its rows."""

    folder: Path
    config: TrainConfig
    rows: list[Row]


@dataclass(frozen=True)
class Curve:
    """What is one line: the runs of one configuration."""

    label: str
    seeds: tuple[Series, ...]


def read(folder: Path) -> LoggedRun:
    """Read a run; UserError for a folder that holds none, or whose log is empty."""
    place = RunFolder(folder)
    if not place.config.is_file():
        raise wrong("RUN", str(folder), "the folder of a run (with config.json)")
    config, rows = load_config(place.config), log.read(place.metrics)
    if not rows:
        raise wrong("RUN", str(folder), f"a run that has logged something in {place.metrics.name}")
    return LoggedRun(folder, config, rows)


def metrics(runs: Sequence[LoggedRun]) -> list[str]:
    """Return the names of what every one of some runs has measured."""
    each = [{name for row in run.rows for name, value in row.items() if _is_number(value)} for run in runs]
    return sorted(set.intersection(*each) - set(NO_METRICS))


def default_metric(runs: Sequence[LoggedRun]) -> str:
    """Return the first measure of the game: in evaluations where all runs have some, else while training."""
    known = metrics(runs)
    if not known:
        raise UserError(
            "RUN: given runs that have measured nothing alike; allowed: runs with a metric in common"
        )
    try:
        headline = runs[0].config.make_env().spec.headline
    except (ValueError, ModuleNotFoundError) as error:
        raise UserError(f"{runs[0].folder}: {error}") from None
    return next((name for name in (EVALUATION + headline, headline) if name in known), known[0])


def curves(runs: Sequence[LoggedRun], metric: str, smooth: int = 1) -> list[Curve]:
    """Put runs together that differ in nothing but their seed; UserError for a metric that not all have."""
    known = metrics(runs)
    if metric not in known:
        raise wrong_name("--metric", metric, known)
    groups: dict[str, list[LoggedRun]] = {}
    for run in runs:
        groups.setdefault(json.dumps(_decisive(run.config), sort_keys=True), []).append(run)
    labels = _labels([group[0] for group in groups.values()])
    return [
        Curve(label, tuple(series for run in group for series in _series(run, metric, smooth)))
        for label, group in zip(labels, groups.values(), strict=True)
    ]


def _series(run: LoggedRun, metric: str, smooth: int) -> list[Series]:
    """Return a metric of each seed of a run, a moving mean over `smooth` rows."""
    rows = [row for row in run.rows if row.get(metric) is not None]
    several = all(metric in row.get("per_seed", {}) for row in rows)
    found = []
    for index in range(run.config.num_seeds if several else 1):
        given = [row["per_seed"][metric][index] if several else row[metric] for row in rows]
        values = np.array([math.nan if value is None else value for value in given], np.float64)
        steps = np.array([row["step"] for row in rows], np.int64)
        minutes = np.array([row["wall_time"] / SECONDS for row in rows], np.float64)
        there = np.isfinite(values)
        found.append(Series(steps[there], minutes[there], moving_mean(values[there], smooth)))
    return [series for series in found if series.values.size]


def moving_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Return the mean of each value and those around it, `width` together, fewer at the ends; float64[N]."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(values.size)
    first = np.maximum(places - (width - 1) // 2, 0)
    last = np.minimum(places + width // 2, values.size - 1)
    return (sums[last + 1] - sums[first]) / (last + 1 - first)


def together(seeds: Sequence[Series], x: str) -> tuple[np.ndarray, np.ndarray]:
    """Return where all seeds have come to, float64[N], and their values there, float64[seeds, N], interpolated."""
    along = [np.asarray(getattr(series, x), np.float64) for series in seeds]
    if len(seeds) == 1:
        return along[0], seeds[0].values[None]
    low, high = max(one[0] for one in along), min(one[-1] for one in along)
    places = np.unique(np.concatenate(along))
    places = places[(places >= low) & (places <= high)]
    if not places.size:
        raise UserError(
            f"RUN: given seeds that have nothing of their {AXES[x]} in common; allowed: runs that can be averaged, or "
            "one at a time"
        )
    values = [np.interp(places, one, series.values) for one, series in zip(along, seeds, strict=True)]
    return places, np.stack(values)


def draw(lines: Sequence[Curve], path: Path, metric: str, x: str = "steps") -> None:
    """Draw the mean of each curve's seeds, and a band from the lowest to the highest; the suffix says as what."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "tetrax"}):
        figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for number, curve in enumerate(lines):
            places, values = together(curve.seeds, x)
            colour = COLOURS[number % len(COLOURS)]
            several = f" ({len(curve.seeds)} seeds)" if len(curve.seeds) > 1 else ""
            style = "-" if number < len(COLOURS) else "--"
            axes.plot(places, values.mean(axis=0), style, color=colour, label=curve.label + several)
            if len(curve.seeds) > 1:
                axes.fill_between(
                    places, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, lw=0
                )
        axes.set_xlabel(AXES[x])
        axes.set_ylabel(metric.replace("_", " "))
        axes.xaxis.set_major_formatter(lambda value, _: short_number(value))
        axes.legend(loc="best")
        with disk.replacing(path) as temporary:
            figure.savefig(temporary, format=path.suffix.lower().removeprefix("."))


def _decisive(config: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in to_json(config).items() if name not in SAME_LINE}


def _labels(runs: Sequence[LoggedRun]) -> list[str]:
    """Name runs by what they differ in, or by their folders where that is much."""
    documents = [_decisive(run.config) for run in runs]
    paths = sorted({path for one in documents for path in differences(documents[0], one)})
    if not paths:
        return [runs[0].config.title]
    if len({run.config.algorithm for run in runs}) == len(runs):
        return [run.config.algorithm for run in runs]
    if len(paths) > MOST_NAMED:
        return [str(run.folder) for run in runs]
    return [", ".join(f"{path} {_at(one, path)}" for path in paths) for one in documents]


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
