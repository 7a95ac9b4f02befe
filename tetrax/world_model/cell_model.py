"""A model whose state is a board of cells and some pieces, and one part for what concerns all of them.

What is seen needs no code but itself: the latent of a cell is whether it is filled, that of a piece is its kind. They
are seen, and foreseen by weights that are the same for every cell: see `cell_layers`. Whatever else there is has
latents that are learned, as in the published model. A column of cells is a column of `column_model`, whose heads this
model shares, and so do actor and critic.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from tetrax.world_model import latents
from tetrax.world_model.cell_layers import Normed, Placing, Rows, Settling
from tetrax.world_model.column_layers import FILLED, Grid, GridDense, update
from tetrax.world_model.grid_model import GridModel
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_parts import Step
from tetrax.world_model.normed import hidden, scaled_dense
from tetrax.world_model.readings import Reading, Told
from tetrax.world_model.rssm import KEEP_BIAS

SURE = 8.0  # log-odds of what is told of a cell, and logit of the kind of a piece
CERTAIN = 40.0  # nats by which what is seen is likelier than what is not; a cell is of no third class
FIRM = 8.0  # factor of the logits of cells to come: they are read off few weights, which grow slowly


class Seen(NamedTuple):
    """What was seen of a moment."""

    known: Array  # float32[*n, cells + pieces, classes], the latents that are seen, one-hot
    common: Array  # float32[*n, U], of what concerns all cells


class CellModel(GridModel):
    """A model whose state is a board of cells. It has the methods of `WorldModel`."""

    @property
    def num_rows(self) -> int:
        """Return the rows of cells that are shown."""
        return self.sizes.shown.num_rows

    def setup(self) -> None:
        """Name the parts."""
        config, sizes, layout = self.config, self.sizes, self.layout
        units, of_cell = config.widths.units, config.cell_units

        def of_cells() -> Normed:
            return Normed(of_cell, config.activation, config.compute_dtype)

        def of_common() -> Normed:
            return Normed(units, config.activation, config.compute_dtype)

        self.encoder = hidden(config, config.encoder_layers)
        self.seen_common = of_common()
        self.posterior_logits = scaled_dense(config.latents * layout.classes, 1.0)
        self.meant = hidden(config, 2)
        self.placing = Placing(config, config.cell_deter)
        self.placed = of_cells()
        self.rows = Rows(config)
        self.settling = Settling(config)
        self.mixed_common = of_common()
        self.gates = GridDense(3 * config.cell_deter, 3 * layout.of_common)
        self.prior_cells, self.prior_common = of_cells(), hidden(config, config.prior_layers)
        self.prior_logits = GridDense(2, layout.latents_of_common * layout.classes)
        self.told_common = hidden(config, config.decoder_layers)
        self.told = scaled_dense(sizes.numbers, 1.0)
        # What is shown beside the filled cells: the piece that waits above the board.
        self.told_planes = scaled_dense(sizes.cells - self.layout.width * self.num_rows, 1.0)
        self._set_heads()

    def hint(self, reading: Reading) -> Seen:
        """Read what was seen."""
        width, rows, leading = self.layout.width, self.num_rows, reading.cells.shape[:-1]
        filled = reading.cells[..., : rows * width].reshape(*leading, rows, width)
        filled = jnp.swapaxes(filled, -1, -2).reshape(*leading, -1)
        seen = jnp.concatenate([filled.astype(jnp.int32), reading.pieces], axis=-1)
        hot = jax.nn.one_hot(seen, self.layout.classes, dtype=jnp.float32)
        return Seen(hot, self.encoder(self.common_of(reading)))

    def see(self, state: ModelState, drive: Grid, hint: Seen, uniform: Array) -> Step:
        """Take a step and look: what is seen is known, and only the rest is drawn."""
        deter = self._advance(state, drive)
        rest = self.posterior_logits(self.seen_common(self.layout.cut(deter).common, hint.common))
        rest = self._as_latents(rest)
        drawn = latents.draw(rest, uniform[..., hint.known.shape[-2] :])
        log_probs = jnp.concatenate([jax.nn.log_softmax(CERTAIN * hint.known, axis=-1), rest], axis=-2)
        return Step(ModelState(deter, jnp.concatenate([hint.known, drawn], axis=-2)), log_probs)

    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""
        cells, common = self._by_cell(self.layout.cut(deter))
        logits = self.prior_logits(Grid(self.prior_cells(cells), self.prior_common(common)))
        filled = latents.log_probabilities(FIRM * logits.columns, self.config.latent_mixture)  # [*n, W, R, 2]
        more = [(0, 0)] * (filled.ndim - 1) + [(0, self.layout.classes - 2)]
        filled = jnp.pad(filled, more, constant_values=-CERTAIN)
        filled = filled.reshape(*deter.shape[:-1], -1, self.layout.classes)
        return jnp.concatenate([filled, self._as_latents(logits.common)], axis=-2)

    def tell(self, features: Float32[Array, "*n F"]) -> Told:
        """Decode states."""
        layout, kinds = self.layout, self.sizes.shown.num_kinds + 1
        stoch = features[..., layout.deter :].reshape(*features.shape[:-1], layout.latents, layout.classes)
        num_cells = layout.width * self.num_rows
        filled = stoch[..., :num_cells, FILLED].reshape(*features.shape[:-1], layout.width, -1)
        filled = jnp.swapaxes(filled, -1, -2).reshape(*features.shape[:-1], -1)
        seen = self.told_common(layout.cut_features(features).common)
        return Told(
            cells=jnp.concatenate([SURE * (2.0 * filled - 1.0), self.told_planes(seen)], axis=-1),
            pieces=SURE * stoch[..., num_cells : num_cells + self.sizes.pieces, :kinds],
            numbers=self.told(seen),
        )

    def _advance(self, state: ModelState, drive: Grid) -> Float32[Array, "*n D"]:
        """Return the next deterministic state."""
        layout = self.layout
        before = layout.cut(state.deter)
        old, drawn = self._by_cell(before), self._by_cell(layout.cut_latents(state.stoch))
        at = jnp.sum(drive.columns, axis=-1)  # [*n, W]
        common = jnp.concatenate([before.common, drawn.common, drive.common], axis=-1)
        meant = self.meant(common)
        inside = jnp.ones_like(old.columns[..., :1])  # tells the edges, beyond which all is 0
        cells = jnp.concatenate([old.columns, drawn.columns, inside], axis=-1)
        painted = self.placing(cells, at, meant)
        placed = self.placed(cells, painted, meant[..., None, None, :])
        rows = self.rows(placed)
        settled = self.settling(jnp.concatenate([placed, inside], axis=-1), rows)
        of_rows = jnp.concatenate([jnp.mean(rows, axis=-2), jnp.max(rows, axis=-2)], axis=-1)
        mixed = Grid(jnp.concatenate([settled, placed], axis=-1), self.mixed_common(common, meant, of_rows))
        return layout.join(self._by_column(update(self.gates(mixed), old, KEEP_BIAS)))

    def _by_cell(self, grid: Grid) -> Grid:
        """Cut columns into cells: [*n, W, R D] -> [*n, W, R, D]."""
        return grid._replace(columns=grid.columns.reshape(*grid.columns.shape[:-1], self.num_rows, -1))

    def _by_column(self, grid: Grid) -> Grid:
        """Undo `_by_cell`."""
        return grid._replace(columns=grid.columns.reshape(*grid.columns.shape[:-2], -1))

    def _as_latents(self, logits: Float32[Array, "*n F"]) -> Float32[Array, "*n latents classes"]:
        by_class = logits.reshape(*logits.shape[:-1], -1, self.layout.classes)
        return latents.log_probabilities(by_class, self.config.latent_mixture)
