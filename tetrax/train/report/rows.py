"""A chunk's outcome as a row of metrics.jsonl: per game, per second, per seed, and no NaN."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tetrax.train.folder.log import Row
from tetrax.train.program import SUMS
from tetrax.train.report.evaluation import EvalResult

PER_GAME = ("lines", "return", "pieces", "score")  # what is summed over finished games, in the row's order


def training_metrics(metrics: Mapping[str, np.ndarray]) -> Row:
    """Turn reduced metrics (float32[] of one seed, float32[S] of several) into a row's entries.

    With several seeds each entry is the mean of those that have one, and "per_seed" has them all. A metric per
    game is None where no game ended.
    """
    seeds = {name: np.atleast_1d(values).astype(float) for name, values in metrics.items()}
    games = seeds.pop(SUMS + "count", None)
    per_seed: dict[str, list[float | None]] = {}
    for name in PER_GAME:
        if games is not None and (sums := seeds.pop(SUMS + name, None)) is not None:
            per_seed[name] = [
                total / count if count else None for total, count in zip(sums, games, strict=True)
            ]
    if games is not None:
        per_seed["games"] = list(games)
    per_seed |= {name.removeprefix(SUMS): list(values) for name, values in seeds.items()}
    return over_seeds(per_seed)


def evaluation_metrics(results: list[EvalResult]) -> Row:
    """Turn the evaluations of each seed into a row's entries, "eval/lines" and so on: means over games."""
    return over_seeds(
        {
            "eval/lines": [float(result.lines.mean()) for result in results],
            "eval/return": [float(result.returns.mean()) for result in results],
            "eval/pieces": [float(result.pieces.mean()) for result in results],
            "eval/score": [float(result.score.mean()) for result in results],
            "eval/capped": [float(result.capped.mean()) for result in results],
        }
    )


def over_seeds(per_seed: Mapping[str, list[float | None]]) -> Row:
    """Return the mean of each metric over the seeds that have it, and "per_seed" if there are several."""
    row: Row = {}
    for name, values in per_seed.items():
        present = [value for value in values if value is not None and np.isfinite(value)]
        row[name] = float(np.mean(present)) if present else None
    if any(len(values) > 1 for values in per_seed.values()):
        row["per_seed"] = {name: [_finite(value) for value in values] for name, values in per_seed.items()}
    return row


def not_finite(metrics: Mapping[str, np.ndarray]) -> list[str]:
    """Name the metrics that are NaN or infinite, with their values."""
    return [
        f"{name} is {np.atleast_1d(values)[~np.isfinite(np.atleast_1d(values))][0]}"
        for name, values in metrics.items()
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
