"""A categorical distribution over the legal actions."""

import chex
import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Bool, Float, Int, Key

# The log-probability of an illegal action: finite, so that it can be subtracted, and its exponential is 0.
ILLEGAL = float(jnp.finfo(jnp.float32).min)


class MaskedCategorical(struct.PyTreeNode, kw_only=True):
    """A softmax over the actions that are legal (mask True).

    Where no action is legal there is nothing to choose: every log-probability and the entropy are 0, sample and
    mode are action 0, and no gradient flows.
    """

    log_probabilities: Array  # float32[..., A], ILLEGAL where illegal (0 where nothing is legal)
    legal: Array  # bool[..., A]

    @classmethod
    def from_logits(cls, logits: Float[Array, "*B A"], legal: Bool[Array, "*B A"]) -> "MaskedCategorical":
        """Normalise logits over the legal actions; finite there, elsewhere of no matter."""
        chex.assert_equal_shape([logits, legal])
        any_legal = jnp.any(legal, axis=-1, keepdims=True)  # [..., 1]
        highest = jnp.max(jnp.where(legal, logits, ILLEGAL), axis=-1, keepdims=True)
        # The shift keeps exp in range and cancels out of the result, hence out of the gradient as well.
        shifted = jnp.where(legal, logits - jax.lax.stop_gradient(highest), 0.0)
        total = jnp.sum(jnp.where(legal, jnp.exp(shifted), 0.0), axis=-1, keepdims=True)
        log_total = jnp.log(jnp.where(any_legal, total, 1.0))
        illegal_value = jnp.where(any_legal, ILLEGAL, 0.0)
        return cls(log_probabilities=jnp.where(legal, shifted - log_total, illegal_value), legal=legal)

    @property
    def probabilities(self) -> Float[Array, "*B A"]:
        """Probabilities; exactly 0 where illegal."""
        return jnp.where(self.legal, jnp.exp(self.log_probabilities), 0.0)

    def log_prob(self, action: Int[Array, "*B"]) -> Float[Array, "*B"]:
        """Log-probability of an action."""
        chex.assert_shape(action, self.legal.shape[:-1])
        return jnp.take_along_axis(self.log_probabilities, action[..., None], axis=-1)[..., 0]

    def entropy(self) -> Float[Array, "*B"]:
        """Entropy in nats."""
        return -jnp.sum(self.probabilities * self.log_probabilities, axis=-1)

    def sample(self, key: Key[Array, ""]) -> Int[Array, "*B"]:
        """Draw one action for each row."""
        return jax.random.categorical(key, jnp.where(self.legal, self.log_probabilities, ILLEGAL))

    def mode(self) -> Int[Array, "*B"]:
        """The most probable action, the lowest index where several are."""
        return jnp.argmax(jnp.where(self.legal, self.log_probabilities, ILLEGAL), axis=-1)
