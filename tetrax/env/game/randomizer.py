"""Which piece comes next: draw n of a game is a function of (key, n) and what is left of the bag."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int32, PRNGKeyArray, UInt32

from tetrax.env.game.rules import TETRIO_ORDER, Rules
from tetrax.env.game.vector import decision, draw_word

# TETR.IO's generator is MINSTD (Park and Miller, 1988): v <- 16807 v mod (2^31 - 1).
MINSTD_FACTOR = 16807
MINSTD_MODULUS = 2**31 - 1
BITS_PER_PIECE = 4  # of a "tetrio" bag


class Source(NamedTuple):
    """What the next draws depend on besides the key and their number."""

    bag: UInt32[Array, ""]  # see State.bag
    random: UInt32[Array, ""] | None  # see State.random


def source(rules: Rules, key: PRNGKeyArray) -> Source:
    """Return the source before the first draw.

    With randomizer "tetrio" the seed is the key's second word, so that `jax.random.key(seed)` plays
    the pieces of TETR.IO's seed.
    """
    if rules.randomizer != "tetrio":
        return Source(jnp.uint32(0), None)
    return Source(jnp.uint32(0), seed_minstd(jax.random.key_data(key)[1]))


@decision
def deal(rules: Rules, key: PRNGKeyArray, count: int) -> tuple[tuple[Int32[Array, ""], ...], Source]:
    """Draw the first `count` pieces of a game; return their kinds and what is left to draw from."""
    kinds, left = [], source(rules, key)
    for number in range(count):
        kind, left = next_piece(rules, key, jnp.int32(number), left)
        kinds.append(kind)
    return tuple(kinds), left


@decision
def draw(
    rules: Rules, key: PRNGKeyArray, number: Int32[Array, ""], left: Source
) -> tuple[Int32[Array, ""], Source]:
    """Draw the piece of a number during a game, as `next_piece`."""
    return next_piece(rules, key, number, left)


def next_piece(
    rules: Rules, key: PRNGKeyArray, number: Int32[Array, ""], left: Source
) -> tuple[Int32[Array, ""], Source]:
    """Draw the piece of a number, from 0; return its kind and what is left to draw from."""
    if rules.randomizer == "list":
        return jnp.asarray(_sequence(rules))[number % len(rules.sequence)], left
    if rules.randomizer == "tetrio":
        return _take_from_tetrio_bag(rules, left)
    word = draw_word(key, number)
    if rules.randomizer == "uniform":
        return scale(word, np.uint32(rules.num_pieces)).astype(jnp.int32), left
    kind, bag = _take_from_bag(rules, word, left.bag)
    return kind, left._replace(bag=bag)


def scale(word: UInt32[Array, "*n"], count: UInt32[Array, ""] | np.uint32) -> UInt32[Array, "*n"]:
    """Return floor(word * count / 2**32) for a small count: a number in 0..count-1.

    The counts that two outcomes get differ by at most one in 2**32 / count.
    """
    low, high = word & np.uint32(0xFFFF), word >> np.uint32(16)
    return (high * count + ((low * count) >> np.uint32(16))) >> np.uint32(16)


def _take_from_bag(
    rules: Rules, word: UInt32[Array, ""], bag: UInt32[Array, ""]
) -> tuple[Int32[Array, ""], UInt32[Array, ""]]:
    """Take the piece of a random rank out of a bag; an empty bag is filled first."""
    bag = jnp.where(bag == 0, np.uint32((1 << rules.num_pieces) - 1), bag)
    rank = scale(word, jax.lax.population_count(bag))
    drawn, left, num_before = jnp.int32(0), bag, jnp.uint32(0)
    for kind in range(rules.num_pieces):
        in_bag = (bag >> np.uint32(kind)) & np.uint32(1)
        chosen = (in_bag != 0) & (num_before == rank)
        drawn = jnp.where(chosen, kind, drawn)
        left = jnp.where(chosen, bag & ~np.uint32(1 << kind), left)
        num_before += in_bag
    return drawn, left


def _sequence(rules: Rules) -> np.ndarray:
    names = [piece.name for piece in rules.pieces]
    return np.array([names.index(name) for name in rules.sequence], np.int32)


def _take_from_tetrio_bag(rules: Rules, left: Source) -> tuple[Int32[Array, ""], Source]:
    """Take the next piece of a bag that was shuffled whole (Fisher-Yates, from the last piece down)."""
    assert left.random is not None
    names = [piece.name for piece in rules.pieces]
    full = sum((names.index(name) + 1) << (BITS_PER_PIECE * i) for i, name in enumerate(TETRIO_ORDER))
    shuffled, value = jnp.uint32(full), left.random
    for last in range(len(TETRIO_ORDER) - 1, 0, -1):
        value = minstd(value)
        shuffled = _swap(shuffled, last, _scale_minstd(value, last + 1))
    empty = left.bag == 0
    bag = jnp.where(empty, shuffled, left.bag)
    kind = (bag & np.uint32((1 << BITS_PER_PIECE) - 1)).astype(jnp.int32) - 1
    return kind, Source(bag >> np.uint32(BITS_PER_PIECE), jnp.where(empty, value, left.random))


def reshuffle(left: Source, key: PRNGKeyArray) -> Source:
    """Put what is left of a "tetrio" bag into any order, each as likely, and the generator at any value."""
    bag = left.bag
    for last in range(len(TETRIO_ORDER) - 1, 0, -1):
        is_left = bag >> np.uint32(BITS_PER_PIECE * last) != 0
        other = scale(draw_word(key, np.uint32(last)), np.uint32(last + 1))
        bag = jnp.where(is_left, _swap(bag, last, other), bag)
    return Source(bag, seed_minstd(draw_word(key, np.uint32(0))))


def seed_minstd(word: UInt32[Array, ""]) -> UInt32[Array, ""]:
    """Return the first value of TETR.IO's generator, 1..2^31-2, for any word as a seed."""
    seed = word % np.uint32(MINSTD_MODULUS)
    return jnp.where(seed == 0, np.uint32(MINSTD_MODULUS - 1), seed)


