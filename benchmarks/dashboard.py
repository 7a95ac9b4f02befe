"""`python -m benchmarks.dashboard`: how long the dashboard takes with many long runs, and how soon it tells a change.

Runs are made up in a temporary folder, the page is opened in a headless Chromium, and the times are those that the
browser sees. The memory of the page is that of its process: what of it no other process shares.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measure
from tetrax.fields.errors import exit_code
from tetrax.train.config import to_json
from tetrax.train.in_python import configure

MEASURES = ("lines", "pieces", "return", "score")
OTHERS = [
    *(f"loss/{name}" for name in ("policy", "value", "total", "dynamics", "reward", "legal")),
    *("entropy", "kl", "grad_norm", "clip_fraction", "explained_variance", "learning_rate", "games"),
]
LATENCY_TRIES = 10


@dataclass(frozen=True)
class Options:
    """Which runs are made up, and what is shown of them."""

    runs: int = 100
    """Runs in the folder."""
    rows: int = 10_000
    """Rows in the log of each."""
    show_all: bool = False
    """Then show the curves of all runs, too."""
    json: bool = False
    """Print one JSON object at the end."""


def write_runs(root: Path, number: int, rows: int) -> None:
    """Write runs of several learning rates and seeds, with an evaluation in every hundredth row."""
    config = to_json(configure("ppo", "small"))
    for index in range(number):
        run, chance = root / f"run-{index:03}", random.Random(index)
        run.mkdir(parents=True)
        agent = {**config["agent"], "learning_rate": 10 ** (-4 + index // 5 % 4 / 2)}
        document = {**config, "agent": agent, "seed": index % 5, "total_steps": rows * 1024}
        (run / "config.json").write_text(json.dumps(document))
        with (run / "metrics.jsonl").open("w") as file:
            for row in range(rows):
                file.write(json.dumps(_row(row, rows, chance)) + "\n")


def _row(number: int, rows: int, chance: random.Random) -> dict[str, Any]:
    level = 30 * (1 - math.exp(-4 * number / rows)) + chance.gauss(0, 3)
    row: dict[str, Any] = {"step": 1024 * (number + 1), "wall_time": 0.3 * number, "steps_per_second": 3000.0}
    row |= dict.fromkeys(MEASURES, level) | {name: chance.random() for name in OTHERS}
    if number % 100 == 99:
        row |= {f"eval/{name}": 1.2 * level for name in MEASURES}
    return row


@contextlib.contextmanager
def served(root: Path) -> Iterator[tuple[str, int]]:
    """Serve a folder of runs in another process; give its address and number."""
    command = [sys.executable, "-m", "tetrax.dashboard", str(root), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.terminate()


def memory(pid: int) -> float:
    """Return the memory of a process that no other one shares, in MB (10^6 bytes)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"Private_\w+:\s+(\d+) kB", text)) * 1024 / 1e6


def renderers(browser_pid: int) -> list[int]:
    """Return the processes of pages among the descendants of a browser."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = []
    for pid in parents:
        line, above = pid, []
        while line in parents:
            line = parents[line]
            above.append(line)
        with contextlib.suppress(OSError):
            if browser_pid in above and b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def open_page(root: Path, show_all: bool) -> dict[str, float]:
    """Open the page and measure: seconds to the list, to the first curves; MB; seconds until a new row is seen."""
    from playwright.sync_api import sync_playwright

    found: dict[str, float] = {}
    with served(root) as (address, server), sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        profile = tempfile.mkdtemp()
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=["--no-sandbox"], viewport={"width": 1440, "height": 900}
        )
        browser = int(
            subprocess.run(["pgrep", "-of", profile], capture_output=True, text=True).stdout.split()[0]
        )
        page = context.new_page()
        begun = time.monotonic()
        page.goto(address)
        page.wait_for_selector("#shelf-list li a")
        found["list, seconds"] = time.monotonic() - begun
        page.wait_for_selector('.stage[aria-label*="curves, last: "]:not([aria-label*="nothing"])')
        found["first curves, seconds"] = time.monotonic() - begun
        read = page.locator('.sections[aria-busy="false"]')
        read.wait_for(timeout=120_000)
        found["all shown curves, seconds"] = time.monotonic() - begun
        if show_all:
            begun = time.monotonic()
            page.click("#pick-all")
            page.locator("#shelf-count", has_text=f"{len(list(root.iterdir()))} of").wait_for()
            read.wait_for(timeout=120_000)
            found["curves of all runs, seconds"] = time.monotonic() - begun
        found["page, MB"] = max(memory(pid) for pid in renderers(browser))
        found["server, MB"] = memory(server)
        found["latency, seconds"] = latency(page, root / "run-000")
        context.close()
        shutil.rmtree(profile, ignore_errors=True)
    return found


def latency(page: Any, run: Path) -> float:
    """Return the median of the times from writing a row until the page of the run shows its step."""
    page.goto(page.url.partition("#")[0] + f"#/run/{str(run).replace('/', '%2F')}")
    page.wait_for_selector(".facts")
    step, times = 10**8, []
    for _ in range(LATENCY_TRIES):
        page.wait_for_timeout(random.uniform(500, 1500))
        step += 1024
        with (run / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, "wall_time": 1e4, "lines": 30.0}) + "\n")
        begun = time.monotonic()
        page.locator(".facts", has_text=f"{step:,}").wait_for()
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def main() -> int:
    """Make the runs, open the page, and say what was measured."""
    return exit_code(_run, None, when_stopped="stopped")


def _run(argv: list[str]) -> int:
    options = measure.options(Options(), argv, "dashboard", "Measure the dashboard in a headless Chromium.")
    if options is None:
        return 0
    for flag, given in (("--runs", options.runs), ("--rows", options.rows)):
        measure.check_positive(flag, given)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        write_runs(root, options.runs, options.rows)
        found = {name: round(value, 3) for name, value in open_page(root, options.show_all).items()}
    for name, value in found.items():
        print(f"{name}: {value:.2f}")
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
