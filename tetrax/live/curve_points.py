"""Curves of runs for a page: smoothed over all that was measured, then thinned to what a screen can show."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tetrax.live.metric_columns import Logged
from tetrax.train.folder.run_folder import differences
from tetrax.train.report.run_curves import MOST_NAMED, SAME_LINE, SECONDS, moving_mean

DIGITS = 6  # of a number that is drawn
LONGEST_LABEL = 80
AXES = ("steps", "minutes")


@dataclass(frozen=True)
class Group:
    """The runs that are one curve."""

    key: str  # the same as long as the runs' configurations are
    label: str
    runs: tuple[str, ...]


def group(configs: Mapping[str, dict[str, Any]], *, seeds_together: bool) -> list[Group]:
    """Put runs together that differ in nothing but their seed, and name them by what they differ in.

    A run without a configuration is alone.
    """
    known: dict[str, list[str]] = {}
    for name, config in configs.items():
        key = name
        if seeds_together and config:
            key = json.dumps(_decisive(config), sort_keys=True)
        known.setdefault(key, []).append(name)
    labels = _labels({names[0]: _decisive(configs[names[0]]) for names in known.values()})
    keys = (names[0] for names in known.values())
    return [
        Group(key, labels[key] if seeds_together else key, tuple(names))
        for key, names in zip(keys, known.values(), strict=True)
    ]


def _decisive(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in SAME_LINE}


def _labels(documents: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Name configurations by what they differ in, by the runs' own names where that is much or nothing."""
    first = next(iter(documents.values()), {})
    paths = sorted({path for one in documents.values() for path in differences(first, one)})
    if not 0 < len(paths) <= MOST_NAMED or any("" in (path, *path.split(".")) for path in paths):
        return {name: name for name in documents}
    said = {name: ", ".join(f"{path} {_at(one, path)}" for path in paths) for name, one in documents.items()}
    return {name: words if len(words) <= LONGEST_LABEL else name for name, words in said.items()}


def _at(document: Any, path: str) -> str:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return json.dumps(document).strip('"')


def metric_names(logs: Sequence[Logged]) -> list[str]:
    """Return what any of some runs has measured, in the order of their logs."""
    names = (name for log in logs for name, column in log.values.items() if not np.isnan(column).all())
    return list(dict.fromkeys(names))


def curve(
    logs: Sequence[Logged], metric: str, *, x: str = "steps", smooth: int = 1, points: int = 600
) -> dict[str, Any] | None:
    """Return the curve of a metric over the seeds of some runs; None where none has measured it.

    `y` is the mean of the seeds that have come so far, `low` and `high` the lowest and the highest of several, `raw`
    of a single one what is not smoothed.
    """
    seeds = [series for log in logs for series in _series(log, metric, x)]
    if not seeds:
        return None
    # A moving mean of one row would lose what is small beside what came before.
    smoothed = [moving_mean(values, smooth) if smooth > 1 else values for _, values in seeds]
    if len(seeds) == 1:
        places, values = seeds[0][0], smoothed[0][None]
        raw = seeds[0][1][None] if smooth > 1 else None
    else:
        places, values = _side_by_side([places for places, _ in seeds], smoothed)
        raw = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no seed is in a gap between two of them
        drawn = {"x": places, "y": np.nanmean(values, axis=0)}
        if len(seeds) > 1:
            drawn |= {"low": np.nanmin(values, axis=0), "high": np.nanmax(values, axis=0)}
    if raw is not None:
        drawn["raw"] = raw[0]
    told: dict[str, Any] = {name: _written(_thin(array, points)) for name, array in drawn.items()}
    return told | {"seeds": len(seeds), "last": _written(drawn["y"][-1:])[0]}


def _series(log: Logged, metric: str, x: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return where each seed of a run was measured, and what; float64[N], float64[N], along a growing axis."""
    rows = log.per_seed.get(metric)
    if rows is None:
        rows = log.values[metric][None] if metric in log.values else np.zeros((0, 0))
    along = log.steps.astype(np.float64) if x == "steps" else log.seconds / SECONDS
    found = []
    for row in rows:
        there = np.isfinite(row) & np.isfinite(along)
        places, values = along[there], row[there].astype(np.float64)
        if (np.diff(places) < 0).any():
            order = np.argsort(places, kind="stable")
            places, values = places[order], values[order]
        if values.size:
            found.append((places, values))
    return found


def _side_by_side(along: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return all places of some seeds, and each seed's values there: between its own interpolated, NaN beyond them."""
    if all(np.array_equal(along[0], one) for one in along):
        return along[0], np.stack(values)
    places = np.unique(np.concatenate(along))
    rows = [
        np.interp(places, one, told, left=np.nan, right=np.nan)
        for one, told in zip(along, values, strict=True)
    ]
    return places, np.stack(rows)


def _thin(values: np.ndarray, points: int) -> np.ndarray:
    """Return the means of neighbours, so many together that `points` are left; the last value stays as it is."""
    if values.size <= points:
        return values
    edges = np.linspace(0, values.size - 1, points, dtype=np.int64)[:-1]
    sums = np.add.reduceat(values[:-1], edges)
    return np.append(sums / np.diff(np.append(edges, values.size - 1)), values[-1])


def _written(values: np.ndarray) -> list[float | None]:
    """Return numbers with as many digits as are drawn, null for NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(values))))
        short = np.where(np.isfinite(scale) & (scale > 0), np.round(values * scale) / scale, values)
    return [value if math.isfinite(value) else None for value in short.tolist()]
