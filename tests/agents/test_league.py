"""The league: who is drawn, what is counted, whose steps are learned from; worked by hand in a game of one step."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from tetrax.agents.mappo import LeagueConfig, MAPPOConfig, league, make
from tetrax.agents.mappo.together import collect
from tetrax.env.contract import RETURN, STEPS, Shown, Spec, TimeStep, vector_observation
from tetrax.networks.network_config import NetworkConfig

WINS, DRAWS, LOSSES = "wins", "draws", "losses"


class Round(struct.PyTreeNode):
    """A game of one step: whether it is over."""

    over: Any


@dataclass(frozen=True)
class HigherWins:
    """Two players name 0, 1 or 2; the higher number wins. Nothing is seen."""

    spec = Spec(
        name="higher", title="higher wins", num_actions=3, shows=Shown("flat"), can_truncate=False,
        measures=(WINS, DRAWS, LOSSES, RETURN, STEPS), num_players=2, acts_together=True,
    )  # fmt: skip
    default_params = ()

    def init(self, key, params=()):
        return Round(over=jnp.bool_(False))

    def reset(self, key, params=()):
        state, no = self.init(key), jnp.bool_(False)
        return state, TimeStep(self.observe(state), jnp.zeros(2), no, no, jnp.zeros(2, jnp.int32), None)

    def transition(self, state, action, params=()):
        sign = jnp.sign(action - action[::-1]).astype(jnp.float32)
        return Round(over=jnp.bool_(True)), sign, jnp.bool_(True), jnp.bool_(False), action.astype(jnp.int32)

    def step(self, state, action, params=()):
        state, *told, event = self.transition(state, action)
        return state, TimeStep(self.observe(state), *told, event, None)

    def observe(self, state, params=()):
        return vector_observation(jnp.ones((2, 1)), 3)

    def measure(self, event):
        return self.measure_player(event, 0)

    def measure_player(self, event, player):
        mine, other = event[player], event[1 - player]
        told = {WINS: mine > other, DRAWS: mine == other, LOSSES: mine < other}
        return {name: value.astype(jnp.int32) for name, value in told.items()}

    def with_discount(self, params, discount):
        return params


ENV = HigherWins()
SETTINGS = LeagueConfig(size=3, share=0.5, every=2, tables=2)
CONFIG = MAPPOConfig(
    value="own", num_envs=16, num_steps=4, num_epochs=1, num_minibatches=2, num_groups=2,
    network=NetworkConfig(hidden=(4,)), league=SETTINGS,
)  # fmt: skip


def always(params: Any, number: int) -> Any:
    """Return parameters [1, ...] that name one number, whatever they see."""
    params = jax.tree.map(jnp.zeros_like, params)
    biases = [jnp.full((1, 3), -50.0).at[0, number].set(50.0)]
    paths = [path for path, leaf in jax.tree_util.tree_leaves_with_path(params) if leaf.shape == (1, 3)]
    assert len(paths) == 1, "the logits' bias"
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: biases[0] if path == paths[0] else leaf, params
    )


@pytest.fixture(scope="module")
def agent():
    return make(CONFIG, ENV)


@pytest.fixture(scope="module")
def begun(agent):
    return jax.jit(agent.init)(jax.random.key(0))


def test_half_of_each_group_is_against_snapshots_from_both_seats():
    assert league.find_games(SETTINGS, 16, 2).tolist() == [4, 5, 6, 7, 12, 13, 14, 15]
    learned = league.seats(SETTINGS, 16, 2, 2)
    assert learned[:4].all()
    assert learned[4:8].tolist() == [[True, False], [False, True]] * 2


def test_a_league_begins_with_the_learner_itself(begun):
    assert begun.league.taken_at.tolist() == [0, -1, -1]
    jax.tree.map(
        lambda kept, own: np.testing.assert_array_equal(kept[0], own[0]), begun.league.params, begun.params
    )


def test_a_learner_that_begins_with_another_is_the_first_snapshot(agent, begun):
    taken = agent.take_over(begun, agent.policy(begun).replace(params=always(begun.params, 2)))
    jax.tree.map(
        lambda kept, own: np.testing.assert_array_equal(kept[0], own[0]), taken.league.params, taken.params
    )
    assert jax.tree.structure(taken) == jax.tree.structure(begun)
    assert not jax.tree.all(jax.tree.map(lambda one, other: (one == other).all(), taken.params, begun.params))


def test_snapshots_play_their_seats_and_are_counted_at_their_tables(begun):
    """The learner names 1. At table 0 the snapshot names 0 and always loses, at table 1 it names 2 and always wins."""
    from tetrax.agents.mappo.players import Players

    players = Players.of(CONFIG, ENV)
    low, high = always(begun.params, 0), always(begun.params, 2)
    kept = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), low, high, low)
    past = begun.league.replace(params=kept, tables=jnp.array([0, 1]))
    state = begun.replace(params=always(begun.params, 1), league=past)
    _, rollout, finished, against = jax.jit(lambda state: collect(players, state, jax.random.key(1)))(state)
    points, games = against
    # Four games at each of two tables, four steps of one game each.
    assert points.tolist() == [16.0, 0.0]
    assert games.tolist() == [16.0, 16.0]
    assert (rollout.action[:, :4] == 1).all(), "alone with itself"
    assert rollout.action[0, 4:8].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert rollout.action[0, 12:].tolist() == [[1, 2], [2, 1], [1, 2], [2, 1]]
    assert float(finished["games"]) == 64


def points_of(past, points, games):
    return past.replace(points=jnp.array(points, jnp.float32), games=jnp.array(games, jnp.float32))


def test_places_are_filled_and_then_taken_from_who_is_beaten_most(begun):
    step = jax.jit(lambda past, params, iteration: league.move_on(
        SETTINGS, past, params, (jnp.zeros(2), jnp.zeros(2)), iteration, jax.random.key(2)
    ))  # fmt: skip
    first, second, third = (always(begun.params, number) for number in (0, 1, 2))
    past = step(begun.league, first, jnp.int32(1))
    assert past.taken_at.tolist() == [0, -1, -1], "not yet"
    past = step(past, first, jnp.int32(2))
    past = step(past, second, jnp.int32(4))
    assert past.taken_at.tolist() == [0, 2, 4]
    # Of 10 games 3, 9 and 5 were won: the second snapshot has least to teach.
    past = step(points_of(past, [3, 9, 5], [10, 10, 10]), third, jnp.int32(6))
    assert past.taken_at.tolist() == [0, 6, 4]
    jax.tree.map(lambda kept, own: np.testing.assert_array_equal(kept[1], own[0]), past.params, third)
    assert float(league.score(past)[1]) == 0.5
    assert past.games[1] == 0.0


def test_who_is_seldom_beaten_is_drawn_more_often(begun):
    """Scores of 0.5 / 11, 5.5 / 11 and 10.5 / 11: weights of (1 - score) squared and a hundredth."""
    past = points_of(begun.league, [0, 5, 10], [10, 10, 10]).replace(
        taken_at=jnp.array([0, 2, 4]), tables=jnp.zeros(20_000, jnp.int32)
    )
    config = dataclasses.replace(SETTINGS, every=1, tables=20_000)
    # The third is taken by a new snapshot of score 1/2, as it is beaten most.
    nothing = (jnp.zeros(20_000), jnp.zeros(20_000))
    after = jax.jit(lambda key: league.move_on(config, past, begun.params, nothing, jnp.int32(7), key))(
        jax.random.key(3)
    )
    faded = league.DECAY * 10
    weights = np.array([1 - 0.5 / (faded + 1), 1 - (faded / 2 + 0.5) / (faded + 1), 0.5]) ** 2 + 0.01
    shares = np.bincount(after.tables, minlength=3) / 20_000
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.015)


def test_places_that_are_free_are_never_drawn(begun):
    config = dataclasses.replace(SETTINGS, every=1, tables=500)
    nothing, past = (jnp.zeros(500), jnp.zeros(500)), begun.league.replace(tables=jnp.zeros(500, jnp.int32))
    after = league.move_on(config, past, begun.params, nothing, jnp.int32(1), jax.random.key(4))
    assert set(after.tables.tolist()) == {0, 1}


@pytest.mark.slow
def test_nothing_is_learned_from_what_snapshots_did(agent, begun):
    """Snapshots that name 2 in every seat of theirs: the learner's own steps alone move its parameters."""
    from tetrax.agents.mappo.mappo import Sample, _loss
    from tetrax.agents.mappo.players import Players

    players = Players.of(CONFIG, ENV)
    params = jax.tree.map(lambda leaf: leaf[0], begun.params)
    moments = jax.tree.map(lambda leaf: leaf[0], begun.value_moments)
    seen = jax.tree.map(lambda leaf: jnp.stack([leaf] * 4), ENV.observe(None))  # [N, V = 2, ...]
    seen = jax.tree.map(lambda leaf: leaf[:, :1], seen)
    numbers = jnp.array([0.3, -0.2, 5.0, -7.0])
    learned = jnp.array([True, True, False, False])

    def gradient(action: Any, is_learned: Any) -> Any:
        sample = Sample(seen, action, jnp.full(4, -1.0), numbers, numbers, is_learned)
        sample = jax.tree.map(lambda leaf: leaf[: len(action)], sample)
        return jax.grad(lambda each: _loss(players, each, moments, begun.tunables, sample)[0])(params)

    masked = gradient(jnp.array([0, 1, 2, 2]), learned)
    other = gradient(jnp.array([0, 1, 0, 1]), learned)
    alone = gradient(jnp.array([0, 1]), None)
    jax.tree.map(np.testing.assert_array_equal, masked, other)
    jax.tree.map(lambda mine, theirs: np.testing.assert_allclose(mine, theirs, atol=1e-6), masked, alone)


