"""The dashboard in a real browser: a training is watched, paused, changed and gone on with; a recording is played."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import tetrax
from tests.live.web import watched_game
from tests.live.web.made_runs import PIXEL, add_evaluation, make_run, make_sweep
from tetrax.env import record
from tetrax.train.folder import mailbox
from tetrax.view import page as player

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PATIENCE = 60_000  # milliseconds
LEAST_CONTRAST = 4.5
# Find what is written on what, as the browser draws it: the lowest contrast of all texts in sight, and where.
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  let worst = [99, ""];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.disabled || !element.checkVisibility() || element.closest(":disabled")) continue;
    let ground = element;
    while (ground && (parse(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
    const below = ground ? parse(getComputedStyle(ground).backgroundColor) : [255, 255, 255];
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(below)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < worst[0]) worst = [contrast, `${element.className} ${element.textContent.slice(0, 40)}`];
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs with something of everything."""
    root = tmp_path_factory.mktemp("browser") / "runs"
    made = make_run(root / "made")
    make_run(root / "other", seed=1)
    make_sweep(root / "sweep")
    (make_run(root / "broken") / "config.json").write_text("{")
    add_evaluation(made, 3.0)
    for folder in ("plots", "recordings"):
        (made / folder).mkdir()
    (made / "plots" / "dream.png").write_bytes(PIXEL)
    env = tetrax.make("mini", actions="drop")
    game = record.record(env.config, env.default_params, jax.random.key(3), np.array([0, 2, 1, 0, 3]))
    record.save(game, made / "recordings" / "best.json")
    (made / "recordings" / "best.html").write_text(player.show(game).html)
    watched_game.write(made / "watched.jsonl", env, 60)
    return root


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tetrax.dashboard", str(runs), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.kill()


