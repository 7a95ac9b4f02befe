"""What a model reads of an observation and tells of it: cells, pieces and numbers."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array
from jaxtyping import Float32

from tetrax.env.contract import Observation, Shown
from tetrax.networks.layers import unpack_rows
from tetrax.ops.two_hot import symexp, symlog


class Reading(struct.PyTreeNode):
    """An observation as a model has it; what a game does not show is empty."""

    cells: Array  # float32[*n, C], 0 and 1, every plane of the board behind each other
    pieces: Array  # int32[*n, P], active, held (K = none), queue
    numbers: Array  # float32[*n, N], symlog of what is shown: features, or the whole of a flat observation


class Told(struct.PyTreeNode):
    """What a decoder says of an observation."""

    cells: Array  # float32[*n, C], log-odds that a cell is filled
    pieces: Array  # float32[*n, P, K + 1], logits
    numbers: Array  # float32[*n, N], symlog

    def likeliest(self) -> Reading:
        """Return the reading that is most probable."""
        return Reading(
            cells=(self.cells > 0).astype(jnp.float32),
            pieces=jnp.argmax(self.pieces, axis=-1).astype(jnp.int32),
            numbers=self.numbers,
        )


def read(shown: Shown, observation: Observation) -> Reading:
    """Read observations [*n, ...] of a view of `model_config.VIEWS`."""
    leading = observation.legal.shape[:-1]
    if shown.view == "flat":
        assert observation.flat is not None
        nothing = jnp.zeros((*leading, 0), jnp.float32)
        return Reading(cells=nothing, pieces=nothing.astype(jnp.int32), numbers=symlog(observation.flat))
    planes: Any
    if shown.view == "bitboards":
        assert observation.bitboards is not None
        planes = unpack_rows(observation.bitboards, shown.width)  # [*n, 2, R, W]
    else:
        assert observation.planes is not None
        planes = jnp.moveaxis(observation.planes, -1, -3)  # [*n, 3, R, W]
    cells = planes.reshape(*leading, -1).astype(jnp.float32)
    return Reading(cells=cells, pieces=observation.pieces, numbers=symlog(observation.features))


def as_vector(reading: Reading, num_kinds: int) -> Float32[Array, "*n F"]:
    """Put a reading side by side, pieces one-hot."""
    hot = jax.nn.one_hot(reading.pieces, num_kinds + 1, dtype=jnp.float32)  # [*n, P, K + 1]
    hot = hot.reshape(*hot.shape[:-2], -1)
    return jnp.concatenate([reading.cells, hot, reading.numbers], axis=-1)


def surprise(told: Told, reading: Reading) -> Float32[Array, "*n"]:
    """Return how wrong a decoder is: nats of cells and pieces, squared errors of numbers, all added up."""
    of_cells = optax.sigmoid_binary_cross_entropy(told.cells, reading.cells)
    log_probs = jax.nn.log_softmax(told.pieces, axis=-1)
    kinds = jax.nn.one_hot(reading.pieces, told.pieces.shape[-1], dtype=jnp.float32)
    of_pieces = -jnp.sum(kinds * log_probs, axis=-1)
    of_numbers = (told.numbers - reading.numbers) ** 2
    return jnp.sum(of_cells, axis=-1) + jnp.sum(of_pieces, axis=-1) + jnp.sum(of_numbers, axis=-1)


def in_units(numbers: Float32[Array, "*n N"]) -> Float32[Array, "*n N"]:
    """Return numbers of a reading in the units in which they are shown."""
    return symexp(numbers)