@pytest.mark.slow
def test_it_learns_to_name_the_highest_and_to_beat_all_of_its_past(agent, begun):
    train = jax.jit(agent.train, donate_argnums=0)
    state = jax.tree.map(jnp.copy, begun)
    for _ in range(150):
        state, metrics = train(state)
    assert (state.league.taken_at >= 0).all()
    assert train._cache_size() == 1, "compiled once"
    seen = jax.tree.map(lambda leaf: leaf[:1], ENV.observe(None))
    from tetrax.agents.agent import Sight

    _, _, told = agent.act(agent.policy(state), Sight(seen, None), (), jax.random.key(0), False)
    assert float(told["probabilities"][0, 2]) > 0.9
    assert 0.45 <= float(metrics.means["league/score"]) <= 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": -1}, "agent.league.size: given -1"),
        (
            {"tables": 3},
            "agent.league.tables: given 3; allowed: a divisor of the games against snapshots, of which",
        ),
        ({"share": 0.0}, "agent.league.share: given 0.0; allowed: more"),
        ({"share": 1.5}, "agent.league.share: given 1.5"),
        ({"every": 0}, "agent.league.every: given 0"),
    ],
)
def test_leagues_that_cannot_be(changes, message):
    config = dataclasses.replace(CONFIG, league=dataclasses.replace(SETTINGS, **changes))
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        config.validate(ENV)
