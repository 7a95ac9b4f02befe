"""The training loop of the host: start a chunk, log the one before, evaluate, save, obey.

Everything that decides the future of a run is in two places: the agent's TrainState on the device and
`Progress` on the host. A checkpoint is both. Chunks and evaluations are counted in steps; only saving looks at
the clock, so that a run that was killed and resumed ends like one that never stopped.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from tetrax.fields.errors import UserError, in_words, wrong
from tetrax.system import compilation_cache, streams
from tetrax.system.disk import as_path
from tetrax.train import divergence, start, take_over
from tetrax.train.config import TrainConfig, check_config, whole_chunks
from tetrax.train.folder import checkpoint, log, run_folder, wandb_log
from tetrax.train.folder.log import MetricsLog, Row
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.follow import faults, follow
from tetrax.train.machine import processes
from tetrax.train.machine.host_program import RESUMED, HostProgram
from tetrax.train.machine.signals import Interrupted, catching_signals
from tetrax.train.program import Outcome, Program
from tetrax.train.report import account, artifacts, rows
from tetrax.train.report.display import Display, Header, SilentDisplay, Summary
from tetrax.train.report.numbers import duration
from tetrax.train.run import (
    DIVERGED,
    FINISHED,
    RECENT,
    STOPPED,
    Progress,
    Result,
    Run,
    Stopwatch,
    export_policy,
    save,
)
from tetrax.train.steering import Steering
from tetrax.train.watching import Watching


class DivergedError(Exception):
    """A number of the training is not a number any more."""


def train(
    config: TrainConfig, *, run_dir: str | Path, resume: bool = False, display: Display | None = None
) -> Result:
    """Train as configured, in a new run folder or from the newest checkpoint of an existing one.

    Where several processes train together, each calls this; only the first has the folder and the display.
    Raises UserError for what cannot be done; whatever else ends a run is in the result.
    """
    check_config(config)
    run_dir = as_path(run_dir, "run_dir")
    notice = compilation_cache.enable()
    if config.tensorboard:
        log.check_tensorboard()
    if config.wandb is not None:
        wandb_log.check()
    if config.evaluation.enough is not None and processes.has_others():
        allowed = "None, where several processes train together: only the first evaluates"
        raise wrong("--evaluation.enough", config.evaluation.enough, allowed)
    env, program = start.make_program(config)
    if not resume:
        take_over.read(config)  # what cannot be begun with is said before there is a folder
    if not processes.leads():
        return follow(config, program, run_dir)
    with streams.forgiving(), processes.leading() as tell_others:
        shown = display or SilentDisplay()
        return _lead(config, env, program, run_dir, resume, shown, tell_others, notice)


def _lead(
    config: TrainConfig,
    env: Any,
    program: Program | HostProgram,
    run_dir: Path,
    resume: bool,
    display: Display,
    tell_others: Callable[[int], None],
    notice: str | None,
) -> Result:
    """Open the folder, see what there is to do, and do it."""
    folder = run_folder.open_existing(run_dir) if resume else run_folder.create(run_dir)
    with _telling_how_to_go_on(folder), run_folder.lock(folder) as notices, display as shown:
        for each in (*notices, *([notice] if notice else [])):
            shown.note(each)
        begun = start.find(config, program, folder, shown.note)
        config = begun.config
        step = begun.progress.chunks * program.steps_per_chunk
        evaluated = config.evaluation.final_episodes > 0
        is_at_end = step >= config.total_steps or begun.progress.is_enough(config.evaluation.enough)
        if is_at_end and folder.has_finished(step, evaluated=evaluated):
            where = f"evaluated in {folder.evaluation}" if evaluated else f"drawn in {folder.learning_curve}"
            shown.finish(Summary(f"This run has finished: {step:,} steps, {where}.", {}))
            return Result(FINISHED, 0, step, {}, 0, folder.final_evaluation() if evaluated else None)
        start.claim(folder, config, begun, step)
        folder.finished.unlink(missing_ok=True)  # it was asked for more steps: what is there is of fewer
        tell_others(begun.progress.chunks)
        with (
            MetricsLog(
                folder.metrics, *_other_logs(config, folder, step), step=step, warn=shown.note
            ) as metrics_log,
            catching_signals(
                on_first=shown.note,
                on_second=shown.restore_terminal,
            ) as stop,
        ):
            stopwatch = Stopwatch(begun.progress.wall_time)
            run = Run(config, env, program, folder, metrics_log, shown, stop, stopwatch)
            shown.start(_header(run), log.read(folder.metrics))
            if env.spec.on_host and step:
                shown.note(RESUMED)
            return _carry_out(run, begun)


def _other_logs(config: TrainConfig, folder: RunFolder, step: int) -> Iterator[log.Sink]:
    """Open what gets the metrics besides the run's own log."""
    if config.tensorboard:
        yield log.Events(folder.tensorboard, step)
    if config.wandb is not None:
        yield wandb_log.WandbLog(config, folder, step)


