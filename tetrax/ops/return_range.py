"""The range that returns lie in, which advantages are measured by.

Hafner et al. 2023 (arXiv 2301.04104), equation 7: the exponential average of the distance between the 5th and the 95th
percentile; returns that lie close together are not blown up.
"""

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float32

LOW, HIGH = 5.0, 95.0  # percentiles
RATE = 0.01  # of the average
SMALLEST = 1.0  # in units of reward


class ReturnRange(struct.PyTreeNode):
    """Where most returns lie."""

    low: Array  # float32[]
    high: Array  # float32[]

    @property
    def size(self) -> Float32[Array, ""]:
        """Return what advantages are divided by."""
        return jnp.maximum(self.high - self.low, SMALLEST)


def empty() -> ReturnRange:
    """Return the range before any return: both ends 0, as published."""
    return ReturnRange(low=jnp.float32(0), high=jnp.float32(0))


def update(found: ReturnRange, returns: Float32[Array, "*n"]) -> ReturnRange:
    """Move the range towards that of a batch of returns."""
    low, high = jnp.percentile(returns, jnp.array([LOW, HIGH], jnp.float32))
    return ReturnRange(
        low=(1.0 - RATE) * found.low + RATE * low, high=(1.0 - RATE) * found.high + RATE * high
    )
