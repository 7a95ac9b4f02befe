"""Self-attention over a board, attention over the pieces, and from the pieces to the board.

Tokens of a board are its rows or its cells, at one scale or several: scale by scale, each from the bottom
row up and from left to right. Attention is that of Vaswani et al. 2017 (arXiv 1706.03762, section 3.2) in layers
that normalise first (Xiong et al. 2020, arXiv 2002.04745, figure 1b). Where two tokens stand to each other counts by
learned numbers added to the logits, one for each offset and head (Raffel et al. 2020, arXiv 1910.10683, section 2.1;
after Shaw et al. 2018, arXiv 1803.02155), here offsets in two dimensions and between scales.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jax import Array
from jaxtyping import Float, Float32, Int32

from tetrax.env.contract import Game, HostGame
from tetrax.networks.layers import ACTIVATIONS, dense, join
from tetrax.networks.network_config import AttentionConfig, NetworkConfig

LOOKING = ("active", "held")  # the pieces that attend to the board, the first two of Observation.pieces
SOWN = "attention_weights"  # in flax's collection "intermediates"
WIDENING = 2  # of the layer inside each block


class AttentionWeights(NamedTuple):
    """What attends to what: each row of weights sums to 1. Tokens are those of the board."""

    board: tuple[Array, ...]  # of each layer, float32[*n, heads, tokens, tokens]: from token to token
    # From piece to piece: active, held, queue.
    pieces: Array | None  # float32[*n, heads, pieces, pieces]; None without `queue`
    looks: Array | None  # float32[*n, heads, 2, tokens], from the active and the held piece to the board


class Attention(nn.Module):
    """Attention with several heads; queries and keys may have different leading axes of size 1."""

    heads: int
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(
        self,
        queries: Float[Array, "*B queries D"],
        keys: Float[Array, "*B keys D"],
        bias: Float32[Array, "heads queries keys"] | None = None,
    ) -> Float[Array, "*B queries D"]:
        """Return for each query the mix of what the keys hold, [*B, queries, D]."""
        size = queries.shape[-1]

        def by_head(tokens: Array, name: str) -> Array:
            projected = dense(size, 1.0, self.compute_dtype, name)(tokens)
            return projected.reshape(*tokens.shape[:-1], self.heads, size // self.heads)

        query, key, value = by_head(queries, "query"), by_head(keys, "key"), by_head(keys, "value")
        logits = jnp.einsum("...qhd,...khd->...hqk", query, key, preferred_element_type=jnp.float32)
        logits = logits / math.sqrt(size // self.heads)
        if bias is not None:
            logits = logits + bias.reshape((1,) * (logits.ndim - 3) + bias.shape)
        weights = nn.softmax(logits, axis=-1)
        self.sow("intermediates", SOWN, weights)
        mixed = jnp.einsum("...hqk,...khd->...qhd", weights.astype(value.dtype), value)
        return dense(size, 1.0, self.compute_dtype, "out")(mixed.reshape(*mixed.shape[:-2], size))


class Block(nn.Module):
    """Attention, then a layer for each token by itself; both add to the tokens, which stay float32."""

    heads: int
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(
        self,
        tokens: Float32[Array, "*B queries D"],
        keys: Float32[Array, "*B keys D"] | None = None,
        bias: Float32[Array, "heads queries keys"] | None = None,
    ) -> Float32[Array, "*B queries D"]:
        """Let the tokens attend to the keys, or, without, to each other."""
        size = tokens.shape[-1]
        normal = nn.LayerNorm(name="normal")(tokens)
        seen = normal if keys is None else nn.LayerNorm(name="normal_keys")(keys)
        tokens = tokens + Attention(self.heads, self.compute_dtype, name="attention")(normal, seen, bias)
        inner = nn.LayerNorm(name="normal_inner")(tokens)
        inner = ACTIVATIONS[self.activation](dense(WIDENING * size, 2.0, self.compute_dtype, "widen")(inner))
        return tokens + dense(size, 1.0, self.compute_dtype, "narrow")(inner)


class Grid(NamedTuple):
    """Tokens of one scale."""

    scale: int  # cells, or rows, along a side of what one token stands for
    rows: int
    columns: int  # 1 where tokens are whole rows

    def centres(self, axis: int) -> np.ndarray:
        """Return where the tokens stand along rows (0) or columns (1), in cells: float[rows] or float[columns]."""
        return (np.arange((self.rows, self.columns)[axis]) + 0.5) * self.scale


def grids(config: AttentionConfig, rows: int, width: int) -> tuple[Grid, ...]:
    """Return the tokens of a board, by scale: squares that reach over its edge count as whole ones."""
    columns = width if config.over == "cells" else 1
    return tuple(Grid(scale, -(-rows // scale), -(-columns // scale)) for scale in config.scales)


class RelativeBias(nn.Module):
    """A learned number for each offset between tokens, each pair of scales, and each head; 0 at first."""

    grids: tuple[Grid, ...]
    heads: int

    @nn.compact
    def __call__(self) -> Float32[Array, "heads tokens tokens"]:
        """Return what is added to the logits."""
        return jnp.concatenate(
            [jnp.concatenate([self._block(a, b) for b in self.grids], axis=2) for a in self.grids], axis=1
        )

    def _block(self, queries: Grid, keys: Grid) -> Float32[Array, "heads queries keys"]:
        """Look the numbers up by products with 0 and 1, whose gradient is the same in every run on a GPU too."""
        by_row, by_column = (_offsets(queries.centres(axis), keys.centres(axis)) for axis in (0, 1))
        shape = (by_row.shape[-1], by_column.shape[-1], self.heads)
        table = self.param(f"scale_{queries.scale}_{keys.scale}", nn.initializers.zeros, shape)
        block = jnp.einsum("rsy,yxh,cdx->hrcsd", by_row, table, by_column)
        return block.reshape(self.heads, queries.rows * queries.columns, keys.rows * keys.columns)


def _offsets(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the offset of each key from each query, one-hot over all offsets there are: float32[queries, keys, N]."""
    offsets = keys[None, :] - queries[:, None]
    return (offsets[..., None] == np.unique(offsets)[None, None]).astype(np.float32)


