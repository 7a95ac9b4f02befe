"""Minibatches: samples keep their group, and every one of them is dealt out once."""

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.ops import minibatches


def test_groups_are_neighbouring_boards():
    rollout = jnp.arange(12).reshape(3, 4)  # [T, B]: step t of board b is 4 t + b
    samples = minibatches.group(rollout, 2)
    assert samples.tolist() == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]
    assert minibatches.pick(samples, jnp.array([[5, 0], [1, 1]])).tolist() == [9, 0, 3, 3]
    assert minibatches.group(rollout, 1).tolist() == [list(range(12))]


def test_parts_take_as_much_of_every_group_and_each_sample_once():
    key = jax.random.key(0)
    parts = np.asarray(minibatches.shuffle(key, 3, 20, 5))  # [M, G, N]
    assert parts.shape == (5, 3, 4)
    orders = parts.swapaxes(0, 1).reshape(3, 20)
    assert (np.sort(orders) == np.arange(20)).all()
    assert len({tuple(order) for order in orders}) == 3  # each group in an order of its own
    (alone,) = np.asarray(minibatches.shuffle(key, 1, 20, 1))
    np.testing.assert_array_equal(alone[0], jax.random.permutation(key, 20))
