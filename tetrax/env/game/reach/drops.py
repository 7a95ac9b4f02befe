"""Straight-down placements of the active piece and of the one hold would bring; afterstates of any placements.

Placement a: orientation a // W, leftmost column a % W; the second half (with hold) holds first.
Which are legal is one word for each orientation, bit x = leftmost column x, found on the few rows that a
piece enters at; where one comes to rest is found for that one alone (`landing`).

Afterstates work on columns (bit y of word x is cell (x, y)): heights, surfaces and transitions of a column
are a few operations on one word, and all A placements go through the same W words side by side.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board, measures, moves
from tetrax.env.game.board import Walled, Word
from tetrax.env.game.engine import incoming
from tetrax.env.game.measures import Board
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State, piece_cells, where
from tetrax.env.game.vector import lookup, once

FULL_COLUMN = np.uint32(0xFFFFFFFF)
COLUMN_ROWS = 32  # rows that a column word holds
NO_SURFACE = np.int32(-64)  # under a column that the piece does not touch


class Candidates(NamedTuple):
    """Every placement of an action set, legal or not; leftmost columns go round: that of placement a is a % W."""

    legal: Bool[Array, "A"]
    pose: Pose  # each int32[A]: where the box comes to rest
    kind: Int32[Array, "A"]
    cells: tuple[UInt32[Array, "A"], ...]  # the resting piece's column j from its left, j < 4


class _Entering(NamedTuple):
    """A piece that is about to drop."""

    kind: Int32[Array, ""]
    pose: Pose  # at its spawn place
    allowed: Bool[Array, ""]


def check(rules: Rules) -> None:
    """Raise a ValueError where a piece could come to rest above the rows that a column word holds."""
    allowed = COLUMN_ROWS - MAX_BOX - rules.height
    if rules.top_out != "stack" and rules.spawn_row > allowed:
        raise ValueError(
            f"rules.spawn_row: given {rules.spawn_row} with actions 'drop' and height {rules.height}; allowed: "
            f"0 to {allowed}, so that no placement reaches beyond row {COLUMN_ROWS}"
        )


def num_placements(rules: Rules) -> int:
    """Return A: 4 orientations in W columns, twice that with hold."""
    return NUM_ORIENTATIONS * rules.width * (2 if rules.hold else 1)


def legal_words(rules: Rules, state: State) -> tuple[Word, ...]:
    """Tell for each orientation which columns can be reached: 4 words, with hold 8; bit x = leftmost column.

    A placement is legal when the piece fits, turned, at its spawn column and in every column on
    the way to its own, all at its spawn height, from where it drops straight down; with top_out
    "stack" pieces drop from above everything, and every one between the walls is legal. Of legal
    placements of one kind that fill the same cells only the lowest index stays. Nothing is legal
    after the end, and hold is not when it was used, or would reveal a hidden piece.
    """
    walled = board.walled(rules, state.rows)
    words = []
    for kind, pose, allowed in _entering(rules, state, walled):
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
    walled = board.walled(rules, state.rows)
    near = once(board.window(walled, state.y, MAX_BOX + further, below=further))
    shape = lookup(_box_rows(rules), state.piece, state.orientation)
    left = lookup(rules.tables.left, state.piece, state.orientation)
    bottom = lookup(rules.tables.bottom, state.piece, state.orientation)
    start = np.uint32(1) << (state.x + left + board.WALL).astype(jnp.uint32)
    way = _run(~_overlaps(near[further:], shape), start)
    above = state.y + bottom - (rules.height - 1)  # rows to fall
    for fallen in range(1, further + 1):
        free = ~_overlaps(near[further - fallen :], shape)
        way = way & jnp.where(fallen <= above, free, FULL_COLUMN)
    return (way != 0) & (above <= further)


def landing(
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
    walled = board.walled(rules, state.rows)
    entering = _entering(rules, state, walled)
    kind, y = entering[0].kind, entering[0].pose.y
    if rules.hold:
        kind, y = where(use_hold, (entering[1].kind, entering[1].pose.y), (kind, y))
    if rules.top_out == "stack":  # no filled cell is above the visible rows while the game goes on
        y = jnp.int32(rules.total_height - MAX_BOX)
    x = x - lookup(rules.tables.left, kind, orientation)
    orientation, x, y, use_hold, is_legal = once((orientation, x, y, use_hold, is_legal))
    cells = once(piece_cells(rules, kind, orientation))
    rest = y - board.drop_distance(walled, cells, x, y)
    return use_hold, Pose(orientation, x, rest), is_legal


def candidates(rules: Rules, state: State) -> Candidates:
    """Find where each placement comes to rest; legal are those that `legal_words` tells."""
    columns = board.columns(rules, state.rows)
    entering = _entering(rules, state, board.walled(rules, state.rows))
    parts = [_drops(rules, columns, kind, pose) for kind, pose, _ in entering]
    placed = jax.tree.map(lambda *halves: jnp.concatenate(halves), *parts)
    return Candidates(legal(rules, state), *placed)


def after(rules: Rules, state: State, placed: Candidates) -> Board:
    """Return the board after each placement and its line clears, [A]."""
    columns = board.columns(rules, state.rows)
    leftmost = np.arange(placed.kind.shape[0]) % rules.width
    filled = []
    for x in range(rules.width):
        column = jnp.broadcast_to(columns[x], placed.kind.shape)
        for j in range(MAX_BOX):
            here = np.where(leftmost == x - j, FULL_COLUMN, np.uint32(0))
            column = column | (placed.cells[j] & here)
        filled.append(column)
    return measures.cleared(tuple(filled))


def ends_game(rules: Rules, state: State, placed: Candidates, boards: Board) -> Bool[Array, "A"]:
    """Tell which placements lose as far as a player may know.

    Lock-out, where the rules have it; block-out when the piece that comes next is in the visible
    queue. With top_out "stack" exactly those that leave a cell above the visible rows. Garbage
    that would enter is not looked at.
    """
    if rules.top_out == "stack":
        return functools.reduce(jnp.bitwise_or, boards.columns) >> np.uint32(rules.height) != 0
    bottom = jnp.asarray(rules.tables.bottom)[placed.kind, placed.pose.orientation]
    lost = jnp.zeros(placed.kind.shape, bool)
    if rules.top_out == "guideline":
        lost = placed.pose.y + bottom >= rules.height
    if rules.preview == 0:
        return lost
    num_placed = placed.kind.shape[0] // (2 if rules.hold else 1)  # without holding first
    blocked = _blocked(rules, state.queue[0], boards, slice(0, num_placed))
    if rules.hold:
        held = slice(num_placed, None)
        second = _blocked(rules, state.queue[0], boards, held)
        if rules.preview > 1:
            second = jnp.where(state.hold >= 0, second, _blocked(rules, state.queue[1], boards, held))
        else:
            second &= state.hold >= 0
        blocked = jnp.concatenate([blocked, second])
    if rules.spawn_rise:  # after a clear a blocked piece enters above what is in its way
        blocked &= boards.lines == 0
    return lost | blocked


def _blocked(rules: Rules, kind: Int32[Array, ""], boards: Board, part: slice) -> Bool[Array, "a"]:
    """Tell on which of the boards a piece cannot enter."""
    spawn_cells = jnp.asarray(_spawn_columns(rules))[kind]
    overlap = [column[part] & spawn_cells[x] for x, column in enumerate(boards.columns)]
    return functools.reduce(jnp.bitwise_or, overlap) != 0


@functools.lru_cache(maxsize=64)
def _spawn_columns(rules: Rules) -> np.ndarray:
    """Return the cells of each kind at spawn by board column, uint32[K, W]."""
    tables = rules.tables
    spawned = np.zeros((rules.num_pieces, rules.width), np.uint32)
    for kind in range(rules.num_pieces):
        left = rules.spawn_x[kind] + tables.left[kind, 0]
        for j in range(tables.width[kind, 0]):
            spawned[kind, left + j] = tables.columns[kind, 0, j] << np.uint32(rules.spawn_y[kind])
    return spawned


def _entering(rules: Rules, state: State, walled: Walled) -> list[_Entering]:
    """Return the active piece and, with hold, the one that hold brings."""
    pose = Pose(jnp.int32(0), state.x, state.y)
    active = _Entering(state.piece, pose, ~state.game_over)
    if not rules.hold:
        return [active]
    kind = incoming(rules, state)
    pose, fits = moves.spawn(rules, walled, kind, state.combo >= 0)
    allowed = ~state.game_over & ~state.hold_used & (state.hold != state.piece)
    if rules.top_out != "stack":
        allowed &= fits
    if rules.preview == 0:
        allowed &= state.hold >= 0
    return [active, _Entering(kind, pose, allowed)]


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
    same = lookup(np.where(alike, FULL_COLUMN, np.uint32(0)), kind)
    for distance in np.unique(apart):
        upper = lower if distance < 0 else this
        for steps in range(1, abs(int(distance))):
            moved = [jnp.zeros_like(near[0])] * steps + list(near)[: MAX_BOX - steps]
            blocked = _overlaps(moved, shapes[upper])
            same = jnp.where(
                lookup(apart == distance, kind), same & ~(blocked >> np.uint32(board.WALL)), same
            )
    return same


def _drops(rules: Rules, columns: UInt32[Array, "W"], kind: Int32[Array, ""], pose: Pose) -> tuple[Any, ...]:
    """Drop one kind from its spawn height in every orientation and column (4 W): `Candidates` without legal."""
    width, tables = rules.width, rules.tables
    beyond = jnp.concatenate([columns, np.full(MAX_BOX - 1, FULL_COLUMN)])
    surfaces = []
    for is_bottom, row in zip(*_bottom_cells(rules), strict=True):
        for j in range(MAX_BOX):
            column, low = beyond[None, j : j + width], jnp.asarray(row)[kind][:, j, None]
            below = FULL_COLUMN if rules.top_out == "stack" else _rows_below(pose.y + low)
            surface = measures.height(column & below) - low
            surfaces.append(jnp.where(jnp.asarray(is_bottom)[kind][:, j, None], surface, NO_SURFACE))
    # A reduction, which the compiler does once, and not again for whatever depends on it.
    rest = jnp.max(jnp.stack(surfaces).reshape(len(surfaces), -1), axis=0)
    left = jnp.asarray(tables.left)[kind]
    # The box may rest below the floor, by as many rows as are empty at its bottom; its cells do not.
    shapes, bottoms = _shapes(rules)
    bottom_row = jnp.maximum(rest + jnp.asarray(bottoms)[kind], 0).astype(jnp.uint32)
    orientation = np.repeat(np.arange(NUM_ORIENTATIONS, dtype=np.int32), width)
    leftmost = np.tile(np.arange(width, dtype=np.int32), NUM_ORIENTATIONS)
    x = jnp.asarray(leftmost) - jnp.repeat(left, width)
    return (
        Pose(jnp.asarray(orientation), x, rest),
        jnp.broadcast_to(kind, orientation.shape),
        tuple(jnp.asarray(shape)[kind] << bottom_row for shape in shapes),
    )


def _rows_below(y: Int32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """Return the word of the rows under row y."""
    return (np.uint32(1) << y.astype(jnp.uint32)) - np.uint32(1)


@functools.lru_cache(maxsize=64)
def _box_rows(rules: Rules) -> np.ndarray:
    """Return the cells of the box from the piece's leftmost column on, uint32[K, 4], MAX_BOX bits for each row."""
    tables = rules.tables
    rows = tables.rows >> tables.left[..., None].astype(np.uint32)
    places = np.uint32(MAX_BOX) * np.arange(MAX_BOX, dtype=np.uint32)
    return (rows << places).sum(axis=-1, dtype=np.uint32)


