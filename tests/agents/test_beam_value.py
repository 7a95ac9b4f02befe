"""The learned value of the beam search as an agent: its loss, an iteration, and what it refuses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.search.drawn_games import TINY as RULES
from tests.search.test_board_value import NOTHING, positions
from tetrax.agents import beam_value
from tetrax.agents.agent import Sight
from tetrax.agents.beam_value import BeamValueConfig
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.search import board_value

ENV = Tetris(EnvConfig(rules=RULES, actions="locked_position", reward="attack"))
TINY = BeamValueConfig(
    width=2,
    clear_width=1,
    depth=4,
    placements=9,
    layer_sizes=(6,),
    num_games=4,
    capacity=32,
    batch_size=8,
    num_updates=2,
)
KEY = jax.random.key(0, impl="threefry2x32")


def test_the_loss_by_hand():
    """Untaught it says 20 rows in 20 placements: off by 2 and by 4, half the mean of the squares is 5."""
    value = board_value.init(RULES, (3,), KEY)
    target = jnp.asarray([22.0, 16.0])
    loss, told = beam_value.find_loss(RULES, NOTHING, value, positions("#....", "##..."), target)
    assert told.tolist() == [20.0, 20.0] and float(loss) == 5.0


def test_boards_are_kept_as_they_are():
    position = positions("#....", "##...", hold=1, left=3)
    for now, before in zip(beam_value.read(beam_value.write(position)), position, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.slow
def test_an_iteration():
    agent = beam_value.make(TINY, ENV)
    state = agent.init(KEY)
    train = jax.jit(agent.train)
    after, metrics = train(state)
    again, _ = train(state)
    assert int(after.iteration) == 1 and int(after.replay.filled) == 1
    assert jax.tree.structure(after) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(after.value), jax.tree.leaves(again.value), strict=True):
        np.testing.assert_array_equal(one, other)
    # The last layer begins at nothing and moves at once, and the slow average a little towards it.
    moved, slow = after.value.last.bias, after.slow.last.bias
    assert float(jnp.abs(moved[0])) > float(jnp.abs(slow[0])) > 0
    assert float(metrics.totals["games"]) == 0
    assert state.games["left"].max() <= 9
    assert ((state.games["left"] - after.games["left"]) == 4).all()
    later, metrics = train(train(after)[0])
    assert np.isfinite(float(metrics.means["loss"])) and int(later.iteration) == 3
    with pytest.raises(ValueError, match="given no states to policy beam"):
        agent.act(agent.policy(state), Sight(observation=None, is_first=None), (), state.key, True)


@pytest.mark.slow
def test_nothing_is_learned_of_few_boards():
    agent = beam_value.make(dataclasses.replace(TINY, warmup_boards=5), ENV)
    state, train = agent.init(KEY), jax.jit(agent.train)
    waits, _ = train(state)
    learns, _ = train(waits)
    for name in ("value", "slow", "moments"):
        for one, other in zip(
            *(jax.tree.leaves(getattr(each, name)) for each in (state, waits)), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert float(jnp.abs(learns.value.last.bias[0])) > 0, "eight boards are enough for five"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 0}, "agent.width: given 0"),
        ({"depth": 3}, "agent.depth: given 3; allowed: 4 or more, the pieces that are known"),
        ({"candidates": 65}, "agent.candidates: given 65; allowed: 0 or more, up to 64"),
        ({"candidate_boards": 0}, "agent.candidate_boards: given 0; allowed: 1 or more, up to 256"),
        ({"candidates": 8, "candidate_boards": 129}, "agent.candidate_boards: given 129; .* up to 128"),
        ({"placements": -1}, "agent.placements: given -1"),
        ({"capacity": 30}, r"agent.capacity: given 30; allowed: a multiple of num_games \(4\)"),
        ({"warmup_boards": 33}, "agent.warmup_boards: given 33; allowed: 0 or more, up to 32"),
        ({"layer_sizes": ()}, "agent.layer_sizes: given 0"),
        ({"exploring": 2.0}, "agent.exploring: given 2.0"),
        ({"weights": "best"}, "agent.weights: given 'best'"),
    ],
)
def test_settings_that_cannot_work(change, said):
    with pytest.raises(ValueError, match=said):
        beam_value.make(dataclasses.replace(TINY, **change), ENV)


def test_games_that_it_cannot_play():
    with pytest.raises(ValueError, match=r"env.actions: given 'direct'.*allowed: locked_position"):
        beam_value.make(TINY, tetrax.make("mini"))
    uniform = Tetris(dataclasses.replace(ENV.config, rules=dataclasses.replace(RULES, randomizer="uniform")))
    with pytest.raises(ValueError, match="randomizer: given 'uniform' with beam-value; allowed: 'bag'"):
        beam_value.make(TINY, uniform)
