"""Where things are in a drawing: what svg.py draws by, and what the player in the browser is told."""

from __future__ import annotations

from dataclasses import dataclass

from tetrax.env.game.rules import Rules
from tetrax.view.scene import ROWS_ABOVE, number_labels

CELL = 24  # units of the drawing: side of a cell of the board
SMALL = 18  # side of a cell of a held or coming piece
MARGIN = 16
PANEL_WIDTH = 120
SLOT = 60  # height of a place for a held or coming piece
LINE = 24  # height of a line of text
NUMBER_HEIGHT = 60  # of a label, its number and the space below them


@dataclass(frozen=True)
class Layout:
    """Where things are, in units of the drawing from its upper left corner."""

    left: int  # of the board
    top: int  # of the matrix (ROWS_ABOVE rows are above it)
    floor: int
    panel: int  # upper edge of the panels of hold and queue
    numbers: int  # upper edge of the first label
    queue: int  # left side of the queue's panel
    width: int
    height: int


def lay_out(rules: Rules) -> Layout:
    """Lay a drawing of these rules out."""
    left, board_top = 2 * MARGIN + PANEL_WIDTH, MARGIN
    top = board_top + ROWS_ABOVE * CELL
    floor = top + rules.height * CELL
    panel = board_top + LINE
    after_hold = panel + SLOT + LINE if rules.hold else board_top
    queue_floor = panel + rules.preview * SLOT
    numbers_floor = after_hold + len(number_labels(rules)) * NUMBER_HEIGHT - LINE // 2
    bottom = max(floor, numbers_floor, queue_floor)
    queue = left + rules.width * CELL + MARGIN
    return Layout(
        left=left,
        top=top,
        floor=floor,
        panel=panel,
        numbers=after_hold,
        queue=queue,
        width=queue + (PANEL_WIDTH + MARGIN if rules.preview else 0),
        height=bottom + MARGIN,
    )
