"""Where pieces come to rest on many boards, and by which spin: what a planner may do next.

The flood fill tells which poses can be reached (`reach.search`); for all resting poses of a piece that spins, the
best class among the ways there is found here, by every kick test of every turn at once, where
`reach.twists` looks at one chosen place. Poses are words as there: an orientation and a leftmost column each, bit
31 - y is lowest row y.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int32, UInt32

from tetrax.env.game.pieces import NUM_ORIENTATIONS, TURNS
from tetrax.env.game.reach import flood, search
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.reach.planes import ALL, WORD, ZERO
from tetrax.env.game.rules import Rules
from tetrax.env.game.scoring import CORNERS, FRONT, LAST_KICK
from tetrax.env.game.vector import once

HALF_TURN = 2

Poses = UInt32[Array, "W n"]  # of one orientation


class Resting(NamedTuple):
    """Resting poses of N pieces; `mini` and `full` are those of them that earn a spin."""

    rests: UInt32[Array, "4 W n"]
    mini: UInt32[Array, "4 W n"]
    full: UInt32[Array, "4 W n"]


def find(
    rules: Rules, stack: UInt32[Array, "W n"], kinds: tuple[Int32[Array, "n"], ...], starts: tuple[Start, ...]
) -> Resting:
    """Find the resting poses in view of each of C pieces on n boards: [C n], one piece after the other."""
    rows = min(rules.total_height, WORD)
    empty = ~stack & np.uint32(((1 << rows) - 1) << (WORD - rows))
    reached = search.reach_on_columns(rules, empty, kinds, starts)
    reached = reached.reshape(NUM_ORIENTATIONS, rules.width, -1)
    kind = jnp.concatenate(kinds)
    visible = np.uint32(((1 << rules.height) - 1) << (WORD - rules.height))
    rests = _drop_twins(rules, search.at_rest(reached) & visible, kind)
    mini = full = jnp.zeros_like(rests)
    boards = jnp.concatenate([empty] * len(kinds), axis=1)
    for spinning in np.flatnonzero(rules.tables.spins).tolist():
        is_it = jnp.where(kind == spinning, ALL, ZERO)[None]
        classes = [_spins(rules, spinning, o, boards, reached) for o in range(NUM_ORIENTATIONS)]
        mini = mini | jnp.stack([some & is_it for some, _ in classes])
        full = full | jnp.stack([some & is_it for _, some in classes])
    return Resting(rests, mini & rests, full & rests)


def _drop_twins(
    rules: Rules, rests: UInt32[Array, "4 W n"], kind: Int32[Array, "n"]
) -> UInt32[Array, "4 W n"]:
    """Keep each set of cells once, in the lowest orientation that can come to rest there."""
    kept = []
    for o in range(NUM_ORIENTATIONS):
        words = rests[o]
        for lower in range(o):
            alike = rules.tables.twin[:, o] == rules.tables.twin[:, lower]
            is_twin = jnp.where(jnp.asarray(alike)[kind], ALL, ZERO)[None]
            words = words & ~(rests[lower] & is_twin)
        kept.append(words)
    return jnp.stack(kept)


def _spins(
    rules: Rules, kind: int, orientation: int, empty: UInt32[Array, "W n"], reached: UInt32[Array, "4 W n"]
) -> tuple[Poses, Poses]:
    """Return the poses of one orientation that a turn leads to and that are a mini, and a full spin."""
    free = once(_free(rules, kind, orientation, empty))
    turned = promoted = jnp.zeros_like(free)
    for leads, is_last, turn in _lead(rules, kind, orientation, free, reached):
        turned = turned | leads
        if is_last and turn != HALF_TURN and (rules.spins != "tetrio" or orientation % 2 == 1):
            promoted = promoted | leads
    left, bottom = (int(table[kind, orientation]) for table in (rules.tables.left, rules.tables.bottom))
    filled = [~_look(empty, dx - left, dy - bottom) for dx, dy in CORNERS]
    a, b, c, d = filled
    tight = (a & b & (c | d)) | (c & d & (a | b))
    if rules.spins == "jstris":
        tight = tight & ~_look(free, 0, 1)
    front = functools.reduce(
        jnp.bitwise_and,
        [corner for corner, is_front in zip(filled, FRONT[orientation], strict=True) if is_front],
    )
    full = tight & (promoted | (turned & front))
    return tight & turned & ~full, full


def _lead(
    rules: Rules, kind: int, orientation: int, free: Poses, reached: UInt32[Array, "4 W n"]
) -> Iterator[tuple[Poses, bool, int]]:
    """Yield where each kick test of each turn into an orientation leads from what can be reached."""
    tables = rules.tables
    for number, turn in enumerate(TURNS[rules.kicks]):
        before = (orientation - turn) % NUM_ORIENTATIONS
        corner = [int(t[kind, orientation] - t[kind, before]) for t in (tables.left, tables.bottom)]
        tests = [tuple(test) for test in tables.kicks[kind, before, number].tolist()]
        for test, (dx, dy) in enumerate(tests):
            if (dx, dy) in tests[:test]:
                continue
            leads = free & _look(reached[before], -dx - corner[0], -dy - corner[1])
            for earlier_dx, earlier_dy in tests[:test]:
                leads = leads & ~_look(free, earlier_dx - dx, earlier_dy - dy)
            yield leads, test == LAST_KICK, turn


def _free(rules: Rules, kind: int, orientation: int, empty: UInt32[Array, "W n"]) -> Poses:
    """Return the poses at which a piece overlaps nothing and stands inside the matrix."""
    cells = np.argwhere(flood.shapes(rules)[kind, orientation])
    return functools.reduce(jnp.bitwise_and, [_look(empty, int(dx), int(dy)) for dy, dx in cells])


def _look(words: UInt32[Array, "W n"], dx: int, dy: int) -> UInt32[Array, "W n"]:
    """Return for each place what is dx columns to the right and dy rows above it; outside there is nothing."""
    width = words.shape[0]
    if abs(dx) >= width:
        return jnp.zeros_like(words)
    if dx:
        nothing = jnp.zeros((abs(dx), words.shape[1]), jnp.uint32)
        parts = [words[dx:], nothing] if dx > 0 else [nothing, words[:dx]]
        words = jnp.concatenate(parts)
    return words << np.uint32(dy) if dy > 0 else words >> np.uint32(-dy) if dy < 0 else words
