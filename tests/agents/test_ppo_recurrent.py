"""PPO with a memory: a game that needs one, and the same numbers however a sequence is unrolled."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.recall import Recall
from tetrax.agents import ppo
from tetrax.agents.agent import Sight
from tetrax.agents.ppo import PPOConfig
from tetrax.networks.actor_critic import actor_critic, judge, judge_again
from tetrax.networks.network_config import NetworkConfig
from tetrax.ops.distributions import MaskedCategorical

CONFIG = PPOConfig(
    num_envs=32,
    num_steps=8,  # games last 3: rollouts begin in the middle of some
    num_epochs=2,
    num_minibatches=4,
    network=NetworkConfig(hidden=(16,), recurrent="gru", memory=16),
    learning_rate=1e-2,
    entropy=0.0,
)
SMALL = dataclasses.replace(CONFIG, num_envs=4, num_steps=7, num_minibatches=2)


@pytest.mark.parametrize(
    ("recurrent", "low", "high"),
    [("gru", 0.95, 1.0), pytest.param("none", 0.3, 0.65, marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_a_game_of_memory_is_won_by_who_remembers(recurrent, low, high):
    """The most is 1 a game; 1/2 for a network that sees the present alone. About 340 games in the last part."""
    network = dataclasses.replace(CONFIG.network, recurrent=recurrent)
    agent = ppo.make(dataclasses.replace(CONFIG, network=network), Recall())

    @jax.jit
    def learn(key):
        return jax.lax.scan(lambda state, _: agent.train(state), agent.init(key), length=60)[1]

    metrics = learn(jax.random.key(0))
    mean = metrics.totals["return"][-4:].sum() / metrics.totals["games"][-4:].sum()
    assert low <= float(mean) <= high


@pytest.mark.parametrize("recurrent", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_a_rollout_unrolled_at_once_is_what_was_played_step_by_step(recurrent):
    """Across resets, from a memory that is not zero: collecting, acting and learning see the same."""
    env = Recall()
    config = dataclasses.replace(SMALL, network=dataclasses.replace(SMALL.network, recurrent=recurrent))
    agent, network = ppo.make(config, env), actor_critic(env, config.network)

    @jax.jit
    def play(key):
        init_key, first_key, second_key = jax.random.split(key, 3)
        state = agent.init(init_key)
        params = jax.tree.map(lambda leaf: 3 * leaf, state.params)  # so that memory decides something
        begun, _, _ = ppo._collect(config, env, network, state.replace(params=params), first_key)
        after, rollout, _ = ppo._collect(config, env, network, begun, second_key)

        def act(memory, step):
            seen, is_first = step
            sight = Sight(observation=seen, is_first=is_first)
            _, memory, told = agent.act(agent.policy(begun), sight, memory, second_key, True)
            return memory, told["value"]

        acted = jax.lax.scan(act, begun.memory, (rollout.observation, rollout.is_first))
        samples, _ = ppo._advantages(config, begun, rollout)
        one = jax.tree.map(lambda leaf: leaf[0], samples)  # the one group
        logits, _ = judge_again(network, params, one.observation, one.memory, one.is_first)
        again = MaskedCategorical.from_logits(logits, one.observation.legal).log_prob(one.action)
        return begun, after, rollout, acted, one, again

    begun, after, rollout, (memory, value), sample, log_prob = play(jax.random.key(0))
    assert rollout.is_first.sum() >= 8 and not rollout.is_first[0].all()  # 7 steps of games of 3, on 4 boards
    assert all(np.abs(leaf).max() > 0.1 for leaf in jax.tree.leaves(begun.memory))
    for ours, theirs in zip(jax.tree.leaves(memory), jax.tree.leaves(after.memory), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, rollout.value, rtol=1e-4, atol=1e-5)
    assert sample.action.shape == (4, 7)
    np.testing.assert_array_equal(sample.action.T, rollout.action)
    np.testing.assert_allclose(log_prob, sample.log_prob, rtol=1e-4, atol=1e-5)
    assert sample.log_prob.std() > 1e-3


@pytest.mark.slow
def test_a_game_cut_off_is_worth_what_its_end_is_to_who_remembers_it():
    """The last observation is judged with the memory after the step before it, which the new game forgets."""
    env = Recall(is_cut=True)
    agent, network = ppo.make(SMALL, env), actor_critic(env, SMALL.network)

    @jax.jit
    def play(key):
        init_key, play_key = jax.random.split(key)
        state = agent.init(init_key)
        params = jax.tree.map(lambda leaf: 3 * leaf, state.params)
        _, rollout, _ = ppo._collect(SMALL, env, network, state.replace(params=params), play_key)
        end = jnp.tile(jnp.array([0.0, 0, 0, 0, 0, 1]), (4, 1))  # no cue is shown, three steps are taken

        def step(memory, step_input):
            seen, is_first = step_input
            _, value, memory = judge(network, params, seen, memory, is_first)
            at_end = judge(network, params, seen.replace(flat=end), memory, jnp.zeros(4, bool))[1]
            forgotten = judge(network, params, seen.replace(flat=end), memory, jnp.ones(4, bool))[1]
            return memory, (value, at_end, forgotten)

        return rollout, jax.lax.scan(step, rollout.memory, (rollout.observation, rollout.is_first))[1]

    # Values have no moments yet: mean 0 and variance 1, so that none of them is changed.
    rollout, (value, at_end, forgotten) = play(jax.random.key(0))
    cut = np.asarray(rollout.truncated)
    assert cut.sum() == 8 and not rollout.terminated.any()
    np.testing.assert_allclose(rollout.next_value[cut], at_end[cut], rtol=1e-4, atol=1e-5)
    assert np.abs(at_end[cut] - forgotten[cut]).min() > 1e-3
    goes_on = ~cut[:-1]
    np.testing.assert_allclose(rollout.next_value[:-1][goes_on], value[1:][goes_on], rtol=1e-4, atol=1e-5)


def test_sequences_are_dealt_out_whole():
    with pytest.raises(ValueError, match=r"agent.num_minibatches: given 8; .* a divisor of .* \(4\)"):
        ppo.make(dataclasses.replace(SMALL, num_minibatches=8, num_steps=8), Recall())
