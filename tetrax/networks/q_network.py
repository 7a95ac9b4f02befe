"""Networks that judge every action by Z numbers: a value, or what describes the distribution of the return."""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, PRNGKeyArray

from tetrax.env.contract import Game, Observation
from tetrax.networks import own_network
from tetrax.networks.layers import dense
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.noisy import NoisyDense
from tetrax.networks.recurrent import core, initial_memory
from tetrax.networks.torso import torso


class QNetwork(nn.Module):
    """An encoder, a memory if it has one, and a head of Z numbers for each action.

    Where afterstates are observed each is judged by itself and Z numbers come of each. `dueling` gives the value of
    the state and the advantage of each action a head of their own (Wang et al. 2016, arXiv 1511.06581, equation 9, its
    mean over all actions, legal or not); `noisy` makes the heads of noisy layers (Fortunato et al. 2018).
    """

    torso: nn.Module
    config: NetworkConfig
    num_actions: int
    num_outputs: int  # Z
    by_action: bool  # whether the torso encodes each action
    dueling: bool = False
    noisy: bool = False

    def setup(self) -> None:
        """Name the parts."""
        self.core = core(self.config)
        each = self.num_outputs if self.by_action else self.num_actions * self.num_outputs
        self.head = self._head(each)
        if self.dueling:
            self.value_head = self._head(self.num_outputs)

    def __call__(
        self, observation: Observation, memory: Any, is_first: Bool[Array, "B"]
    ) -> tuple[Float32[Array, "B A Z"], Any]:
        """Judge one step of B games; `memory` is that of `initial_memory`, or what the step before gave."""
        return self.step(self.encode(observation), memory, is_first)

    def encode(self, observation: Observation) -> Float32[Array, "*n D"]:
        """Encode observations, any leading axes; [*n, A, D] where each action is encoded."""
        return self.torso(observation)

    def step(
        self, encoded: Float32[Array, "B D"], memory: Any, is_first: Bool[Array, "B"]
    ) -> tuple[Float32[Array, "B A Z"], Any]:
        """Judge one step from its encoding; without recurrence any leading axes will do."""
        if self.config.recurrent != "none":
            outputs, memory = self.core(encoded[None], memory, is_first[None])
            encoded = outputs[0]
        judged = self.head(encoded)
        if not self.by_action:
            judged = judged.reshape(*judged.shape[:-1], self.num_actions, self.num_outputs)
        if self.dueling:
            summary = jnp.mean(encoded, axis=-2) if self.by_action else encoded
            value = self.value_head(summary)[..., None, :]
            judged = value + judged - jnp.mean(judged, axis=-2, keepdims=True)
        return judged, memory

    def _head(self, size: int) -> nn.Module:
        # Each game has noise of its own; where actions are encoded they share it, so that they can be compared.
        return NoisyDense(size, is_shared=self.by_action) if self.noisy else dense(size, 1.0)


@dataclass(frozen=True)
class OwnQNetwork:
    """A network of the user's own with the face of a QNetwork without recurrence."""

    module: nn.Module  # observation -> float32[B, A] where Z is 1, else float32[B, A, Z]
    num_outputs: int  # Z

    def init(self, key: PRNGKeyArray, observation: Observation) -> Any:
        """Draw parameters."""
        return self.module.init(key, observation)

    def apply(
        self, params: Any, observation: Observation, memory: Any, is_first: Any, rngs: Any = None
    ) -> tuple[Float32[Array, "B A Z"], Any]:
        """Judge one step of B games."""
        del is_first, rngs
        judged: Any = self.module.apply(params, observation)
        return judged[..., None] if self.num_outputs == 1 else judged, memory


Judge = QNetwork | OwnQNetwork


def own_q_network(network: nn.Module, env: Game, num_outputs: int, by_afterstate: bool) -> OwnQNetwork:
    """Return the judge that a network of the user's own is; ValueError where it does not judge every action.

    `by_afterstate`: also where one placement of each game is shown alone.
    """
    own_network.check_module(network)
    seen = own_network.example_batch(env)
    shown = [seen]
    if by_afterstate:
        shown.append(
            seen.replace(
                legal=_first_action(seen.legal), afterstates=jax.tree.map(_first_action, seen.afterstates)
            )
        )
    for observation in shown:
        games, actions = observation.legal.shape
        shape = (games, actions) if num_outputs == 1 else (games, actions, num_outputs)
        words = f"{'values' if num_outputs == 1 else 'what describes the returns'} of {actions} actions each"
        own_network.check_fits(network, env, observation, own_network.Outputs(words, (shape,)))
    return OwnQNetwork(network, num_outputs)


def _first_action(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((leaf.shape[0], 1, *leaf.shape[2:]), leaf.dtype)


def initial_params(network: Judge, key: PRNGKeyArray, seen: Observation) -> Any:
    """Draw parameters; of the observation of one game only shapes and types count."""
    anything = jax.tree.map(lambda leaf: jnp.zeros((1, *leaf.shape), leaf.dtype), seen)
    if isinstance(network, OwnQNetwork):
        return network.init(key, anything)
    return network.init(key, anything, initial_memory(network.config, (1,)), jnp.ones(1, bool))


def q_network(
    env: Game, config: NetworkConfig, *, num_outputs: int = 1, dueling: bool = False, noisy: bool = False
) -> QNetwork:
    """Return the network that fits what an environment shows; ValueError where the configuration does not."""
    config.validate(env)
    return QNetwork(
        torso=torso(env, config),
        config=config,
        num_actions=env.spec.num_actions,
        num_outputs=num_outputs,
        by_action=env.spec.shows.by_action,
        dueling=dueling,
        noisy=noisy,
    )
