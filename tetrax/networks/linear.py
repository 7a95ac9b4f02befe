"""A linear controller: a placement is worth a weighted sum of the features of what it leaves behind."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.env.contract import Observation
from tetrax.env.foresight import AFTERSTATE_FEATURES
from tetrax.env.game.reach.placement_features import CLASSIC_FEATURES, EXTENDED_FEATURES
from tetrax.env.game.vector import once

# What the views that show features of every placement show, in order.
FEATURES = {
    "afterstate_classic": CLASSIC_FEATURES,
    "afterstate_extended": EXTENDED_FEATURES,
    "afterstate_features": tuple(AFTERSTATE_FEATURES),
}


def best_placement(weights: Float32[Array, "B F"], observation: Observation) -> Int32[Array, "B"]:
    """Return the legal placement whose afterstate is worth most, by each game's own weights: see `best_of`.

    `observation` [B, ...] must show features of the afterstates.
    """
    return best_of(placement_worths(weights, observation), observation)


def best_of(worths: Float32[Array, "B A"], observation: Observation) -> Int32[Array, "B"]:
    """Return the legal placement that is worth most.

    One that loses is chosen only where every one does; among equals the lowest index, that is the first
    orientation, then the leftmost column.
    """
    assert observation.afterstates is not None
    # Computed once, as vectors: inside of argmax, XLA would look ahead for one placement after the other.
    value, loses = once((worths, observation.afterstates.terminated))
    safe = observation.legal & ~loses
    choices = jnp.where(jnp.any(safe, axis=-1, keepdims=True), safe, observation.legal)
    best = jnp.argmax(jnp.where(choices, value, -np.inf), axis=-1)
    return best.astype(jnp.int32)


def placement_worths(weights: Float32[Array, "B F"], observation: Observation) -> Float32[Array, "B A"]:
    """Return what every placement is worth, by each game's own weights; of illegal ones anything."""
    assert observation.afterstates is not None and observation.afterstates.features is not None
    features = observation.afterstates.features  # [B, A, F]
    # One sum in a fixed order, not a product of matrices: the same placement in a batch of any size.
    value = jnp.zeros(features.shape[:-1], jnp.float32)
    for index in range(features.shape[-1]):
        value += weights[:, index, None] * features[..., index]
    return value
