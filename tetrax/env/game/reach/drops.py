"""Straight-down placements of the active piece and of the one hold would bring: which are legal, where one lands.

Placement a: orientation a // W, leftmost column a % W; the second half (with hold) holds first.
Which are legal is one word for each orientation, bit x = leftmost column x, found on the few rows that a
piece enters at; where one comes to rest is found for that one alone (`find_landing`).
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game import board, moves
from tetrax.env.game.board import Walled, Word
from tetrax.env.game.engine import incoming
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State, piece_cells, select
from tetrax.env.game.vector import lookup, once

EVERYWHERE = np.uint32(0xFFFFFFFF)  # every column


class Entering(NamedTuple):
    """A piece that is about to drop."""

    kind: Int32[Array, ""]
    pose: Pose  # at its spawn place
    allowed: Bool[Array, ""]


def legal_words(rules: Rules, state: State) -> tuple[Word, ...]:
    """Tell for each orientation which columns can be reached: 4 words, with hold 8; bit x = leftmost column.

    A placement is legal when the piece fits, turned, at its spawn column and in every column on
    the way to its own, all at its spawn height, from where it drops straight down; with top_out
    "stack" pieces drop from above everything, and every one between the walls is legal. Of legal
    placements of one kind that fill the same cells only the lowest index stays. Nothing is legal
    after the end, and hold is not when it was used, or would reveal a hidden piece.
    """
    walled = board.add_walls(rules, state.rows)
    words = []
    for kind, pose, allowed in find_entering(rules, state, walled):
        found = _from_above(rules, kind) if rules.top_out == "stack" else _sideways(rules, walled, kind, pose)
        words += [jnp.where(allowed, word, np.uint32(0)) for word in found]
    return once(tuple(words))


def legal(rules: Rules, state: State) -> Bool[Array, "A"]:
    """Tell which placements can be reached, as `legal_words` does."""
    x = np.arange(rules.width, dtype=np.uint32)
    return ((jnp.stack(legal_words(rules, state))[:, None] >> x[None]) & np.uint32(1) != 0).reshape(-1)


def drops_into_view(rules: Rules, state: State) -> Bool[Array, ""]:
    """Tell whether the active piece, as it is turned, can move sideways and drop to rest in the visible rows."""
    further = rules.spawn_row + 1  # rows that a piece at its spawn is above the visible ones, at most
    walled = board.add_walls(rules, state.rows)
    near = once(board.window(walled, state.y, MAX_BOX + further, below=further))
    shape = lookup(_box_rows(rules), state.piece, state.orientation)
    left = lookup(rules.tables.left, state.piece, state.orientation)
    bottom = lookup(rules.tables.bottom, state.piece, state.orientation)
    start = np.uint32(1) << (state.x + left + board.WALL).astype(jnp.uint32)
    way = _run(~_overlaps(near[further:], shape), start)
    above = state.y + bottom - (rules.height - 1)  # rows to fall
    for fallen in range(1, further + 1):
        free = ~_overlaps(near[further - fallen :], shape)
        way = way & jnp.where(fallen <= above, free, EVERYWHERE)
    return (way != 0) & (above <= further)


def find_landing(
    rules: Rules, state: State, action: Int32[Array, ""]
) -> tuple[Bool[Array, ""], Pose, Bool[Array, ""]]:
    """Return whether one placement holds first, where it comes to rest, and whether it is legal."""
    column = action.astype(jnp.uint32)  # of no use while it may be negative: divisions are by constants
    turned, x = column // np.uint32(rules.width), (column % np.uint32(rules.width)).astype(jnp.int32)
    words = legal_words(rules, state)
    word = words[0]
    for index in range(1, len(words)):
        word = jnp.where(turned == index, words[index], word)
    is_legal = (word >> x.astype(jnp.uint32)) & np.uint32(1) != 0
    use_hold = turned >= NUM_ORIENTATIONS
    orientation = (turned % np.uint32(NUM_ORIENTATIONS)).astype(jnp.int32)
    walled = board.add_walls(rules, state.rows)
    active, *held = find_entering(rules, state, walled)
    kind, y = active.kind, active.pose.y
    if rules.hold:
        kind, y = select(use_hold, (held[0].kind, held[0].pose.y), (kind, y))
    if rules.top_out == "stack":  # no filled cell is above the visible rows while the game goes on
        y = jnp.int32(rules.total_height - MAX_BOX)
    x = x - lookup(rules.tables.left, kind, orientation)
    orientation, x, y, use_hold, is_legal = once((orientation, x, y, use_hold, is_legal))
    cells = once(piece_cells(rules, kind, orientation))
    rest = y - board.drop_distance(walled, cells, x, y)
    return use_hold, Pose(orientation, x, rest), is_legal


def find_entering(rules: Rules, state: State, walled: Walled) -> list[Entering]:
    """Return the active piece and, with hold, the one that hold brings."""
    pose = Pose(jnp.int32(0), state.x, state.y)
    active = Entering(state.piece, pose, ~state.game_over)
    if not rules.hold:
        return [active]
    kind = incoming(rules, state)
    pose, fits = moves.spawn(rules, walled, kind, state.combo >= 0)
    allowed = ~state.game_over & ~state.hold_used & (state.hold != state.piece)
    if rules.top_out != "stack":
        allowed &= fits
    if rules.preview == 0:
        allowed &= state.hold >= 0
    return [active, Entering(kind, pose, allowed)]


def _from_above(rules: Rules, kind: Int32[Array, ""]) -> list[Word]:
    """Return the columns in which a piece stays between the walls; of orientations that look alike, the lowest's."""
    tables = rules.tables
    is_first = tables.twin == np.arange(NUM_ORIENTATIONS)
    inside = np.where(is_first, (1 << (rules.width + 1 - tables.width)) - 1, 0).astype(np.uint32)
    return [lookup(inside[:, o], kind) for o in range(NUM_ORIENTATIONS)]


