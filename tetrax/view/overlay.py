"""What a policy made of a decision, drawn beside the picture of a game: for animations, which no page explains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tetrax.view.colours import EDGE, LABEL, PAGE, PANEL, PIECE_COLOURS, TEXT
from tetrax.view.picture import MARGIN, font
from tetrax.view.player_data import encode_thought

WIDTH = 12  # cells, of what is put beside
LETTERS = 27  # of a line at most
MOST_SCORES = 6  # actions that are listed
LINE = 1.15  # cells
BAR = PIECE_COLOURS["I"]  # a colour that every picture of the seven pieces has


def beside(
    picture: np.ndarray, thought: dict[str, Any] | None, names: Sequence[str], *, cell: int
) -> np.ndarray:
    """Return a picture, uint8[height, width, 3], made wider by what a policy held of the decision that led to it.

    `thought` is one of `tetrax.train.report.thoughts.think`, `names` are those of the actions. Before the first
    decision there is none, and the place stays empty.
    """
    height, left = picture.shape[:2]
    image = Image.new("RGB", (left + WIDTH * cell, height), PAGE)
    image.paste(Image.fromarray(picture))
    if thought is not None:
        _write(ImageDraw.Draw(image), encode_thought(thought, names), left, cell)
    return np.asarray(image)


def _write(draw: ImageDraw.ImageDraw, thought: dict[str, Any], left: int, cell: int) -> None:
    """Write who decided what, what was expected, and draw the scores of the best actions as bars."""
    right, top = left + round((WIDTH - MARGIN) * cell), round(MARGIN * cell)
    value = thought["value"]
    lines = [
        (f"POLICY'S CHOICE OF {thought['legal']}", LABEL),
        (thought["did"], TEXT),
        ("was played" if thought["played"] else "was not played", LABEL),
        ("" if value is None else f"expects {value:.4g}", LABEL),
    ]
    if "error" in thought:
        lines.append((f"TD error {thought['error']:.4g}", LABEL))
    for text, ink in lines:
        draw.text((left, top), text[:LETTERS], ink, font(0.62 * cell))
        top += round(0.9 * cell)
    top += round(0.3 * cell)
    best = thought["best"][:MOST_SCORES]
    for (name, score), share in zip(best, _shares(thought["kind"], best), strict=True):
        said = f"{100 * score:.1f}%" if thought["kind"] == "probabilities" else f"{score:.4g}"
        draw.text((left, top), name[:LETTERS], TEXT if name == thought["did"] else LABEL, font(0.55 * cell))
        draw.text((right, top), said, TEXT, font(0.55 * cell), anchor="ra")
        top += round(0.75 * cell)
        bottom = top + max(2, cell // 5)
        draw.rectangle((left, top, right - 1, bottom), PANEL)
        if share > 0:
            ink = BAR if name == thought["did"] else EDGE
            draw.rectangle((left, top, left + round(share * (right - 1 - left)), bottom), ink)
        top += round((LINE - 0.75) * cell) + cell // 4
    if thought.get("lines"):
        draw.text((left, top), "BEST LINES", LABEL, font(0.55 * cell))
    for number, line in enumerate(thought.get("lines", ()), start=1):
        draw.text((left, top + round(0.8 * number * cell)), line[:LETTERS], TEXT, font(0.55 * cell))


def _shares(kind: str | None, best: list[Any]) -> list[float]:
    """Return how long the bars are, 0 to 1: probabilities as they are, worths between the lowest and the highest."""
    scores = [score for _, score in best]
    if kind == "probabilities" or not scores:
        return scores
    lowest = min(scores)
    return [(score - lowest) / ((max(scores) - lowest) or 1.0) for score in scores]
