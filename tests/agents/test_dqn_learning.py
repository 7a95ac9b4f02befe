"""Value learning finds values that are known: with each of its parts, through time limits, from a memory."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import CELLS, Chain, best_values
from tests.agents.recall import Recall
from tetrax.agents import dqn
from tetrax.agents.dqn import DQNConfig, acting, collecting, windows
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.q_network import q_network

REPLAYED = DQNConfig(
    num_envs=8,
    num_steps=4,
    network=NetworkConfig(hidden=(32,)),
    replay_capacity=2048,
    warmup_steps=512,
    num_updates=8,
    batch_size=64,
    target_network="periodic",
    target_period=20,
    epsilon_start=1.0,
    epsilon_final=1.0,
    discount=0.8,
    learning_rate=3e-3,
    final_learning_rate_fraction=0.05,
)
ROLLOUTS = dataclasses.replace(
    REPLAYED, replay_capacity=0, warmup_steps=0, target_network="none", num_envs=32, num_steps=8
)


def learned(config: DQNConfig, env: Chain, iterations: int):
    """Train, and return the worth of every action in every cell, [5, 2]."""
    agent = dqn.make(config, env)
    train = jax.jit(lambda state: jax.lax.scan(lambda s, _: agent.train(s), state, length=iterations)[0])
    state = train(jax.jit(agent.init)(jax.random.key(1), horizon=iterations))
    return values_of(config, env, agent, state)


def values_of(config, env, agent, state):
    cells = jnp.arange(CELLS, dtype=jnp.int32)
    states = jax.vmap(lambda key: env.init(key))(jax.random.split(jax.random.key(0), CELLS)).replace(
        cell=cells
    )
    seen = jax.vmap(env.observe)(states)
    atoms = 1 if config.distribution == "none" else config.atoms
    network = q_network(env, config.network, num_outputs=atoms, dueling=config.dueling, noisy=config.noisy)
    policy = agent.policy(state)
    decision = acting.decide(
        acting.Player(config, network, False),
        policy,
        seen,
        (),
        jnp.zeros(CELLS, bool),
        jax.random.key(0),
        True,
    )
    return np.asarray(decision.worths)


PARTS = {
    "plain": {},
    "soft": {"target_network": "soft", "target_rate": 0.05},
    "double": {"double": True},
    "dueling": {"dueling": True},
    "prioritised": {"prioritised": True},
    "categorical": {"distribution": "categorical", "atoms": 21, "lowest_value": -1.0, "highest_value": 2.0},
    "quantile": {"distribution": "quantile", "atoms": 11},
    "noisy": {"noisy": True},
    "rescaled": {"value_scale": "rescaled"},
}


@pytest.mark.parametrize(
    "part", [pytest.param(name, marks=() if name in ("plain",) else pytest.mark.slow) for name in PARTS]
)
@pytest.mark.slow
def test_it_learns_the_best_values_of_a_chain(part):
    config = dataclasses.replace(REPLAYED, **PARTS[part])
    found = learned(config, Chain(), 200)[:4]
    np.testing.assert_allclose(found, best_values(0.8), atol=0.06)


@pytest.mark.parametrize("value_scale", ["none", pytest.param("normalised", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_it_learns_them_from_rollouts_of_random_actions_too(value_scale):
    # Traces end at actions that are not greedy: what is learned is worth of the best play, whoever plays.
    config = dataclasses.replace(ROLLOUTS, value_scale=value_scale, trace_decay=0.9)
    found = learned(config, Chain(), 150)[:4]
    np.testing.assert_allclose(found, best_values(0.8), atol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("config", [REPLAYED, dataclasses.replace(REPLAYED, n_step=3), ROLLOUTS])
def test_values_bootstrap_through_a_time_limit(config):
    # Every step pays 1 for ever: 1 / (1 - 0.8) = 5, though games are cut off after 3 steps. Who took the cut for an end
    # would find 1 + 0.8 + 0.64 = 2.44 at most.
    env = Chain(prize=0.0, wage=1.0, ends=False, time_limit=3)
    found = learned(dataclasses.replace(config, loss="squared"), env, 300)[:4]
    np.testing.assert_allclose(found, 5.0, atol=0.35)


MEMORY = dataclasses.replace(
    REPLAYED,
    num_envs=16,
    replay_capacity=4096,
    network=NetworkConfig(hidden=(16,), recurrent="gru", memory=16),
    sequence_length=6,
    burn_in=2,
    batch_size=32,
    num_updates=4,
    double=True,
    prioritised=True,
    learning_rate=5e-3,
    epsilon_steps=4_000,
    epsilon_final=0.02,
)


@pytest.mark.parametrize(
    ("recurrent", "is_cut", "low", "high"),
    [
        pytest.param("lstm", False, 0.93, 1.0, marks=pytest.mark.slow),
        pytest.param("gru", True, 0.93, 1.0, marks=pytest.mark.slow),
        pytest.param("none", False, 0.3, 0.65, marks=pytest.mark.slow),
    ],
)
def test_a_game_of_memory_is_won_by_who_remembers(recurrent, is_cut, low, high):
    """The most is 1 a game; 1/2 for a network that sees the present alone. 1% of the actions are random."""
    network = dataclasses.replace(MEMORY.network, recurrent=recurrent)
    agent = dqn.make(dataclasses.replace(MEMORY, network=network), Recall(is_cut=is_cut))

    @jax.jit
    def learn(key):
        return jax.lax.scan(lambda state, _: agent.train(state), agent.init(key), length=200)[1]

    metrics = learn(jax.random.key(0))
    mean = metrics.totals["return"][-20:].sum() / metrics.totals["games"][-20:].sum()
    assert low <= float(mean) <= high


def test_a_sequence_unrolled_at_once_is_what_was_played_step_by_step():
    """The memory before each step, across resets, and so the worth of its actions."""
    env, config = (
        Recall(),
        dataclasses.replace(MEMORY, num_envs=4, num_steps=10, warmup_steps=40, replay_capacity=120),
    )
    agent = dqn.make(config, env)
    network = q_network(env, config.network)
    player = acting.Player(config, network, False)

    @jax.jit
    def play(key):
        init_key, play_key = jax.random.split(key)
        state = agent.init(init_key)
        params = jax.tree.map(lambda leaf: 3 * leaf, state.params)  # so that memory decides something
        state = state.replace(params=params)
        state, slots, _ = collecting.collect_slots(player, env, state, acting.at_random(), play_key)
        seen = windows.show(env, state, slots.seen)
        return slots, windows._unroll(player, params, seen, slots, key).memory

    slots, memories = play(jax.random.key(0))
    assert np.asarray(slots.is_first)[1:].any()
    assert float(jnp.abs(slots.memory[1:]).max()) > 0.1
    np.testing.assert_allclose(slots.memory[1:], memories[:-1], atol=1e-6)
