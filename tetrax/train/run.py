"""What a run consists of: its collaborators, how far it has come, how it ended, where the time went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tetrax.train.config import TrainConfig, to_json, whole_chunks
from tetrax.train.folder import checkpoint, policy_io
from tetrax.train.folder.log import MetricsLog
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.machine.host_program import HostProgram
from tetrax.train.machine.signals import StopRequest
from tetrax.train.program import Program
from tetrax.train.report.display import Display

FINISHED, STOPPED, DIVERGED = "finished", "stopped", "diverged"
RECENT = 3  # evaluations that together say whether it is enough


@dataclass
class Progress:
    """The host's own part of what decides the future of a run; a checkpoint holds it."""

    chunks: int = 0  # trained
    wall_time: float = 0.0  # seconds spent on the run, also before it was resumed
    best: float | None = None  # the highest headline measure per game in an evaluation while training
    best_step: int | None = None  # the step of that evaluation
    best_within: int | None = None  # after how many pieces (or steps) its games were cut off
    leading_seed: int = 0  # index of the best seed in the newest evaluation
    # The headline measure in the newest evaluations, up to RECENT.
    recent: list[float] = field(default_factory=list)
    obeyed: list[str] = field(default_factory=list)  # the newest commands from outside that were carried out
    # What config.json said when a command had changed the configuration, and it was not written yet; else None.
    config_before: dict[str, Any] | None = None

    def is_enough(self, enough: float | None) -> bool:
        """Return whether the newest evaluations come to so much on average; never to None."""
        if enough is None or len(self.recent) < RECENT:
            return False
        return sum(self.recent) / RECENT >= enough


class Stopwatch:
    """Adds up where the time of this session goes."""

    def __init__(self, seconds_before: float) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.monotonic() - seconds_before

    def wall_time(self) -> float:
        """Return the seconds spent on the run, also before it was resumed."""
        return time.monotonic() - self._start

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Count the time of this block as spent on `what`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + time.monotonic() - start


@dataclass
class Run:
    """What every part of a run works with."""

    config: TrainConfig  # as it is now: a command to the run may change it
    env: Any
    program: Program | HostProgram
    folder: RunFolder
    log: MetricsLog
    display: Display
    stop: StopRequest
    stopwatch: Stopwatch

    @property
    def target_chunks(self) -> int:
        """Return the chunks that make the steps asked for."""
        return whole_chunks(self.config.total_steps, self.program.steps_per_chunk)

    @property
    def total_steps(self) -> int:
        """Return the environment steps of these chunks, of one seed."""
        return self.target_chunks * self.program.steps_per_chunk

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Show what is being done in this block, and count its time."""
        self.display.phase(name)
        with self.stopwatch(name):
            yield


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    status: str  # FINISHED, STOPPED or DIVERGED
    exit_code: int
    step: int  # environment steps trained, of one seed
    seconds: dict[str, float]  # where the time of this session went
    num_traces: int  # how often the chunk was traced: once, or never if nothing was left to train
    evaluation: dict[str, Any] | None = None  # the content of eval.json


def save(run: Run, state: Any, progress: Progress) -> None:
    """Write a checkpoint and the policy in it; what is logged so far is on disk before."""
    step = progress.chunks * run.program.steps_per_chunk
    progress.wall_time = run.stopwatch.wall_time()
    with run.phase("saving"):
        run.log.sync()
        checkpoint.save(
            run.folder.checkpoints, step, state, config=to_json(run.config), host=asdict(progress)
        )
        checkpoint.keep_newest(run.folder.checkpoints, run.config.keep_checkpoints)
        export_policy(run, state, progress)


def export_policy(run: Run, state: Any, progress: Progress) -> None:
    """Write the policy alone, of the leading seed, ready to act."""
    policy_io.export(run.config, run.program.policy(state, progress.leading_seed), run.folder.policy)
