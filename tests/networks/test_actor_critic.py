"""What the networks see, and what they cannot."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import tetrax
from tetrax.networks.actor_critic import (
    AfterstateActorCritic,
    ColumnSum,
    PlanesActorCritic,
    one_hot_pieces,
    unpack_rows,
    windows,
)


def batch(env, count=6):
    return jax.vmap(env.reset)(jax.random.split(jax.random.key(0), count))[1].observation


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
    hot = np.asarray(one_hot_pieces(batch(env, 3), 7))
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


def test_a_placement_is_judged_by_its_own_afterstate():
    """Changing one placement's afterstate changes its logit alone; the value feels it."""
    env = tetrax.make(actions="drop", hold=False)
    seen = batch(env)
    network = AfterstateActorCritic(hidden=(16, 16), channels=(4,), width=10)
    params = network.init(jax.random.key(0), seen)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    action = int(np.flatnonzero(np.asarray(seen.legal[0]))[0])
    features = seen.afterstates.features.at[0, action].add(1.0)
    other = seen.replace(afterstates=seen.afterstates.replace(features=features))
    logits, value = network.apply(params, seen)
    changed, changed_value = network.apply(params, other)
    assert logits.shape == (6, 40) and value.shape == (6,)
    differs = np.asarray(logits != changed)
    assert differs.sum() == 1 and differs[0, action]
    assert value[0] != changed_value[0]
    np.testing.assert_array_equal(value[1:], changed_value[1:])


def test_the_value_does_not_look_at_illegal_placements():
    env = tetrax.make(actions="drop")
    seen = batch(env)
    network = AfterstateActorCritic(hidden=(16,), channels=(4,), width=10)
    params = network.init(jax.random.key(0), seen)
    features = jnp.where(seen.legal[..., None], seen.afterstates.features, 100.0)
    other = seen.replace(afterstates=seen.afterstates.replace(features=features))
    np.testing.assert_allclose(network.apply(params, seen)[1], network.apply(params, other)[1], rtol=1e-6)


def test_keys_are_judged_from_the_planes():
    env = tetrax.make()
    seen = batch(env)
    network = PlanesActorCritic(num_actions=8, num_kinds=7, channels=(4, 4), hidden=(16,))
    params = network.init(jax.random.key(0), seen)
    logits, value = network.apply(params, seen)
    assert logits.shape == (6, 8) and value.shape == (6,)
    other = seen.replace(planes=seen.planes.at[0, 0, 0, 0].set(1))
    assert (network.apply(params, other)[1] != value).tolist() == [True] + [False] * 5
