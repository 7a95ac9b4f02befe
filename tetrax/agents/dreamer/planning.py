"""Looking ahead before acting: games imagined from every action, played on by the actor and judged by the critic.

A rollout algorithm (Tesauro and Galperin 1996, "On-line Policy Improvement using Monte-Carlo Search") in the learned
model. Where model and critic are right and games are many, the best action is at least as good as the actor's.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.agents.dreamer.dreamer_config import DreamerConfig
from tetrax.agents.dreamer.mind import Mind
from tetrax.ops import returns
from tetrax.ops.distributions import MaskedCategorical
from tetrax.world_model import imagination, judges
from tetrax.world_model.latents import ModelState


class Outlook(NamedTuple):
    """What the model and the critic make of K actions in each of B games."""

    action: Array  # int32[B, K], the actor's most probable first
    legal: Array  # bool[B, K]
    value: Array  # float32[B, K], the mean return of the games that begin with it


def look_ahead(
    mind: Mind,
    config: DreamerConfig,
    params: Any,
    state: ModelState,
    prior: MaskedCategorical,
    key: PRNGKeyArray,
) -> Outlook:
    """Imagine `planned_rollouts` games from each candidate of B states; all candidates meet the same chances."""
    num_actions, rollouts = prior.legal.shape[-1], config.planned_rollouts
    num = min(config.planned_candidates or num_actions, num_actions)
    ranked = jnp.where(prior.legal, prior.log_probabilities, -jnp.inf)
    candidates = jax.lax.top_k(ranked, num)[1]  # [B, K]
    starts = jax.tree.map(lambda leaf: jnp.repeat(leaf, rollouts, axis=0), state)  # [B * rollouts, ...]

    def judge(action: Int32[Array, "B"]) -> Float32[Array, "B"]:
        first = jnp.repeat(action, rollouts)
        imagined = imagination.imagine(
            mind.world, mind.actor, params, starts, config.planned_steps, key, first=first
        )
        features = jnp.concatenate([imagined.features, imagined.last_features[None]])
        logits = judges.apply(mind.critic, params["critic"], features)
        values = judges.value(config.model, logits)  # [T + 1, B * rollouts]
        found = returns.lambda_returns(
            imagined.reward, imagined.goes_on, values, jnp.ones_like(values), 1.0, config.return_lambda
        )
        return jnp.mean(found[0].reshape(-1, rollouts), axis=-1)

    return Outlook(
        action=candidates,
        legal=jnp.take_along_axis(prior.legal, candidates, axis=-1),
        value=jax.vmap(judge, in_axes=1, out_axes=1)(candidates),
    )


def improve(prior: MaskedCategorical, outlook: Outlook, temperature: float) -> MaskedCategorical:
    """Return the prior over the candidates, e times as probable for each `temperature` that an action is better.

    Its most probable action is the best one where the temperature is low; a higher one lets the prior decide between
    values that differ by chance. No other policy has a higher mean value less `temperature` times the divergence from
    the prior (Abdolmaleki et al. 2018, arXiv 1806.06920).
    """
    rows = jnp.arange(prior.legal.shape[0])[:, None]
    value = jnp.zeros_like(prior.log_probabilities).at[rows, outlook.action].set(outlook.value)
    legal = jnp.zeros_like(prior.legal).at[rows, outlook.action].set(outlook.legal)
    return MaskedCategorical.from_logits(prior.log_probabilities + value / temperature, legal)
