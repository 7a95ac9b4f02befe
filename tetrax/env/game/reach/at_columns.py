"""Placements by the column they drop in, for their afterstates: where each comes to rest.

Found on columns (bit y of word x is cell (x, y)): the surface under a piece is a few operations on one word, and
all columns are looked at side by side.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int32, UInt32

from tetrax.env.game import board, measures
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.reach import drops
from tetrax.env.game.reach.outcomes import FULL_COLUMN, Candidates
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State

NO_SURFACE = np.int32(-64)  # under a column that the piece does not touch


def candidates(rules: Rules, state: State) -> Candidates:
    """Find where each placement comes to rest; legal are those that `drops.legal_words` tells."""
    columns = board.columns(rules, state.rows)
    pieces = drops.find_entering(rules, state, board.add_walls(rules, state.rows))
    parts = [_of_kind(rules, columns, piece.kind, piece.pose) for piece in pieces]
    placed = jax.tree.map(lambda *halves: jnp.concatenate(halves), *parts)
    return Candidates(drops.legal(rules, state), *placed)


def _of_kind(
    rules: Rules, columns: UInt32[Array, "W"], kind: Int32[Array, ""], pose: Pose
) -> tuple[Any, ...]:
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
