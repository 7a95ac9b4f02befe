"""A model whose state is a row of columns: encoder, dynamics and heads, with weights shared along the board."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.networks.layers import ACTIVATIONS
from tetrax.world_model import latents
from tetrax.world_model.column_layers import (
    ColumnLayout,
    ColumnOutputs,
    Exchanges,
    Grid,
    GridDense,
    column_layout,
    side_by_side,
    update,
)
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.model_parts import Foretold, Sizes, StateSizes, Step
from tetrax.world_model.normed import RmsNorm
from tetrax.world_model.readings import Reading, Told
from tetrax.world_model.rssm import KEEP_BIAS


class ColumnModel(nn.Module):
    """A model whose state is a row of columns: see `column_layers`. It has the methods of `WorldModel`."""

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

    def setup(self) -> None:
        """Name the parts."""
        config, sizes, layout = self.config, self.sizes, self.layout
        units, shown = config.widths.units, sizes.shown
        drawn = layout.latents_of_column * layout.classes, layout.latents_of_common * layout.classes
        self.encoder = Exchanges(config, config.encoder_layers, reach=0)
        self.posterior_seen = GridDense(units, units)
        self.posterior_state = GridDense(units, units)
        self.posterior_norms = RmsNorm(), RmsNorm()
        self.posterior_logits = GridDense(*drawn)
        self.mix = Exchanges(config, config.dynamics_layers)
        self.gates = GridDense(3 * layout.of_column, 3 * layout.of_common)
        self.prior_hidden = Exchanges(config, config.prior_layers, reach=0)
        self.prior_logits = GridDense(*drawn)
        self.decoder = Exchanges(config, config.decoder_layers, reach=0)
        self.told = GridDense(
            sizes.cells // shown.width, sizes.pieces * (shown.num_kinds + 1) + sizes.numbers
        )
        self._set_heads()

    def _set_heads(self) -> None:
        """Name the heads."""
        config, sizes, shown = self.config, self.sizes, self.sizes.shown
        self.heads = Exchanges(config, config.head_layers)  # one stack for all: a column is much to read
        self.reward_told = ColumnOutputs(config.bins, scale=0.0)
        self.goes_on_told = ColumnOutputs(1)
        self.legal_told = ColumnOutputs(sizes.actions, by_column=shown.acts_by_column)

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

    def hint(self, reading: Reading) -> Grid:
        """Encode what was seen."""
        rows = reading.cells.reshape(*reading.cells.shape[:-1], -1, self.layout.width)
        return self.posterior_seen(self.encoder(Grid(jnp.swapaxes(rows, -1, -2), self.common_of(reading))))

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

    def see(self, state: ModelState, drive: Grid, hint: Grid, uniform: Array) -> Step:
        """Take a step and look."""
        deter = self._advance(state, drive)
        log_probs = self._look(deter, hint)
        return Step(ModelState(deter=deter, stoch=latents.draw(log_probs, uniform)), log_probs)

    def foresee(self, state: ModelState, drive: Grid, uniform: Array) -> Step:
        """Take a step with closed eyes."""
        deter = self._advance(state, drive)
        log_probs = self.prior(deter)
        return Step(ModelState(deter=deter, stoch=latents.draw(log_probs, uniform)), log_probs)

    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""
        return self._as_latents(self.prior_logits(self.prior_hidden(self.layout.cut(deter))))

    def tell(self, features: Float32[Array, "*n F"]) -> Told:
        """Decode states."""
        told = self.told(self.decoder(self.layout.cut_features(features)))
        cells = jnp.swapaxes(told.columns, -1, -2).reshape(*features.shape[:-1], -1)
        return self.as_told(cells, told.common)

    def as_told(self, cells: Float32[Array, "*n C"], common: Float32[Array, "*n M"]) -> Told:
        """Put what is told of cells beside what is told of no column."""
        pieces, kinds = self.sizes.pieces, self.sizes.shown.num_kinds + 1
        split = pieces * kinds
        return Told(
            cells=cells,
            pieces=common[..., :split].reshape(*common.shape[:-1], pieces, kinds),
            numbers=common[..., split:],
        )

    def foretell(self, features: Float32[Array, "*n F"]) -> Foretold:
        """Return what the heads say of states."""
        seen = self.heads(self.layout.cut_features(features))
        return Foretold(
            reward=self.reward_told(seen),
            goes_on=self.goes_on_told(seen)[..., 0],
            legal=self.legal_told(seen),
        )

    def _look(self, deter: Float32[Array, "*n D"], hint: Grid) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents after something was seen."""
        looked = self.posterior_state(self.layout.cut(deter))
        activate = ACTIVATIONS[self.config.activation]
        looked = Grid(
            activate(self.posterior_norms[0](looked.columns + hint.columns)),
            activate(self.posterior_norms[1](looked.common + hint.common)),
        )
        return self._as_latents(self.posterior_logits(looked))

    def _advance(self, state: ModelState, drive: Grid) -> Float32[Array, "*n D"]:
        """Return the next deterministic state."""
        layout = self.layout
        before = layout.cut(state.deter)
        mixed = self.mix(side_by_side(before, layout.cut_latents(state.stoch), drive))
        return layout.join(update(self.gates(mixed), before, KEEP_BIAS))

    def _as_latents(self, logits: Grid) -> Float32[Array, "*n latents classes"]:
        flat = self.layout.join(logits)
        classes = self.layout.classes
        return latents.log_probabilities(
            flat.reshape(*flat.shape[:-1], -1, classes), self.config.latent_mixture
        )
