"""Learning from what was really played: numbers by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.agents.dreamer import real_play
from tetrax.ops.distributions import MaskedCategorical

# Four moments of one game: three steps, the second taken by a policy that liked it four times as well.
NOW = np.array([0.5, 0.2, 0.9, 0.5], np.float32)  # probability of what was done
THEN = np.array([0.25, 0.8, 0.9, 0.5], np.float32)
REWARD = jnp.array([9.0, 1.0, 0.0, 2.0])[:, None]  # on the way to each
WORTH = jnp.array([0.5, 1.0, 2.0, 3.0])[:, None]
NEVER = jnp.zeros((4, 1), bool)
ACTION = jnp.zeros((4, 1), jnp.int32)


def policy(probability=NOW):
    logits = jnp.log(jnp.stack([probability, 1 - probability], axis=-1))[:, None]
    return MaskedCategorical.from_logits(logits, jnp.ones((4, 1, 2), bool))


def gained(trusted, terminated=NEVER, truncated=NEVER, lambda_=1.0):
    discount = jnp.float32(0.5)
    return real_play.judge(REWARD, terminated, truncated, WORTH, trusted, discount, jnp.float32(lambda_))


def test_actions_are_trusted_as_far_as_they_would_be_taken_again():
    found = real_play.trust(policy(), ACTION, jnp.log(THEN)[:, None])
    np.testing.assert_allclose(found[:, 0], [1.0, 0.25, 1.0, 1.0], rtol=1e-6)


def test_returns_go_on_as_far_as_actions_are_trusted():
    # From the end: 2 + 3/2 = 3.5. Then 0 + (moment 2, trusted fully) 3.5/2 = 1.75. Then 1 + 1/2 of moment 1, whose
    # action is trusted by a quarter: of what it came to and of what it was worth otherwise, 1.75/4 + 3/4 = 1.1875.
    trusted = jnp.array([1.0, 0.25, 1.0, 1.0])[:, None]
    found = gained(trusted)
    np.testing.assert_allclose(found.returns[:, 0], [1 + 1.1875 / 2, 1.75, 3.5], rtol=1e-6)
    # What the moments are worth: V-trace, the same mixture for each.
    np.testing.assert_allclose(found.target[:, 0], [1 + 1.1875 / 2, 1.1875, 3.5], rtol=1e-6)
    as_published = gained(None)
    np.testing.assert_allclose(as_published.returns[:, 0], [1 + 1.75 / 2, 1.75, 3.5], rtol=1e-6)
    np.testing.assert_array_equal(as_published.returns, as_published.target)
    np.testing.assert_array_equal(gained(jnp.ones((4, 1))).returns, as_published.returns)


def test_what_follows_the_end_of_a_game_is_another_one():
    trusted, at_2 = jnp.ones((4, 1)), NEVER.at[2].set(True)
    over, cut_off = gained(trusted, terminated=at_2), gained(trusted, truncated=at_2)
    assert over.counts[:, 0].tolist() == cut_off.counts[:, 0].tolist() == [1, 1, 0]
    np.testing.assert_allclose(over.returns[:2, 0], [1.0, 0.0])
    np.testing.assert_allclose(
        cut_off.returns[:2, 0], [1 + 1.0 / 2, 2.0 / 2]
    )  # what the last moment is worth


def test_the_policy_gradient_by_hand():
    advantage, counts = jnp.array([[2.0], [-1.0], [5.0]]), jnp.array([[1.0], [1.0], [0.0]])
    trusted = jnp.array([1.0, 0.25, 1.0, 1.0])[:, None]

    def loss(logits, entropy=0.0):
        chosen_from = MaskedCategorical.from_logits(logits, jnp.ones((4, 1, 2), bool))
        return real_play.policy_loss(chosen_from, ACTION, advantage, trusted, counts, jnp.float32(entropy))

    logits = policy().log_probabilities
    value, grads = jax.value_and_grad(loss)(logits)
    np.testing.assert_allclose(value, -(2 * np.log(0.5) - 0.25 * np.log(0.2)) / 3, rtol=1e-6)
    # Of log p by its own logit: 1 - p. Good actions become likelier, bad ones less likely, by how far they are trusted.
    np.testing.assert_allclose(grads[:, 0, 0], [-2 * 0.5 / 3, 0.25 * 0.8 / 3, 0.0, 0.0], rtol=1e-5, atol=1e-8)
    entropy = -(0.5 * np.log(0.5) * 2) - (0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    np.testing.assert_allclose(loss(logits, 0.1), value - 0.1 * entropy / 3, rtol=1e-5)
