"""Games as a replay keeps them: a row of words each, shown again when they are drawn."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int32

from tetrax.env.contract import Game, MirrorGame, Observation
from tetrax.ops import packing


def pack(games: Any) -> Array:
    """Pack a batch of states, with the games on their last axis: uint32[B, words]."""
    return jax.vmap(packing.pack, in_axes=-1)(games)


def mirror(env: MirrorGame, env_params: Any, words: Array, actions: Array) -> tuple[Array, Array, Array]:
    """Mirror packed states of N games at T moments and what was done there: uint32[T, N, words], int32[T, N].

    Returns the same of the mirrored games, and whether each goes on as its game does through all moments, bool[N].
    """
    like = _shapes(env, env_params)

    def one(state: Array, action: Array) -> tuple[Array, Array, Array]:
        mirrored, mirrored_action, is_exact = env.mirror(packing.unpack(state, like), action)
        return packing.pack(mirrored), mirrored_action, is_exact

    by_game = jnp.moveaxis(words, 1, 0)  # [N, T, words], so that games stay on their devices
    flat = by_game.reshape(-1, words.shape[-1]).T
    mirrored, done, is_exact = jax.vmap(one, in_axes=(-1, 0))(flat, actions.T.reshape(-1))
    num_games, num_moments = by_game.shape[:2]
    return (
        jnp.moveaxis(mirrored.reshape(by_game.shape), 0, 1),
        done.reshape(num_games, num_moments).T,
        jnp.all(is_exact.reshape(num_games, num_moments), axis=1),
    )


def show(env: Game, env_params: Any, discount: Array, words: Array) -> Observation:
    """Show packed states of N games at any number of moments n: uint32[*n, N, words].

    On the way the games come first, so that they stay on the devices that they are spread over.
    """
    params = env.with_discount(env_params, discount)
    like = _shapes(env, params)
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


def _shapes(env: Game, params: Any) -> Any:
    """Return shapes and dtypes of a state."""
    return jax.eval_shape(lambda key: env.init(key, params), jax.random.key(0, impl="threefry2x32"))


def keep_placement(observation: Observation, action: Int32[Array, "*n"]) -> Observation:
    """Keep one placement of each game, as the only one: A = 1."""
    return keep_placements(observation, action[..., None])


def keep_placements(observation: Observation, actions: Int32[Array, "*n kept"]) -> Observation:
    """Keep some placements of each game, as the only ones."""

    def take(leaf: Array) -> Array:
        index = actions.reshape(*actions.shape, *(1,) * (leaf.ndim - actions.ndim))
        return jnp.take_along_axis(leaf, index, axis=actions.ndim - 1)

    return observation.replace(
        afterstates=jax.tree.map(take, observation.afterstates), legal=take(observation.legal)
    )
