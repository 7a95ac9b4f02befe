"""Sets of places, many boards at a time, and how to move them: what the flood fill is written in.

A set is one word per column (and orientation), its bits the rows from the top. Boards lie along the trailing
axes [*n], side by side. A move is a look-up whose tables are NumPy, so that moves by any number of columns
and rows are one operation; lists of moves are gone through by `lax.scan`, which keeps the program small
and XLA from computing the same thing again in every place where it is used.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import UInt32

from tetrax.env.game.pieces import NUM_ORIENTATIONS
from tetrax.env.game.rules import Rules

WORD = 32  # rows in a word: word i holds rows 32 i to 32 i + 31, the highest in bit 0
ALL, ZERO, ONE = np.uint32(0xFFFFFFFF), np.uint32(0), np.uint32(1)

Poses = UInt32[Array, "words 4 W *n"]  # by orientation; nothing is set outside the matrix
Cells = UInt32[Array, "words W *n"]
Table = Array | np.ndarray  # NumPy; inside a scan, what it makes of it


class Moves(NamedTuple):
    """What brings poses from elsewhere, as look-ups; the leading axes [*m] count the moves."""

    source: Table  # int32[*m, words, 4, W], which word each word comes from
    inside: Table  # uint32[*m, words, 4, W], ones where that word exists
    next_source: Table  # int32[*m, words, 4, W], the word whose rows enter
    next_inside: Table  # uint32[*m, words, 4, W]
    down: Table  # uint32[*m, 4], rows
    up: Table  # uint32[*m, 4], rows; of the two at least one is 0


def empty_cells(rules: Rules, rows: UInt32[Array, "H *n"]) -> Cells:
    """Return the empty cells of boards given by rows."""
    x = along(np.arange(rules.width, dtype=np.uint32), 0, rows.ndim)
    words = []
    for first in range(0, rules.total_height, WORD):
        part = rows[first : first + WORD]
        bit = np.arange(WORD - 1, WORD - 1 - part.shape[0], -1, dtype=np.uint32)

        def add(word: Array, row: tuple[Array, Table]) -> tuple[Array, None]:
            return word | (((~row[0][None] >> x) & ONE) << row[1]), None

        nothing = jnp.zeros((rules.width, *rows.shape[1:]), jnp.uint32)
        words.append(jax.lax.scan(add, nothing, (part, bit))[0])
    return jnp.stack(words)


def to_rows(rules: Rules, poses: Poses) -> UInt32[Array, "4 H *n"]:
    """Return poses by orientation and lowest row, bit x = leftmost column."""
    parts = []
    for word, first in zip(poses, range(0, rules.total_height, WORD), strict=True):
        num_rows = min(WORD, rules.total_height - first)
        bit = along(WORD - 1 - np.arange(num_rows, dtype=np.uint32), 1, word.ndim)
        columns = [((word[:, x, None] >> bit) & ONE) << np.uint32(x) for x in range(rules.width)]
        parts.append(functools.reduce(jnp.bitwise_or, columns))
    return jnp.concatenate(parts, axis=1)


def move(poses: Poses, moves: Moves) -> Poses:
    """Look up the poses that one move brings; what leaves the matrix is lost, and nothing enters it."""
    flat = poses.reshape(-1, *poses.shape[3:])
    num_words, trailing = moves.source.shape[0], (1,) * (poses.ndim - 3)

    def look_up(index: Table, inside: Table) -> Array:
        words = flat.at[index].get(mode="promise_in_bounds")  # [words, 4, W, *n]
        return words & inside.reshape(*inside.shape, *trailing)

    down, up = (by.reshape(1, -1, 1, *trailing) for by in (moves.down, moves.up))
    found = (look_up(moves.source, moves.inside) << down) >> up
    if num_words > 1:  # shifts in two parts, since a shift by a whole word is none
        entering = look_up(moves.next_source, moves.next_inside)
        from_above = (entering >> ONE) >> (WORD - 1 - down)
        from_below = (entering << ONE) << (WORD - 1 - up)
        found |= jnp.where(down > 0, from_above, jnp.where(up > 0, from_below, ZERO))
    return found


def prepare(
    rules: Rules, moves: Sequence[tuple[Iterable[int], Any, Any]], origins: int = NUM_ORIENTATIONS
) -> Moves:
    """Prepare moves [m], each (origins, dx, dy) with one item, or the same, for each of 4 orientations.

    A move brings to each orientation what is at its origin, dx columns to the right and dy rows up. `origins`
    is the number of orientations that are looked up (1 for cells).
    """
    num_words, width = -(-rules.total_height // WORD), rules.width
    origin = np.array([list(m[0]) for m in moves])  # [m, 4]
    dx, dy = (
        np.array([np.broadcast_to(np.asarray(m[i]), (NUM_ORIENTATIONS,)) for m in moves]) for i in (1, 2)
    )
    column = (np.arange(width) - dx[..., None])[:, None]  # [m, 1, 4, W], where from
    word = np.arange(num_words)[:, None, None]

    def source(word: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inside = (column >= 0) & (column < width) & (word >= 0) & (word < num_words)
        index = (np.clip(word, 0, num_words - 1) * origins + origin[:, None, :, None]) * width
        index = index + np.clip(column, 0, width - 1)
        return index.astype(np.int32), np.where(inside, ALL, ZERO)

    down, up = np.maximum(-dy, 0).astype(np.uint32), np.maximum(dy, 0).astype(np.uint32)
    return Moves(*source(word), *source(word - np.sign(dy)[:, None, :, None]), down, up)


def one(moves: Moves, at: Any) -> Moves:
    """Pick some of a list of moves by index."""
    return Moves(*(field[at] for field in moves))


def along(values: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    """Lay a vector along one axis of `ndim`."""
    return values.reshape((1,) * axis + (-1,) + (1,) * (ndim - axis - 1))
