"""Predictors of the next latents that disagree where little is known.

Plan2Explore (Sekar et al. 2020, arXiv 2005.05960, section 3): members that differ by their first weights alone learn
the same thing. They come to agree on what was seen often, also on how often what chance decides comes out, since each
foretells probabilities; where they differ there is something to learn.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.world_model import latents
from tetrax.world_model.judges import hold
from tetrax.world_model.model import AnyModel, initial_state
from tetrax.world_model.normed import Head, head


class Ensemble(NamedTuple):
    """Networks from a state and an action to the latents of the state after it; parameters lie side by side."""

    network: Head  # of one member
    members: int
    actions: int
    latents: int
    classes: int


def ensemble(world: AnyModel, members: int) -> Ensemble:
    """Return the ensemble that fits a model, whatever its kind: it reads the whole of a state."""
    _, num_latents, classes = world.state_sizes
    network = head(world.config, world.config.head_layers, num_latents * classes, scale=1.0)
    return Ensemble(network, members, world.sizes.actions, num_latents, classes)


def initial_params(members: Ensemble, world: AnyModel, key: PRNGKeyArray) -> Any:
    """Draw the parameters of every member, leaves [members, ...]."""
    inputs = _inputs(members, initial_state(world, (1,)).features, jnp.zeros(1, jnp.int32))
    return jax.vmap(lambda member_key: members.network.init(member_key, inputs))(
        jax.random.split(key, members.members)
    )


def foretell(
    members: Ensemble, params: Any, features: Float32[Array, "*n F"], action: Int32[Array, "*n"]
) -> Float32[Array, "members *n latents classes"]:
    """Return the log-probabilities of the latents that come after actions in states, as each member has them."""
    inputs = _inputs(members, features, action)
    logits: Any = jax.vmap(members.network.apply, in_axes=(0, None))(params, inputs)
    return jax.nn.log_softmax(logits.reshape(*logits.shape[:-1], members.latents, members.classes), axis=-1)


def loss(
    members: Ensemble,
    params: Any,
    features: Float32[Array, "*n F"],
    action: Int32[Array, "*n"],
    posterior: Float32[Array, "*n latents classes"],
) -> Float32[Array, "*n"]:
    """Return how far members are, on average, from what was seen next, in nats; no gradient reaches the model."""
    foretold = foretell(members, params, hold(features), action)
    return jnp.mean(latents.divergence(hold(posterior)[None], foretold), axis=0)


def disagreement(
    members: Ensemble, params: Any, features: Float32[Array, "*n F"], action: Int32[Array, "*n"]
) -> Float32[Array, "*n"]:
    """Return the variance over members of what they foretell, 0 (they agree) to 1; it has no gradient.

    Summed over the classes of a latent and averaged over latents: 1 where two members are sure of different classes.
    """
    probabilities = jnp.exp(foretell(members, hold(params), hold(features), action))
    of_latents = jnp.sum(jnp.var(probabilities, axis=0, ddof=1), axis=-1)  # [*n, latents]
    return jnp.mean(of_latents, axis=-1)


def _inputs(
    members: Ensemble, features: Float32[Array, "*n F"], action: Int32[Array, "*n"]
) -> Float32[Array, "*n D"]:
    taken = jax.nn.one_hot(action, members.actions, dtype=jnp.float32)
    return jnp.concatenate([features, taken], axis=-1)
