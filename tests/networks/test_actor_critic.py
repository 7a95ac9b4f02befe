"""What the networks see, and what they cannot."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env.foresight import Afterstates
from tetrax.env.observe import Observation
from tetrax.networks.actor_critic import (
    AfterstateActorCritic,
    ColumnSum,
    FlatActorCritic,
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
    network = PlanesActorCritic(num_actions=8, num_kinds=7, width=10, channels=(4, 4), hidden=(16,))
    params = network.init(jax.random.key(0), seen)
    logits, value = network.apply(params, seen)
    assert logits.shape == (6, 8) and value.shape == (6,)
    other = seen.replace(planes=seen.planes.at[0, 0, 0, 0].set(1))
    assert (network.apply(params, other)[1] != value).tolist() == [True] + [False] * 5


def test_bitboards_are_judged_as_the_planes_they_stand_for():
    """The same network sees the same cells, whichever way they were stored; the third plane is not in words."""
    seen = batch(tetrax.make())
    words = batch(tetrax.make(observation="bitboards"))
    two = seen.replace(planes=seen.planes[..., :2])
    network = PlanesActorCritic(num_actions=8, num_kinds=7, width=10, channels=(4, 4), hidden=(16,))
    params = network.init(jax.random.key(0), two)
    for judged, expected in zip(network.apply(params, words), network.apply(params, two), strict=True):
        np.testing.assert_array_equal(judged, expected)


@pytest.mark.parametrize(
    "network",
    [
        functools.partial(PlanesActorCritic, 8, 7, 10, (8, 8), (16, 16)),
        functools.partial(AfterstateActorCritic, (16, 16), (4,), 10),
        functools.partial(FlatActorCritic, 8, (16, 16)),
    ],
    ids=lambda network: network.func.__name__,
)
def test_bfloat16_is_inside_alone_and_changes_little(network):
    seen = made_up_observation()
    exact, rough = network(), network(compute_dtype="bfloat16")
    params = exact.init(jax.random.key(1), seen)
    params = jax.tree.map(lambda leaf: leaf + 0.1 * (leaf.ndim == 2), params)  # logits are near 0 at first
    shapes = jax.eval_shape(rough.init, jax.random.key(1), seen)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {np.dtype(np.float32)}
    assert "bf16" in str(jax.make_jaxpr(rough.apply)(params, seen))
    assert "bf16" not in str(jax.make_jaxpr(exact.apply)(params, seen))
    for one, other in zip(exact.apply(params, seen), rough.apply(params, seen), strict=True):
        assert one.dtype == other.dtype == np.float32
        spread = float(np.abs(one).max())
        difference = np.abs(np.asarray(one) - np.asarray(other)).max()
        assert 0 < difference < 0.1 * spread  # 8 bits: 0.4% a rounding, and terms cancel in the sums


def made_up_observation():
    """Show numbers of every kind, on four boards."""
    planes, features, after, ended, flat = jax.random.split(jax.random.key(0), 5)
    afterstates = Afterstates(
        features=jax.random.normal(after, (4, 8, 6)),
        rows=None,
        reward=jnp.zeros((4, 8)),
        terminated=jax.random.bernoulli(ended, 0.3, (4, 8)),
    )
    return Observation(
        planes=jax.random.bernoulli(planes, 0.5, (4, 20, 10, 2)).astype(jnp.uint8),
        pieces=jnp.array([[0, 7, 1], [2, 3, 4], [5, 6, 0], [1, 1, 1]], jnp.int32),
        features=jax.random.normal(features, (4, 5)),
        legal=jnp.ones((4, 8), bool),
        afterstates=afterstates,
        flat=jax.random.normal(flat, (4, 30)),
    )
