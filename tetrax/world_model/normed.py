"""Layers of a world model: products, block by block where a state is wide, normalised by their root mean square."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float32

from tetrax.networks.layers import ACTIVATIONS, dense, weights
from tetrax.world_model.model_config import WorldModelConfig

EPSILON = 1e-4  # of the published layers


def normalise_root_mean_square(x: Float[Array, "*n D"]) -> Float32[Array, "*n D"]:
    """Divide by the root mean square (Zhang and Sennrich 2019, arXiv 1910.07467), in float32."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + EPSILON)


class RmsNorm(nn.Module):
    """Divide by the root mean square and scale each number."""

    @nn.compact
    def __call__(self, x: Float[Array, "*n D"]) -> Float32[Array, "*n D"]:
        """Normalise the last axis."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        return normalise_root_mean_square(x) * scale.reshape((1,) * (x.ndim - 1) + scale.shape)


class NormedMlp(nn.Module):
    """Hidden layers, each a product, a norm and its activation."""

    layers: int
    units: int
    activation: str
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*n F"]) -> Float32[Array, "*n D"]:
        """Apply every layer."""
        for _ in range(self.layers):
            x = dense(self.units, 1.0, self.compute_dtype)(x)
            x = ACTIVATIONS[self.activation](RmsNorm()(x))
        return x.astype(jnp.float32)


class Head(nn.Module):
    """A hidden stack, and numbers read off it in float32: at first those of weights `scale` times the usual."""

    layers: int
    units: int
    outputs: int
    scale: float
    activation: str
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*n F"]) -> Float32[Array, "*n Z"]:
        """Read the numbers."""
        stack = NormedMlp(self.layers, self.units, self.activation, self.compute_dtype, name="hidden")
        return scaled_dense(self.outputs, self.scale, name="outputs")(stack(x))


def hidden(config: WorldModelConfig, layers: int) -> NormedMlp:
    """Return hidden layers as configured."""
    return NormedMlp(layers, config.widths.units, config.activation, config.compute_dtype)


def head(config: WorldModelConfig, layers: int, outputs: int, scale: float) -> Head:
    """Return a head as configured: see `Head`."""
    return Head(layers, config.widths.units, outputs, scale, config.activation, config.compute_dtype)


def scaled_dense(size: int, scale: float, name: str | None = None) -> nn.Dense:
    """Return a float32 layer whose first weights are `scale` times the usual; 0 makes them and its outputs 0."""
    first = weights(scale**2) if scale else nn.initializers.zeros
    return nn.Dense(size, kernel_init=first, name=name)


class BlockDense(nn.Module):
    """A product for each block: block g of the outputs depends on block g of the inputs alone."""

    outputs: int
    blocks: int
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*n D"]) -> Float[Array, "*n M"]:
        """Apply every block's product: [*n, G * d] -> [*n, G * m]."""
        groups, inputs = self.blocks, x.shape[-1] // self.blocks
        shape = (groups, inputs, self.outputs // groups)
        first = nn.initializers.variance_scaling(
            1.0, "fan_in", "truncated_normal", in_axis=-2, out_axis=-1, batch_axis=(0,)
        )
        kernel = self.param("kernel", first, shape, jnp.float32).astype(self.compute_dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.outputs,), jnp.float32).astype(
            self.compute_dtype
        )
        grouped = x.astype(self.compute_dtype).reshape(*x.shape[:-1], groups, inputs)
        # Not by einsum, which puts the outputs before n: what a CPU adds to them then strides through memory.
        last = x.ndim
        product = jax.lax.dot_general(grouped, kernel, (((last,), (1,)), ((last - 1,), (0,))))  # [G, *n, m]
        product = jnp.moveaxis(product, 0, -2)  # [*n, G, m]
        outputs = product + bias.reshape((1,) * (x.ndim - 1) + product.shape[-2:])
        return outputs.reshape(*x.shape[:-1], self.outputs)
