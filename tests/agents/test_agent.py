"""What every agent has in common: metrics that add up, and a start that takes what it is given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.agents.chain import Chain
from tetrax.agents import cross_entropy, dqn, episodes, ppo
from tetrax.agents.agent import Metrics
from tetrax.env.wrappers import Episode, EpisodeState
from tetrax.networks.network_config import NetworkConfig

NETWORK = NetworkConfig(hidden=(8,))
TETRIS = tetrax.make(
    "mini", actions="drop", garbage=True, observation="afterstate_classic", reward="survival"
)
LEARNERS = {
    "ppo": (ppo.make, ppo.PPOConfig(num_envs=4, num_steps=2, num_minibatches=1, network=NETWORK)),
    "dqn": (dqn.make, dqn.DQNConfig(num_envs=4, num_steps=2, num_minibatches=1, network=NETWORK)),
    "cross-entropy": (
        cross_entropy.make,
        cross_entropy.CrossEntropyConfig(num_candidates=2, num_boards=2, num_steps=2),
    ),
}


def test_totals_are_added_up_and_means_averaged():
    # Three iterations: in the second no game ended.
    told = Metrics(
        totals={"games": jnp.array([1.0, 0.0, 2.0]), "lines": jnp.array([10.0, 0.0, 7.0])},
        means={"entropy": jnp.array([1.0, 2.0, 6.0]), "loss/value": jnp.array([0.5, 0.25, 0.0])},
    )
    reduced = told.reduce()
    assert reduced.totals == {"games": 3.0, "lines": 17.0}
    assert reduced.means == {"entropy": 3.0, "loss/value": 0.25}


def test_what_games_have_come_to_so_far_is_their_mean():
    totals = {"lines": jnp.array([0, 3, 6]), "return": jnp.array([1.0, 2.0, 4.5])}
    nothing = jax.tree.map(jnp.zeros_like, totals)
    state = EpisodeState(
        env_state=None,
        running=Episode(steps=jnp.array([1, 2, 3]), totals=totals),
        finished=Episode(steps=jnp.zeros(3, jnp.int32), totals=nothing),
    )
    assert episodes.mean_so_far(state) == {"lines": 3.0, "return": 2.5}


@pytest.mark.parametrize("name", LEARNERS)
def test_the_first_games_are_played_by_the_numbers_that_init_is_given(name):
    make, config = LEARNERS[name]
    agent, default = make(config, TETRIS), TETRIS.default_params
    game = default.game.replace(
        starting_garbage=jnp.int32(2), start_level=jnp.int32(7), gravity=jnp.int32(99)
    )

    @jax.jit
    def start(key, given):
        return agent.init(key), agent.init(key, given)

    own, other = start(jax.random.key(0), default.replace(game=game))
    assert agent.so_far(own) == dict.fromkeys(TETRIS.spec.measures, 0.0), "they have just begun"
    for state, num_rows in ((own, 0), (other, 2)):
        rows = np.stack(agent.games(state).rows)  # [H, B]
        assert ((rows != 0).sum(axis=0) == num_rows).all(), "rows of garbage at the start"
    numbers = [
        (int(state.env_params.game.start_level), int(state.env_params.game.gravity)) for state in (own, other)
    ]
    assert numbers == [(1, int(default.game.gravity)), (7, 99)]


@pytest.mark.parametrize("name", ["ppo", "dqn"])
@pytest.mark.slow
def test_the_horizon_that_init_is_given_is_that_of_the_learning_rate(name):
    make, config = LEARNERS[name]
    agent = make(config, Chain(prize=0.5, wage=0.25))
    init, train = jax.jit(agent.init), jax.jit(agent.train)

    def rate(iteration, **given):
        state = init(jax.random.key(0), **given)
        return float(train(state.replace(iteration=jnp.int32(iteration)))[1].means["learning_rate"])

    # It falls from 1e-3 to a tenth of that at the horizon: halfway 0.55 is left.
    assert [rate(0, horizon=4), rate(2, horizon=4), rate(4, horizon=4)] == pytest.approx([1e-3, 5.5e-4, 1e-4])
    assert rate(2, horizon=8) == pytest.approx(7.75e-4)
    assert rate(2) == rate(2, horizon=0) == pytest.approx(1e-3), "without a horizon it stays"
