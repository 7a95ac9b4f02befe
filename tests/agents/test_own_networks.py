"""PPO and DQN learn with a flax module of the user's own: as with ours, and a tiny game by one that is new."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import CELLS, RIGHT, Chain, best_values
from tests.agents.piles import Piles
from tests.agents.test_dqn_learning import REPLAYED, ROLLOUTS
from tetrax.agents import dqn, ppo
from tetrax.agents.agent import Sight
from tetrax.networks.actor_critic import actor_critic
from tetrax.networks.network_config import NetworkConfig

PPO = ppo.PPOConfig(
    num_envs=16,
    num_steps=8,
    num_minibatches=2,
    network=NetworkConfig(hidden=(8,)),
    learning_rate=0.02,
    discount=0.8,
    normalise_values=False,
)


class Table(nn.Module):
    """A number for each cell and output: no more than what there is to know of a chain."""

    num_outputs: int

    @nn.compact
    def __call__(self, observation):
        return nn.Dense(self.num_outputs, use_bias=False)(observation.flat)


class Quantiles(nn.Module):
    """Five numbers for each of two actions."""

    @nn.compact
    def __call__(self, observation):
        judged = Table(10, name="table")(observation)
        return judged.reshape(*judged.shape[:-1], 2, 5)


class TwoTables(nn.Module):
    """A policy and a value of each cell."""

    @nn.compact
    def __call__(self, observation):
        return Table(2, name="policy")(observation), Table(1, name="value")(observation)[..., 0]


class Heights(nn.Module):
    """Judge each pile by what its placement leaves."""

    @nn.compact
    def __call__(self, observation):
        return nn.Dense(1)(nn.tanh(nn.Dense(8)(observation.afterstates.features)))[..., 0]


def see_every_cell(env):
    states = jax.vmap(env.init)(jax.random.split(jax.random.key(0), CELLS))
    seen = jax.vmap(env.observe)(states.replace(cell=jnp.arange(CELLS, dtype=jnp.int32)))
    return Sight(observation=seen, is_first=jnp.zeros(CELLS, bool))


def train(agent, iterations):
    state = jax.jit(agent.init)(jax.random.key(1), horizon=iterations)
    return jax.jit(lambda state: jax.lax.scan(lambda s, _: agent.train(s), state, length=iterations)[0])(
        state
    )


def test_a_network_of_ones_own_takes_the_place_of_the_described_one():
    """The network that the configuration describes, given by hand, makes the very same programs."""
    by_hand = dataclasses.replace(PPO, network=NetworkConfig(hidden=(99,)))  # without effect
    agents = (ppo.make(PPO, Chain()), ppo.make(by_hand, Chain(), actor_critic(Chain(), PPO.network)))
    start = jax.eval_shape(agents[0].init, jax.random.key(0))
    for programs in (
        [str(jax.make_jaxpr(agent.init)(jax.random.key(0))) for agent in agents],
        [str(jax.make_jaxpr(agent.train)(start)) for agent in agents],
    ):
        assert programs[0] == programs[1]


PRIORITISED = dataclasses.replace(REPLAYED, double=True, prioritised=True, n_step=3)
QUANTILES = dataclasses.replace(REPLAYED, distribution="quantile", atoms=5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ppo.make(PPO, Chain(time_limit=3), TwoTables()),
        lambda: dqn.make(ROLLOUTS, Chain(time_limit=3), Table(2)),
        lambda: dqn.make(PRIORITISED, Chain(time_limit=3), Table(2)),
        lambda: dqn.make(QUANTILES, Chain(), Quantiles()),
        lambda: dqn.make(ROLLOUTS, Piles(), Heights()),
        lambda: dqn.make(PRIORITISED, Piles(time_limit=6), Heights()),
    ],
    ids=["ppo", "rollouts", "prioritised", "quantiles", "afterstates", "afterstates-prioritised"],
)
@pytest.mark.slow
def test_every_way_of_learning_asks_no_more_than_is_promised(make):
    agent = make()
    before = jax.eval_shape(agent.init, jax.random.key(0))
    after, metrics = jax.eval_shape(agent.train, before)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), after) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), before
    )
    assert metrics.means["loss/value"].shape == ()


@pytest.mark.slow
def test_ppo_learns_a_chain():
    env = Chain()
    agent = ppo.make(PPO, env, TwoTables())
    policy = agent.policy(train(agent, 150))
    assert set(policy.params["params"]) == {"policy", "value"}
    action, _, told = agent.act(policy, see_every_cell(env), (), jax.random.key(0), True)
    np.testing.assert_array_equal(action[: CELLS - 1], RIGHT)
    # The prize is 4 - c steps away from cell c.
    np.testing.assert_allclose(told["value"][: CELLS - 1], [0.8**3, 0.8**2, 0.8, 1.0], atol=0.08)


@pytest.mark.slow
@pytest.mark.parametrize(("config", "iterations"), [(ROLLOUTS, 150), (REPLAYED, 200)])
def test_dqn_learns_the_best_values_of_a_chain(config, iterations):
    agent = dqn.make(dataclasses.replace(config, learning_rate=0.02), Chain(), Table(2))
    policy = agent.policy(train(agent, iterations))
    found = Table(2).apply(policy.params, see_every_cell(Chain()).observation)
    np.testing.assert_allclose(found[: CELLS - 1], best_values(0.8), atol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("replay_capacity", [0, 2048])
def test_dqn_judges_afterstates(replay_capacity):
    """A loss costs 4 and every game can go on for ever: who has learned loses less than who plays at random."""
    base = dataclasses.replace(
        REPLAYED if replay_capacity else ROLLOUTS, epsilon_start=0.05, epsilon_final=0.0
    )
    agent = dqn.make(dataclasses.replace(base, learning_rate=0.01), Piles(time_limit=20), Heights())

    @jax.jit
    def learn(state):
        return jax.lax.scan(lambda state, _: agent.train(state), state, length=60)[1]

    metrics = learn(jax.jit(agent.init)(jax.random.key(0), horizon=60))
    per_game = metrics.totals["return"] / jnp.maximum(metrics.totals["games"], 1)
    assert per_game[-20:].mean() > per_game[:5].mean() + 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: ppo.make(
                dataclasses.replace(PPO, network=NetworkConfig(recurrent="gru")), Chain(), TwoTables()
            ),
            r"agent.network.recurrent: given 'gru'; allowed: 'none' with a network of one's own",
        ),
        (
            lambda: dqn.make(dataclasses.replace(ROLLOUTS, dueling=True), Chain(), Table(2)),
            r"agent.dueling: given True; allowed: False with a network of one's own",
        ),
        (
            lambda: dqn.make(dataclasses.replace(ROLLOUTS, noisy=True), Chain(), Table(2)),
            r"agent.noisy: given True; allowed: False with a network of one's own",
        ),
        (
            lambda: dqn.make(
                dataclasses.replace(ROLLOUTS, distribution="quantile", atoms=5), Chain(), Table(2)
            ),
            r"network: given Table\(num_outputs=2\), which returns float32\[11, 2\] .*allowed: float32\[11, 2, 5\]",
        ),
    ],
    ids=["memory", "dueling", "noisy", "atoms"],
)
def test_settings_of_networks_that_one_of_ones_own_lacks_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
