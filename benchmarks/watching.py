"""`python -m benchmarks.watching`: what it costs a training that somebody watches it.

The default training runs alternately plain, its output into a file, and watched: in a terminal with the live view, with
the facts of each step of the watched game, and with a dashboard that a client listens to. The speed is that from the
first row of metrics after `--skip` chunks to the last: time between chunks counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import exit_code
from tetrax.train.command import flags

PLAIN, WATCHED = "plain", "watched"


@dataclass(frozen=True)
class Options:
    """How long is measured."""

    pairs: int = 5
    """Runs of each kind, alternately."""
    steps: int = 600_000
    """Environment steps of a run."""
    skip: int = 20
    """Chunks at the beginning that do not count: the watched game is being compiled."""
    page: bool = True
    """Whether a dashboard shows the watched runs."""


def main(argv: list[str] | None = None) -> int:
    """Measure, and print one JSON object."""
    return exit_code(_run, argv, when_stopped="stopped; nothing was measured")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, flags.field_types(Options()))
    options = flags.put(Options(), words.values)
    speeds: dict[str, list[float]] = {PLAIN: [], WATCHED: []}
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(options.pairs):
            for kind in (PLAIN, WATCHED) if pair % 2 == 0 else (WATCHED, PLAIN):
                run = Path(folder) / f"{kind}{pair}"
                with _page(run) if kind == WATCHED and options.page else contextlib.nullcontext():
                    _train(run, options.steps, watched=kind == WATCHED)
                speeds[kind].append(_speed(run, options.skip))
                print(f"{kind}: {speeds[kind][-1]:,.0f} steps/s", file=sys.stderr)
    ratios = [watched / plain for plain, watched in zip(speeds[PLAIN], speeds[WATCHED], strict=True)]
    print(json.dumps({"speeds": speeds, "ratios": ratios, "median_ratio": statistics.median(ratios)}))
    return 0


def _train(run: Path, steps: int, *, watched: bool) -> None:
    """Train; where it is watched in a terminal of 100 columns."""
    command = [sys.executable, "-m", "tetrax.train", "--preset", "small", "--total-steps", str(steps)]
    command += ["--evaluation.every", "0", "--evaluation.final-episodes", "0", "--run-dir", str(run)]
    if not watched:
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return
    outside, inside = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        [*command, "--watch.steps"], stdin=inside, stdout=inside, stderr=inside, env=environment
    )
    os.close(inside)
    with contextlib.suppress(OSError):  # the terminal ends with the process
        while os.read(outside, 65_536):
            pass
    os.close(outside)
    if process.wait():
        raise RuntimeError(f"training ended with code {process.returncode}")


@contextlib.contextmanager
def _page(run: Path) -> Iterator[None]:
    """Serve the folder of a run, and listen to what the page would be told of it."""
    run.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tetrax.dashboard", str(run.parent), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    listener = threading.Thread(target=_listen, args=(address, run), daemon=True)
    listener.start()
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def _listen(address: str, run: Path) -> None:
    import httpx

    asked: dict[str, Any] = {"run": str(run), "watched": str(run)}
    while True:
        try:
            with httpx.stream("GET", f"{address}api/events", params=asked, timeout=None) as answer:
                for _ in answer.iter_lines():
                    pass
        except httpx.HTTPError:
            return


def _speed(run: Path, skip: int) -> float:
    """Return environment steps per second of a run."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()][skip:]
    return float((rows[-1]["step"] - rows[0]["step"]) / (rows[-1]["wall_time"] - rows[0]["wall_time"]))


if __name__ == "__main__":
    sys.exit(main())
