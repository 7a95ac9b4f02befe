"""Pictures as an animation: which frames of a game are kept, and the file of a GIF."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal, TypeVar, get_args

import numpy as np
from PIL import Image

from tetrax.env.game.rules import check_whole
from tetrax.view.picture import check_cell

Part = Literal["first", "last", "spread"]
Kept = TypeVar("Kept")

MAX_FRAMES = 2**31 - 1
LAST_FRAME_TIME = 3000  # milliseconds for which the end of an animation stands still


def check(part: str, max_frames: int, frames_per_second: float, cell: int) -> None:
    """Raise a ValueError that names the setting of an animation that is wrong."""
    if part not in get_args(Part):
        raise ValueError(f"part: given {part!r}; allowed: {', '.join(get_args(Part))}")
    check_whole("max_frames", max_frames, 1, MAX_FRAMES)
    check_cell(cell)
    if not isinstance(frames_per_second, (int, float)) or not 1 <= frames_per_second <= 50:
        raise ValueError(f"frames_per_second: given {frames_per_second!r}; allowed: 1 to 50")


def keep(every: Iterable[Kept], part: Part, count: int) -> list[Kept]:
    """Return the first or the last `count` frames, or so many evenly spread; all of a shorter game."""
    if part == "first":
        return list(islice(every, count))
    if part == "last":
        return list(deque(every, maxlen=count))
    listed = list(every)
    chosen = np.linspace(0, len(listed) - 1, min(count, len(listed))).round().astype(int)
    return [listed[index] for index in chosen]


def write_gif(shown: Iterator[np.ndarray], colours: np.ndarray, *, frames_per_second: float) -> bytes:
    """Return pictures, uint8[height, width, 3], as an animated GIF in at most 256 colours, uint8[N, 3]."""
    frame_time = round(100 / frames_per_second) * 10  # milliseconds; the format counts in hundredths
    file = io.BytesIO()
    first, *others = _draw_indexed(shown, colours)
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


def _draw_indexed(shown: Iterator[np.ndarray], colours: np.ndarray) -> Iterator[Image.Image]:
    """Put pictures in one palette: a GIF holds one table of 256 colours for all frames."""
    unseen = np.int16(-1)
    index_of = np.full(1 << 24, unseen)  # by red, green, blue as one number
    weights = np.array([1 << 16, 1 << 8, 1], np.int32)
    for each in shown:
        packed = each.astype(np.int32) @ weights  # [height, width]
        for number in np.unique(packed[index_of[packed] == unseen]):
            rgb = np.array([number >> 16, number >> 8 & 255, number & 255])
            index_of[number] = np.square(colours.astype(np.int32) - rgb).sum(axis=1).argmin()
        frame = Image.fromarray(index_of[packed].astype(np.uint8), "P")
        frame.putpalette(colours.tobytes())
        yield frame
