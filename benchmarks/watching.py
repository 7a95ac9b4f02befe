"""`python -m benchmarks.watching`: what it costs a training that somebody watches it.

The default training runs alternately plain, its output into a file, and watched: in a terminal with the live view, with
the facts of each step of the watched game, and with a dashboard that a client listens to. What comes before `--skip`
chunks, and before the watched game is compiled, does not count. After that are measured the speed, in which the time
between chunks counts, and the CPU time of training and dashboard, which other work on the machine moves less.
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
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import measure
from tetrax.fields.errors import UserError

PLAIN, WATCHED = "plain", "watched"
POLL = 0.05  # seconds


@dataclass(frozen=True)
class Options:
    """How long is measured."""

    pairs: int = 5
    """Runs of each kind, alternately."""
    steps: int = 600_000
    """Environment steps of a run."""
    skip: int = 20
    """Chunks at the beginning that do not count at least."""
    page: bool = True
    """Whether a dashboard shows the watched runs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print one JSON object."""
    return measure.run(_run, argv)


class Cost(NamedTuple):
    """What a run took after its beginning."""

    speed: float  # environment steps a second
    cpu: float  # seconds of the training and of the page, of a million environment steps


def _run(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "watching", __doc__ or "")
    if options is None:
        return
    for flag, number in (("--pairs", options.pairs), ("--steps", options.steps), ("--skip", options.skip)):
        measure.check_positive(flag, number)
    costs: dict[str, list[Cost]] = {PLAIN: [], WATCHED: []}
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(options.pairs):
            for kind in (PLAIN, WATCHED) if pair % 2 == 0 else (WATCHED, PLAIN):
                run, is_watched = Path(folder) / f"{kind}{pair}", kind == WATCHED
                page = _page(run) if is_watched and options.page else contextlib.nullcontext()
                with page as server:
                    cost = _train(run, options, watched=is_watched, server=server)
                costs[kind].append(cost)
                told = f"{cost.speed:,.0f} steps/s, {cost.cpu:.1f} CPU seconds of a million steps"
                print(f"{kind}: {told}", file=sys.stderr)
    found: dict[str, object] = {kind: [cost._asdict() for cost in each] for kind, each in costs.items()}
    for name in Cost._fields:
        pairs = zip(costs[PLAIN], costs[WATCHED], strict=True)
        ratios = [getattr(watched, name) / getattr(plain, name) for plain, watched in pairs]
        found |= {f"{name}_ratios": ratios, f"median_{name}_ratio": statistics.median(ratios)}
    measure.print_json(found)


def _train(run: Path, options: Options, *, watched: bool, server: int | None) -> Cost:
    """Train; where it is watched in a terminal of 100 columns. `server` is the process of the page."""
    command = [sys.executable, "-m", "tetrax.train", "--preset", "small", "--total-steps", str(options.steps)]
    command += ["--evaluation.every", "0", "--evaluation.final-episodes", "0", "--run-dir", str(run)]
    if not watched:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return _measure(run, options.skip, process, [process.pid], lambda: True)
    outside, inside = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        [*command, "--watch.steps"], stdin=inside, stdout=inside, stderr=inside, env=environment
    )
    os.close(inside)
    terminal = threading.Thread(target=_read_all, args=(outside,), daemon=True)
    terminal.start()
    processes = [process.pid] if server is None else [process.pid, server]
    return _measure(run, options.skip, process, processes, (run / "watched.jsonl").exists)


def _read_all(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the terminal ends with the process
        while os.read(descriptor, 65_536):
            pass
    os.close(descriptor)


def _measure(
    run: Path,
    skip: int,
    training: subprocess.Popen[bytes],
    processes: Sequence[int],
    begun: Callable[[], bool],
) -> Cost:
    """Look at a run at each of its rows, and say what it took from the first that counts to the last."""
    samples: list[tuple[dict[str, Any], float]] = []
    path, size = run / "metrics.jsonl", 0
    try:
        while training.poll() is None:
            time.sleep(POLL)
            if not path.exists() or path.stat().st_size == size:
                continue
            size = path.stat().st_size
            rows = path.read_text().splitlines(keepends=True)
            if len(rows) > skip and rows[-1].endswith("\n") and begun():
                with contextlib.suppress(FileNotFoundError):  # it has just ended
                    samples.append((json.loads(rows[-1]), sum(map(_cpu_seconds, processes))))
    finally:
        training.kill()
        training.wait()
    if training.returncode:
        raise RuntimeError(f"training ended with code {training.returncode}")
    if len(samples) < 2:
        raise UserError("--steps: given fewer than a run needs until it is measured; allowed: more of them")
    (first, before), (last, after) = samples[0], samples[-1]
    steps = last["step"] - first["step"]
    return Cost(steps / (last["wall_time"] - first["wall_time"]), (after - before) / steps * 1e6)


def _cpu_seconds(process: int) -> float:
    """Return what a process has had of the processors so far, as Linux tells it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _page(run: Path) -> Iterator[int]:
    """Serve the folder of a run, and listen to what the page would be told of it; yield the process that serves."""
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
        yield process.pid
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


if __name__ == "__main__":
    sys.exit(main())
