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
        width, kinds = self.layout.width, self.sizes.shown.num_kinds + 1
        rows = reading.cells.reshape(*reading.cells.shape[:-1], -1, width)
        hot = jax.nn.one_hot(reading.pieces, kinds, dtype=jnp.float32)
        common = jnp.concatenate([hot.reshape(*hot.shape[:-2], -1), reading.numbers], axis=-1)
        return self.posterior_seen(self.encoder(Grid(jnp.swapaxes(rows, -1, -2), common)))

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
        looked = self.posterior_state(self.layout.cut(deter))
        activate = ACTIVATIONS[self.config.activation]
        looked = Grid(
            activate(self.posterior_norms[0](looked.columns + hint.columns)),
            activate(self.posterior_norms[1](looked.common + hint.common)),
        )
        log_probs = self._as_latents(self.posterior_logits(looked))
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
        sizes, leading = self.sizes, features.shape[:-1]
        told = self.told(self.decoder(self.layout.cut_features(features)))
        kinds = sizes.shown.num_kinds + 1
        split = sizes.pieces * kinds
        return Told(
            cells=jnp.swapaxes(told.columns, -1, -2).reshape(*leading, sizes.cells),
            pieces=told.common[..., :split].reshape(*leading, sizes.pieces, kinds),
            numbers=told.common[..., split:],
        )

    def foretell(self, features: Float32[Array, "*n F"]) -> Foretold:
        """Return what the heads say of states."""
        seen = self.heads(self.layout.cut_features(features))
        return Foretold(
            reward=self.reward_told(seen),
            goes_on=self.goes_on_told(seen)[..., 0],
            legal=self.legal_told(seen),
        )

    def _advance(self, state: ModelState, drive: Grid) -> Float32[Array, "*n D"]:
        """Return the next deterministic state."""
        layout = self.layout
        before = layout.cut(state.deter)
        mixed = self.mix(side_by_side(before, layout.cut_latents(state.stoch), drive))
        return layout.join(update(self.gates(mixed), before, KEEP_BIAS))

    def _as_latents(self, logits: Grid) -> Float32[Array, "*n latents classes"]:
        flat = self.layout.join(logits)
        classes = self.layout.classes
        return latents.log_probabilities(flat.reshape(*flat.shape[:-1], -1, classes), self.config.mixture)
