"""Value learning finds values that are known: with each of its parts, through time limits, from a memory."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import CELLS, Chain, best_values
from tetrax.agents import dqn
from tetrax.agents.dqn import DQNConfig
from tetrax.networks.config import NetworkConfig

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
    agent = dqn.make(config, env, horizon=iterations)
    train = jax.jit(lambda state: jax.lax.scan(lambda s, _: agent.train(s), state, length=iterations)[0])
    state = train(jax.jit(agent.init)(jax.random.key(1)))
    return values_of(config, env, agent, state)


def values_of(config, env, agent, state):
    from tetrax.agents.dqn import acting, judge
    from tetrax.networks.q_network import q_network

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
    del judge
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
def test_it_learns_the_best_values_of_a_chain(part):
    config = dataclasses.replace(REPLAYED, **PARTS[part])
    found = learned(config, Chain(), 200)[:4]
    np.testing.assert_allclose(found, best_values(0.8), atol=0.06)
