import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env.contract import Shown
from tetrax.ops import two_hot
from tetrax.world_model import judges, model, rssm
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model import WorldModel
from tetrax.world_model.model_config import SIZES, WorldModelConfig
from tetrax.world_model.model_parts import Sizes
from tetrax.world_model.normed import RmsNorm
from tetrax.world_model.readings import Reading

TINY = WorldModelConfig(
    deter=16,
    units=8,
    classes=3,
    latents=4,
    blocks=2,
    encoder_layers=1,
    decoder_layers=1,
    actor_layers=1,
    bins=15,
)
ENV = tetrax.make(preset="mini", actions="drop", observation="bitboards")


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


@pytest.fixture(scope="module")
def tiny():
    world = model.world_model(ENV, TINY)
    return world, jax.jit(lambda key: model.initial_params(world, key))(jax.random.key(0))


def test_the_published_size_has_the_published_number_of_parameters():
    """24 inputs of a body, told by heads of 14, 1 and 9; 6 actions, each a mean and a spread."""
    config = WorldModelConfig(size="1m")
    world = WorldModel(config, Sizes(Shown("flat"), cells=0, pieces=0, numbers=24, actions=6))
    features = jnp.zeros((1, 512 + 32 * 4))
    trees = jax.eval_shape(
        lambda key: (
            model.initial_params(world, key),
            judges.actor(config, Shown("flat"), 2 * 6).init(key, features),
            judges.critic(config, Shown("flat")).init(key, features),
        ),
        jax.random.key(0),
    )
    assert count(trees) == 640_867


def test_sizes_are_those_of_the_paper():
    deter = [512, 2_048, 3_072, 4_096, 6_144, 8_192, 12_288]
    units = [64, 256, 384, 512, 768, 1_024, 1_536]
    assert [tuple(widths) for widths in SIZES.values()] == [
        *zip(deter, units, [4, 16, 24, 32, 48, 64, 96], strict=True)
    ]
    assert WorldModelConfig(size="12m", units=100).widths == (2_048, 100, 16)


def test_a_root_mean_square_by_hand():
    # The root of (1 + 4 + 9 + 16) / 4 + 0.0001 is 2.7386310.
    norm = RmsNorm()
    x = jnp.array([1.0, 2.0, 3.0, 4.0])
    found = norm.apply(norm.init(jax.random.key(0), x), x)
    np.testing.assert_allclose(found, [0.3651459, 0.7302918, 1.0954378, 1.4605837], rtol=1e-6)


@pytest.mark.slow
def test_at_first_nothing_is_expected(tiny):
    world, params = tiny
    features = jax.random.normal(jax.random.key(1), (5, 16 + 4 * 3))
    foretold = world.apply(params, features, method=world.foretell)
    assert not model.mean_reward(world, foretold).any()
    bins = model.bins(WorldModelConfig())
    # ln 255, which is 5.541.
    np.testing.assert_allclose(
        two_hot.loss(jnp.zeros((2, 255)), jnp.array([0.0, 3.0]), bins), 5.541, atol=5e-4
    )


def test_a_reset_equals_a_fresh_state(tiny):
    world, params = tiny
    state, _ = ENV.reset(jax.random.key(2))
    seen = jax.tree.map(lambda leaf: leaf[None], ENV.observe(state))
    old = ModelState(deter=jax.random.normal(jax.random.key(3), (1, 16)), stoch=jnp.ones((1, 4, 3)) / 3)
    see = jax.jit(
        lambda state, action, first: model.see_step(
            world, params, state, action, seen, jnp.array([first]), jax.random.key(4)
        ),
        static_argnums=2,
    )
    fresh = see(model.initial_state(world, (1,)), jnp.array([-1]), False)
    reset = see(old, jnp.array([3]), True)
    jax.tree.map(np.testing.assert_array_equal, reset, fresh)
    assert (see(old, jnp.array([3]), False).deter != fresh.deter).any()


