"""Noisy layers: equations 10 and 11 of Fortunato et al. with noise that is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.networks import noisy
from tetrax.networks.noisy import NOISE, NoisyDense

PARAMS = {
    "params": {
        "kernel": jnp.array([[1.0, 2.0], [3.0, 4.0]]),  # [inputs, outputs]
        "bias": jnp.array([0.5, -0.5]),
        "kernel_spread": jnp.array([[0.1, 0.2], [0.3, 0.4]]),
        "bias_spread": jnp.array([0.01, 0.02]),
    }
}


def drawn(monkeypatch, of_inputs, of_outputs):
    """Let the next two draws be these."""
    given = iter([jnp.array(of_inputs), jnp.array(of_outputs)])
    monkeypatch.setattr(noisy.jax.random, "normal", lambda key, shape: next(given))


def test_one_draw_by_hand(monkeypatch):
    # f(4) = 2 and f(-9) = -3 at the inputs, f(1) = 1 and f(-4) = -2 at the outputs.
    # Weights: [[1 + 0.1 x 2 x 1, 2 + 0.2 x 2 x -2], [3 + 0.3 x -3 x 1, 4 + 0.4 x -3 x -2]] = [[1.2, 1.2], [2.1, 6.4]]
    # Biases: [0.5 + 0.01 x 1, -0.5 + 0.02 x -2] = [0.51, -0.54]
    # Input (1, 2): [1.2 + 4.2 + 0.51, 1.2 + 12.8 - 0.54]
    drawn(monkeypatch, [4.0, -9.0], [1.0, -4.0])
    outputs = NoisyDense(2).apply(PARAMS, jnp.array([[1.0, 2.0]]), rngs={NOISE: jax.random.key(0)})
    np.testing.assert_allclose(outputs, [[5.91, 13.46]], rtol=1e-6)


def test_each_row_with_a_draw_of_its_own_by_hand(monkeypatch):
    # The first row as above. The second without noise at its inputs, 0.51 and -0.54 being its biases:
    # (1, 2) @ mu = (7, 10).
    drawn(monkeypatch, [[4.0, -9.0], [0.0, 0.0]], [[1.0, -4.0], [1.0, -4.0]])
    layer = NoisyDense(2, is_shared=False)
    outputs = layer.apply(PARAMS, jnp.array([[1.0, 2.0], [1.0, 2.0]]), rngs={NOISE: jax.random.key(0)})
    np.testing.assert_allclose(outputs, [[5.91, 13.46], [7.51, 9.46]], rtol=1e-6)


def test_without_noise_the_means_count():
    np.testing.assert_allclose(NoisyDense(2).apply(PARAMS, jnp.array([1.0, 2.0])), [7.5, 9.5])


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_key_decides_and_rows_share_or_do_not(is_shared):
    layer, inputs = NoisyDense(3, is_shared=is_shared), jnp.ones((4, 2, 5))
    params = layer.init(jax.random.key(0), inputs)
    one, again, other = (
        layer.apply(params, inputs, rngs={NOISE: jax.random.key(seed)}) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()
    rows = np.asarray(one).reshape(8, 3)
    assert len(np.unique(rows, axis=0)) == (1 if is_shared else 8)


def test_noise_at_the_start_is_as_large_as_published():
    """Means within 1 / sqrt(p), spreads 0.5 / sqrt(p); and at an input of ones the variance that follows.

    Var f(e) = E|e| = sqrt(2 / pi). An output is sum_i sigma f(e_i) f(e_o) + sigma f(e_o) with sigma = 0.5 / 10:
    its variance is sigma^2 (p x 2 / pi + sqrt(2 / pi)), products of two noises and the bias's one.
    """
    layer, inputs = NoisyDense(50), jnp.ones(100)
    params = layer.init(jax.random.key(0), inputs)
    for name in ("kernel", "bias"):
        mean = np.asarray(params["params"][name])
        assert 0.09 < np.abs(mean).max() <= 0.1
        np.testing.assert_allclose(params["params"][f"{name}_spread"], 0.05, rtol=1e-6)
    keys = jax.random.split(jax.random.key(1), 400)
    outputs = jax.jit(jax.vmap(lambda key: layer.apply(params, inputs, rngs={NOISE: key})))(keys)
    moved = np.asarray(outputs) - np.asarray(layer.apply(params, inputs))
    expected = 0.05**2 * (100 * 2 / np.pi + np.sqrt(2 / np.pi))
    assert moved.var() == pytest.approx(expected, rel=0.15)
    assert abs(moved.mean()) < 0.05 * np.sqrt(expected)
