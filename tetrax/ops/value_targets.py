"""What values of actions are learned towards.

In all of them step t goes from an observation through `reward[t]` to the one that follows, its follow-up: the
next observation, or, where a game ended or was cut off at t, the true last one and not the first of the next
game. A terminated step is worth its reward alone; a truncated one keeps the value of its follow-up. Where both
are set, terminated wins.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Float32, Int32

Scalar = float | Float[Array, ""]

RESCALING = 1e-3  # how much of the linear part `rescale` keeps, as R2D2 has it


class Gain(NamedTuple):
    """What n steps, or those until a game's end, bring: a target is gained + discount * value(follow-up of `last`)."""

    gained: Array  # float32[*B], the sum of discounted rewards
    discount: Array  # float32[*B], to the power of the steps taken; 0 after termination
    last: Array  # int32[*B], the step that the target ends with: the first end, or else n - 1


def n_step(
    reward: Float32[Array, "n *B"],
    terminated: Bool[Array, "n *B"],
    truncated: Bool[Array, "n *B"],
    discount: Scalar,
) -> Gain:
    """Add up n steps, or those until a game's end (Sutton & Barto 2018, equation 7.1)."""
    chex.assert_equal_shape([reward, terminated, truncated])
    num_steps = reward.shape[0]
    ended = terminated | truncated
    num_ends = jnp.cumsum(jnp.asarray(ended, jnp.int32), axis=0)  # [n, B], up to and with each step
    is_before = num_ends == 0
    num_before = jnp.sum(is_before, axis=0, dtype=jnp.int32)  # [B], steps before the first end
    steps = jnp.arange(num_steps, dtype=jnp.int32).reshape(num_steps, *(1,) * (reward.ndim - 1))
    powers = jnp.asarray(discount, jnp.float32) ** jnp.asarray(steps, jnp.float32)  # [n, 1...]
    gained = jnp.sum(jnp.where(steps <= num_before[None], powers * reward, 0.0), axis=0)
    last = jnp.minimum(num_before, num_steps - 1)
    end_discount = jnp.asarray(discount, jnp.float32) ** jnp.asarray(last + 1, jnp.float32)
    is_terminated = jnp.take_along_axis(terminated, last[None], axis=0)[0]
    return Gain(gained, jnp.where(is_terminated, 0.0, end_discount), last)


def q_lambda(
    reward: Float32[Array, "T *B"],
    terminated: Bool[Array, "T *B"],
    truncated: Bool[Array, "T *B"],
    next_value: Float32[Array, "T *B"],
    next_follows: Bool[Array, "T *B"] | None,
    discount: Scalar,
    lambda_: Scalar,
) -> Float32[Array, "T *B"]:
    """Return the lambda returns of a rollout, which mix the n-step returns of all n.

    next_value: the best action's value in each step's follow-up.
    next_follows: whether the action taken after each step was such a best one: the return is cut where it was not
        (Watkins 1989). None cuts at ends alone (Peng & Williams 1996, "Incremental multi-step Q-learning"; with
        values of a policy's own actions TD(lambda), Sutton & Barto 2018, equation 12.18).
    """
    chex.assert_equal_shape([reward, terminated, truncated, next_value])
    ended = terminated | truncated
    goes_on = ~ended if next_follows is None else ~ended & next_follows
    value = jnp.where(terminated, 0.0, next_value)  # [T, B]
    trace = jnp.where(goes_on, jnp.full_like(reward, lambda_), 0.0)  # [T, B]

    def step(later: Array, now: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        reward, value, trace = now
        found = reward + discount * (value + trace * (later - value))
        return found, found

    # After the last step there is its follow-up's value alone, whatever the trace.
    _, returns = jax.lax.scan(step, value[-1], (reward, value, trace), reverse=True)
    return returns


def best_action(value: Float32[Array, "*B A"], legal: Bool[Array, "*B A"]) -> Int32[Array, "*B"]:
    """Return the legal action of the highest value, the lowest index where several are; 0 where none is legal."""
    return jnp.asarray(jnp.argmax(jnp.where(legal, value, -jnp.inf), axis=-1), jnp.int32)


def rescale(value: Float32[Array, "*B"], epsilon: float = RESCALING) -> Float32[Array, "*B"]:
    """Bring returns of any size within reach: h(z) of Pohlen et al. 2018 (arXiv 1805.11593, section 3.2)."""
    # sign(z) (sqrt(|z| + 1) - 1) + epsilon z, multiplied out: smooth at 0, and nothing cancels in float32.
    return value / (jnp.sqrt(jnp.abs(value) + 1.0) + 1.0) + epsilon * value


def unrescale(value: Float32[Array, "*B"], epsilon: float = RESCALING) -> Float32[Array, "*B"]:
    """Undo `rescale`."""
    # sign(z) (((sqrt(1 + 4 epsilon (|z| + 1 + epsilon)) - 1) / (2 epsilon))^2 - 1), multiplied out likewise.
    size, middle = jnp.abs(value), 1.0 + 2.0 * epsilon
    divisor = jnp.sqrt(middle**2 + 4.0 * epsilon * size) + middle
    return 4.0 * (value / divisor) * (1.0 + size / divisor)
