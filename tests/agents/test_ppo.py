"""PPO: its loss by hand, its rollouts, its keys, and a tiny game whose best play is known."""

import dataclasses
import functools
import math
import operator
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.agents.recall import Recall
from tetrax.agents import ppo
from tetrax.agents.ppo import PPOConfig, Sample
from tetrax.env.batch import Batch
from tetrax.env.wrappers import AutoReset, EpisodeStatistics
from tetrax.networks.actor_critic import actor_critic
from tetrax.networks.network_config import NetworkConfig
from tetrax.ops import normalise, optimise
from tetrax.train.report.evaluation import evaluate

TINY = PPOConfig(
    num_envs=16,
    num_steps=16,
    num_minibatches=4,
    network=NetworkConfig(hidden=(16,), channels=(4,)),
    learning_rate=5e-3,
)
MINI = tetrax.make("mini", actions="drop", reward="survival")


def computing_in(compute_dtype: str) -> PPOConfig:
    return dataclasses.replace(TINY, network=dataclasses.replace(TINY.network, compute_dtype=compute_dtype))


@functools.cache
def tiny():
    """Return the tiny agent and its programs, compiled once for all tests."""
    agent, network = ppo.make(TINY, MINI), actor_critic(MINI, TINY.network)
    collect = jax.jit(lambda state, key: ppo._collect(TINY, MINI, network, state, key))
    return agent, network, jax.jit(agent.init), jax.jit(agent.train), collect


class Table:
    """A network that says what its parameters are, whatever it sees."""

    def apply(self, params, observation):
        del observation
        return params["logits"], params["value"]


def loss_of(config: PPOConfig, old_log_prob, advantage, target, old_value, value=(0.0, 0.0), logits=None):
    """Evaluate the loss on two samples of two legal actions, the first action taken in both."""
    tunables = {name: jnp.float32(getattr(config, name)) for name in ppo.TUNABLE_RANGES}
    state = SimpleNamespace(tunables=tunables, value_moments=normalise.RunningMoments.empty())
    batch = Sample(
        observation=SimpleNamespace(legal=jnp.ones((2, 2), bool)),
        action=jnp.array([0, 0]),
        log_prob=jnp.log(jnp.array(old_log_prob)),
        value=jnp.array(old_value),
        advantage=jnp.array(advantage),
        target=jnp.array(target),
    )
    params = {"logits": jnp.zeros((2, 2)) if logits is None else logits, "value": jnp.array(value)}
    total, parts = ppo._loss(config, Table(), params, state, batch)
    return float(total), {name: float(part) for name, part in parts.items()}


def test_the_loss_by_hand():
    config = PPOConfig(normalise_values=False, clip=0.2, value_loss=0.5, entropy=0.01)
    # Both actions have probability 1/2 now. The first had 1/4: ratio 2, clipped to 1.2; the second 1/2: 1.
    # Advantages 3 and 1 have mean 2 and spread 1: they become +1 and -1.
    # policy: -(min(2 x 1, 1.2 x 1) + min(-1, -1)) / 2 = -0.1
    # value: 0.5 x mean of (0 - 1)^2 and (0 - 3)^2 = 2.5. Entropy: ln 2.
    total, parts = loss_of(config, [0.25, 0.5], [3.0, 1.0], [1.0, 3.0], [0.0, 0.0])
    assert parts["loss/policy"] == pytest.approx(-0.1, abs=1e-6)
    assert parts["loss/value"] == pytest.approx(2.5)
    assert parts["entropy"] == pytest.approx(math.log(2))
    assert total == pytest.approx(-0.1 + 0.5 * 2.5 - 0.01 * math.log(2), abs=1e-6)
    assert parts["clip_fraction"] == 0.5
    # Schulman's estimate: (2 - 1 - ln 2 + 0) / 2
    assert parts["kl"] == pytest.approx((1 - math.log(2)) / 2)


def test_a_ratio_is_clipped_only_where_that_is_pessimistic():
    config = PPOConfig(normalise_values=False, clip=0.2)
    # Ratio 2 with a negative advantage is not clipped: -(2 x -1 + 1 x 1) / 2 = 0.5
    _, parts = loss_of(config, [0.25, 0.5], [1.0, 3.0], [0.0, 0.0], [0.0, 0.0])
    assert parts["loss/policy"] == pytest.approx(0.5)


def test_the_clipped_value_loss_by_hand():
    config = PPOConfig(normalise_values=False, clip_value_loss=True, clip=0.2)
    # Old values 0.5; the new ones, 0, may leave them by 0.2 only: 0.3. Targets 0 and 1:
    # max(0^2, 0.3^2) = 0.09 and max(1^2, 0.7^2) = 1: half their mean is 0.2725.
    _, parts = loss_of(config, [0.5, 0.5], [0.0, 1.0], [0.0, 1.0], [0.5, 0.5])
    assert parts["loss/value"] == pytest.approx(0.2725)


