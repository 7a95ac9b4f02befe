"""How the loops over states are compiled changes nothing that they find."""

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.world_model import judges, latents
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
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


def test_states_go_from_step_to_step_flat_whatever_they_are_carried_as():
    """Each step adds its input to all numbers: 0 + 1, then + 2."""
    start = ModelState(deter=jnp.zeros((3, 16)), stoch=jnp.zeros((3, 4, 3)))

    def step(state, number):
        assert state.deter.shape == (3, 16)
        return state.replace(deter=state.deter + number), state.deter[:, 0]

    end, found = scan_states(TINY, step, start, jnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(end.deter, np.full((3, 16), 3.0))
    np.testing.assert_array_equal(found, [[0, 0, 0], [1, 1, 1]])


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
