"""A game in a real browser, by its keyboard alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tetrax.env import record

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]
# A 4x6 board of dominoes: two of them side by side fill a row.
GAME = ["--mode", "endless", "--preset", "mini", "--seed", "5"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("games")
    command = [sys.executable, "-m", "tetrax.play", "--browser", "--port", "0", "--save", str(folder), *GAME]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    try:
        found = re.search(r"http://\S+", started.stdout.readline())
        assert found is not None
        yield found[0], folder
    finally:
        started.terminate()
        started.wait(timeout=60)
        started.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, server: tuple[str, Path]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    opened.goto(server[0])
    opened.wait_for_selector(".seat canvas")
    yield opened
    context.close()
    assert faults == []


def label(page: Any) -> str:
    """Return what the board says of itself to those who do not see it."""
    return str(page.get_attribute(".seat canvas", "aria-label"))


def wait_for(page: Any, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('.seat canvas').getAttribute('aria-label').includes(words)",
        arg=words,
    )


def test_a_game_is_played_to_a_line_clear_by_keyboard(page: Any, server: tuple[str, Path]) -> None:
    folder = server[1]
    wait_for(page, "pieces 0")
    for number, way in enumerate(["ArrowLeft", "ArrowRight"], 1):
        for _ in range(3):
            page.keyboard.press(way)
        page.keyboard.press("Space")
        wait_for(page, f"pieces {number}")
    wait_for(page, "lines 1")
    assert "1 line" in page.inner_text("#said")
    page.keyboard.press("r")
    page.wait_for_function("() => document.getElementById('kept').textContent.includes('.json')")
    [path] = [path for path in folder.iterdir() if path.suffix == ".json"]
    recording = record.verify(record.load(path)).recording
    assert (recording.outcome.lines, recording.outcome.pieces) == (1, 2)
    assert len(page.evaluate("window.keyDelays()")) >= 8


def test_keys_are_changed_and_kept(page: Any) -> None:
    page.click("#settings-button")
    page.click("button[aria-label='drop: space; change']")
    page.keyboard.press("j")
    page.click("#settings button[value=done]")
    page.reload()
    page.wait_for_selector(".seat canvas")
    wait_for(page, "pieces 0")
    page.keyboard.press("Space")
    page.keyboard.press("j")
    wait_for(page, "pieces 1")
    assert json.loads(page.evaluate("localStorage.getItem('tetrax.play')"))["bindings"]["j"] == "hard_drop"


def test_it_pauses_where_nobody_looks(page: Any) -> None:
    page.keyboard.press("ArrowLeft")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_function("() => document.querySelector('.state').textContent === 'paused'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_and_is_played_by_fingers(
    browser: Any, server: tuple[str, Path], scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme=scheme)
    page = context.new_page()
    page.goto(server[0])
    page.wait_for_selector(".seat canvas")
    wait_for(page, "pieces 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.tap("#touch button[aria-label=drop]")
    wait_for(page, "pieces 1")
    too_pale = page.evaluate(CONTRAST)
    context.close()
    assert too_pale == []


# Returns the texts whose colour is less than 4.5 times as light, or as dark, as what is behind them.
CONTRAST = """
() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.offsetParent) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`${element.tagName} ${element.textContent.trim()} ${contrast.toFixed(2)}`);
  }
  return found;
}
"""
