"""Perft: count every sequence of placements of a queue, the standard exact test of how pieces move.

The last piece's placements are counted and never made. Equal boards are counted together, with how many
ways lead to them.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int64, UInt32

from tetrax.env.game import board
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS, KickSystem
from tetrax.env.game.reach import flood
from tetrax.env.game.reach.planes import WORD
from tetrax.env.game.rules import Rules

BOARDS_PER_CALL = 1024  # boards that go through one flood fill; 512 to 4096 were measured
PARENTS_PER_PART = 8192  # boards whose children are in memory at once, for each core
MAX_DEPTH = 12  # pieces; more could reach the ceiling of the highest matrix
CLIMB = 8  # rows: a kick lifts a piece at most two rows from what it touches, and its box has four
ROWS = 32  # total height in steps of this, so that counts of many depths share their programs
FULL = np.uint32(0xFFFFFFFF)

Boards = UInt32[np.ndarray, "B H"]
Ways = Int64[np.ndarray, "B"]


class Counts(NamedTuple):
    """What was counted at one depth."""

    placements: int  # of the last piece, over all sequences
    by_spin: tuple[int, ...]  # the same by class, as SPINS; all in the first without `spins`
    boards: int  # boards that the last piece was placed on (equal ones once, as far as they were found)


def rules_for(kicks: KickSystem, spawn_y: int, height: int, depth: int) -> Rules:
    """Return the rules of a count: no hold, no fall at spawn, no ceiling within reach.

    `spawn_y` is the row of the rotation centre at spawn (4 to 28), `height` the rows filled at the start,
    `depth` the number of pieces (1 to 12). A resting piece adds at most four rows to the stack.
    """
    rows = max(spawn_y, height + MAX_BOX * (depth - 1)) + CLIMB
    rows = min(-(-rows // ROWS) * ROWS, spawn_y + 60)
    return Rules(height=spawn_y, buffer=rows - spawn_y, kicks=kicks, hold=False, preview=0, spawn_drop=False)


def perft(
    rules: Rules, queue: tuple[int, ...], rows: UInt32[np.ndarray, "H"], *, spins: bool = False
) -> Iterator[Counts]:
    """Count the placements of a queue of kinds on a board; yield the counts of each depth.

    A placement is a set of cells; with `spins` it is one with each spin class that it can be reached with.
    """
    count = functools.partial(_count, rules, spins=spins)
    boards, ways = np.asarray(rows, np.uint32)[None], np.ones(1, np.int64)
    if len(queue) == 1:
        yield count(queue[0], boards, ways)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for kind in queue[:-2]:
            grow = functools.partial(_expand, rules, kind, spins=spins)
            counts, grown = zip(*pool.map(grow, *_parts(boards, ways)), strict=True)
            yield _total(counts)
            boards, ways = merge(*(np.concatenate(arrays) for arrays in zip(*grown, strict=True)))

        def last_two(part: Boards, part_ways: Ways) -> tuple[Counts, Counts]:
            counts, children = _expand(rules, queue[-2], part, part_ways, spins=spins)
            return counts, count(queue[-1], *children)

        before_last, last = zip(*pool.map(last_two, *_parts(boards, ways)), strict=True)
    yield _total(before_last)
    yield _total(last)


def merge(boards: Boards, ways: Ways) -> tuple[Boards, Ways]:
    """Join equal boards and add up the ways that lead to them.

    Boards are sorted by a hash and compared with the one before: different ones are never joined.
    """
    if not len(boards):
        return boards, ways
    choose = np.random.default_rng(0)
    factors = [
        choose.integers(2**62, dtype=np.uint64) * np.uint64(2) + np.uint64(1) for _ in range(boards.shape[1])
    ]
    hashes = np.zeros(len(boards), np.uint64)
    for column, factor in zip(boards.T, factors, strict=True):
        hashes = (hashes ^ column) * factor
        hashes ^= hashes >> np.uint64(29)
    order = np.argsort(hashes, kind="stable")
    boards, ways = boards[order], ways[order]
    is_first = np.ones(len(boards), bool)
    is_first[1:] = (boards[1:] != boards[:-1]).any(axis=1)
    return boards[is_first], np.add.reduceat(ways, np.flatnonzero(is_first))


def _expand(
    rules: Rules, kind: int, boards: Boards, ways: Ways, *, spins: bool
) -> tuple[Counts, tuple[Boards, Ways]]:
    """Count one piece's placements on boards and make the boards after them."""
    children, leading = [], []
    counted = []
    for part, part_ways, places in _find_places(rules, kind, boards, ways, spins):
        counted.append(_counts(places, part_ways))
        bits = np.unpackbits(np.moveaxis(places, -1, 0).copy().view(np.uint8), bitorder="little")
        found = np.flatnonzero(bits)
        shape = (len(part), *places.shape[:-1], WORD)
        parent, _, word, orientation, x, bit = np.unravel_index(found, shape)
        y = WORD * word + WORD - 1 - bit
        children.append(_after(rules, kind, part[parent], orientation, x, y))
        leading.append(part_ways[parent])
    return _total(counted), merge(np.concatenate(children), np.concatenate(leading))


