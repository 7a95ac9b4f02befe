"""Encoders of boards: planes of cells to one vector."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float32, UInt8

from tetrax.networks.layers import ACTIVATIONS, dense, windows


class ColumnCnn(nn.Module):
    """A convolution along the columns whose kernel spans every row, then ordinary ones.

    Tetris is the same game in every column but not in every row, so weights are shared sideways
    only; one layer sees whole columns, which costs a tenth of a stack of 3x3 kernels as tall.
    """

    channels: Sequence[int]
    size: int  # of the final layer
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, planes: Float[Array, "*B rows W channels"]) -> Float[Array, "*B D"]:
        """Encode planes; any leading axes."""
        activation = ACTIVATIONS[self.activation]
        *leading, _, width, _ = planes.shape
        by_column = jnp.moveaxis(planes, -3, -2).reshape(-1, width, planes.shape[-3] * planes.shape[-1])
        for channels in self.channels:
            padded = jnp.pad(by_column, ((0, 0), (1, 1), (0, 0)))
            by_column = activation(dense(channels, compute_dtype=self.compute_dtype)(windows(padded)))
        flat = by_column.reshape(*leading, -1)
        return activation(dense(self.size, compute_dtype=self.compute_dtype)(flat))


class ColumnSum(nn.Module):
    """Judge a board as a sum over its columns, each seen with its neighbours and the walls.

    Height, holes, wells, transitions: what is known to matter in Tetris adds up over columns, so
    the sum is a fit summary and a small one. The walls are filled columns.
    """

    channels: Sequence[int]  # the first sees three columns at once, the others one
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, cells: UInt8[Array, "*B rows W"]) -> Float32[Array, "*B D"]:
        """Encode boards; any leading axes."""
        activation = ACTIVATIONS[self.activation]
        *leading, rows, width = cells.shape
        by_column = jnp.swapaxes(cells, -1, -2).reshape(-1, width, rows)
        walled = jnp.pad(by_column, ((0, 0), (1, 1), (0, 0)), constant_values=1)
        encoded = windows(walled).astype(self.compute_dtype).reshape(-1, 3 * rows)  # one row a column
        for channels in self.channels:
            encoded = activation(dense(channels, compute_dtype=self.compute_dtype)(encoded))
        return jnp.mean(encoded.reshape(*leading, width, -1), axis=-2, dtype=jnp.float32)


class ResidualCnn(nn.Module):
    """Residual blocks of 3x3 convolutions over the cells.

    He et al. 2016, "Identity mappings in deep residual networks" (arXiv 1603.05027, figure 1b): activations
    come before convolutions, and what is added is not changed. A plane of ones tells the edges, beyond which all
    is zero. At the end each column becomes one vector: side by side for play by keys, where it matters which
    column; or averaged (`is_pooled`), where the board alone is judged.
    """

    channels: Sequence[int]  # of each block
    size: int  # of the final layer
    is_pooled: bool = False
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, planes: Float[Array, "*B rows W channels"]) -> Float[Array, "*B D"]:
        """Encode planes; any leading axes."""
        activation = ACTIVATIONS[self.activation]
        *leading, _, width, _ = planes.shape
        cells = jnp.asarray(planes, self.compute_dtype).reshape(-1, *planes.shape[-3:])
        cells = self._convolve(
            jnp.concatenate([cells, jnp.ones_like(cells[..., :1])], axis=-1), self.channels[0]
        )
        for channels in self.channels:
            inner = self._convolve(activation(cells), channels)
            inner = self._convolve(activation(inner), channels)
            if cells.shape[-1] != channels:
                cells = dense(channels, 1.0, self.compute_dtype, use_bias=False)(cells)
            cells = cells + inner
        columns = jnp.swapaxes(activation(cells), -3, -2)
        columns = columns.reshape(*leading, width, -1)  # [*B, W, rows channels]
        if self.is_pooled:
            judged = activation(dense(self.size, compute_dtype=self.compute_dtype)(columns))
            return jnp.mean(judged, axis=-2, dtype=jnp.float32)
        flat = columns.reshape(*leading, -1)
        return activation(dense(self.size, compute_dtype=self.compute_dtype)(flat))

    def _convolve(
        self, cells: Float[Array, "N rows W channels"], channels: int
    ) -> Float[Array, "N rows W D"]:
        """Convolve with a kernel of 3x3 cells, as one matrix product."""
        padded = jnp.pad(cells, ((0, 0), (1, 1), (1, 1), (0, 0)))
        sideways = windows(padded)  # [N, rows + 2, W, 3 channels]
        squares = jnp.swapaxes(windows(jnp.swapaxes(sideways, -3, -2)), -3, -2)  # [N, rows, W, 9 channels]
        return dense(channels, compute_dtype=self.compute_dtype)(squares)
