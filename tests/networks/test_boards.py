"""Encoders of boards: convolutions as matrix products, and what they can tell apart."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import tetrax
from tests.networks.seen import made_up
from tetrax.networks.boards import ColumnSum, ResidualCnn
from tetrax.networks.layers import one_hot_pieces, unpack_rows, windows


def test_windows_and_a_dense_layer_are_a_convolution():
    inputs = jax.random.normal(jax.random.key(0), (5, 12, 4))
    layer = nn.Conv(7, (3,), padding="VALID")
    params = layer.init(jax.random.key(1), inputs)
    kernel = params["params"]["kernel"].reshape(12, 7)  # [3, C, D] -> [3 C, D]
    np.testing.assert_allclose(layer.apply(params, inputs), windows(inputs) @ kernel, atol=1e-5)


def test_rows_unpack_to_cells():
    cells = unpack_rows(jnp.array([[0b1011, 0b0001]], jnp.uint32), 4)
    assert cells.tolist() == [[[1, 1, 0, 1], [1, 0, 0, 0]]]


def test_pieces_are_one_hot_with_a_kind_of_its_own_for_none():
    env = tetrax.make(preview=1)
    seen = made_up(env, (3,))
    hot = np.asarray(one_hot_pieces(seen.replace(pieces=seen.pieces.at[:, 1].set(7)), 7))
    assert hot.shape == (3, 3 * 8)
    assert (hot.sum(axis=1) == 3).all()
    assert (hot.reshape(3, 3, 8)[:, 1, 7] == 1).all()  # nothing is held yet


def test_a_sum_over_columns_knows_walls_but_not_which_way_is_left():
    """Boards that differ by where a lone tower stands, away from the walls, look the same."""
    cells = np.zeros((3, 6, 8), np.uint8)
    cells[0, :2, 3] = cells[1, :2, 4] = cells[2, :2, 0] = 1
    network = ColumnSum(channels=(8, 8))
    params = network.init(jax.random.key(0), jnp.asarray(cells))
    middle, beside, at_the_wall = np.asarray(network.apply(params, jnp.asarray(cells)))
    np.testing.assert_allclose(middle, beside, atol=1e-6)
    assert np.abs(middle - at_the_wall).max() > 1e-3


class PlainResidualCnn(nn.Module):
    """The same network out of flax's own convolutions."""

    channels: tuple[int, ...]
    size: int

    @nn.compact
    def __call__(self, planes):
        *leading, rows, width, num_planes = planes.shape
        cells = planes.reshape(-1, rows, width, num_planes)
        cells = nn.Conv(self.channels[0], (3, 3))(jnp.concatenate([cells, jnp.ones_like(cells[..., :1])], -1))
        for channels in self.channels:
            inner = nn.Conv(channels, (3, 3))(nn.relu(cells))
            inner = nn.Conv(channels, (3, 3))(nn.relu(inner))
            if cells.shape[-1] != channels:
                cells = nn.Conv(channels, (1, 1), use_bias=False)(cells)
            cells = cells + inner
        columns = nn.relu(cells).transpose(0, 2, 1, 3)
        return nn.relu(nn.Dense(self.size)(columns.reshape(*leading, -1)))


def test_a_residual_network_is_one_of_convolutions():
    planes = jax.random.normal(jax.random.key(0), (2, 3, 7, 5, 2))  # [T, B, rows, W, C]
    network, plain = ResidualCnn((4, 6), 8), PlainResidualCnn((4, 6), 8)
    params = jax.jit(network.init)(jax.random.key(1), planes)["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.05, params)  # biases too
    # The layers in the order they are made; a convolution's kernel [3, 3, C, D] is ours [9 C, D], with the
    # windows sideways inside those over the rows.
    ours = [params[f"Dense_{i}"] for i in range(7)]
    theirs = jax.eval_shape(plain.init, jax.random.key(1), planes)["params"]
    assert [f"Conv_{i}" in theirs for i in range(6)] == [True] * 6
    names = [*(f"Conv_{i}" for i in range(6)), "Dense_0"]
    # In the second block the projection, Conv_5, is made after the two convolutions, as in ours.
    filled = {
        name: {part: layer[part].reshape(theirs[name][part].shape) for part in theirs[name]}
        for name, layer in zip(names, ours, strict=True)
    }
    np.testing.assert_allclose(
        jax.jit(network.apply)({"params": params}, planes),
        jax.jit(plain.apply)({"params": filled}, planes),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_pooled_residual_network_does_not_know_which_column():
    """Where a tower stands does not matter, as long as no convolution of the three reaches a wall from it."""
    cells = np.zeros((3, 5, 14, 1), np.float32)
    cells[0, :2, 6] = cells[1, :2, 7] = cells[2, :2, 0] = 1
    network = ResidualCnn((4,), 8, is_pooled=True)
    params = network.init(jax.random.key(0), jnp.asarray(cells))
    middle, beside, at_the_wall = np.asarray(network.apply(params, jnp.asarray(cells)))
    np.testing.assert_allclose(middle, beside, atol=1e-6)
    assert np.abs(middle - at_the_wall).max() > 1e-3
