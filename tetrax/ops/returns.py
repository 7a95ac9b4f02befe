"""Advantages and returns of a rollout, from rewards and value estimates."""

import chex
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

Scalar = float | Float[Array, ""]


def td_errors(
    rewards: Float[Array, "*T"],
    values: Float[Array, "*T"],
    next_values: Float[Array, "*T"],
    terminated: Bool[Array, "*T"],
    discount: Scalar,
) -> Float[Array, "*T"]:
    """Return by how much each step brought more than was expected (Sutton and Barto 2018, equation 6.5).

    `values` are those before the steps, `next_values` those after them, which count unless the game has ended.
    """
    return rewards + discount * jnp.where(terminated, 0.0, next_values) - values


def gae(
    rewards: Float[Array, "T *B"],
    values: Float[Array, "T *B"],
    next_values: Float[Array, "T *B"],
    terminated: Bool[Array, "T *B"],
    truncated: Bool[Array, "T *B"],
    discount: Scalar,
    lambda_: Scalar,
) -> Float[Array, "T *B"]:
    """Estimate generalised advantages (Schulman et al. 2016, arXiv 1506.02438, equation 16).

    Step t goes from an observation worth `values[t]` through `rewards[t]` to one worth `next_values[t]`.
    Where a game ended or was cut off at t, that is the true last observation and not the first of the next
    game. A terminated step is worth its reward alone; a truncated one keeps the bootstrap from
    `next_values`. Either stops the trace, so that no advantage leaks from one game into the one before.
    """
    chex.assert_equal_shape([rewards, values, next_values, terminated, truncated])
    errors = td_errors(rewards, values, next_values, terminated, discount)  # [T, B]
    decays = jnp.where(terminated | truncated, 0.0, jnp.full_like(rewards, discount * lambda_))  # [T, B]

    def step(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        error, decay = now
        advantage = error + decay * later
        return advantage, advantage

    _, advantages = jax.lax.scan(step, jnp.zeros_like(rewards[0]), (errors, decays), reverse=True)
    return advantages


def explained_variance(
    targets: Float[Array, "*B"], values: Float[Array, "*B"], mask: Bool[Array, "*B"] | None = None
) -> Float[Array, ""]:
    """Return the share of the targets' variance, where `mask` is True, that the values explain (1 is perfect)."""
    chex.assert_equal_shape([targets, values])
    variance = jnp.var(targets, where=mask)
    explained = 1.0 - jnp.var(targets - values, where=mask) / jnp.maximum(variance, 1e-12)
    return jnp.where(variance > 0, explained, 0.0)


def lambda_returns(
    rewards: Float[Array, "T *B"],
    continues: Float[Array, "T *B"],
    bootstrap: Float[Array, "T *B"],
    goes_on: Float[Array, "T *B"],
    discount: Scalar,
    lambda_: Scalar,
) -> Float[Array, "T-1 *B"]:
    """Mix the returns of all lengths (Sutton and Barto 2018, equation 12.2; Hafner et al. 2023, equation 4).

    Everything is told of the T moments themselves: `rewards[t]` was gained on the way to moment t, the game goes on
    there with the probability `continues[t]`, and it is worth `bootstrap[t]`. Where `goes_on[t]` is 0 the moments
    after t are of another game, and the return up to t ends with what t is worth. Returns those of the first T - 1.
    """
    chex.assert_equal_shape([rewards, continues, bootstrap, goes_on])
    live = continues[1:] * discount
    trace = goes_on[1:] * lambda_
    known = rewards[1:] + (1.0 - trace) * live * bootstrap[1:]

    def step(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        gained, weight = now
        found = gained + weight * later
        return found, found

    return jax.lax.scan(step, bootstrap[-1], (known, live * trace), reverse=True)[1]