def _count(rules: Rules, kind: int, boards: Boards, ways: Ways, *, spins: bool) -> Counts:
    """Count one piece's placements on boards."""
    return _total(_counts(places, part) for _, part, places in _find_places(rules, kind, boards, ways, spins))


def _counts(places: UInt32[np.ndarray, "spins words 4 W B"], ways: Ways) -> Counts:
    on_each = np.bitwise_count(places).sum(axis=(1, 2, 3), dtype=np.int64)  # [spins, B]
    by_spin = tuple((on_each @ ways).tolist())
    return Counts(sum(by_spin), by_spin, len(ways))


def _total(counts: Iterable[Counts]) -> Counts:
    placements, by_spin, boards = zip(*counts, strict=True)
    return Counts(sum(placements), tuple(map(sum, zip(*by_spin, strict=True))), sum(boards))


def _parts(boards: Boards, ways: Ways) -> tuple[list[Boards], list[Ways]]:
    cuts = range(PARENTS_PER_PART, len(boards), PARENTS_PER_PART)
    return np.split(boards, cuts), np.split(ways, cuts)


def _find_places(
    rules: Rules, kind: int, boards: Boards, ways: Ways, spins: bool
) -> Iterator[tuple[Boards, Ways, UInt32[np.ndarray, "spins words 4 W B"]]]:
    """Yield parts of the boards, each with the ways to them and the distinct places on them."""
    search = _search(rules, kind, spins)
    for first in range(0, max(len(boards), 1), BOARDS_PER_CALL):
        part = boards[first : first + BOARDS_PER_CALL]
        padded = np.full((rules.total_height, BOARDS_PER_CALL), FULL)  # nothing fits on a full board
        padded[:, : len(part)] = part.T
        yield part, ways[first : first + BOARDS_PER_CALL], np.asarray(search(padded))[..., : len(part)]


@functools.lru_cache(maxsize=256)
def _search(rules: Rules, kind: int, spins: bool) -> Callable[[UInt32[np.ndarray, "H B"]], Array]:
    """Return the compiled flood fill of one kind: rows to distinct places, uint32[spins, words, 4, W, B]."""
    twin = rules.tables.twin[kind]

    @jax.jit
    def search(rows: UInt32[Array, "H B"]) -> UInt32[Array, "spins words 4 W B"]:
        def everywhere(number: int) -> Array:
            return jnp.full(rows.shape[1], number, jnp.int32)

        x, y = int(rules.spawn_x[kind]), int(rules.spawn_y[kind])
        allowed = jnp.ones(rows.shape[1], bool)
        start = flood.Start(everywhere(0), everywhere(x), everywhere(y), everywhere(-1), allowed)
        found = flood.find_resting(rules, rows, kind, start, spins=spins)
        places = jnp.stack(found if spins else found[:1])
        distinct = []
        for orientation in range(NUM_ORIENTATIONS):
            twins = [places[:, :, o] for o in range(NUM_ORIENTATIONS) if twin[o] == orientation]
            distinct.append(functools.reduce(jnp.bitwise_or, twins, jnp.zeros_like(places[:, :, 0])))
        return jnp.stack(distinct, axis=2)

    return search


def _after(
    rules: Rules, kind: int, boards: Boards, orientation: np.ndarray, x: np.ndarray, y: np.ndarray
) -> Boards:
    """Put a piece on each board, its leftmost column at x and its lowest row at y, and clear full rows."""
    tables = rules.tables
    boards = boards.copy()
    row_words = np.array(  # [4, MAX_BOX], from the lowest row with a cell
        [
            np.roll(tables.rows[kind, o] >> np.uint32(tables.left[kind, o]), -tables.bottom[kind, o])
            for o in range(4)
        ]
    )
    here = np.arange(len(boards))
    for dy in range(MAX_BOX):
        row = np.minimum(y + dy, rules.total_height - 1)  # above the top row a piece has no cells
        boards[here, row] |= row_words[orientation, dy] << x.astype(np.uint32)
    is_full = boards == board.full_row(rules)
    clears = is_full.any(axis=1)
    order = np.argsort(is_full[clears], axis=1, kind="stable")  # full rows go last ...
    kept = np.take_along_axis(boards[clears], order, axis=1)
    kept[np.take_along_axis(is_full[clears], order, axis=1)] = 0  # ... and are emptied
    boards[clears] = kept
    return boards
