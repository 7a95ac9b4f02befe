"""What keeps a step arithmetic on whole vectors of boards: look-ups by selects, and values computed once.

A look-up in an array, for many boards, is a gather: one load after the other. A table of a few entries is
faster as a chain of selects, which is vector arithmetic. And XLA, compiling for a CPU, copies the computation
of a value into everything that uses it, unless that value comes out of a reduction; `once` makes it come out
of one.
"""

from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

Record = TypeVar("Record")  # any pytree
Value = Array | np.ndarray | np.generic | int

TOGETHER = 16  # values that one reduction computes; with many more, the compiler gives up on vectors


def lookup(table: np.ndarray, *index: Int32[Array, ""]) -> Array:
    """Return table[index], each index int32[] in range (0 or more), by selects; the rest of the axes stay.

    Entries that are alike are selected once, so that a table with few different ones is cheap.
    """
    if not index:
        return jnp.asarray(table)
    kinds: list[np.ndarray] = []
    number = []  # of the kind of each entry
    for entry in table:
        known = [i for i, kind in enumerate(kinds) if np.array_equal(kind, entry)]
        number.append(known[0] if known else len(kinds))
        kinds += [] if known else [entry]
    most = max(range(len(kinds)), key=number.count)
    found = lookup(kinds[most], *index[1:])
    for kind, entry in enumerate(kinds):
        if kind != most:
            here = _any([index[0] == i for i, of in enumerate(number) if of == kind])
            found = choose(here, lookup(entry, *index[1:]), found)
    return found


def choose(condition: Bool[Array, ""], if_true: Value, if_false: Value) -> Array:
    """Return one of two values of a shape and dtype: what `jnp.where` returns, traced in a fraction of its time.

    A number may stand for one of the two.
    """
    dtype = if_true.dtype if isinstance(if_true, Array) else jnp.asarray(if_false).dtype
    return jax.lax.select(condition, jnp.asarray(if_true, dtype), jnp.asarray(if_false, dtype))


def once(values: Record) -> Record:
    """Return the values, each leaf computed once however many use it (keys and small types as they are).

    Only on a CPU anything is done; other compilers fuse what belongs together by themselves.
    """
    leaves, structure = jax.tree.flatten(values)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Array) and _is_plain(leaf):
            by_shape.setdefault(leaf.shape, []).append(i)
    for alike in by_shape.values():
        for group in (alike[i : i + TOGETHER] for i in range(0, len(alike), TOGETHER)):
            done = jax.lax.platform_dependent(
                *(leaves[i] for i in group), cpu=_reduced, default=lambda *unchanged: unchanged
            )
            for i, leaf in zip(group, done, strict=True):
                leaves[i] = leaf
    return jax.tree.unflatten(structure, leaves)


def _reduced(*values: Array) -> tuple[Array, ...]:
    """Return each value as itself or itself, once more."""
    words = [_as_word(value) for value in values]
    words += [jnp.zeros_like(words[0])] if len(words) == 1 else []  # of one XLA sees that it does nothing
    pairs = [jax.lax.broadcast(word, (2,)) for word in words]
    start = [np.zeros((), word.dtype) for word in words]
    reduced = jax.lax.reduce(pairs, start, _either, (0,))
    return tuple(_as(value, word) for value, word in zip(values, reduced, strict=False))


def _either(some: Sequence[Array], others: Sequence[Array]) -> Sequence[Array]:
    return [a | b for a, b in zip(some, others, strict=True)]


def _as_word(value: Array) -> Array:
    if value.dtype == jnp.bool_:
        return value.astype(jnp.int32)
    return (
        value if jnp.issubdtype(value.dtype, jnp.integer) else jax.lax.bitcast_convert_type(value, jnp.int32)
    )


def _as(like: Array, word: Array) -> Array:
    if like.dtype == jnp.bool_:
        return word != 0
    return word if jnp.issubdtype(like.dtype, jnp.integer) else jax.lax.bitcast_convert_type(word, like.dtype)


def _is_plain(leaf: Array) -> bool:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return not is_key and (leaf.dtype == jnp.bool_ or leaf.dtype.itemsize == 4)


def _any(conditions: Sequence[Array]) -> Array:
    found = conditions[0]
    for condition in conditions[1:]:
        found = found | condition
    return found
