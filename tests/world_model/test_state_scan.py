"""How the loops over states are compiled changes nothing that they find."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.world_model import imagination, judges, latents, model
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.readings import Reading
from tetrax.world_model.state_scan import scan_states

TINY = WorldModelConfig(
    deter=16,
    units=8,
    classes=3,
    latents=4,
    blocks=2,
    encoder_layers=1,
    decoder_layers=1,
    actor_layers=1,
    bins=15,
)
ENV = tetrax.make(preset="mini", actions="drop", observation="bitboards")


def test_states_go_from_step_to_step_flat_whatever_they_are_carried_as():
    """Each step adds its input to all numbers: 0 + 1, then + 2."""
    start = ModelState(deter=jnp.zeros((3, 16)), stoch=jnp.zeros((3, 4, 3)))

    def step(state, number):
        assert state.deter.shape == (3, 16)
        return state.replace(deter=state.deter + number), state.deter[:, 0]

    end, found = scan_states(TINY, step, start, jnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(end.deter, np.full((3, 16), 3.0))
    np.testing.assert_array_equal(found, [[0, 0, 0], [1, 1, 1]])


@pytest.mark.slow
def test_steps_taken_several_at_once_find_the_same():
    world = model.world_model(ENV, TINY)
    actor = judges.actor(TINY, ENV.spec.shows, ENV.num_actions)
    keys = jax.random.split(jax.random.key(0), 6)
    start = model.initial_state(world, (3,))
    params = {
        "model": model.initial_params(world, keys[0]),
        "actor": actor.init(keys[1], start.features),
    }
    num = (7, 3)
    reading = Reading(
        cells=jax.random.bernoulli(keys[2], 0.5, (*num, world.sizes.cells)).astype(jnp.float32),
        pieces=jnp.zeros((*num, world.sizes.pieces), jnp.int32),
        numbers=jnp.zeros((*num, world.sizes.numbers), jnp.float32),
    )
    actions, first = jax.random.randint(keys[3], num, 0, ENV.num_actions), jnp.zeros(num, bool)

    def find(unroll):
        def loss(of_model):
            seen = model.see_all(world, of_model, start, actions, reading, first, keys[4], unroll)
            return jnp.sum(seen.state.deter**2), seen

        grads, seen = jax.grad(loss, has_aux=True)(params["model"])
        last = jax.tree.map(lambda leaf: leaf[-1], seen.state)
        return grads, seen, imagination.imagine(world, actor, params, last, 5, keys[5], unroll)

    one, several = (jax.jit(find, static_argnums=0)(unroll) for unroll in (1, 4))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), one, several)


def test_legal_actions_are_drawn_as_from_the_policy():
    logits = 3 * jax.random.normal(jax.random.key(1), (500, 9))
    legal = jax.random.bernoulli(jax.random.key(2), 0.4, (500, 9)).at[:, 4].set(True)
    uniform = jax.random.uniform(jax.random.key(3), (500,))
    for mixture in (0.0, 0.2):
        drawn = judges.draw_legal(logits, legal, mixture, uniform)
        assert jnp.take_along_axis(legal, drawn[:, None], axis=1).all()
        # The same numbers but for rounding, which may move one that lies just between two actions.
        by_policy = latents.invert(judges.policy(logits, legal, mixture).probabilities, uniform)
        assert (drawn == by_policy).mean() > 0.99
