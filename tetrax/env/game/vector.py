"""What keeps a step arithmetic on whole vectors of boards: look-ups, values computed once, random words, boards last.

A look-up in an array, for many boards, is a gather: one load after the other. A table of a few entries is
faster as a chain of selects, which is vector arithmetic. And XLA, compiling for a CPU, copies the computation
of a value into everything that uses it, unless that value comes out of a reduction; `once` makes it come out
of one. The rules do not speak of that: a function whose result much depends on is marked as a `decision`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
import jax.custom_batching
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, PRNGKeyArray, UInt32

Record = TypeVar("Record")  # any pytree
Given = ParamSpec("Given")
Number = Int32[Array, ""] | UInt32[Array, ""] | np.uint32
Value = Array | np.ndarray | np.generic | int

TOGETHER = 16  # values that one reduction computes; with many more, the compiler gives up on vectors
THREEFRY_NAMES = ("fry", "threefry2x32")
THREEFRY_PARITY = 0x1BD11BDA
THREEFRY_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))  # of rounds 1 to 4, 5 to 8, and so on


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
                *(leaves[i] for i in group), cpu=_reduce, default=lambda *unchanged: unchanged
            )
            for i, leaf in zip(group, done, strict=True):
                leaves[i] = leaf
    return jax.tree.unflatten(structure, leaves)


def decision(function: Callable[Given, Record]) -> Callable[Given, Record]:
    """Mark a function whose result many things depend on: it is worked out once, as by `once`, and then read."""

    @functools.wraps(function)
    def decide(*args: Given.args, **kwargs: Given.kwargs) -> Record:
        return once(function(*args, **kwargs))

    return decide


def traced_once(function: Callable[Given, Record]) -> Callable[Given, Record]:
    """Mark a large function of a hashable record and arrays: it is traced once for each record and shape.

    Many programs hold it, and tracing it takes seconds; each of them gets a copy of what was traced, without a seam.
    Called by itself it is one program, where its operations one by one would take minutes to compile.
    """
    traced = jax.jit(function, static_argnums=0, inline=True)

    @functools.wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Record:
        found: Record = traced(*args, **kwargs)
        return found

    return call


def of_each_board(constants: Record, number: Int32[Array, ""]) -> Record:
    """Return constants as if a number of the board decided them: under vmap each board has its own from the start."""
    nothing = number & 0
    return jax.tree.map(lambda constant: constant | nothing.astype(constant.dtype), constants)


def keep_boards_last(function: Callable[..., Array]) -> Callable[..., Array]:
    """Let a function of arrays [..., *n], which may be of any one shape *n, stay one under vmap.

    The boards of a vmap become the last axis of every argument and of the result, side by side, where vmap
    itself would put them first.
    """
    on_boards = jax.custom_batching.custom_vmap(function)

    @on_boards.def_vmap
    def on_many(axis_size: int, in_batched: list[Any], *arguments: Any) -> tuple[Array, bool]:
        def boards_last(field: Array, is_batched: bool) -> Array:
            if is_batched:
                return jnp.moveaxis(field, 0, -1)
            return jnp.broadcast_to(field[..., None], (*field.shape, axis_size))

        found = on_boards(*jax.tree.map(boards_last, arguments, tuple(in_batched)))
        return jnp.moveaxis(found, -1, 0), True

    return on_boards


def check_key(key: PRNGKeyArray) -> None:
    """Raise a TypeError unless `key` is one typed Threefry key, as `jax.random.key(seed)` makes."""
    is_typed = isinstance(key, Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not is_typed or key.shape or str(jax.random.key_impl(key)) not in THREEFRY_NAMES:
        raise TypeError(
            f"key: given {describe(key)}; allowed: one typed Threefry key, "
            'as jax.random.key(seed, impl="threefry2x32") makes (under vmap, one per board)'
        )


def check_kind(name: str, given: object, kind: type) -> None:
    """Raise a TypeError for what is no record of a kind."""
    if not isinstance(given, kind):
        raise TypeError(f"{name}: given {describe(given)}; allowed: {name_kind(kind)}")


def describe(given: object) -> str:
    """Say in a few words what was given: the dtype and shape of an array, a plain value as it is, else the type."""
    if isinstance(given, Array | np.ndarray | np.generic):
        return f"{given.dtype}{list(given.shape)}"
    is_plain = given is None or isinstance(given, bool | int | float | str)
    return repr(given) if is_plain and len(repr(given)) <= 60 else name_kind(type(given))


def name_kind(kind: type) -> str:
    """Return the name of a type with its article: "a Recording"."""
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def draw_word(key: PRNGKeyArray, draw: Number) -> UInt32[Array, ""]:
    """Return the random word of one draw: half of the Threefry block of (key, draw).

    Folding a number into a key runs the block cipher once; its output is as random as any draw
    from the folded key and costs half as much.
    """
    return _encrypt(key, draw)[1]


def fold(key: PRNGKeyArray, number: Number) -> PRNGKeyArray:
    """Return `jax.random.fold_in(key, number)`, for a Threefry key computed in line."""
    if str(jax.random.key_impl(key)) not in THREEFRY_NAMES:
        return jax.random.fold_in(key, number)
    words = jnp.stack(once(_encrypt(key, number)))
    return jax.random.wrap_key_data(words, impl=jax.random.key_impl(key))


def _encrypt(key: PRNGKeyArray, number: Number) -> tuple[UInt32[Array, ""], UInt32[Array, ""]]:
    """Encrypt (0, number) with the key by Threefry-2x32-20 (Salmon et al. 2011, "Parallel random numbers").

    These are the words that JAX's own fold_in gives; written out, they are arithmetic like the rest of a step,
    where JAX's would be a loop of its own.
    """
    data = jax.random.key_data(key)
    subkeys = (data[0], data[1], data[0] ^ data[1] ^ np.uint32(THREEFRY_PARITY))
    first, second = subkeys[0], number.astype(jnp.uint32) + subkeys[1]
    for group in range(5):
        for rotation in THREEFRY_ROTATIONS[group % 2]:
            first = first + second
            turned = (second << np.uint32(rotation)) | (second >> np.uint32(32 - rotation))
            second = turned ^ first
        first = first + subkeys[(group + 1) % 3]
        second = second + subkeys[(group + 2) % 3] + np.uint32(group + 1)
    return first, second


def _reduce(*values: Array) -> tuple[Array, ...]:
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