def test_the_learning_rate_falls_to_its_fraction_at_the_horizon():
    agent = ppo.make(dataclasses.replace(TINY, final_learning_rate_fraction=0.1), MINI)
    state = jax.jit(agent.init)(jax.random.key(0), horizon=100)
    rates = [float(optimise.learning_rate(state.tunables, jnp.int32(i))) for i in (0, 50, 100, 200)]
    assert rates == pytest.approx([5e-3, 5e-3 * 0.55, 5e-4, 5e-4])
    endless = {**state.tunables, "horizon": jnp.float32(0)}
    assert float(optimise.learning_rate(endless, jnp.int32(99))) == pytest.approx(5e-3)


@pytest.mark.slow
def test_values_bootstrap_through_a_time_limit_from_the_true_last_observation():
    env = tetrax.make("mini", actions="drop", reward="survival", time_limit=3)
    config = dataclasses.replace(TINY, num_steps=7, num_minibatches=1)
    agent, network = ppo.make(config, env), actor_critic(env, config.network)
    state = jax.jit(agent.init)(jax.random.key(0))
    collect = jax.jit(lambda state, key: ppo._collect(config, env, network, state, key))
    after, rollout, finished = collect(state, jax.random.key(1))
    truncated = np.asarray(rollout.truncated)
    assert truncated.sum() > 5
    assert finished["games"] == (truncated | np.asarray(rollout.terminated)).sum()

    # Play the same actions again, and ask the network what the last boards were worth.
    env_state = state.env_state
    step = jax.jit(Batch(EpisodeStatistics(AutoReset(env))).step)

    @jax.jit
    def judge(seen):
        return normalise.denormalise(state.value_moments, network.apply(state.params, seen)[1])

    for t in range(7):
        env_state, timestep = step(env_state, rollout.action[t], state.env_params)
        worth = judge(timestep.last_observation)
        going_on = ~np.asarray(rollout.terminated[t])
        np.testing.assert_allclose(rollout.next_value[t][going_on], worth[going_on], rtol=2e-5, atol=1e-5)
        np.testing.assert_array_equal(rollout.reward[t], timestep.reward)
    np.testing.assert_array_equal(env_state.env_state.game.rows, after.env_state.env_state.game.rows)


