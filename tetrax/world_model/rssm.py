"""The recurrent state-space model: what the past makes certain, and latents drawn for what it does not.

Hafner et al. 2023 (arXiv 2301.04104), with the block GRU of the newer published code: each block of the deterministic
state sees its own part of it, and all see the latents, the action and a summary of the whole.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from tetrax.networks.layers import ACTIVATIONS, dense
from tetrax.world_model import latents
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.model_parts import Step
from tetrax.world_model.normed import BlockDense, RmsNorm, hidden, scaled_dense

KEEP_BIAS = -1.0  # of the update gate: a new cell changes about a quarter of its state in a step


class MixLayer(nn.Module):
    """One more hidden layer of the cell, block by block."""

    config: WorldModelConfig

    @nn.compact
    def __call__(self, x: Float32[Array, "*n D"]) -> Float32[Array, "*n D"]:
        """Apply it."""
        config = self.config
        mixed = BlockDense(x.shape[-1], config.blocks, config.compute_dtype)(x)
        return ACTIVATIONS[config.activation](RmsNorm()(mixed))


class Rssm(nn.Module):
    """The dynamics. `drive` and `hint` hold what does not depend on the state, to be computed for all steps at once."""

    config: WorldModelConfig

    def setup(self) -> None:
        """Name the parts."""
        config, (deter, units, classes) = self.config, self.config.widths
        self.deter_in = hidden(config, 1)
        self.stoch_in = hidden(config, 1)
        self.action_in = hidden(config, 1)
        # The product of a block with its part of the state, and with what all blocks see, together one layer.
        self.mix_block = BlockDense(deter, config.blocks, config.compute_dtype)
        self.mix_shared = dense(deter, 1.0, config.compute_dtype, use_bias=False)
        self.mix_norm = RmsNorm()
        self.mix_more = [MixLayer(config) for _ in range(config.dynamics_layers - 1)]
        self.gates = BlockDense(3 * deter, config.blocks, config.compute_dtype)
        self.prior_hidden = hidden(config, config.prior_layers)
        self.prior_logits = scaled_dense(config.latents * classes, 1.0)
        self.posterior_state = dense(units, 1.0, config.compute_dtype)
        self.posterior_seen = dense(units, 1.0, config.compute_dtype, use_bias=False)
        self.posterior_norm = RmsNorm()
        self.posterior_logits = scaled_dense(config.latents * classes, 1.0)

    def drive(self, action: Float32[Array, "*n A"]) -> Float32[Array, "*n U"]:
        """Read actions."""
        return self.action_in(action)

    def hint(self, encoded: Float32[Array, "*n M"]) -> Float32[Array, "*n U"]:
        """Read what was seen."""
        return self.posterior_seen(encoded)

    def advance(self, state: ModelState, drive: Float32[Array, "*n U"]) -> Float32[Array, "*n D"]:
        """Return the next deterministic state."""
        config, deter = self.config, state.deter
        stoch = state.stoch.reshape(*state.stoch.shape[:-2], -1)
        shared = jnp.concatenate([self.deter_in(deter), self.stoch_in(stoch), drive], axis=-1)
        mixed = self.mix_norm(self.mix_block(deter) + self.mix_shared(shared))
        mixed = ACTIVATIONS[config.activation](mixed)
        for layer in self.mix_more:
            mixed = layer(mixed)
        gates = self.gates(mixed).astype(jnp.float32)
        # All by blocks, not flat: in loops over a flat array CPUs could not take several of these numbers at once.
        by_block = gates.reshape(*gates.shape[:-1], config.blocks, -1)  # [*n, G, 3 d]
        reset, candidate, update = jnp.split(by_block, 3, axis=-1)  # each [*n, G, d]
        candidate = jnp.tanh(nn.sigmoid(reset) * candidate)
        update = nn.sigmoid(update + KEEP_BIAS)
        after = update * candidate + (1.0 - update) * deter.reshape(update.shape)
        return after.reshape(deter.shape)

    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""
        return self._as_latents(self.prior_logits(self.prior_hidden(deter)))

    def posterior(
        self, deter: Float32[Array, "*n D"], hint: Float32[Array, "*n U"]
    ) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents after something was seen."""
        looked = self.posterior_norm(self.posterior_state(deter) + hint)
        return self._as_latents(self.posterior_logits(ACTIVATIONS[self.config.activation](looked)))

    def see(
        self,
        state: ModelState,
        drive: Float32[Array, "*n U"],
        hint: Float32[Array, "*n U"],
        uniform: Float32[Array, "*n latents"],
    ) -> Step:
        """Take a step and look."""
        deter = self.advance(state, drive)
        log_probs = self.posterior(deter, hint)
        return Step(ModelState(deter=deter, stoch=latents.draw(log_probs, uniform)), log_probs)

    def foresee(
        self, state: ModelState, drive: Float32[Array, "*n U"], uniform: Float32[Array, "*n latents"]
    ) -> Step:
        """Take a step with closed eyes."""
        deter = self.advance(state, drive)
        log_probs = self.prior(deter)
        return Step(ModelState(deter=deter, stoch=latents.draw(log_probs, uniform)), log_probs)

    def _as_latents(self, logits: Float32[Array, "*n L"]) -> Float32[Array, "*n latents classes"]:
        config = self.config
        logits = logits.reshape(*logits.shape[:-1], config.latents, config.widths.classes)
        return latents.log_probabilities(logits, config.latent_mixture)


def forget(state: ModelState, is_first: Array) -> ModelState:
    """Return the state, zeros where a game begins, bool[*n]."""

    def clear(leaf: Array) -> Array:
        first = is_first.reshape(is_first.shape + (1,) * (leaf.ndim - is_first.ndim))
        return jnp.where(first, 0.0, leaf)

    return jax.tree.map(clear, state)
