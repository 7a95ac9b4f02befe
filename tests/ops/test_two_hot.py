import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops import two_hot

FIVE = np.array([-2.0, -1.0, 0.0, 1.0, 2.0], np.float32)
LOGITS = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0])


def test_bins_grow_as_exponentials_and_mirror_each_other():
    bins = two_hot.symexp_bins(255)
    # 127 steps of 20 / 127 on each side: -(e^20 - 1), -(e^(20/127) - 1), 0, e^(40/127) - 1.
    np.testing.assert_allclose(bins[[0, 126, 129]], [-4.851652e8, -0.17055759, 0.3702051], rtol=1e-6)
    assert bins[127] == 0
    np.testing.assert_array_equal(bins, -bins[::-1])
    assert (np.diff(bins) > 0).all()


@pytest.mark.parametrize("num", [1, 2, 254])
def test_bins_are_odd(num):
    with pytest.raises(ValueError, match=f"num_bins: given {num}; allowed: 3 or more, odd"):
        two_hot.symexp_bins(num)


def test_mean_and_loss_by_hand():
    # Weights e^-4 ... e^0 over their sum 1.571317: (-2 * .018316 - .049787 + .367879 + 2) / 1.571317 ...
    np.testing.assert_allclose(two_hot.mean(LOGITS, FIVE), 1.4519415, rtol=1e-6)
    # 0.25 is 3/4 of bin 0 and 1/4 of bin 1: ln(sum of exponentials) - (3/4 * 3 + 1/4 * 4) = 5.4519143 - 3.25.
    np.testing.assert_allclose(two_hot.loss(LOGITS, jnp.float32(0.25), FIVE), 2.2019143, rtol=1e-6)
    np.testing.assert_allclose(two_hot.loss(LOGITS, jnp.float32(1.0), FIVE), 1.4519143, rtol=1e-6)


@pytest.mark.parametrize("num_bins", [41, 63, 255])
def test_no_knowledge_is_exactly_nothing(num_bins):
    bins = two_hot.symexp_bins(num_bins)
    as_users = {"xla_backend_optimization_level": 3, "xla_llvm_disable_expensive_passes": False}
    mean = jax.jit(lambda logits: two_hot.mean(logits, bins), compiler_options=as_users)
    peak = jnp.zeros((1, num_bins)).at[:, num_bins // 2].set(9.0)
    assert mean(jnp.concatenate([jnp.zeros((2, num_bins)), peak])).tolist() == [0, 0, 0]


def test_no_knowledge_costs_the_logarithm_of_the_bins():
    bins = two_hot.symexp_bins(255)
    np.testing.assert_allclose(two_hot.loss(jnp.zeros(255), jnp.float32(7.0), bins), np.log(255), rtol=1e-6)


@given(st.floats(-1e8, 1e8, width=32))
def test_a_number_is_the_mean_of_its_two_bins(x):
    bins = two_hot.symexp_bins(255)
    shares = np.asarray(two_hot.encode(jnp.float32(x), bins), np.float64)
    assert (shares > 0).sum() <= 2
    assert (shares >= 0).all()
    assert abs(shares.sum() - 1) < 1e-5
    assert abs(shares @ bins - x) <= 1e-5 * abs(x) + 1e-6


def test_what_lies_outside_goes_to_the_nearest_bin():
    shares = two_hot.encode(jnp.array([-9.0, 2.0, 1e9]), FIVE)
    assert shares.tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
    ends = jnp.array([-1e30, -4.851652e8, 1e30])
    assert jnp.isfinite(two_hot.encode(ends, two_hot.symexp_bins(255))).all()


def test_no_gradient_reaches_the_target():
    bins = two_hot.symexp_bins(15)
    grad = jax.grad(lambda x: two_hot.loss(jnp.arange(15.0), x, bins))(jnp.float32(0.3))
    assert grad == 0


def test_symlog_and_back():
    x = jnp.array([-100.0, -0.5, 0.0, 1.0, 1e6])
    np.testing.assert_allclose(two_hot.symlog(x)[3], np.log(2), rtol=1e-6)
    np.testing.assert_allclose(two_hot.symexp(two_hot.symlog(x)), x, rtol=1e-4)
