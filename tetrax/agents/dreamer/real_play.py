"""Learning to act from what was really played, too; from imagination only once the model is good.

Dyna (Sutton 1991) with warm-up (Dedieu et al. 2025, arXiv 2502.01591). What another policy played long ago is trusted
less: ratios of probabilities are clipped at 1, as in V-trace (Espeholt et al. 2018, arXiv 1802.01561, section 4).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.ops import returns
from tetrax.ops.distributions import MaskedCategorical

Scalar = Float32[Array, ""]


class Gained(NamedTuple):
    """What came of the first T - 1 of T moments of N sequences; nothing has a gradient."""

    returns: Array  # float32[T - 1, N], of the action that was taken
    target: Array  # float32[T - 1, N], what the moment is worth in the light of it
    counts: Array  # float32[T - 1, N], 0 where the game is over: what follows is another one


def trust(
    chosen_from: MaskedCategorical, action: Int32[Array, "T N"], log_prob: Float32[Array, "T N"]
) -> Array:
    """Return how far each action counts, float32[T, N]: how much as probable it is as when it was taken, at most 1."""
    return jnp.exp(jnp.minimum(chosen_from.log_prob(action) - log_prob, 0.0))


def judge(
    reward: Float32[Array, "T N"],
    terminated: Bool[Array, "T N"],
    truncated: Bool[Array, "T N"],
    worth: Float32[Array, "T N"],
    trusted: Float32[Array, "T N"] | None,
    discount: Scalar,
    lambda_: Scalar,
) -> Gained:
    """Say what was gained, from rewards on the way to moments and from what moments are worth without looking on.

    A return goes on through an action as far as it is `trusted`; None: everything is, as published.
    """
    is_over = terminated | truncated
    goes_on = 1.0 - is_over.astype(jnp.float32)
    found = returns.lambda_returns(
        reward,
        1.0 - terminated.astype(jnp.float32),
        worth,
        goes_on if trusted is None else goes_on * trusted,
        discount,
        lambda_,
    )
    target = found if trusted is None else worth[:-1] + trusted[:-1] * (found - worth[:-1])
    return Gained(returns=found, target=target, counts=goes_on[:-1])


def policy_loss(
    chosen_from: MaskedCategorical,
    action: Int32[Array, "T N"],
    advantage: Float32[Array, "T-1 N"],
    trusted: Float32[Array, "T N"],
    counts: Float32[Array, "T-1 N"],
    entropy: Scalar,
) -> Scalar:
    """Return what the actor gets wrong of what was played: the policy gradient, each step as far as it is trusted."""
    gain = trusted[:-1] * chosen_from.log_prob(action)[:-1] * advantage
    return -jnp.mean(counts * (gain + entropy * chosen_from.entropy()[:-1]))
