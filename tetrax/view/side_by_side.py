"""Pictures of games of several boards: text, SVG and pixels, the boards beside each other with a line above each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import zip_longest
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tetrax.env.game.state import State
from tetrax.env.game.vector import describe
from tetrax.games.versus import Versus, VersusState
from tetrax.view import svg
from tetrax.view.colours import LABEL, PAGE
from tetrax.view.layout import LINE, lay_out
from tetrax.view.picture import font, picture
from tetrax.view.scene import Scene, scene
from tetrax.view.text import render_text

BETWEEN = 4  # spaces between two boards of a text
HEADING = 1.25  # cells, of a line above a board
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def check_state(env: Versus, state: Any) -> VersusState:
    """Return a state of the game; TypeError or ValueError for anything else, many games too."""
    if not isinstance(state, VersusState):
        raise TypeError(f"state: given {describe(state)}; allowed: a VersusState, as reset and step give it")
    if np.shape(state.fallen) != (env.num_players,):
        raise ValueError(
            f"state.fallen: given shape {np.shape(state.fallen)}; allowed: ({env.num_players},), one game"
        )
    return state


def each_board(state: VersusState) -> list[State]:
    """Return the board of each player as a game of its own; only those that have fallen are over.

    Leaves may have axes of several states first.
    """
    fallen = np.asarray(state.fallen)
    return [board.replace(game_over=fallen[..., player]) for player, board in enumerate(state.boards)]


def scenes_of(env: Versus, state: VersusState, *, start_level: int = 1) -> list[Scene]:
    """Show the board of each player."""
    return [scene(env.rules, board, start_level=start_level) for board in each_board(state)]


def headings(env: Versus, state: VersusState) -> list[str]:
    """Say of each player who it is, what waits on its board, and how it ended."""
    fallen, waiting = np.asarray(state.fallen).tolist(), rows_waiting(state)
    is_over = all(bool(board.game_over) for board in state.boards)
    return [
        tell_player(env, player, waiting[player], fallen, is_over=is_over)
        for player in range(env.num_players)
    ]


def tell_player(env: Versus, player: int, waiting: int, fallen: Sequence[bool], *, is_over: bool) -> str:
    """Say who a player is, what waits on its board, and how it ended."""
    said = f"player {player + 1}"
    if fallen[player]:
        return f"{said}: fallen"
    if is_over and not env.config.cooperative:
        return f"{said}: wins"
    return f"{said}: {waiting} waiting" if waiting else said


def rows_waiting(state: VersusState) -> list[int]:
    """Return the rows of garbage that wait on each board."""
    waiting = [board.garbage for board in state.boards]
    return [0 if each is None else int(np.asarray(each.rows).sum()) for each in waiting]


def draw_text(env: Versus, state: VersusState, *, colour: bool = False, start_level: int = 1) -> str:
    """Draw all boards in characters, beside each other."""
    return join_text(scenes_of(env, state, start_level=start_level), headings(env, state), colour=colour)


def join_text(scenes: Sequence[Scene], headings: Sequence[str], *, colour: bool = False) -> str:
    """Draw scenes in characters beside each other, each under its heading."""
    blocks = [
        [heading, "", *render_text(shown, colour=colour).split("\n")]
        for shown, heading in zip(scenes, headings, strict=True)
    ]
    widths = [max(map(_visible, block)) for block in blocks]
    lines = []
    for parts in zip_longest(*blocks, fillvalue=""):
        padded = [
            part + " " * (width - _visible(part) + BETWEEN) for part, width in zip(parts, widths, strict=True)
        ]
        lines.append("".join(padded).rstrip())
    return "\n".join(lines)


def draw_svg(env: Versus, state: VersusState, *, start_level: int = 1, title: str | None = None) -> svg.Svg:
    """Draw all boards as one self-contained SVG image."""
    scenes = scenes_of(env, state, start_level=start_level)
    return join_svg(scenes, headings(env, state), title=env.spec.title if title is None else title)


def join_svg(scenes: Sequence[Scene], headings: Sequence[str], *, title: str) -> svg.Svg:
    """Draw scenes as one SVG image, beside each other, each under its heading."""
    place = lay_out(scenes[0].rules)
    width, height = place.width * len(scenes), place.height + LINE
    ink = "#" + "".join(f"{part:02x}" for part in LABEL)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="{escape(svg.FONT)}">',
        f"<title>{escape(title)}</title>",
    ]
    for number, (shown, heading) in enumerate(zip(scenes, headings, strict=True)):
        lines.append(
            f'<text x="{number * place.width + place.width // 2}" y="{LINE - 8}" font-size="15" font-weight="600" '
            f'text-anchor="middle" fill="{ink}">{escape(heading)}</text>'
        )
        inside = svg.draw(shown, title=heading).rstrip("\n")
        lines.append(inside.replace("<svg ", f'<svg x="{number * place.width}" y="{LINE}" ', 1))
    return svg.Svg("\n".join([*lines, "</svg>"]) + "\n")


def join_pictures(scenes: Sequence[Scene], headings: Sequence[str], *, cell: int) -> np.ndarray:
    """Draw scenes as uint8[height, width, 3], beside each other, each under its heading; a cell is `cell` pixels."""
    boards = [picture(shown, cell=cell) for shown in scenes]
    _, width, _ = boards[0].shape
    line = round(HEADING * cell)
    above = Image.new("RGB", (width * len(boards), line), PAGE)
    pen = ImageDraw.Draw(above)
    for number, heading in enumerate(headings):
        middle = number * width + width // 2
        pen.text((middle, line // 2), heading, LABEL, font(0.75 * cell), anchor="mm")
    return np.concatenate([np.asarray(above), np.concatenate(boards, axis=1)])


def _visible(line: str) -> int:
    """Count the characters of a line that take up room."""
    return len(ANSI.sub("", line))