def minstd(value: UInt32[Array, ""]) -> UInt32[Array, ""]:
    """Return 16807 value mod (2^31 - 1) in 32 bits, for a value in 1..2^31-2."""
    factor, modulus = np.uint32(MINSTD_FACTOR), np.uint32(MINSTD_MODULUS)
    low, high = factor * (value & np.uint32(0xFFFF)), factor * (value >> np.uint32(16))
    # 2^31 is 1 here, so high 2^16 is (its part from bit 15) + (the part below) 2^16.
    total = low + (high >> np.uint32(15)) + ((high & np.uint32(0x7FFF)) << np.uint32(16))
    total = (total & modulus) + (total >> np.uint32(31))
    return jnp.where(total >= modulus, total - modulus, total)


def _scale_minstd(value: UInt32[Array, ""], count: int) -> UInt32[Array, ""]:
    """Return floor((value - 1) / 2147483646 count), with the double-precision division of TETR.IO."""
    steps = [np.uint32(_first_value(step, count)) for step in range(1, count)]
    return sum(((value >= step).astype(jnp.uint32) for step in steps), start=jnp.uint32(0))


def _first_value(step: int, count: int) -> int:
    """Return the least value that `_scale_minstd` maps to `step`."""
    value = step * (MINSTD_MODULUS - 1) // count - 1
    while (value - 1) / (MINSTD_MODULUS - 1) * count < step:
        value += 1
    return value


def _swap(bag: UInt32[Array, ""], i: int, j: UInt32[Array, ""]) -> UInt32[Array, ""]:
    """Swap pieces i and j of a packed bag."""
    shift_i, shift_j = np.uint32(BITS_PER_PIECE * i), np.uint32(BITS_PER_PIECE) * j
    difference = ((bag >> shift_i) ^ (bag >> shift_j)) & np.uint32((1 << BITS_PER_PIECE) - 1)
    return bag ^ (difference << shift_i) ^ (difference << shift_j)
