"""Boards as planners keep them: one word for each column, bit 31 - y is row y, many boards side by side.

In this form what falls is added: the rows from the highest filled cell of a column down are `c | -c`. A list of W
arrays of any one shape is that many boards. Rows above the 32nd do not exist.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int32, UInt32

from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.reach.planes import ALL, ONE, WORD, ZERO
from tetrax.env.game.rules import Rules
from tetrax.env.game.vector import once

Stack = Sequence[UInt32[Array, "*n"]]  # W columns


def from_rows(rules: Rules, rows: UInt32[Array, "*n H"]) -> list[UInt32[Array, "*n"]]:
    """Return the columns of boards given by rows (the lowest 32)."""
    rows = rows[..., None, :WORD]  # [*n, 1, H]
    boards = (1,) * (rows.ndim - 2)
    x = np.arange(rules.width, dtype=np.uint32).reshape(*boards, -1, 1)
    place = (WORD - 1 - np.arange(rows.shape[-1], dtype=np.uint32)).reshape(*boards, 1, -1)
    columns = jax.lax.reduce_or(((rows >> x) & ONE) << place, (rows.ndim - 1,))  # [*n, W]
    return [columns[..., x] for x in range(rules.width)]


def popcount(word: UInt32[Array, "*n"]) -> Int32[Array, "*n"]:
    """Return the number of set bits."""
    return jax.lax.population_count(word).astype(jnp.int32)


def below(column: UInt32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """Return the rows from the highest filled cell down."""
    return column | (ZERO - column)


def rows_above(bit: UInt32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """Return the rows above the one whose bit is given, none where none is."""
    return bit - jnp.minimum(bit, ONE)


@functools.lru_cache(maxsize=64)
def piece_columns(rules: Rules) -> np.ndarray:
    """Return the cells of pieces by kind and orientation and by column of the bounding box, uint32[K 4, 4]."""
    tables = rules.tables
    cells = np.zeros((rules.num_pieces, NUM_ORIENTATIONS, MAX_BOX), np.uint32)
    for k, o, j in np.ndindex(cells.shape):
        column = int(tables.columns[k, o, j]) >> int(tables.bottom[k, o])
        cells[k, o, j] = sum(1 << (WORD - 1 - dy) for dy in range(MAX_BOX) if column >> dy & 1)
    return cells.reshape(-1, MAX_BOX)


def put(
    rules: Rules,
    stack: Stack,
    shape: Int32[Array, "*n"],
    x: Int32[Array, "*n"],
    y: Int32[Array, "*n"],
) -> list[UInt32[Array, "*n"]]:
    """Fill the cells of a piece, given as 4 kind + orientation and the lower-left corner of its bounding box."""
    table = jnp.asarray(piece_columns(rules))
    cells = [
        table[:, j].at[shape].get(mode="promise_in_bounds") >> y.astype(jnp.uint32) for j in range(MAX_BOX)
    ]
    filled = []
    for column, word in enumerate(stack):
        for j in range(min(MAX_BOX, column + 1)):
            word = word | jnp.where(x == column - j, cells[j], ZERO)
        filled.append(word)
    return filled


def clear(stack: Stack) -> tuple[list[UInt32[Array, "*n"]], Int32[Array, "*n"]]:
    """Take out full rows, at most as many as a piece has; return the boards and how many there were."""
    full = functools.reduce(jnp.bitwise_and, stack)
    aboves, kept = [], []
    for _ in range(MAX_BOX):
        highest = full & (ZERO - full)
        above = rows_above(highest)
        aboves.append(above)
        kept.append(ALL ^ highest ^ above)
        full = full ^ highest
    *words, lines = once((*aboves, *kept, popcount(functools.reduce(jnp.bitwise_and, stack))))
    aboves, kept = words[:MAX_BOX], words[MAX_BOX:]
    cleared = []
    for column in stack:
        for above, keep in zip(aboves, kept, strict=True):
            column = (column & keep) | ((column & above) << ONE)
        cleared.append(column)
    return cleared, lines
