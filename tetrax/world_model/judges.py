"""What reads a model's states and acts on them: actor and critic."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.env.contract import Shown
from tetrax.ops import two_hot
from tetrax.ops.distributions import ILLEGAL, MaskedCategorical
from tetrax.world_model import latents
from tetrax.world_model.column_layers import ColumnHead, column_layout
from tetrax.world_model.model import bins
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.normed import Head, head

Judge = Head | ColumnHead

ACTOR_SCALE = 0.01  # of its last layer's first weights: it starts out nearly uniform


def actor(config: WorldModelConfig, shown: Shown, num_actions: int) -> Judge:
    """Return the network from states to the logits of actions."""
    if config.state != "vector":
        layout = column_layout(config, shown)
        by_column = shown.acts_by_column
        return ColumnHead(config, layout, config.actor_layers, num_actions, ACTOR_SCALE, by_column)
    return head(config, config.actor_layers, num_actions, ACTOR_SCALE)


def critic(config: WorldModelConfig, shown: Shown) -> Judge:
    """Return the network from states to logits over the bins of returns: at first exactly 0 is expected."""
    if config.state != "vector":
        return ColumnHead(config, column_layout(config, shown), config.actor_layers, config.bins, scale=0.0)
    return head(config, config.actor_layers, config.bins, scale=0.0)


def policy(logits: Float32[Array, "*n A"], legal: Bool[Array, "*n A"], mixture: float) -> MaskedCategorical:
    """Return the distribution over legal actions, with a share of the uniform one; over nothing where none is."""
    chosen = MaskedCategorical.from_logits(logits, legal)
    if not mixture:
        return chosen
    num_legal = jnp.maximum(jnp.sum(legal, axis=-1, keepdims=True), 1).astype(jnp.float32)
    mixed = (1.0 - mixture) * chosen.probabilities + mixture / num_legal
    any_legal = jnp.any(legal, axis=-1, keepdims=True)
    log_mixed = jnp.log(jnp.where(legal, mixed, 1.0))
    return chosen.replace(
        log_probabilities=jnp.where(legal, log_mixed, jnp.where(any_legal, chosen.log_probabilities, 0.0))
    )


def draw_action(chosen: MaskedCategorical, uniform: Float32[Array, "*n"]) -> Int32[Array, "*n"]:
    """Draw one action by one uniform number."""
    return latents.invert(chosen.probabilities, uniform)


def draw_legal(
    logits: Float32[Array, "*n A"], legal: Bool[Array, "*n A"], mixture: float, uniform: Float32[Array, "*n"]
) -> Int32[Array, "*n"]:
    """Draw actions of `policy` without its logarithms, which take longer than the rest. Some action must be legal."""
    highest = jnp.max(jnp.where(legal, logits, ILLEGAL), axis=-1, keepdims=True)
    shares = jnp.where(legal, jnp.exp(jnp.minimum(logits - highest, 0.0)), 0.0)
    num_legal = jnp.sum(legal, axis=-1, keepdims=True).astype(jnp.float32)
    evenly = jnp.where(legal, mixture / num_legal, 0.0)
    probabilities = (1.0 - mixture) * shares / jnp.sum(shares, axis=-1, keepdims=True) + evenly
    return latents.invert(probabilities, uniform)


def value(config: WorldModelConfig, logits: Float32[Array, "*n Z"]) -> Float32[Array, "*n"]:
    """Return the return that a critic's logits expect."""
    return two_hot.mean(logits, bins(config))


def apply(network: Judge, params: Any, features: Float32[Array, "*n F"]) -> Float32[Array, "*n Z"]:
    """Read states."""
    read: Any = network.apply(params, features)
    return jnp.asarray(read, jnp.float32)


def hold(tree: Any) -> Any:
    """Let no gradient flow to a tree."""
    return jax.lax.stop_gradient(tree)
