"""Centres of pieces, against drawings of what the protocol says of them."""

from __future__ import annotations

import pytest

from tests.reference.tables import CELLS, pairs
from tetrax.live.bot.centres import cells_at, centre_of

# Every kind in its four orientations, clockwise from spawn; 'o' is the centre. Of a standing I
# it is the upper or the lower of the two middle cells.
DRAWN = {
    "I": """
        ....  .#.  ....  .#.
        #o##  .o.  ##o#  .#.
        ....  .#.  ....  .o.
        ....  .#.  ....  .#.
    """,
    "J": """
        #..  .##  ...  .#.
        #o#  .o.  #o#  .o.
        ...  .#.  ..#  ##.
    """,
    "L": """
        ..#  .#.  ...  ##.
        #o#  .o.  #o#  .o.
        ...  .##  #..  .#.
    """,
    "O": """
        ##  o#  #o  ##
        o#  ##  ##  #o
    """,
    "S": """
        .##  .#.  ...  #..
        #o.  .o#  .o#  #o.
        ...  ..#  ##.  .#.
    """,
    "T": """
        .#.  .#.  ...  .#.
        #o#  .o#  #o#  #o.
        ...  .#.  .#.  .#.
    """,
    "Z": """
        ##.  ..#  ...  .#.
        .o#  .o#  #o.  #o.
        ...  .#.  .##  #..
    """,
}


def around_centre(picture: list[str]) -> set[tuple[int, int]]:
    """Read the cells of a drawing as they lie around its centre."""
    marks = {(x, -y): mark for y, line in enumerate(picture) for x, mark in enumerate(line) if mark != "."}
    ((centre_x, centre_y),) = [cell for cell, mark in marks.items() if mark == "o"]
    return {(x - centre_x, y - centre_y) for x, y in marks}


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("orientation", range(4))
def test_pieces_lie_around_their_centres_as_drawn(kind: str, orientation: int) -> None:
    lines = [line.split() for line in DRAWN[kind].strip().splitlines()]
    around = around_centre([line[orientation] for line in lines])
    assert set(cells_at(kind, orientation, 0, 0)) == around
    assert set(cells_at(kind, orientation, 4, 7)) == {(x + 4, y + 7) for x, y in around}


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("orientation", range(4))
def test_a_box_in_the_corner_has_its_centre_inside(kind: str, orientation: int) -> None:
    """The same cells as the reference's tables, which nobody rotated, moved into the corner of the board."""
    shape = pairs(CELLS[kind][orientation])
    left, bottom = min(x for x, _ in shape), min(y for _, y in shape)
    cells = {(x - left, y - bottom) for x, y in shape}
    assert set(cells_at(kind, orientation, *centre_of(kind, orientation, 0, 0))) == cells
