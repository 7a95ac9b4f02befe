"""`python -m benchmarks.play_delay`: how long it takes from a key to its picture, for people who play in the browser.

It starts `python -m tetrax.play --browser`, opens the page in a browser without a window, and presses keys at uneven
times: shifts, turns, now and then a drop. The page measures from the time of the key's event to the frame in which the
board has been painted.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import measure
from tetrax.fields.errors import UserError

LIMIT = 25.0  # milliseconds, of 99 keys of 100
KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "z", "c", "ArrowLeft", "ArrowRight", "ArrowUp", " ")
KEYS_OF_A_GAME = 60


@dataclass(frozen=True)
class Options:
    """How long to measure, and in what."""

    keys: int = 1000
    """Keys to press."""
    browser: str = "/usr/bin/chromium"
    """A Chromium to press them in."""
    json: bool = False
    """End with one JSON object, on one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(
        Options(), argv, "play_delay", "Time keys until their picture, in the browser, on this machine."
    )
    if options is None:
        return
    measure.check_positive("--keys", options.keys)
    delays = np.array(time_keys(options.keys, options.browser))
    half, most = np.percentile(delays, [50, 99])
    verdict = "met" if most <= LIMIT else "missed"
    print(
        f"{len(delays)} keys: half within {half:.1f} ms, 99 of 100 within {most:.1f} ms, all within "
        f"{delays.max():.1f} ms (bar: 99 of 100 within {LIMIT:.0f} ms, {verdict})"
    )
    if options.json:
        found = {"keys": len(delays), "half": half, "99%": most, "longest": delays.max(), "bar": LIMIT}
        measure.print_json({**found, **measure.context()})


def time_keys(keys: int, browser: str) -> list[float]:
    """Press keys in a page of its own server; return the delays in milliseconds."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tetrax.play", "--browser", "--mode", "practice", "--seed", "1"]
        server = subprocess.Popen(
            [*command, "--port", "0", "--save", folder], stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        assert server.stdout is not None
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            if found is None:
                raise UserError("python -m tetrax.play: it did not begin")
            with sync_playwright() as driver:
                chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                page = chromium.new_page(viewport={"width": 1280, "height": 800})
                page.goto(found[0])
                page.wait_for_selector(".seat canvas")
                _press(page, keys)
                delays: list[float] = page.evaluate("window.keyDelays()")
                chromium.close()
                return delays
        finally:
            server.terminate()
            server.wait()
            server.stdout.close()


def _press(page: Any, keys: int) -> None:
    """Press keys at uneven times, and begin anew before the stack is high."""
    dice = random.Random(0)
    for number in range(keys):
        page.keyboard.press(dice.choice(KEYS), delay=dice.uniform(10, 40))
        page.wait_for_timeout(dice.uniform(20, 90))
        if number % KEYS_OF_A_GAME == KEYS_OF_A_GAME - 1:
            page.keyboard.press("r")
            page.wait_for_timeout(100)


if __name__ == "__main__":
    sys.exit(main())
