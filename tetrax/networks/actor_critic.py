"""Policy and value networks: for both kinds of action set, and for games that are not Tetris.

Shapes carry one batch axis B; observations are `tetrax.env.observe.Observation`.

Parameters are float32. The hidden layers compute in `compute_dtype`, float32 or bfloat16; the last layers, the
softmax and the mean over columns, and so logits and values, are float32 always.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float32, UInt8, UInt32

from tetrax.env.observe import Observation
from tetrax.env.tetris import Tetris
from tetrax.env.wrappers import Game

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": nn.relu, "tanh": nn.tanh, "silu": nn.silu}

SMALL_GAIN = 1e-4  # of a policy's last layer: it starts out nearly uniform (Andrychowicz et al. 2021, 3.2)
NO_AFTERSTATES = "observation: given no view of the afterstates; allowed: their features or their rows"


def dense(size: int, gain: float = 2.0, compute_dtype: str = "float32") -> nn.Dense:
    """Return a layer whose weights have the variance gain / inputs (He et al. 2015, equation 10).

    Not orthogonal ones: several QR factorisations under vmap wait for each other for ever in jaxlib
    0.10's CPU client when it has two threads, so that seeds could not be mapped over.
    """
    return nn.Dense(
        size,
        dtype=jnp.dtype(compute_dtype),
        kernel_init=nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal"),
    )


class Mlp(nn.Module):
    """Layers of the given sizes, each with its activation."""

    sizes: Sequence[int]
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, inputs: Float[Array, "*B F"]) -> Float[Array, "*B D"]:
        """Apply every layer."""
        for size in self.sizes:
            inputs = ACTIVATIONS[self.activation](dense(size, compute_dtype=self.compute_dtype)(inputs))
        return inputs


def windows(inputs: Array, width: int = 3) -> Array:
    """Put each position beside its neighbours: [..., W + width - 1, C] -> [..., W, width * C].

    A dense layer after it is a convolution, as one matrix product. `nn.Conv` gives the same
    numbers, but its gradient for many small boards is slow on CPUs.
    """
    num_places = inputs.shape[-2] - width + 1
    return jnp.concatenate([inputs[..., i : i + num_places, :] for i in range(width)], axis=-1)


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
    def __call__(self, planes: Float[Array, "*B rows W C"]) -> Float[Array, "*B D"]:
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


class PlanesActorCritic(nn.Module):
    """Judge the keys from the board's planes, or from bitboards: one convolutional encoder, two heads."""

    num_actions: int
    num_kinds: int
    width: int  # of the board
    channels: Sequence[int]
    hidden: Sequence[int]
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, observation: Observation) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
        """Return logits and value."""
        planes = observation.planes
        if observation.bitboards is not None:
            planes = jnp.moveaxis(unpack_rows(observation.bitboards, self.width), -3, -1)
        planes = jnp.asarray(planes, self.compute_dtype)
        encoded = ColumnCnn(self.channels, self.hidden[0], self.activation, self.compute_dtype)(planes)
        pieces = one_hot_pieces(observation, self.num_kinds)
        together = _joined(encoded, pieces, observation.features)
        hidden = Mlp(self.hidden, self.activation, self.compute_dtype)(together)
        logits = dense(self.num_actions, SMALL_GAIN)(hidden)
        return logits, dense(1, 1.0)(hidden)[..., 0]


class AfterstateActorCritic(nn.Module):
    """Judge each placement by the board it leaves: one encoder for all of them.

    The logit of a placement is a function of its own afterstate; the value is read off the mean
    of the encodings under the policy, so that it is the worth of what will be played.
    """

    hidden: Sequence[int]
    channels: Sequence[int]  # used with boards only
    width: int
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, observation: Observation) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
        """Return logits and value."""
        after = observation.afterstates
        if after is None:
            raise ValueError(NO_AFTERSTATES)
        if after.features is not None:
            encoded = after.features
        elif after.rows is not None:
            cells = unpack_rows(after.rows, self.width)
            encoded = ColumnSum(self.channels, self.activation, self.compute_dtype)(cells)
        else:
            raise ValueError(NO_AFTERSTATES)
        ended = after.terminated[..., None].astype(jnp.float32)
        encoded = Mlp(self.hidden, self.activation, self.compute_dtype)(_joined(encoded, ended))
        logits = dense(1, SMALL_GAIN)(encoded)[..., 0]  # [B, A]
        weights = nn.softmax(jnp.where(observation.legal, logits, -1e9), axis=-1)
        expected = jnp.einsum("...a,...ad->...d", jax.lax.stop_gradient(weights), encoded.astype(jnp.float32))
        summary = _joined(expected, observation.features)
        value = dense(1, 1.0)(Mlp(self.hidden[-1:], self.activation, self.compute_dtype)(summary))
        return logits, value[..., 0]


class FlatActorCritic(nn.Module):
    """Judge the actions from one vector: one network for the policy, one for the value."""

    num_actions: int
    hidden: Sequence[int]
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(self, observation: Observation) -> tuple[Float32[Array, "B A"], Float32[Array, "B"]]:
        """Return logits and value."""
        seen = jnp.asarray(observation.flat)
        judged = Mlp(self.hidden, self.activation, self.compute_dtype)(seen)
        valued = Mlp(self.hidden, self.activation, self.compute_dtype)(seen)
        return dense(self.num_actions, SMALL_GAIN)(judged), dense(1, 1.0)(valued)[..., 0]


ActorCritic = PlanesActorCritic | AfterstateActorCritic | FlatActorCritic


def actor_critic(
    env: Game, hidden: Sequence[int], channels: Sequence[int], activation: str, compute_dtype: str = "float32"
) -> ActorCritic:
    """Return the network that fits what an environment shows; one that is not Tetris shows a vector."""
    view = env.config.view if isinstance(env, Tetris) else "flat"
    if view == "flat":
        return FlatActorCritic(env.num_actions, hidden, activation, compute_dtype)
    assert isinstance(env, Tetris)
    if view in ("planes", "bitboards"):
        rules = env.rules
        return PlanesActorCritic(
            env.num_actions, rules.num_pieces, rules.width, channels, hidden, activation, compute_dtype
        )
    if view.startswith("afterstate"):
        return AfterstateActorCritic(hidden, channels, env.rules.width, activation, compute_dtype)
    allowed = "planes, bitboards, flat, afterstate_..."
    raise ValueError(f"env.observation: given {view!r}; allowed with a network: {allowed}")


def _joined(*parts: Array) -> Float32[Array, "*B n"]:
    """Put numbers side by side; layers bring them to the type they compute in."""
    return jnp.concatenate([part.astype(jnp.float32) for part in parts], axis=-1)


def one_hot_pieces(observation: Observation, num_kinds: int) -> Float32[Array, "*B n"]:
    """Return the pieces one-hot and flat; 'no piece held' is a kind of its own."""
    hot = jax.nn.one_hot(observation.pieces, num_kinds + 1)
    return hot.reshape(*hot.shape[:-2], -1)


def unpack_rows(rows: UInt32[Array, "*n R"], width: int) -> UInt8[Array, "*n R W"]:
    """Expand row words to cells, 0 and 1."""
    x = np.arange(width, dtype=np.uint32).reshape((1,) * rows.ndim + (width,))
    return ((rows[..., None] >> x) & np.uint32(1)).astype(jnp.uint8)
