"""What a sweep came to: its rows of sweep.jsonl summed up by point, in a table and as JSON values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tetrax.env.contract import STEPS
from tetrax.train.folder.log import Row
from tetrax.train.report.columns import align
from tetrax.train.report.metric_labels import Measures
from tetrax.train.report.rows import CAP, CAPPED, EVALUATION, SO_FAR
from tetrax.train.sweep.sweep_points import Point, show

LAST_SHARE = 0.25  # of the steps trained, at the end: the games whose mean is a member's training metric


@dataclass(frozen=True)
class Results:
    """One number per member and metric, NaN where there is none; members of a point are seeds in order."""

    points: tuple[Point, ...]
    num_seeds: int
    metric: str  # the one by which points are ranked
    measures: tuple[str, ...]  # of the game, the headline first
    # By metric: the measures, in training and with EVALUATION before them.
    values: Mapping[str, np.ndarray]  # float64[points, seeds]
    diverged: np.ndarray  # bool[points, seeds]
    steps: np.ndarray  # int64[points], environment steps trained, of one seed
    length: str = STEPS  # the measure in which games are long, and by which evaluations are stopped

    @property
    def stop(self) -> str:
        """Say where the games of evaluations were stopped; nothing where they were not."""
        caps = self.values[CAP][~np.isnan(self.values[CAP])] if CAP in self.values else np.zeros(0)
        return Measures(length=self.length).stop(caps.max(initial=0.0))

    @property
    def ranking(self) -> list[int]:
        """Return the points, best first: trained longest, fewest seeds diverged, highest mean of the metric.

        Where evaluations are equal, as those of policies that no game ends, the same metric of training decides.
        """
        by_metric, by_training = (
            self._missing_last(self.metric),
            self._missing_last(_in_training(self.metric)),
        )
        return sorted(
            range(len(self.points)),
            key=lambda point: (
                -self.steps[point],
                self.diverged[point].sum(),
                by_metric[point],
                by_training[point],
            ),
        )

    @property
    def best(self) -> int | None:
        """Return the best point; None where no point has a value."""
        first = self.ranking[0]
        return None if math.isnan(self._known(self.metric)[first]) else first

    def _missing_last(self, metric: str) -> np.ndarray:
        means = self._known(metric)
        return np.where(np.isnan(means), math.inf, -means)

    def _known(self, metric: str) -> np.ndarray:
        """Return the means, where no game has ended of what the games have come to so far, float64[points]."""
        means = self.means(metric)
        so_far = SO_FAR + metric
        return np.where(np.isnan(means), self.means(so_far), means) if so_far in self.values else means

    def means(self, metric: str) -> np.ndarray:
        """Return the mean over the seeds that have a value, float64[points]."""
        return np.asarray([_mean(seeds) for seeds in self.values[metric]])

    def spreads(self, metric: str) -> np.ndarray:
        """Return the standard deviation over seeds (n - 1), 0 for one seed, float64[points]."""
        return np.asarray([_spread(seeds) for seeds in self.values[metric]])

    def to_json(self) -> dict[str, Any]:
        """Return the points, best first, as JSON values; null where there is no value."""
        listed = []
        for point in self.ranking:
            metrics = {
                name: {
                    "mean": _or_none(self.means(name)[point]),
                    "std": _or_none(self.spreads(name)[point]),
                    "per_seed": [_or_none(value) for value in self.values[name][point]],
                }
                for name in self.values
                if not np.isnan(self.values[name]).all()
            }
            listed.append(
                {
                    "values": dict(self.points[point]),
                    "point": point,
                    "step": int(self.steps[point]),
                    "diverged": int(self.diverged[point].sum()),
                    **metrics,
                }
            )
        return {"metric": self.metric, "best": self.best, "points": listed}


def sum_up(
    rows: Sequence[Row],
    points: tuple[Point, ...],
    num_seeds: int,
    metric: str,
    measures: tuple[str, ...],
    length: str = STEPS,
) -> Results:
    """Sum up the rows of a sweep; `metric` gives way to its training counterpart where nothing was evaluated."""
    evaluated = EVALUATION + measures[0]
    shape = (len(points), num_seeds)
    evaluations = [row for row in rows if evaluated in row["per_member"]]
    trained = [row for row in rows if evaluated not in row["per_member"]]
    steps, diverged = np.zeros(len(points) * num_seeds, int), np.zeros(len(points) * num_seeds, bool)
    for row in trained:
        steps[row["members"]] = row["step"]
        diverged[row["diverged"]] = True
    values = {name: training_values(trained, len(steps), name, diverged) for name in measures}
    for name in (EVALUATION + measure for measure in measures):
        values[name] = np.full(len(steps), np.nan)
        for row in evaluations:
            values[name][row["members"]] = row["per_member"].get(name, math.nan)
    values |= _told_beside(rows, diverged, measures[0])
    if metric.startswith(EVALUATION) and not evaluations:
        metric = _in_training(metric)
    by_point = {name: value.reshape(shape) for name, value in values.items()}
    return Results(
        points=points,
        num_seeds=num_seeds,
        metric=metric,
        measures=measures,
        values=by_point,
        diverged=diverged.reshape(shape),
        steps=steps.reshape(shape).max(1),
        length=length,
    )


def _told_beside(rows: Sequence[Row], diverged: np.ndarray, headline: str) -> dict[str, np.ndarray]:
    """Return the last value of what helps to read the others: games that run, and which games were stopped."""
    values = {name: np.full(len(diverged), np.nan) for name in (SO_FAR + headline, CAPPED, CAP)}
    for name, known in values.items():
        for row in rows:
            if name in row["per_member"]:
                told = [math.nan if value is None else value for value in row["per_member"][name]]
                known[row["members"]] = told
        known[diverged] = np.nan
    return values


def heading(name: str, headline: str, stop: str = "") -> str:
    """Return what a metric of a game with this first measure is called over a column or a curve.

    `stop` says where evaluations were stopped.
    """
    evaluated = f"evaluation {stop}" if stop else "evaluation (greedy)"
    headings = {
        headline: f"{headline} per game",
        EVALUATION + headline: f"{evaluated}, {headline}",
        CAPPED: "not lost",
    }
    return headings.get(name, name)


def training_values(rows: Sequence[Row], num_members: int, name: str, diverged: np.ndarray) -> np.ndarray:
    """Return each member's mean over the games that ended in the last quarter of its training, float64[members]."""
    last = np.zeros(num_members)
    for row in rows:
        last[row["members"]] = row["step"]
    totals, games = np.zeros(num_members), np.zeros(num_members)
    for row in rows:
        per_member = row["per_member"]
        for member, value, count in zip(
            row["members"], per_member.get(name, ()), per_member.get("games", ()), strict=False
        ):
            if value is not None and row["step"] > (1 - LAST_SHARE) * last[member]:
                totals[member] += value * count
                games[member] += count
    with np.errstate(invalid="ignore"):
        return np.where(diverged | (games == 0), np.nan, totals / games)