@contextmanager
def _telling_how_to_go_on(folder: RunFolder) -> Iterator[None]:
    """Turn what the disk refuses into one line: which file, why, and what to do once there is room for it."""
    try:
        yield
    except OSError as error:
        if error.filename is None:  # no file's fault
            raise
        saved = checkpoint.steps(folder.checkpoints)
        kept = f"the newest checkpoint is of step {saved[-1]:,}" if saved else "no checkpoint was saved yet"
        again = "start again"
        if folder.config.is_file():
            again = f"go on with python -m tetrax.train --resume {shlex.quote(str(folder.root))}"
        raise UserError(f"{in_words(error)} ({kept}; once that is mended, {again})") from error


def _carry_out(run: Run, begun: start.Start) -> Result:
    """Train to the end, evaluate and say how it went; or stop where the user or a NaN says so."""
    progress = begun.progress
    steering = Steering(run, progress, lambda state: _evaluate(run, state, progress, scheduled=False))
    watching = Watching(run, progress, log.read(run.folder.metrics))
    try:
        with nullcontext() if processes.has_others() else run.stop.at_once(), run.phase("compiling"):
            state = start.prepare(
                run.config, begun, run.program, run.display.note, compiling=_chunks_left(run, progress)
            )
        if _chunks_left(run, progress):
            state = _train_chunks(run, state, progress, steering, watching)
        else:
            # A kill may have come between the last checkpoint and its policy.
            export_policy(run, state, progress)
        if _chunks_left(run, progress):
            return _stop(run, progress)
        with run.stop.at_once():
            evaluation = artifacts.finish(run, state, progress)
    except Interrupted:
        return _stop(run, progress)
    except DivergedError as error:
        _look_into_divergence(run, progress, watching, str(error))
        return _end(run, progress, DIVERGED, 1, f"Stopped: {error}")
    finally:
        steering.end()
    spent = duration(run.stopwatch.wall_time())
    headline = f"Finished: {_step(run, progress):,} steps in {spent}."
    if progress.chunks < run.target_chunks:
        headline += (
            f" The last {RECENT} evaluations came to {run.config.evaluation.enough:g} or more on average."
        )
    return _end(run, progress, FINISHED, 0, headline, evaluation)


def _train_chunks(run: Run, state: Any, progress: Progress, steering: Steering, watching: Watching) -> Any:
    """Train until the target, or until the chunk in which the user asks to stop; end on a checkpoint."""
    unlogged: Row | None = None
    last_save = time.monotonic()
    while _chunks_left(run, progress):
        run.display.phase("training")
        with run.stopwatch("training"):
            chunk_start = time.monotonic()
            try:
                state, outcome = run.program.run_chunk(state)
            finally:
                if unlogged is not None:
                    run.log.write(unlogged)  # while the device works, or a game on the host has failed
            jax.block_until_ready(outcome)
        progress.chunks += 1
        unlogged = _row(run, progress, outcome, time.monotonic() - chunk_start)
        _check_finite(run, unlogged, outcome)
        run.display.row(unlogged, account.first_picture(run.env, run.program, outcome))
        every = run.config.evaluation.every
        if every and progress.chunks % whole_chunks(every, run.program.steps_per_chunk) == 0:
            unlogged = rows.merge(unlogged, _evaluate(run, state, progress))
        watching.look(state, unlogged)
        state, unlogged = steering.obey(state, unlogged)
        stopping = run.stop.signal is not None or not _chunks_left(run, progress)
        due = time.monotonic() - last_save >= run.config.checkpoint_seconds
        saving, stopping = processes.agree(save=due, stop=stopping)
        if saving or stopping:
            if unlogged is not None:
                run.log.write(unlogged)
                unlogged = None
            save(run, state, progress)
            last_save = time.monotonic()
        if stopping:
            break
    return state


