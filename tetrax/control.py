"""`python -m tetrax.control RUN_DIR COMMAND`: steer a training from another terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import USER_ERROR_EXIT_CODE, UserError, exit_code, wrong, wrong_name
from tetrax.system import streams
from tetrax.train.command import flags
from tetrax.train.folder import mailbox

PROGRAM = "python -m tetrax.control"
TAKES = {"status": (), **mailbox.COMMANDS}  # command -> what it takes
DOES = {
    "status": "say what the run does, running or not",
    "pause": "save, and wait",
    "resume": "go on",
    "set": "give a setting another value, or several times the one it has (x0.5)",
    "reload": "take what may change from config.json",
    "save": "save a checkpoint",
    "eval": "evaluate now",
    "stop": "save, and end as at the signal SIGTERM",
    "branch": "start a new run folder from the newest checkpoint",
}


@dataclass(frozen=True)
class Options:
    """How to steer."""

    at: int | None = None
    """Environment step from which on the command is carried out; when not given, at the end of the chunk."""
    timeout: float = 600.0
    """Seconds to wait for an answer, which comes at the end of the chunk; then the command is taken back."""
    json: bool = False
    """Print one JSON object."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped; a command that was sent may still be carried out")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, flags.field_types(Options()))
    if words.wants_help:
        _print_help()
        return 0
    options = flags.put(Options(), words.values)
    if not options.timeout > 0:
        raise wrong("--timeout", options.timeout, "more than 0 seconds")
    run, name, arguments = _request(words.positionals)
    if options.at is not None and name in ("status", "branch"):
        raise wrong("--at", options.at, f"nothing with {name}, which is done at once")
    code, said, document = _carry_out(run, name, arguments, options)
    print(json.dumps(document, allow_nan=False) if options.json else said)
    streams.deliver()
    return code


def _request(positionals: Sequence[str]) -> tuple[Path, str, tuple[str, ...]]:
    if len(positionals) < 2 or not positionals[0]:
        given = " and ".join(positionals) or "nothing"
        raise UserError(
            f"RUN_DIR COMMAND: given {given}; allowed: the folder of a run, and one of {', '.join(TAKES)}"
        )
    folder, name, *arguments = positionals
    if name not in TAKES:
        raise wrong_name("COMMAND", name, TAKES)
    takes = " ".join(TAKES[name])
    if len(arguments) != len(TAKES[name]) or "" in arguments:
        raise UserError(
            f"{name}: given {' '.join(arguments) or 'nothing'}; allowed: {takes or 'nothing more'}"
        )
    return Path(folder), name, tuple(arguments)


def _carry_out(
    run: Path, name: str, arguments: tuple[str, ...], options: Options
) -> tuple[int, str, dict[str, Any]]:
    """Return exit code, words and JSON object of what came of a command."""
    from tetrax.live import sending

    if name == "status":
        found = sending.status(run)
        return 0, _status_in_words(found), found
    if name == "branch":
        step = sending.branch(run, Path(arguments[0]), options.timeout)
        said = f"{arguments[0]} begins at step {step:,}; go on with: python -m tetrax.train --resume {arguments[0]}"
        return 0, said, {"done": True, "said": said, "step": step}
    reply = sending.tell(run, name, arguments, options.at, options.timeout)
    if reply is None:
        said = f"waits for step {options.at:,}"
        return 0, said, {"done": None, "said": said, "step": options.at}
    if not reply.done:
        if not options.json:
            raise UserError(reply.said)
        return USER_ERROR_EXIT_CODE, reply.said, dict(reply.__dict__)
    return 0, reply.said, dict(reply.__dict__)


def _status_in_words(found: dict[str, Any]) -> str:
    lines = [f"{found['run']}: {found['title']}"]
    saved = "nothing saved yet" if found["saved_step"] is None else f"saved at step {found['saved_step']:,}"
    lines.append(f"{found['state']}, step {found['step']:,} of {found['total_steps']:,}, {saved}")
    if found["measured"]:
        told = (f"{name.replace('_', ' ')} {value:.4g}" for name, value in found["measured"].items())
        lines.append("last chunk: " + ", ".join(told))
    if found["evaluated"]:
        numbers = {name: value for name, value in found["evaluated"].items() if name != "step"}
        told = (
            f"{name.removeprefix('eval/')} {value:.4g}"
            for name, value in numbers.items()
            if _is_number(value)
        )
        lines.append(f"evaluation at step {found['evaluated']['step']:,}: " + ", ".join(told))
    lines += [f"alert at step {one['step']:,}: {one['said']}" for one in found["alerts"]]
    lines += [f"waits for step {one['at'] or 0:,}: {one['command']}" for one in found["waiting"]]
    return "\n".join(lines)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _print_help() -> None:
    listed = "; ".join(f"{' '.join([name, *takes])}: {DOES[name]}" for name, takes in TAKES.items())
    flags.print_help(
        Options,
        Options(),
        prog=f"{PROGRAM} RUN_DIR COMMAND",
        description=(
            f"Steer the training in RUN_DIR, which obeys between two chunks. {listed}. For example: "
            f"{PROGRAM} runs/first set agent.learning_rate 1e-4."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