@functools.lru_cache(maxsize=64)
def _shapes(rules: Rules) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return by kind and placement the piece's columns, from its lowest row up, and that row in its box.

    uint32[K, 4 W] for each column from the piece's left, and int32[K, 4 W].
    """
    tables = rules.tables
    words = tables.columns >> tables.bottom[:, :, None].astype(np.uint32)
    shapes = tuple(np.repeat(words[:, :, j], rules.width, axis=1) for j in range(MAX_BOX))
    return shapes, np.repeat(tables.bottom, rules.width, axis=1)


@functools.lru_cache(maxsize=64)
def _bottom_cells(rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Return whether a piece column has a first, a second cell with none of its own below, and its row in the box.

    bool[n, K, 4, 4] and int32[n, K, 4, 4]; n is 1 unless a piece has a gap in a column.
    """
    cells = (rules.tables.columns[..., None] >> np.arange(MAX_BOX, dtype=np.uint32)) & np.uint32(1) != 0
    bottoms = cells.copy()
    bottoms[..., 1:] &= ~cells[..., :-1]
    number = np.cumsum(bottoms, axis=-1) * bottoms  # 1 for the first
    each = [number == n + 1 for n in range(number.max())]
    return np.stack([e.any(axis=-1) for e in each]), np.stack([e.argmax(axis=-1) for e in each]).astype(
        np.int32
    )
