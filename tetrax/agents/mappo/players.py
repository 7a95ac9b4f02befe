"""Who plays: the networks of P players, as K sets of parameters, and how these judge and act.

K is 1 where parameters are shared, else P, one set a player. Everything that belongs to a set (parameters, Adam's
moments, moments of values) has K as its first axis, whatever K is, so that sets learn side by side under one `vmap`.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.agents.agent import PROBABILITIES, Memory, Sight
from tetrax.agents.mappo.mappo_config import MAPPOConfig
from tetrax.env.contract import Game, Observation, example_observation
from tetrax.networks.actor_critic import ActorCritic, actor_critic
from tetrax.networks.central_critic import CentralActorCritic, central_actor_critic
from tetrax.ops import normalise
from tetrax.ops.distributions import MaskedCategorical


class Policy(struct.PyTreeNode):
    """What acting needs."""

    params: Any  # [K, ...]
    value_moments: normalise.RunningMoments  # of the value targets, [K]


@dataclass(frozen=True)
class Players:
    """The players of a game: what is compiled of them."""

    config: MAPPOConfig
    env: Game
    network: ActorCritic | CentralActorCritic

    @classmethod
    def of(cls, config: MAPPOConfig, env: Game) -> "Players":
        """Return the players that a configuration describes; ValueError where it does not fit the game."""
        build = central_actor_critic if config.value == "central" else actor_critic
        return cls(config, env, build(env, config.network))

    @property
    def count(self) -> int:
        """Return P."""
        return self.env.spec.num_players

    @property
    def num_sets(self) -> int:
        """Return K."""
        return self.count if self.config.parameters == "separate" else 1

    def initial_params(self, key: PRNGKeyArray) -> Any:
        """Draw parameters, [K, ...]."""
        seen = example_observation(self.env)  # [P, ...]
        anything = jax.tree.map(lambda leaf: jnp.zeros((1, *leaf.shape), leaf.dtype), seen)
        if self.config.value == "own":
            anything = jax.tree.map(lambda leaf: leaf[:, 0], anything)
        keys = key[None] if self.num_sets == 1 else jax.random.split(key, self.num_sets)
        return jax.vmap(lambda each: self.network.init(each, anything))(keys)

    def views(self, observation: Observation) -> Observation:
        """Return what judging for each seat needs, [..., P, ...] -> [..., P, V, ...]: [N, P] games and seats.

        V is 1 where values are read from what the player itself sees; else P, the views of all, the player's own first
        and then those of the seats after it.
        """
        if self.config.value == "own":
            return jax.tree.map(lambda leaf: leaf[:, :, None], observation)
        seats = np.arange(self.count)
        order = (seats[:, None] + seats[None]) % self.count  # [P, V]
        return jax.tree.map(lambda leaf: leaf[:, order], observation)

    def by_set(self, tree: Any) -> Any:
        """Put what belongs to N games and P seats by sets of parameters: [N, P, ...] -> [K, N * P / K, ...]."""
        if self.num_sets == 1:
            return jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 0, 2)[None], tree)
        return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), tree)

    def by_game(self, tree: Any) -> Any:
        """Undo `by_set`: [K, N * P / K, ...] -> [N, P, ...]."""
        if self.num_sets == 1:
            return jax.tree.map(lambda leaf: leaf.reshape(-1, self.count, *leaf.shape[2:]), tree)
        return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), tree)

    def judge(self, params: Any, views: Observation) -> tuple[Float32[Array, "N A"], Float32[Array, "N"]]:
        """Return logits and value of N seats by one set of parameters, from their views [N, V, ...]."""
        if self.config.value == "own":
            views = jax.tree.map(lambda leaf: leaf[:, 0], views)
        judged: Any = self.network.apply(params, views)
        return judged

    def logits(self, params: Any, observation: Observation) -> Float32[Array, "N A"]:
        """Return the logits of N seats by one set of parameters, from what their players see, [N, ...]."""
        if self.config.value == "own":
            judged: Any = self.network.apply(params, observation)
            return judged[0]
        judged = self.network.apply(params, observation, method="judge_actions")
        return judged

    def judge_seats(self, policy: Policy, observation: Observation) -> tuple[Array, Array]:
        """Return logits [N, P, A] and values in units of reward [N, P] of N games, from what is seen [N, P, ...]."""
        views = self.by_set(self.views(observation))
        logits, value = jax.vmap(self.judge)(policy.params, views)
        return self.by_game(logits), self.by_game(self.in_rewards(policy.value_moments, value))

    def act(
        self, policy: Policy, sight: Sight, memory: Memory, key: PRNGKeyArray, greedy: bool
    ) -> tuple[Int32[Array, "N"], Memory, dict[str, Array]]:
        """Choose actions for N seats, each by what its player sees alone: the most probable ones, or drawn ones.

        With separate parameters `observation.player` says whose those are. A value is told where it needs no more
        than that.
        """
        observation = sight.observation
        if self.config.value == "own":
            judged: Any = jax.vmap(self.network.apply, (0, None))(policy.params, observation)
            logits, value = judged  # [K, N, ...]
            told = {"value": self._of_seat(self.in_rewards(policy.value_moments, value), observation)}
        else:
            logits, told = jax.vmap(self.logits, (0, None))(policy.params, observation), {}
        distribution = MaskedCategorical.from_logits(self._of_seat(logits, observation), observation.legal)
        action = distribution.mode() if greedy else distribution.sample(key)
        told |= {
            "entropy": distribution.entropy(),
            "log_prob": distribution.log_prob(action),
            PROBABILITIES: distribution.probabilities,
        }
        return jnp.asarray(action, jnp.int32), memory, told

    def in_rewards(self, moments: normalise.RunningMoments, value: Float32[Array, "K N"]) -> Array:
        """Return what each set says of values in units of reward."""
        return jax.vmap(normalise.denormalise)(moments, value) if self.config.normalise_values else value

    def _of_seat(self, judged: Array, observation: Observation) -> Array:
        """Return of what every set says of N seats, [K, N, ...], what the set of each seat's player does."""
        if self.num_sets == 1:
            return judged[0]
        assert observation.player is not None
        return jax.vmap(lambda of_sets, player: of_sets[player], (1, 0))(judged, observation.player)
