"""Text, pictures and animations: what a known board looks like."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tests.env.games import played_by_keys, played_by_placements
from tetrax.env.ascii import state_from_ascii
from tetrax.env.game.pieces import DOMINOES
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.env.tetris import make
from tetrax.view.colours import LABEL, PAGE, PIECE_COLOURS, UNKNOWN, WELL, colour_of, mix
from tetrax.view.frames import scenes
from tetrax.view.picture import board_corner, palette, picture
from tetrax.view.render import LAST_FRAME_TIME, render, render_gif, render_rgb
from tetrax.view.scene import scene
from tetrax.view.text import render_text

RULES = Rules(width=6, height=7, buffer=4, preview=2)
BOARD = """
    #.....
    ##..##
    #.####
"""


def state() -> State:
    return state_from_ascii(RULES, BOARD, piece="T", hold="I", queue="LO")


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_plain_text() -> None:
    assert render(RULES, state()) == "\n".join(
        [
            "HOLD                      NEXT",
            "[][][][]       []             []",
            "          | .[][][] . .|  [][][]",
            "          | . . . . . .|",
            "SCORE     | . . . . . .|  [][]",
            "0         | . .:: . . .|  [][]",
            "          |##:::::: . .|",
            "LINES     |#### . .####|",
            "0         |## .########|",
            "          +------------+",
            "LEVEL",
            "1",
            "",
            "PIECES",
            "0",
        ]
    )


def test_text_of_a_large_score_the_end_and_nothing_held() -> None:
    """The board moves right for a long number, as a whole."""
    end = state().replace(
        score=jnp.int32(2**31 - 1), lines=jnp.int32(123), hold=jnp.int32(-1), game_over=jnp.bool_(True)
    )
    lines = render(RULES, end, start_level=2).splitlines()
    assert lines[:2] == ["HOLD                          NEXT", "-                  []             []"]
    assert lines[4] == "SCORE         | . . . . . .|  [][]"
    assert lines[5] == "2,147,483,647 | . . . . . .|  [][]"
    assert lines[11] == "14"  # level 2 and twelve times ten lines
    assert lines[-1] == "GAME OVER"


def test_text_without_hold_and_preview_leaves_their_places_out() -> None:
    rules = Rules(width=4, height=6, buffer=4, pieces=DOMINOES, preview=0, hold=False)
    text = render(rules, state_from_ascii(rules, "#.#."))
    assert "HOLD" not in text
    assert "NEXT" not in text
    assert text.splitlines()[0] == "SCORE"
    assert text.splitlines()[2] == "          | .[][] .|"


def test_coloured_text_is_the_same_drawing_in_blocks() -> None:
    coloured = render(RULES, state(), colour=True)
    translated = without_colours(coloured).translate(str.maketrans("·│─└┘", ".|-++"))
    for block, mark in (("██", "@@"), ("░░", "::")):
        translated = translated.replace(block, mark)
    assert translated == render(RULES, state()).replace("[]", "@@").replace("##", "@@")
    red, green, blue = PIECE_COLOURS["T"]
    assert f"\x1b[38;2;{red};{green};{blue}m██████\x1b[0m" in coloured  # the T's flat side
    assert f"\x1b[38;2;{red};{green};{blue}m░░░░░░\x1b[0m" in coloured  # and its ghost's
    assert coloured.count("\x1b[0m") == len(re.findall(r"\x1b\[38", coloured))  # every colour ends


def test_coloured_text_of_a_recording_tells_pieces_apart() -> None:
    *_, last = scenes(played_by_placements(seed=2, pieces=90)[0])
    kinds = {int(kind) for kind in last.cells[: last.rules.height].flat if kind >= 0}
    text = render_text(last, colour=True)
    assert len(kinds) > 3
    for kind in kinds:
        red, green, blue = colour_of(last.rules, kind)
        assert f"\x1b[38;2;{red};{green};{blue}m██" in text


def centre(picture: np.ndarray, rules: Rules, x: int, y: int, cell: int) -> tuple[int, ...]:
    """Colour in the middle of cell (x, y)."""
    left, top = board_corner(cell=cell)
    row, column = top + (rules.height - 1 - y) * cell + cell // 2, left + x * cell + cell // 2
    return tuple(int(part) for part in picture[row, column])


@pytest.mark.parametrize("cell", [8, 16, 24])
def test_cells_of_a_picture_have_their_colours(cell: int) -> None:
    pixels = render_rgb(RULES, state(), cell=cell)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    purple = PIECE_COLOURS["T"]
    expected = {(1, 6): purple, (2, 6): purple, (3, 6): purple, (2, 7): purple}
    expected |= {cell: mix(WELL, purple, 0.12) for cell in ((1, 2), (2, 2), (3, 2), (2, 3))}
    for row, line in enumerate(reversed(BOARD.split())):
        for column, mark in enumerate(line):
            ground = UNKNOWN if mark == "#" else expected.get((column, row), WELL)
            expected[column, row] = ground
    for row in range(RULES.height + 2):
        for column in range(RULES.width):
            empty = WELL if row < RULES.height else PAGE
            colour = expected.get((column, row), empty)
            assert centre(pixels, RULES, column, row, cell) == colour, (column, row)


def test_locked_cells_of_a_recording_have_their_pieces_colours() -> None:
    *_, last = scenes(played_by_placements(seed=2, pieces=90)[0])
    pixels, free = picture(last, cell=12), {*last.active, *last.ghost}
    for row in range(last.rules.height):
        for column in range(last.rules.width):
            kind = int(last.cells[row, column])
            if kind >= 0 and (column, row) not in free:
                assert centre(pixels, last.rules, column, row, 12) == colour_of(last.rules, kind)


def test_hold_and_queue_are_drawn_beside_the_board() -> None:
    """The I (held) left of the board, L and O right of it, and the held one dim once it was used."""
    left, _ = board_corner(cell=20)
    right = left + RULES.width * 20

    def colours(pixels: np.ndarray) -> set[tuple[int, ...]]:
        return {tuple(pixel) for pixel in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}

    pixels = render_rgb(RULES, state(), cell=20)
    assert PIECE_COLOURS["I"] in colours(pixels[:, : left - 4])
    assert {PIECE_COLOURS["L"], PIECE_COLOURS["O"]} <= colours(pixels[:, right + 4 :])
    assert PIECE_COLOURS["I"] not in colours(pixels[:, right + 4 :])
    used = render_rgb(RULES, state().replace(hold_used=jnp.bool_(True)), cell=20)
    assert PIECE_COLOURS["I"] not in colours(used[:, : left - 4])
    assert LABEL in colours(pixels[:, : left - 4])  # letters


def test_every_shape_of_rules_can_be_drawn() -> None:
    for changed in (
        {"preview": 6},
        {"preview": 0, "hold": False},
        {"width": 22, "height": 28},
        {"height": 4},
    ):
        rules: Any = Rules(**changed)  # type: ignore[arg-type]
        start = scene(rules, state_from_ascii(rules, ""))
        over = replace(start, game_over=True)
        assert picture(start, cell=10).shape == picture(over, cell=10).shape
        assert (picture(start, cell=10) != picture(over, cell=10)).any()


def test_a_state_of_any_env_can_be_given() -> None:
    env = make("mini")
    start = state_from_ascii(env, "#.#.")
    assert render(env, start) == render(env.rules, start)
    assert (render_rgb(env, start, cell=8) == render_rgb(env.rules, start, cell=8)).all()


def frames_of(data: bytes) -> tuple[list[np.ndarray], list[int]]:
    image = Image.open(io.BytesIO(data))
    assert image.format == "GIF"
    assert image.info["loop"] == 0
    frames, durations = [], []
    for index in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(index)
        frames.append(np.asarray(image.convert("RGB")))
        durations.append(image.info["duration"])
    return frames, durations


def as_numbers(colours: np.ndarray) -> np.ndarray:
    """Return one number for each colour, [..., 3] of bytes."""
    return colours.reshape(-1, 3).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def test_an_animation_has_a_frame_per_piece_and_the_end() -> None:
    recording, _ = played_by_placements(seed=2, pieces=40)
    frames, durations = frames_of(render_gif(recording, cell=8, frames_per_second=5))
    shown = list(scenes(recording))
    assert len(frames) == len(shown) == 41
    assert durations == [200] * 40 + [LAST_FRAME_TIME]
    exact = as_numbers(palette(recording.config.rules, cell=8))
    for frame, each in zip(frames, shown, strict=True):
        drawn = picture(each, cell=8)
        # Every colour that the palette has comes through unchanged; the others are edges of letters.
        known = np.isin(as_numbers(drawn), exact)
        assert known.mean() > 0.98
        assert (frame.reshape(-1, 3)[known] == drawn.reshape(-1, 3)[known]).all()


@pytest.mark.parametrize("part", ["first", "last", "spread"])
def test_a_long_game_is_cut_to_the_frames_asked_for(part: Any) -> None:
    recording, _ = played_by_placements(seed=2, pieces=90)
    shown = list(scenes(recording))
    frames, durations = frames_of(render_gif(recording, part=part, max_frames=10, cell=8))
    chosen = {
        "first": range(10),
        "last": range(81, 91),
        "spread": range(0, 91, 10),
    }
    assert len(frames) == len(durations) == 10
    left, top = board_corner(cell=8)
    for frame, index in zip(frames, chosen[part], strict=True):
        drawn = picture(shown[index], cell=8)
        assert (frame[top:, left : left + 80] == drawn[top:, left : left + 80]).all()


def test_an_animation_of_keys_lasts_one_frame_time_a_tick_and_a_clear() -> None:
    """Ticks in which nothing moves are one frame of the file, shown as long as all of them."""
    recording, _ = played_by_keys(seed=1, ticks=1200)
    clears = sum(bool(each.full_rows) for each in scenes(recording))
    data = render_gif(recording, part="first", max_frames=10_000, cell=8)
    _, durations = frames_of(data)
    assert sum(durations) == 100 * (len(recording.actions) + clears) + LAST_FRAME_TIME
    assert len(data) < 3_000_000


def test_a_whole_default_animation_is_small() -> None:
    recording, _ = played_by_placements(seed=2, pieces=90)
    assert len(render_gif(recording)) < 90 * 4_000  # 400 frames: less than 2 MB


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"part": "middle"}, "part: given 'middle'; allowed: first, last, spread"),
        ({"max_frames": 0}, "max_frames: given 0; allowed: a whole number from 1 to 2147483647"),
        ({"frames_per_second": 200}, "frames_per_second: given 200; allowed: 1 to 50"),
        ({"cell": 4}, "cell: given 4 pixels; allowed: a whole number of 8 or more"),
    ],
)
def test_refusals(arguments: dict[str, Any], message: str) -> None:
    recording, _ = played_by_placements(seed=2, pieces=40)
    with pytest.raises(ValueError) as caught:
        render_gif(recording, **arguments)
    assert str(caught.value) == message
