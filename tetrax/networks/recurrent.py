"""A memory between encoder and heads: LSTM and GRU cells over sequences of many games."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Float32

from tetrax.networks.layers import dense, weights
from tetrax.networks.network_config import NetworkConfig

Memory = Any  # () without a cell; float32[B, M] of a GRU; a pair of them, output and cell, of an LSTM
GATES = {"lstm": 4, "gru": 3}
FORGET_BIAS = 1.0  # a new LSTM remembers (Jozefowicz et al. 2015, section 2.2)


def initial_memory(config: NetworkConfig, batch_shape: tuple[int, ...]) -> Memory:
    """Return the memory at the start of a game, all zeros, for a batch of games."""
    if config.recurrent == "none":
        return ()
    nothing = jnp.zeros((*batch_shape, config.memory), jnp.float32)
    return (nothing, nothing) if config.recurrent == "lstm" else nothing


def core(config: NetworkConfig, name: str | None = None) -> "Core":
    """Return the recurrent cell of a configuration."""
    return Core(config.recurrent, config.memory, config.compute_dtype, name=name)


class Core(nn.Module):
    """A recurrent cell unrolled over time: T steps of B games.

    "lstm" is Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; "gru" is Cho et al. 2014
    (arXiv 1406.1078) with the reset gate after the product; "none" passes its inputs on.
    """

    kind: str  # lstm, gru, none
    size: int  # M, units
    compute_dtype: str = "float32"  # of the products; memory and gates are float32

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "T B D"], memory: Memory, is_first: Bool[Array, "T B"]
    ) -> tuple[Float32[Array, "T B M"], Memory]:
        """Return the outputs of every step and the memory after the last.

        `memory` [B, ...] is that before the first step. Where `is_first`, it is forgotten before the step.
        """
        if self.kind == "none":
            return inputs.astype(jnp.float32), memory
        chex.assert_equal_shape_prefix([inputs, is_first], 2)
        width = GATES[self.kind] * self.size
        # What does not depend on the memory is one product for all steps.
        driven = dense(width, 1.0, self.compute_dtype, name="inputs")(inputs).astype(jnp.float32)
        kernel = self.param("recurrent_kernel", weights(1.0), (self.size, width))
        bias = (
            self.param("recurrent_bias", nn.initializers.zeros, (self.size,)) if self.kind == "gru" else None
        )
        kernel = kernel.astype(self.compute_dtype)

        def step(memory: Memory, step_input: tuple[Array, Array]) -> tuple[Memory, Array]:
            drive, first = step_input
            memory = jax.tree.map(lambda leaf: jnp.where(first[:, None], 0.0, leaf), memory)
            if bias is None:
                return _lstm(drive, memory, kernel)
            return _gru(drive, memory, kernel, bias)

        memory, outputs = jax.lax.scan(step, memory, (driven, is_first))
        return outputs, memory


def _lstm(drive: Array, memory: tuple[Array, Array], kernel: Array) -> tuple[tuple[Array, Array], Array]:
    """Take one step; gates in the order input, forget, candidate, output."""
    output, cell = memory
    recurrent = (output.astype(kernel.dtype) @ kernel).astype(jnp.float32)
    enter, forget, candidate, leave = jnp.split(drive + recurrent, 4, axis=-1)
    cell = nn.sigmoid(forget + FORGET_BIAS) * cell + nn.sigmoid(enter) * jnp.tanh(candidate)
    output = nn.sigmoid(leave) * jnp.tanh(cell)
    return (output, cell), output


def _gru(drive: Array, memory: Array, kernel: Array, bias: Array) -> tuple[Array, Array]:
    """Take one step; gates in the order reset, keep, candidate."""
    recurrent = (memory.astype(kernel.dtype) @ kernel).astype(jnp.float32)
    reset, keep, candidate = jnp.split(drive, 3, axis=-1)
    of_reset, of_keep, of_candidate = jnp.split(recurrent, 3, axis=-1)
    keep = nn.sigmoid(keep + of_keep)
    candidate = jnp.tanh(candidate + nn.sigmoid(reset + of_reset) * (of_candidate + bias[None]))
    memory = (1.0 - keep) * candidate + keep * memory
    return memory, memory
