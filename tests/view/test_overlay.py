"""What a policy held of a decision, beside the picture: bars as long as the scores, the picture itself as it was."""

from __future__ import annotations

import io
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

import tetrax
from tetrax.env import record
from tetrax.view import overlay
from tetrax.view.colours import EDGE, PAGE
from tetrax.view.render import render_gif

CELL = 10
NAMES = ("left", "right", "drop")
PICTURE = np.full((200, 100, 3), 7, np.uint8)
THOUGHT: dict[str, Any] = {
    "action": 1, "did": "right", "decider": "greedy", "kind": "probabilities", "legal": 3, "value": 2.5,
    "scores": [[1, 0.5], [0, 0.25], [2, 0.0]], "played": True,
}  # fmt: skip


def bars(image: np.ndarray) -> list[int]:
    """Return how many pixels long each bar is, from the top."""
    beside = image[:, PICTURE.shape[1] :]
    lengths = [
        max((row == colour).all(axis=-1).sum() for colour in (np.array(overlay.BAR), np.array(EDGE)))
        for row in beside
    ]
    lengths = [int(length) for length in lengths]
    return [now for before, now in zip([0, *lengths], lengths, strict=False) if now and not before]


def test_the_picture_stays_and_bars_are_as_long_as_probabilities() -> None:
    image = overlay.beside(PICTURE, THOUGHT, NAMES, cell=CELL)
    assert image.shape == (200, 100 + overlay.WIDTH * CELL, 3)
    assert (image[:, :100] == PICTURE).all()
    # 12 cells of 10 pixels, less a margin of 7: half of 113 - 1 pixels and a quarter of it, and the first pixel.
    assert bars(image) == [57, 29]


def test_the_error_is_a_line_of_its_own_where_there_is_one() -> None:
    image = overlay.beside(PICTURE, {**THOUGHT, "td_error": -0.25}, NAMES, cell=CELL)
    without = overlay.beside(PICTURE, {**THOUGHT, "td_error": None}, NAMES, cell=CELL)
    assert (without == overlay.beside(PICTURE, THOUGHT, NAMES, cell=CELL)).all()
    line = slice(7 + 4 * 9, 7 + 5 * 9)  # the fifth of lines of 0.9 cells, below a margin of 0.7
    assert (image[line, 100:] != PAGE).any() and (without[7 + 4 * 9 : 7 + 4 * 9 + 3, 100:] == PAGE).all()
    assert (image[: line.start] == without[: line.start]).all()
    assert bars(image) == bars(without)


def test_worths_reach_from_the_lowest_to_the_highest() -> None:
    worths = {**THOUGHT, "kind": "worths", "scores": [[1, -1.0], [0, -2.0], [2, -5.0]]}
    assert bars(overlay.beside(PICTURE, worths, NAMES, cell=CELL)) == [113, 85]  # 4/4, 3/4 and nothing of 112


def test_before_the_first_decision_the_place_is_empty() -> None:
    image = overlay.beside(PICTURE, None, NAMES, cell=CELL)
    assert (image[:, 100:] == PAGE).all()


def test_an_animation_is_wider_by_it_and_wants_a_thought_for_each_action() -> None:
    env = tetrax.make("mini", actions="drop")
    game = record.record(env.config, env.default_params, jax.random.key(3), np.array([0, 2, 1]))
    plain, thought = (
        Image.open(io.BytesIO(render_gif(game, cell=CELL, thoughts=thoughts)))
        for thoughts in (None, [THOUGHT] * 3)
    )
    assert thought.width == plain.width + overlay.WIDTH * CELL
    assert thought.height == plain.height
    with pytest.raises(ValueError, match=r"^thoughts: given 2; allowed: one for each of the 3 actions"):
        render_gif(game, thoughts=[THOUGHT] * 2)
