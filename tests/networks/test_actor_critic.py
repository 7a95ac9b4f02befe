"""What the networks see, and what they cannot."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.networks.seen import made_up
from tetrax.networks.actor_critic import actor_critic
from tetrax.networks.network_config import NetworkConfig

SMALL = NetworkConfig(hidden=(16,), channels=(4, 4))


def test_a_placement_is_judged_by_its_own_afterstate():
    """Changing one placement's afterstate changes its logit alone; the value feels it."""
    env = tetrax.make(actions="drop", hold=False)
    seen = made_up(env, (6,))
    network = actor_critic(env, NetworkConfig(hidden=(16, 16)))
    params = jax.jit(network.init)(jax.random.key(0), seen)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    action = 7
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
    seen = made_up(env, (6,))
    network = actor_critic(env, SMALL)
    params = jax.jit(network.init)(jax.random.key(0), seen)
    seen = seen.replace(legal=seen.legal.at[:, ::2].set(False))
    features = jnp.where(seen.legal[..., None], seen.afterstates.features, 100.0)
    other = seen.replace(afterstates=seen.afterstates.replace(features=features))
    np.testing.assert_allclose(network.apply(params, seen)[1], network.apply(params, other)[1], rtol=1e-6)


def test_keys_are_judged_from_the_planes():
    env = tetrax.make()
    seen = made_up(env, (6,))
    network = actor_critic(env, SMALL)
    params = jax.jit(network.init)(jax.random.key(0), seen)
    logits, value = network.apply(params, seen)
    assert logits.shape == (6, 8) and value.shape == (6,)
    other = seen.replace(planes=seen.planes.at[0, 0, 0, 0].set(1))
    assert (network.apply(params, other)[1] != value).tolist() == [True] + [False] * 5


@pytest.mark.parametrize("view", ["planes", "afterstate_features", "flat"])
@pytest.mark.slow
def test_bfloat16_is_inside_alone_and_changes_little(view):
    actions = "drop" if view == "afterstate_features" else "direct"
    env = tetrax.make("mini", actions=actions, observation=view)
    seen = made_up(env)
    exact, rough = (
        actor_critic(env, NetworkConfig(hidden=(16, 16), channels=(8, 8), compute_dtype=dtype))
        for dtype in ("float32", "bfloat16")
    )
    params = jax.jit(exact.init)(jax.random.key(1), seen)
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
