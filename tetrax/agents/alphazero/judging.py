"""What the network says of positions, and what it learns of them, in the two forms that it has.

Actions: a policy and a value. Afterstates: one value V for each board that a placement leaves. A placement is worth
its reward, which is known before it is made, and the discounted V of its afterstate (Sutton and Barto 2018, section
6.8); the policy is the softmax of these worths, and a position is worth its best placement. It is learned of all
placements that the search looked at (TreeStrap: Veness et al. 2009, "Bootstrapping from Game Tree Search"): else
what the network likes too much, and the search finds to be bad, is never made and stays liked.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.agents import kept_games
from tetrax.agents.alphazero.alphazero_config import AlphaZeroConfig
from tetrax.env.contract import Game, Observation, example_observation
from tetrax.networks import actor_critic, q_network
from tetrax.ops import normalise
from tetrax.ops.distributions import MaskedCategorical
from tetrax.ops.normalise import RunningMoments

MOST_KEPT = 8  # placements of a position that a value is learned of


class Searcher(NamedTuple):
    """What never changes while an agent plays."""

    config: AlphaZeroConfig
    env: Game
    network: Any  # an ActorCritic, or where afterstates are learned of a QNetwork of one output
    learns_afterstates: bool

    @property
    def num_others(self) -> int:
        """Return of how many placements beside the one that is made a value is learned: those that are looked at."""
        if not self.learns_afterstates:
            return 0
        return min(self.config.num_looked_at, self.env.spec.num_actions, MOST_KEPT) - 1


class Judgement(NamedTuple):
    """What the network's numbers depend on beside the observation."""

    params: Any  # of the network
    value_moments: RunningMoments
    discount: Array  # float32[]


class Slot(NamedTuple):
    """One position as the replay keeps it."""

    # uint32[N], the game, packed; or the Observation with some placements, the one that was made first, `legal` where
    # something was found out
    seen: Any
    # float32[A], the policy that search made of it; None where afterstates are learned of
    weights: Array | None
    value: (
        Array  # in rewards: float32[], of the position to who decides; or float32[kept], of the afterstates
    )


def make_searcher(config: AlphaZeroConfig, env: Game) -> Searcher:
    """Return what plays and learns, with the network that the form needs."""
    if config.learns_afterstates(env):
        return Searcher(config, env, q_network.q_network(env, config.network), True)
    return Searcher(config, env, actor_critic.actor_critic(env, config.network), False)


def initial_params(searcher: Searcher, key: PRNGKeyArray) -> Any:
    """Draw the network's parameters."""
    seen = example_observation(searcher.env)
    if searcher.learns_afterstates:
        return q_network.initial_params(searcher.network, key, seen)
    return actor_critic.initial_params(searcher.network, searcher.config.network, key, seen)


def judge(
    searcher: Searcher, judgement: Judgement, seen: Observation
) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
    """Return logits, and values in rewards."""
    if not searcher.learns_afterstates:
        logits, value, _ = actor_critic.judge(searcher.network, judgement.params, seen, (), None)
        return logits, _in_rewards(searcher, judgement, value)
    after = seen.afterstates
    assert after is not None and after.reward is not None
    value = _in_rewards(searcher, judgement, _afterstate_values(searcher, judgement.params, seen))
    worths = after.reward + jnp.where(after.terminated, 0.0, judgement.discount * value)
    best = jnp.max(worths, axis=-1, where=seen.legal, initial=-jnp.inf)
    return worths / searcher.config.temperature, jnp.where(jnp.any(seen.legal, axis=-1), best, 0.0)


def keep(
    searcher: Searcher, game: Any, seen: Observation, action: Int32[Array, "B"], visits: Int32[Array, "B A"]
) -> tuple[Any, Int32[Array, "B others"]]:
    """Return what the replay keeps of B positions (`Slot.seen`), and which other placements are in it.

    These are the ones that the search looked at most. The games lie on the last axis.
    """
    if not searcher.learns_afterstates:
        return kept_games.pack(game), jnp.zeros((action.shape[0], 0), jnp.int32)
    is_made = jnp.arange(visits.shape[-1])[None] == action[:, None]
    most, others = jax.lax.top_k(jnp.where(is_made, -1, visits), searcher.num_others)
    kept = kept_games.keep_placements(seen, jnp.concatenate([action[:, None], others], axis=1))
    is_known = jnp.concatenate([jnp.ones_like(action[:, None], bool), most > 0], axis=1)
    return kept.replace(legal=kept.legal & is_known), others


def is_learned(searcher: Searcher, slots: Slot) -> Bool[Array, "*n"]:
    """Tell which values are learned: not of afterstates that were seen to end the game, or that nothing is known of."""
    if searcher.learns_afterstates:
        return slots.seen.legal & ~slots.seen.afterstates.terminated
    return jnp.ones(slots.value.shape, bool)


def loss(
    searcher: Searcher, params: Any, state: Any, slots: Slot
) -> tuple[Float32[Array, ""], dict[str, Array]]:
    """Return the loss on N positions, and its parts.

    Actions: AlphaZero's (equation 1 of the paper, without decay of weights). Afterstates: the value loss alone; those
    that were seen to end the game teach nothing, since nothing is judged there.
    """
    target = slots.value
    if searcher.config.normalise_values:
        target = normalise.normalise(state.value_moments, target)
    if searcher.learns_afterstates:
        value = _afterstate_values(searcher, params, slots.seen)
        value_loss = jnp.mean(jnp.where(is_learned(searcher, slots), (value - target) ** 2, 0.0))
        total = state.tunables["value_loss"] * value_loss
        return total, {"loss/value": value_loss, "loss/total": total}
    assert slots.weights is not None
    discount = state.tunables["discount"]
    observation = kept_games.show(searcher.env, state.env_params, discount, slots.seen)
    logits, value, _ = actor_critic.judge(searcher.network, params, observation, (), None)
    distribution = MaskedCategorical.from_logits(logits, observation.legal)
    log_probabilities = jnp.where(observation.legal, distribution.log_probabilities, 0.0)
    policy_loss = -jnp.mean(jnp.sum(slots.weights * log_probabilities, axis=-1))
    value_loss = jnp.mean((value - target) ** 2)
    total = policy_loss + state.tunables["value_loss"] * value_loss
    return total, {
        "loss/policy": policy_loss,
        "loss/value": value_loss,
        "loss/total": total,
        "entropy": jnp.mean(distribution.entropy()),
    }


def _afterstate_values(searcher: Searcher, params: Any, seen: Observation) -> Float32[Array, "B A"]:
    """Return what the network says of each afterstate, in the units in which it learns."""
    judged: Any = searcher.network.apply(params, seen, (), jnp.zeros(seen.legal.shape[:-1], bool))
    return judged[0][..., 0]


def _in_rewards(searcher: Searcher, judgement: Judgement, value: Array) -> Array:
    """Return what the network says of a value in units of reward."""
    return (
        normalise.denormalise(judgement.value_moments, value) if searcher.config.normalise_values else value
    )
