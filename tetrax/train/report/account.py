"""What runs and sweeps tell alike: what is trained, how far it has come, how a game looks, where the time went."""

from __future__ import annotations

from typing import Any

import jax

from tetrax.train.folder.log import Row
from tetrax.train.machine.host_program import HostProgram
from tetrax.train.program import Outcome, Program
from tetrax.train.report.display import Header
from tetrax.train.report.metric_labels import Measures
from tetrax.train.report.numbers import duration
from tetrax.train.run import Run, Stopwatch
from tetrax.view.shown_games import Picture, picture_of


def header(run: Run, *details: str, kind: str = "", programs: int = 1) -> Header:
    """Return what is known before it starts; of several programs, one after another, each trains all steps."""
    config = run.config
    return Header(
        title=f"{kind}{config.algorithm} · {config.preset}",
        details=" · ".join([run.env.spec.title, *details]),
        folder=run.folder.root,
        total_steps=run.total_steps * programs,
        measures=Measures.of(run.env.spec),
    )


def row(run: Run, step: int, steps_trained: int, seconds: float, metrics: Row) -> Row:
    """Return the row of a chunk that ended at `step`, with the steps that all its seeds were trained in it."""
    return {
        "step": step,
        "wall_time": round(run.stopwatch.wall_time(), 3),
        "steps_per_second": round(steps_trained / seconds, 1),
        **metrics,
    }


def first_picture(env: Any, program: Program | HostProgram, outcome: Outcome) -> Picture | None:
    """Show one of the games being played; of several seeds, one of the first."""
    if outcome.game is None:
        return None
    game = outcome.game
    if program.num_seeds > 1:
        game = jax.tree.map(lambda leaf: leaf[0], game)
    return picture_of(env, game)


def time_spent(stopwatch: Stopwatch) -> dict[str, str]:
    """Say where the time went, the most first, as a line of a summary; nothing where none was spent."""
    seconds = sorted(stopwatch.seconds.items(), key=lambda item: -item[1])
    told = ", ".join(f"{what} {duration(spent)}" for what, spent in seconds if spent >= 0.5)
    return {"time": told} if told else {}
