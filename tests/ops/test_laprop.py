import jax
import jax.numpy as jnp
import numpy as np

from tetrax.ops import laprop

WEIGHTS = {"kernel": jnp.array([[1.0, 2.0], [3.0, 4.0]])}
GRADS = {"kernel": jnp.array([[10.0, -1.0], [0.5, 2.0]])}


def test_a_gradient_is_clipped_by_the_norm_of_its_weights():
    # The weights' norm is sqrt(30), three tenths of it 1.6431677; the gradient's sqrt(105.25) = 10.259142.
    clipped = laprop.clip_adaptively(GRADS, WEIGHTS, 0.3)["kernel"]
    np.testing.assert_allclose(clipped, [[1.6016622, -0.16016622], [0.08008311, 0.32033244]], rtol=1e-6)
    small = jax.tree.map(lambda leaf: leaf * 0.01, GRADS)
    np.testing.assert_array_equal(laprop.clip_adaptively(small, WEIGHTS, 0.3)["kernel"], small["kernel"])


def test_weights_that_are_zero_can_move():
    zeros = jax.tree.map(jnp.zeros_like, WEIGHTS)
    clipped = laprop.clip_adaptively(GRADS, zeros, 0.3)["kernel"]
    np.testing.assert_allclose(jnp.linalg.norm(clipped), 0.3e-3, rtol=1e-6)


def test_the_first_step_goes_the_step_size_in_every_direction():
    rate = laprop.warmed_up(jnp.float32(4e-5), jnp.int32(1_000), jnp.float32(1_000))
    zeros = jax.tree.map(jnp.zeros_like, WEIGHTS)
    step = jax.jit(laprop.step)
    params, moments = step(WEIGHTS, GRADS, laprop.init(WEIGHTS), rate, 0.3)
    np.testing.assert_allclose(
        params["kernel"], WEIGHTS["kernel"] - 4e-5 * np.sign(GRADS["kernel"]), atol=3e-7
    )
    # From weights of 0 the step itself can be read: 4e-5 but for the rounding of 1 - 0.999 in float32.
    params, moments = step(zeros, GRADS, laprop.init(zeros), rate, 0.3)
    np.testing.assert_allclose(params["kernel"], -3.9999733e-5 * np.sign(GRADS["kernel"]), rtol=2e-7)
    assert moments.steps == 1


def test_each_entry_may_have_a_step_size_of_its_own():
    both = {"slow": WEIGHTS, "quick": WEIGHTS}
    grads = {"slow": GRADS, "quick": GRADS}
    rates = {"slow": jnp.float32(1e-3), "quick": jnp.float32(3e-3)}
    after, _ = laprop.step(both, grads, laprop.init(both), rates, 0.3)
    for name, rate in rates.items():
        alone, _ = laprop.step(WEIGHTS, GRADS, laprop.init(WEIGHTS), rate, 0.3)
        np.testing.assert_array_equal(after[name]["kernel"], alone["kernel"])
        np.testing.assert_allclose(
            after[name]["kernel"], WEIGHTS["kernel"] - rate * np.sign(GRADS["kernel"]), atol=1e-6
        )


def test_later_steps_by_hand():
    """One weight, never clipped: g = 1, then 3; squares .001, .009999; scaled 1, 3 / sqrt(.009999 / .001999)."""
    weight, moments = jnp.float32(1e6), laprop.init(jnp.float32(1e6))
    for grad in (1.0, 3.0):
        before = weight
        weight, moments = laprop.step(weight, jnp.float32(grad), moments, jnp.float32(1e3), 0.3)
    scaled = 3 / np.sqrt(0.009999 / 0.001999)
    np.testing.assert_allclose(moments.momentum, 0.9 * 0.1 + 0.1 * scaled, rtol=1e-5)
    moved = (0.09 + 0.1 * scaled) / (1 - 0.81)
    np.testing.assert_allclose(before - weight, 1e3 * moved, rtol=1e-3)


def test_the_step_size_rises_and_stays():
    rates = [float(laprop.warmed_up(jnp.float32(2.0), jnp.int32(n), jnp.float32(4.0))) for n in (0, 1, 4, 9)]
    assert rates == [0.0, 0.5, 2.0, 2.0]
    assert laprop.warmed_up(jnp.float32(2.0), jnp.int32(0), jnp.float32(0.0)) == 2.0
