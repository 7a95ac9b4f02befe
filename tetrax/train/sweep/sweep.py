"""A sweep: several seeds of several points, trained side by side in one compiled program, and compared.

Every member is a training of its own with its own values, on a leading axis; it comes out like a single run
with these values. The members are cut into equal groups, one after another through the same program, only where
memory or the user wants it. A sweep that was stopped keeps what was measured; it cannot be gone on with.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from tetrax.agents.agent import Actor
from tetrax.fields.errors import UserError
from tetrax.system import compilation_cache, streams
from tetrax.train import start
from tetrax.train.config import to_json
from tetrax.train.folder import files, run_folder
from tetrax.train.folder.log import MetricsLog, Row
from tetrax.train.machine import memory
from tetrax.train.machine.signals import Interrupted, catching_signals
from tetrax.train.program import Outcome, Program
from tetrax.train.report import account, artifacts, rows
from tetrax.train.report.display import Display, SilentDisplay
from tetrax.train.report.evaluation import EvalResult, evaluate
from tetrax.train.run import DIVERGED, FINISHED, STOPPED, Run, Stopwatch
from tetrax.train.sweep import sweep_points, sweep_report
from tetrax.train.sweep.sweep_members import Sweep, member_program, split
from tetrax.train.sweep.sweep_points import SWEEP_LOG
from tetrax.train.sweep.sweep_report import Leader, Measured, SweepResult

RUNGS = (0.25, 0.5)  # shares of the steps after which successive halving drops half of the points


class Work(NamedTuple):
    """A sweep that is being carried out."""

    run: Run
    sweep: Sweep
    measured: Measured
    bytes_each: int  # that a member needs, about


class Plan(NamedTuple):
    """How many members are trained at once."""

    program: Program  # of as many members as the first group has
    groups: list[list[int]]  # of members, one after another


class Group(NamedTuple):
    """Members that are trained side by side."""

    program: Program
    state: Any  # of the program; its first places are those of the members, in their order
    members: list[int]


def run(sweep: Sweep, *, run_dir: str | Path, display: Display | None = None) -> SweepResult:
    """Train every member, evaluate it, and leave results, plot and the best policy in a new run folder.

    Raises UserError for what cannot be done; whatever else ends a sweep is in the result.
    """
    notice = compilation_cache.enable()
    env, program = start.make_program(dataclasses.replace(sweep.config, num_seeds=1), saves=False)
    assert isinstance(program, Program), "the command line refuses games on the host"
    need = memory.find_need(program.agent, program.template, 1)
    _check_size(sweep, need)
    folder = run_folder.create(Path(run_dir))
    with streams.forgiving(), run_folder.lock(folder) as notices, display or SilentDisplay() as shown:
        for each in (*notices, *([notice] if notice else [])):
            shown.note(each)
        files.write_json(folder.config, to_json(sweep.config))
        run_folder.record_start(folder, 0, {})
        with (
            MetricsLog(folder.root / SWEEP_LOG, step=0) as log,
            catching_signals(
                on_first=shown.note,
                on_second=shown.restore_terminal,
            ) as stop,
        ):
            whole = Run(sweep.config, env, program, folder, log, shown, stop, Stopwatch(0.0))
            return _carry_out(Work(whole, sweep, Measured(), need.total))


def _check_size(sweep: Sweep, need: memory.Need) -> None:
    """Raise UserError for more members at once than memory holds."""
    available = memory.program_bytes()
    at_once = min(sweep.members_at_once, sweep.num_members)
    if available is not None and at_once > 1 and need.total * at_once > available:
        needed, there = memory.readable(need.total * at_once), memory.readable(available)
        most = max(1, available // need.total)
        raise UserError(
            f"--members-at-once: given {sweep.members_at_once}, which need about {needed}; "
            f"allowed: up to {most}, which fit into {there}, what a program may take of the free memory"
        )


def _carry_out(work: Work) -> SweepResult:
    """Train and evaluate to the end, or until the user stops it; then sum up and leave what it came to."""
    run, sweep, measured = work.run, work.sweep, work.measured
    status = FINISHED
    try:
        _train_all(work)
    except Interrupted:
        status = STOPPED
    results = measured.results(sweep)
    if status == FINISHED and (results is None or results.best is None):
        status = DIVERGED
    exit_code = {FINISHED: 0, STOPPED: run.stop.exit_code, DIVERGED: 1}[status]
    num_traces = sum(program.num_traces for program in measured.programs)
    ended = SweepResult(status, exit_code, results, num_traces, run.stopwatch.seconds)
    if results is not None:
        sweep_report.leave(run, sweep, measured, ended, results)
    run.display.finish(sweep_report.summarise(run, sweep, ended))
    return ended


def _train_all(work: Work) -> None:
    """Train and evaluate group by group."""
    run = work.run
    with run.stop.at_once():
        plan = _plan(work)
    run.display.start(sweep_report.header(run, work.sweep, plan.groups), [])
    for number, members in enumerate(plan.groups):
        with run.phase("starting"), run.stop.at_once():
            group = _start(work, plan.program, members)
        group = _train(work, group, steps_before=number * run.total_steps)
        if run.config.evaluation.final_episodes:
            with run.stop.at_once(), run.stopwatch("evaluating"):
                _evaluate(work, group)
        del group  # there is no room for its state beside the next one's


def _plan(work: Work) -> Plan:
    """Compile the program for as many members at once as are asked for, or as memory holds."""
    run, sweep = work.run, work.sweep
    at_once = min(sweep.members_at_once or sweep.num_members, sweep.num_members)
    available = memory.program_bytes()
    if not sweep.members_at_once and available is not None and available < at_once * work.bytes_each:
        most = max(1, available // work.bytes_each)  # known before anything is compiled
        _note_groups(run, at_once, at_once * work.bytes_each, available, most)
        at_once = most
    while True:
        groups = split(sweep.num_members, at_once)
        program = _compile(work, groups[0])
        needed = program.memory_bytes()
        if sweep.members_at_once or available is None or needed <= available or at_once == 1:
            break
        at_once = max(1, min(at_once - 1, at_once * available // needed))
        _note_groups(run, len(groups[0]), needed, available, at_once)
    if sweep.halving and len(groups) > 1:
        raise UserError(
            f"--halving: given with {len(groups[0])} members at once; allowed: with all {sweep.num_members}"
        )
    return Plan(program, groups)


def _note_groups(run: Run, members: int, needed: int, available: int, at_once: int) -> None:
    """Say that so many members do not fit side by side."""
    needs, there = memory.readable(needed), memory.readable(available)
    run.display.note(f"{members} members need {needs}, there are {there}: at most {at_once} at once")


def _compile(work: Work, members: Sequence[int]) -> Program:
    """Compile the chunk for as many members."""
    run, sweep, measured = work.run, work.sweep, work.measured
    run.display.phase(f"compiling for {len(members)} members")
    with run.stopwatch("compiling"):
        program = member_program(sweep, run.env, run.program.agent, members)
        program.compile()
    measured.programs.append(program)
    return program


def _start(work: Work, program: Program, members: list[int]) -> Group:
    """Make the state of a group; a program has one size, so the last member fills it up."""
    sweep = work.sweep
    padded = [*members, *members[-1:] * (program.num_seeds - len(members))]
    values = sweep_points.arrays(sweep.config, sweep.points, sweep.seeds, padded)
    return Group(program, program.initial_state(values), members)


def _train(work: Work, group: Group, steps_before: int) -> Group:
    """Train a group to the end; return it with the members that are left."""
    run, sweep, measured = work.run, work.sweep, work.measured
    rungs = {math.ceil(share * run.target_chunks) for share in RUNGS} if sweep.halving else set()
    for chunks in range(1, run.target_chunks + 1):
        run.display.phase("training")
        with run.stopwatch("training"):
            began = time.monotonic()
            state, outcome = jax.block_until_ready(group.program.run_chunk(group.state))
        group = group._replace(state=state)
        row = _row(run, group, outcome, chunks, time.monotonic() - began)
        measured.rows.append(row)
        run.log.write(row)
        picture = account.first_picture(run.env, group.program, outcome)
        run.display.row({**row, "step": steps_before + row["step"]}, picture)
        if run.stop.signal is not None:
            raise Interrupted
        if chunks in rungs and chunks < run.target_chunks:
            with run.stop.at_once():
                group = _halve(work, group)
    return group


def _halve(work: Work, group: Group) -> Group:
    """Go on with the better half of the points: successive halving.

    Jamieson and Talwalkar 2016 (arXiv 1502.07943), algorithm 1; better by the training metric so far.
    """
    run, sweep, measured = work.run, work.sweep, work.measured
    results, num_seeds = measured.results(sweep), sweep.config.num_seeds
    alive = len(group.members) // num_seeds
    if results is None or alive == 1:
        return group
    kept = set(results.ranking[: math.ceil(alive / 2)])
    places = [place for place, member in enumerate(group.members) if member // num_seeds in kept]
    chosen = np.asarray(places) if len(places) > 1 else places[0]  # one member has no axis of its own
    state = jax.jit(lambda whole: jax.tree.map(lambda leaf: leaf[chosen], whole))(group.state)
    run.display.note(f"halving: {len(kept)} of {alive} points go on")
    members = [group.members[place] for place in places]
    return Group(_compile(work, members), state, members)


def _row(run: Run, group: Group, outcome: Outcome, chunks: int, seconds: float) -> Row:
    """Make the row of a chunk: means over members, and "per_member" in the order of "members"."""
    members, steps = group.members, group.program.steps_per_chunk
    told = (outcome.metrics, outcome.so_far)
    metrics, so_far = jax.tree.map(lambda value: np.atleast_1d(value)[: len(members)], told)
    finite = np.atleast_1d(outcome.finite)[: len(members)]
    for value in jax.tree.leaves(metrics):
        finite = finite & np.isfinite(value)
    means = rows.training_metrics(metrics, so_far)
    per_member = means.pop("per_seed", None) or {name: [value] for name, value in means.items()}
    return {
        **account.row(run, chunks * steps, steps * len(members), seconds, means),
        "members": members,
        "diverged": [member for member, well in zip(members, finite, strict=True) if not well],
        "per_member": per_member,
    }


def _evaluate(work: Work, group: Group) -> None:
    """Let the greedy policy of every member that is left play the same games of the configuration's environment."""
    run, measured = work.run, work.measured
    settings = run.config.evaluation
    diverged = {member for row in measured.rows for member in row["diverged"]}
    for place, member in enumerate(group.members):
        if member in diverged:
            continue
        run.display.phase(f"evaluating member {place + 1} of {len(group.members)}")
        agent, policy = group.program.agent, group.program.policy(group.state, place)
        result = evaluate(
            run.env,
            Actor(policy, agent.initial_memory, agent.act),
            episodes=settings.final_episodes,
            seed=artifacts.SEED,
            max_pieces=settings.final_max_pieces,
        )
        _remember(work, member, result, policy)


def _remember(work: Work, member: int, result: EvalResult, policy: Any) -> None:
    """Log a member's evaluation, and keep its policy where it leads its point."""
    run, sweep, measured = work.run, work.sweep, work.measured
    means = rows.evaluation_metrics([result])
    per_member = {name: [value] for name, value in means.items()}
    row = {"step": run.total_steps, "members": [member], "diverged": [], "per_member": per_member}
    measured.rows.append(row)
    run.log.write(row)
    point, seed_index = divmod(member, sweep.config.num_seeds)
    if point not in measured.leaders or result.mean > measured.leaders[point].mean:
        measured.leaders[point] = Leader(result.mean, sweep.seeds[seed_index], jax.device_get(policy))
