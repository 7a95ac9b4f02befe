"""What a run does when it is told to from outside: between two chunks it reads its mailbox and obeys.

Whatever changes a run is saved at once in a checkpoint that names the command, and only then written to the run's
configuration and history: a run that is killed at any moment has done a command or has it still to do. One that cannot
be carried out is answered with the reason, and the run goes on.
"""

from __future__ import annotations

import dataclasses
import math
import os
import shlex
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tetrax.agents import AGENTS
from tetrax.fields.errors import UserError, wrong
from tetrax.train import start
from tetrax.train.command import flags
from tetrax.train.config import TrainConfig, load_config, may_change, to_json
from tetrax.train.folder import branching, files, mailbox, run_folder
from tetrax.train.folder.log import Row
from tetrax.train.folder.mailbox import Command, Mailbox, Reply
from tetrax.train.machine import processes
from tetrax.train.report import rows
from tetrax.train.report.rows import EVALUATION
from tetrax.train.run import Progress, Run, save

LOOK_AGAIN_SECONDS = 0.05  # while it is paused
FACTOR = "x"  # a value that begins so is a factor: x0.5
LOGS = ("tensorboard", "wandb")  # are opened when a run starts
MOST_REMEMBERED = 1_000  # commands that a checkpoint names as carried out

Evaluate = Callable[[Any], Row]


class Steering:
    """A run that can be steered; without a mailbox, which a file system may refuse, it cannot."""

    def __init__(self, run: Run, progress: Progress, evaluate: Evaluate) -> None:
        self._run, self._progress, self._evaluate = run, progress, evaluate
        self._paused = False
        self._unlogged: Row | None = None
        self._mailbox: Mailbox | None = None
        try:
            self._mailbox = Mailbox(run.folder.root, progress.obeyed)
        except OSError as error:
            run.display.note(f"{error.filename}: {error.strerror}: the run takes no commands")
        self._tell(now=True)

    def obey(self, state: Any, unlogged: Row | None) -> tuple[Any, Row | None]:
        """Carry out what is due, and wait as long as the run is paused; return state and row as they are then.

        A row that is not logged yet is logged before anything is saved, and is None then.
        """
        if self._mailbox is None:
            return state, unlogged
        self._unlogged = unlogged
        self._tell()
        while True:
            for command in self._mailbox.waiting(self._step):
                if command.name == "eval" and self._unlogged is None:
                    continue  # the row that it belongs to is logged: after the next chunk
                if not self._mailbox.take(command):
                    continue  # it was withdrawn
                state, reply = self._carry_out(command, state)
                self._mailbox.answer(command, reply)
                self._run.display.note(f"{command.words}: {reply.said}")
                self._tell(now=True)
            if not self._paused or self._run.stop.signal is not None:
                return state, self._unlogged
            with self._run.phase(mailbox.PAUSED):
                time.sleep(LOOK_AGAIN_SECONDS)

    def end(self) -> None:
        """Let others know that the run is over, and answer what still waits."""
        if self._mailbox is None:
            return
        for command in self._mailbox.waiting(mailbox.LAST_STEP):
            if command.at is None:
                self._mailbox.answer(command, Reply(False, "the run has ended", self._step))
        self._tell(mailbox.ENDED, now=True)

    def _carry_out(self, command: Command, state: Any) -> tuple[Any, Reply]:
        """Do what a command says; nothing is changed where that cannot be done."""
        try:
            if processes.has_others() and command.name != "stop":
                raise wrong(command.name, command.words, "stop alone, where several processes train together")
            if command.name in ("set", "reload"):
                return self._change(command, state)
            return state, Reply(True, self._do(command, state), self._step)
        except (UserError, ValueError, ArithmeticError) as error:
            return state, Reply(False, str(error), self._step)

    def _do(self, command: Command, state: Any) -> str:
        """Do what changes no setting; return what was done."""
        if command.name == "stop":
            self._run.stop.signal = self._run.stop.signal or signal.SIGTERM
            if not processes.has_others():
                self._save(command, state)
            return "the run stops"
        if command.name == "resume":
            self._paused = False
            return "the run goes on"
        if command.name == "branch":
            return self._branch(command.arguments[0], state)
        said = f"saved at step {self._step:,}"
        if command.name == "pause":
            self._paused = True
            said = "the run is paused"
        if command.name == "eval":
            said = self._look(state)
        self._save(command, state)
        return said

    def _branch(self, new: str, state: Any) -> str:
        """Save, and start another run folder from there.

        A run that is killed before it has said so is asked again when it goes on, and refuses: the folder is there.
        """
        self._save(None, state)
        made = os.path.expanduser(new)  # typed where no shell does so
        branching.begin(self._run.folder, Path(made))
        return f"{made} begins at step {self._step:,}; go on with: python -m tetrax.train --resume {shlex.quote(made)}"

    def _look(self, state: Any) -> str:
        """Evaluate, unless that is done for this step already."""
        assert self._unlogged is not None
        measure = self._run.env.spec.headline
        if self._unlogged.get(EVALUATION + measure) is None:
            self._unlogged = rows.merge(self._unlogged, self._evaluate(state))
        return f"evaluated: {self._unlogged[EVALUATION + measure]:.4g} {measure}"

    def _change(self, command: Command, state: Any) -> tuple[Any, Reply]:
        """Take over other settings: first in a checkpoint, then in what the folder says of them."""
        run, before = self._run, self._run.config
        config = changed(before, *command.arguments) if command.name == "set" else _reloaded(run)
        changes = _differences(before, config)
        tunables = start.changed_tunables(state, before, config)
        state = dataclasses.replace(state, tunables=tunables)
        run.config = config
        if changes:
            # What the file says if the run is killed before it is written; an edited one says it already.
            self._progress.config_before = to_json(before if command.name == "set" else config)
            self._save(command, state)
            run_folder.record_change(run.folder, self._step, changes, command.words)
            files.write_json(run.folder.config, to_json(config))
            self._progress.config_before = None
        said = "; ".join(f"{name}: {old} → {new}" for name, (old, new) in changes.items())
        return state, Reply(True, said or "nothing to change", self._step)

    def _save(self, command: Command | None, state: Any) -> None:
        """Save a checkpoint that names the command, if one is given, as carried out."""
        if self._unlogged is not None:
            self._run.log.write(self._unlogged)
            self._unlogged = None
        if command is not None:
            self._progress.obeyed = [*self._progress.obeyed, command.id][-MOST_REMEMBERED:]
        save(self._run, state, self._progress)

    @property
    def _step(self) -> int:
        return self._progress.chunks * self._run.program.steps_per_chunk

    def _tell(self, what: str | None = None, *, now: bool = False) -> None:
        if self._mailbox is not None:
            doing = mailbox.PAUSED if self._paused else mailbox.RUNNING
            self._mailbox.tell(what or doing, self._step, self._run.total_steps, now=now)


