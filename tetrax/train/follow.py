"""What the processes besides process 0 do in a run that spans several: the same chunks, and nothing else.

They have no folder, but to resume they read the checkpoint where process 0 does: on a file system that all share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tetrax.fields.errors import UserError, wrong
from tetrax.train import start
from tetrax.train.config import TrainConfig, whole_chunks
from tetrax.train.folder import checkpoint
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.machine import processes
from tetrax.train.machine.host_program import HostProgram
from tetrax.train.machine.signals import StopRequest, catching_signals
from tetrax.train.program import Outcome, Program
from tetrax.train.report import rows
from tetrax.train.run import DIVERGED, FINISHED, STOPPED, Progress, Result


def follow(config: TrainConfig, program: Program | HostProgram, run_dir: Path) -> Result:
    """Train along with process 0, until it has finished or stopped."""
    chunks = processes.listen()
    if chunks == processes.CALLED_OFF:
        raise UserError("run: given up by process 0, which says why; allowed: what it allows")
    if chunks == processes.NOTHING_LEFT:
        processes.wait_for_all()
        return Result(FINISHED, 0, 0, {}, 0)
    with catching_signals(on_first=_ignore, on_second=_nothing) as stop:
        result = _follow(config, program, _begin(config, program, run_dir, chunks), stop)
        processes.wait_for_all()
    return result


def _begin(config: TrainConfig, program: Program | HostProgram, run_dir: Path, chunks: int) -> start.Start:
    """Find the checkpoint that process 0 goes on from."""
    if chunks == 0:
        return start.Start(None, Progress(), {}, config)
    begun = start.find(config, program, RunFolder(run_dir), _ignore)
    if begun.progress.chunks != chunks:
        step = chunks * program.steps_per_chunk
        raise wrong(
            "--resume", str(run_dir), f"a folder that all processes share, with process 0's step {step}"
        )
    return begun


def _follow(
    config: TrainConfig, program: Program | HostProgram, begun: start.Start, stop: StopRequest
) -> Result:
    chunks, target = begun.progress.chunks, whole_chunks(config.total_steps, program.steps_per_chunk)
    state = start.prepare(config, begun, program, _ignore, compiling=chunks < target)
    status = FINISHED
    while chunks < target and status == FINISHED:
        state, outcome = program.run_chunk(state)
        chunks += 1
        if faults(outcome):
            status = DIVERGED
            break
        saving, stopping = processes.agree(save=False, stop=stop.signal is not None or chunks == target)
        if saving or stopping:
            checkpoint.to_host(state)  # process 0 needs every process for what is spread over them
        if stopping and chunks < target:
            status = STOPPED
    exit_code = {FINISHED: 0, STOPPED: stop.exit_code, DIVERGED: 1}[status]
    return Result(status, exit_code, chunks * program.steps_per_chunk, {}, program.num_traces)


def faults(outcome: Outcome) -> list[str]:
    """Name what is not finite in a chunk's outcome."""
    found = rows.find_not_finite(outcome.metrics)
    if not np.asarray(outcome.finite).all():
        found.append("a parameter of the policy is not finite")
    return found


def _nothing() -> None:
    pass


def _ignore(text: str) -> Any:
    del text  # process 0 says it