class BoardAttention(nn.Module):
    """Encode a board by attention, with the pieces where `config.queue`.

    At the end tokens become one vector: rows side by side; cells averaged by column, for play by keys, where it
    matters which column; or over the whole board (`is_pooled`), where the board alone is judged.
    """

    config: AttentionConfig
    size: int  # of the final layer
    num_kinds: int  # of pieces
    is_pooled: bool = False
    activation: str = "relu"
    compute_dtype: str = "float32"

    @nn.compact
    def __call__(
        self, planes: Float[Array, "*B rows W channels"], pieces: Int32[Array, "*B pieces"]
    ) -> Float32[Array, "*B D"]:
        """Encode boards and pieces; leading axes of the pieces may be 1 where many boards have the same."""
        config = self.config
        places = grids(config, *planes.shape[-3:-1])
        tokens = jnp.concatenate([self._tokens(planes, grid) for grid in places], axis=-2)
        for layer in range(config.layers):
            bias = RelativeBias(places, config.heads, name=f"offsets_{layer}")()
            tokens = self._block(f"board_{layer}")(tokens, bias=bias)
        parts = list(self._summaries(tokens, places))
        if config.queue:
            queue = self._block("pieces")(self._pieces(pieces))
            looking = queue[..., : len(LOOKING), :]
            looked = self._block("looks")(looking, tokens)  # [*B, 2, D]
            parts.append(looked.reshape(*looked.shape[:-2], -1))
        final = dense(self.size, compute_dtype=self.compute_dtype, name="final")
        return ACTIVATIONS[self.activation](final(join(*parts)))

    def _block(self, name: str) -> Block:
        return Block(self.config.heads, self.activation, self.compute_dtype, name=name)

    def _tokens(
        self, planes: Float[Array, "*B rows W channels"], grid: Grid
    ) -> Float32[Array, "*B tokens D"]:
        """Average the cells of each token; add what a row, and a distance from the walls, means."""
        size, scale = self.config.size, grid.scale
        if self.config.over == "rows":
            planes = planes.reshape(*planes.shape[:-2], 1, -1)  # a row is one place with many numbers
        averaged = _average(planes, grid)
        tokens = dense(size, 1.0, self.compute_dtype, f"cells_{scale}")(averaged).astype(jnp.float32)
        tokens = tokens + self._declare(f"rows_{scale}", grid.rows)[:, None, :].reshape(
            (1,) * (tokens.ndim - 3) + (grid.rows, 1, size)
        )
        if self.config.over == "cells":
            from_wall = np.minimum(np.arange(grid.columns), np.arange(grid.columns)[::-1])
            by_distance = np.eye(from_wall.max() + 1, dtype=np.float32)[from_wall]  # one-hot
            learned = by_distance @ self._declare(f"walls_{scale}", by_distance.shape[1])
            tokens = tokens + learned.reshape((1,) * (tokens.ndim - 2) + learned.shape)
        return tokens.reshape(*tokens.shape[:-3], -1, size)

    def _pieces(self, pieces: Int32[Array, "*B pieces"]) -> Float32[Array, "*B pieces D"]:
        """Make a token of each piece and of its place: active, held, next and so on."""
        size = self.config.size
        tokens = dense(size, 1.0, self.compute_dtype, "kinds")(jax.nn.one_hot(pieces, self.num_kinds + 1))
        places = self._declare("places", pieces.shape[-1])
        return tokens.astype(jnp.float32) + places.reshape((1,) * (tokens.ndim - 2) + places.shape)

    def _declare(self, name: str, count: int) -> Float32[Array, "N D"]:
        """Declare so many learned vectors."""
        return self.param(name, nn.initializers.normal(0.02), (count, self.config.size))

    def _summaries(self, tokens: Float32[Array, "*B tokens D"], places: tuple[Grid, ...]) -> Iterator[Array]:
        """Make one vector of each scale's tokens."""
        for grid, part in _by_scale(tokens, places, axis=-2):
            leading = part.shape[:-2]
            if self.config.over == "cells":
                part = part.reshape(*leading, grid.rows, grid.columns, -1).mean(axis=-3)
                part = part.mean(axis=-2, keepdims=True) if self.is_pooled else part
            yield part.reshape(*leading, -1)