def _sideways(rules: Rules, walled: Walled, kind: Int32[Array, ""], pose: Pose) -> list[Word]:
    """Return the columns that are reached from the spawn column, without those that a twin fills too."""
    near = once(board.window(walled, pose.y, MAX_BOX))
    shapes = [lookup(_box_rows(rules)[:, o], kind) for o in range(NUM_ORIENTATIONS)]
    free = [~_overlaps(near, shape) for shape in shapes]
    ways = []
    for o in range(NUM_ORIENTATIONS):
        column = pose.x + lookup(rules.tables.left[:, o], kind) + board.WALL
        way = _run(free[o], np.uint32(1) << column.astype(jnp.uint32))
        ways.append(once(way >> np.uint32(board.WALL)))
    distinct = list(ways)
    for o in range(NUM_ORIENTATIONS):
        for lower in range(o):
            same = _fills_the_same(rules, near, shapes, kind, lower, o)
            if same is not None:
                distinct[o] = distinct[o] & ~(ways[lower] & same)
    return distinct


def _overlaps(rows: Sequence[Word], shape: Word) -> Word:
    """Return at which columns of a walled board a shape (four bits for each row) overlaps something."""
    hits = []
    for dy, dx in np.ndindex(MAX_BOX, MAX_BOX):
        top = np.uint32(31 - (MAX_BOX * dy + dx))
        is_cell = (shape << top).astype(jnp.int32) >> np.int32(31)  # all ones or none
        hits.append((rows[dy] >> np.uint32(dx)) & is_cell.astype(jnp.uint32))
    return functools.reduce(jnp.bitwise_or, hits)


def _run(free: Word, start: Word) -> Word:
    """Return the run of set bits that the bit `start` is in; 0 if it is not set."""
    upwards = free & ~(free + (free & start))  # a sum carries to the end of the run
    blocked = ~free & (start - np.uint32(1))
    first = np.uint32(32) - jax.lax.clz(blocked)
    downwards = (start - np.uint32(1)) & ~((np.uint32(1) << first) - np.uint32(1))
    return jnp.where(free & start != 0, upwards | downwards, np.uint32(0))


def _fills_the_same(
    rules: Rules, near: Sequence[Word], shapes: Sequence[Word], kind: Int32[Array, ""], lower: int, this: int
) -> Word | None:
    """Return the columns where two orientations fall to the same cells, where both are free; None: nowhere.

    Those that look alike do, unless they enter so far apart that something fits between.
    """
    tables = rules.tables
    alike = tables.twin[:, this] == tables.twin[:, lower]
    apart = np.where(alike, tables.bottom[:, this] - tables.bottom[:, lower], 0)
    if not alike.any():
        return None
    same = lookup(np.where(alike, EVERYWHERE, np.uint32(0)), kind)
    for distance in np.unique(apart):
        upper = lower if distance < 0 else this
        for steps in range(1, abs(int(distance))):
            moved = [jnp.zeros_like(near[0])] * steps + list(near)[: MAX_BOX - steps]
            blocked = _overlaps(moved, shapes[upper])
            same = jnp.where(
                lookup(apart == distance, kind), same & ~(blocked >> np.uint32(board.WALL)), same
            )
    return same


@functools.lru_cache(maxsize=64)
def _box_rows(rules: Rules) -> np.ndarray:
    """Return the cells of the box from the piece's leftmost column on, uint32[K, 4], MAX_BOX bits for each row."""
    tables = rules.tables
    rows = tables.rows >> tables.left[..., None].astype(np.uint32)
    places = np.uint32(MAX_BOX) * np.arange(MAX_BOX, dtype=np.uint32)
    return (rows << places).sum(axis=-1, dtype=np.uint32)
