"""A State as text, RGB array or SVG, a recording as an animated GIF, a film or a page that plays it.

The face of everything that draws: what is drawn is in `scene.py` and `frames.py`, how in `text.py`, `picture.py`,
`svg.py`, `film.py` and `page.py`. Whatever draws a recording takes its replay as well, which is then not played again:
who wants several pictures replays once. Only `save` touches a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tetrax.env.game.rules import Rules, check_whole
from tetrax.env.game.state import State
from tetrax.env.game.vector import describe
from tetrax.env.record import Recording, Replay, check_path, replay
from tetrax.env.tetris import Tetris
from tetrax.games.grid_config import GridState
from tetrax.games.grid_world import GridWorld
from tetrax.games.in_a_row import InARow, InARowState
from tetrax.games.versus import Versus, VersusState
from tetrax.games.versus_record import VersusRecording, VersusReplay
from tetrax.system.disk import write_whole
from tetrax.view import film, grid_pictures, overlay, page, several_boards, side_by_side, stones, svg
from tetrax.view.animation import LAST_FRAME_TIME, Part, check, keep, write_gif
from tetrax.view.frames import frames, scene_at
from tetrax.view.picture import palette, picture
from tetrax.view.pixels import draw_pixels
from tetrax.view.scene import Scene, scene
from tetrax.view.text import render_text

Game = Recording | Replay | VersusRecording | VersusReplay  # a recording of one board or of several
Thoughts = Sequence[dict[str, Any]] | None

SEVERAL = (VersusRecording, VersusReplay)
MAX_LEVEL = 2**31 - 1


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
        state = side_by_side.check_state(env, state)
        scenes = side_by_side.scenes_of(env, state, start_level=start_level)
        return side_by_side.join_pictures(scenes, side_by_side.headings(env, state), cell=cell)
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


def render_step(game: Game, step: int = -1) -> svg.Svg:
    """Draw a recording after `step` actions as SVG, locked cells coloured by their pieces.

    Negative steps count from the end; -1 is the last board.
    """
    if isinstance(game, SEVERAL):
        return several_boards.svg_at(game, step)
    replayed = replay(game)
    shown, recording = scene_at(replayed, step), replayed.recording
    title = f"{page.default_title(recording)} · step {step % (len(recording.actions) + 1)}"
    return svg.draw(shown, title=title)


def render_html(game: Game, *, title: str | None = None) -> str:
    """Return one HTML page that plays a recording; `tetrax.show` gives it to a notebook."""
    return page.show(game, title=title).html


def render_text_step(game: Game, step: int = -1, *, colour: bool = False) -> str:
    """Draw a recording after `step` actions as text."""
    if isinstance(game, SEVERAL):
        return several_boards.text_at(game, step, colour=colour)
    return render_text(scene_at(game, step), colour=colour)


def save(game: Game, path: str | Path) -> None:
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
        ".txt": lambda: (render_text_step(game) + "\n").encode(),
    }
    if path.suffix not in writers:
        raise ValueError(f"path: given {str(path)!r}; allowed: a name that ends in {', '.join(writers)}")
    write_whole(path, writers[path.suffix]())


def render_gif(
    game: Game,
    *,
    part: Part = "last",
    max_frames: int = 400,
    frames_per_second: float = 10.0,
    cell: int = 16,
    thoughts: Thoughts = None,
) -> bytes:
    """Draw a recording as an animated GIF and return the file's bytes.

    A frame is one piece in placement modes, of each player if there are several, and one tick in key modes, where a
    clear adds one. `part` says which frames of a longer game are kept: the first or last `max_frames`, or that many
    evenly spread. `thoughts`, one for each action, are shown beside: what a policy held of the decision
    (`tetrax.train.report.thoughts.think`); of a game of several boards there are none.
    """
    check(part, max_frames, frames_per_second, cell)
    shown, rules = _draw_frames(game, part, max_frames, cell, thoughts)
    return write_gif(shown, palette(rules, cell=cell), frames_per_second=frames_per_second)


def render_mp4(
    game: Game,
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
    check(part, max_frames, frames_per_second, cell)
    film.find_encoder()
    shown, _ = _draw_frames(game, part, max_frames, cell, thoughts)
    return film.encode(shown, frames_per_second=frames_per_second, last_frame_time=LAST_FRAME_TIME)


def _scene(env: Tetris | Rules, state: Any, start_level: int) -> Scene:
    if not isinstance(env, (Tetris, Rules)):
        raise TypeError(
            f"env: given {describe(env)}; allowed: an environment, as tetrax.make gives it, or its Rules"
        )
    check_whole("start_level", start_level, 0, MAX_LEVEL)
    return scene(env if isinstance(env, Rules) else env.rules, state, start_level=start_level)


def _draw_frames(
    game: Game, part: Part, count: int, cell: int, thoughts: Thoughts
) -> tuple[Iterator[np.ndarray], Rules]:
    """Draw the chosen frames of a recording, each as uint8[height, width, 3]; return the rules as well."""
    if isinstance(game, SEVERAL):
        page.refuse_thoughts(thoughts)
        shown = keep(several_boards.frames_of_all(game), part, count)
        rules = shown[0].scenes[0].rules
        return (side_by_side.join_pictures(each.scenes, each.headings, cell=cell) for each in shown), rules
    replayed = replay(game)
    return _draw_one(replayed, part, count, cell, thoughts), replayed.recording.config.rules


def _draw_one(
    replayed: Replay, part: Part, count: int, cell: int, thoughts: Thoughts
) -> Iterator[np.ndarray]:
    recording = replayed.recording
    if thoughts is not None and len(thoughts) != len(recording.actions):
        raise ValueError(
            f"thoughts: given {len(thoughts)}; allowed: one for each of the {len(recording.actions)} actions"
        )
    names = Tetris(recording.config).action_names
    for frame in keep(frames(replayed), part, count):
        image = picture(frame.scene, cell=cell)
        if thoughts is not None:
            image = overlay.beside(image, thoughts[frame.step - 1] if frame.step else None, names, cell=cell)
        yield image
