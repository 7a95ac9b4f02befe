"""`python -m tetrax.train`: train an agent; with `sweep`: many, and compare them; with `curriculum`: one, in stages."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tetrax.fields.errors import exit_code
from tetrax.system import libraries, streams
from tetrax.train.command import cli


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    # While a run goes on, the loop takes care of Ctrl-C.
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped before the run began")


def _run(words: list[str]) -> int:
    if words[:1] == [cli.SWEEP]:
        return _sweep(words[1:])
    if words[:1] == [cli.CURRICULUM]:
        return _curriculum(words[1:])
    request = cli.parse(words)
    if request is None:
        return 0
    # Imported here: what draws and saves is slow to import, and a wrong flag needs neither.
    from tetrax.train.loop import train
    from tetrax.train.machine import processes
    from tetrax.train.report.display import make_display

    for notice in (*libraries.faults(), *request.notices) if processes.leads() else ():
        print(notice, flush=True)
    result = train(request.config, run_dir=request.run_dir, resume=request.resume, display=make_display())
    return result.exit_code


def _sweep(words: Sequence[str]) -> int:
    from tetrax.train.sweep import sweep_cli

    request = sweep_cli.parse(words)
    if request is None:
        return 0
    from tetrax.train.report.display import make_display
    from tetrax.train.sweep import sweep, sweep_results

    for notice in (*libraries.faults(), *request.notices):
        print(notice, flush=True)
    ended = sweep.run(request.sweep, run_dir=request.run_dir, display=make_display())
    if ended.results is not None:
        print(sweep_results.table(ended.results))
    return ended.exit_code


def _curriculum(words: Sequence[str]) -> int:
    from tetrax.train.curriculum import curriculum_cli

    request = curriculum_cli.parse(words)
    if request is None:
        return 0
    from tetrax.train.report.display import make_display

    for notice in (*libraries.faults(), *request.notices):
        print(notice, flush=True)
    return curriculum_cli.run(request, make_display)


if __name__ == "__main__":
    sys.exit(main())
