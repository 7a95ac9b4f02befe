import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops.normalise import (
    RunningMoments,
    merge,
    normalise,
    normalise_batch,
    update,
    update_decayed,
)


def test_moments_by_hand():
    moments = update(RunningMoments.empty(), jnp.asarray([1.0, 2.0]))
    # mean 1.5, squared distances 0.25 + 0.25
    np.testing.assert_array_equal([moments.count, moments.mean, moments.squares], [2, 1.5, 0.5])
    moments = update(moments, jnp.asarray([6.0]))
    # 1, 2, 6: mean 3, squared distances 4 + 1 + 9, variance 14 / 3
    np.testing.assert_allclose([moments.count, moments.mean, moments.squares], [3, 3, 14], rtol=1e-6)
    np.testing.assert_allclose(moments.variance, 14 / 3, rtol=1e-6)
    # (6 - 3) / sqrt(14 / 3) = 1.388730
    np.testing.assert_allclose(normalise(moments, jnp.float32(6)), 1.388730, rtol=1e-6)


def test_masked_rows_do_not_count():
    batch = jnp.asarray([[1.0, 10.0], [np.nan, np.inf], [3.0, 30.0]])
    moments = update(RunningMoments.empty((2,)), batch, jnp.asarray([True, False, True]))
    assert moments.count == 2
    np.testing.assert_allclose(moments.mean, [2, 20])
    np.testing.assert_allclose(moments.variance, [1, 100])


def test_nothing_seen_changes_nothing():
    empty = RunningMoments.empty((2,))
    np.testing.assert_array_equal(normalise(empty, jnp.asarray([[3.0, -4.0]])), [[3, -4]])
    after = update(empty, jnp.ones((3, 2)), jnp.zeros(3, bool))
    for before, now in zip(jax.tree.leaves(empty), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(before, now)


numbers = st.floats(-1000, 1000, width=32)


@given(st.lists(hnp.arrays(np.float32, st.sampled_from([(1, 2), (5, 2)]), elements=numbers), max_size=4))
def test_any_split_gives_the_moments_of_the_whole(batches):
    moments = RunningMoments.empty((2,))
    for batch in batches:
        moments = update(moments, jnp.asarray(batch))
    parts = [update(RunningMoments.empty((2,)), jnp.asarray(batch)) for batch in batches]
    merged = RunningMoments.empty((2,))
    for part in parts:
        merged = merge(part, merged)
    if batches:
        whole = np.concatenate(batches).astype(np.float64)
        for found in (moments, merged):
            assert found.count == len(whole)
            np.testing.assert_allclose(found.mean, whole.mean(0), rtol=1e-4, atol=1e-2)
            np.testing.assert_allclose(found.variance, whole.var(0), rtol=1e-3, atol=1e-2)


def test_a_far_mean_does_not_drown_the_variance():
    # 100000 ± 1 over a million samples: the sum of squares would lose it in float32.
    batch = jnp.where(jnp.arange(1000) % 2 == 0, 99_999.0, 100_001.0)
    moments = jax.lax.fori_loop(0, 1000, lambda _, m: update(m, batch), RunningMoments.empty())
    np.testing.assert_allclose(moments.mean, 100_000, rtol=1e-6)
    np.testing.assert_allclose(moments.variance, 1.0, rtol=1e-2)


def test_normalise_batch_by_hand():
    # mean 3, standard deviation sqrt((4 + 1 + 9) / 3) = 2.160247
    found = normalise_batch(jnp.asarray([1.0, 2.0, 6.0]))
    np.testing.assert_allclose(found, np.array([-2, -1, 3]) / 2.160247, rtol=1e-6)


def test_normalise_batch_leaves_masked_values_out():
    values, mask = jnp.asarray([[1.0, np.nan], [2.0, 6.0]]), jnp.asarray([[True, False], [True, True]])
    found = normalise_batch(values, mask)
    np.testing.assert_allclose(found, np.array([[-2, 0], [-1, 3]]) / 2.160247, rtol=1e-6)


def test_normalise_batch_of_equals_or_of_nothing_is_zero():
    np.testing.assert_array_equal(normalise_batch(jnp.full(4, 7.0)), np.zeros(4))
    np.testing.assert_array_equal(normalise_batch(jnp.ones(4), jnp.zeros(4, bool)), np.zeros(4))


def test_a_stream_that_drifts_takes_what_counts():
    """Of 0 and 4 with the weight 1/2 each, and then 8: the mean is (0 + 2 + 8) / 2, that of the squares 72 / 2."""
    past = update(RunningMoments.empty(), jnp.array([0.0, 4.0]))
    moments = update_decayed(past, jnp.array([8.0, 99.0]), 0.5, jnp.array([True, False]))
    assert moments.count == 2
    assert moments.mean == 5
    np.testing.assert_allclose(moments.variance, 72 / 2 - 25)
