"""One step of gradient descent with settings that may change from step to step."""

from typing import Any

import jax
import optax
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.ops import schedules

ADAM_EPSILON = 1e-5


def init(params: Any, epsilon: float = ADAM_EPSILON) -> Any:
    """Return the state of Adam (Kingma and Ba 2015, arXiv 1412.6980) for parameters."""
    return optax.scale_by_adam(eps=epsilon).init(params)


def step(
    params: Any,
    grads: Any,
    moments: Any,
    rate: Float32[Array, ""],
    max_norm: Float32[Array, ""],
    epsilon: float = ADAM_EPSILON,
) -> tuple[Any, Any, Float32[Array, ""]]:
    """Take one step of Adam along gradients clipped by their global norm.

    Returns the parameters, the moments, and the norm before clipping.
    """
    transform = optax.chain(optax.clip_by_global_norm(max_norm), optax.scale_by_adam(eps=epsilon))
    updates, (_, moments) = transform.update(grads, (optax.EmptyState(), moments), params)
    params = jax.tree.map(lambda param, update: param - rate * update, params, updates)
    return params, moments, optax.tree.norm(grads)


def learning_rate(tunables: dict[str, Array], iteration: Int32[Array, ""]) -> Float32[Array, ""]:
    """Return the step size after so many iterations.

    It goes in a straight line from `learning_rate` to that times `final_learning_rate_fraction` at `horizon`.
    """
    fraction = schedules.linear(iteration, tunables["horizon"], 1.0, tunables["final_learning_rate_fraction"])
    return tunables["learning_rate"] * fraction