def _row(run: Run, progress: Progress, outcome: Outcome, seconds: float) -> Row:
    """Make the row of the chunk that has just been trained."""
    steps = run.program.steps_per_chunk * run.program.num_seeds
    metrics = rows.training_metrics(outcome.metrics, outcome.so_far)
    return account.row(run, _step(run, progress), steps, seconds, metrics)


def _check_finite(run: Run, row: Row, outcome: Outcome) -> None:
    """Raise DivergedError if anything is NaN or infinite; the row is logged, the state is not saved."""
    if found := faults(outcome):
        run.log.write(row)
        raise DivergedError(f"{found[0]} at step {row['step']:,}.")


def _look_into_divergence(run: Run, progress: Progress, watching: Watching, said: str) -> None:
    """Call somebody, and leave the state of the last iteration whose numbers all were; what fails is said."""
    try:
        watching.diverged(_step(run, progress), said)
        with run.phase("looking for the iteration that failed"), run.stop.at_once():
            if not processes.has_others():
                divergence.leave(run, progress)
    except Interrupted:
        run.display.note(f"{run.folder.diverged}: not written, for it was stopped")
    except Exception as error:  # a full disk, memory
        why = " ".join(f"{type(error).__name__}: {error}".split())
        run.display.note(f"{run.folder.diverged}: not written ({why})")


def _evaluate(run: Run, state: Any, progress: Progress, *, scheduled: bool = True) -> Row:
    """Let the policy play the fixed games and remember the best result."""
    settings = run.config.evaluation
    with run.phase("evaluating"):
        results = artifacts.evaluate_seeds(
            run,
            state,
            episodes=settings.episodes,
            max_pieces=settings.max_pieces,
            record=False,
            record_all=scheduled and artifacts.is_recorded(run, progress),
        )
    row = rows.evaluation_metrics(results)
    progress.leading_seed = artifacts.leading_seed(results)
    if results[progress.leading_seed].actions:
        attend = artifacts.attention_of(run, state, progress)
        artifacts.record_some(run, results[progress.leading_seed], _step(run, progress), attend)
    headline = row[rows.EVALUATION + run.env.spec.headline]
    cut_off_elsewhere = progress.best_within not in (None, settings.max_pieces)
    if cut_off_elsewhere:  # longer games say nothing beside shorter ones
        progress.best, progress.recent = None, []
    progress.best_within = settings.max_pieces
    if scheduled:
        progress.recent = [*progress.recent, headline][-RECENT:]
    if progress.best is None or headline > progress.best:
        progress.best, progress.best_step = headline, _step(run, progress)
    row |= artifacts.look_into_model(run, state, progress)
    run.display.evaluation(row)
    return row


def _stop(run: Run, progress: Progress) -> Result:
    """End where the user asked for it, and say what of the training is on disk."""
    saved = "everything is saved." if progress.chunks else "nothing is trained yet."
    if not _chunks_left(run, progress):
        saved = "the training is saved, and its evaluation is still to come."
    headline = f"Stopped at {_step(run, progress):,} of {run.total_steps:,} steps; {saved}"
    return _end(run, progress, STOPPED, run.stop.exit_code, headline)


def _end(
    run: Run,
    progress: Progress,
    status: str,
    exit_code: int,
    headline: str,
    evaluation: dict[str, Any] | None = None,
) -> Result:
    """Show the end of the run and report it."""
    if status != FINISHED and progress.chunks:
        artifacts.draw_learning_curve(run)
    step = _step(run, progress)
    run.display.finish(artifacts.summarise(run, status, headline, progress, evaluation))
    return Result(status, exit_code, step, run.stopwatch.seconds, run.program.num_traces, evaluation)


def _header(run: Run) -> Header:
    config = run.config
    seeds = f"seed {config.seed}"
    if config.num_seeds > 1:
        seeds = f"seeds {config.seed} to {config.seed + config.num_seeds - 1}"
    cores, devices = os.cpu_count() or 1, jax.devices()
    on_cpu = jax.default_backend() == "cpu"
    machine = f"{cores} CPU cores" if on_cpu else f"{len(devices)} × {devices[0].device_kind}"
    logs = log.places(
        run.folder.root,
        tensorboard=run.config.tensorboard,
        wandb=run.config.wandb,
        steps=run.config.watch.steps,
    )
    return replace(account.header(run, seeds, machine), logs=logs)


def _chunks_left(run: Run, progress: Progress) -> bool:
    return progress.chunks < run.target_chunks and not progress.is_enough(run.config.evaluation.enough)


def _step(run: Run, progress: Progress) -> int:
    return progress.chunks * run.program.steps_per_chunk
