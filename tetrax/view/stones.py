"""Pictures of games in which two players set stones on a board: text, and SVG."""

from typing import Any

import numpy as np

from tetrax.env.game.vector import describe
from tetrax.games.in_a_row import InARow, InARowState

MARKS = ("X", "O")  # of who began, of the other
EMPTY = "."
COLOURS = ("#c8503c", "#d9a520")  # of the same
BOARD, HOLE, WORDS = "#2f4b7c", "#f4f4f2", "#222222"
CELL, MARGIN, LINE = 48, 8, 28  # pixels


def check_state(env: InARow, state: Any) -> InARowState:
    """Return a state of the game; TypeError or ValueError for anything else, many boards too."""
    if not isinstance(state, InARowState):
        raise TypeError(f"state: given {describe(state)}; allowed: an InARowState, as reset and step give it")
    shape = (2, env.table.height)
    if np.shape(state.rows) != shape:
        raise ValueError(f"state.rows: given shape {np.shape(state.rows)}; allowed: {shape}, one board")
    return state


def read_stones(state: InARowState) -> np.ndarray:
    """Return whose stone lies where, int8[H, W, 2] of 0 and 1 by player, row 0 at the bottom."""
    rows = np.asarray(state.rows)
    bits = np.arange(32, dtype=np.uint32)
    return ((rows[:, :, None] >> bits) & 1).astype(np.int8).transpose(1, 2, 0)


def tell(env: InARow, state: InARowState) -> str:
    """Say whose turn it is, or how the game ended."""
    if not bool(state.over):
        return f"{MARKS[int(state.player)]} to move"
    wins = [has_won(env, state, player) for player in range(2)]
    if any(wins):
        return f"{MARKS[wins.index(True)]} wins"
    full = read_stones(state).sum() == env.table.width * env.table.height
    # An illegal move loses the game on the spot: nobody has a row, and the board is not full.
    return "a draw" if full else f"{MARKS[1 - int(state.player)]} wins"


def has_won(env: InARow, state: InARowState, player: int) -> bool:
    """Tell whether a player has as many stones in a row as win."""
    return bool(env.has_row(state.rows[player]))


def draw_text(env: InARow, state: InARowState) -> str:
    """Draw a board as text, with what is asked for below it: the numbers of columns, or of the free cells."""
    table, stones = env.table, read_stones(state)
    lines = []
    for y in range(table.height - 1, -1, -1):
        cells = []
        for x in range(table.width):
            taken = np.flatnonzero(stones[y, x])
            free = EMPTY if table.falls else str(y * table.width + x)
            cells.append(MARKS[taken[0]] if taken.size else free)
        lines.append(" ".join(cells))
    if table.falls:
        lines.append(" ".join(map(str, range(table.width))))
    return "\n".join([*lines, tell(env, state)])


def draw_svg(env: InARow, state: InARowState) -> str:
    """Draw a board as an SVG image."""
    table, stones = env.table, read_stones(state)
    width, height = table.width * CELL + 2 * MARGIN, table.height * CELL + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + LINE}" '
        f'viewBox="0 0 {width} {height + LINE}" role="img">',
        f"<title>{table.title}: {tell(env, state)}</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="{BOARD}"/>',
    ]
    for y in range(table.height):
        for x in range(table.width):
            taken = np.flatnonzero(stones[y, x])
            colour = COLOURS[taken[0]] if taken.size else HOLE
            left, top = MARGIN + x * CELL + CELL / 2, MARGIN + (table.height - 1 - y) * CELL + CELL / 2
            parts.append(f'<circle cx="{left:g}" cy="{top:g}" r="{CELL * 0.42:g}" fill="{colour}"/>')
            if taken.size:  # the colours are not all there is to tell them apart
                parts.append(_word(left, top + 6, MARKS[taken[0]], HOLE, "middle"))
    parts += [_word(MARGIN, height + LINE - 9, tell(env, state), WORDS, "start"), "</svg>"]
    return "".join(parts)


def _word(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    style = f'font-family="sans-serif" font-size="16" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{text}</text>'
