"""What a linear evaluation for attack looks at: features of boards after a placement, and of the placement itself.

Boards are stacks (`stacks`), any number side by side; features are int32 of the same shape, in the order of their
names. Those of T-slots know how many lines a T would clear; those of the perfect clear ask whether the rows up to
the least height at which whole pieces fill them can still be filled.
"""

import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.reach.planes import ALL, ONE, WORD, ZERO
from tetrax.env.game.rules import Rules
from tetrax.search.stacks import Stack, below, popcount, rows_above

BOARD_FEATURES = (
    "holes",  # empty cells with a filled cell above them
    "covers",  # filled cells above the highest hole of their column
    "row_transitions",  # filled/empty changes along the rows up to the highest cell, walls filled
    "column_transitions",  # the same along the columns, floor filled
    "bumpiness",  # steps between neighbouring columns, in cells
    "steep_steps",  # what of them goes beyond 2
    "wells",  # open cells between two columns that stand higher
    "deep_wells",  # what of a well goes beyond 2 cells
    "height",  # of the highest column
    "upper_half",  # what of it goes beyond half of the visible rows
    "upper_quarter",  # beyond three quarters
    "cells",  # filled ones
    "ready_rows",  # rows that lack one cell, open from above: in the column that has most of them
    "t_slots",  # places under an overhang where a T would spin, that clear nothing
    "t_singles",  # one line
    "t_doubles",  # two lines
    "t_slots_of_three",  # slots of three rows beside an open column that clear two lines or less
    "t_triples",  # three lines
    "may_clear",  # whether at most four rows can still become a perfect clear, by parity and walled-off parts
    "pieces_to_clear",  # where that is so: pieces that it takes
    "parted_wrongly",  # up to four rows high: walls between columns to whose left whole pieces cannot fill all
    "back_to_back",  # whether the next difficult clear is paid as back-to-back
    "combo",  # clears in a row so far
    "holds_t",
    "holds_i",
    "holds_o",
)
PLACEMENT_FEATURES = (
    "wasted_t",  # a T that earned no full spin with lines
    "wasted_i",  # an I that cleared less than four lines
    "single",  # clears without a spin, by lines
    "double",
    "triple",
    "perfect_clear",
    "chain_broken",  # a plain clear that ended back-to-back
)


class Situation(NamedTuple):
    """What besides the board is looked at, each of the boards' shape."""

    back_to_back: Bool[Array, "*n"]
    combo: Int32[Array, "*n"]  # clears in a row
    hold: Int32[Array, "*n"]  # kind, -1 = none


class Placement(NamedTuple):
    """What a placement did, each of one shape."""

    kind: Int32[Array, "*n"]
    spin: Int32[Array, "*n"]
    lines: Int32[Array, "*n"]
    is_perfect: Bool[Array, "*n"]
    breaks_chain: Bool[Array, "*n"]


def board_features(rules: Rules, stack: Stack, situation: Situation) -> list[Int32[Array, "*n"]]:
    """Return BOARD_FEATURES of boards after their clears."""
    values = {**_surface(rules, stack), **_slots(stack), **_perfect_clear(rules, stack)}
    names = [piece.name for piece in rules.pieces]
    values["back_to_back"] = situation.back_to_back.astype(jnp.int32)
    values["combo"] = situation.combo
    for name in "TIO":
        number = names.index(name) if name in names else len(names)
        values[f"holds_{name.lower()}"] = (situation.hold == number).astype(jnp.int32)
    return [values[name] for name in BOARD_FEATURES]


def placement_features(rules: Rules, placed: Placement) -> list[Int32[Array, "*n"]]:
    """Return PLACEMENT_FEATURES of placements."""
    names = [piece.name for piece in rules.pieces]
    is_t, is_i = (placed.kind == (names.index(name) if name in names else len(names)) for name in "TI")
    plain = placed.spin == 0
    values = (
        is_t & ((placed.spin != 2) | (placed.lines == 0)),
        is_i & (placed.lines < 4),
        *(plain & (placed.lines == lines) for lines in (1, 2, 3)),
        placed.is_perfect,
        placed.breaks_chain,
    )
    return [value.astype(jnp.int32) for value in values]


