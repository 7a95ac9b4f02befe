"""What a run does when it is told to from outside: between two chunks it reads its mailbox and obeys.

Whatever changes numbers of the training is written to the run's configuration and history, and a checkpoint with it is
saved at once, so that a resumed run honours it. A command that cannot be carried out is answered with the reason, and
the run goes on.
"""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from tetrax.agents import AGENTS
from tetrax.fields.errors import UserError, wrong
from tetrax.train import start
from tetrax.train.command import flags
from tetrax.train.config import CHANGEABLE_ON_RESUME, load_config, to_json
from tetrax.train.folder import files, mailbox, run_folder
from tetrax.train.folder.log import Row
from tetrax.train.folder.mailbox import Command, Mailbox, Reply
from tetrax.train.machine import processes
from tetrax.train.report import rows
from tetrax.train.run import Progress, Run, save

LOOK_AGAIN_SECONDS = 0.05  # while it is paused
CHANGING = ("set", "reload")  # commands that change numbers of the training
FACTOR = "x"  # a value that begins so is a factor: x0.5

Evaluate = Callable[[Any, Progress], Row]


class Steering:
    """A run that can be steered; without a mailbox, which a file system may refuse, it cannot."""

    def __init__(self, run: Run, evaluate: Evaluate) -> None:
        self._run, self._evaluate = run, evaluate
        self._mailbox: Mailbox | None = None
        try:
            self._mailbox = Mailbox(run.folder.root)
        except OSError as error:
            run.display.note(f"{error.filename}: {error.strerror}: the run takes no commands")

    def obey(self, state: Any, progress: Progress, unlogged: Row | None) -> tuple[Any, Row | None]:
        """Carry out what is due, and wait as long as the run is paused; return state and row as they are then.

        A row that is not logged yet is logged before anything is saved, and is None then.
        """
        if self._mailbox is None:
            return state, unlogged
        step, paused = self._step(progress), False
        self._tell(mailbox.RUNNING, progress)
        while True:
            for command in self._mailbox.waiting(step):
                if command.name == "eval" and (paused or unlogged is None):
                    continue  # its row is logged already: after the next chunk
                if command.name in ("pause", "resume"):
                    paused = command.name == "pause"
                    done = Reply(True, "the run is paused" if paused else "the run goes on", step)
                elif command.name == "eval" and unlogged is not None:
                    unlogged = rows.merge(unlogged, self._evaluate(state, progress))
                    measure = self._run.env.spec.headline
                    done = Reply(True, f"evaluated: {unlogged[f'eval/{measure}']:.4g} {measure}", step)
                else:
                    state, done = self._carry_out(command, state, progress)
                saves = command.name in ("pause", "save", *CHANGING) and done.done
                if saves:
                    if unlogged is not None:
                        self._run.log.write(unlogged)
                        unlogged = None
                    save(self._run, state, progress)
                self._mailbox.answer(command, done)
                self._run.display.note(f"{command.words}: {done.said}")
                self._tell(mailbox.PAUSED if paused else mailbox.RUNNING, progress, now=True)
            if not paused or self._run.stop.signal is not None:
                return state, unlogged
            self._run.display.phase("paused")
            with self._run.stopwatch("paused"):
                time.sleep(LOOK_AGAIN_SECONDS)

    def begin(self, progress: Progress) -> None:
        """Let others know that the run is there."""
        self._tell(mailbox.RUNNING, progress, now=True)

    def end(self, progress: Progress) -> None:
        """Let others know that the run is over, and answer what still waits."""
        if self._mailbox is None:
            return
        for command in self._mailbox.waiting(mailbox.LAST_STEP):
            if command.at is None:
                self._mailbox.answer(command, Reply(False, "the run has ended", self._step(progress)))
        self._tell(mailbox.ENDED, progress, now=True)

    def _carry_out(self, command: Command, state: Any, progress: Progress) -> tuple[Any, Reply]:
        step = self._step(progress)
        if command.name == "stop":
            self._run.stop.signal = self._run.stop.signal or signal.SIGTERM
            return state, Reply(True, "the run stops", step)
        if command.name == "save":
            return state, Reply(True, f"saved at step {step:,}", step)
        try:
            if processes.has_others():
                raise wrong(command.name, command.words, "nothing, where several processes train together")
            changed, changes = (
                self._set(state, *command.arguments) if command.name == "set" else self._reload(state)
            )
        except (UserError, ValueError) as error:
            return state, Reply(False, str(error), step)
        said = "; ".join(f"{name}: {old} → {new}" for name, (old, new) in changes.items())
        if changes:
            run_folder.record_change(self._run.folder, step, changes, command.words)
            files.write_json(self._run.folder.config, to_json(self._run.config))
        return changed, Reply(True, said or "nothing to change", step)

    def _set(self, state: Any, name: str, text: str) -> tuple[Any, Mapping[str, Any]]:
        """Give a setting another value, or several times the one it has."""
        config, path = self._run.config, name.removeprefix("--").replace("-", "_")
        types = flags.field_types(config)
        allowed = [known for known in types if self._is_changeable(known)]
        if path not in allowed:
            raise UserError(
                f"set: given {name!r}, which cannot change in a run; allowed: {', '.join(allowed)}"
            )
        value = flags.NOTATION.read(types[path], _several_times(config, path, text), path)
        return self._change(state, flags.put(config, {path: value}))

    def _reload(self, state: Any) -> tuple[Any, Mapping[str, Any]]:
        """Take what may change from config.json, as it is now."""
        config = load_config(self._run.folder.config).with_network(self._run.config.network)
        for path, (before, after) in run_folder.differences(
            to_json(self._run.config), to_json(config)
        ).items():
            if not self._is_changeable(path):
                allowed = f"{before!r}, which cannot change in a run"
                raise wrong(f"{self._run.folder.config}: {path}", after, allowed)
        return self._change(state, config)

    def _change(self, state: Any, config: Any) -> tuple[Any, Mapping[str, Any]]:
        config.validate()
        before = self._run.config
        changes = run_folder.differences(to_json(before), to_json(config))
        tunables = start.changed_tunables(state, before, config)
        self._run.config = config
        return dataclasses.replace(state, tunables=tunables), changes

    def _is_changeable(self, path: str) -> bool:
        tunable = (f"agent.{name}" for name in AGENTS[self._run.config.algorithm].tunables)
        names = (*CHANGEABLE_ON_RESUME, *tunable)
        # A log is opened, or not, when the run begins.
        return path != "tensorboard" and any(path == name or path.startswith(f"{name}.") for name in names)

    def _step(self, progress: Progress) -> int:
        return progress.chunks * self._run.program.steps_per_chunk

    def _tell(self, what: str, progress: Progress, *, now: bool = False) -> None:
        if self._mailbox is not None:
            self._mailbox.tell(what, self._step(progress), self._run.total_steps, now=now)


def _several_times(config: Any, path: str, text: str) -> str:
    """Return the text of a value; of a factor such as x0.5 that of so many times the value that is."""
    if not text.startswith(FACTOR):
        return text
    value = config
    for name in path.split("."):
        value = getattr(value, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(path, text, f"a value: it is {value!r}, of which there is no {text[1:]}-fold")
    try:
        factor = float(text[1:])
    except ValueError:
        raise wrong(path, text, "a value, or a factor such as x0.5") from None
    return repr(type(value)(value * factor))
