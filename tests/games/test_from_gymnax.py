"""gymnax environments in the place of Tetris: their flags, their last observation, and PPO on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnax = pytest.importorskip("gymnax")

from tetrax.agents import ppo  # noqa: E402
from tetrax.agents.agent import Sight  # noqa: E402
from tetrax.env.batch import Batch  # noqa: E402
from tetrax.env.wrappers import AutoReset, EpisodeStatistics  # noqa: E402
from tetrax.games.from_gymnax import from_gymnax  # noqa: E402
from tetrax.networks.network_config import NetworkConfig  # noqa: E402

FAST = {"xla_backend_optimization_level": "0"}  # to compile: what runs for a moment need not run fast
CONFIG = ppo.PPOConfig(
    num_envs=8,
    num_steps=16,
    num_epochs=1,
    network=NetworkConfig(hidden=(16,), activation="tanh"),
    learning_rate=2.5e-3,
    entropy=0.0,
)


def test_truncation_keeps_the_last_observation_and_termination_wins(lenient):
    env, params = gymnax.make("CartPole-v1")
    boards = EpisodeStatistics(AutoReset(from_gymnax(env, params.replace(max_steps_in_episode=12))))

    def step(state, action):
        state, timestep = boards.step(state, action)
        return state, (state.finished, timestep)

    def play(key):
        reset_key, act_key = jax.random.split(key)
        actions = jax.random.bernoulli(act_key, 0.7, (60,)).astype(jnp.int32)
        return jax.lax.scan(step, boards.reset(reset_key)[0], actions)[1]

    finished, timesteps = jax.jit(jax.vmap(play), compiler_options=FAST)(
        jax.random.split(jax.random.key(0), 8)
    )
    lost, cut = np.asarray(timesteps.terminated), np.asarray(timesteps.truncated)
    done = lost | cut
    assert lost.sum() > 5
    assert cut.sum() > 5
    assert not (lost & cut).any()
    assert (np.asarray(finished.steps)[cut] == 12).all()
    np.testing.assert_array_equal(np.asarray(finished.totals["return"])[done], finished.steps[done])
    assert set(finished.totals) == {"return", "steps"}
    np.testing.assert_array_equal(finished.totals["steps"], finished.steps)
    last, seen = np.asarray(timesteps.last_observation.flat), np.asarray(timesteps.observation.flat)
    np.testing.assert_array_equal(last[~done], seen[~done])
    assert (np.abs(seen[done]) <= 0.05).all()  # where CartPole starts
    falling = np.abs(last[..., 2]) > 12 * 2 * np.pi / 360
    outside = np.abs(last[..., 0]) > 2.4
    np.testing.assert_array_equal(falling | outside, lost)


@pytest.mark.slow
def test_ppo_trains_on_cartpole(lenient):
    """Two updates, and a decision of what they made."""
    env = from_gymnax("CartPole-v1")
    agent = ppo.make(CONFIG, env)

    def run(key):
        init_key, act_key = jax.random.split(key)
        start = agent.init(init_key, horizon=2)
        state, metrics = jax.lax.scan(lambda state, _: agent.train(state), start, length=2)
        seen = Batch(AutoReset(env)).observe(state.env_state.env_state)
        sight = Sight(observation=seen, is_first=jnp.zeros(8, bool))
        action, _, told = agent.act(agent.policy(state), sight, (), act_key, True)
        return start, state, metrics, action, told

    start, state, metrics, action, told = jax.jit(run, compiler_options=FAST)(jax.random.key(0))
    assert state.iteration == 2
    assert all(np.isfinite(value).all() for value in (metrics.totals | metrics.means | told).values())
    for before, after in zip(jax.tree.leaves(start.params), jax.tree.leaves(state.params), strict=True):
        assert (before != after).any()
    running = np.asarray(state.env_state.running.totals["return"]).sum()
    assert metrics.totals["return"].sum() == 2 * 8 * 16 - running  # a point for every step
    assert action.shape == (8,)
    assert set(action.tolist()) <= {0, 1}


@pytest.mark.slow
def test_ppo_learns_cartpole(lenient):
    """Random play lasts about 22 steps; three seeds side by side, 100,000 steps each."""
    config = ppo.PPOConfig(
        num_envs=16,
        num_steps=128,
        num_epochs=4,
        network=NetworkConfig(hidden=(64, 64), activation="tanh"),
        learning_rate=2.5e-3,
        entropy=0.0,
    )
    agent = ppo.make(config, from_gymnax("CartPole-v1"))

    def run(key):
        return jax.lax.scan(lambda state, _: agent.train(state), agent.init(key, horizon=50), length=50)[1]

    metrics = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(0), 3))
    returns = np.asarray(metrics.totals["return"]).reshape(3, 5, 10).sum(axis=2)
    counts = np.asarray(metrics.totals["games"]).reshape(3, 5, 10).sum(axis=2)
    means = returns / counts  # by ten iterations
    assert (means[:, 0] < 150).all(), means
    assert (means[:, -1] > 300).all(), means


def test_nothing_is_shaped_and_there_is_no_board():
    env = from_gymnax("CartPole-v1")
    assert env.with_discount(env.default_params, np.float32(0.5)) is env.default_params
    assert env.measure(None) == {}
    with pytest.raises(ValueError, match=r"height: given 4 for CartPole-v1 of gymnax; allowed: a game with"):
        env.with_height(4)


def test_observations_of_other_shapes_are_flat(lenient):
    """Catch shows an image, FrozenLake a number: the image is laid out, the number becomes one-hot."""
    for name in ("Catch-bsuite", "FrozenLake-misc"):
        raw, params = gymnax.make(name)
        env = from_gymnax(name)
        seen = jax.eval_shape(lambda env=env: env.reset(jax.random.key(0))[1].observation)
        space = raw.observation_space(params)
        size = int(np.prod(space.shape)) if space.shape else space.n
        assert seen.flat.shape == (size,)
        assert seen.legal.shape == (env.spec.num_actions,)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ("Pendulum-v1", {}, "action_space: given Box.*; allowed: Discrete"),
        ("CartPole", {}, "CartPole is not in registered gymnax environments"),
        (object(), {}, "env: given object; allowed: a name with options, or a gymnax Environment"),
    ],
)
def test_what_is_not_allowed(given, options, message):
    with pytest.raises(ValueError, match=message):
        from_gymnax(given, **options)
