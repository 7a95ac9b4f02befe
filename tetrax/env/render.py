"""A State as text or RGB array, a recording as an animated GIF: the face of everything that draws.

What is drawn is in `scene.py`, how in `text.py` and `picture.py`. Nothing here touches a file.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Literal, get_args

import numpy as np
from PIL import Image

from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.env.picture import palette, picture
from tetrax.env.record import Recording
from tetrax.env.scene import Scene, scene, scenes
from tetrax.env.tetris import Tetris
from tetrax.env.text import render_text

Part = Literal["first", "last", "spread"]

LAST_FRAME_TIME = 3000  # milliseconds for which the end of an animation stands still


def render(env: Tetris | Rules, state: State, *, colour: bool = False, start_level: int = 1) -> str:
    """Draw one State as text; `colour` for a terminal that knows ANSI colours and Unicode."""
    rules = env if isinstance(env, Rules) else env.rules
    return render_text(scene(rules, state, start_level=start_level), colour=colour)


def render_rgb(env: Tetris | Rules, state: State, *, cell: int = 24, start_level: int = 1) -> np.ndarray:
    """Draw one State as uint8[height, width, 3]; `cell` is the side of a cell in pixels (8 or more)."""
    rules = env if isinstance(env, Rules) else env.rules
    return picture(scene(rules, state, start_level=start_level), cell=cell)


def render_gif(
    recording: Recording,
    *,
    part: Part = "last",
    max_frames: int = 400,
    frames_per_second: float = 10.0,
    cell: int = 16,
) -> bytes:
    """Draw a recording as an animated GIF and return the file's bytes.

    A frame is one piece in placement modes and one tick in key modes, where a clear adds one. `part` says
    which frames of a longer game are kept: the first or last `max_frames`, or that many evenly spread.
    """
    if part not in get_args(Part):
        raise ValueError(f"part: given {part!r}; allowed: {', '.join(get_args(Part))}")
    if max_frames < 1:
        raise ValueError(f"max_frames: given {max_frames}; allowed: 1 or more")
    if not 1 <= frames_per_second <= 50:
        raise ValueError(f"frames_per_second: given {frames_per_second}; allowed: 1 to 50")
    shown = _selected(scenes(recording), part, max_frames)
    frame_time = round(100 / frames_per_second) * 10  # milliseconds; the format counts in hundredths
    file = io.BytesIO()
    first, *others = _indexed(shown, cell)
    first.save(
        file,
        "GIF",
        save_all=True,
        append_images=others,
        duration=[frame_time] * len(others) + [LAST_FRAME_TIME],
        loop=0,
        optimize=True,  # unchanged pixels become transparent, which packs well
    )
    return file.getvalue()


def _selected(frames: Iterator[Scene], part: Part, count: int) -> list[Scene]:
    if part == "first":
        return list(islice(frames, count))
    if part == "last":
        return list(deque(frames, maxlen=count))
    every = list(frames)
    chosen = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
    return [every[index] for index in chosen]


def _indexed(shown: list[Scene], cell: int) -> Iterator[Image.Image]:
    """Draw scenes in one palette: a GIF holds one table of 256 colours for all frames."""
    colours = palette(shown[0].rules, cell=cell)
    unseen = np.int16(-1)
    index_of = np.full(1 << 24, unseen)  # by red, green, blue as one number
    weights = np.array([1 << 16, 1 << 8, 1], np.int32)
    for each in shown:
        packed = picture(each, cell=cell).astype(np.int32) @ weights  # [height, width]
        for number in np.unique(packed[index_of[packed] == unseen]):
            rgb = np.array([number >> 16, number >> 8 & 255, number & 255])
            index_of[number] = np.square(colours.astype(np.int32) - rgb).sum(axis=1).argmin()
        frame = Image.fromarray(index_of[packed].astype(np.uint8), "P")
        frame.putpalette(colours.tobytes())
        yield frame
