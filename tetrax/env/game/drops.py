"""Straight-down placements of the active piece and of the one hold would bring, with afterstates.

Works on columns (bit y of word x is cell (x, y)): heights, surfaces and transitions of a column
are a few operations on one word, and all A placements go through the same W words side by side.
Placement a: orientation a // W, leftmost column a % W; the second half (with hold) holds first.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32, UInt32

from tetrax.env.game import board, measures, moves
from tetrax.env.game.engine import incoming
from tetrax.env.game.measures import Board
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State

FULL_COLUMN = np.uint32(0xFFFFFFFF)
COLUMN_ROWS = 32  # rows that a column word holds
NO_SURFACE = np.int32(-64)  # under a column that the piece does not touch

# What the linear controllers of the literature are functions of (Thiery and Scherrer 2009; Gabillon et al. 2013).
CLASSIC_FEATURES = (
    "landing_height",
    "eroded_cells",
    "row_transitions",
    "column_transitions",
    "holes",
    "wells",  # covered ones too
    "hole_depth",
    "rows_with_holes",  # rows
    "pattern_diversity",  # different steps of at most 2 between neighbouring columns
)


class Candidates(NamedTuple):
    """Every placement of the action set, legal or not."""

    legal: Bool[Array, "A"]
    pose: Pose  # each int32[A]: where the box comes to rest
    kind: Int32[Array, "A"]
    cells: tuple[UInt32[Array, "A"], ...]  # the resting piece's column j from its left, j < 4


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


def candidates(rules: Rules, state: State) -> Candidates:
    """Find where each placement comes to rest, and which can be reached.

    A placement is legal when the piece fits, turned, at its spawn column and in every column on
    the way to its own, all at its spawn height, from where it drops straight down; with top_out
    "stack" pieces drop from above everything, and every one between the walls is legal. Of legal
    placements of one kind that fill the same cells only the lowest index stays. Nothing is legal
    after the end, and hold is not when it was used, or would reveal a hidden piece.
    """
    columns = board.columns(rules, state.rows)
    pose = Pose(jnp.int32(0), state.x, state.y)
    active = _drops(rules, columns, state.piece, pose, ~state.game_over)
    if not rules.hold:
        return active
    kind = incoming(rules, state)
    pose, fits = moves.spawn(rules, board.walled(rules, state.rows), kind, state.combo >= 0)
    allowed = ~state.game_over & ~state.hold_used & (state.hold != state.piece)
    if rules.top_out != "stack":
        allowed &= fits
    if rules.preview == 0:
        allowed &= state.hold >= 0
    held = _drops(rules, columns, kind, pose, allowed)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), active, held)


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


def landing_height(rules: Rules, placed: Candidates) -> Float32[Array, "A"]:
    """Return the height of the middle of each resting piece: lowest row + (rows - 1) / 2."""
    tables = rules.tables
    middle = jnp.asarray(tables.bottom + (tables.height - 1) / 2, jnp.float32)
    return placed.pose.y.astype(jnp.float32) + middle[placed.kind, placed.pose.orientation]


def eroded_cells(placed: Candidates, boards: Board) -> Int32[Array, "A"]:
    """Return lines cleared times the piece's own cells that went with them."""
    return boards.lines * measures.total(measures.popcount(cells & boards.full) for cells in placed.cells)


def classic_features(rules: Rules, placed: Candidates, boards: Board) -> Float32[Array, "A 9"]:
    """Return CLASSIC_FEATURES of each placement in order, in cells unless said there, unscaled."""
    after = measures.board_features(rules, boards.columns)
    # No cell lies higher: with top_out "stack" a piece comes to rest on at most `height` rows.
    num_rows = rules.height + MAX_BOX if rules.top_out == "stack" else min(rules.total_height, COLUMN_ROWS)
    values = {
        **vars(after),
        "landing_height": landing_height(rules, placed),
        "eroded_cells": eroded_cells(placed, boards),
        "wells": measures.covered_wells(boards.columns, num_rows),
        "pattern_diversity": measures.pattern_diversity(boards.columns),
    }
    return jnp.stack([values[name].astype(jnp.float32) for name in CLASSIC_FEATURES], axis=-1)


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
    blocked = _blocked(rules, state.queue[0], boards, slice(0, 4 * rules.width))
    if rules.hold:
        held = slice(4 * rules.width, None)
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


