"""`python -m tetrax.plot RUN…`: curves of runs in one picture, seeds of one configuration together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tetrax.fields.errors import UserError, exit_code, wrong
from tetrax.system import streams
from tetrax.train.command import flags

PROGRAM = "python -m tetrax.plot"
MAX_SMOOTH = 100_000


@dataclass(frozen=True)
class Options:
    """What to draw, and where."""

    metric: str | None = None
    """Name of what to draw, as in metrics.jsonl: eval/lines, lines, loss/policy, …; when not given the game's first
    measure, in evaluations where all runs have some. A wrong name is answered with all that there are."""
    x: Literal["steps", "minutes"] = "steps"
    """Over what: environment steps, or minutes since the run began."""
    smooth: int = 1
    """Chunks of training, or evaluations, of which each point is the mean."""
    out: str = "plot.png"
    """File to draw to: .png, .svg or .pdf."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped; nothing was drawn")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, flags.field_types(Options()))
    if words.wants_help:
        _print_help()
        return 0
    options = flags.put(Options(), words.values)
    if not words.positionals:
        raise UserError("RUN: given nothing; allowed: the folders of one run or more")
    if not 1 <= options.smooth <= MAX_SMOOTH:
        raise wrong("--smooth", options.smooth, f"1 to {MAX_SMOOTH:,}")
    from tetrax.train.report import run_curves

    path = flags.file_to_write("--out", options.out, run_curves.SUFFIXES)
    folders = {
        Path(folder).resolve(): folder for folder in words.positionals
    }  # each once, however it is named
    runs = [run_curves.read(Path(folder)) for folder in folders.values()]
    metric = options.metric or run_curves.default_metric(runs)
    lines = run_curves.curves(runs, metric, options.smooth)
    run_curves.draw(lines, path, metric, options.x)
    for line in lines:
        places, values = run_curves.together(line.seeds, "steps")
        last = values[:, -1]
        spread = f" ({last.min():.4g} to {last.max():.4g}, {len(last)} seeds)" if len(last) > 1 else ""
        print(f"{line.label}: {metric} {last.mean():.4g}{spread} at step {places[-1]:,.0f}")
    print(f"picture: {path}")
    streams.deliver()
    return 0


def _print_help() -> None:
    flags.print_help(
        Options,
        Options(),
        prog=f"{PROGRAM} RUN [RUN …]",
        description=(
            "Draw curves of runs in one picture. Runs whose configurations differ in nothing but seed, length and how "
            "they are looked at are one line: the mean over their seeds, and a band from the lowest to the highest. "
            "The others are named by what they differ in."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
