"""What a lock is worth: spins, combos, back-to-back, perfect clears (Tetris Design Guideline), and attack."""

import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game.board import WALL, Walled, Words, window
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.rules import MULTIPLIER_ONE, Params, Rules
from tetrax.env.game.state import piece_cells
from tetrax.env.game.vector import lookup

NO_SPIN, MINI_SPIN, FULL_SPIN = 0, 1, 2
MAX_SCORE = np.int32(2**31 - 1)

# Points by [spin, lines], before the level; a mini with three lines cannot be told from a full.
CLEAR_POINTS = np.array(
    [[0, 100, 300, 500, 800], [100, 200, 400, 1600, 1600], [400, 800, 1200, 1600, 1600]], np.int32
)
PERFECT_CLEAR_POINTS = np.array([0, 800, 1200, 1800, 2000], np.int32)
BACK_TO_BACK_PERFECT_TETRIS = 3200
COMBO_POINTS = 50
SOFT_DROP_POINTS = 1  # per cell, without the level
HARD_DROP_POINTS = 2

# Corners of a 3x3 box as (dx, dy), clockwise from the upper left, and the two on the side that a
# piece in each orientation points to.
CORNERS = ((0, 2), (2, 2), (2, 0), (0, 0))
FRONT = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]], bool)
LAST_KICK = 4  # the fifth test makes a spin full

# Rows sent by [spin, lines], before back-to-back and combo; the same in all tables but Jstris's, whose mini pays more.
ATTACK_ROWS = np.array([[0, 0, 1, 2, 4], [0, 0, 1, 2, 2], [0, 2, 4, 6, 6]], np.int32)
JSTRIS_ROWS = np.array([[0, 0, 1, 2, 4], [0, 0, 4, 4, 4], [0, 2, 4, 6, 6]], np.int32)
PERFECT_CLEAR_ROWS = 10
COMBO_ROWS = {  # by clearing locks immediately before; the last number repeats
    "guideline": np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5], np.int32),
    "guideline_modern": np.array([0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4], np.int32),
    "jstris": np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5], np.int32),
}
MAX_MULTIPLIER = 8 * MULTIPLIER_ONE
MAX_CHAIN, MAX_COMBO = 255, 31  # of TETR.IO's attack; longer ones count as these
FRACTION_BITS = 20  # of TETR.IO's attack before it is multiplied and rounded down


class ClearScore(NamedTuple):
    """The worth of one lock, and the counters after it."""

    points: Int32[Array, ""]
    combo: Int32[Array, ""]
    back_to_back: Int32[Array, ""]
    difficult: Bool[Array, ""]  # a clear of four lines, or of any with a spin
    paid_back_to_back: Bool[Array, ""]


def spin(
    rules: Rules,
    walled: Walled,
    kind: Int32[Array, ""],
    pose: Pose,
    kick: Int32[Array, ""],
) -> Int32[Array, ""]:
    """Classify the lock of a piece by the three-corner rule (before it is placed)."""
    num_rows = MAX_BOX if rules.spins == "jstris" else 3
    return spin_in(rules, window(walled, pose.y, num_rows=num_rows), kind, pose, kick)


def spin_in(
    rules: Rules,
    rows: Words,
    kind: Int32[Array, ""],
    pose: Pose,
    kick: Int32[Array, ""],
) -> Int32[Array, ""]:
    """Classify the lock of a piece by the rows of its box on a walled board, the lowest first.

    A spinning piece's box has three rows; with rules.spins "jstris" the row above it is looked at, too.
    """
    column = (pose.x + WALL).astype(jnp.uint32)
    filled = [(rows[dy] >> (column + np.uint32(dx))) & np.uint32(1) != 0 for dx, dy in CORNERS]
    num_filled = sum((corner.astype(jnp.int32) for corner in filled), start=jnp.int32(0))
    both_front = jnp.bool_(True)
    for corner, is_front in zip(filled, FRONT.T, strict=True):
        both_front &= corner | ~lookup(is_front, pose.orientation)
    is_spin = lookup(rules.tables.spins, kind) & (kick >= 0) & (num_filled >= 3)
    if rules.spins == "jstris":
        cells = piece_cells(rules, kind, pose.orientation)[:3]
        above = [(row >> column) & cell for row, cell in zip(rows[1:4], cells, strict=True)]
        is_spin &= functools.reduce(jnp.bitwise_or, above) != 0
    promoted = kick == LAST_KICK
    if rules.spins == "tetrio":
        promoted &= (pose.orientation & 1) != 0
    is_full = both_front | promoted
    return jnp.where(is_spin, jnp.where(is_full, FULL_SPIN, MINI_SPIN), NO_SPIN).astype(jnp.int32)


