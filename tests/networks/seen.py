"""Observations for the tests of networks."""

import jax
import jax.numpy as jnp

from tetrax.env.foresight import Afterstates
from tetrax.env.observe import Observation


def batch(env, count=6):
    """Return the first observations of some games."""
    return jax.vmap(env.reset)(jax.random.split(jax.random.key(0), count))[1].observation


def made_up_observation(view):
    """Show numbers of every kind, on four boards."""
    planes, features, after, ended, flat = jax.random.split(jax.random.key(0), 5)
    afterstates = Afterstates(
        features=jax.random.normal(after, (4, 8, 6)),
        rows=None,
        reward=jnp.zeros((4, 8)),
        terminated=jax.random.bernoulli(ended, 0.3, (4, 8)),
    )
    return Observation(
        planes=jax.random.bernoulli(planes, 0.5, (4, 20, 10, 2)).astype(jnp.uint8),
        pieces=jnp.array([[0, 7, 1], [2, 3, 4], [5, 6, 0], [1, 1, 1]], jnp.int32),
        features=jax.random.normal(features, (4, 5)),
        legal=jnp.ones((4, 8), bool),
        afterstates=afterstates if view == "afterstate_features" else None,
        flat=jax.random.normal(flat, (4, 30)),
    )
