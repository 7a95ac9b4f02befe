"""Which piece comes next: draw n of a game is a function of (key, n) and what is in the bag."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int32, PRNGKeyArray, UInt32

from tetrax.env.game.rules import Rules


def draw_word(key: PRNGKeyArray, draw: Int32[Array, ""]) -> UInt32[Array, ""]:
    """Return the random word of one draw: half of the Threefry block of (key, draw).

    Folding a number into a key runs the block cipher once; its output is as random as any draw
    from the folded key and costs half as much.
    """
    return jax.random.key_data(jax.random.fold_in(key, draw))[1]


def next_piece(
    rules: Rules, key: PRNGKeyArray, draw: Int32[Array, ""], bag: UInt32[Array, ""]
) -> tuple[Int32[Array, ""], UInt32[Array, ""]]:
    """Draw one piece; return its kind and what is left in the bag."""
    word = draw_word(key, draw)
    if rules.randomizer == "uniform":
        return _scaled(word, np.uint32(rules.num_pieces)).astype(jnp.int32), bag
    bag = jnp.where(bag == 0, np.uint32((1 << rules.num_pieces) - 1), bag)
    rank = _scaled(word, jax.lax.population_count(bag))
    kind = np.arange(rules.num_pieces, dtype=np.uint32)
    in_bag = (bag >> kind) & np.uint32(1)
    num_before = jax.lax.population_count(bag & ((np.uint32(1) << kind) - np.uint32(1)))
    chosen = (in_bag != 0) & (num_before == rank)  # bool[K], one True
    left = bag & ~jnp.sum(jnp.where(chosen, np.uint32(1) << kind, 0), dtype=jnp.uint32)
    return jnp.sum(jnp.where(chosen, kind, 0), dtype=jnp.uint32).astype(jnp.int32), left


def _scaled(word: UInt32[Array, ""], count: UInt32[Array, ""] | np.uint32) -> UInt32[Array, ""]:
    """Return floor(word * count / 2**32) for a small count: a number in 0..count-1.

    The counts that two outcomes get differ by at most one in 2**32 / count.
    """
    low, high = word & np.uint32(0xFFFF), word >> np.uint32(16)
    return (high * count + ((low * count) >> np.uint32(16))) >> np.uint32(16)
