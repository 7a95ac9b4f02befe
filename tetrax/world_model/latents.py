"""Categorical latents: with a share of chance in each, drawn with straight gradients, and compared in nats."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32, UInt8


class ModelState(struct.PyTreeNode):
    """A state of the model."""

    deter: Array  # float32[*n, D], what the past makes certain
    stoch: Array  # float32[*n, latents, classes], one-hot

    @property
    def features(self) -> Float32[Array, "*n F"]:
        """Return what heads, actor and critic read: F = D + latents * classes."""
        return jnp.concatenate([self.deter, self.stoch.reshape(*self.stoch.shape[:-2], -1)], axis=-1)


class KeptState(struct.PyTreeNode):
    """A state as a replay keeps it: 2 D bytes and one for each latent."""

    deter: Array  # bfloat16[*n, D]
    classes: Array  # uint8[*n, latents]


def keep(state: ModelState) -> KeptState:
    """Return a state as it is kept."""
    return KeptState(deter=state.deter.astype(jnp.bfloat16), classes=class_of(state.stoch))


def recall(kept: KeptState, num_classes: int) -> ModelState:
    """Undo `keep`, but for what bfloat16 lost."""
    stoch = jax.nn.one_hot(kept.classes.astype(jnp.int32), num_classes, dtype=jnp.float32)
    return ModelState(deter=kept.deter.astype(jnp.float32), stoch=stoch)


def class_of(stoch: Float32[Array, "*n latents classes"]) -> UInt8[Array, "*n latents"]:
    """Return the class of each one-hot latent."""
    return jnp.argmax(stoch, axis=-1).astype(jnp.uint8)


def log_probabilities(
    logits: Float32[Array, "*n latents classes"], mixture: float
) -> Float32[Array, "*n latents classes"]:
    """Normalise logits and mix a share of the uniform distribution in, so that no class is ruled out."""
    if not mixture:
        return jax.nn.log_softmax(logits, axis=-1)
    probabilities = jax.nn.softmax(logits, axis=-1)
    return jnp.log((1.0 - mixture) * probabilities + mixture / logits.shape[-1])


def draw(
    log_probs: Float32[Array, "*n latents classes"], uniform: Float32[Array, "*n latents"]
) -> Float32[Array, "*n latents classes"]:
    """Draw each latent by one uniform number, one-hot; its gradient is that of the probabilities.

    The straight-through estimate (Bengio et al. 2013, arXiv 1308.3432).
    """
    probabilities = jnp.exp(log_probs)
    hot = jax.nn.one_hot(invert(probabilities, uniform), log_probs.shape[-1], dtype=jnp.float32)
    return jax.lax.stop_gradient(hot - probabilities) + probabilities


def invert(probabilities: Float32[Array, "*n classes"], uniform: Float32[Array, "*n"]) -> Int32[Array, "*n"]:
    """Return the class in whose share of the interval from 0 to 1 a uniform number lies, never one of share 0."""
    upper = jnp.cumsum(jax.lax.stop_gradient(probabilities), axis=-1)  # [*n, classes]
    place = uniform[..., None] * upper[..., -1:]
    return jnp.sum(place >= upper[..., :-1], axis=-1, dtype=jnp.int32)


def divergence(
    log_probs: Float32[Array, "*n latents classes"], other: Float32[Array, "*n latents classes"]
) -> Float32[Array, "*n"]:
    """Return the Kullback-Leibler divergence in nats of the latents from others, summed over them."""
    return jnp.sum(jnp.exp(log_probs) * (log_probs - other), axis=(-2, -1))


def balance(
    posterior: Float32[Array, "*n latents classes"],
    prior: Float32[Array, "*n latents classes"],
    free_nats: float | Float32[Array, ""],
) -> tuple[Float32[Array, "*n"], Float32[Array, "*n"]]:
    """Return the losses of dynamics and of representation (Hafner et al. 2023, equation 3).

    The first moves the prior towards the posterior, the second the posterior towards the prior. Below `free_nats`
    neither has a gradient. Arguments are log-probabilities.
    """
    stop = jax.lax.stop_gradient
    dynamics = jnp.maximum(divergence(stop(posterior), prior), free_nats)
    representation = jnp.maximum(divergence(posterior, stop(prior)), free_nats)
    return dynamics, representation
