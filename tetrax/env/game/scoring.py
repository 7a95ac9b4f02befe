"""What a lock is worth: spins, combos, back-to-back, perfect clears (Tetris Design Guideline)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.board import BELOW, WALL
from tetrax.env.game.moves import Pose
from tetrax.env.game.rules import Rules

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


class ClearScore(NamedTuple):
    """The worth of one lock, and the counters after it."""

    points: Int32[Array, ""]
    combo: Int32[Array, ""]
    back_to_back: Int32[Array, ""]
    paid_back_to_back: Bool[Array, ""]


def spin(
    rules: Rules,
    walled: UInt32[Array, "H+13"],
    kind: Int32[Array, ""],
    pose: Pose,
    kick: Int32[Array, ""],
) -> Int32[Array, ""]:
    """Classify the lock of a piece by the three-corner rule (before it is placed)."""
    window = jax.lax.dynamic_slice(walled, (pose.y + BELOW,), (3,))
    column = (pose.x + WALL).astype(jnp.uint32)
    bits = [(window[dy] >> (column + np.uint32(dx))) & np.uint32(1) for dx, dy in CORNERS]
    filled = jnp.stack(bits) != 0  # bool[4]
    num_filled = jnp.sum(filled, dtype=jnp.int32)
    both_front = jnp.all(filled | ~jnp.asarray(FRONT)[pose.orientation])
    is_spin = jnp.asarray(rules.tables.spins)[kind] & (kick >= 0) & (num_filled >= 3)
    is_full = both_front | (kick == LAST_KICK)
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
    base = jnp.asarray(CLEAR_POINTS)[spin_class, counted]
    base = jnp.where(paid, base * 3 // 2, base)
    perfect = jnp.asarray(PERFECT_CLEAR_POINTS)[counted]
    perfect = jnp.where(paid & (counted == 4), BACK_TO_BACK_PERFECT_TETRIS, perfect)
    points = base + jnp.where(cleared, COMBO_POINTS * combo, 0) + jnp.where(perfect_clear, perfect, 0)
    chain = jnp.where(difficult, back_to_back + 1, jnp.where(cleared, -1, back_to_back))
    return ClearScore(points * level, combo, chain, paid)
