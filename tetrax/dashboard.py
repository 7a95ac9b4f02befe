"""`python -m tetrax.dashboard [RUN_DIR…]`: runs in the browser: curves, the game that is played, steering."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tetrax.fields.errors import UserError, exit_code, install, wrong
from tetrax.system import streams
from tetrax.train.command import flags

PROGRAM = "python -m tetrax.dashboard"
ROOT = Path("runs")


@dataclass(frozen=True)
class Options:
    """Where the page is served."""

    port: int = 8817
    """Port of this machine; 0 = any that is free."""
    host: str = "127.0.0.1"
    """Address of this machine to serve on. On any but its own (127.0.0.1, localhost) the page asks for a token, which
    the address that is printed has in it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped; the runs go on")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, flags.field_types(Options()))
    if words.wants_help:
        _print_help()
        return 0
    options = flags.put(Options(), words.values)
    roots = _roots(words.positionals)
    try:
        from tetrax.live.web import serving
        from tetrax.live.web.dashboard_routes import Dashboard
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise UserError(f"{error.name} is not installed; it comes with: {install('dashboard')}") from None
    dashboard = Dashboard(roots)
    threading.Thread(target=dashboard.read_ahead, daemon=True).start()
    serving.serve(dashboard.routes(), options.host, options.port, "dashboard", say=_say)
    return 0


def _roots(positionals: Sequence[str]) -> list[Path]:
    """Return the folders that are named, each once."""
    for word in positionals:
        if not word or not Path(word).is_dir():
            raise wrong("RUN_DIR", word, "the folder of a run, or a folder of runs")
    return list(dict.fromkeys(map(Path, positionals))) or [ROOT]


def _say(text: str) -> None:
    print(text, flush=True)


def _print_help() -> None:
    flags.print_help(
        Options,
        Options(),
        prog=f"{PROGRAM} [RUN_DIR …]",
        description=(
            "Look at runs in the browser while they train and afterwards: curves side by side, evaluations, what "
            "differs between them, the game as it is played, recordings; and steer them. RUN_DIR is the folder of a "
            f"run, or a folder of runs; when none is named, {ROOT}/."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