@pytest.mark.slow
def test_no_key_is_used_twice():
    """Jax's checker accepts the update; a game's own key is made to be folded with many numbers."""
    _, network, init, train, collect = tiny()
    state = init(jax.random.key(0))
    _, rollout, _ = collect(state, jax.random.key(1))
    samples, _ = jax.jit(functools.partial(ppo._advantages, TINY))(state, rollout)

    def update(samples, key):
        return ppo._update(TINY, network, state, samples, key)[0].params

    def update_twice(samples, key):
        return update(samples, key), update(samples, key)

    with jax.debug_key_reuse(True):
        jax.jit(update)(samples, jax.random.key(2))
        with pytest.raises(jax.errors.KeyReuseError):
            jax.jit(update_twice)(samples, jax.random.key(2))
    keys = [jax.random.key_data(each).tolist() for each in (state.key, train(state)[0].key)]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("config", "env"),
    [
        pytest.param(TINY, MINI, marks=pytest.mark.slow),
        pytest.param(
            dataclasses.replace(
                TINY, network=dataclasses.replace(TINY.network, recurrent="gru", memory=4), num_groups=2
            ),
            Recall(is_cut=True),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["placements", "memory"],
)
def test_learning_from_the_rollout_that_training_collects_is_training(config, env):
    """Playing and learning in programs of their own, as games on the host are learned from, bit for bit."""
    if config is TINY:
        agent, _, init, train, collect = tiny()
    else:
        agent, network = ppo.make(config, env), actor_critic(env, config.network)
        init, train = jax.jit(agent.init), jax.jit(agent.train)
        collect = jax.jit(functools.partial(ppo._collect, config, env, network))
    state, learn = init(jax.random.key(0)), jax.jit(agent.learn)
    for _ in range(2):
        trained, told = train(state)
        played, rollout, finished = collect(state, jax.random.split(state.key, 3)[0])
        assert rollout.action.shape == (agent.num_steps, agent.num_envs)
        learned, told_by_learning = learn(played, rollout)
        assert_equal(learned, trained)
        assert told_by_learning.totals == {} and set(told.totals) >= {"games", "return"}
        assert_equal((told_by_learning.means, finished), (told.means, told.totals))
        state = trained
    assert (np.asarray(jax.tree.leaves(state.params)[-1]) != 0).any()


def assert_equal(one, other):
    def plain(leaf):
        return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    jax.tree.map(lambda a, b: np.testing.assert_array_equal(plain(a), plain(b)), one, other)


@pytest.mark.slow
def test_seeds_side_by_side_equal_separate_runs():
    agent = ppo.make(TINY, MINI)
    keys = jax.random.split(jax.random.key(5), 2)
    together, metrics = jax.jit(jax.vmap(lambda key: agent.train(agent.init(key))))(keys)
    alone = jax.jit(lambda key: agent.train(agent.init(key)))
    for i in range(2):
        state, own = alone(keys[i])
        of_seed = jax.tree.map(operator.itemgetter(i), together.env_state.env_state.game)
        np.testing.assert_array_equal(of_seed.rows, state.env_state.env_state.game.rows)
        leaves = zip(jax.tree.leaves(together.params), jax.tree.leaves(state.params), strict=True)
        for several, one in leaves:
            np.testing.assert_allclose(several[i], one, rtol=1e-3, atol=1e-5)
        assert float(metrics.means["loss/value"][i]) == pytest.approx(
            float(own.means["loss/value"]), rel=1e-4
        )


@pytest.mark.slow
def test_tunables_change_learning_without_another_trace():
    _, _, init, train, _ = tiny()
    state = init(jax.random.key(0))
    moved, _ = train(state)
    still, _ = train(state.replace(tunables={**state.tunables, "learning_rate": jnp.float32(0)}))
    assert train._cache_size() == 1
    weights = [jax.tree.leaves(each.params)[-1] for each in (state, still, moved)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


@pytest.mark.slow
def test_it_learns_the_best_play_of_a_tiny_game():
    """Dominoes on a board of four: two pieces make a line, so the most is half a line a piece.

    20 pieces bring at most 10 lines, and never losing is possible. Random play clears far fewer.
    """
    agent = ppo.make(TINY, MINI)
    train = jax.jit(lambda state: jax.lax.scan(lambda s, _: agent.train(s), state, length=60)[0])
    state = train(jax.jit(agent.init)(jax.random.key(0), horizon=60))
    played = evaluate(MINI, _actor(agent, state), episodes=64, max_pieces=20)
    assert played.capped.all()
    assert played.totals["lines"].mean() > 9.5
    untrained = jax.jit(agent.init)(jax.random.key(0))
    at_first = evaluate(MINI, _actor(agent, untrained), episodes=64, max_pieces=20, greedy=False)
    assert at_first.totals["lines"].mean() < 7


@pytest.mark.parametrize("compute_dtype", ["float32", "bfloat16"])
def test_parameters_optimiser_and_losses_are_float32(compute_dtype):
    agent = ppo.make(computing_in(compute_dtype), MINI)
    before = jax.eval_shape(agent.init, jax.random.key(0))
    program, (after, metrics) = jax.make_jaxpr(agent.train, return_shape=True)(before)
    assert ("bf16" in str(program)) == (compute_dtype == "bfloat16")
    for tree in (before.params, before.optimiser, before, after, metrics):
        numbers = [leaf.dtype for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
        assert numbers and set(numbers) == {np.dtype(np.float32)}


@pytest.mark.slow
def test_bfloat16_learns_what_float32_learns():
    """Three seeds each: lines in 64 games of 20 pieces, halfway through learning and at the end of it."""
    lines = {}
    for compute_dtype in ("float32", "bfloat16"):
        agent = ppo.make(computing_in(compute_dtype), MINI)
        train = jax.jit(jax.vmap(functools.partial(_train_on, agent.train, 60)))
        init = jax.jit(jax.vmap(functools.partial(agent.init, horizon=120)))
        states = init(jax.random.split(jax.random.key(0), 3))
        seen = []
        for _ in range(2):
            states = train(states)
            seeds = [jax.tree.map(lambda leaf, i=i: leaf[i], states) for i in range(3)]
            played = [evaluate(MINI, _actor(agent, state), episodes=64, max_pieces=20) for state in seeds]
            seen.append([result.totals["lines"].mean() for result in played])
        lines[compute_dtype] = np.array(seen)  # [2, seeds]
    exact, rough = lines["float32"], lines["bfloat16"]
    # Halfway a seed of either may be behind.
    spread = np.maximum(np.ptp(exact, axis=1), np.ptp(rough, axis=1))
    assert (np.abs(exact.mean(axis=1) - rough.mean(axis=1)) <= np.maximum(spread, [0.5, 0.25])).all(), lines
    assert exact[0].mean() > 8 and rough[0].mean() > 8, lines
    assert exact[1].min() > 9.5 and rough[1].min() > 9.5, lines


def _train_on(train, num_iterations, state):
    return jax.lax.scan(lambda state, _: train(state), state, length=num_iterations)[0]


def _actor(agent, state):
    from tetrax.agents.agent import Actor

    return Actor(policy=agent.policy(state), initial_memory=agent.initial_memory, act=agent.act)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_minibatches": 3}, "agent.num_minibatches: given 3; allowed: a divisor of .*16 x 16"),
        ({"num_groups": 3}, r"agent.num_groups: given 3; allowed: a divisor of num_envs \(16\)"),
        ({"num_groups": 0}, "agent.num_groups: given 0; allowed: 1 or more"),
        (
            {"num_groups": 16, "num_minibatches": 32},
            r"agent.num_minibatches: given 32; .* num_envs / num_groups times num_steps \(1 x 16\)",
        ),
        ({"num_envs": 0}, "agent.num_envs: given 0; allowed: 1 or more"),
        ({"network": NetworkConfig(hidden=())}, r"agent.network.hidden: given \(\); allowed: one or more"),
        ({"discount": 1.5}, "agent.discount: given 1.5; allowed: from 0 to 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ppo.make(dataclasses.replace(TINY, **change), MINI)
