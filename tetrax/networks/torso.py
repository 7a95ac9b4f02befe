"""From an observation to one vector, or to one per action: what the heads of every agent read."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float32

from tetrax.env.contract import Afterstates, Game, HostGame, Observation
from tetrax.env.observe import CELLS
from tetrax.networks.attention import BoardAttention
from tetrax.networks.boards import ColumnCnn, ColumnSum, ResidualCnn
from tetrax.networks.layers import Mlp, join, one_hot_pieces, unpack_rows
from tetrax.networks.network_config import NetworkConfig


class Torso(nn.Module):
    """Encode what is seen, with any number of leading axes n.

    Where the observation shows the board or a vector: float32[*n, D]. Where it shows afterstates, each is encoded
    by itself: float32[*n, A, D], and what they have in common (the pieces, `features`) is left to the heads.
    D is the last of `config.hidden`.
    """

    view: str  # what is seen: a key of tetrax.networks.network_config.ENCODERS
    encoder: str  # one of that view's
    num_kinds: int  # of pieces; 0 without any
    width: int  # of the board, cells; 0 without one
    config: NetworkConfig

    @nn.compact
    def __call__(self, observation: Observation) -> Float32[Array, "*n D"]:
        """Encode an observation, [*n, ...]."""
        if self.view == "flat":
            encoded = jnp.asarray(observation.flat)
        elif observation.afterstates is not None:
            encoded = self._afterstates(observation, observation.afterstates)
        else:
            board = self._board(self._planes(observation), observation)
            encoded = join(board, one_hot_pieces(observation, self.num_kinds), observation.features)
        config = self.config
        hidden = Mlp(config.hidden, config.activation, config.compute_dtype, name="hidden")(encoded)
        return hidden.astype(jnp.float32)

    def _planes(self, observation: Observation) -> Float[Array, "*n rows W channels"]:
        """Return what is seen of the board as planes of 0 and 1."""
        dtype = self.config.compute_dtype
        if observation.bitboards is not None:
            return jnp.moveaxis(unpack_rows(observation.bitboards, self.width), -3, -1).astype(dtype)
        if observation.cells is not None:
            kinds = np.arange(1, len(CELLS), dtype=np.int8)  # an empty cell is none of them
            kinds = kinds.reshape((1,) * observation.cells.ndim + kinds.shape)
            return (observation.cells[..., None] == kinds).astype(dtype)
        return jnp.asarray(observation.planes, dtype)

    def _board(
        self, planes: Float[Array, "*n rows W channels"], observation: Observation
    ) -> Float[Array, "*n D"]:
        """Encode one board."""
        config = self.config
        size, activation, dtype = config.hidden[0], config.activation, config.compute_dtype
        if self.encoder == "cnn":
            return ColumnCnn(config.channels, size, activation, dtype, name="encoder")(planes)
        if self.encoder == "resnet":
            return ResidualCnn(config.channels, size, False, activation, dtype, name="encoder")(planes)
        if self.encoder == "attention":
            return self._attention(is_pooled=False)(planes, observation.pieces)
        return planes.reshape(*planes.shape[:-3], -1)

    def _afterstates(self, observation: Observation, after: Afterstates) -> Float32[Array, "*n A D"]:
        """Encode each afterstate by itself, and whether it is the end."""
        config = self.config
        size, activation, dtype = config.hidden[0], config.activation, config.compute_dtype
        if after.rows is None:
            encoded = jnp.asarray(after.features)
            return join(encoded, after.terminated[..., None])
        cells = unpack_rows(after.rows, self.width)  # [*n, A, rows, W]
        if self.encoder == "cnn":
            encoded = ColumnSum(config.channels, activation, dtype, name="encoder")(cells)
        elif self.encoder == "resnet":
            planes = cells[..., None].astype(dtype)
            encoded = ResidualCnn(config.channels, size, True, activation, dtype, name="encoder")(planes)
        elif self.encoder == "attention":
            planes = cells[..., None].astype(dtype)
            encoded = self._attention(is_pooled=True)(planes, observation.pieces[..., None, :])
        else:
            encoded = cells.reshape(*cells.shape[:-2], -1)
        return join(encoded, after.terminated[..., None])

    def _attention(self, is_pooled: bool) -> BoardAttention:
        config = self.config
        return BoardAttention(
            config.attention,
            config.hidden[0],
            self.num_kinds,
            is_pooled,
            config.activation,
            config.compute_dtype,
            name="encoder",
        )


def torso(env: Game | HostGame, config: NetworkConfig, name: str | None = None) -> Torso:
    """Return the encoder that a configuration chooses for what an environment shows; ValueError where none fits."""
    config.validate(env)
    shown = env.spec.shows
    return Torso(shown.view, config.choose_encoder(env), shown.num_kinds, shown.width, config, name=name)
