"""Any record of small numbers as one row of words, to be kept and fetched in one piece."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import UInt32

WORD = np.dtype(np.uint32)


def num_words(like: Any) -> int:
    """Return N, the words that a record of these shapes and dtypes takes."""
    return sum(math.prod(_data(leaf).shape) for leaf in jax.tree.leaves(like))


def pack(record: Any) -> UInt32[Array, "N"]:
    """Put a record's leaves behind each other, a word for each number (narrow ones are widened).

    TypeError for a dtype of more than 32 bits or that is no number, truth value or random key.
    """
    return jnp.concatenate([_to_words(leaf) for leaf in jax.tree.leaves(record)])


def unpack(words: UInt32[Array, "N"], like: Any) -> Any:
    """Undo `pack`; `like` is a record, or the shapes and dtypes of one (`jax.ShapeDtypeStruct`)."""
    leaves, start = [], 0
    for leaf in jax.tree.leaves(like):
        shape = _data(leaf).shape
        end = start + math.prod(shape)
        leaves.append(_from_words(words[start:end].reshape(shape), leaf.dtype))
        start = end
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _data(leaf: Any) -> Any:
    """Return the shape and dtype of what a leaf is made of: of a random key, of its words."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.eval_shape(jax.random.key_data, jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
    return leaf


def _to_words(leaf: Array) -> UInt32[Array, "n"]:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    wide = leaf.astype(_widen(leaf.dtype))
    return jnp.ravel(jax.lax.bitcast_convert_type(wide, WORD))


def _from_words(words: Array, dtype: Any) -> Array:
    if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(jnp.empty((), dtype)))
    return jax.lax.bitcast_convert_type(words, _widen(dtype)).astype(dtype)


def _widen(dtype: Any) -> Any:
    """Return the 32-bit type that holds every value of a dtype."""
    if jax.dtypes.itemsize_bits(dtype) <= 32:
        for wide in (jnp.floating, jnp.signedinteger):
            if jnp.issubdtype(dtype, wide):
                return jnp.float32 if wide is jnp.floating else jnp.int32
        if dtype == jnp.bool_ or jnp.issubdtype(dtype, jnp.unsignedinteger):
            return jnp.uint32
    raise TypeError(f"packing: given {dtype}; allowed: numbers of at most 32 bits, bool, random keys")
