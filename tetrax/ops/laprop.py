"""The optimiser of DreamerV3: gradients clipped against the size of their weights, then momentum of scaled gradients.

Adaptive gradient clipping is of Brock et al. 2021 (arXiv 2102.06171, equation 3), here over whole tensors; LaProp of
Ziyin et al. 2020 (arXiv 2002.04839, algorithm 1). Hafner et al. 2023 (arXiv 2301.04104), "Optimizer".
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32

SMALLEST_NORM = 1e-3  # that weights count as, so that those that are all zero can move
EPSILON = 1e-20
SQUARES_DECAY = 0.999
MOMENTUM_DECAY = 0.9


class Moments(struct.PyTreeNode):
    """What the optimiser remembers; trees like that of the parameters."""

    steps: Array  # int32[], taken so far
    squares: Any  # running means of squared gradients
    momentum: Any  # running means of scaled gradients


def init(params: Any) -> Moments:
    """Return the moments before the first step."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return Moments(steps=jnp.int32(0), squares=zeros, momentum=jax.tree.map(jnp.copy, zeros))


def clip_adaptively(grads: Any, params: Any, fraction: float | Float32[Array, ""]) -> Any:
    """Shrink each tensor's gradient to at most `fraction` of the norm of its weights."""

    def clip(grad: Array, param: Array) -> Array:
        highest = fraction * jnp.maximum(SMALLEST_NORM, jnp.linalg.norm(param))
        return grad / jnp.maximum(1.0, jnp.linalg.norm(grad) / highest)

    return jax.tree.map(clip, grads, params)


def step(
    params: Any,
    grads: Any,
    moments: Moments,
    rate: Float32[Array, ""] | dict[str, Float32[Array, ""]],
    fraction: float | Float32[Array, ""],
) -> tuple[Any, Moments]:
    """Take one step: clip, divide by the root of the mean square, average, go.

    `rate` is the step size, or one for each entry of `params`, which is then a dict with the same names.
    """
    steps = moments.steps + 1
    unbias_squares = 1.0 - jnp.power(jnp.float32(SQUARES_DECAY), steps.astype(jnp.float32))
    unbias_momentum = 1.0 - jnp.power(jnp.float32(MOMENTUM_DECAY), steps.astype(jnp.float32))
    grads = clip_adaptively(grads, params, fraction)
    squares = jax.tree.map(
        lambda old, grad: SQUARES_DECAY * old + (1 - SQUARES_DECAY) * grad**2, moments.squares, grads
    )
    scaled = jax.tree.map(
        lambda grad, square: grad / (jnp.sqrt(square / unbias_squares) + EPSILON), grads, squares
    )
    momentum = jax.tree.map(
        lambda old, new: MOMENTUM_DECAY * old + (1 - MOMENTUM_DECAY) * new, moments.momentum, scaled
    )

    def go(params: Any, momentum: Any, rate: Array) -> Any:
        return jax.tree.map(lambda param, move: param - rate * move / unbias_momentum, params, momentum)

    if isinstance(rate, dict):
        params = {name: go(params[name], momentum[name], rate[name]) for name in params}
    else:
        params = go(params, momentum, rate)
    return params, Moments(steps=steps, squares=squares, momentum=momentum)


def warmed_up(
    rate: Float32[Array, ""], steps: Int32[Array, ""], warmup: Float32[Array, ""]
) -> Float32[Array, ""]:
    """Return the step size after `steps` steps: it rises from 0 to `rate` in a straight line over `warmup` of them."""
    share = jnp.minimum(steps.astype(jnp.float32) / jnp.maximum(warmup, 1.0), 1.0)
    return rate * jnp.where(warmup > 0, share, 1.0)
