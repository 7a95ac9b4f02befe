"""Records packed into words come back bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.ops import packing

RECORD = {
    "half": jnp.bfloat16(-1.5),
    "narrow": jnp.array([-3, 127], jnp.int8),
    "cells": jnp.arange(6, dtype=jnp.uint8).reshape(2, 3),
    "number": jnp.float32(-2.5e-40),  # below the smallest normal one
    "flag": jnp.array([True, False]),
    "large": jnp.uint32(0xFFFFFFFF),
    "nothing": jnp.zeros((0, 4)),
}


def test_numbers_and_truth_values_come_back():
    words = packing.pack(RECORD)
    assert (words.shape, words.dtype) == ((1 + 2 + 6 + 1 + 2 + 1,), np.uint32)
    assert packing.num_words(RECORD) == 13
    shapes = jax.eval_shape(lambda: RECORD)
    for given, found in zip(
        jax.tree.leaves(RECORD), jax.tree.leaves(packing.unpack(words, shapes)), strict=True
    ):
        assert given.dtype == found.dtype
        np.testing.assert_array_equal(given, found)


def test_games_come_back_many_at_once():
    env = tetrax.make("mini")
    games = jax.vmap(lambda key: env.init(key, env.default_params))(jax.random.split(jax.random.key(3), 4))
    words = jax.vmap(packing.pack)(games)
    like = jax.eval_shape(lambda key: env.init(key, env.default_params), jax.random.key(0))
    found = jax.vmap(lambda row: packing.unpack(row, like))(words)
    assert (jax.random.key_data(found.key) == jax.random.key_data(games.key)).all()
    same = jax.tree.map(lambda a, b: bool((a == b).all()), found.replace(key=None), games.replace(key=None))
    assert all(jax.tree.leaves(same))


def test_wide_numbers_are_refused():
    with pytest.raises(TypeError, match=r"packing: given complex64; allowed: numbers of at most 32 bits"):
        packing.pack(jnp.complex64(1))
