"""One step of Adam by hand, clipping, and the schedule of its size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.ops import optimise


@pytest.fixture(autouse=True)
def promotion():
    """Let optax promote: it raises a float to the power of a step count."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def numbers(*values):
    return [jnp.float32(value) for value in values]


def test_the_first_step_of_adam_by_hand():
    # The first moments are the gradients and their squares, so that a step is rate * g / (|g| + epsilon).
    params, (rate, norm) = {"w": jnp.array([1.0, 2.0])}, numbers(0.5, 100.0)
    grads = {"w": jnp.array([3.0, -4.0])}
    after, moments, size = optimise.step(params, grads, optimise.init(params), rate, norm, epsilon=1.0)
    np.testing.assert_allclose(after["w"], [1 - 0.5 * 3 / 4, 2 + 0.5 * 4 / 5], rtol=1e-4)
    assert size == pytest.approx(5.0)
    assert int(moments.count) == 1


def test_gradients_are_clipped_by_their_common_norm():
    # (3, -4) has norm 5: clipped to 1 it is (0.6, -0.8).
    params, (rate, norm) = {"a": jnp.float32(0), "b": jnp.float32(0)}, numbers(1.0, 1.0)
    grads = {"a": jnp.float32(3), "b": jnp.float32(-4)}
    after, _, size = optimise.step(params, grads, optimise.init(params), rate, norm, epsilon=1.0)
    np.testing.assert_allclose([after["a"], after["b"]], [-0.6 / 1.6, 0.8 / 1.8], rtol=1e-4)
    assert size == pytest.approx(5.0)


def test_the_step_size_falls_to_its_fraction_at_the_horizon():
    rate, fraction, horizon = numbers(0.2, 0.1, 100)
    tunables = {"learning_rate": rate, "final_learning_rate_fraction": fraction, "horizon": horizon}
    found = [float(optimise.learning_rate(tunables, jnp.int32(i))) for i in (0, 50, 100, 200)]
    assert found == pytest.approx([0.2, 0.11, 0.02, 0.02])
    assert float(
        optimise.learning_rate({**tunables, "horizon": jnp.float32(0)}, jnp.int32(99))
    ) == pytest.approx(0.2)
