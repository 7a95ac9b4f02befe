"""Look-ups by selects give what indexing gives; `once` changes no value and stops XLA from computing one twice."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tetrax.env.game.vector import TOGETHER, choose, lookup, once


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_look_up_is_indexing(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    table = data.draw(arrays.arrays(np.int32, shape, elements=st.integers(-3, 3)))
    index = [data.draw(st.integers(0, size - 1)) for size in shape[: data.draw(st.integers(1, len(shape)))]]
    found = lookup(table, *(jnp.int32(i) for i in index))
    np.testing.assert_array_equal(found, table[tuple(index)])
    assert found.dtype == table.dtype


@pytest.mark.parametrize("table", [np.array([True, False, True]), np.array([7, 9, 7], np.uint32)])
def test_a_look_up_of_many_boards_is_indexing(table):
    index = jnp.array([0, 2, 1, 1], jnp.int32)
    np.testing.assert_array_equal(jax.vmap(lambda i: lookup(table, i))(index), table[np.asarray(index)])


def test_choose_takes_numbers_for_either_value():
    word = jnp.uint32(5)
    assert [int(choose(jnp.bool_(c), word, 9)) for c in (True, False)] == [5, 9]
    assert [int(choose(jnp.bool_(c), 9, word)) for c in (True, False)] == [9, 5]
    assert choose(jnp.bool_(True), 9, word).dtype == jnp.uint32


def test_once_changes_nothing():
    """Scalars of each type, more of them than one reduction computes, arrays, and what it leaves alone."""
    values = {
        "flags": (jnp.bool_(True), jnp.bool_(False)),
        "numbers": tuple(jnp.int32(i - 9) for i in range(TOGETHER + 3)),
        "word": jnp.uint32(0xFFFFFFFF),
        "fractions": (jnp.float32(-0.0), jnp.float32(jnp.nan), jnp.float32(2.5)),
        "array": jnp.arange(6, dtype=jnp.int32).reshape(2, 3),
        "small": jnp.uint8(200),
        "key": jax.random.key(3),
        "nothing": None,
    }
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), values)
    for before, after in (
        (values, once(values)),
        (values, jax.jit(once)(values)),
        (batch, jax.vmap(once)(batch)),
    ):
        assert jax.tree.structure(before) == jax.tree.structure(after)
        for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
            assert a.dtype == b.dtype
            is_key = jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
            a, b = (np.asarray(jax.random.key_data(leaf) if is_key else leaf) for leaf in (a, b))
            assert a.tobytes() == b.tobytes()


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only compiling for a CPU copies computations")
def test_what_is_used_by_many_is_computed_once():
    """The product that eight results share is in the program once; without `once` it is there eight times."""

    def results(share, x):
        shared = share(x * x + 1)
        return [shared >> i for i in range(8)]

    def products(share):
        x = jnp.arange(64, dtype=jnp.int32)
        text = jax.jit(jax.vmap(lambda x: results(share, x))).lower(x).compile().as_text()
        return len(re.findall(r" multiply\(", text))

    assert products(once) == 1
    assert products(lambda value: value) == 8
