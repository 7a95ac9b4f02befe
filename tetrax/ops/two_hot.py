"""Numbers as distributions over fixed bins, so that rewards and returns of any size are learned as classes are.

Hafner et al. 2023, "Mastering Diverse Domains through World Models" (arXiv 2301.04104), "Robust predictions".
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float32

LARGEST_EXPONENT = 20.0  # of the published bins: symexp(20) is 4.9e8


def symlog(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Return sign(x) ln(1 + |x|): about x near 0, its logarithm far away (Hafner et al. 2023, equation 8)."""
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


def symexp(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Undo `symlog`."""
    return jnp.sign(x) * jnp.expm1(jnp.abs(x))


def symexp_bins(num_bins: int, largest_exponent: float = LARGEST_EXPONENT) -> Float32[np.ndarray, "Z"]:
    """Return an odd number of bins, symmetric around a bin of exactly 0, that grow as exponentials.

    They are symexp of even steps from -`largest_exponent` to it (Hafner et al. 2023, equation 10). ValueError for an
    even number of bins, or fewer than three.
    """
    if num_bins < 3 or num_bins % 2 == 0:
        raise ValueError(f"num_bins: given {num_bins}; allowed: 3 or more, odd")
    exponents = np.linspace(-largest_exponent, 0.0, num_bins // 2 + 1)
    negative = -np.expm1(-exponents)
    return np.concatenate([negative, -negative[-2::-1]]).astype(np.float32)


def mean(logits: Float32[Array, "*n Z"], bins: Float32[np.ndarray, "Z"]) -> Float32[Array, "*n"]:
    """Return the mean of the distribution that logits give over symmetric bins.

    Each bin's share is first compared with that of its mirror image, so that even logits give exactly 0. Products of
    both with their bins, added up, would leave rounding errors that outweigh what is near: the far bins are 4.9e8.
    """
    chex.assert_equal(logits.shape[-1], bins.shape[0])
    middle = bins.shape[0] // 2
    highest = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    shares = jnp.exp(logits - highest)  # not divided one by one by their sum, but the result
    more = shares[..., middle + 1 :] - shares[..., :middle][..., ::-1]
    weighed = jnp.sum(more * bins[middle + 1 :].reshape((1,) * (logits.ndim - 1) + (middle,)), axis=-1)
    return weighed / jnp.sum(shares, axis=-1)


def encode(x: Float32[Array, "*n"], bins: Float32[np.ndarray, "Z"]) -> Float32[Array, "*n Z"]:
    """Share each number between the two bins around it, the more the nearer, so that the mean is the number.

    What lies outside of the bins goes to the nearest (Hafner et al. 2023, equation 9, after Bellemare et al. 2017).
    """
    edges = bins.reshape((1,) * x.ndim + bins.shape)
    values = jnp.clip(x, bins[0], bins[-1])[..., None]  # [*n, 1]
    # A bin's share falls in a straight line from 1 at itself to 0 at its neighbours.
    lower = np.concatenate([2 * bins[:1], bins[:-1]]).reshape(edges.shape)
    upper = np.concatenate([bins[1:], 2 * bins[-1:]]).reshape(edges.shape)
    rising = (values - lower) / (edges - lower)
    falling = (upper - values) / (upper - edges)
    return jnp.clip(jnp.minimum(rising, falling), 0.0, 1.0).astype(jnp.float32)


def loss(
    logits: Float32[Array, "*n Z"], target: Float32[Array, "*n"], bins: Float32[np.ndarray, "Z"]
) -> Float32[Array, "*n"]:
    """Return the cross-entropy in nats of logits against numbers; no gradient flows to the numbers."""
    return cross_entropy(logits, encode(jax.lax.stop_gradient(target), bins))


def cross_entropy(logits: Float32[Array, "*n Z"], shares: Float32[Array, "*n Z"]) -> Float32[Array, "*n"]:
    """Return the cross-entropy in nats of logits against shares of the bins, which may be those of several numbers."""
    return -jnp.sum(shares * jax.nn.log_softmax(logits, axis=-1), axis=-1)