def find_without_effect(results: Results) -> list[str]:
    """Name the numbers that changed nothing: points that differ in one of them alone trained exactly alike."""
    trained = np.stack([results.values[name] for name in results.measures])  # [metrics, points, seeds]
    found = []
    for name in results.points[0]:
        pairs = [
            (first, second)
            for first, second in itertools.combinations(range(len(results.points)), 2)
            if _differ_in(results.points[first], results.points[second]) == {name}
        ]
        if pairs and all(
            np.array_equal(trained[:, first], trained[:, second], equal_nan=True) for first, second in pairs
        ):
            found.append(name)
    return found


def table(results: Results) -> str:
    """Write a line per point, best first: its values, its seeds, mean ± spread over seeds."""
    tuned = list(results.points[0])
    headline = results.measures[0]
    names = dict.fromkeys((headline, EVALUATION + headline, results.metric))
    shown = [name for name in names if _has(results, name) or _has(results, SO_FAR + name)]
    if results.stop and _has(results, CAPPED):
        shown.append(CAPPED)
    headings = (heading(name, headline, results.stop) for name in shown)
    written = [["", *tuned, "seeds", *headings, "steps"]]
    for rank, point in enumerate(results.ranking):
        lost = int(results.diverged[point].sum())
        written.append(
            [
                f"{rank + 1}.",
                *(show(results.points[point][name]) for name in tuned),
                str(results.num_seeds) + (f" ({lost} diverged)" if lost else ""),
                *(_cell(results, name, point) for name in shown),
                f"{results.steps[point]:,}",
            ]
        )
    return align(written)


def _in_training(metric: str) -> str:
    """Return the metric of training that an evaluation's corresponds to."""
    return metric.removeprefix(EVALUATION)


def _differ_in(first: Point, second: Point) -> set[str]:
    return {name for name in first if first[name] != second[name]}


def _has(results: Results, name: str) -> bool:
    return name in results.values and not np.isnan(results.values[name]).all()


def _cell(results: Results, name: str, point: int) -> str:
    """Write a metric of a point; where no game of its training ended, what its games have come to so far."""
    if name == CAPPED:
        share = results.means(name)[point]
        return "–" if math.isnan(share) else f"{share:.1%}"
    so_far = SO_FAR + name
    running = math.isnan(results.means(name)[point]) and _has(results, so_far)
    metric, mark = (so_far, " so far") if running else (name, "")
    return _in_words(results.means(metric)[point], results.spreads(metric)[point], results.num_seeds) + mark


def _in_words(mean: float, spread: float, num_seeds: int) -> str:
    if math.isnan(mean):
        return "–"
    return f"{mean:,.4g}" + (f" ± {spread:,.2g}" if num_seeds > 1 else "")


def _mean(seeds: np.ndarray) -> float:
    present = seeds[~np.isnan(seeds)]
    return float(present.mean()) if present.size else math.nan


def _spread(seeds: np.ndarray) -> float:
    present = seeds[~np.isnan(seeds)]
    if not present.size:
        return math.nan
    return float(present.std(ddof=1)) if present.size > 1 else 0.0


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
