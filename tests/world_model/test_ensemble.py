"""Members that agree on what was seen, and on how often chance does what; numbers by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.agents.chain import Chain
from tetrax.agents.dreamer import curiosity
from tetrax.world_model import ensemble, model
from tetrax.world_model.imagination import Imagined
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.model_parts import Step

CONFIG = WorldModelConfig(deter=4, units=16, classes=3, latents=2, blocks=2)
SURE = 50.0  # a logit beside which others count for nothing


@pytest.fixture(scope="module")
def pair():
    """Two members, and parameters of nothing but biases: what they say does not depend on what they are shown."""
    world = model.world_model(Chain(), CONFIG)
    members = ensemble.ensemble(world, 2)
    params = jax.jit(lambda key: ensemble.initial_params(members, world, key))(jax.random.key(0))
    blank = jax.tree.map(jnp.zeros_like, params)

    def saying(logits):
        assert blank["params"]["outputs"]["bias"].shape == (2, 6)
        return {"params": {**blank["params"], "outputs": {**blank["params"]["outputs"], "bias": logits}}}

    return members, params, saying


def test_members_differ_at_first(pair):
    _, params, _ = pair
    kernel = params["params"]["outputs"]["kernel"]
    assert kernel.shape == (2, 16, 6)
    assert not (kernel[0] == kernel[1]).any()


def test_disagreement_by_hand(pair):
    members, _, saying = pair
    features, action = jnp.ones((3, 10)), jnp.zeros(3, jnp.int32)
    # Of the first latent each is sure, of another class: each of two classes has the probabilities 1 and 0, whose
    # variance is 1/2. Of the second they say 1/2, 1/2, 0 both.
    apart = jnp.array([[SURE, 0, 0, SURE, SURE, 0], [0, SURE, 0, SURE, SURE, 0]])
    found = ensemble.disagreement(members, saying(apart), features, action)
    np.testing.assert_allclose(found, [0.5] * 3, atol=1e-6)  # the mean of 1 and 0
    # 1 and 0 against 1/2 and 1/2: two variances of 1/8.
    unsure = jnp.array([[SURE, 0, 0, SURE, 0, 0], [SURE, SURE, 0, SURE, 0, 0]])
    found = ensemble.disagreement(members, saying(unsure), features, action)
    np.testing.assert_allclose(found, [0.125] * 3, atol=1e-6)


def test_loss_by_hand(pair):
    members, _, saying = pair
    # What came: the first class of either latent. One member says so; the other says 1/2 of the first latent, and is as
    # ignorant as can be of the second: ln 2 + ln 3, on average over both half of it.
    params = saying(jnp.array([[SURE, 0, 0, SURE, 0, 0], [SURE, SURE, 0, 0, 0, 0]]))
    posterior = jnp.log(jnp.array([[[1.0, 1e-9, 1e-9]] * 2]))

    def loss(params, features):
        return ensemble.loss(members, params, features, jnp.zeros(1, jnp.int32), posterior)[0]

    found, (of_params, of_features) = jax.value_and_grad(loss, argnums=(0, 1))(params, jnp.ones((1, 10)))
    np.testing.assert_allclose(found, (np.log(2) + np.log(3)) / 2, atol=1e-5)
    assert not of_features.any(), "the model is not made to please them"
    assert of_params["params"]["outputs"]["bias"][1].any()


@pytest.mark.slow
def test_they_come_to_agree_on_what_is_seen_even_where_chance_decides_it(pair):
    """After action 0 one latent is certain and the other a coin; action 1 is never taken."""
    members, params, _ = pair
    features = jax.random.normal(jax.random.key(1), (64, 10))
    coin = jax.random.bernoulli(jax.random.key(2), 0.5, (64,)).astype(jnp.int32)
    classes = jnp.stack([jnp.zeros(64, jnp.int32), coin], axis=-1)
    seen = jnp.log(0.999 * jax.nn.one_hot(classes, 3) + 0.001 / 3)
    same, other = jnp.zeros(64, jnp.int32), jnp.ones(64, jnp.int32)
    optimiser = optax.adam(1e-2)

    @jax.jit
    def learn(params):
        def update(carry, key):
            params, moments = carry
            # The same states, and coins that are thrown anew: there is nothing to learn them by.
            thrown = jax.random.permutation(key, seen)
            grads = jax.grad(lambda p: ensemble.loss(members, p, features, same, thrown).mean())(params)
            changes, moments = optimiser.update(grads, moments)
            return (optax.apply_updates(params, changes), moments), None

        keys = jax.random.split(jax.random.key(3), 300)
        params = jax.lax.scan(update, (params, optimiser.init(params)), keys)[0][0]
        told = [ensemble.disagreement(members, params, features, action).mean() for action in (same, other)]
        return told, jnp.exp(ensemble.foretell(members, params, features, same))

    at_first = float(ensemble.disagreement(members, params, features, same).mean())
    (known, unknown), probabilities = learn(params)
    np.testing.assert_allclose(probabilities.mean(axis=(0, 1))[1, :2], 0.5, atol=0.1)
    assert known < 0.02 < at_first
    assert unknown > 2 * known


@pytest.mark.slow
def test_nothing_is_foretold_across_the_end_of_a_game(pair):
    members, params, _ = pair
    keys = jax.random.split(jax.random.key(4), 3)
    state = ModelState(
        deter=jax.random.normal(keys[0], (4, 2, 4)),
        stoch=jax.nn.one_hot(jax.random.randint(keys[1], (4, 2, 2), 0, 3), 3),
    )
    steps = Step(state, jax.nn.log_softmax(jax.random.normal(keys[2], (4, 2, 2, 3))))
    action = jnp.array([[0, 1], [1, 0], [0, 0], [1, 1]])
    nothing = jnp.zeros((4, 2))
    imagined = Imagined(state.features[:3], action[:3], nothing, state.features[3], nothing, nothing)

    @jax.jit
    def look(is_first, steps=steps):
        return curiosity.look(members, params, steps, action, is_first, imagined)

    never = look(jnp.zeros((4, 2), bool))
    begins = jnp.zeros((4, 2), bool).at[2, 1].set(True)
    found = look(begins)
    assert never.replayed.shape == never.imagined.shape == (4, 2)
    assert not never.replayed[0].any()
    assert (never.replayed[1:] > 0).all()
    assert found.replayed[2, 1] == 0
    np.testing.assert_array_equal(found.replayed[~begins], never.replayed[~begins])
    # How the next game looks does not matter to what was foretold in the one before.
    elsewhere = Step(state, steps.log_probs.at[2, 1].set(jnp.log(1 / 3)))
    assert look(begins, elsewhere).loss == found.loss
    before = ensemble.loss(members, params, state.features[:-1], action[1:], steps.log_probs[1:])
    np.testing.assert_allclose(found.loss, before.at[1, 1].set(0).mean(), rtol=1e-6)
    np.testing.assert_allclose(never.loss, before.mean(), rtol=1e-6)
    # That of an action in an imagined state lies with the state that it leads to.
    foreseen = ensemble.disagreement(members, params, imagined.features[0], action[0])
    np.testing.assert_allclose(found.imagined[1], foreseen, rtol=1e-6)
