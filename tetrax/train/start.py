"""Where a run starts: at its beginning, or at the newest checkpoint that fits what is asked now."""

from __future__ import annotations

import copy
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh

from tetrax.agents import AGENTS, changeable
from tetrax.agents.agent import Agent
from tetrax.env import batch
from tetrax.fields.errors import UserError
from tetrax.system.disk import read_json
from tetrax.train import take_over
from tetrax.train.config import TrainConfig, flag, from_json, load_config, may_change, to_json
from tetrax.train.folder import checkpoint, files, run_folder
from tetrax.train.folder.checkpoint import Checkpoint, Warn
from tetrax.train.folder.run_folder import RunFolder, differences
from tetrax.train.machine import memory
from tetrax.train.machine.host_program import HostProgram
from tetrax.train.program import Program
from tetrax.train.run import Progress


class Start(NamedTuple):
    """What there is to go on from."""

    checkpoint: Checkpoint | None  # None: at the beginning
    progress: Progress
    changes: dict[str, tuple[Any, Any]]  # field of the configuration → (before, now)
    config: TrainConfig  # to go on by


def make_program(config: TrainConfig, *, saves: bool = True) -> tuple[Any, Program | HostProgram]:
    """Build the game and the agent's programs, over all devices; nothing is compiled yet.

    UserError for a configuration that cannot work, or that does not fit into the memory that is free, with the copy
    of its state that it `saves`.
    """
    config.validate()
    env, agent = config.make_env(), config.make_agent()
    program: Program | HostProgram
    if env.spec.on_host:
        program = HostProgram(agent, env, config)
    else:
        program = Program(
            agent,
            chunk_iterations=config.chunk_iterations,
            horizon=config.horizon,
            seed=config.seed,
            num_seeds=config.num_seeds,
            mesh=_mesh(agent),
        )
    need = memory.find_need(agent, program.template, config.num_seeds)
    memory.check(config, need, config.num_seeds, saves=saves)
    return env, program


def _mesh(agent: Agent) -> Mesh | None:
    try:
        return batch.device_mesh(agent.num_groups)
    except ValueError as error:
        raise UserError(f"--agent.{str(error).replace('_', '-')}") from None


def find(config: TrainConfig, program: Program | HostProgram, folder: RunFolder, warn: Warn) -> Start:
    """Find the newest whole checkpoint and see whether it may go on as `config` says; change nothing."""
    now = to_json(config)
    found = checkpoint.newest(folder.checkpoints, warn)
    if found is None:
        before = read_json(folder.config) if folder.config.exists() else now
        return Start(None, Progress(), differences(before, now), config)
    progress = _progress(found)
    before = _as_now(found.config, found.path)
    if _is_behind(folder, progress):  # killed before config.json said what the checkpoint does
        asked = differences(to_json(load_config(folder.config)), now)
        now = _with(before, {path: value for path, (_, value) in asked.items()})
        config = from_json(now, str(found.path)).with_network(config.network)
    progress.config_before = None
    changes = differences(before, now)
    _refuse_changes(changes, config.algorithm, found.path)
    checkpoint.check_fits(found, program.template)
    for name, (then, here) in differences(found.versions, run_folder.versions()).items():
        warn(f"the checkpoint was written with {name} {then}, this is {here}: results may differ in rounding")
    return Start(found, progress, changes, config)


def _is_behind(folder: RunFolder, progress: Progress) -> bool:
    """Return whether config.json still says what it did before the command that the checkpoint was saved with."""
    if progress.config_before is None or not folder.config.is_file():
        return False
    return to_json(load_config(folder.config)) == progress.config_before


def _as_now(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a stored configuration in the format of now."""
    return to_json(from_json(document, f"checkpoint {path}"))


def _with(document: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration's JSON with other values at some paths."""
    changed: dict[str, Any] = copy.deepcopy(document)
    for path, value in values.items():
        *owners, name = path.split(".")
        record = changed
        for owner in owners:
            record = record[owner]
        record[name] = value
    return changed


def _progress(found: Checkpoint) -> Progress:
    """Read the host's own part; another version of tetrax may have had other fields."""
    known = {field.name for field in dataclasses.fields(Progress)}
    unknown = sorted(set(found.host) - known)
    if unknown or "chunks" not in found.host:
        said = f"given {unknown[0]!r}" if unknown else "given no 'chunks'"
        raise UserError(f"checkpoint {found.path}: host: {said}; allowed: {', '.join(sorted(known))}")
    return Progress(**found.host)


def claim(folder: RunFolder, config: TrainConfig, begun: Start, step: int) -> None:
    """Make the folder say what is run from here on, and clear away what a killed process left.

    Raises OSError for what cannot be written, before anything is changed.
    """
    run_folder.check_writable(folder)
    now = to_json(config)
    said = to_json(load_config(folder.config)) if begun.checkpoint and folder.config.is_file() else now
    files.write_json(folder.config, now)
    run_folder.record_start(folder, step, begun.changes or differences(said, now))
    for place in (folder.root, folder.checkpoints, folder.recordings, folder.learning_curve.parent):
        files.discard_leftovers(place)
    if begun.checkpoint is not None:
        checkpoint.set_aside_newer(folder.checkpoints, begun.checkpoint.step)


def prepare(
    config: TrainConfig, begun: Start, program: Program | HostProgram, note: Warn, *, compiling: bool
) -> Any:
    """Return the TrainState to go on from and, beside making it, compile the chunk if it is needed."""
    if compiling:
        program.lower()
    with ThreadPoolExecutor(max_workers=1) as beside:
        compiled = beside.submit(program.compile) if compiling else None
        begin = load_state(config, begun, program, note)
        if compiled is not None:
            compiled.result()
    return begin


def load_state(config: TrainConfig, begun: Start, program: Program | HostProgram, note: Warn) -> Any:
    """Return the TrainState to go on from, with the tunables as they are asked for now."""
    if begun.checkpoint is None:
        source, state = take_over.read(config), program.initial_state()
        if source is None:
            return state
        state, said = take_over.put_in(program, state, source)
        note(said)
        return state
    restored = checkpoint.restore(begun.checkpoint, program.template)
    if not begun.changes:
        return program.place(restored)
    # With the network that the checkpoint only describes, which is the same one: `find` has compared them.
    before = from_json(begun.checkpoint.config, str(begun.checkpoint.path)).with_network(config.network)
    return program.place(dataclasses.replace(restored, tunables=changed_tunables(restored, before, config)))


def changed_tunables(state: Any, before: TrainConfig, now: TrainConfig) -> dict[str, Array]:
    """Return the tunables with what the configuration changed; others may have changed by themselves in training."""
    tunables = dict(state.tunables)
    values = {
        name: (getattr(before.agent, name), getattr(now.agent, name))
        for name in AGENTS[now.algorithm].tunables
    }
    values["horizon"] = (before.horizon, now.horizon)
    for name, (old, new) in values.items():
        if name in tunables and old != new:
            changed = jnp.full_like(tunables[name], new)
            tunables[name] = jax.device_put(changed, tunables[name].sharding)
    return tunables


def _refuse_changes(changes: dict[str, tuple[Any, Any]], algorithm: str, path: Path) -> None:
    for name, (before, now) in changes.items():
        if not may_change(name, changeable(algorithm)):
            raise UserError(f"{flag(name)}: given {now!r}; allowed: {before!r}, as in checkpoint {path}")
