"""What models of a board have in common, whether they are of columns or of cells: all but what they compute with."""

import abc
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.world_model import latents
from tetrax.world_model.column_layers import ColumnLayout, ColumnOutputs, Exchanges, Grid, column_layout
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.model_parts import Foretold, Sizes, StateSizes, Step
from tetrax.world_model.readings import Reading, Told


class GridModel(nn.Module):
    """A model whose state is cut along the board. It has the methods of `WorldModel`."""

    config: WorldModelConfig
    sizes: Sizes

    @property
    def layout(self) -> ColumnLayout:
        """Return how states are cut."""
        return column_layout(self.config, self.sizes.shown)

    @property
    def state_sizes(self) -> StateSizes:
        """Return how large a state is."""
        return StateSizes(self.layout.deter, self.layout.latents, self.layout.classes)

    def __call__(
        self,
        reading: Reading,
        state: ModelState,
        action: Int32[Array, "B"],
        uniform: Float32[Array, "B latents"],
    ) -> tuple[Step, Array, Told, Foretold]:
        """Touch every part once, so that all have parameters."""
        step = self.see(state, self.drive(action), self.hint(reading), uniform)
        features = step.state.features
        return step, self.prior(step.state.deter), self.tell(features), self.foretell(features)

    @abc.abstractmethod
    def hint(self, reading: Reading) -> Any:
        """Encode what was seen, for `see`."""

    def common_of(self, reading: Reading) -> Float32[Array, "*n M"]:
        """Return what was seen of no column: pieces one-hot, and numbers."""
        hot = jax.nn.one_hot(reading.pieces, self.sizes.shown.num_kinds + 1, dtype=jnp.float32)
        return jnp.concatenate([hot.reshape(*hot.shape[:-2], -1), reading.numbers], axis=-1)

    def drive(self, action: Int32[Array, "*n"]) -> Grid:
        """Show actions to the columns that they are about, or to all; -1 is none."""
        width, num_actions = self.layout.width, self.sizes.actions
        hot = jax.nn.one_hot(action, num_actions, dtype=jnp.float32)
        if not self.sizes.shown.acts_by_column:
            return Grid(jnp.zeros((*action.shape, width, 0), jnp.float32), hot)
        choices = hot.reshape(*action.shape, num_actions // width, width)
        return Grid(jnp.swapaxes(choices, -1, -2), jnp.sum(choices, axis=-1))

    @abc.abstractmethod
    def see(self, state: ModelState, drive: Grid, hint: Any, uniform: Array) -> Step:
        """Take a step and look."""

    def foresee(self, state: ModelState, drive: Grid, uniform: Array) -> Step:
        """Take a step with closed eyes."""
        deter = self._advance(state, drive)
        log_probs = self.prior(deter)
        return Step(ModelState(deter=deter, stoch=latents.draw(log_probs, uniform)), log_probs)

    @abc.abstractmethod
    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""

    @abc.abstractmethod
    def tell(self, features: Float32[Array, "*n F"]) -> Told:
        """Decode states."""

    def foretell(self, features: Float32[Array, "*n F"]) -> Foretold:
        """Return what the heads say of states."""
        seen = self.heads(self.layout.cut_features(features))
        return Foretold(
            reward=self.reward_told(seen),
            goes_on=self.goes_on_told(seen)[..., 0],
            legal=self.legal_told(seen),
        )

    def _set_heads(self) -> None:
        """Name the heads."""
        config, sizes, shown = self.config, self.sizes, self.sizes.shown
        self.heads = Exchanges(config, config.head_layers)  # one stack for all: a column is much to read
        self.reward_told = ColumnOutputs(config.bins, scale=0.0)
        self.goes_on_told = ColumnOutputs(1)
        self.legal_told = ColumnOutputs(sizes.actions, by_column=shown.acts_by_column)

    @abc.abstractmethod
    def _advance(self, state: ModelState, drive: Grid) -> Float32[Array, "*n D"]:
        """Return the next deterministic state."""