def _surface(rules: Rules, stack: Stack) -> dict[str, Int32[Array, "*n"]]:
    """Measure holes, transitions, steps, wells and heights."""
    under = [below(column) for column in stack]
    holes = [rows & ~column for rows, column in zip(under, stack, strict=True)]
    covering = [column & rows_above(hole & (ZERO - hole)) for column, hole in zip(stack, holes, strict=True)]
    rows = below(functools.reduce(jnp.bitwise_or, stack))
    sideways = [a ^ b for a, b in itertools.pairwise(stack)] + [rows & ~stack[0], rows & ~stack[-1]]
    floor = np.uint32(1 << (WORD - 1))
    downwards = [column ^ ((column >> ONE) | floor) for column in stack]
    steps = [popcount(a ^ b) for a, b in itertools.pairwise(under)]
    wall = jnp.full_like(stack[0], ALL)
    wells = [
        popcount(left & right & ~here)
        for left, here, right in zip([wall, *under], under, [*under[1:], wall], strict=False)
    ]
    height = popcount(rows)
    return {
        "holes": _total(map(popcount, holes)),
        "covers": _total(map(popcount, covering)),
        "row_transitions": _total(map(popcount, sideways)),
        "column_transitions": _total(map(popcount, downwards)),
        "bumpiness": _total(steps),
        "steep_steps": _beyond(steps, 2),
        "wells": _total(wells),
        "deep_wells": _beyond(wells, 2),
        "height": height,
        "upper_half": _beyond([height], rules.height // 2),
        "upper_quarter": _beyond([height], rules.height * 3 // 4),
        "cells": _total(map(popcount, stack)),
    }


def _slots(stack: Stack) -> dict[str, Int32[Array, "*n"]]:
    """Count where a T could spin, by the lines that it would clear, and the rows that lack one open cell."""
    width, everything = len(stack), jnp.full_like(stack[0], ALL)
    is_open = [~below(column) for column in stack]
    from_left = list(itertools.accumulate(stack, jnp.bitwise_and, initial=everything))
    from_right = list(itertools.accumulate(reversed(stack), jnp.bitwise_and, initial=everything))[::-1]

    def full_but(first: int, last: int) -> UInt32[Array, "*n"]:
        """Return the rows that are filled but for the columns from `first` to `last`."""
        return from_left[first] & from_right[last + 1]

    ready = [popcount(full_but(x, x) & is_open[x]) for x in range(width)]
    none, one, two, some_of_three, three = ([jnp.zeros_like(ready[0])] for _ in range(5))
    for x in range(1, width - 1):
        a, b = x - 1, x + 1
        room = is_open[x] & stack[a] & stack[b] & (~(stack[a] | stack[b]) << ONE)
        over = ((stack[a] << np.uint32(2)) & (is_open[b] << ONE)) | (
            (stack[b] << np.uint32(2)) & (is_open[a] << ONE)
        )
        slot = room & over
        low, high = full_but(x, x), full_but(a, b) << ONE
        none.append(popcount(slot & ~low & ~high))
        one.append(popcount(slot & (low ^ high)))
        two.append(popcount(slot & low & high))
    for x, side in _sides(width):
        slot = is_open[x] & stack[side] & (~stack[side] << ONE) & (stack[side] << np.uint32(2))
        slot &= is_open[side] << np.uint32(3)
        low, high = full_but(x, x), full_but(x, x) << np.uint32(2)
        middle = full_but(min(x, side), max(x, side)) << ONE
        all_three = slot & low & middle & high
        some_of_three.append(popcount((slot & middle & (low | high)) ^ all_three))
        three.append(popcount(all_three))
    return {
        "ready_rows": functools.reduce(jnp.maximum, ready),
        "t_slots": _total(none),
        "t_singles": _total(one),
        "t_doubles": _total(two),
        "t_slots_of_three": _total(some_of_three),
        "t_triples": _total(three),
    }


def _sides(width: int) -> Iterator[tuple[int, int]]:
    """Yield each column with each of its neighbours."""
    for x in range(width):
        if x > 0:
            yield x, x - 1
        if x < width - 1:
            yield x, x + 1


def _perfect_clear(rules: Rules, stack: Stack) -> dict[str, Int32[Array, "*n"]]:
    """Look at the least rows that whole pieces of four cells could fill, and at the parts that walls leave of them."""
    cells = _total(map(popcount, stack))
    height = popcount(below(functools.reduce(jnp.bitwise_or, stack)))
    rows = height
    for more in reversed(range(4)):
        rows = jnp.where((rules.width * (height + more) - cells) % 4 == 0, height + more, rows)
    rows = jnp.where(height == 0, 4, rows)
    inside = ~(ALL >> jnp.minimum(rows, WORD - 1).astype(jnp.uint32))
    empty = [~column & inside for column in stack]
    so_far, wrong = jnp.zeros_like(cells), jnp.zeros_like(cells)
    for here, following in itertools.pairwise(empty):
        so_far = so_far + popcount(here)
        wrong += (((here & following) == 0) & (so_far % 4 != 0)).astype(jnp.int32)
    low = rows <= 4
    missing = rules.width * rows - cells
    may = low & (wrong == 0) & (missing % 4 == 0)
    return {
        "may_clear": may.astype(jnp.int32),
        "pieces_to_clear": jnp.where(may, missing // 4, 0),
        "parted_wrongly": jnp.where(low, wrong, 0),
    }


def _total(counts: Iterator[Int32[Array, "*n"]] | list[Int32[Array, "*n"]]) -> Int32[Array, "*n"]:
    return functools.reduce(jnp.add, counts)


def _beyond(counts: list[Int32[Array, "*n"]], limit: int) -> Int32[Array, "*n"]:
    return _total([jnp.maximum(count - limit, 0) for count in counts])
