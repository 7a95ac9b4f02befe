"""Deciding around the best action: at random, by a softmax of the values, or the best itself."""

import math
from enum import IntEnum
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Float32, Int32, PRNGKeyArray

from tetrax.ops.value_targets import best_action

SMALLEST_TEMPERATURE = 1e-6

Share = float | Float[Array, ""] | Float[Array, "B"]


class Decider(IntEnum):
    """What chose an action."""

    GREEDY = 0
    BOLTZMANN = 1
    RANDOM = 2


class Explored(NamedTuple):
    """The choices for B games."""

    action: Array  # int32[B]
    decider: Array  # int32[B], a Decider
    probability: Array  # float32[B], of the action under the whole mixture, whoever decided


def explore(
    key: PRNGKeyArray,
    value: Float32[Array, "B A"],
    legal: Bool[Array, "B A"],
    *,
    epsilon: Share,
    boltzmann: Share = 0.0,
    temperature: Share = 1.0,
    loses: Bool[Array, "B A"] | None = None,
    truly_random: Share = 0.0,
) -> Explored:
    """Choose a legal action for each game; where none is legal, action 0.

    epsilon: probability of a random decision: every action as likely.
    boltzmann: share of the other decisions that the softmax of value / temperature makes. The rest are greedy:
        the best action, the lowest index where several are.
    loses: the actions that lose at once. Random and Boltzmann decisions avoid them where there are others, except
        for a share `truly_random` of them, which become random among all legal actions. None: nothing is avoided.
    """
    chex.assert_equal_shape([value, legal, legal if loses is None else loses])
    shares_key, action_key = jax.random.split(key)
    if loses is None:
        allowed, truly_random = legal, 0.0
    else:
        safe = legal & ~loses
        allowed = jnp.where(jnp.any(safe, axis=-1, keepdims=True), safe, legal)
    greedily, *shares = _shares(value.shape[0], epsilon, boltzmann, truly_random)
    # How each of the other ways to decide weighs the actions, [B, A].
    weights = (
        _softmax_weights(value, allowed, temperature),
        jnp.asarray(allowed, jnp.float32),
        jnp.asarray(legal, jnp.float32),
    )
    way = _pick(shares_key, jnp.stack([greedily, *shares], axis=-1))  # [B]
    among = jax.lax.select_n(jnp.broadcast_to(jnp.maximum(way - 1, 0)[:, None], value.shape), *weights)
    best = best_action(value, legal)
    action = jnp.where(way == Decider.GREEDY, best, _draw(action_key, among))
    probability = jnp.where(action == best, greedily, 0.0)
    for share, weight in zip(shares, weights, strict=True):
        probability += share * _at(weight, action) / jnp.maximum(jnp.sum(weight, axis=-1), 1.0)
    return Explored(action, jnp.minimum(way, Decider.RANDOM), probability)


def _shares(
    num_games: int, epsilon: Share, boltzmann: Share, truly_random: Share
) -> tuple[Float32[Array, "B"], ...]:
    """Return how likely each way to decide is: greedy, Boltzmann, random as far as allowed, truly random."""
    epsilon, boltzmann, truly_random = (
        jnp.broadcast_to(jnp.asarray(share, jnp.float32), (num_games,))
        for share in (epsilon, boltzmann, truly_random)
    )
    by_boltzmann = (1.0 - epsilon) * boltzmann
    careful = 1.0 - truly_random
    return (
        (1.0 - epsilon) * (1.0 - boltzmann),
        careful * by_boltzmann,
        careful * epsilon,
        truly_random * (by_boltzmann + epsilon),
    )


def _softmax_weights(
    value: Float32[Array, "B A"], allowed: Bool[Array, "B A"], temperature: Share
) -> Float32[Array, "B A"]:
    """Weigh allowed actions by exp(value / temperature), the best by 1."""
    warmth = jnp.maximum(jnp.asarray(temperature, jnp.float32), SMALLEST_TEMPERATURE)
    warmth = jnp.broadcast_to(warmth, value.shape[:1])[:, None]
    highest = jnp.max(jnp.where(allowed, value, -jnp.inf), axis=-1, keepdims=True)
    return jnp.where(allowed, jnp.exp((value - highest) / warmth), 0.0)


def _draw(key: PRNGKeyArray, weights: Float32[Array, "B A"]) -> Int32[Array, "B"]:
    """Draw an action for each game in proportion to weights of any sum; 0 where all weights are 0.

    First a run of about sqrt(A) actions, then one of it: running sums over all actions, or a random number for each
    as a categorical draw takes, would cost more than everything else here.
    """
    run_key, place_key = jax.random.split(key)
    num_games, num_actions = weights.shape
    width = math.isqrt(num_actions - 1) + 1
    num_runs = -(-num_actions // width)
    runs = jnp.pad(weights, ((0, 0), (0, num_runs * width - num_actions))).reshape(num_games, num_runs, width)
    run = _pick(run_key, jnp.sum(runs, axis=-1))
    of_run = jnp.take_along_axis(runs, run[:, None, None], axis=1)[:, 0]  # [B, width]
    return run * width + _pick(place_key, of_run)


def _pick(key: PRNGKeyArray, weights: Float32[Array, "B N"]) -> Int32[Array, "B"]:
    """Draw one of a few for each game in proportion to weights of any sum; 0 where all weights are 0."""
    sums = jnp.cumsum(weights, axis=-1)
    # The sum up to the last weight: one after it may be larger by rounding, and what lies beyond is nobody's.
    largest = jnp.max(jnp.where(weights > 0, sums, 0.0), axis=-1, keepdims=True)
    point = jax.random.uniform(key, weights.shape[:1])[:, None] * largest
    # Rounding may let the sums rise where a weight is 0: that is never drawn.
    return jnp.asarray(jnp.argmax((sums > point) & (weights > 0), axis=-1), jnp.int32)


def _at(values: Float32[Array, "B A"], action: Int32[Array, "B"]) -> Float32[Array, "B"]:
    return jnp.take_along_axis(values, action[:, None], axis=-1)[:, 0]
