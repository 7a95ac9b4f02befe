"""A chunk's outcome as a row of metrics.jsonl: per game, per second, per seed, and no NaN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from tetrax.agents.agent import Metrics
from tetrax.agents.episodes import GAMES
from tetrax.train.folder.log import Row
from tetrax.train.report.evaluation import EvalResult
from tetrax.world_model.dreams import Comparison

EVALUATION = "eval/"  # first letters of the measures of evaluations
SO_FAR = "running/"  # of the measures of games that are not over
DREAM = "dream/"  # of what comparing a world model's dreams with the truth comes to
CAPPED = EVALUATION + "capped"  # share of an evaluation's games that were stopped, and not lost
CAP = EVALUATION + "cap"  # length at which its games were stopped; 0 = never


def training_metrics(metrics: Metrics, so_far: Mapping[str, Any] | None = None) -> Row:
    """Turn reduced metrics (float32[] of one seed, float32[S] of several) into a row's entries.

    With several seeds each entry is the mean of those that have one, and "per_seed" has them all. What games came to
    is told per game, and None where none ended; `so_far` is what those came to that are not over, SO_FAR before each.
    """
    metrics = jax.tree.map(lambda values: np.atleast_1d(np.asarray(values, float)), metrics)
    totals = dict(metrics.totals)
    games = totals.pop(GAMES)
    per_seed: dict[str, list[float | None]] = {
        name: [total / count if count else None for total, count in zip(sums, games, strict=True)]
        for name, sums in totals.items()
    }
    per_seed[GAMES] = list(games)
    per_seed |= {name: list(values) for name, values in metrics.means.items()}
    running = {SO_FAR + name: np.asarray(value, float) for name, value in (so_far or {}).items()}
    per_seed |= {name: np.atleast_1d(values).tolist() for name, values in running.items()}
    return average_seeds(per_seed)


def evaluation_metrics(results: list[EvalResult]) -> Row:
    """Turn the evaluations of each seed into a row's entries, EVALUATION before each: means over games."""
    means: dict[str, list[float | None]] = {
        EVALUATION + name: [float(result.totals[name].mean()) for result in results]
        for name in results[0].totals
    }
    means[CAPPED] = [float(result.capped.mean()) for result in results]
    means[CAP] = [float(result.cap) for result in results]
    return average_seeds(means)


def dream_metrics(comparison: Comparison) -> Row:
    """Turn a comparison of dreams with the truth into a row's entries, DREAM before each."""
    return {DREAM + name: _finite(float(value)) for name, value in comparison.summary().items()}


def average_seeds(per_seed: Mapping[str, list[float | None]]) -> Row:
    """Return the mean of each metric over the seeds that have it, and "per_seed" if there are several."""
    row: Row = {}
    for name, values in per_seed.items():
        present = [value for value in values if value is not None and np.isfinite(value)]
        row[name] = float(np.mean(present)) if present else None
    if any(len(values) > 1 for values in per_seed.values()):
        row["per_seed"] = {name: [_finite(value) for value in values] for name, values in per_seed.items()}
    return row


def find_not_finite(metrics: Metrics) -> list[str]:
    """Name the metrics that are NaN or infinite, with their values."""
    found = {**metrics.totals, **metrics.means}
    values_by_name = {name: np.atleast_1d(np.asarray(values)) for name, values in found.items()}
    return [
        f"{name} is {values[~np.isfinite(values)][0]}"
        for name, values in values_by_name.items()
        if not np.isfinite(values).all()
    ]


def merge(row: Row, more: Row) -> Row:
    """Join two rows, those of each seed too."""
    joined = {**row, **more}
    if "per_seed" in row and "per_seed" in more:
        joined["per_seed"] = row["per_seed"] | more["per_seed"]
    return joined


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
