"""One tile of the search of `search`: boards side by side whose pieces turn alike, so that every move is fixed.

Poses of one orientation are an array [W, lanes]: a lane for each search, and in it a word for each leftmost column;
bit 31 - y is lowest row y. The columns are gone through from left to right and back until nothing is added: at each
one what was reached in the column before moves on, turns lead there, and all of it falls as far as it goes, which is
one sum.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.reach import flood
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.reach.planes import ONE, WORD, ZERO
from tetrax.env.game.reach.search_turns import Group, Turn
from tetrax.env.game.rules import Rules
from tetrax.env.game.vector import decision, lookup, once

TOP = np.uint32(WORD - 1)

Lanes = UInt32[Array, "lanes"]
Columns = UInt32[Array, "W lanes"]
Sets = UInt32[Array, "padded 4 lanes"]  # poses, with columns that stay empty at both sides


class Part(NamedTuple):
    """A part of the word that a search is packed in."""

    first: int  # its lowest bit
    num_bits: int


ORIENTATION, X, Y, KIND, ALLOWED = Part(0, 2), Part(2, 6), Part(8, 8), Part(16, 8), Part(24, 1)
OFFSET = 8  # added to coordinates, which may be negative


class Search(NamedTuple):
    """All that a search needs besides the board: the piece, and where it begins."""

    kind: Int32[Array, "*n"]
    orientation: Int32[Array, "*n"]
    x: Int32[Array, "*n"]  # of the box, as in `Start`
    y: Int32[Array, "*n"]  # at most WORD: above the word it is all the same where
    allowed: Bool[Array, "*n"]


def pack(kind: Int32[Array, "*n"], start: Start) -> UInt32[Array, "*n"]:
    """Put a search into one word, so that sorting moves one number for each; a box is in columns -8 to 55."""
    numbers = {
        ORIENTATION: start.orientation,
        X: start.x + OFFSET,
        Y: jnp.clip(start.y, -OFFSET, WORD) + OFFSET,
        KIND: kind,
        ALLOWED: start.allowed.astype(jnp.int32),
    }
    placed = [number << part.first for part, number in numbers.items()]
    return functools.reduce(jnp.bitwise_or, placed).astype(jnp.uint32)


def unpack(word: UInt32[Array, "*n"]) -> Search:
    """Read a search that `pack` wrote."""
    number = word.astype(jnp.int32)

    def read(part: Part) -> Int32[Array, "*n"]:
        return (number >> part.first) & ((1 << part.num_bits) - 1)

    return Search(read(KIND), read(ORIENTATION), read(X) - OFFSET, read(Y) - OFFSET, read(ALLOWED) != 0)


class _Progress(NamedTuple):
    """Where the search of a tile has come to."""

    number: UInt32[Array, ""]  # passes over the columns
    changes: Lanes  # what the last one added, of all columns together
    sets: Sets  # what is reached


@functools.partial(jax.jit, static_argnums=(0, 1))
def tile_words(
    rules: Rules, group: Group, empty: Columns, packed: Lanes, limit: UInt32[Array, ""]
) -> UInt32[Array, "4W+1 lanes"]:
    """Search one tile in a limited number of passes; return 4 W words, and one that is 0 where all was found.

    `packed` has the searches as `pack` writes them, `empty` the empty cells of the board of each.
    """
    searches = unpack(packed)
    free = _free(rules, group, empty, searches.kind)
    used = [_find_used(rules, turn, free[turn.after]) for turn in group.turns]
    margin = max(1, *(abs(dx) for turn in group.turns for test in turn.tests for dx, _ in test))
    first = _first(rules, group, empty, free, searches)
    sets = _pad(jnp.stack(first, axis=1), margin)

    def visit(step: Array, progress: _Progress) -> _Progress:
        """Add to one column what comes from the column before, by turns, and by falling from all that."""
        leftwards = progress.number & ONE
        column = jnp.where(leftwards == ONE, np.uint32(rules.width - 1) - step, step)
        before = column + leftwards + leftwards + np.uint32(margin - 1)  # the next one in `sets`, going left
        olds, news = [], []
        for o in range(NUM_ORIENTATIONS):
            way = _column(free[o], column)
            old = _word(progress.sets, column + np.uint32(margin), o)
            word = old | (_word(progress.sets, before, o) & way)
            for turn, fits in zip(group.turns, used, strict=True):
                if turn.after == o:
                    for arriving in _turn_into(progress.sets, turn, fits, column, margin):
                        word = word | arriving
            olds.append(old)
            news.append(_fall(word, way))
        added = functools.reduce(jnp.bitwise_or, [old ^ new for old, new in zip(olds, news, strict=True)])
        changes, *news = once((progress.changes | added, *news))
        at = (column + np.uint32(margin), ZERO, ZERO)
        sets = jax.lax.dynamic_update_slice(progress.sets, jnp.stack(news)[None], at)
        return progress._replace(changes=changes, sets=sets)

    def go_through(progress: _Progress) -> _Progress:
        progress = progress._replace(changes=jnp.zeros_like(packed))
        progress = jax.lax.fori_loop(ZERO, np.uint32(rules.width), visit, progress)
        return progress._replace(number=progress.number + ONE)

    def goes_on(progress: _Progress) -> Bool[Array, ""]:
        # What was gone through in one direction is closed under moves in that; the next pass looks at all others.
        return (progress.number < np.uint32(2)) | (jnp.any(progress.changes != 0) & (progress.number < limit))

    begun = _Progress(jnp.uint32(0), jnp.zeros_like(packed), sets)
    progress = jax.lax.while_loop(goes_on, go_through, begun)
    found = progress.sets[margin : margin + rules.width]
    return jnp.concatenate([*(found[:, o] for o in range(NUM_ORIENTATIONS)), progress.changes[None]])


def look_up(table: np.ndarray, index: Int32[Array, "lanes"]) -> Array:
    """Look up an entry of a table for each search."""
    return jax.vmap(functools.partial(lookup, table))(index)


def _first(
    rules: Rules, group: Group, empty: Columns, free: tuple[Columns, ...], searches: Search
) -> list[Columns]:
    """Return the poses to begin with: where the piece is, and over open ground all others of that height."""
    _, orientation, x, y, allowed = searches
    all_empty = functools.reduce(jnp.bitwise_and, [empty[c] for c in range(rules.width)])
    air = (np.uint32(2) << (TOP - jnp.maximum(y, 0).astype(jnp.uint32))) - ONE  # the rows from y on
    rows = min(WORD, rules.total_height)
    top = np.uint32((1 << rows) - 1) << np.uint32(WORD - rows)
    is_open = (y >= 0) & (y <= rules.total_height - MAX_BOX) & (all_empty & air == air & top)
    bits, first = [], []
    columns = np.arange(rules.width, dtype=np.int32)[:, None]
    for o in range(NUM_ORIENTATIONS):
        row = y + group.bottom[o]
        bit = jnp.where(allowed & (row >= 0), ONE << (TOP - jnp.maximum(row, 0).astype(jnp.uint32)), ZERO)
        corner = jnp.where(orientation == o, x + group.left[o], -1)
        bit, corner = once((bit, corner))
        bits.append(bit)
        first.append(jnp.where(corner[None] == columns, bit[None], ZERO) & free[o])
    if not group.is_connected:
        return first
    fits = functools.reduce(jnp.bitwise_or, [words[c] for words in first for c in range(rules.width)]) != 0
    everywhere = once([jnp.where(is_open & fits, bit, ZERO) for bit in bits])
    return [words | (row[None] & way) for words, row, way in zip(first, everywhere, free, strict=True)]


@decision
def _free(rules: Rules, group: Group, empty: Columns, kind: Int32[Array, "lanes"]) -> tuple[Columns, ...]:
    """Return the poses at which a piece overlaps nothing and stands inside the matrix."""
    shapes = flood.shapes(rules)[list(group.kinds)]  # [k, 4, y, x]
    padded = _pad(empty, 0, MAX_BOX)
    free = []
    for o in range(NUM_ORIENTATIONS):
        words = None
        for dy, dx in np.argwhere(shapes[:, o].any(axis=0)):  # every cell that belongs to one of the kinds
            there = padded[dx : dx + rules.width] << np.uint32(dy)
            of_group = shapes[:, o, dy, dx]
            if not of_group.all():
                table = np.full(rules.num_pieces, ~ZERO)
                table[list(group.kinds)] = np.where(of_group, ZERO, ~ZERO)
                there = there | once(look_up(table, kind))[None]
            words = there if words is None else words & there
        assert words is not None
        free.append(words)
    return tuple(free)


def _find_used(rules: Rules, turn: Turn, free: Columns) -> list[Columns]:
    """Return for each test of a turn the poses that it leads to: the piece fits there, and by no earlier test."""
    kicks = [test[0] for test in turn.tests]
    margin = max(abs(a - b) for a, _ in kicks for b, _ in kicks)
    padded = _pad(free, margin)
    used = []
    for number, (dx, dy) in enumerate(kicks):
        words = free
        for earlier_dx, earlier_dy in kicks[:number]:
            first = margin + earlier_dx - dx
            words = words & ~_raise(padded[first : first + rules.width], dy - earlier_dy)
        used.append(words)
    return used


def _turn_into(
    sets: Sets, turn: Turn, used: list[Columns], column: UInt32[Array, ""], margin: int
) -> Iterator[Lanes]:
    """Yield what each test of a turn brings to a column; `used` are the poses that the test leads to."""
    for test, fits in zip(turn.tests, used, strict=True):
        there = [
            _raise(_word(sets, column + np.uint32(margin - dx), source), dy)
            for source, (dx, dy) in zip(turn.before, test, strict=True)
        ]
        yield functools.reduce(jnp.bitwise_or, there) & _column(fits, column)


def _pad(words: Array, before: int, after: int | None = None) -> Array:
    """Add columns without poses, along the first axis."""
    width = before + words.shape[0] + (before if after is None else after)
    nothing = jnp.zeros((width, *words.shape[1:]), jnp.uint32)
    return jax.lax.dynamic_update_slice_in_dim(nothing, words, before, 0)


def _column(words: Columns, column: UInt32[Array, ""]) -> Lanes:
    return jax.lax.dynamic_slice(words, (column, ZERO), (1, words.shape[1]))[0]


def _word(sets: Sets, column: UInt32[Array, ""], orientation: int) -> Lanes:
    at = (column, np.uint32(orientation), ZERO)
    return jax.lax.dynamic_slice(sets, at, (1, 1, sets.shape[2]))[0, 0]


def _raise(words: Array, rows: int) -> Array:
    """Move poses up."""
    return words >> np.uint32(rows) if rows > 0 else words << np.uint32(-rows) if rows < 0 else words


def _fall(word: Lanes, way: Lanes) -> Lanes:
    """Return all that is reached by falling: a sum carries each pose down to the end of its free run."""
    return word | (way & ~(way + word))
