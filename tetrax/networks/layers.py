"""Layers that every network is made of.

Parameters are float32. Hidden layers compute in `compute_dtype`, float32 or bfloat16; heads, softmaxes and means
over a board are float32 always.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float32, UInt8, UInt32

from tetrax.env.contract import Observation

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": nn.relu, "tanh": nn.tanh, "silu": nn.silu}


def weights(gain: float = 2.0) -> nn.initializers.Initializer:
    """Return what draws weights of variance gain / inputs (He et al. 2015, equation 10).

    Not orthogonal ones: several QR factorisations under vmap wait for each other for ever in jaxlib
    0.10's CPU client when it has two threads, so that seeds could not be mapped over.
    """
    return nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal")


def dense(
    size: int,
    gain: float = 2.0,
    compute_dtype: str = "float32",
    name: str | None = None,
    use_bias: bool = True,
) -> nn.Dense:
    """Return a layer with weights of variance gain / inputs."""
    return nn.Dense(
        size, dtype=jnp.dtype(compute_dtype), kernel_init=weights(gain), use_bias=use_bias, name=name
    )


class Mlp(nn.Module):
    """Layers of the given sizes, each with its activation."""

    sizes: Sequence[int]
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, inputs: Float[Array, "*B F"]) -> Float[Array, "*B D"]:
        """Apply every layer."""
        for size in self.sizes:
            inputs = ACTIVATIONS[self.activation](dense(size, compute_dtype=self.compute_dtype)(inputs))
        return inputs


def windows(inputs: Array, width: int = 3) -> Array:
    """Put each position beside its neighbours: [..., W + width - 1, channels] -> [..., W, width * channels].

    A dense layer after it is a convolution, as one matrix product. `nn.Conv` gives the same
    numbers, but its gradient for many small boards is slow on CPUs.
    """
    num_places = inputs.shape[-2] - width + 1
    return jnp.concatenate([inputs[..., i : i + num_places, :] for i in range(width)], axis=-1)


def join(*parts: Array) -> Float32[Array, "*B n"]:
    """Put numbers side by side; layers bring them to the type they compute in."""
    return jnp.concatenate([part.astype(jnp.float32) for part in parts], axis=-1)


def one_hot_pieces(observation: Observation, num_kinds: int) -> Float32[Array, "*B n"]:
    """Return the pieces one-hot and flat; 'no piece held' is a kind of its own."""
    hot = jax.nn.one_hot(observation.pieces, num_kinds + 1)
    return hot.reshape(*hot.shape[:-2], -1)


def unpack_rows(rows: UInt32[Array, "*n R"], width: int) -> UInt8[Array, "*n R W"]:
    """Expand row words to cells, 0 and 1."""
    x = np.arange(width, dtype=np.uint32).reshape((1,) * rows.ndim + (width,))
    return ((rows[..., None] >> x) & np.uint32(1)).astype(jnp.uint8)
