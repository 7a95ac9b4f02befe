"""Tree search in what the world model imagines, by the planners of `tetrax.search`.

As in MuZero (Schrittwieser et al. 2020, arXiv 1911.08265) the tree's positions are states of a learned model; as in
Gumbel MuZero (Danihelka et al. 2022) the search improves the actor's policy at the root. The latents of a position are
drawn once, when it is first reached: a tree is one course that chance may take, and several trees are averaged.
"""

from typing import Any

import jax
import jax.numpy as jnp
import mctx
from jaxtyping import Array, Float32, Int32, PRNGKeyArray

from tetrax.agents.dreamer.dreamer_config import DreamerConfig
from tetrax.agents.dreamer.mind import Mind
from tetrax.env.contract import Observation, Sight
from tetrax.ops.distributions import MaskedCategorical
from tetrax.search.game_model import Model, only_legal
from tetrax.search.tree import SearchConfig, tree_search
from tetrax.world_model import judges, model
from tetrax.world_model.latents import ModelState

LEAST = 1e-30  # of a probability whose logarithm is taken


def dreamt_model(mind: Mind, config: DreamerConfig, params: Any, prior: MaskedCategorical) -> Model:
    """Return the world model as planners look ahead in it; `Sight.state` gives the model's states of the roots.

    `prior`, of B roots, is the actor's policy there, over the actions that are really legal. Further on the model says
    which are, what a step gains and whether the game goes on, the actor what is worth a look, the critic what a
    position is worth.
    """
    world = mind.world

    def value(params: Any, features: Float32[Array, "B F"]) -> Float32[Array, "B"]:
        return judges.value(config.model, judges.apply(mind.critic, params["critic"], features))

    def root(params: Any, sight: Sight, key: PRNGKeyArray) -> mctx.RootFnOutput:
        del key
        state: ModelState = sight.state
        return mctx.RootFnOutput(
            prior_logits=only_legal(prior.log_probabilities, prior.legal),
            value=value(params, state.features),
            embedding=state,
        )

    def recurrent(
        params: Any, key: PRNGKeyArray, action: Int32[Array, "B"], state: ModelState
    ) -> tuple[mctx.RecurrentFnOutput, ModelState]:
        uniform = jax.random.uniform(key, (action.shape[0], world.state_sizes.latents))
        drive: Any = world.apply(params["model"], action, method=world.drive)
        stepped: Any = world.apply(params["model"], state, drive, uniform, method=world.foresee)
        after: ModelState = stepped.state
        features = after.features
        foretold: Any = world.apply(params["model"], features, method=world.foretell)
        logits = judges.apply(mind.actor, params["actor"], features)
        return mctx.RecurrentFnOutput(
            reward=model.mean_reward(world, foretold),
            discount=jax.nn.sigmoid(foretold.goes_on),
            prior_logits=only_legal(logits, model.likely_legal(world, foretold)),
            value=value(params, features),
        ), after

    return Model(params, root, recurrent)


def search(
    mind: Mind,
    config: DreamerConfig,
    params: Any,
    state: ModelState,
    prior: MaskedCategorical,
    key: PRNGKeyArray,
) -> MaskedCategorical:
    """Return the actor's policy in B states as searching improved it: the mean over `planned_rollouts` trees of each.

    Each tree has `planned_simulations` positions. Actions that no tree considered keep what the search gives them by
    the value of the root (equation 10 of Danihelka et al.).
    """
    params, state = judges.hold((params, state))
    trees = max(config.planned_rollouts, 1)
    start, spread = jax.tree.map(
        lambda leaf: jnp.repeat(leaf, trees, axis=0), (state, prior)
    )  # [B * trees, ...]
    candidates = config.planned_candidates or prior.legal.shape[-1]
    plan = tree_search(SearchConfig(considered=candidates), config.planned_simulations)
    nothing = jnp.zeros((spread.legal.shape[0], 0))
    seen = Observation(pieces=nothing.astype(jnp.int32), features=nothing, legal=spread.legal)
    sight = Sight(observation=seen, is_first=None, state=start)
    _, found = plan(dreamt_model(mind, config, params, spread), sight, key)
    improved = jnp.mean(found.weights.reshape(-1, trees, found.weights.shape[-1]), axis=1)
    return MaskedCategorical.from_logits(jnp.log(jnp.maximum(improved, LEAST)), prior.legal)
