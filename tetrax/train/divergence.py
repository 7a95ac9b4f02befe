"""What a run leaves where a number is none any more: the state of the last iteration whose numbers all were.

Everything that decides an iteration is in the state before it, the batch included: from there `agent.train` comes to
the same again. It is found by training once more from the newest checkpoint, which was saved while all was well.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.agents.agent import Agent
from tetrax.fields.errors import wrong
from tetrax.system.disk import as_path, read_json
from tetrax.train import start
from tetrax.train.config import TrainConfig, load_config, to_json
from tetrax.train.folder import checkpoint, files, run_folder
from tetrax.train.follow import faults
from tetrax.train.program import Program
from tetrax.train.run import Progress, Run

WHAT = "what.json"


@dataclass(frozen=True)
class Diverged:
    """The state before the iteration in which a number became none, and the agent to train it by."""

    agent: Agent
    state: Any  # TrainState
    what: dict[str, Any]  # the step, and the names of what was not finite after the iteration


def leave(run: Run, progress: Progress) -> Path | None:
    """Write the state before the iteration in which a number became none; None where that cannot be found."""
    program = run.program
    if not isinstance(program, Program):
        return None  # games on the host do not come to the same again
    begun = start.find(run.config, program, run.folder, lambda text: None)
    state = start.load_state(run.config, begun, program, lambda text: None)
    for chunk in range(begun.progress.chunks, progress.chunks):
        before = _copy(state)
        state, outcome = program.run_chunk(state)
        if faults(outcome):
            return _leave_iteration(run, program, before, chunk)
    return None


def _leave_iteration(run: Run, program: Program, state: Any, chunk: int) -> Path:
    """Go through a chunk iteration by iteration, and write the state before the one that fails."""
    agent, iterations = program.agent, run.config.chunk_iterations
    train = jax.jit(agent.train if program.num_seeds == 1 else jax.vmap(agent.train))
    first, done = state, 0
    found: list[str] = []
    while not found and done < iterations:
        after, metrics = train(state)
        found = _not_finite(agent, program.num_seeds, after, metrics)
        if not found:
            state, done = after, done + 1
    if not found:  # another program rounds otherwise: then the chunk as a whole
        state, done = first, 0
    step = chunk * program.steps_per_chunk + done * agent.steps_per_iteration
    folder = run.folder.diverged
    files.discard(folder)
    folder.mkdir()
    host = dataclasses.asdict(Progress(chunks=chunk))
    checkpoint.save(folder, step, state, config=to_json(run.config), host=host)
    files.write_json(folder / WHAT, {"step": step, "iteration_of_chunk": done, "not_finite": found})
    return folder


def _not_finite(agent: Agent, num_seeds: int, state: Any, metrics: Any) -> list[str]:
    """Name the metrics and the parameters that are not finite."""
    take = agent.policy if num_seeds == 1 else jax.vmap(agent.policy)
    named = {
        **{name: value for group in (metrics.totals, metrics.means) for name, value in group.items()},
        **checkpoint.named_leaves(take(state)),
    }
    return [
        name
        for name, value in named.items()
        if jnp.issubdtype(value.dtype, jnp.inexact)
        and not bool(np.isfinite(np.asarray(value, np.float64)).all())
    ]


def _copy(state: Any) -> Any:
    """Copy a state that is about to be donated."""
    return jax.tree.map(jnp.copy, state)


def load_diverged(folder: str | Path) -> Diverged:
    """Read what a run left that stopped because a number was none; UserError for a run that did not."""
    run = run_folder.open_existing(as_path(folder, "folder"))
    saved = checkpoint.steps(run.diverged) if run.diverged.is_dir() else []
    if not saved:
        raise wrong(
            "folder", str(folder), "a run that stopped because a number was none, with its folder diverged"
        )
    config: TrainConfig = load_config(run.config)
    _, program = start.make_program(config)
    found = checkpoint.newest(run.diverged, lambda text: None)
    if found is None:
        raise wrong("folder", str(run.diverged), "a state as the run has written it")
    checkpoint.check_fits(found, program.template)
    state = checkpoint.restore(found, program.template)
    return Diverged(program.agent, state, read_json(run.diverged / WHAT))
