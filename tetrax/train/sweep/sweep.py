"""A sweep: several seeds of several points, trained side by side in one compiled program, and compared.

Every member is a training of its own with its own values, on a leading axis; it comes out like a single run
with these values. The members are cut into equal groups, one after another through the same program, only where
memory or the user wants it. A sweep that was stopped keeps what was measured; it cannot be gone on with.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tetrax.agents.agent import Actor
from tetrax.fields.errors import UserError
from tetrax.train import start
from tetrax.train.config import flag, to_json
from tetrax.train.folder import files, policy_io, run_folder
from tetrax.train.folder.log import MetricsLog, Row
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.machine import compilation_cache
from tetrax.train.machine.signals import Interrupted, catching_signals
from tetrax.train.program import Outcome, Program
from tetrax.train.report import artifacts, rows
from tetrax.train.report.display import Display, Header, SilentDisplay, Summary, duration
from tetrax.train.report.evaluation import EvalResult, evaluate
from tetrax.train.run import DIVERGED, FINISHED, STOPPED, Run, Stopwatch
from tetrax.train.sweep import sweep_plot, sweep_points, sweep_results
from tetrax.train.sweep.sweep_members import Sweep, member_program, memory_limit, split
from tetrax.train.sweep.sweep_points import ENV, SWEEP_LOG, show
from tetrax.train.sweep.sweep_results import Results
from tetrax.view.scene import Scene, scene

RESULTS, PLOT = "sweep.json", "sweep.png"
RUNGS = (0.25, 0.5)  # shares of the steps after which successive halving drops half of the points
USABLE_MEMORY = 0.9  # of what there is, for one program


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended."""

    status: str  # FINISHED, STOPPED, or DIVERGED where no member is left
    exit_code: int
    results: Results | None  # None: nothing was measured
    num_traces: int  # how often a chunk was traced
    seconds: dict[str, float]  # where the time went


@dataclass
class _Measured:
    """What is known so far."""

    rows: list[Row] = field(default_factory=list)  # as in sweep.jsonl
    policies: dict[int, tuple[float, int, Any]] = field(default_factory=dict)
    """By point, of the seed with the most lines in its evaluation: these lines, the seed, its policy."""
    programs: list[Program] = field(default_factory=list)

    def results(self, sweep: Sweep) -> Results | None:
        if not self.rows:
            return None
        return sweep_results.summed_up(self.rows, sweep.points, sweep.config.num_seeds, sweep.metric)


def run(sweep: Sweep, *, run_dir: str | Path, display: Display | None = None) -> SweepResult:
    """Train every member, evaluate it, and leave results, plot and the best policy in a new run folder.

    Raises UserError for what cannot be done; whatever else ends a sweep is in the result.
    """
    compilation_cache.enable()
    env, program = start.make_program(sweep.config)
    folder = run_folder.create(Path(run_dir))
    with run_folder.locked(folder), display or SilentDisplay() as shown:
        files.write_json(folder.config, to_json(sweep.config))
        run_folder.record_start(folder, 0, {})
        with (
            MetricsLog(folder.root / SWEEP_LOG, None, step=0) as log,
            catching_signals(
                on_first=lambda: shown.note("Stopping after this chunk; once more to quit at once."),
                on_second=shown.restore_terminal,
            ) as stop,
        ):
            whole = Run(sweep.config, env, program, folder, log, shown, stop, Stopwatch(0.0))
            return _carry_out(whole, sweep)


def _carry_out(run: Run, sweep: Sweep) -> SweepResult:
    """Train and evaluate group by group, to the end or until the user stops it; then sum up."""
    measured, status = _Measured(), FINISHED
    try:
        with run.stop.at_once():
            program, groups = _fitting(run, sweep, measured)
        run.display.start(_header(run, sweep, groups), [])
        for number, members in enumerate(groups):
            offset = number * run.target_chunks * program.steps_per_chunk
            trained, state, left = _train(run, sweep, measured, (program, members), offset)
            with run.stop.at_once():
                _evaluate(run, sweep, measured, (trained, state, left))
    except Interrupted:
        status = STOPPED
    results = measured.results(sweep)
    if status == FINISHED and (results is None or results.best is None):
        status = DIVERGED
    exit_code = {FINISHED: 0, STOPPED: run.stop.exit_code, DIVERGED: 1}[status]
    num_traces = sum(program.num_traces for program in measured.programs)
    ended = SweepResult(status, exit_code, results, num_traces, run.stopwatch.seconds)
    if results is not None:
        _leave(run, sweep, measured, ended, results)
    run.display.finish(_summary(run, sweep, ended))
    return ended


