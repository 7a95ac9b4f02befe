"""Numbers that move from one value to another as training goes on.

Step, horizon and values may be arrays: tunables that change while a run goes on. After the horizon the final value
stays; a horizon of 0 means that there is none, and the value stays at its start.
"""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32

Number = Float32[Array, ""] | float


def progress(step: Int32[Array, ""] | int, horizon: Number) -> Float32[Array, ""]:
    """Return the part of the way that is done, from 0 to 1."""
    done = jnp.asarray(step, jnp.float32) / jnp.maximum(jnp.float32(horizon), 1.0)
    return jnp.where(jnp.float32(horizon) > 0, jnp.minimum(done, 1.0), 0.0)


def linear(step: Int32[Array, ""] | int, horizon: Number, start: Number, final: Number) -> Float32[Array, ""]:
    """Return what lies on the straight line from `start`, at step 0, to `final`, at the horizon."""
    start, final = jnp.float32(start), jnp.float32(final)
    return start + progress(step, horizon) * (final - start)


def exponential(
    step: Int32[Array, ""] | int, horizon: Number, start: Number, final: Number
) -> Float32[Array, ""]:
    """Return what changes by the same factor in every step, from `start` to `final`, both above 0."""
    start, final = jnp.float32(start), jnp.float32(final)
    return start * (final / start) ** progress(step, horizon)