@pytest.mark.slow
def test_a_sequence_is_its_steps(tiny):
    """Going through T steps at once gives what looking step by step does, resets included."""
    world, params = tiny
    keys = jax.random.split(jax.random.key(5), 4)
    num = (6, 2)
    reading = Reading(
        cells=jax.random.bernoulli(keys[0], 0.5, (*num, world.sizes.cells)).astype(jnp.float32),
        pieces=jnp.zeros((*num, world.sizes.pieces), jnp.int32),
        numbers=jax.random.normal(keys[1], (*num, world.sizes.numbers)),
    )
    actions = jax.random.randint(keys[2], num, 0, ENV.num_actions)
    first = jnp.zeros(num, bool).at[3, 1].set(True)
    state = model.initial_state(world, (2,))
    found = jax.jit(lambda *args: model.see_all(world, params, *args))(
        state, actions, reading, first, keys[3]
    )
    uniform = jax.random.uniform(keys[3], (*num, TINY.latents))
    for t in range(num[0]):
        drive = world.apply(params, jnp.where(first[t], -1, actions[t]), method=world.drive)
        hint = world.apply(params, jax.tree.map(lambda leaf: leaf[t], reading), method=world.hint)  # noqa: B023
        step = world.apply(params, rssm.forget(state, first[t]), drive, hint, uniform[t], method=world.see)
        state = step.state
        np.testing.assert_allclose(found.state.deter[t], state.deter, atol=1e-5)
        np.testing.assert_allclose(found.state.stoch[t], state.stoch, atol=1e-5)


def test_a_block_sees_its_own_part_alone():
    from tetrax.world_model.normed import BlockDense

    layer = BlockDense(6, 2)
    x = jnp.arange(1.0, 9.0)
    params = layer.init(jax.random.key(0), x)
    jacobian = jax.jacobian(lambda x: layer.apply(params, x))(x)
    assert not jacobian[:3, 4:].any()
    assert not jacobian[3:, :4].any()
    kernel, bias = params["params"]["kernel"], params["params"]["bias"]
    assert (kernel.shape, bias.shape) == ((2, 4, 3), (6,))
    np.testing.assert_allclose(jacobian[3:, 4:], kernel[1].T, rtol=1e-6)


def test_some_action_is_always_likely_legal(tiny):
    world, _ = tiny
    foretold = model.Foretold(
        reward=jnp.zeros((2, 15)),
        goes_on=jnp.zeros(2),
        legal=jnp.array([[-3.0, -1.0, -2.0], [1.0, -1.0, 2.0]]),
    )
    assert model.likely_legal(world, foretold).tolist() == [[False, True, False], [True, False, True]]


def test_a_policy_keeps_a_share_of_chance_among_legal_actions():
    logits = jnp.array([[50.0, 0.0, 0.0, 99.0], [0.0, 0.0, 0.0, 0.0]])
    legal = jnp.array([[True, True, True, False], [False, False, False, False]])
    chosen = judges.policy(logits, legal, 0.03)
    np.testing.assert_allclose(chosen.probabilities[0], [0.98, 0.01, 0.01, 0], atol=1e-6)
    assert chosen.log_prob(jnp.array([0, 2]))[1] == 0
    assert chosen.entropy()[1] == 0
    uniform = jnp.linspace(0, 1, 1_000, endpoint=False)
    drawn = judges.draw_action(
        jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[0], (1_000, 4)), chosen), uniform
    )
    assert np.bincount(drawn, minlength=4).tolist() == pytest.approx([980, 10, 10, 0], abs=1)
    grads = jax.grad(lambda logits: judges.policy(logits, legal, 0.03).entropy().sum())(logits)
    assert jnp.isfinite(grads).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"deter": 100}, r"agent.model.deter: given 100; allowed: a multiple of blocks \(8\)"),
        ({"bins": 254}, "agent.model.bins: given 254; allowed: an odd number"),
        ({"classes": 1}, "agent.model.classes: given 1; allowed: 0, or 2 to 256"),
        ({"size": "2m"}, "agent.model.size: given '2m'; allowed: "),
        ({"mixture": 0.9}, "agent.model.mixture: given 0.9; allowed: from 0 to 0.5"),
        ({"units": -1}, "agent.model.units: given -1; allowed: "),
    ],
)
def test_what_cannot_work_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        model.world_model(ENV, dataclasses.replace(TINY, blocks=8, **wrong))


def test_afterstates_cannot_be_foretold():
    with pytest.raises(ValueError, match=r"env.observation: given 'afterstate_features'.*bitboards"):
        model.world_model(tetrax.make(preset="mini", actions="drop"), TINY)
