"""Games as a replay keeps them: a row of words each, shown again when they are drawn."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int32

from tetrax.env.contract import Game, Observation
from tetrax.ops import packing


def pack(games: Any) -> Array:
    """Pack a batch of states, with the games on their last axis: uint32[B, words]."""
    return jax.vmap(packing.pack, in_axes=-1)(games)


def show(env: Game, env_params: Any, discount: Array, words: Array) -> Observation:
    """Show packed states of N games at any number of moments n: uint32[*n, N, words].

    On the way the games come first, so that they stay on the devices that they are spread over.
    """
    params = env.with_discount(env_params, discount)
    like = jax.eval_shape(lambda key: env.init(key, params), jax.random.key(0, impl="threefry2x32"))
    by_game = jnp.moveaxis(words, -2, 0)  # [N, *n, words]
    moments = by_game.shape[:-1]
    flat = by_game.reshape(
        math.prod(moments), -1
    ).T  # the states on the last axis, as `tetrax.env.batch` has them
    seen = jax.vmap(lambda one: env.observe(packing.unpack(one, like), params), in_axes=-1)(flat)
    num_moments = len(moments) - 1
    return jax.tree.map(
        lambda leaf: jnp.moveaxis(leaf.reshape(*moments, *leaf.shape[1:]), 0, num_moments), seen
    )


def keep_placement(observation: Observation, action: Int32[Array, "*n"]) -> Observation:
    """Keep one placement of each game, as the only one: A = 1."""

    def take(leaf: Array) -> Array:
        index = action.reshape(*action.shape, *(1,) * (leaf.ndim - action.ndim))
        return jnp.take_along_axis(leaf, index, axis=action.ndim)

    return observation.replace(
        afterstates=jax.tree.map(take, observation.afterstates), legal=take(observation.legal)
    )