def clear_score(
    lines: Int32[Array, ""],
    spin_class: Int32[Array, ""],
    perfect_clear: Bool[Array, ""],
    level: Int32[Array, ""],
    combo: Int32[Array, ""],
    back_to_back: Int32[Array, ""],
) -> ClearScore:
    """Score one lock; `level`, `combo` and `back_to_back` are those before it."""
    counted = jnp.minimum(lines, 4)
    cleared = lines > 0
    difficult = cleared & ((counted == 4) | (spin_class != NO_SPIN))
    combo = jnp.where(cleared, combo + 1, -1)
    paid = difficult & (back_to_back >= 0)
    base = lookup(CLEAR_POINTS, spin_class, counted)
    base = jnp.where(paid, base * 3 // 2, base)
    perfect = lookup(PERFECT_CLEAR_POINTS, counted)
    perfect = jnp.where(paid & (counted == 4), BACK_TO_BACK_PERFECT_TETRIS, perfect)
    points = base + jnp.where(cleared, COMBO_POINTS * combo, 0) + jnp.where(perfect_clear, perfect, 0)
    chain = jnp.where(difficult, back_to_back + 1, jnp.where(cleared, -1, back_to_back))
    return ClearScore(points * level, combo, chain, difficult, paid)


def attack(
    rules: Rules,
    params: Params,
    lines: Int32[Array, ""],
    spin_class: Int32[Array, ""],
    perfect_clear: Bool[Array, ""],
    worth: ClearScore,
) -> Int32[Array, "2"]:
    """Return the rows that a lock sends, by the clear and by the perfect clear, rounded down.

    The guideline's tables add one row for back-to-back and the combo's; TETR.IO's are in `_tetrio_rows`. With
    Jstris's a perfect clear pays its ten rows in place of all others.
    """
    counted = jnp.minimum(lines, 4)
    base = lookup(JSTRIS_ROWS if rules.attack == "jstris" else ATTACK_ROWS, spin_class, counted)
    combo = jnp.maximum(worth.combo, 0)
    if rules.attack == "tetrio":
        chain = jnp.where(worth.difficult, jnp.clip(worth.back_to_back, 0, MAX_CHAIN), 0)
        rows = jnp.asarray(_tetrio_rows())[chain, jnp.minimum(combo, MAX_COMBO), base]
    else:
        table = COMBO_ROWS[rules.attack]
        bonus = lookup(table, jnp.minimum(combo, len(table) - 1))
        rows = (base + worth.paid_back_to_back.astype(jnp.int32) + bonus) << FRACTION_BITS
        if rules.attack == "jstris":
            rows = jnp.where(perfect_clear, 0, rows)
    perfect = jnp.where(perfect_clear, np.int32(PERFECT_CLEAR_ROWS << FRACTION_BITS), 0)
    sent = jnp.where(lines > 0, jnp.stack([rows, perfect]), 0).astype(jnp.uint32)
    multiplier = jnp.clip(params.garbage_multiplier, 0, MAX_MULTIPLIER).astype(jnp.uint32)
    fraction = sent & np.uint32((1 << FRACTION_BITS) - 1)
    product = (sent >> np.uint32(FRACTION_BITS)) * multiplier + (
        (fraction * multiplier) >> np.uint32(FRACTION_BITS)
    )
    return (product // np.uint32(MULTIPLIER_ONE)).astype(jnp.int32)


@functools.lru_cache(maxsize=1)
def _tetrio_rows() -> np.ndarray:
    """Rows sent by TETR.IO's rules, int32[chain, combo, base rows] in 2**-20 rows, rounded down.

    A chain of b back-to-back clears (the first is 0) adds floor(1 + ln(1 + 0.8 b)), and from b = 2 on a third
    of 1 plus the logarithm's fraction; a combo of n multiplies by 1 + n/4, and from n = 2 on gives at least
    ln(1 + 1.25 n). Source: public descriptions of the game, checked against recorded games.
    """
    rows = np.zeros((MAX_CHAIN + 1, MAX_COMBO + 1, ATTACK_ROWS.max() + 1), np.int32)
    for chain, combo, base in np.ndindex(rows.shape):
        value = float(base)
        if chain >= 1:
            growth = math.log(1 + 0.8 * chain)
            value += math.floor(1 + growth) + (0 if chain == 1 else (1 + growth % 1) / 3)
        value *= 1 + 0.25 * combo
        if combo >= 2:
            value = max(value, math.log(1 + 1.25 * combo))
        rows[chain, combo, base] = math.floor(value * 2**FRACTION_BITS)
    return rows
