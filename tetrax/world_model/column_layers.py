"""A model whose state is a row of columns, with weights shared along it, and one part for what concerns all of them.

What a piece does to one place of a board is learned for every place at once. The state of a column is told from what
was there, its neighbours and a summary of all; an action is shown to the column that it is about. Spatial latents kept
what compressed ones lose in EMERALD (Burchi and Timofte 2025, arXiv 2507.04075); columns and their sharing are ours.

To everything outside a state is the same record as that of `rssm`: columns behind each other, then the common part.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float32

from tetrax.env.contract import Shown
from tetrax.networks.layers import ACTIVATIONS, dense, windows
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.normed import RmsNorm, scaled_dense

REACH = 3  # columns to each side that a column hears of: a piece is at most four wide
MESSAGE_SHARE = 4
FILLED = 1  # the class of the latent of a filled cell; 0 = an empty one


class Grid(NamedTuple):
    """What is known of W columns, and of all of them together."""

    columns: Array  # float32[*n, W, D]
    common: Array  # float32[*n, M]


class ColumnLayout(NamedTuple):
    """How states are cut into columns."""

    width: int  # W
    of_column: int  # numbers of a column's deterministic state
    of_common: int  # of the common part's
    latents_of_column: int
    latents_of_common: int
    classes: int
    by_cell: bool = (
        False  # whether a column's latents are those of its cells, of which only FILLED is to be known
    )

    @property
    def deter(self) -> int:
        """Return the numbers of a whole deterministic state."""
        return self.width * self.of_column + self.of_common

    @property
    def latents(self) -> int:
        """Return the latents of a whole state."""
        return self.width * self.latents_of_column + self.latents_of_common

    def cut(self, deter: Float32[Array, "*n D"]) -> Grid:
        """Cut a deterministic state."""
        split = self.width * self.of_column
        columns = deter[..., :split].reshape(*deter.shape[:-1], self.width, self.of_column)
        return Grid(columns, deter[..., split:])

    def cut_latents(self, stoch: Float32[Array, "*n latents classes"]) -> Grid:
        """Cut latents; those of a column, and the common ones, are flat."""
        split = self.width * self.latents_of_column
        leading = stoch.shape[:-2]
        columns = stoch[..., :split, FILLED] if self.by_cell else stoch[..., :split, :]
        columns = columns.reshape(*leading, self.width, -1)
        return Grid(columns, stoch[..., split:, :].reshape(*leading, -1))

    def cut_features(self, features: Float32[Array, "*n F"]) -> Grid:
        """Cut what heads read: states and latents of each column together."""
        deter = self.cut(features[..., : self.deter])
        stoch = features[..., self.deter :].reshape(*features.shape[:-1], self.latents, self.classes)
        drawn = self.cut_latents(stoch)
        return Grid(
            jnp.concatenate([deter.columns, drawn.columns], axis=-1),
            jnp.concatenate([deter.common, drawn.common], axis=-1),
        )

    def join(self, grid: Grid) -> Float32[Array, "*n D"]:
        """Undo `cut`."""
        columns = grid.columns.reshape(*grid.columns.shape[:-2], -1)
        return jnp.concatenate([columns, grid.common], axis=-1)


class Exchange(nn.Module):
    """A layer in which columns hear of their neighbours, of all columns and of what is common, and this of them.

    A neighbour is heard through a message, which has a quarter of the units: what one has to know of another is little.
    """

    config: WorldModelConfig
    reach: int = REACH  # columns to each side that a column hears of; 0 = none

    @nn.compact
    def __call__(self, grid: Grid) -> Grid:
        """Return W columns and a common part of `units` numbers each."""
        config, units = self.config, self.config.widths.units
        activate = ACTIVATIONS[config.activation]
        columns = grid.columns
        seen = dense(units, 1.0, config.compute_dtype, name="own")(columns)
        if self.reach:
            messages = dense(max(units // MESSAGE_SHARE, 1), 1.0, config.compute_dtype, name="message")(
                columns
            )
            inside = jnp.ones_like(messages[..., :1])  # tells the edges, beyond which all is 0
            edges = [(0, 0)] * (columns.ndim - 2) + [(self.reach, self.reach), (0, 0)]
            padded = jnp.pad(jnp.concatenate([activate(messages), inside], axis=-1), edges)
            around = windows(padded, 2 * self.reach + 1)
            seen += dense(units, 1.0, config.compute_dtype, use_bias=False, name="around")(around)
        both = dense(2 * units, 1.0, config.compute_dtype, name="heard")(summarise(grid))
        heard, told = jnp.split(both, 2, axis=-1)
        return Grid(
            activate(RmsNorm(name="norm_of_columns")(seen + heard[..., None, :])),
            activate(RmsNorm(name="norm_of_common")(told)),
        )


class Exchanges(nn.Module):
    """Layers of `Exchange`, the first of which hears of neighbours."""

    config: WorldModelConfig
    layers: int
    reach: int = REACH  # of the first layer

    @nn.compact
    def __call__(self, grid: Grid) -> Grid:
        """Apply every layer."""
        for number in range(self.layers):
            grid = Exchange(self.config, reach=0 if number else self.reach)(grid)
        return grid


class GridDense(nn.Module):
    """Numbers read off each column, by shared weights, and others off the common part."""

    of_column: int
    of_common: int
    scale: float = 1.0  # of the first weights

    @nn.compact
    def __call__(self, grid: Grid) -> Grid:
        """Read them; where 0 numbers are wanted there are none."""
        columns, common = grid
        nothing = jnp.zeros((*common.shape[:-1], 0), jnp.float32)
        return Grid(
            scaled_dense(self.of_column, self.scale, name="of_column")(columns)
            if self.of_column
            else jnp.zeros((*columns.shape[:-1], 0), jnp.float32),
            scaled_dense(self.of_common, self.scale, name="of_common")(common) if self.of_common else nothing,
        )


def side_by_side(*grids: Grid) -> Grid:
    """Put the numbers of several grids of the same columns side by side."""
    return Grid(
        jnp.concatenate([grid.columns for grid in grids], axis=-1),
        jnp.concatenate([grid.common for grid in grids], axis=-1),
    )


def update(gates: Grid, before: Grid, keep_bias: float) -> Grid:
    """Let every part of a state forget and take up, as the cell of `rssm` does; gates are three for each number."""

    def one(gate: Float[Array, "*n M"], old: Float32[Array, "*n D"]) -> Float32[Array, "*n D"]:
        reset, candidate, change = jnp.split(gate.astype(jnp.float32), 3, axis=-1)
        change = jax.nn.sigmoid(change + keep_bias)
        return change * jnp.tanh(jax.nn.sigmoid(reset) * candidate) + (1.0 - change) * old

    return Grid(one(gates.columns, before.columns), one(gates.common, before.common))


class ColumnHead(nn.Module):
    """Numbers read off a state: off the common part, or (`by_column`) choices read off each column."""

    config: WorldModelConfig
    layout: ColumnLayout
    layers: int
    outputs: int
    scale: float = 1.0  # of the first weights of the last layer
    by_column: bool = False

    @nn.compact
    def __call__(self, features: Float32[Array, "*n F"]) -> Float32[Array, "*n Z"]:
        """Read the numbers; those of columns in the order of actions: choice by choice, from the left."""
        reach = REACH if self.by_column else 0
        seen = Exchanges(self.config, self.layers, reach, name="hidden")(self.layout.cut_features(features))
        return ColumnOutputs(self.outputs, self.scale, self.by_column, name="outputs")(seen)


class ColumnOutputs(nn.Module):
    """The last layer of a head."""

    outputs: int
    scale: float = 1.0
    by_column: bool = False

    @nn.compact
    def __call__(self, seen: Grid) -> Float32[Array, "*n Z"]:
        """Read the numbers, in the order of `ColumnHead`."""
        if not self.by_column:  # off one more look at all columns, after they have heard of each other
            return scaled_dense(self.outputs, self.scale, name="summary")(summarise(seen))
        width = seen.columns.shape[-2]
        read = GridDense(self.outputs // width, 0, self.scale, name="choices")(seen).columns
        return jnp.swapaxes(read, -1, -2).reshape(*read.shape[:-2], self.outputs)


def summarise(grid: Grid) -> Float32[Array, "*n F"]:
    """Return what is known of all columns together: their mean, their largest numbers, the common part."""
    return jnp.concatenate(
        [jnp.mean(grid.columns, axis=-2), jnp.max(grid.columns, axis=-2), grid.common], axis=-1
    )


def column_layout(config: WorldModelConfig, shown: Shown) -> ColumnLayout:
    """Return how the states of a board's model are cut; a column of cells is its cells, from the lowest."""
    deter, _, classes = config.widths
    if config.state == "cells":
        of_column, common = shown.num_rows * config.cell_deter, shown.num_pieces + config.latents
        return ColumnLayout(shown.width, of_column, deter, shown.num_rows, common, classes, by_cell=True)
    return ColumnLayout(shown.width, deter, deter, config.column_latents, config.latents, classes)