def _drops(
    rules: Rules,
    columns: UInt32[Array, "W"],
    kind: Int32[Array, ""],
    pose: Pose,
    allowed: Bool[Array, ""],
) -> Candidates:
    """Drop one kind from its spawn pose in every orientation and column (4 W placements)."""
    width, tables = rules.width, rules.tables
    piece = jnp.asarray(tables.columns)[kind]  # [4, 4] words by orientation and column of the piece
    lowest = jnp.asarray(_lowest_cells(rules))[kind]  # [4, 4] rows
    beyond = jnp.concatenate([columns, np.full(MAX_BOX - 1, FULL_COLUMN)])
    from_above = rules.top_out == "stack"
    surfaces = []
    hits = jnp.zeros((NUM_ORIENTATIONS, width), jnp.uint32)
    for j in range(MAX_BOX):
        column, cells, low = beyond[None, j : j + width], piece[:, j, None], lowest[:, j, None]
        hits |= column & (cells << pose.y.astype(jnp.uint32))
        below = FULL_COLUMN if from_above else _rows_below(pose.y + low)
        surfaces.append(jnp.where(cells != 0, measures.height(column & below) - low, NO_SURFACE))
    # A reduction, which the compiler does once, and not again for whatever depends on it.
    rest = jnp.max(jnp.stack(surfaces).reshape(MAX_BOX, -1), axis=0)
    left = jnp.asarray(tables.left)[kind]
    inside = jnp.asarray(tables.width)[kind][:, None] + np.arange(width, dtype=np.int32)[None] <= width
    legal = allowed & (inside if from_above else _way_is_free(hits != 0, pose.x + left))
    legal &= ~_repeats(rules, kind, legal, rest.reshape(NUM_ORIENTATIONS, width))
    # The box may rest below the floor, by as many rows as are empty at its bottom; its cells do not.
    shapes, bottoms = _shapes(rules)
    bottom_row = jnp.maximum(rest + jnp.asarray(bottoms)[kind], 0).astype(jnp.uint32)
    orientation = np.repeat(np.arange(NUM_ORIENTATIONS, dtype=np.int32), width)
    leftmost = np.tile(np.arange(width, dtype=np.int32), NUM_ORIENTATIONS)
    x = jnp.asarray(leftmost) - jnp.repeat(left, width)
    return Candidates(
        legal=legal.reshape(-1),
        pose=Pose(jnp.asarray(orientation), x, rest),
        kind=jnp.broadcast_to(kind, orientation.shape),
        cells=tuple(jnp.asarray(shape)[kind] << bottom_row for shape in shapes),
    )


def _rows_below(y: Int32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """Return the word of the rows under row y."""
    return (np.uint32(1) << y.astype(jnp.uint32)) - np.uint32(1)


def _way_is_free(blocked: Bool[Array, "4 W"], spawn: Int32[Array, "4"]) -> Bool[Array, "4 W"]:
    """Tell which columns are reached from the spawn column without passing a blocked one."""
    column = np.arange(blocked.shape[1], dtype=np.int32)[None]
    word = jnp.sum(jnp.where(blocked, np.uint32(1) << column.astype(np.uint32), 0), axis=1, dtype=jnp.uint32)
    first, last = jnp.minimum(spawn[:, None], column), jnp.maximum(spawn[:, None], column)
    up_to_last = (np.uint32(2) << last.astype(jnp.uint32)) - np.uint32(1)
    before_first = (np.uint32(1) << first.astype(jnp.uint32)) - np.uint32(1)
    return (word[:, None] & up_to_last & ~before_first) == 0


def _repeats(
    rules: Rules, kind: Int32[Array, ""], legal: Bool[Array, "4 W"], rest: Int32[Array, "4 W"]
) -> Bool[Array, "4 W"]:
    """Tell which placements fill the same cells as a legal one of a lower orientation."""
    twin = jnp.asarray(rules.tables.twin)[kind]
    bottom = rest + jnp.asarray(rules.tables.bottom)[kind][:, None]
    repeats = [jnp.zeros(legal.shape[1], bool)]
    for this in range(1, NUM_ORIENTATIONS):
        same = [
            (twin[this] == twin[lower]) & legal[lower] & (bottom[this] == bottom[lower])
            for lower in range(this)
        ]
        repeats.append(functools.reduce(jnp.logical_or, same))
    return jnp.stack(repeats)


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
def _lowest_cells(rules: Rules) -> np.ndarray:
    """Return the row in the box of each piece column's lowest cell, int32[K, 4, 4] (0 if none)."""
    words = rules.tables.columns.astype(np.int64)
    return np.where(words > 0, np.log2(np.maximum(words & -words, 1)), 0).astype(np.int32)