def _fitting(run: Run, sweep: Sweep, measured: _Measured) -> tuple[Program, list[list[int]]]:
    """Compile the program for as many members at once as are asked for, or as memory holds."""
    at_once = min(sweep.members_at_once or sweep.num_members, sweep.num_members)
    while True:
        groups = split(sweep.num_members, at_once)
        program = _compiled(run, sweep, measured, groups[0])
        needed, available = program.memory_bytes(), USABLE_MEMORY * memory_limit()
        if sweep.members_at_once or needed <= available or at_once == 1:
            break
        at_once = max(1, min(at_once - 1, int(at_once * available / needed)))
        run.display.note(
            f"{len(groups[0])} members need {needed / 2**30:.1f} GiB, there are {available / 2**30:.1f}: "
            f"at most {at_once} at once"
        )
    if sweep.halving and len(groups) > 1:
        raise UserError(
            f"--halving: given with {len(groups[0])} members at once; allowed: with all {sweep.num_members}"
        )
    return program, groups


def _compiled(run: Run, sweep: Sweep, measured: _Measured, members: Sequence[int]) -> Program:
    """Compile the chunk for as many members."""
    run.display.phase(f"compiling for {len(members)} members")
    with run.stopwatch("compiling"):
        program = member_program(sweep, run.env, run.program.agent, members)
        program.compile()
    measured.programs.append(program)
    return program


def _train(
    run: Run, sweep: Sweep, measured: _Measured, group: tuple[Program, list[int]], offset: int
) -> tuple[Program, Any, list[int]]:
    """Train a group to the end; return its last program, its state and the members that are left in it."""
    program, members = group
    padded = [*members, *members[-1:] * (program.num_seeds - len(members))]  # a program has one size
    with run.phase("starting"), run.stop.at_once():
        state = program.initial_state(sweep_points.arrays(sweep.config, sweep.points, sweep.seeds, padded))
    rungs = {math.ceil(share * run.target_chunks) for share in RUNGS} if sweep.halving else set()
    for chunks in range(1, run.target_chunks + 1):
        run.display.phase("training")
        with run.stopwatch("training"):
            began = time.monotonic()
            state, outcome = jax.block_until_ready(program.run_chunk(state))
        row = _row(run, program, members, outcome, chunks, time.monotonic() - began)
        measured.rows.append(row)
        run.log.write(row)
        run.display.row({**row, "step": offset + row["step"]}, _scene(run, program, outcome))
        if run.stop.signal is not None:
            raise Interrupted
        if chunks in rungs and chunks < run.target_chunks:
            with run.stop.at_once():
                program, state, members = _halved(run, sweep, measured, state, members)
    return program, state, members


