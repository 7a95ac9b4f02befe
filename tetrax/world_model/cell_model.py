"""A model whose state is a board of cells, and one part for what concerns all of them.

A board needs no code but itself: the latent of a cell is whether it is filled, which is seen, and foreseen by weights
that are the same for every cell: see `cell_layers`. What concerns all cells, the pieces above all, has latents that are
learned, as in the published model. A column of cells is a column of `column_model`, whose heads this model shares, and
so do actor and critic.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from tetrax.world_model import latents
from tetrax.world_model.cell_layers import Normed, Placing, Rows, Settling
from tetrax.world_model.column_layers import Grid, GridDense, update
from tetrax.world_model.column_model import ColumnModel
from tetrax.world_model.latents import ModelState
from tetrax.world_model.normed import hidden, scaled_dense
from tetrax.world_model.readings import Reading, Told
from tetrax.world_model.rssm import KEEP_BIAS

FILLED = 1  # the class of the latent of a filled cell; 0 = an empty one
SURE = 8.0  # log-odds of what is told of a cell
CERTAIN = 40.0  # logit of what is seen of it: the other classes then have nothing

FIRM = 8.0  # factor of the logits of what is foreseen of a cell, whose few weights would be long in growing


class CellModel(ColumnModel):
    """A model whose state is a board of cells. It has the methods of `WorldModel`."""

    @property
    def num_rows(self) -> int:
        """Return the rows of cells that are shown."""
        return self.sizes.shown.rows

    @property
    def num_planes(self) -> int:
        """Return how many numbers are shown of each cell."""
        return self.sizes.cells // (self.num_rows * self.layout.width)

    def setup(self) -> None:
        """Name the parts."""
        config, sizes, layout = self.config, self.sizes, self.layout
        units, of_cell = config.widths.units, config.cell_units
        drawn = layout.classes, layout.latents_of_common * layout.classes

        def of_cells() -> Normed:
            return Normed(of_cell, config.activation, config.compute_dtype)

        def of_common() -> Normed:
            return Normed(units, config.activation, config.compute_dtype)

        self.encoder = hidden(config, config.encoder_layers)
        self.seen_common = of_common()
        self.posterior_logits = scaled_dense(drawn[1], 1.0)
        self.meant = hidden(config, 2)
        self.placing = Placing(config, config.cell_deter)
        self.placed = of_cells()
        self.rows = Rows(config)
        self.settling = Settling(config)
        self.mixed_common = of_common()
        self.gates = GridDense(3 * config.cell_deter, 3 * layout.of_common)
        self.prior_cells, self.prior_common = of_cells(), hidden(config, config.prior_layers)
        self.prior_logits = GridDense(*drawn)
        self.told_common = hidden(config, config.decoder_layers)
        self.told = scaled_dense(sizes.pieces * (sizes.shown.num_kinds + 1) + sizes.numbers, 1.0)
        # What is shown beside the filled cells: the piece that waits above the board.
        self.told_planes = scaled_dense(sizes.cells - self.layout.width * self.num_rows, 1.0)
        self._set_heads()

    def hint(self, reading: Reading) -> Grid:
        """Read what was seen: which cells are filled, [*n, W, R], and what concerns all."""
        width, rows = self.layout.width, self.num_rows
        filled = reading.cells[..., : rows * width].reshape(*reading.cells.shape[:-1], rows, width)
        return Grid(jnp.swapaxes(filled, -1, -2), self.encoder(self.common_of(reading)))

    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""
        cells, common = self._by_cell(self.layout.cut(deter))
        logits = self.prior_logits(Grid(self.prior_cells(cells), self.prior_common(common)))
        return self._cells_as_latents(logits._replace(columns=FIRM * logits.columns))

    def tell(self, features: Float32[Array, "*n F"]) -> Told:
        """Decode states."""
        cells, common = self._features_by_cell(features)
        filled = SURE * (2.0 * cells[..., self.config.cell_deter + FILLED] - 1.0)  # [*n, W, R]
        filled = jnp.swapaxes(filled, -1, -2).reshape(*features.shape[:-1], -1)
        seen = self.told_common(common)
        return self.as_told(jnp.concatenate([filled, self.told_planes(seen)], axis=-1), self.told(seen))

    def _look(self, deter: Float32[Array, "*n D"], hint: Grid) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents after something was seen: of cells there is no doubt."""
        filled = jax.nn.one_hot(hint.columns.astype(jnp.int32), self.layout.classes, dtype=jnp.float32)
        of_cells = jax.nn.log_softmax(CERTAIN * filled, axis=-1)  # [*n, W, R, classes]
        common = self.posterior_logits(self.seen_common(self.layout.cut(deter).common, hint.common))
        of_common = latents.log_probabilities(
            common.reshape(*common.shape[:-1], -1, self.layout.classes), self.config.latent_mixture
        )
        of_cells = of_cells.reshape(*of_common.shape[:-2], -1, self.layout.classes)
        return jnp.concatenate([of_cells, of_common], axis=-2)

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

    def _features_by_cell(self, features: Float32[Array, "*n F"]) -> Grid:
        """Cut what heads read into cells: states and latents of each together."""
        layout = self.layout
        deter = self._by_cell(layout.cut(features[..., : layout.deter]))
        stoch = features[..., layout.deter :].reshape(*features.shape[:-1], layout.latents, layout.classes)
        drawn = self._by_cell(layout.cut_latents(stoch))
        return Grid(
            jnp.concatenate([deter.columns, drawn.columns], axis=-1),
            jnp.concatenate([deter.common, drawn.common], axis=-1),
        )

    def _by_cell(self, grid: Grid) -> Grid:
        """Cut columns into cells: [*n, W, R D] -> [*n, W, R, D]."""
        return grid._replace(columns=grid.columns.reshape(*grid.columns.shape[:-1], self.num_rows, -1))

    def _by_column(self, grid: Grid) -> Grid:
        """Undo `_by_cell`."""
        return grid._replace(columns=grid.columns.reshape(*grid.columns.shape[:-2], -1))

    def _cells_as_latents(self, logits: Grid) -> Float32[Array, "*n latents classes"]:
        return self._as_latents(self._by_column(logits))
