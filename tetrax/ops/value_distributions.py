"""Values as distributions of returns: by fixed atoms (C51), or by quantiles.

A return that follows a reward is reward + discount * (the return after it): a distribution's values move like
this, atom by atom or quantile by quantile, and their probabilities stay.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

HUBER_WIDTH = 1.0  # kappa, errors up to which the quantile loss is quadratic


def support(lowest: float, highest: float, num_atoms: int) -> Float32[Array, "Z"]:
    """Return the values of Z atoms, evenly spaced (Bellemare et al. 2017, arXiv 1707.06887, section 4)."""
    if num_atoms < 2:
        raise ValueError(f"num_atoms: given {num_atoms}; allowed: 2 or more")
    if not lowest < highest:
        raise ValueError(f"lowest: given {lowest}; allowed: below the highest value ({highest})")
    return jnp.linspace(lowest, highest, num_atoms, dtype=jnp.float32)


def project(
    values: Float32[Array, "*B N"], probabilities: Float32[Array, "*B N"], atoms: Float32[Array, "Z"]
) -> Float32[Array, "*B Z"]:
    """Bring a distribution over any N values onto the atoms of `support` (algorithm 1 of the paper).

    Each value's probability goes to the two atoms around it, the more the nearer; what lies outside of the support
    goes to its nearest end. The sum stays, and, for what lies inside, the mean.
    """
    num_atoms = atoms.shape[0]
    spacing = (atoms[-1] - atoms[0]) / (num_atoms - 1)
    place = jnp.clip((values - atoms[0]) / spacing, 0.0, num_atoms - 1.0)  # [*B, N], in atoms
    numbers = jnp.arange(num_atoms, dtype=jnp.float32).reshape(*(1,) * (values.ndim - 1), num_atoms, 1)
    shares = jnp.maximum(1.0 - jnp.abs(place[..., None, :] - numbers), 0.0)  # [*B, Z, N]
    return jnp.sum(shares * probabilities[..., None, :], axis=-1)


def cross_entropy(logits: Float32[Array, "*B Z"], target: Float32[Array, "*B Z"]) -> Float32[Array, "*B"]:
    """Return the cross-entropy in nats of the softmax of `logits` against probabilities (algorithm 1)."""
    return -jnp.sum(target * jax.nn.log_softmax(logits, axis=-1), axis=-1)


def quantile_huber(
    quantiles: Float32[Array, "*B N"], target: Float32[Array, "*B M"], width: float = HUBER_WIDTH
) -> Float32[Array, "*B"]:
    """Return the quantile Huber loss against samples or quantiles of the target, each as likely.

    Dabney et al. 2018 (arXiv 1710.10044), equation 10, summed over the quantiles and averaged over the target as in
    algorithm 1. Quantile i of N, from 0, is that of level (i + 1/2) / N (lemma 2).
    """
    num_quantiles = quantiles.shape[-1]
    levels = (jnp.arange(num_quantiles, dtype=jnp.float32) + 0.5) / num_quantiles
    levels = levels.reshape(*(1,) * (quantiles.ndim - 1), num_quantiles, 1)
    error = target[..., None, :] - quantiles[..., :, None]  # [*B, N, M]
    size = jnp.abs(error)
    huber = jnp.where(size <= width, 0.5 * error**2, width * (size - 0.5 * width))
    weight = jnp.where(error < 0, 1.0 - levels, levels)
    return jnp.sum(jnp.mean(weight * huber, axis=-1), axis=-1)
