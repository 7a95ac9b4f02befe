"""Layers over the cells of a board, whose weights are the same at every cell, row and column.

What a placement does it does near its column: `Placing` looks at those columns alone, row by row, and says what comes
of their cells. What a full row does it does to whole rows: `Rows` looks at all cells of a row together, and at what is
above and below. `Settling` then lets each cell take over from those near it in its column. Nothing of the game is built
in but that: which pieces there are, where they come to rest and when rows vanish is learned.

Sums over the rows above and below stand for the question whether there is something at all, as pooling along a row or
column does in CornerNet (Law and Deng 2018, arXiv 1808.01244).
"""

import functools
import operator

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float32

from tetrax.networks.layers import ACTIVATIONS, dense, windows
from tetrax.world_model.column_layers import REACH
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.normed import RmsNorm, scaled_dense

AROUND = 2 * REACH + 1  # columns that an action is about, its own in the middle
FALL = 4  # rows that cells come down at most: a piece is at most four high
FAR_SHARE = 0.25  # of the sums over rows, which are of many


def along_rows(inputs: Float[Array, "*n R F"], reach: int) -> Float[Array, "*n R M"]:
    """Put each row beside `reach` rows below and above; beyond the edges all is 0."""
    edges = [(0, 0)] * (inputs.ndim - 2) + [(reach, reach), (0, 0)]
    return windows(jnp.pad(inputs, edges), 2 * reach + 1)


def with_far_rows(inputs: Float[Array, "*n R F"]) -> Float[Array, "*n R M"]:
    """Put each row beside the sums of the rows up to it from below, and from above: M = 3 F."""
    rows = inputs.shape[-2]
    upwards = np.tril(np.ones((rows, rows), np.float32)) * FAR_SHARE
    below = jnp.einsum("rs,...sf->...rf", upwards, inputs)
    above = jnp.einsum("sr,...sf->...rf", upwards, inputs)
    return jnp.concatenate([inputs, below, above], axis=-1)


def near_columns(cells: Float[Array, "*n W R F"], at: Float32[Array, "*n W"]) -> Float[Array, "*n R M"]:
    """Return the cells of the columns around the one marked in `at`: M = AROUND * F, 0 where none is marked."""
    width = cells.shape[-3]
    edges = [(0, 0)] * (cells.ndim - 3) + [(REACH, REACH), (0, 0), (0, 0)]
    padded = jnp.pad(cells, edges)
    marked = at[..., :, None, None].astype(cells.dtype)
    # Products and sums, not small matrix products: a CPU computes these one by one.
    near = [jnp.sum(padded[..., i : i + width, :, :] * marked, axis=-3) for i in range(AROUND)]
    return jnp.concatenate(near, axis=-1)


def put_back(near: Float[Array, "*n R M"], at: Float32[Array, "*n W"]) -> Float[Array, "*n W R D"]:
    """Undo `near_columns`: M = AROUND * D, 0 in columns that are not near."""
    width = at.shape[-1]
    each = near.reshape(*near.shape[:-1], AROUND, -1)  # [*n, R, AROUND, D]
    edges = [(0, 0)] * (at.ndim - 1) + [(REACH, REACH)]
    padded = jnp.pad(at, edges)
    total = jnp.zeros((*at.shape, *each.shape[-3:-2], each.shape[-1]), near.dtype)
    for i in range(AROUND):  # the i-th of the near columns lies i - REACH to the right of the marked one
        whose = padded[..., 2 * REACH - i :][..., :width, None, None].astype(near.dtype)
        total = total + each[..., None, :, i, :] * whose
    return total


class Normed(nn.Module):
    """A product of each of several inputs, added up, normed and activated."""

    units: int
    activation: str
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, *inputs: Float[Array, "*n F"]) -> Float32[Array, "*n D"]:
        """Apply it; of inputs with other leading sizes the last axis alone is multiplied, and the rest broadcast."""
        products = [
            dense(self.units, 1.0, self.compute_dtype, use_bias=number == 0, name=f"of_{number}")(each)
            for number, each in enumerate(inputs)
        ]
        total = functools.reduce(operator.add, products)
        return ACTIVATIONS[self.activation](RmsNorm(name="norm")(total))


class Placing(nn.Module):
    """What an action does to the cells near its column."""

    config: WorldModelConfig
    outputs: int  # of each cell

    @nn.compact
    def __call__(
        self, cells: Float[Array, "*n W R F"], at: Float32[Array, "*n W"], meant: Float[Array, "*n G"]
    ) -> Float32[Array, "*n W R D"]:
        """Read the cells near the marked column, and what is meant to be done there."""
        config = self.config
        near = along_rows(near_columns(cells, at), 1)
        for number in range(1 + config.dynamics_layers):
            seen = dense(config.row_units, 1.0, config.compute_dtype, name=f"seen_{number}")(near)
            gate = dense(config.row_units, 1.0, config.compute_dtype, name=f"gate_{number}")(meant)
            hidden = ACTIVATIONS[config.activation](RmsNorm(name=f"norm_{number}")(seen * gate[..., None, :]))
            near = along_rows(with_far_rows(hidden) if number == 0 else hidden, 1)
        return put_back(scaled_dense(AROUND * self.outputs, 1.0, name="outputs")(near), at)


class Rows(nn.Module):
    """What holds for all cells of a row together, and for the rows below and above it."""

    config: WorldModelConfig

    @nn.compact
    def __call__(self, cells: Float[Array, "*n W R F"]) -> Float32[Array, "*n R D"]:
        """Read the mean, the least and the largest of each number over a row."""
        config = self.config

        def layer(name: str) -> Normed:
            return Normed(config.row_units, config.activation, config.compute_dtype, name=name)

        whole = [jnp.mean(cells, axis=-3), jnp.min(cells, axis=-3), jnp.max(cells, axis=-3)]
        near = layer("near")(along_rows(jnp.concatenate(whole, axis=-1), 1))
        return layer("far")(with_far_rows(layer("own")(near)))


class Settling(nn.Module):
    """What comes of each cell by those near it in its column and by its row."""

    config: WorldModelConfig
    reach: int = FALL  # rows below and above

    @nn.compact
    def __call__(
        self, cells: Float[Array, "*n W R F"], rows: Float[Array, "*n R G"]
    ) -> Float32[Array, "*n W R D"]:
        """Let the row decide what is taken over."""
        config = self.config
        units = 2 * config.cell_units
        near = dense(2 * units, 1.0, config.compute_dtype, name="near")(along_rows(cells, self.reach))
        of_row = dense(2 * units, 1.0, config.compute_dtype, use_bias=False, name="of_row")(rows)
        taken, gate = jnp.split(near + of_row[..., None, :, :], 2, axis=-1)
        return RmsNorm(name="norm")(jax.nn.sigmoid(gate) * taken)
