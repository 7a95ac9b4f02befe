import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops.distributions import MaskedCategorical

LOG = np.log


def categorical(logits, legal):
    return MaskedCategorical.from_logits(jnp.asarray(logits, jnp.float32), jnp.asarray(legal, bool))


def test_numbers_by_hand():
    # Weights 1, 3, 4 (illegal), 4 leave 1/8, 3/8, 0, 4/8.
    distribution = categorical(LOG([1, 3, 4, 4]), [1, 1, 0, 1])
    np.testing.assert_allclose(distribution.probabilities, [1 / 8, 3 / 8, 0, 4 / 8], rtol=1e-6)
    np.testing.assert_allclose(distribution.log_prob(jnp.int32(1)), LOG(3 / 8), rtol=1e-6)
    # entropy = log 8 - (3 log 3 + 4 log 4) / 8 = 2.079442 - 1.105127 = 0.974315
    np.testing.assert_allclose(distribution.entropy(), 0.974315, atol=1e-6)
    assert distribution.mode() == 3


def test_gradient_of_a_log_probability_is_one_hot_minus_softmax():
    # d log p[1] / d logits = [-1/4, 1 - 3/4], and 0 for the illegal action.
    def log_prob(logits):
        return categorical(logits, [1, 1, 0]).log_prob(jnp.int32(1))

    gradient = jax.grad(log_prob)(jnp.asarray(LOG([1, 3, 9]), jnp.float32))
    np.testing.assert_allclose(gradient, [-1 / 4, 1 / 4, 0], atol=1e-6)


def test_gradient_of_the_entropy():
    # d H / d logit[i] = -p[i] (log p[i] + H); p = 1/4, 3/4 and H = 0.562335.
    gradient = jax.grad(lambda logits: categorical(logits, [1, 1, 0]).entropy())(
        jnp.asarray(LOG([1, 3, 9]), jnp.float32)
    )
    # -1/4 (-1.386294 + 0.562335) = 0.205990
    np.testing.assert_allclose(gradient, [0.205990, -0.205990, 0], atol=1e-6)


@pytest.mark.parametrize("junk", [np.inf, -np.inf, np.nan, 3e38])
def test_illegal_logits_do_not_matter(junk):
    legal = [1, 0, 1]

    def total(logits):
        distribution = categorical(logits, legal)
        return distribution.entropy() + distribution.log_prob(jnp.int32(0))

    clean, junked = jnp.asarray([1.0, 0.0, 2.0]), jnp.asarray([1.0, junk, 2.0])
    assert total(junked) == total(clean)
    np.testing.assert_array_equal(jax.grad(total)(junked), jax.grad(total)(clean))


def test_large_logits_do_not_overflow():
    distribution = categorical([1e30, 1e30, -1e30], [1, 1, 1])
    np.testing.assert_allclose(distribution.probabilities, [0.5, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(distribution.entropy(), LOG(2), rtol=1e-6)


def test_nothing_legal_is_finite_and_without_gradient():
    def total(logits):
        distribution = categorical(logits, np.zeros((2, 3)))
        action = jnp.asarray([0, 2], jnp.int32)
        return jnp.sum(distribution.log_prob(action) + distribution.entropy())

    logits = jnp.asarray([[1.0, 2.0, 3.0], [np.nan, -np.inf, np.inf]])
    assert total(logits) == 0
    np.testing.assert_array_equal(jax.grad(total)(logits), np.zeros((2, 3)))
    distribution = categorical(logits, np.zeros((2, 3)))
    np.testing.assert_array_equal(distribution.mode(), [0, 0])
    np.testing.assert_array_equal(distribution.sample(jax.random.key(0)), [0, 0])
    np.testing.assert_array_equal(distribution.probabilities, np.zeros((2, 3)))


def test_samples_follow_the_probabilities():
    num_samples = 20_000
    logits = jnp.broadcast_to(jnp.asarray(LOG([1, 3, 9, 4]), jnp.float32), (num_samples, 4))
    legal = jnp.broadcast_to(jnp.asarray([True, True, False, True]), (num_samples, 4))
    actions = np.asarray(MaskedCategorical.from_logits(logits, legal).sample(jax.random.key(1)))
    shares = np.bincount(actions, minlength=4) / num_samples
    assert shares[2] == 0
    # Five standard errors: 5 * sqrt(1/4 / 20000) = 0.018.
    np.testing.assert_allclose(shares, [1 / 8, 3 / 8, 0, 4 / 8], atol=0.018)


def test_mode_takes_the_lowest_of_equals():
    assert categorical([5, 1, 1, 0], [0, 1, 1, 1]).mode() == 1


@st.composite
def logits_and_legal(draw):
    num_actions = draw(st.sampled_from([1, 6]))  # few shapes, few compilations
    logits = draw(hnp.arrays(np.float32, num_actions, elements=st.floats(-20, 20, width=32)))
    legal = draw(hnp.arrays(bool, num_actions))
    legal[draw(st.integers(0, num_actions - 1))] = True
    return logits, legal


@given(logits_and_legal(), st.integers(0, 2**31))
def test_agrees_with_a_slow_loop(case, seed):
    logits, legal = case
    weights = [np.exp(float(logit)) if ok else 0.0 for logit, ok in zip(logits, legal, strict=True)]
    probabilities = [weight / sum(weights) for weight in weights]
    entropy = -sum(p * np.log(p) for p in probabilities if p > 0)
    distribution = categorical(logits, legal)
    np.testing.assert_allclose(distribution.probabilities, probabilities, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(distribution.entropy(), entropy, rtol=1e-4, atol=1e-5)
    assert legal[distribution.sample(jax.random.key(seed))]
    assert legal[distribution.mode()]
    assert np.isfinite(distribution.log_probabilities).all()
