"""Linear layers whose weights are noisy, so that a network explores by itself."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

NOISE = "noise"  # the name of the random stream, as in network.apply(params, seen, rngs={NOISE: key})


class NoisyDense(nn.Module):
    """A dense layer with factorised Gaussian noise (Fortunato et al. 2018, arXiv 1706.10295, section 3).

    y = (mu_w + sigma_w * f(e_i) f(e_o)) x + mu_b + sigma_b * f(e_o), with f(e) = sign(e) sqrt|e| (equations 10
    and 11). Noise is drawn from the rng stream "noise"; without that stream the means alone are used. One draw
    serves the whole batch, as in the paper, or each of its rows has its own (`is_shared=False`), at the cost of a
    second product: then every board explores in its own way.
    """

    size: int  # of the outputs
    is_shared: bool = True
    initial_spread: float = 0.5  # sigma_0: sigma starts at sigma_0 / sqrt(inputs) (section 3.2)
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, inputs: Float[Array, "*B F"]) -> Float[Array, "*B D"]:
        """Apply the layer."""
        num_inputs = inputs.shape[-1]
        bound = num_inputs**-0.5  # mu is uniform within +- 1 / sqrt(inputs) (section 3.2)

        def mean_init(key: Array, shape: tuple[int, ...]) -> Array:
            return jax.random.uniform(key, shape, jnp.float32, -bound, bound)

        spread_init = nn.initializers.constant(self.initial_spread * bound)
        kernel = self.param("kernel", mean_init, (num_inputs, self.size))
        bias = self.param("bias", mean_init, (self.size,))
        kernel_spread = self.param("kernel_spread", spread_init, (num_inputs, self.size))
        bias_spread = self.param("bias_spread", spread_init, (self.size,))

        inputs = jnp.asarray(inputs, self.compute_dtype)
        outputs = self._product(inputs, kernel) + self._match_leading(bias, inputs)
        if not self.has_rng(NOISE):
            return outputs
        leading = () if self.is_shared else inputs.shape[:-1]
        of_inputs = self._match_leading(_draw_noise(self.make_rng(NOISE), (*leading, num_inputs)), inputs)
        of_outputs = self._match_leading(_draw_noise(self.make_rng(NOISE), (*leading, self.size)), inputs)
        # (sigma_w * f(e_i) f(e_o)) x, without a matrix of noise for each row.
        noisy = self._product(inputs * of_inputs, kernel_spread) + self._match_leading(bias_spread, inputs)
        return outputs + noisy * of_outputs

    def _product(self, inputs: Array, kernel: Array) -> Array:
        return inputs @ kernel.astype(self.compute_dtype)

    def _match_leading(self, vector: Array, inputs: Array) -> Array:
        """Give a vector, or one per row, the leading axes of the inputs and their type."""
        missing = inputs.ndim - vector.ndim
        return vector.reshape((1,) * missing + vector.shape).astype(self.compute_dtype)


def _draw_noise(key: Array, shape: tuple[int, ...]) -> Array:
    noise = jax.random.normal(key, shape)
    return jnp.sign(noise) * jnp.sqrt(jnp.abs(noise))
