"""A policy that sees what its player sees, and a value that sees what all players see, the player's own first."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from tetrax.env.contract import Game, Observation
from tetrax.networks.actor_critic import SMALL_GAIN
from tetrax.networks.layers import Mlp, dense, join
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.torso import Torso, torso


class CentralActorCritic(nn.Module):
    """Judge the actions from what a player sees, and the game from what all of them see.

    One encoder for the policy, one for the value; the latter reads each player's view, and a layer all of them.
    """

    num_actions: int
    by_action: bool  # whether each action is shown by what it leaves
    torso: Torso  # of the policy
    value_torso: Torso

    def setup(self) -> None:
        """Make the layers."""
        config = self.value_torso.config
        self.logits_head = dense(1 if self.by_action else self.num_actions, SMALL_GAIN)
        self.joint = Mlp(config.hidden[-1:], config.activation, config.compute_dtype)
        self.value_head = dense(1, 1.0)

    def __call__(self, seen: Observation) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
        """Return logits and value from what all P players see, [B, P, ...], the player's own first."""
        own = jax.tree.map(lambda leaf: leaf[:, 0], seen)
        return self.judge_actions(own), self.judge_game(seen)

    def judge_actions(self, own: Observation) -> Float32[Array, "B A"]:
        """Return the logits from what a player sees, [B, ...]."""
        logits: Array = self.logits_head(self.torso(own))
        return logits[..., 0] if self.by_action else logits

    def judge_game(self, seen: Observation) -> Float32[Array, "B"]:
        """Return the value from what all players see, [B, P, ...]."""
        encoded = self.value_torso(seen)
        if self.by_action:  # [B, P, A, D]
            weights = seen.legal / jnp.maximum(jnp.sum(seen.legal, axis=-1, keepdims=True), 1)
            encoded = join(jnp.einsum("...a,...ad->...d", weights, encoded), seen.features)
        chex.assert_rank(encoded, 3)  # [B, P, D]
        value: Array = self.value_head(self.joint(jax.lax.collapse(encoded, 1, 3)))
        return value[..., 0].astype(jnp.float32)


def central_actor_critic(env: Game, config: NetworkConfig) -> CentralActorCritic:
    """Return the network that fits what the players of a game see; ValueError where the settings do not fit it."""
    spec = env.spec
    return CentralActorCritic(spec.num_actions, spec.shows.by_action, torso(env, config), torso(env, config))