def _halved(
    run: Run, sweep: Sweep, measured: _Measured, state: Any, members: list[int]
) -> tuple[Program, Any, list[int]]:
    """Go on with the better half of the points: successive halving.

    Jamieson and Talwalkar 2016 (arXiv 1502.07943), algorithm 1; better by the training metric so far.
    """
    results, num_seeds = measured.results(sweep), sweep.config.num_seeds
    alive = len(members) // num_seeds
    if results is None or alive == 1:
        return measured.programs[-1], state, members
    kept = set(results.ranking[: math.ceil(alive / 2)])
    slots = [slot for slot, member in enumerate(members) if member // num_seeds in kept]
    chosen = np.asarray(slots) if len(slots) > 1 else slots[0]  # one member has no axis of its own
    state = jax.jit(lambda whole: jax.tree.map(lambda leaf: leaf[chosen], whole))(state)
    run.display.note(f"halving: {len(kept)} of {alive} points go on")
    left = [members[slot] for slot in slots]
    return _compiled(run, sweep, measured, left), state, left


def _row(
    run: Run, program: Program, members: list[int], outcome: Outcome, chunks: int, seconds: float
) -> Row:
    """Make the row of a chunk: means over members, and "per_member" in the order of "members"."""
    metrics = {name: np.atleast_1d(value)[: len(members)] for name, value in outcome.metrics.items()}
    finite = np.atleast_1d(outcome.finite)[: len(members)]
    for value in metrics.values():
        finite = finite & np.isfinite(value)
    means = rows.training_metrics(metrics)
    per_member = means.pop("per_seed", None) or {name: [value] for name, value in means.items()}
    return {
        "step": chunks * program.steps_per_chunk,
        "wall_time": round(run.stopwatch.wall_time(), 3),
        "steps_per_second": round(program.steps_per_chunk * len(members) / seconds, 1),
        **means,
        "members": members,
        "diverged": [member for member, well in zip(members, finite, strict=True) if not well],
        "per_member": per_member,
    }


def _evaluate(run: Run, sweep: Sweep, measured: _Measured, trained: tuple[Program, Any, list[int]]) -> None:
    """Let the greedy policy of every member that is left play the same games of the configuration's environment."""
    program, state, members = trained
    settings = run.config.evaluation
    diverged = {member for row in measured.rows for member in row["diverged"]}
    if settings.final_episodes == 0:
        return
    with run.stopwatch("evaluating"):
        for slot, member in enumerate(members):
            if member in diverged:
                continue
            run.display.phase(f"evaluating member {slot + 1} of {len(members)}")
            policy = program.policy(state, slot)
            result = evaluate(
                run.env,
                Actor(policy, program.agent.initial_memory, program.agent.act),
                episodes=settings.final_episodes,
                seed=artifacts.SEED,
                max_pieces=settings.final_max_pieces,
            )
            _remember(run, sweep, measured, member, result, policy)


def _remember(
    run: Run, sweep: Sweep, measured: _Measured, member: int, result: EvalResult, policy: Any
) -> None:
    means = rows.evaluation_metrics([result])
    step = run.target_chunks * run.program.steps_per_chunk
    per_member = {name: [value] for name, value in means.items()}
    row = {"step": step, "members": [member], "diverged": [], "per_member": per_member}
    measured.rows.append(row)
    run.log.write(row)
    point, seed_index = divmod(member, sweep.config.num_seeds)
    if point not in measured.policies or means["eval/lines"] > measured.policies[point][0]:
        seed = sweep.seeds[seed_index]
        measured.policies[point] = means["eval/lines"], seed, jax.device_get(policy)


def _leave(run: Run, sweep: Sweep, measured: _Measured, ended: SweepResult, results: Results) -> None:
    """Write sweep.json, the plot, and the policy of the best point's best seed."""
    document = {
        "format": 1,
        "status": ended.status,
        "seeds": list(sweep.seeds),
        "total_steps": run.target_chunks * run.program.steps_per_chunk,
        "seconds": {name: round(spent, 1) for name, spent in ended.seconds.items()},
        "command": None if results.best is None else best_command(sweep, results.best),
        **results.to_json(),
    }
    files.write_json(run.folder.root / RESULTS, document)
    with run.phase("drawing"):
        config = sweep.config
        title = f"{config.algorithm} · {config.preset} · {config.env.preset}, {config.env.actions}"
        sweep_plot.draw(measured.rows, results, plot_path(run.folder), title)
    if results.best in measured.policies:
        _, seed, policy = measured.policies[results.best]
        config = sweep_points.with_point(sweep.config, sweep.points[results.best])
        policy_io.export(dataclasses.replace(config, seed=seed, num_seeds=1), policy, run.folder.policy)


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


def _header(run: Run, sweep: Sweep, groups: Sequence[Sequence[int]]) -> Header:
    config, count = sweep.config, len(sweep.points)
    parts = [
        f"{config.env.preset}, {config.env.actions}",
        f"{count} {'point' if count == 1 else 'points'} × {config.num_seeds} "
        f"{'seed' if config.num_seeds == 1 else 'seeds'}",
        f"{sweep.num_members} members at once"
        if len(groups) == 1
        else f"{len(groups)} groups of {len(groups[0])}",
    ]
    return Header(
        title=f"sweep · {config.algorithm} · {config.preset}",
        details=" · ".join(parts),
        folder=run.folder.root,
        total_steps=run.target_chunks * run.program.steps_per_chunk * len(groups),
    )


def _scene(run: Run, program: Program, outcome: Outcome) -> Scene | None:
    """Show one of the games being played, of the first member."""
    if outcome.game is None:
        return None
    game = outcome.game
    if program.num_seeds > 1:
        game = jax.tree.map(lambda leaf: leaf[0], game)
    return scene(run.env.rules, game)


def _summary(run: Run, sweep: Sweep, ended: SweepResult) -> Summary:
    """Say how the sweep ended, where its results are and how the best point is trained."""
    steps = 0 if ended.results is None else int(ended.results.steps.max())
    headline = {
        FINISHED: f"Finished: {sweep.num_members} members, {steps:,} steps each",
        STOPPED: f"Stopped after {steps:,} steps; what was measured is kept, a sweep is not gone on with",
        DIVERGED: "Nothing to rank: no member has a value that is a number",
    }[ended.status] + f", in {duration(run.stopwatch.wall_time())}."
    folder = run.folder
    shown = {"results": folder.root / RESULTS, "plot": plot_path(folder), "best policy": folder.policy}
    facts = {label: str(path) for label, path in shown.items() if path.exists()}
    seconds = sorted(ended.seconds.items(), key=lambda item: -item[1])
    facts["time"] = ", ".join(f"{what} {duration(spent)}" for what, spent in seconds if spent >= 0.5)
    commands: dict[str, str] = {}
    if ended.results is not None and ended.results.best is not None:
        facts["ranked by"] = f"{ended.results.metric}, mean over seeds"
        if names := sweep_results.without_effect(ended.results):
            facts["without effect here"] = ", ".join(names)
        commands["train the best point with"] = best_command(sweep, ended.results.best)
    if folder.policy.exists():
        commands["evaluate its best seed with"] = f"python -m tetrax.evaluate {shlex.quote(str(folder.root))}"
    return Summary(headline, facts, commands)
