"""How long it takes from a key to the picture of it in the browser, on this machine:

    python -m benchmarks.play_delay [--keys 1000] [--browser /usr/bin/chromium]

Starts `python -m tetrax.play --browser`, opens the page without a window, and presses keys at uneven times: shifts,
turns, now and then a drop. The page measures from the event's own time to the frame in which the board was painted.
The last line says half, 99 of 100, and the longest; the exit code is 1 where the 99th percentile is over 25 ms.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile

import numpy as np

LIMIT = 25.0  # milliseconds, of 99 keys of 100
KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "z", "c", "ArrowLeft", "ArrowRight", "ArrowUp", " ")


def measure(keys: int, browser: str) -> list[float]:
    """Press keys in a page of its own server; return the delays in milliseconds."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tetrax.play", "--browser", "--mode", "practice", "--seed", "1"]
        server = subprocess.Popen(
            [*command, "--port", "0", "--save", folder],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            if found is None:
                raise SystemExit("the server did not begin")
            with sync_playwright() as driver:
                chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                page = chromium.new_page(viewport={"width": 1280, "height": 800})
                page.goto(found[0])
                page.wait_for_selector(".seat canvas")
                press(page, keys)
                delays: list[float] = page.evaluate("window.keyDelays()")
                chromium.close()
                return delays
        finally:
            server.terminate()
            server.wait()


def press(page: object, keys: int) -> None:
    """Press keys at uneven times; when the stack is high, begin anew."""
    dice = random.Random(0)
    for number in range(keys):
        page.keyboard.press(dice.choice(KEYS), delay=dice.uniform(10, 40))  # type: ignore[attr-defined]
        page.wait_for_timeout(dice.uniform(20, 90))  # type: ignore[attr-defined]
        if number % 60 == 59:
            page.keyboard.press("r")  # type: ignore[attr-defined]
            page.wait_for_timeout(100)  # type: ignore[attr-defined]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    delays = np.array(measure(given.keys, given.browser))
    half, most = np.percentile(delays, [50, 99])
    said = f"half within {half:.1f} ms, 99 of 100 within {most:.1f} ms, all within {delays.max():.1f} ms"
    print(f"{len(delays)} keys: {said}")
    return int(most > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
