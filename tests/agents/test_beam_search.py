"""The beam search as an agent: its refit by hand, a generation, and what it refuses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.search.drawn_games import TINY as RULES
from tetrax.agents import beam_search
from tetrax.agents.agent import Sight
from tetrax.agents.beam_search import BeamConfig
from tetrax.env.tetris import EnvConfig, Tetris

ENV = Tetris(EnvConfig(rules=RULES, actions="locked_position", reward="attack"))
TINY = BeamConfig(width=2, clear_width=1, depth=2, placements=3, num_candidates=4, num_games=2)
TUNABLES = {
    "elite_fraction": jnp.float32(0.5),
    "step_size": jnp.float32(0.5),
    "spread_step_size": jnp.float32(0.25),
}


def test_refit_by_hand():
    """Two of four are taken: they count ln 2.5 - ln 1 and ln 2.5 - ln 2, of which the shares are 0.8042 and 0.1958."""
    drawn = jnp.asarray([[1.0], [-1.0], [2.0], [-2.0]])
    judged = jnp.asarray([3.0, 0.0, 5.0, 1.0])
    mean, spread, is_elite = beam_search.refit(jnp.zeros(1), jnp.ones(1), drawn, judged, TUNABLES)
    first = np.log(2.5) / (np.log(2.5) + np.log(2.5) - np.log(2))
    assert is_elite.tolist() == [True, False, True, False]
    best = 2 * first + 1 * (1 - first)
    assert mean.tolist() == pytest.approx([0.5 * best], abs=1e-5)
    variance = 4 * first + 1 * (1 - first)
    assert spread.tolist() == pytest.approx([np.sqrt(1 + 0.25 * (variance - 1))], abs=1e-5)


@pytest.mark.slow
def test_a_generation():
    agent = beam_search.make(TINY, ENV)
    state = agent.init(jax.random.key(0, impl="threefry2x32"))
    train = jax.jit(agent.train)
    after, metrics = train(state)
    again, _ = train(state)
    assert float(metrics.totals["games"]) == 8
    assert float(metrics.totals["pieces"]) == 8 * 3
    assert float(metrics.means["fitness/best"]) >= float(metrics.means["fitness/mean"])
    assert (int(after.iteration), after.mean.shape) == (1, state.mean.shape)
    assert not np.array_equal(after.mean, state.mean)
    np.testing.assert_array_equal(after.mean, again.mean)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    with pytest.raises(ValueError, match="given no states to policy beam"):
        agent.act(agent.policy(state), Sight(observation=None, is_first=None), (), state.key, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 0}, "agent.width: given 0"),
        (
            {"width": 200, "clear_width": 100},
            "agent.clear_width: given 100; allowed: a whole number from 0 to 56",
        ),
        ({"depth": 0}, "agent.depth: given 0"),
        ({"num_candidates": 2}, "agent.num_candidates: given 2"),
        ({"step_size": 2.0}, "agent.step_size: given 2.0"),
    ],
)
def test_settings_that_cannot_work(change, said):
    with pytest.raises(ValueError, match=said):
        beam_search.make(dataclasses.replace(TINY, **change), ENV)


def test_games_that_it_cannot_play():
    with pytest.raises(ValueError, match=r"env.actions: given 'direct'.*allowed: locked_position"):
        beam_search.make(TINY, tetrax.make("mini"))
    first = Tetris(dataclasses.replace(ENV.config, orientation="first"))
    with pytest.raises(ValueError, match="orientation 'first'"):
        beam_search.make(TINY, first)
