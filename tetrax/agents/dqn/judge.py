"""From what a network says of actions, or of the boards they leave, to the worth of each action, and back.

For each action the network gives Z numbers z: the value itself (Z = 1), the log-odds of Z fixed values
(categorical), or Z quantiles. The worth of an action is offset + scale * (the mean that z stands for): for values of
actions the offset is 0 and the scale 1; for values of afterstates the offset is the reward of the placement and the
scale the discount, or 0 where it ends the game (Szepesvari 2010, "Algorithms for Reinforcement Learning", section
2.1, and Sutton and Barto 2018, section 6.8, on afterstates).
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.agents.dqn.dqn_config import DQNConfig
from tetrax.env.contract import Observation
from tetrax.ops import normalise, value_distributions, value_targets
from tetrax.ops.normalise import RunningMoments

NEVER = -1e9  # the worth of an illegal action: finite, below every other


class Frame(NamedTuple):
    """What turns a judgement of an action into its worth, each float32[..., A] (or [...] of one action)."""

    offset: Array
    scale: Array

    def of_action(self, action: Int32[Array, "*n"]) -> "Frame":
        """Take that of one action: [*n, A] -> [*n]."""
        return Frame(of_action(self.offset, action), of_action(self.scale, action))


class Returns(NamedTuple):
    """Returns that may follow, and how probable each is: float32[..., Z]."""

    values: Array
    probabilities: Array


def frame(learns_afterstates: bool, observation: Observation, discount: Array) -> Frame:
    """Return the frame of every action."""
    if not learns_afterstates:
        ones = jnp.ones(observation.legal.shape, jnp.float32)
        return Frame(jnp.zeros_like(ones), ones)
    after = observation.afterstates
    assert after is not None and after.reward is not None
    return Frame(after.reward, jnp.where(after.terminated, 0.0, discount))


def mean(config: DQNConfig, moments: RunningMoments, z: Float32[Array, "*n Z"]) -> Float32[Array, "*n"]:
    """Return the value that z stands for, in units of reward."""
    possible = returns(config, moments, z)
    return jnp.sum(possible.values * possible.probabilities, axis=-1)


def returns(config: DQNConfig, moments: RunningMoments, z: Float32[Array, "*n Z"]) -> Returns:
    """Return the distribution that z stands for, in units of reward."""
    if config.distribution == "categorical":
        values = jnp.broadcast_to(support(config), z.shape)
        return Returns(values, jax.nn.softmax(z, axis=-1))
    if config.distribution == "quantile":
        return Returns(z, jnp.full(z.shape, 1.0 / config.atoms, jnp.float32))
    if config.value_scale == "rescaled":
        z = value_targets.unrescale(z)
    elif config.value_scale == "normalised":
        z = normalise.denormalise(moments, z)
    return Returns(z, jnp.ones_like(z))


def worth(
    config: DQNConfig,
    moments: RunningMoments,
    z: Float32[Array, "*n A Z"],
    seen: Frame,
    observation: Observation,
) -> Float32[Array, "*n A"]:
    """Return the worth of every action, NEVER where it is illegal."""
    value = mean(config, moments, z)
    chex.assert_equal_shape([value, seen.offset, seen.scale, observation.legal])
    value = seen.offset + seen.scale * value
    return jnp.where(observation.legal, value, NEVER)


def errors(
    config: DQNConfig, moments: RunningMoments, z: Float32[Array, "*n Z"], chosen: Frame, target: Returns
) -> tuple[Float32[Array, "*n"], Float32[Array, "*n"]]:
    """Return the loss of each judgement of a chosen action, given the returns that followed, and its size as an error.

    Where the scale is 0 nothing was judged: both are 0.
    """
    chex.assert_equal_shape_prefix([z, target.values, chosen.offset, chosen.scale], chosen.offset.ndim)
    is_judged = chosen.scale > 0
    scale = jnp.where(is_judged, chosen.scale, 1.0)[..., None]
    target = target._replace(values=(target.values - chosen.offset[..., None]) / scale)
    target = jax.lax.stop_gradient(target)
    if config.distribution == "categorical":
        projected = value_distributions.project(target.values, target.probabilities, support(config))
        loss = value_distributions.cross_entropy(z, projected)
        # Priorities are made of the divergence (Hessel et al. 2018, section 3): what chance alone leaves is no error.
        error = jnp.maximum(loss - jnp.sum(jax.scipy.special.entr(projected), axis=-1), 0.0)
    elif config.distribution == "quantile":
        loss = value_distributions.quantile_huber(z, target.values)
        error = jnp.abs(jnp.mean(z, axis=-1) - jnp.sum(target.values * target.probabilities, axis=-1))
    else:
        difference = (z - _scale(config, moments, target.values))[..., 0]
        error = jnp.abs(difference)
        huber = jnp.where(error <= 1.0, 0.5 * difference**2, error - 0.5)
        loss = huber if config.loss == "huber" else 0.5 * difference**2
    return jnp.where(is_judged, loss, 0.0), jax.lax.stop_gradient(jnp.where(is_judged, error, 0.0))


def support(config: DQNConfig) -> Float32[Array, "Z"]:
    """Return the values of a categorical distribution."""
    return value_distributions.support(config.lowest_value, config.highest_value, config.atoms)


def greedy(worths: Float32[Array, "*n A"]) -> Int32[Array, "*n"]:
    """Return the best action, the lowest index where several are."""
    return jnp.argmax(worths, axis=-1).astype(jnp.int32)


def of_action(values: Array, action: Int32[Array, "*n"]) -> Array:
    """Take what belongs to one action: [*n, A, ...] -> [*n, ...]."""
    index = action.reshape(*action.shape, *(1,) * (values.ndim - action.ndim))
    return jnp.take_along_axis(values, index, axis=action.ndim).squeeze(action.ndim)


def _scale(config: DQNConfig, moments: RunningMoments, value: Float32[Array, "*n"]) -> Float32[Array, "*n"]:
    if config.value_scale == "rescaled":
        return value_targets.rescale(value)
    return normalise.normalise(moments, value) if config.value_scale == "normalised" else value
