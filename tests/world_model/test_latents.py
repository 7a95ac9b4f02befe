import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tetrax.world_model import latents
from tetrax.world_model.latents import ModelState

POSTERIOR = jnp.array([[2.0, 0.0, -1.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
PRIOR = jnp.array([[1.0, 1.0, -1.0, 0.0], [3.0, 0.0, 0.0, -3.0]])
MIXTURE = 0.01


def losses(posterior, prior, free_nats):
    return latents.balance(
        latents.log_probabilities(posterior, MIXTURE), latents.log_probabilities(prior, MIXTURE), free_nats
    )


def test_divergence_by_hand():
    dynamics, representation = losses(POSTERIOR, PRIOR, 1.0)
    np.testing.assert_allclose([dynamics, representation], 1.768286, rtol=1e-6)


def test_a_share_of_chance_is_in_every_class():
    far = jnp.array([[100.0, 0.0, 0.0, 0.0]])
    found = jnp.exp(latents.log_probabilities(far, MIXTURE))
    np.testing.assert_allclose(found, [[0.9925, 0.0025, 0.0025, 0.0025]], rtol=1e-5)
    assert jnp.exp(latents.log_probabilities(far, 0.0))[0, 1] < 1e-30


def test_each_loss_moves_its_own_side():
    of_posterior = jax.grad(lambda post: losses(post, PRIOR, 1.0)[0])(POSTERIOR)
    of_prior = jax.grad(lambda prior: losses(POSTERIOR, prior, 1.0)[1])(PRIOR)
    assert not of_posterior.any()
    assert not of_prior.any()
    assert jax.grad(lambda prior: losses(POSTERIOR, prior, 1.0)[0])(PRIOR).any()
    assert jax.grad(lambda post: losses(post, PRIOR, 1.0)[1])(POSTERIOR).any()


def test_below_the_free_nats_nothing_moves():
    for which in (0, 1):
        grads = jax.grad(lambda pair, which=which: losses(*pair, 2.0)[which])((POSTERIOR, PRIOR))
        assert not any(leaf.any() for leaf in grads)
    assert losses(POSTERIOR, PRIOR, 2.0)[0] == 2.0


@given(st.floats(0, 1, exclude_max=True, width=32))
def test_one_number_draws_one_class(uniform):
    shares = jnp.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    found = int(latents.invert(shares, jnp.float32(uniform)))
    assert found == (1 if uniform < 0.25 else 3 if uniform < 0.75 else 4)


def test_classes_are_drawn_as_often_as_they_are_probable():
    log_probs = latents.log_probabilities(POSTERIOR, MIXTURE)
    uniform = jax.random.uniform(jax.random.key(0), (40_000, 2))
    drawn = latents.draw(jnp.broadcast_to(log_probs, (40_000, 2, 4)), uniform)
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(axis=0), jnp.exp(log_probs), atol=0.01)


def test_the_gradient_of_a_draw_is_that_of_its_probabilities():
    worth = jnp.arange(8.0).reshape(2, 4)
    uniform = jnp.array([0.3, 0.9])

    def straight(logits):
        return jnp.sum(worth * latents.draw(latents.log_probabilities(logits, MIXTURE), uniform))

    def smooth(logits):
        return jnp.sum(worth * jnp.exp(latents.log_probabilities(logits, MIXTURE)))

    np.testing.assert_allclose(jax.grad(straight)(POSTERIOR), jax.grad(smooth)(POSTERIOR), rtol=1e-5)


def test_a_state_is_kept_in_few_bytes_and_recalled():
    stoch = jax.nn.one_hot(jnp.array([[3, 0], [1, 2]]), 4)
    state = ModelState(deter=jnp.array([[0.5, -0.123456], [1.0, 0.0]]), stoch=stoch)
    kept = latents.keep(state)
    assert (kept.deter.dtype, kept.classes.dtype) == (jnp.uint16, jnp.uint8)
    back = latents.recall(kept, 4)
    np.testing.assert_array_equal(back.stoch, stoch)
    np.testing.assert_allclose(back.deter, state.deter, rtol=2**-8)
