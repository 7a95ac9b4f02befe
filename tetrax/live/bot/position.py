"""A game as a front end tells it, and how it goes on: by the rules that all games of the protocol share.

Nothing here asks the engine: what a front end says is believed, whatever its rules are in the details.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

from tetrax.live.bot.centres import HEIGHT, KINDS, ORIENTATIONS, WIDTH, cells_at

FULL_ROW = (1 << WIDTH) - 1
WHOLE_BAG = frozenset(KINDS)


class Move(NamedTuple):
    """Where a piece shall rest, as the protocol says it."""

    kind: str
    orientation: int  # index into ORIENTATIONS
    x: int  # of its centre
    y: int
    spin: str  # of `state.SPINS`

    def __str__(self) -> str:
        return f"{self.kind} {ORIENTATIONS[self.orientation]} at {self.x} {self.y}"


@dataclass(frozen=True)
class Position:
    """What a front end has told of a game."""

    rows: tuple[int, ...]  # HEIGHT of them, the lowest first; bit x = column x is filled
    queue: tuple[str, ...]  # the active piece first
    hold: str | None
    combo: int  # clears in a row
    back_to_back: bool
    bag: frozenset[str] | None  # what may come after the queue; None where nothing is known of it
    placed: int = 0  # pieces since the game was told


class ImpossibleMove(ValueError):
    """A move that the position does not allow; its text says why."""


def add_piece(position: Position, kind: str) -> Position:
    """Put a new piece at the end of the queue, and take it out of the bag."""
    bag = position.bag
    if bag is not None:
        bag = bag - {kind} if kind in bag else WHOLE_BAG - {kind}
        bag = bag or WHOLE_BAG
    return dataclasses.replace(position, queue=(*position.queue, kind), bag=bag)


def play(position: Position, move: Move) -> Position:
    """Place a piece. It is the active one where that is of the move's kind, else the one that hold brings.

    ImpossibleMove where neither is of that kind, or where its cells are not free.
    """
    queue, hold = _take(position, move.kind)
    rows = list(position.rows)
    for x, y in cells_at(move.kind, move.orientation, move.x, move.y):
        if not (0 <= x < WIDTH and 0 <= y < HEIGHT):
            raise ImpossibleMove(f"{move} reaches out of the board")
        if rows[y] >> x & 1:
            raise ImpossibleMove(f"{move} needs cells that are filled")
        rows[y] |= 1 << x
    left = [row for row in rows if row != FULL_ROW]
    lines = HEIGHT - len(left)
    is_difficult = lines == 4 or move.spin != "none"
    return dataclasses.replace(
        position,
        rows=(*left, *[0] * lines),
        queue=queue,
        hold=hold,
        combo=position.combo + 1 if lines else 0,
        back_to_back=is_difficult if lines else position.back_to_back,
        placed=position.placed + 1,
    )


def _take(position: Position, kind: str) -> tuple[tuple[str, ...], str | None]:
    """Return what is left of the queue, and what is held, after a piece of a kind was placed."""
    if not position.queue:
        raise ImpossibleMove("there is no piece to place: the queue is empty")
    active, *rest = position.queue
    if kind == active:  # also where hold would bring the same: the protocol cannot tell them apart
        return tuple(rest), position.hold
    if position.hold is not None:
        brought = position.hold
    elif rest:
        brought, *rest = rest
    else:
        raise ImpossibleMove(f"{kind} is not the active piece, {active}, and hold brings none that is known")
    if kind != brought:
        raise ImpossibleMove(f"{kind} is neither the active piece, {active}, nor hold's, {brought}")
    return tuple(rest), active
