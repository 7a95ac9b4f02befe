"""Commands to a run from another process: sending one, waiting for what comes of it, and looking at what a run does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tetrax.fields.errors import UserError, in_words
from tetrax.train import alerts
from tetrax.train.config import TrainConfig, load_config
from tetrax.train.folder import branching, checkpoint, log, mailbox, run_folder
from tetrax.train.folder.mailbox import ENDED, Reply
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.steering import changed

LOOK_AGAIN_SECONDS = 0.05
GRACE_SECONDS = 60.0  # for a command that is being carried out when the time is over
GONE_SECONDS = 1.0  # the same, where the process has ended
NOT_RUNNING = "not running"
SHOWN_ALERTS = 3  # the newest
SHOWN = ("lines", "return", "steps_per_second")  # of the newest row of metrics


def tell(run: Path, name: str, arguments: tuple[str, ...], at: int | None, timeout: float) -> Reply | None:
    """Send a command to a run and wait for what comes of it; None where it is for a later step, and waits there.

    UserError for what is no command, for a run that is not running, and where no answer comes in time: then the command
    is taken back.
    """
    try:
        mailbox.check(name, arguments, at)
    except ValueError as error:
        raise UserError(str(error)) from None
    folder, state = open_run(run), mailbox.read_state(run)
    if name == "set":
        try:
            changed(load_config(folder.config), *arguments)  # what cannot be is said now, and not at its step
        except ValueError as error:
            raise UserError(str(error)) from None
    if state is None or mailbox.is_alive(state) is False:
        raise UserError(f"{name}: given to {run}, which is not running; allowed: a run that is being trained")
    try:
        command_id = mailbox.send(run, name, arguments, at)
    except OSError as error:
        raise UserError(f"{name}: {in_words(error)}") from None
    if at is not None and at > state.step:
        return None
    late = time.monotonic() + timeout
    given_up: float | None = None  # when to wait no more for what came of a command that was taken
    while (reply := mailbox.reply_to(run, command_id)) is None:
        now = mailbox.read_state(run)
        has_gone = now is None or mailbox.is_alive(now) is False
        if given_up is None and (has_gone or time.monotonic() > late):
            if mailbox.withdraw(run, command_id):
                why = "has ended" if has_gone else f"has not answered in {timeout:g} seconds"
                raise UserError(
                    f"{name}: given to {run}, which {why}; nothing was changed; allowed: a run between two chunks"
                )
            given_up = time.monotonic() + (GONE_SECONDS if has_gone else GRACE_SECONDS)
        if given_up is not None and time.monotonic() > given_up:
            raise UserError(
                f"{name}: given to {run}, which has taken it and has not said what came of it; its history "
                f"is in {folder.history}"
            )
        time.sleep(LOOK_AGAIN_SECONDS)
    return reply


def open_run(run: Path) -> RunFolder:
    """Return the folder of a run; UserError for another one."""
    try:
        return run_folder.open_existing(run)
    except UserError as error:
        raise UserError(str(error).replace("--resume", "RUN_DIR", 1)) from None


def status(run: Path) -> dict[str, Any]:
    """Return what a run does, as JSON values: its state, how far it is, and what it measured last."""
    folder = open_run(run)
    config, state, rows = load_config(folder.config), mailbox.read_state(run), log.read(folder.metrics)
    newest = rows[-1] if rows else {}
    alive = None if state is None else mailbox.is_alive(state)
    what = NOT_RUNNING
    if state is not None and state.state != ENDED and alive is not False:
        what = state.state if alive else f"{state.state} on {state.host}, as it said last"
    saved = checkpoint.steps(folder.checkpoints)
    return {
        "run": str(run),
        "title": _title(config),
        "state": what,
        "step": state.step if state is not None and alive else newest.get("step", 0),
        "total_steps": config.total_steps,
        "saved_step": saved[-1] if saved else None,
        "measured": {name: newest[name] for name in SHOWN if newest.get(name) is not None},
        "evaluated": _newest_evaluation(rows),
        "alerts": alerts.read(folder.alerts)[-SHOWN_ALERTS:],
        "waiting": [{"command": command.words, "at": command.at} for command in mailbox.waiting(run)],
    }


def _title(config: TrainConfig) -> str:
    """Return what is trained on what; of a game that is not installed here, without its name."""
    try:
        return config.title
    except (ValueError, ModuleNotFoundError):
        return f"{config.algorithm} · {config.preset} · {config.game}"


def _newest_evaluation(rows: list[Any]) -> dict[str, Any]:
    for row in reversed(rows):
        found = {name: value for name, value in row.items() if name.startswith("eval/") and value is not None}
        if found:
            return {"step": row["step"], **found}
    return {}


def branch(run: Path, new: Path, timeout: float) -> int:
    """Start a new run folder from the newest checkpoint of a run, saved first where it is running; return its step.

    UserError where there is nothing to start from, or something in the new folder already.
    """
    folder, state = open_run(run), mailbox.read_state(run)
    # Whether a run on another machine is there nobody knows: then from what is saved.
    if state is None or not mailbox.is_alive(state):
        return branching.begin(folder, new)
    reply = tell(run, "branch", (str(new.absolute()),), None, timeout)
    if reply is None or not reply.done:
        raise UserError("" if reply is None else reply.said)
    return reply.step
