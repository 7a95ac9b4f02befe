"""Tetris under gymnax's interface: its contract, its wrappers and rollouts, and a learner that expects it."""

import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnax = pytest.importorskip("gymnax")
from gymnax.experimental.rollout import RolloutWrapper  # noqa: E402
from gymnax.wrappers.purerl import FlattenObservationWrapper, LogWrapper  # noqa: E402

from tetrax.adapters.gymnax import GymnaxTetris  # noqa: E402
from tetrax.adapters.registration import ENV_ID  # noqa: E402

MAX_STEPS = 7
OPTIONS = {"preset": "mini", "actions": "drop", "max_steps_in_episode": MAX_STEPS}
ENV = GymnaxTetris(**OPTIONS, observation="planes")
PARAMS = ENV.default_params
NUM_BOARDS, NUM_STEPS = 6, 40
FAST = {"xla_backend_optimization_level": "0"}  # to compile: what runs for a moment need not run fast


@pytest.fixture(scope="module")
def played():
    """Play random legal placements under gymnax's wrappers: action, log of the episodes, and six results."""
    env = LogWrapper(FlattenObservationWrapper(ENV))

    def step(state, key):
        act_key, step_key = jax.random.split(key)
        logits = jnp.where(state.env_state.action_mask, 0.0, -1e9)
        action = jax.random.categorical(act_key, logits).astype(jnp.int32)
        seen, after, *results = env.step(step_key, state, action, PARAMS)
        return after, (action, after, (seen, after.env_state, *results))

    def play(key):
        reset_key, scan_key = jax.random.split(key)
        _, state = env.reset(reset_key, PARAMS)
        return jax.lax.scan(step, state, jax.random.split(scan_key, NUM_STEPS))[1]

    with jax.numpy_dtype_promotion("standard"):
        return jax.jit(jax.vmap(play), compiler_options=FAST)(
            jax.random.split(jax.random.PRNGKey(0), NUM_BOARDS)
        )


@pytest.mark.slow
def test_every_result_lies_in_its_space(played):
    actions, _, (seen, after, rewards, terminated, truncated, info) = played
    space = ENV.observation_space(PARAMS)
    assert space.shape == (8, 4, 3)
    for shown in (seen, info["final_observation"]):
        assert shown.shape == (NUM_BOARDS, NUM_STEPS, 8 * 4 * 3)
        assert shown.dtype == space.dtype
        assert bool(space.contains(shown))
    assert bool(jnp.all(ENV.action_space(PARAMS).contains(actions)))
    assert bool(jnp.all(jax.vmap(jax.vmap(ENV.state_space(PARAMS).contains))(after)))
    assert rewards.dtype == jnp.float32
    assert terminated.dtype == truncated.dtype == jnp.bool_
    assert ENV.num_actions == ENV.action_space().n == 16


@pytest.mark.slow
def test_a_new_game_follows_in_the_step_that_ends_one(played):
    _, _, (seen, after, rewards, terminated, truncated, info) = played
    lost, cut = np.asarray(terminated), np.asarray(truncated)
    done = lost | cut
    assert lost.sum() > 3
    assert cut.sum() > 3
    assert not (lost & cut).any()
    np.testing.assert_array_equal(np.asarray(after.time) == 0, done)
    assert (np.asarray(after.game.rows)[done] == 0).all()
    assert np.asarray(after.action_mask).any(axis=-1).all()
    np.testing.assert_array_equal(info["action_mask"], after.action_mask)
    np.testing.assert_array_equal(info["discount"], 1.0 - lost)
    np.testing.assert_array_equal(np.asarray(rewards) > 0, np.asarray(info["lines"]) > 0)
    assert rewards.sum() > 0
    last = np.asarray(info["final_observation"])
    np.testing.assert_array_equal(np.asarray(seen)[~done], last[~done])
    locked = last[cut].reshape(-1, 8, 4, 3)[..., 0]
    assert (locked.sum(axis=(1, 2)) % 2 == 0).all()  # dominoes on rows of four
    assert locked.any(axis=(1, 2)).sum() > cut.sum() / 2


def test_gymnax_logs_its_episodes(played):
    _, logged, (_, _, rewards, terminated, truncated, info) = played
    done = np.asarray(terminated | truncated)
    np.testing.assert_array_equal(info["returned_episode"], done)
    board = int(np.argmax(done.sum(axis=1)))
    ends = np.flatnonzero(done[board])
    first, second = ends[:2]
    assert logged.returned_episode_lengths[board, second] == second - first <= MAX_STEPS
    total = np.asarray(rewards)[board, first + 1 : second + 1].sum()
    assert logged.returned_episode_returns[board, second] == pytest.approx(total)