def changed(config: TrainConfig, name: str, text: str) -> TrainConfig:
    """Return a configuration with another value of a setting, or several times the one it has (x0.5).

    UserError for a setting that cannot change in a run, and for a value that it cannot have.
    """
    path = name.removeprefix("--").replace("-", "_")
    types = flags.field_types(config)
    allowed = [known for known in types if _is_changeable(config, known)]
    if path not in allowed:
        raise UserError(f"set: given {name!r}, which cannot change in a run; allowed: {', '.join(allowed)}")
    value = flags.NOTATION.read(types[path], _several_times(config, path, text), path)
    try:
        put = flags.put(config, {path: value})
        if not isinstance(config.network, str):  # what describes a network makes none; the run has it
            put.validate()
    except ValueError as error:
        raise UserError(str(error)) from None
    return put


def _reloaded(run: Run) -> TrainConfig:
    """Return config.json as it is now; UserError where it has changed in what cannot change in a run."""
    config = load_config(run.folder.config).with_network(run.config.network)
    for path, (before, after) in _differences(run.config, config).items():
        if not _is_changeable(run.config, path):
            raise wrong(f"{run.folder.config}: {path}", after, f"{before!r}, which cannot change in a run")
    config.validate()
    return config


def _differences(before: TrainConfig, after: TrainConfig) -> Mapping[str, tuple[Any, Any]]:
    return run_folder.differences(to_json(before), to_json(after))


def _is_changeable(config: TrainConfig, path: str) -> bool:
    """Return whether a setting may change while a run goes on: without another program, and another log."""
    return path not in LOGS and may_change(path, AGENTS[config.algorithm].tunables)


def _several_times(config: TrainConfig, path: str, text: str) -> str:
    """Return the text of a value; of a factor such as x0.5 that of so many times the value that is."""
    if not text.startswith(FACTOR):
        return text
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(path, text, f"a value: it is {value!r}, of which there is no {text[1:]}-fold")
    try:
        times = value * float(text[1:])
    except ValueError:
        times = math.nan
    if not math.isfinite(times):
        raise wrong(path, text, "a value, or a finite factor such as x0.5")
    return repr(round(times) if isinstance(value, int) else times)
