"""A model whose state is a row of columns: encoder, dynamics and heads, with weights shared along the board."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from tetrax.networks.layers import ACTIVATIONS
from tetrax.world_model import latents
from tetrax.world_model.column_layers import (
    Exchanges,
    Grid,
    GridDense,
    side_by_side,
    update,
)
from tetrax.world_model.grid_model import GridModel
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_parts import Step
from tetrax.world_model.normed import RmsNorm
from tetrax.world_model.readings import Reading, Told
from tetrax.world_model.rssm import KEEP_BIAS


class ColumnModel(GridModel):
    """A model whose state is a row of columns: see `column_layers`."""

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

    def hint(self, reading: Reading) -> Grid:
        """Encode what was seen."""
        rows = reading.cells.reshape(*reading.cells.shape[:-1], -1, self.layout.width)
        return self.posterior_seen(self.encoder(Grid(jnp.swapaxes(rows, -1, -2), self.common_of(reading))))

    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""
        return self._as_latents(self.prior_logits(self.prior_hidden(self.layout.cut(deter))))

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

    def tell(self, features: Float32[Array, "*n F"]) -> Told:
        """Decode states."""
        told = self.told(self.decoder(self.layout.cut_features(features)))
        cells = jnp.swapaxes(told.columns, -1, -2).reshape(*features.shape[:-1], -1)
        pieces, kinds = self.sizes.pieces, self.sizes.shown.num_kinds + 1
        split = pieces * kinds
        return Told(
            cells=cells,
            pieces=told.common[..., :split].reshape(*features.shape[:-1], pieces, kinds),
            numbers=told.common[..., split:],
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
        return latents.log_probabilities(
            flat.reshape(*flat.shape[:-1], -1, classes), self.config.latent_mixture
        )