def test_a_game_that_is_lost_in_its_last_step_is_not_truncated(played):
    _, _, (_, after, *_) = played
    state = jax.tree.map(lambda leaf: leaf[0, 0], after).replace(time=jnp.int32(MAX_STEPS))
    lost = state.replace(game=state.game.replace(game_over=jnp.bool_(True)))
    assert ENV.is_truncated(state, PARAMS)
    assert not ENV.is_terminated(state, PARAMS)
    assert not ENV.is_truncated(lost, PARAMS)
    assert ENV.is_terminated(lost, PARAMS)


def test_what_gymnax_makes_has_strict_types_and_shares_programs():
    made, params = gymnax.make(ENV_ID, **OPTIONS)
    assert made == GymnaxTetris(**OPTIONS) != ENV
    assert hash(made) == hash(GymnaxTetris(**OPTIONS))
    key = jax.random.key(0)
    seen, state = jax.eval_shape(lambda: made.reset_env(key, params))
    results = jax.eval_shape(lambda: made.step_env(key, made.reset_env(key, params)[1], jnp.int32(0), params))
    assert seen.shape == results[0].shape == made.observation_space(params).shape
    assert jax.tree.structure(state) == jax.tree.structure(results[1])
    assert jax.tree.leaves(state) == jax.tree.leaves(results[1])


def evolve(num_updates, **options):
    """Train with a third-party learner that speaks gymnax's six results; return mean fitness by update."""
    import optax
    from evosax.algorithms import Open_ES
    from evosax.problems import MLP, GymnaxProblem

    key, train_key = jax.random.split(jax.random.key(0))
    problem = GymnaxProblem(
        ENV_ID, MLP(layer_sizes=(16,)), episode_length=20, use_normalize_obs=False, **options
    )
    solution = problem.policy.init(key, jnp.zeros(problem.observation_shape), key)
    strategy = Open_ES(
        population_size=64, solution=solution, optimizer=optax.adam(0.1), std_schedule=lambda step: 0.3
    )
    params, problem_state = strategy.default_params, problem.init(key)
    state = strategy.init(key, solution, params)

    def update(state, key):
        ask_key, eval_key, tell_key = jax.random.split(key, 3)
        population, state = strategy.ask(ask_key, state, params)
        fitness, _, _ = problem.eval(eval_key, population, problem_state)
        state, _ = strategy.tell(tell_key, population, -fitness, state, params)
        return state, fitness.mean()

    after, means = jax.jit(lambda state, keys: jax.lax.scan(update, state, keys))(
        state, jax.random.split(train_key, num_updates)
    )
    assert (np.asarray(after.mean) != np.asarray(state.mean)).any()
    return np.asarray(means)


@pytest.mark.slow
def test_evosax_learns_it_and_gymnax_rolls_it_out(lenient):
    pytest.importorskip("evosax")
    options = {"preset": "mini", "actions": "drop", "reward": "survival"}
    means = evolve(80, env_kwargs=options, num_rollouts=4)
    assert means[-10:].mean() > means[:10].mean() + 5, means

    rollout = RolloutWrapper(env=GymnaxTetris(**OPTIONS))
    _, _, reward, _, done, total = rollout.batch_rollout(jax.random.split(jax.random.key(1), 3), None)
    assert reward.shape == done.shape == (3, MAX_STEPS)
    assert np.asarray(done).any(axis=1).all()
    assert np.isfinite(total).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"observation": "pixels"}, "observation: given 'pixels'; allowed: flat, planes, image, compact"),
        ({"time_limit": 5}, "time_limit: given 5; allowed: max_steps_in_episode"),
        ({"max_steps_in_episode": 0}, "max_steps_in_episode: given 0; allowed: a whole number from 1"),
        ({"max_steps_in_episode": 2.5}, "max_steps_in_episode: given 2.5; allowed: a whole number from 1"),
        ({"actions": "keys"}, "env.actions: given 'keys'"),
    ],
)
def test_what_is_not_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        GymnaxTetris("mini", **options)


@pytest.mark.parametrize("module", ["tetrax.adapters.gymnax", "tetrax.games.from_gymnax"])
def test_the_error_without_gymnax_names_the_extra(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "gymnax", None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '\.\[gymnax\]'"):
        importlib.import_module(module)


def test_a_key_is_a_key_typed_or_not():
    with pytest.raises(TypeError, match="key: given 0; allowed: one typed Threefry key"):
        ENV.reset_env(0, PARAMS)
    shapes = [
        jax.eval_shape(lambda key: ENV.reset_env(key, PARAMS)[0], key)
        for key in (jax.random.key(0), jax.random.PRNGKey(0))
    ]
    assert shapes[0].shape == shapes[1].shape == (8, 4, 3)
