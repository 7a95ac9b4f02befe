"""`python -m benchmarks.startup`: seconds of `python -m tetrax.train` to the first metric or the end, cold and warm."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.measure import ROOT, check_positive, table
from tetrax.fields.errors import UserError, wrong_name
from tetrax.train import presets
from tetrax.train.folder import log

GIVE_UP_SECONDS = 900
SECONDS_BETWEEN_LOOKS = 0.02


@dataclass(frozen=True)
class Options:
    """What to measure."""

    preset: str | None = None
    """Preset of the training; when not given, the one that the command chooses."""
    actions: str | None = None
    """Action set of the training; when not given, that of the preset."""
    rounds: int = 3
    """Times that a start is measured with an empty cache and then with a filled one; medians are reported."""
    whole: bool = False
    """Let every training go on to its end, and time that too."""
    json: bool = False
    """End with one JSON object, on one line."""
    save: bool = False
    """Keep the result in benchmarks/results/performance, for the tables and charts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(
        Options(),
        argv,
        "startup",
        "Time the start of training, with nothing compiled yet and with all of it.",
    )
    if options is None:
        return
    words = check(options)
    result = {**rounds(words, options.rounds, options.whole), **measure.context()}
    print(report(result))
    if options.save:
        measure.save(
            f"startup-{options.preset or 'default'}-{options.actions or 'default'}",
            what=f"first metric of `{result['command']}`, compiled programs cached",
            value=result["warm"]["seconds"],
            unit="seconds",
            module="startup",
            argv=argv,
            data=result,
        )
    if options.json:
        measure.print_json(result)


def check(options: Options) -> list[str]:
    """Return the words of the training command; UserError for the first value that cannot be meant."""
    check_positive("--rounds", options.rounds)
    algorithm = presets.algorithms()[0]
    if options.preset is not None and options.preset not in presets.names(algorithm):
        raise wrong_name("--preset", options.preset, presets.names(algorithm))
    presets.find(algorithm, options.preset or presets.CPU_PRESET, options.actions)
    words = ["-m", "tetrax.train"]
    words += [] if options.preset is None else ["--preset", options.preset]
    return words + ([] if options.actions is None else ["--env.actions", options.actions])


def rounds(words: Sequence[str], count: int, whole: bool = False) -> dict[str, Any]:
    """Start with an empty cache and again with what that left, some times; return medians and every start."""
    starts: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(count):
        with tempfile.TemporaryDirectory() as cache:
            for kind, found in starts.items():
                found.append(time_start(words, Path(cache), whole))
                print(f"{kind}: {found[-1]['seconds']:.1f} s", flush=True)
    medians = {
        kind: {name: statistics.median(one[name] for one in found) for name in found[0]}
        for kind, found in starts.items()
    }
    return {"command": " ".join(["python", *words]), **medians, "starts": starts}


def time_start(words: Sequence[str], cache: Path, whole: bool) -> dict[str, float]:
    """Start training in a fresh process; end it at the first line of its metrics.jsonl, or let it end by itself.

    Wall-clock seconds to that line (and, as whole_seconds, to the end), and CPU seconds (user + system) of the
    process while it lived.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_")}
    variables |= {"TETRAX_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
        run = Path(folder) / "run"
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *words, "--run-dir", str(run)],
            cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            found = _wait(process, run / "metrics.jsonl", began)
            if found is not None and whole:
                process.wait(GIVE_UP_SECONDS)
                found["whole_seconds"] = time.perf_counter() - began
        finally:
            process.kill()
            process.wait()
        if found is None or (whole and process.returncode != 0):
            output.seek(0)
            last = output.read().strip().splitlines() or ["no output"]
            lacks = "wrote no metric" if found is None else f"ended with code {process.returncode}"
            raise UserError(f"{' '.join(words)}: {lacks}: {last[-1]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return {**found, "cpu_seconds": spent}


def _wait(process: subprocess.Popen[bytes], metrics: Path, began: float) -> dict[str, float] | None:
    """Return the seconds until there was a whole line of metrics; None if the process ended without one."""
    while True:
        ended = process.poll() is not None
        if log.read(metrics):
            return {"seconds": time.perf_counter() - began}
        if ended or time.perf_counter() - began > GIVE_UP_SECONDS:
            return None
        time.sleep(SECONDS_BETWEEN_LOOKS)


def report(result: dict[str, Any]) -> str:
    """Return the result as text for people."""
    names = {"seconds": "first metric, s", "whole_seconds": "whole run, s", "cpu_seconds": "CPU seconds"}
    shown = [name for name in names if name in result["cold"]]
    rows = [(kind, *(f"{result[kind][name]:.1f}" for name in shown)) for kind in ("cold", "warm")]
    head = ("programs", *(names[name] for name in shown))
    return "\n".join([f"{result['command']}; {measure.machine()}", table(head, rows)])


if __name__ == "__main__":
    sys.exit(main())
