"""Where pieces can come to rest on many boards: the flood fill of `flood`, arranged for speed.

On a CPU all searches of a call (a board and a piece each) are sorted by how their pieces turn and gone through in
tiles (`search_tile`), few enough at a time to stay in its caches, so that every move of a tile is fixed when this is
compiled. A set of poses is one word for each orientation and column: bit 31 - y is row y. Where one word does not
hold all poses of a board, and on other devices, the whole call goes through `flood` together.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.board import Words
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.reach import flood
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.reach.planes import ONE, WORD
from tetrax.env.game.reach.search_tile import TOP, look_up, pack, tile_words
from tetrax.env.game.reach.search_turns import groups_of
from tetrax.env.game.rules import Rules
from tetrax.env.game.vector import keep_boards_last

TILE = 192  # searches side by side: what one tile goes through again and again stays in the nearest caches
# Over the columns, at most; searches that are not finished after so many begin again among themselves.
PASSES = (3, 7, 2**31)
STREAMS = 128  # searches that are counted side by side when they are sorted


class _Tiles(NamedTuple):
    """Searches laid out in tiles: those of one group of kinds together, each group from a tile of its own on."""

    place: Int32[Array, "N"]  # of each search, beyond all tiles where it takes no part
    order: Int32[Array, "places"]  # the search at each place, 0 where there is none
    firsts: tuple[Int32[Array, ""], ...]  # each group's first tile
    num_tiles: Int32[Array, ""]  # of all groups


class _Tile(NamedTuple):
    """What is carried from one tile to the next."""

    number: Int32[Array, ""]  # of the tile that comes next
    found: UInt32[Array, "4W+1 places"]  # the words of `tile_words` at each place of all rounds


class _Round(NamedTuple):
    """What is carried from one round, with its limit of passes, to the next."""

    num_tiles: Int32[Array, ""]  # of the rounds before
    waits: Bool[Array, "N"]  # searches that are not finished
    place: Int32[Array, "N"]  # where in `found` each search has its words
    found: UInt32[Array, "4W+1 places"]


def reach(
    rules: Rules, rows: Words, kinds: tuple[Int32[Array, ""], ...], starts: tuple[Start, ...]
) -> UInt32[Array, "C 4W"]:
    """Find all poses that each of C pieces can reach on a board, by moves sideways, down, and turns with kicks.

    Returns a word for each piece, orientation and leftmost column; bit 31 - y is lowest row y. Poses above
    row 31 are not told. A pose is at rest when the one below is not among them.
    """
    chex.assert_rank(jax.tree.leaves((rows, kinds, starts)), 0)  # one board: boards are searched under vmap
    chex.assert_equal((len(rows), len(kinds)), (rules.total_height, len(starts)))
    return _search(rules)(rows, kinds, starts)


def reach_on_columns(
    rules: Rules, empty: UInt32[Array, "W B"], kinds: tuple[Int32[Array, "B"], ...], starts: tuple[Start, ...]
) -> UInt32[Array, "4W N"]:
    """Find the same for each of C pieces on B boards that are given by their empty cells, N = C B searches.

    Bit 31 - y of a column is row y. Nothing may stand so high that a piece beside it reaches above the 32nd row.
    """
    kind = jnp.concatenate(kinds)
    start = jax.tree.map(lambda *fields: jnp.concatenate(fields), *starts)

    def slow() -> Array:
        place = np.arange(min(rules.total_height, WORD), dtype=np.uint32)[:, None]
        filled = [((~empty[x][None] >> (TOP - place)) & ONE) << np.uint32(x) for x in range(rules.width)]
        rows = functools.reduce(jnp.bitwise_or, filled)
        rows = jnp.pad(rows, ((0, max(0, rules.total_height - WORD)), (0, 0)))
        rows = jnp.tile(rows, (1, len(kinds)))
        return flood.reach(rules, rows, kind, start)[0].reshape(-1, kind.shape[0])

    def fast() -> Array:
        return _search_tiles(rules, empty, kind, start)

    return jax.lax.platform_dependent(cpu=fast, default=slow)


def at_rest(words: UInt32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """Keep the poses that cannot fall further, of all that can be reached."""
    return words & ~(words >> ONE)


@functools.lru_cache(maxsize=64)
def _search(rules: Rules) -> Callable[..., UInt32[Array, "C 4W *n"]]:
    """Return the search, on arrays of any one shape [*n]."""

    @keep_boards_last
    def search(rows: Words, kinds: tuple[Array, ...], starts: tuple[Start, ...]) -> UInt32[Array, "C 4W *n"]:
        flat = jax.tree.map(lambda field: field.reshape(-1), (rows, kinds, starts))
        words = _search_flat(rules, *flat)  # [4 W, C B]
        return jnp.moveaxis(words.reshape(len(words), len(kinds), *rows[0].shape), 1, 0)

    return search


@functools.partial(jax.jit, static_argnums=0)
def _search_flat(
    rules: Rules, rows: Words, kinds: tuple[Array, ...], starts: tuple[Start, ...]
) -> UInt32[Array, "4W N"]:
    """Search B boards for C pieces each, N = C B searches, all boards for one piece after the other."""
    kind = jnp.concatenate(kinds)
    start = jax.tree.map(lambda *fields: jnp.concatenate(fields), *starts)

    def none() -> Array:
        return jnp.zeros((NUM_ORIENTATIONS * rules.width, kind.shape[0]), jnp.uint32)

    def slow() -> Array:
        stacked = jnp.tile(jnp.stack(rows), (1, len(kinds)))
        return flood.reach(rules, stacked, kind, start)[0].reshape(-1, kind.shape[0])

    def fast() -> Array:
        columns = _empty_columns(rules, rows)
        return jax.lax.platform_dependent(
            cpu=lambda: _search_tiles(rules, columns, kind, start), default=slow
        )

    is_any = jnp.any(start.allowed)
    if rules.total_height <= WORD:
        return jax.lax.cond(is_any, fast, none)
    if any(group.rises for group in groups_of(rules)):
        return jax.lax.cond(is_any, slow, none)
    highest = WORD - MAX_BOX  # row of a box that is in one word whole
    rise, sink = (max(int((side * rules.tables.kicks[..., 1]).max()), 0) for side in (1, -1))
    # A box is over open ground, where no turn leads up, once all that its turns look at is above the stack.
    filled = functools.reduce(jnp.bitwise_or, rows[highest - rise - sink + 1 :])
    is_high = jnp.any(filled != 0) | jnp.any(start.y > highest)
    return jax.lax.switch(jnp.where(is_any, jnp.where(is_high, 2, 1), 0), (none, fast, slow))


@functools.partial(jax.jit, static_argnums=0)
def _search_tiles(
    rules: Rules, columns: UInt32[Array, "W B"], kind: Int32[Array, "N"], start: Start
) -> UInt32[Array, "4W N"]:
    """Search the boards in tiles, one group of kinds a tile.

    A tile takes as long as its longest search, and few are long: rounds with more and more passes go through
    those that the round before left unfinished.
    """
    groups = groups_of(rules)
    num_searches, num_boards = kind.shape[0], columns.shape[1]
    size = min(TILE, max(8, num_searches))
    num_tiles = -(-num_searches // size) + len(groups) - 1  # of one round, at most
    of_group = look_up(_number_groups(rules), kind)
    packed = pack(kind, start)
    branches = [functools.partial(tile_words, rules, group) for group in groups]

    def go_through(so_far: _Round, limit: UInt32[Array, ""]) -> tuple[_Round, None]:
        """Search all that is not finished, with so many passes over the columns at most."""
        tiles = _sort(jnp.where(so_far.waits, of_group, len(groups)), len(groups), size)

        def search(at: _Tile) -> _Tile:
            here = jax.lax.dynamic_slice(tiles.order, (at.number * size,), (size,))
            on_board = jnp.where(here >= num_boards, here % num_boards, here)
            given = columns.at[:, on_board].get(mode="promise_in_bounds")
            group = sum((at.number >= first).astype(jnp.int32) for first in tiles.firsts[1:])
            words = jax.lax.switch(jnp.asarray(group, jnp.int32), branches, given, _take(packed, here), limit)
            place = (so_far.num_tiles + at.number) * size
            return _Tile(at.number + 1, jax.lax.dynamic_update_slice(at.found, words, (0, place)))

        begun = _Tile(jnp.int32(0), so_far.found)
        found = jax.lax.while_loop(lambda at: at.number < tiles.num_tiles, search, begun).found
        place = jnp.where(so_far.waits, so_far.num_tiles * size + tiles.place, so_far.place)
        waits = so_far.waits & (_take(found[-1], place) != 0)
        return _Round(so_far.num_tiles + tiles.num_tiles, waits, place, found), None

    limits = jnp.asarray(PASSES, jnp.uint32)
    num_places = len(PASSES) * num_tiles * size
    nowhere = jnp.full(num_searches, num_places)  # one place more, where nothing is ever found
    nothing = jnp.zeros((NUM_ORIENTATIONS * rules.width + 1, num_places + 1), jnp.uint32)
    begun = _Round(jnp.int32(0), start.allowed, nowhere, nothing)
    last, _ = jax.lax.scan(go_through, begun, limits)
    return last.found[:-1].at[:, last.place].get(mode="promise_in_bounds")


def _number_groups(rules: Rules) -> np.ndarray:
    """Return the number of the group of each kind, int32[K]."""
    number = np.zeros(rules.num_pieces, np.int32)
    for g, group in enumerate(groups_of(rules)):
        number[list(group.kinds)] = g
    return number


def _sort(group: Int32[Array, "N"], num_groups: int, size: int) -> _Tiles:
    """Give each search a place among those of its group, in tiles of a size.

    Searches of no group (the number after the last) have the place after all others.
    """
    num_searches = group.shape[0]
    streams = min(STREAMS, num_searches)
    num_rounds = -(-num_searches // streams)
    padded = jnp.pad(group, (0, num_rounds * streams - num_searches), constant_values=num_groups)

    def count(before: list[Array], groups: Array) -> tuple[list[Array], Array]:
        here = [(groups == g).astype(jnp.int32) for g in range(num_groups)]
        rank = functools.reduce(jnp.add, [h * b for h, b in zip(here, before, strict=True)])
        return [b + h for b, h in zip(before, here, strict=True)], rank

    none = [jnp.zeros(streams, jnp.int32)] * num_groups
    counts, rank = jax.lax.scan(count, none, padded.reshape(num_rounds, streams))
    first_tile, first_tiles, starts = jnp.int32(0), [], []
    for of_stream in counts:
        ends = jnp.cumsum(of_stream)
        first_tiles.append(first_tile)
        starts.append(first_tile * size + ends - of_stream)
        first_tile = first_tile + (ends[-1] + (size - 1)) // size
    num_places = (-(-num_searches // size) + num_groups - 1) * size
    place = jnp.full(rank.shape, num_places)
    for g, of_stream in enumerate(starts):
        place = jnp.where(padded.reshape(rank.shape) == g, rank + of_stream[None], place)
    place = place.reshape(-1)[:num_searches]
    order = jnp.zeros(num_places, jnp.int32)
    index = jnp.arange(num_searches, dtype=jnp.int32)
    order = order.at[place].set(index, mode="drop")
    return _Tiles(place, order, tuple(first_tiles), first_tile)


def _take(values: Array, index: Array) -> Array:
    return values.at[index].get(mode="promise_in_bounds")


def _empty_columns(rules: Rules, rows: Words) -> UInt32[Array, "W B"]:
    """Return the empty cells of each column, of the lowest 32 rows."""
    x = np.arange(rules.width, dtype=np.uint32)[:, None]
    return functools.reduce(
        jnp.bitwise_or,
        [((~jnp.asarray(row)[None] >> x) & ONE) << np.uint32(TOP - y) for y, row in enumerate(rows[:WORD])],
    )
