import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops import value_distributions
from tetrax.ops.value_distributions import cross_entropy, quantile_huber, support

project = jax.jit(value_distributions.project)
ATOMS = support(0.0, 4.0, 5)  # 0, 1, 2, 3, 4


def test_support():
    np.testing.assert_array_equal(support(-2.0, 2.0, 5), [-2, -1, 0, 1, 2])
    assert ATOMS.dtype == jnp.float32
    with pytest.raises(ValueError, match="num_atoms: given 1; allowed: 2 or more"):
        support(0.0, 1.0, 1)
    with pytest.raises(ValueError, match=r"lowest: given 1\.0; allowed: below the highest value \(1\.0\)"):
        support(1.0, 1.0, 3)


def test_projection_by_hand():
    # Reward 1, discount 0.5: the atoms move to 1, 1.5, 2, 2.5, 3. Of 0.1, 0.2, 0.3, 0.4, 0:
    # 1 keeps 0.1 and gets half of 0.2; 2 gets the other half, 0.3 and half of 0.4; 3 gets the rest.
    moved = 1.0 + 0.5 * ATOMS
    found = project(moved, jnp.asarray([0.1, 0.2, 0.3, 0.4, 0.0]), ATOMS)
    np.testing.assert_allclose(found, [0, 0.2, 0.6, 0.2, 0], atol=1e-6)


def test_projection_after_the_end_is_the_reward():
    # Discount 0 and reward 2.75: all of it lies between 2 and 3, a quarter at 2.
    found = project(jnp.full(5, 2.75), jnp.full(5, 0.2), ATOMS)
    np.testing.assert_allclose(found, [0, 0, 0.25, 0.75, 0], atol=1e-6)


def test_what_lies_outside_goes_to_the_nearest_end():
    found = project(jnp.asarray([-7.0, 3.5, 9.0, 4.0, 0.0]), jnp.asarray([0.1, 0.3, 0.5, 0.0, 0.1]), ATOMS)
    np.testing.assert_allclose(found, [0.2, 0, 0, 0.15, 0.65], atol=1e-6)


def test_atoms_that_do_not_move_keep_all():
    # Where a value falls onto an atom, floor and ceiling are the same: the usual slip loses its probability.
    for probabilities in ([0.1, 0.2, 0.3, 0.4, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]):
        found = project(ATOMS, jnp.asarray(probabilities), ATOMS)
        np.testing.assert_allclose(found, probabilities, atol=1e-6)


def slow_projection(values, probabilities, lowest, highest, num_atoms):
    """Algorithm 1, one value after the other, in float64."""
    found, spacing = np.zeros(num_atoms), (highest - lowest) / (num_atoms - 1)
    for value, probability in zip(values, probabilities, strict=True):
        place = (min(max(float(value), lowest), highest) - lowest) / spacing
        below = min(int(np.floor(place)), num_atoms - 2)
        found[below] += probability * (below + 1 - place)
        found[below + 1] += probability * (place - below)
    return found


@st.composite
def distributions(draw):
    weights = draw(hnp.arrays(np.float32, 7, elements=st.floats(0, 1, width=32, allow_subnormal=False)))
    weights[draw(st.integers(0, 6))] += 1
    values = draw(hnp.arrays(np.float32, 7, elements=st.floats(-30, 30, width=32, allow_subnormal=False)))
    return values, weights / weights.sum()


@given(distributions())
def test_projection_keeps_the_sum_and_inside_the_mean(distribution):
    values, probabilities = distribution
    found = project(values, probabilities, support(-10.0, 14.0, 25))
    np.testing.assert_allclose(found, slow_projection(values, probabilities, -10.0, 14.0, 25), atol=1e-5)
    np.testing.assert_allclose(np.sum(found), 1, rtol=1e-5)
    inside = np.clip(values, -10, 14)
    mean = np.sum(found * np.linspace(-10, 14, 25))
    np.testing.assert_allclose(mean, np.sum(inside * probabilities), atol=1e-4)


def test_cross_entropy_by_hand():
    # Softmax 1/4, 3/4 against 1/2, 1/2: -(log(1/4) + log(3/4)) / 2 = (1.386294 + 0.287682) / 2 = 0.836988.
    logits, target = jnp.log(jnp.asarray([1.0, 3.0])), jnp.asarray([0.5, 0.5])
    loss, gradient = jax.jit(jax.value_and_grad(cross_entropy))(logits, target)
    np.testing.assert_allclose(loss, 0.836988, rtol=1e-6)
    np.testing.assert_allclose(gradient, [-0.25, 0.25], rtol=1e-6)  # softmax - target


def test_quantile_loss_by_hand():
    # Two quantiles, 0 and 2, of levels 1/4 and 3/4; targets 1 and 4. Errors:
    #   0: 1 and 4, Huber 0.5 and 3.5, both weighed 1/4: 0.125 and 0.875, mean 0.5
    #   2: -1 and 2, Huber 0.5 and 1.5, weighed 1/4 and 3/4: 0.125 and 1.125, mean 0.625
    quantiles, target = jnp.asarray([[0.0, 2.0]]), jnp.asarray([[1.0, 4.0]])
    loss = jax.jit(quantile_huber)
    np.testing.assert_array_equal(loss(quantiles, target, 1.0), [1.125])
    # With kappa 2: Huber 0.5 and 2 * (4 - 1) = 6; 0.5 and 2: (0.125 + 1.5) / 2 + (0.125 + 1.5) / 2.
    np.testing.assert_array_equal(loss(quantiles, target, 2.0), [1.625])


def test_quantile_loss_is_least_at_the_quantiles():
    # Targets 0, 10, ..., 70: the levels 1/4 and 3/4 lie from 10 to 20 and from 50 to 60.
    target = jnp.arange(8, dtype=jnp.float32) * 10

    def descend(quantiles, _):
        return quantiles - 0.5 * jax.grad(quantile_huber)(quantiles, target), None

    quantiles, _ = jax.lax.scan(descend, jnp.asarray([-20.0, 100.0]), length=2000)
    assert 9 <= quantiles[0] <= 21
    assert 49 <= quantiles[1] <= 61
