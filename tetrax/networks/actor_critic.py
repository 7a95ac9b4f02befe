"""Policy and value networks, for what any game shows: a board, a board for each action, or one vector.

Shapes carry batch axes B; observations are `tetrax.env.contract.Observation`. A `Torso` encodes what is seen; the
heads here read policy and value off it, and are float32 always.
"""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, PRNGKeyArray

from tetrax.env.contract import Game, HostGame, Observation
from tetrax.networks import own_network, recurrent
from tetrax.networks.layers import Mlp, dense, join
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.recurrent import Core, Memory
from tetrax.networks.torso import Torso, torso

SMALL_GAIN = 1e-4  # of a policy's last layer: it starts out nearly uniform (Andrychowicz et al. 2021, 3.2)


class PlanesActorCritic(nn.Module):
    """Judge the actions from the board: one encoder, two heads."""

    num_actions: int
    torso: Torso

    @nn.compact
    def __call__(self, observation: Observation) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
        """Return logits and value."""
        hidden = self.torso(observation)
        return dense(self.num_actions, SMALL_GAIN)(hidden), dense(1, 1.0)(hidden)[..., 0]


class AfterstateActorCritic(nn.Module):
    """Judge each placement by the board it leaves: one encoder for all of them.

    The logit of a placement is a function of its own afterstate; the value is read off the mean
    of the encodings under the policy, so that it is the worth of what will be played.
    """

    torso: Torso

    @nn.compact
    def __call__(self, observation: Observation) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
        """Return logits and value."""
        config = self.torso.config
        encoded = self.torso(observation)
        logits = dense(1, SMALL_GAIN)(encoded)[..., 0]  # [B, A]
        weights = nn.softmax(jnp.where(observation.legal, logits, -1e9), axis=-1)
        expected = jnp.einsum("...a,...ad->...d", jax.lax.stop_gradient(weights), encoded)
        summary = join(expected, observation.features)
        value = dense(1, 1.0)(Mlp(config.hidden[-1:], config.activation, config.compute_dtype)(summary))
        return logits, value[..., 0]


class FlatActorCritic(nn.Module):
    """Judge the actions from one vector: one network for the policy, one for the value."""

    num_actions: int
    torso: Torso  # of the policy
    value_torso: Torso

    @nn.compact
    def __call__(self, observation: Observation) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
        """Return logits and value."""
        judged, valued = self.torso(observation), self.value_torso(observation)
        return dense(self.num_actions, SMALL_GAIN)(judged), dense(1, 1.0)(valued)[..., 0]


class RecurrentActorCritic(nn.Module):
    """Judge the actions from what is seen and remembered: one encoder, one memory, two heads."""

    num_actions: int
    torso: Torso
    core: Core

    @nn.compact
    def __call__(
        self, observation: Observation, memory: Memory, is_first: Bool[Array, "T B"]
    ) -> tuple[Float32[Array, "T B A"], Float32[Array, "T B"], Memory]:
        """Return logits and value of T steps [T, B, ...], and the memory after the last of them."""
        hidden, memory = self.core(self.torso(observation), memory, is_first)
        return dense(self.num_actions, SMALL_GAIN)(hidden), dense(1, 1.0)(hidden)[..., 0], memory


# All but the recurrent one: network.apply(params, observation) -> (logits, value). Any other flax module that does
# the same with an observation [B, ...] will do: `check_own`.
ActorCritic = PlanesActorCritic | AfterstateActorCritic | FlatActorCritic | RecurrentActorCritic | nn.Module


def actor_critic(env: Game | HostGame, config: NetworkConfig) -> ActorCritic:
    """Return the network that fits what an environment shows; ValueError where the settings do not fit it."""
    encoder, num_actions = torso(env, config), env.spec.num_actions
    if config.recurrent != "none":
        return RecurrentActorCritic(num_actions, encoder, recurrent.core(config))
    if env.spec.shows.view == "flat":
        return FlatActorCritic(num_actions, encoder, torso(env, config))
    if env.spec.shows.by_action:
        return AfterstateActorCritic(encoder)
    return PlanesActorCritic(num_actions, encoder)


def check_own(network: nn.Module, env: Game | HostGame) -> ActorCritic:
    """Return a network of the user's own; ValueError unless it gives logits float32[B, A] and values float32[B]."""
    own_network.check_module(network)
    games, actions = own_network.NUM_GAMES, env.spec.num_actions
    words = f"logits [B, {actions}], one for each action, and values [B]"
    outputs = own_network.Outputs(words, ((games, actions), (games,)))
    own_network.check_fits(network, env, own_network.example_batch(env), outputs)
    return network


def initial_params(network: ActorCritic, config: NetworkConfig, key: PRNGKeyArray, seen: Observation) -> Any:
    """Draw parameters; of the observation of one game only shapes and types count."""
    anything = jax.tree.map(lambda leaf: jnp.zeros((1, *leaf.shape), leaf.dtype), seen)
    if not isinstance(network, RecurrentActorCritic):
        return network.init(key, anything)
    sequence = jax.tree.map(lambda leaf: leaf[None], anything)  # [T = 1, B = 1, ...]
    memory = recurrent.initial_memory(config, (1,))
    return network.init(key, sequence, memory, jnp.ones((1, 1), bool))


def judge(
    network: ActorCritic, params: Any, observation: Observation, memory: Memory, is_first: Array | None
) -> tuple[Array, Array, Memory]:
    """Return logits and value of one step of B games, and the memory after it.

    Networks that are not recurrent look at the observation alone.
    """
    if not isinstance(network, RecurrentActorCritic):
        judged: Any = network.apply(params, observation)
        logits, value = judged
        chex.assert_equal_shape([logits, observation.legal])
        return logits, value, memory
    observation, is_first = jax.tree.map(lambda leaf: leaf[None], (observation, is_first))  # [T = 1, B, ...]
    logits, value, memory = _unroll(network, params, observation, memory, is_first)
    return logits[0], value[0], memory


def judge_again(
    network: ActorCritic, params: Any, observation: Observation, memory: Memory, is_first: Array | None
) -> tuple[Array, Array]:
    """Return logits and value of N samples: of steps, or with a recurrent network of sequences [N, T].

    `memory` [N, ...] is that before each sequence, `is_first` [N, T] tells where in it a game began.
    """
    if not isinstance(network, RecurrentActorCritic):
        logits, value, _ = judge(network, params, observation, memory, is_first)
        return logits, value
    observation, is_first = _swap_axes((observation, is_first))  # [T, N, ...]
    logits, value, _ = _unroll(network, params, observation, memory, is_first)
    return _swap_axes((logits, value))


def _unroll(
    network: ActorCritic, params: Any, observation: Observation, memory: Memory, is_first: Array | None
) -> tuple[Array, Array, Memory]:
    """Return logits and value of T steps [T, B, ...], and the memory after the last of them."""
    judged: Any = network.apply(params, observation, memory, is_first)
    logits, value, memory = judged
    chex.assert_equal_shape([logits, observation.legal])
    return logits, value, memory


def _swap_axes(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), tree)
