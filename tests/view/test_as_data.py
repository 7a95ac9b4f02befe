"""A scene as JSON values: every cell is told, and nothing that JSON does not hold."""

import dataclasses
import json

import jax
import numpy as np

import tetrax
from tetrax.view.as_data import rules_data, scene_data
from tetrax.view.cells import EMPTY
from tetrax.view.picture import picture
from tetrax.view.scene import scene
from tetrax.view.text import render_text

MINI = tetrax.make("mini", actions="drop")


def test_a_scene_tells_every_cell() -> None:
    """Dominoes on four columns; the floor has one hole at column 2, and the piece stands above."""
    state, _ = jax.jit(MINI.reset)(jax.random.key(0))
    rows = np.zeros(MINI.rules.total_height, np.uint32)
    rows[0] = 0b1011
    shown = scene(MINI.rules, state.replace(rows=rows))
    told = json.loads(json.dumps(scene_data(shown)))
    assert told["cells"][:2] == ["??.?", "...."]
    assert len(told["cells"]) == MINI.rules.height + 2
    assert sorted(map(tuple, told["active"])) == sorted(shown.active)
    lowest = min(y for _, y in shown.active)
    assert lowest - told["fall"] == min(y for _, y in shown.ghost)
    assert told["queue"] == list(shown.queue) and told["over"] is False
    assert told["numbers"] == {"SCORE": "0", "LINES": "0", "LEVEL": "1", "PIECES": "0"}


def test_kinds_are_letters_and_what_nobody_saw_is_none() -> None:
    guideline = tetrax.make("guideline")
    state, _ = jax.jit(guideline.reset)(jax.random.key(0))
    shown = scene(guideline.rules, state)
    shown.cells[0] = [0, 1, 6, 7, 8, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY]
    assert scene_data(shown)["cells"][0] == "ABG?#....."
    rules = json.loads(json.dumps(rules_data(guideline.rules)))
    assert [piece["name"] for piece in rules["pieces"]] == [piece.name for piece in guideline.rules.pieces]
    assert rules["pieces"][0]["colour"].startswith("#") and len(rules["pieces"][0]["cells"]) == 4
    assert (rules["columns"], rules["rows"], rules["preview"]) == (10, 20, 5)


def test_a_hint_is_told_and_drawn() -> None:
    """It is drawn where nothing else is."""
    state, _ = jax.jit(MINI.reset)(jax.random.key(0))
    rows = np.zeros(MINI.rules.total_height, np.uint32)
    rows[0] = 0b0001
    shown = dataclasses.replace(scene(MINI.rules, state.replace(rows=rows)), hint=((0, 0), (3, 0)), ghost=())
    assert scene_data(shown)["hint"] == [[0, 0], [3, 0]]
    assert "|## . .++|" in render_text(shown)
    hinted, plain = (picture(one, cell=8) for one in (shown, dataclasses.replace(shown, hint=())))
    assert (hinted != plain).any()
