"""Networks that judge every action by Z numbers: a value, or what describes the distribution of the return."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, PRNGKeyArray

from tetrax.env.contract import Game, Observation
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


def initial_params(network: QNetwork, key: PRNGKeyArray, seen: Observation) -> Any:
    """Draw parameters; of the observation of one game only shapes and types count."""
    anything = jax.tree.map(lambda leaf: jnp.zeros((1, *leaf.shape), leaf.dtype), seen)
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
