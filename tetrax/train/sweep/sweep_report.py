"""What a sweep shows and leaves: its header, sweep.json, the plot, the best policy, and how the best is trained."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tetrax.train.config import flag
from tetrax.train.folder import files, policy_io
from tetrax.train.folder.log import Row
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.program import Program
from tetrax.train.report import account
from tetrax.train.report.display import Header, Summary
from tetrax.train.report.numbers import duration
from tetrax.train.run import DIVERGED, FINISHED, STOPPED, Run
from tetrax.train.sweep import sweep_plot, sweep_points, sweep_results
from tetrax.train.sweep.sweep_members import Sweep
from tetrax.train.sweep.sweep_points import ENV, show
from tetrax.train.sweep.sweep_results import Results

RESULTS, PLOT = "sweep.json", "sweep.png"


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended."""

    status: str  # FINISHED, STOPPED, or DIVERGED where no member is left
    exit_code: int
    results: Results | None  # None: nothing was measured
    num_traces: int  # how often a chunk was traced
    seconds: dict[str, float]  # where the time went


class Leader(NamedTuple):
    """The seed of a point whose evaluation came to most."""

    mean: float  # of the game's headline measure
    seed: int
    policy: Any


@dataclass
class Measured:
    """What is known so far."""

    rows: list[Row] = field(default_factory=list)  # as in sweep.jsonl
    leaders: dict[int, Leader] = field(default_factory=dict)  # by point
    programs: list[Program] = field(default_factory=list)

    def results(self, sweep: Sweep) -> Results | None:
        """Return what the sweep came to; None where nothing is measured."""
        if not self.rows:
            return None
        return sweep_results.sum_up(
            self.rows, sweep.points, sweep.config.num_seeds, sweep.metric, sweep.measures, sweep.length
        )


def header(run: Run, sweep: Sweep, groups: Sequence[Sequence[int]]) -> Header:
    """Say what will be trained."""
    at_once = f"{sweep.num_members} members at once"
    if len(groups) > 1:
        at_once = f"{len(groups)} groups of {len(groups[0])}"
    size = f"{_count(len(sweep.points), 'point')} × {_count(sweep.config.num_seeds, 'seed')}"
    return account.header(run, size, at_once, kind="sweep · ", programs=len(groups))


def leave(run: Run, sweep: Sweep, measured: Measured, ended: SweepResult, results: Results) -> None:
    """Write sweep.json, the plot, and the policy of the best point's best seed."""
    document = {
        "format": 1,
        "status": ended.status,
        "seeds": list(sweep.seeds),
        "total_steps": run.total_steps,
        "seconds": {name: round(spent, 1) for name, spent in ended.seconds.items()},
        "command": None if results.best is None else best_command(sweep, results.best),
        **results.to_json(),
    }
    files.write_json(run.folder.root / RESULTS, document)
    with run.phase("drawing"):
        sweep_plot.draw(measured.rows, results, plot_path(run.folder), sweep.config.title)
    if results.best in measured.leaders:
        leader = measured.leaders[results.best]
        config = sweep_points.with_point(sweep.config, sweep.points[results.best])
        config = dataclasses.replace(config, seed=leader.seed, num_seeds=1)
        policy_io.export(config, leader.policy, run.folder.policy)


def plot_path(folder: RunFolder) -> Path:
    """Return where a sweep's plot is."""
    return folder.learning_curve.with_name(PLOT)


def best_command(sweep: Sweep, point: int) -> str:
    """Return the command line that trains a point with its seeds: alone if it can, else as a sweep of one point."""
    values = sweep.points[point]
    if any(name.startswith(ENV) for name in values):  # no configuration holds these
        grids = [word for name in values for word in ("--grid", f"{name}={show(values[name])}")]
        words = ["sweep", sweep.config.algorithm, *sweep.command, *grids]
    else:
        given = [word for name in values for word in (flag(name), show(values[name]))]
        words = [sweep.config.algorithm, *sweep.command, *given]
    return shlex.join(["python", "-m", "tetrax.train", *words])


def summarise(run: Run, sweep: Sweep, ended: SweepResult) -> Summary:
    """Say how the sweep ended, where its results are and how the best point is trained."""
    steps = 0 if ended.results is None else int(ended.results.steps.max())
    kept = f"after {steps:,} steps; what was measured is kept" if steps else "before anything was measured"
    headline = {
        FINISHED: f"Finished: {sweep.num_members} members, {steps:,} steps each",
        STOPPED: f"Stopped {kept}, a sweep is not gone on with",
        DIVERGED: "Nothing to rank: no member has a value that is a number",
    }[ended.status] + f", in {duration(run.stopwatch.wall_time())}."
    folder = run.folder
    shown = {"results": folder.root / RESULTS, "plot": plot_path(folder), "best policy": folder.policy}
    facts = {label: str(path) for label, path in shown.items() if path.exists()}
    facts |= account.time_spent(run.stopwatch)
    commands: dict[str, str] = {}
    if ended.results is not None and ended.results.best is not None:
        facts["ranked by"] = f"{ended.results.metric}, mean over seeds"
        if names := sweep_results.find_without_effect(ended.results):
            facts["without effect here"] = ", ".join(names)
        commands["train the best point with"] = best_command(sweep, ended.results.best)
    if folder.policy.exists():
        commands["evaluate its best seed with"] = f"python -m tetrax.evaluate {shlex.quote(str(folder.root))}"
    return Summary(headline, facts, commands)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