@pytest.fixture
def open_page(chromium: Any, address: str) -> Iterator[Any]:
    """Return what opens a view in a new window; whatever the page complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_one(view: str, **settings: Any) -> Any:
        contexts.append(chromium.new_context(**settings))
        opened = contexts[-1].new_page()
        opened.set_default_timeout(PATIENCE)
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(address + view)
        return opened

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def of_run(run: Path) -> str:
    return "#/run/" + str(run).replace("/", "%2F")


@pytest.fixture
def training(runs: Path) -> Iterator[Path]:
    """Train until the test is over."""
    run = runs / "training"
    words = [
        "ppo",
        "--preset",
        "tiny",
        "--env.preset",
        "mini",
        "--env.actions",
        "drop",
        "--total-steps",
        "100000000",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tetrax.train", *words, "--run-dir", str(run)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        late = time.monotonic() + 300
        while mailbox.read_state(run) is None and time.monotonic() < late:
            time.sleep(0.1)
        yield run
        process.kill()


def test_a_training_is_watched_paused_changed_and_gone_on_with(open_page: Any, training: Path) -> None:
    page = open_page(of_run(training))
    page.locator(".badge.running").first.wait_for()
    page.locator(".watched .did b", has_text="drop").wait_for()
    page.locator(".scores li.chosen").wait_for()
    assert mailbox.is_watched(training)
    page.get_by_role("button", name="pause", exact=True).click()
    page.locator(".said.good", has_text="paused").wait_for()
    page.locator(".run-head .badge.paused").wait_for()
    page.get_by_label("Setting", exact=True).fill("agent.learning_rate")
    page.get_by_label("Value", exact=True).fill("0.00125")
    page.locator("[data-command=set]").click()
    page.locator(".said.good", has_text="agent.learning_rate").wait_for()
    assert '"learning_rate": 0.00125' in (training / "config.json").read_text()
    page.get_by_label("Setting", exact=True).fill("agent.num_envs")
    page.locator("[data-command=set]").click()
    page.locator(".said.bad", has_text="which cannot change in a run").wait_for()
    page.get_by_role("button", name="resume", exact=True).click()
    page.locator(".run-head .badge.running").wait_for()
    page.get_by_role("button", name="stop", exact=True).click()
    page.get_by_role("button", name="Let it go on").click()
    page.get_by_role("button", name="stop", exact=True).click()
    page.get_by_role("button", name="Stop it").click()
    page.locator(".run-head .badge.stopped").wait_for()


def test_a_recording_is_played_with_mouse_and_keys(open_page: Any, runs: Path) -> None:
    page = open_page(of_run(runs / "made"))
    page.get_by_role("button", name="best", exact=True).click()
    inside = page.frame_locator(".player iframe")
    slider = inside.locator("#scrubber")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 9, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    last = slider.get_attribute("max")
    assert int(last) > 2 and slider.input_value() == last
    inside.locator("body").press("Home")
    inside.locator("body").press("ArrowRight")
    assert slider.input_value() == "1"
    assert page.evaluate("document.querySelector('.player iframe').contentDocument") is None  # it is shut in


def test_the_watched_game_is_played_by_keys(open_page: Any, runs: Path) -> None:
    page = open_page(of_run(runs / "made"))
    watched = page.locator(".watched")
    watched.locator("canvas[aria-label*='score']").wait_for()
    watched.press("Home")
    place = watched.get_by_label("Position in the watched game")
    assert place.input_value() == "0"
    watched.locator("dd", has_text=re.compile(r"^TD error .?[0-9.]+$")).wait_for()
    watched.press("ArrowRight")
    watched.press("Shift+ArrowRight")
    assert place.input_value() == "11"
    assert watched.get_by_role("button", name="Play", exact=True).is_visible()  # stepping stops it
    watched.press("+")
    assert watched.get_by_label("Speed").input_value() == "2"
    watched.press(" ")
    page.locator(".watched .controls .number", has_text="newest").wait_for()


def test_curves_are_read_by_keys_and_what_changes_comes_by_itself(open_page: Any, runs: Path) -> None:
    page = open_page("")
    chart = page.get_by_role("img", name=re.compile("^lines(,|$)"))
    chart.scroll_into_view_if_needed()
    page.get_by_role("img", name=re.compile("^lines, ")).wait_for()
    chart.focus()
    chart.press("End")
    page.locator(".cursor:visible", has_text="step").wait_for()
    new = make_run(runs / "new", seed=2)
    page.locator("#shelf-list", has_text="new").wait_for()
    page.get_by_label(f"Show {new}").check()
    page.locator(".legend", has_text="3 runs").wait_for()
    shutil.rmtree(new)
    page.locator("#shelf-list", has_not_text="new").wait_for()
    assert page.locator("#shelf-list .fault:visible").all_inner_texts() == ["config.json: no JSON"]


def test_everything_is_reached_by_the_tab_key(open_page: Any, runs: Path) -> None:
    page = open_page(of_run(runs / "made"))
    page.locator("canvas").first.wait_for()
    page.locator(".pictures").wait_for()
    wanted = page.evaluate(
        "() => [...document.querySelectorAll('a, button, input, select, summary')]"
        ".filter((one) => one.checkVisibility() && !one.disabled).length"
    )
    reached = set()
    page.evaluate(
        "() => { let n = 0; for (const one of document.querySelectorAll('*')) one.dataset.n = n++; }"
    )
    for _ in range(wanted * 2):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.matches('a, button, input, select, summary') ? "
                                  "document.activeElement.dataset.n : null"))  # fmt: skip
    assert len(reached - {None}) >= wanted
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_texts_stand_out_and_nothing_is_wider_than_the_window(
    open_page: Any, runs: Path, width: int, scheme: str
) -> None:
    for view, there in (
        ("", ".legend li"),
        ("#/compare", ".compare table"),
        (of_run(runs / "made"), ".scores li"),
        (of_run(runs / "sweep"), ".run table"),
        (of_run(runs / "broken"), ".banner.bad"),
    ):
        page = open_page(view, viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.locator(there).first.wait_for()
        contrast, where = page.evaluate(CONTRAST)
        assert contrast >= LEAST_CONTRAST, (view, where)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view


def test_a_page_that_comes_back_into_sight_repeats_no_step(open_page: Any, runs: Path) -> None:
    page = open_page(of_run(runs / "made"))
    scrubber = page.get_by_label("Position in the watched game")
    page.locator(".decision .did").wait_for()
    last = scrubber.get_attribute("max")
    assert last is not None and int(last) > 10
    show = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(show, True)
    with page.expect_response(re.compile("/api/events")), page.expect_response(re.compile("/api/run")):
        page.evaluate(show, False)
    page.wait_for_timeout(1_000)
    assert scrubber.get_attribute("max") == last
