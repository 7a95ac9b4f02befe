"""Pictures that cannot be drawn or saved: one clear error each, before anything is played or drawn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import tetrax
from tetrax.env.record import Outcome, Recording
from tetrax.env.tetris import make
from tetrax.view.render import render, render_gif, render_rgb, render_svg, save
from tetrax.view.scene import scene
from tetrax.view.shown_games import picture_of

ENV = make("mini", actions="drop")
OUTCOME = Outcome(lines=0, score=0, pieces=1, ticks=1, game_over=False, actions="", boards="")
GAME = Recording(ENV.config, ENV.default_params, np.zeros(2, np.uint32), np.zeros(1, np.int32), OUTCOME)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": 0}, "cell: given 0 pixels; allowed: a whole number of 8 or more"),
        ({"cell": 12.5}, "cell: given 12.5 pixels"),
        ({"cell": "16"}, "cell: given '16' pixels"),
        ({"cell": True}, "cell: given True pixels"),
        ({"max_frames": 2.5}, "max_frames: given 2.5; allowed: a whole number from 1"),
        ({"max_frames": "2"}, "max_frames: given '2'"),
        ({"frames_per_second": math.nan}, "frames_per_second: given nan; allowed: 1 to 50"),
        ({"frames_per_second": "10"}, "frames_per_second: given '10'; allowed: 1 to 50"),
        ({"part": None}, "part: given None; allowed: first, last, spread"),
    ],
)
def test_animations(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_gif(GAME, **options)


def test_what_is_no_recording() -> None:
    for given, name in (("game.json", "'game.json'"), (ENV, "a Tetris")):
        with pytest.raises(TypeError, match=f"game: given {name}; allowed: a Recording"):
            render_gif(given)  # type: ignore[arg-type]


def test_pictures_of_what_is_no_board() -> None:
    state = jax.eval_shape(lambda: ENV.init(jax.random.key(0), ENV.default_params))
    for draw in (render, render_rgb, render_svg):
        with pytest.raises(TypeError, match="env: given 'mini'; allowed: an environment"):
            draw("mini", state)  # type: ignore[operator]
        with pytest.raises(TypeError, match="state: given a tuple; allowed: a State"):
            draw(ENV, (state, None))  # type: ignore[operator]
        with pytest.raises(ValueError, match="start_level: given 'a'; allowed: a whole number"):
            draw(ENV, state, start_level="a")  # type: ignore[operator]


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"path: given '.*missing/game.gif'; allowed: a file in a folder that exists"
    ):
        save(GAME, tmp_path / "missing" / "game.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="a file in a folder that exists"):
        save(GAME, tmp_path / "file" / "game.html")
    with pytest.raises(TypeError, match="path: given 3; allowed: a name, or a Path"):
        save(GAME, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"allowed: a name that ends in .gif, .mp4, .html, .svg, .txt"):
        save(GAME, tmp_path / "game.bmp")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_states_of_other_games() -> None:
    state = jax.eval_shape(lambda: ENV.init(jax.random.key(0), ENV.default_params))
    for given, name in (
        (state.rows, "a ShapeDtypeStruct"),
        ({"rows": state.rows}, "a dict"),
        (None, "None"),
    ):
        said = f"state: given {name}; allowed: a State, the first result of reset and step"
        for draw in (render, render_rgb, render_svg):
            with pytest.raises(TypeError, match=said):
                draw(ENV, given)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=said):
            scene(ENV.rules, given)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=said):
            picture_of(ENV, given)
        with pytest.raises(TypeError, match=r"game: given .*; allowed: a Recording"):
            tetrax.show(given)
