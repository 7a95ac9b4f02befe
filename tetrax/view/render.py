"""A State as text, RGB array or SVG, a recording as an animated GIF, a film or a page that plays it.

The face of everything that draws: what is drawn is in `scene.py` and `frames.py`, how in `text.py`, `picture.py`,
`svg.py`, `film.py` and `page.py`. Whatever draws a recording takes its replay as well, which is then not played again:
who wants several pictures replays once. Only `save` touches a file.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from tetrax.env.game.rules import Rules, check_whole
from tetrax.env.game.state import State
from tetrax.env.game.vector import describe
from tetrax.env.record import Recording, Replay, check_path, replay
from tetrax.env.tetris import Tetris
from tetrax.games.grid_config import GridState
from tetrax.games.grid_world import GridWorld
from tetrax.games.in_a_row import InARow, InARowState
from tetrax.games.versus import Versus, VersusState
from tetrax.system.disk import write_whole
from tetrax.view import film, grid_pictures, overlay, page, side_by_side, stones, svg
from tetrax.view.frames import Frame, frames, scene_at
from tetrax.view.picture import check_cell, palette, picture
from tetrax.view.pixels import draw_pixels
from tetrax.view.scene import Scene, scene
from tetrax.view.text import render_text

Part = Literal["first", "last", "spread"]
Thoughts = Sequence[dict[str, Any]] | None

MAX_FRAMES = MAX_LEVEL = 2**31 - 1
LAST_FRAME_TIME = 3000  # milliseconds for which the end of an animation stands still


def render(
    env: Tetris | Rules | InARow | GridWorld | Versus,
    state: State | InARowState | GridState | VersusState,
    *,
    colour: bool = False,
    start_level: int = 1,
) -> str:
    """Draw one state as text; `colour`, of Tetris, for a terminal that knows ANSI colours and Unicode."""
    if isinstance(env, InARow):
        return stones.draw_text(env, stones.check_state(env, state))
    if isinstance(env, Versus):
        check_whole("start_level", start_level, 0, MAX_LEVEL)
        state = side_by_side.check_state(env, state)
        return side_by_side.draw_text(env, state, colour=colour, start_level=start_level)
    if isinstance(env, GridWorld):
        return grid_pictures.draw_text(env, grid_pictures.check_state(env, state))
    return render_text(_scene(env, state, start_level), colour=colour)


def render_rgb(env: Any, state: Any, *, cell: int = 24, start_level: int = 1) -> np.ndarray:
    """Draw one state as uint8[height, width, 3]; `cell`, of Tetris, is the side of a cell in pixels (8 or more)."""
    if isinstance(env, InARow | GridWorld):
        return draw_pixels(render_svg(env, state))
    if isinstance(env, Versus):
        check_whole("start_level", start_level, 0, MAX_LEVEL)
        boards = side_by_side.scenes_of(env, side_by_side.check_state(env, state), start_level=start_level)
        return np.concatenate([picture(each, cell=cell) for each in boards], axis=1)
    return picture(_scene(env, state, start_level), cell=cell)


def render_svg(
    env: Tetris | Rules | InARow | GridWorld | Versus,
    state: State | InARowState | GridState | VersusState,
    *,
    start_level: int = 1,
) -> svg.Svg:
    """Draw one state as SVG: a str of the image, which a notebook shows as the picture."""
    if isinstance(env, InARow):
        return svg.Svg(stones.draw_svg(env, stones.check_state(env, state)))
    if isinstance(env, Versus):
        check_whole("start_level", start_level, 0, MAX_LEVEL)
        return side_by_side.draw_svg(env, side_by_side.check_state(env, state), start_level=start_level)
    if isinstance(env, GridWorld):
        return svg.Svg(grid_pictures.draw_svg(env, grid_pictures.check_state(env, state)))
    return svg.draw(_scene(env, state, start_level))


def render_step(game: Recording | Replay, step: int = -1) -> svg.Svg:
    """Draw a recording after `step` actions as SVG, locked cells coloured by their pieces.

    Negative steps count from the end; -1 is the last board.
    """
    replayed = replay(game)
    shown, recording = scene_at(replayed, step), replayed.recording
    title = f"{page.default_title(recording)} · step {step % (len(recording.actions) + 1)}"
    return svg.draw(shown, title=title)


def render_html(game: Recording | Replay, *, title: str | None = None) -> str:
    """Return one HTML page that plays a recording; `tetrax.show` gives it to a notebook."""
    return page.show(game, title=title).html


def save(game: Recording | Replay, path: str | Path) -> None:
    """Write a recording as its suffix says, whole or not at all.

    `.html` is the page that plays it, `.gif` and `.mp4` the animation of its last frames; `.svg` and `.txt` show its
    last board. (`record.save` writes the JSON that can be loaded again.)
    """
    path = check_path(path)
    writers: dict[str, Callable[[], bytes]] = {
        ".gif": lambda: render_gif(game),
        ".mp4": lambda: render_mp4(game),
        ".html": lambda: render_html(game).encode(),
        ".svg": lambda: render_step(game).encode(),
        ".txt": lambda: (render_text(scene_at(game)) + "\n").encode(),
    }
    if path.suffix not in writers:
        raise ValueError(f"path: given {str(path)!r}; allowed: a name that ends in {', '.join(writers)}")
    write_whole(path, writers[path.suffix]())


def render_gif(
    game: Recording | Replay,
    *,
    part: Part = "last",
    max_frames: int = 400,
    frames_per_second: float = 10.0,
    cell: int = 16,
    thoughts: Thoughts = None,
) -> bytes:
    """Draw a recording as an animated GIF and return the file's bytes.

    A frame is one piece in placement modes and one tick in key modes, where a clear adds one. `part` says
    which frames of a longer game are kept: the first or last `max_frames`, or that many evenly spread. `thoughts`,
    one for each action, are shown beside: what a policy held of the decision (`tetrax.train.report.thoughts.think`).
    """
    _check_animation(part, max_frames, frames_per_second, cell)
    replayed = replay(game)
    shown = _draw_frames(replayed, part, max_frames, cell, thoughts)
    frame_time = round(100 / frames_per_second) * 10  # milliseconds; the format counts in hundredths
    file = io.BytesIO()
    first, *others = _draw_indexed(shown, palette(replayed.recording.config.rules, cell=cell))
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


def render_mp4(
    game: Recording | Replay,
    *,
    part: Part = "last",
    max_frames: int = 400,
    frames_per_second: float = 10.0,
    cell: int = 16,
    thoughts: Thoughts = None,
) -> bytes:
    """Draw a recording as a film, of the same pictures as `render_gif`, and return the file's bytes.

    ModuleNotFoundError that names the extra without PyAV.
    """
    _check_animation(part, max_frames, frames_per_second, cell)
    film.find_encoder()
    shown = _draw_frames(replay(game), part, max_frames, cell, thoughts)
    return film.encode(shown, frames_per_second=frames_per_second, last_frame_time=LAST_FRAME_TIME)


def _check_animation(part: str, max_frames: int, frames_per_second: float, cell: int) -> None:
    if part not in get_args(Part):
        raise ValueError(f"part: given {part!r}; allowed: {', '.join(get_args(Part))}")
    check_whole("max_frames", max_frames, 1, MAX_FRAMES)
    check_cell(cell)
    if not isinstance(frames_per_second, (int, float)) or not 1 <= frames_per_second <= 50:
        raise ValueError(f"frames_per_second: given {frames_per_second!r}; allowed: 1 to 50")


def _scene(env: Tetris | Rules, state: Any, start_level: int) -> Scene:
    if not isinstance(env, (Tetris, Rules)):
        raise TypeError(
            f"env: given {describe(env)}; allowed: an environment, as tetrax.make gives it, or its Rules"
        )
    check_whole("start_level", start_level, 0, MAX_LEVEL)
    return scene(env if isinstance(env, Rules) else env.rules, state, start_level=start_level)


def _draw_frames(
    replayed: Replay, part: Part, count: int, cell: int, thoughts: Thoughts
) -> Iterator[np.ndarray]:
    """Draw the chosen frames of a recording, each as uint8[height, width, 3]."""
    recording = replayed.recording
    if thoughts is not None and len(thoughts) != len(recording.actions):
        raise ValueError(
            f"thoughts: given {len(thoughts)}; allowed: one for each of the {len(recording.actions)} actions"
        )
    names = Tetris(recording.config).action_names
    for frame in _select(frames(replayed), part, count):
        image = picture(frame.scene, cell=cell)
        if thoughts is not None:
            image = overlay.beside(image, thoughts[frame.step - 1] if frame.step else None, names, cell=cell)
        yield image


def _select(every: Iterator[Frame], part: Part, count: int) -> list[Frame]:
    if part == "first":
        return list(islice(every, count))
    if part == "last":
        return list(deque(every, maxlen=count))
    listed = list(every)
    chosen = np.linspace(0, len(listed) - 1, min(count, len(listed))).round().astype(int)
    return [listed[index] for index in chosen]


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