def attention_weights(network: nn.Module, params: Any, *inputs: Any) -> AttentionWeights:
    """Return what attends to what when a network with encoder attention judges `inputs`, its own arguments.

    ValueError for a network without attention.
    """
    _, collections = network.apply(params, *inputs, mutable=["intermediates"])
    sown = traverse_util.flatten_dict(dict(collections.get("intermediates", {})))
    by_block = {path[-3]: weights[0] for path, weights in sown.items() if path[-1] == SOWN}
    if not by_block:
        raise ValueError("network: given one without attention; allowed: one with encoder attention")
    layers = sorted((name for name in by_block if name.startswith("board_")), key=lambda name: int(name[6:]))
    return AttentionWeights(
        tuple(by_block[name] for name in layers), by_block.get("pieces"), by_block.get("looks")
    )


def attends(config: NetworkConfig, env: Game | HostGame) -> bool:
    """Tell whether a described network attends to the cells of the one board that is seen."""
    return config.choose_encoder(env) == "attention" and not env.spec.shows.by_action


def over_cells(
    weights: Float32[Array, "*n tokens"], config: AttentionConfig, rows: int, width: int
) -> Float32[Array, "*n rows W"]:
    """Spread the weight of each token evenly over the cells that it stands for; sums stay."""
    spread = jnp.zeros((*weights.shape[:-1], rows, width), jnp.float32)
    for grid, part in _by_scale(weights, grids(config, rows, width), axis=-1):
        across = width if config.over == "rows" else grid.scale
        by_row = np.repeat(np.eye(grid.rows), grid.scale, axis=1)[:, :rows]  # 1 where a token covers a row
        by_column = np.repeat(np.eye(grid.columns), across, axis=1)[:, :width]
        by_row, by_column = (covered / covered.sum(axis=1, keepdims=True) for covered in (by_row, by_column))
        shares = np.einsum("ry,cx->rcyx", by_row, by_column).reshape(-1, rows, width)
        spread = spread + jnp.einsum("...k,kyx->...yx", part, shares.astype(np.float32))
    return spread


def _average(
    planes: Float[Array, "*B rows W channels"], grid: Grid
) -> Float[Array, "*B rows columns channels"]:
    """Average squares of cells, or rows; beyond the edge all is 0."""
    scale, across = grid.scale, 1 if planes.shape[-2] == 1 else grid.scale
    *leading, rows, width, channels = planes.shape
    missing = (grid.rows * scale - rows, grid.columns * across - width)
    padded = jnp.pad(planes, (*((0, 0) for _ in leading), (0, missing[0]), (0, missing[1]), (0, 0)))
    squares = padded.reshape(*leading, grid.rows, scale, grid.columns, across, channels)
    return squares.mean(axis=(-4, -2))


def _by_scale(values: Array, places: tuple[Grid, ...], axis: int) -> Iterator[tuple[Grid, Array]]:
    counts = [grid.rows * grid.columns for grid in places]
    parts = jnp.split(values, np.cumsum(counts)[:-1].tolist(), axis=axis)
    return zip(places, parts, strict=True)
