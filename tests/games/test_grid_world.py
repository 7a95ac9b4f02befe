"""The grid world: games worked by hand, the fewest steps, opponents, and what is refused."""

import dataclasses
import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.fewest_steps import fewest_steps
from tests.games import walks
from tetrax import games
from tetrax.env.batch import Batch, by_game, by_seat
from tetrax.env.contract import RETURN, STEPS
from tetrax.env.wrappers import EpisodeStatistics
from tetrax.games.grid_config import GridWorldConfig
from tetrax.games.grid_sight import sight_names
from tetrax.games.grid_walkers import walk_greedily
from tetrax.games.grid_world import NOBODY, find_winner

TOGETHER = games.make("gridworld", GridWorldConfig(width=4, height=3))
VERSUS = games.make("gridworld", GridWorldConfig(width=4, height=3, rewards="competitive"))


@functools.lru_cache
def compiled(env):
    return jax.jit(env.step)


def play(env, state, *steps):
    """Play "AGENT'S-STEP AGENT'S-STEP …" one after the other; return the state and what each step told."""
    told, step = [], compiled(env)
    for words in steps:
        actions = jnp.asarray([walks.ACTIONS[word] for word in words.split()], jnp.int32)
        state, timestep = step(state, actions)
        told.append(timestep)
    return state, told


def measured(env, timestep):
    return {name: int(value) for name, value in env.measure(timestep.event).items()}


def test_what_learners_ask():
    spec = games.make("gridworld", GridWorldConfig()).spec
    assert spec.title == "grid world 10x10, 2 agents, 2 targets, cooperative"
    assert (spec.num_actions, spec.num_players, spec.acts_together, spec.num_seats) == (5, 2, True, 2)
    assert spec.measures == (RETURN, "found", "completed", STEPS) and spec.can_truncate
    assert VERSUS.spec.measures == ("wins", "draws", "losses", "found", STEPS)
    alone = VERSUS.against("greedy").spec
    assert (alone.num_players, alone.acts_together, alone.headline) == (1, False, "wins")
    assert alone.title == "grid world 4x3, 2 agents against greedy, 2 targets, competitive"
    assert VERSUS.opponents == ("greedy", "random") and TOGETHER.opponents == ()
    assert hash(VERSUS) == hash(games.make("gridworld", VERSUS.config)) != hash(TOGETHER)


def test_a_cooperative_game_by_hand():
    state = walks.read(TOGETHER, "..1. A..B ...2")
    # B is above the second target, A two columns left of and a row below the first.
    state, (first, second, third) = play(TOGETHER, state, "right down", "up down", "right left")
    # First step: B finds the second target: 10 - 0.1 for both. B's second step is into the wall. Third: the last one.
    np.testing.assert_allclose(first.reward, [9.9, 9.9])
    np.testing.assert_allclose(second.reward, [-0.1, -0.1])
    np.testing.assert_allclose(third.reward, [29.9, 29.9])
    assert state.agents.tolist() == [[2, 2], [2, 0]] and state.scores.tolist() == [1, 1]
    assert [bool(each.terminated) for each in (first, second, third)] == [False, False, True]
    assert [measured(TOGETHER, each) for each in (first, second, third)] == [
        {"found": 1, "completed": 0},
        {"found": 0, "completed": 0},
        {"found": 1, "completed": 1},
    ]
    after, (again,) = play(TOGETHER, state, "down down")
    chex.assert_trees_all_equal(after, state)
    assert again.reward.tolist() == [0, 0] and bool(again.terminated) and not bool(again.truncated)
    assert measured(TOGETHER, again) == {"found": 0, "completed": 0}


def test_both_targets_in_one_step_pay_both_and_agents_share_cells():
    state, (met, done) = play(TOGETHER, walks.read(TOGETHER, ".... 1AB2 ...."), "right left", "right left")
    np.testing.assert_allclose(met.reward, [-0.1, -0.1])  # they changed places
    np.testing.assert_allclose(done.reward, [39.9, 39.9])
    state, _ = play(TOGETHER, walks.read(TOGETHER, "1... .AB. 2..."), "right stay")
    assert state.agents.tolist() == [[2, 1], [2, 1]]


def test_a_competitive_game_by_hand():
    state, (first, second) = play(VERSUS, walks.read(VERSUS, "A1.. .... B.2."), "right right", "down right")
    np.testing.assert_allclose(first.reward, [19.9, -5.1])
    np.testing.assert_allclose(second.reward, [-5.1, 19.9])
    assert bool(second.terminated) and int(find_winner(state.scores)) == NOBODY
    assert measured(VERSUS, first) == {"wins": 0, "draws": 0, "losses": 0, "found": 1}
    assert measured(VERSUS, second) == {"wins": 0, "draws": 1, "losses": 0, "found": 0}
    _, (first, second) = play(VERSUS, walks.read(VERSUS, "A12. .... ...B"), "right up", "right up")
    np.testing.assert_allclose(second.reward, [19.9, -5.1])
    assert measured(VERSUS, second) == {"wins": 1, "draws": 0, "losses": 0, "found": 1}


def test_who_come_to_a_target_together_share_what_it_is_worth():
    state, (told,) = play(VERSUS, walks.read(VERSUS, "A1B. .... ...2"), "right left")
    np.testing.assert_allclose(told.reward, [9.9, 9.9])
    assert state.scores.tolist() == [1, 1] and state.found.tolist() == [True, False]
    three = games.make("gridworld", GridWorldConfig(4, 3, num_agents=3, num_targets=1, rewards="competitive"))
    _, (told,) = play(three, walks.read(three, "A1B. .... ...C"), "right left stay")
    np.testing.assert_allclose(told.reward, [9.9, 9.9, -5.1])
    assert measured(three, told) == {"wins": 0, "draws": 1, "losses": 0, "found": 1}


def test_where_each_has_its_own_target_others_walk_over_it():
    own = GridWorldConfig(width=4, height=3, own_targets=True)
    env = games.make("gridworld", own)
    drawing = "A2B1 .... ...."
    state, (first, second, third) = play(
        env, walks.read(env, drawing), "right stay", "right left", "right stay"
    )
    np.testing.assert_allclose([first.reward[0], second.reward[0], third.reward[0]], [-0.1, 9.9, 29.9])
    assert bool(third.terminated) and state.scores.tolist() == [1, 1]
    race = games.make("gridworld", dataclasses.replace(own, rewards="competitive"))
    _, (told,) = play(race, walks.read(race, drawing), "stay left")
    np.testing.assert_allclose(told.reward, [-5.1, 19.9])
    assert bool(told.terminated) and measured(race, told) == {"wins": 0, "draws": 0, "losses": 1, "found": 0}


def test_walls_and_other_numbers_stay():
    state = walks.read(TOGETHER, "A... .... 1.2B")
    step = compiled(TOGETHER)
    for actions in ([1, 2], [3, 4], [0, 0], [-1, 5]):
        state, _ = step(state, jnp.asarray(actions, jnp.int32))
        assert state.agents.tolist() == [[0, 2], [3, 0]]


def test_time_runs_out():
    env = games.make("gridworld", GridWorldConfig(width=4, height=3, max_steps=2))
    drawing = "A.1. .... B.2."
    _, (first, last) = play(env, walks.read(env, drawing), "right right", "stay stay")
    assert not bool(first.truncated) and bool(last.truncated) and not bool(last.terminated)
    assert last.last_observation.flat[0, -1] == 0
    # Both ends at once: the game is over.
    _, (_, last) = play(env, walks.read(env, drawing), "right right", "right right")
    assert bool(last.terminated) and not bool(last.truncated)


def test_what_each_agent_sees():
    state, (told,) = play(TOGETHER, walks.read(TOGETHER, "..1. A..B ...2"), "stay down")
    seen = told.observation
    names = sight_names(TOGETHER.config)
    assert seen.flat.shape == (2, len(names)) and seen.legal.shape == (2, 5) and bool(seen.legal.all())
    assert seen.player.tolist() == [0, 1]
    first, second = (dict(zip(names, row, strict=True)) for row in seen.flat.tolist())
    # A in (0, 1), B in (3, 0) where the second target was, the first in (2, 2); width 4, height 3.
    expected = {
        "own_x": -0.75,
        "own_y": 0,
        "agent_1_x": 3 / 4,
        "agent_1_y": -1 / 3,
        # To the first target A goes right and up, B left and up.
        "agent_0_to_0_x": 2 / 4,
        "agent_0_to_0_y": 1 / 3,
        "agent_0_to_0_side": 1,
        "agent_0_to_0_rise": 1,
        "agent_0_to_0_length": 3 / 7,
        "agent_1_to_0_x": -1 / 4,
        "agent_1_to_0_y": 2 / 3,
        "agent_1_to_0_side": -1,
        "agent_1_to_0_rise": 1,
        "agent_1_to_0_length": 3 / 7,
        **{
            f"agent_{agent}_to_1_{part}": 0
            for agent in (0, 1)
            for part in ("x", "y", "side", "rise", "length")
        },
        "target_0_left": 1,
        "target_1_left": 0,
        "time_left": 0.99,
    }
    assert first == pytest.approx(expected, abs=1e-6)
    assert (second["own_x"], second["agent_1_x"], second["agent_0_to_0_y"]) == pytest.approx(
        (0.75, -0.75, 2 / 3)
    )
    # Whoever plays against opponents sees the same as in that seat.
    alone, key = VERSUS.against("greedy"), jax.random.key(3)
    state, timestep = jax.jit(alone.reset)(key)
    together = jax.jit(VERSUS.observe)(state.replace(seat=None, key=None))
    seat = int(state.seat)
    chex.assert_trees_all_equal(timestep.observation, jax.tree.map(lambda leaf: leaf[seat], together))


def test_swapping_agents_swaps_what_they_get():
    state = jax.jit(VERSUS.init, static_argnums=1)(jax.random.key(1), ())
    swapped = state.replace(agents=state.agents[::-1])
    step = compiled(VERSUS)
    for actions in np.random.default_rng(0).integers(0, 5, (30, 2)).astype(np.int32):
        state, told = step(state, actions)
        swapped, other = step(swapped, actions[::-1])
        np.testing.assert_array_equal(told.reward, other.reward[::-1])
        np.testing.assert_array_equal(told.observation.flat, other.observation.flat[::-1])


def test_starts_are_in_different_cells_and_all_alike_likely():
    env = games.make("gridworld", GridWorldConfig(width=2, height=2, num_targets=1))
    states = jax.jit(jax.vmap(lambda key: env.init(key)))(jax.random.split(jax.random.key(0), 4800))
    cells = np.concatenate([np.asarray(states.agents), np.asarray(states.targets)], axis=1) @ [1, 2]
    placings, counts = np.unique(cells, axis=0, return_counts=True)
    assert placings.tolist() == [list(each) for each in itertools.permutations(range(4), 3)]
    # 24 placings, 200 of each expected, with a deviation of 14.
    assert np.abs(counts - 200).max() < 60


def test_greedy_goes_to_the_nearest_left():
    state = walks.read(VERSUS, "A..1 .B.. 2...")
    key = jax.random.key(0)
    # A: 2 down to the second, 3 right to the first. B: the second is 2 away (sideways if equal), the first 3.
    walk = jax.jit(walk_greedily, static_argnums=0)
    assert walk(VERSUS.config, state, key).tolist() == [2, 3]
    found = state.replace(found=jnp.asarray([False, True]))
    assert walk(VERSUS.config, found, key).tolist() == [4, 4]
    assert walk(VERSUS.config, state.replace(found=jnp.ones(2, bool)), key).tolist() == [0, 0]
    own = GridWorldConfig(4, 3, rewards="competitive", own_targets=True)
    assert walk(own, state, key).tolist() == [4, 3]


@pytest.mark.parametrize("opponent", ["greedy", "random"])
def test_opponents_take_the_other_seats(opponent):
    alone = VERSUS.against(opponent)
    reset, step, seats = jax.jit(alone.reset), compiled(alone), set()
    for seed in range(6):
        state, _ = reset(jax.random.key(seed))
        seat = int(state.seat)
        seats.add(seat)
        before = state
        state, told = step(state, jnp.int32(0))
        assert told.reward.shape == () and told.observation.flat.shape == (27,)
        assert state.agents[seat].tolist() == before.agents[seat].tolist()
        if opponent == "greedy":
            expected = jax.jit(walk_greedily, static_argnums=0)(VERSUS.config, before, before.key)[1 - seat]
            moved = walks.walk(4, 3, tuple(before.agents[1 - seat].tolist()), walks.STRIDES[int(expected)])
            assert tuple(state.agents[1 - seat].tolist()) == moved
    assert seats == {0, 1}


def test_many_games_side_by_side():
    batch = Batch(EpisodeStatistics(TOGETHER))
    keys = jax.random.split(jax.random.key(0), 3)
    state, timestep = jax.jit(batch.reset)(keys)
    assert timestep.observation.flat.shape == (3, 2, 27)
    assert by_seat(timestep.observation, TOGETHER.spec).flat.shape == (6, 27)
    actions = by_game(jnp.arange(6, dtype=jnp.int32) % 5, TOGETHER.spec)
    state, timestep = jax.jit(batch.step)(state, actions)
    assert timestep.reward.shape == (3, 2) and timestep.terminated.shape == (3,)
    # The totals of a game have the mean return of its agents.
    np.testing.assert_allclose(state.running.totals[RETURN], timestep.reward.mean(axis=1))


@pytest.mark.parametrize("own", [False, True])
def test_the_fewest_steps_are_those_of_a_plain_search_and_of_the_best_tours(own):
    rng = np.random.default_rng(0)
    cells = list(itertools.product(range(4), range(3)))
    for _ in range(12):
        places = [cells[index] for index in rng.permutation(len(cells))[:4]]
        agents, targets = places[:2], places[2:]
        found = fewest_steps(4, 3, agents, targets, own=own)
        assert found == walks.search_fewest_steps(4, 3, agents, targets, own=own)
        if own:
            ways = zip(agents, targets, strict=True)
            assert found == max(abs(a - c) + abs(b - d) for (a, b), (c, d) in ways)
        else:
            assert found == walks.fewest_steps_by_tours(agents, targets)


def test_the_fewest_steps_of_a_large_grid_are_those_of_the_best_tours():
    rng = np.random.default_rng(1)
    cells = list(itertools.product(range(10), range(10)))
    for _ in range(5):
        places = [cells[index] for index in rng.permutation(len(cells))[:4]]
        found = fewest_steps(10, 10, places[:2], places[2:])
        assert found == walks.fewest_steps_by_tours(places[:2], places[2:])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"width": 0}, "env.width: given 0; allowed: a whole number from 1 to 64"),
        ({"num_agents": 1}, "env.num_agents: given 1; allowed: a whole number from 2 to 8"),
        ({"rewards": "both"}, "env.rewards: given 'both'; allowed: cooperative, competitive"),
        ({"opponent": "greedy"}, "env.opponent: given 'greedy' with cooperative rewards; allowed: self, or"),
        ({"own_targets": True, "num_targets": 3}, "env.num_targets: given 3 with own-targets; allowed: 2"),
        ({"width": 1, "height": 3}, "env.width: given 1 by 3 cells; allowed: one for each of 2 agents and 2"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(ValueError, match=said):
        GridWorldConfig(**settings)


def test_what_it_has_not():
    with pytest.raises(ValueError, match=r"opponent: given 'greedy' in .*; allowed: none, its agents help"):
        TOGETHER.against("greedy")
    with pytest.raises(ValueError, match=r"opponent: given 'best' in .*; allowed: greedy, random"):
        VERSUS.against("best")
    with pytest.raises(ValueError, match=r"height: given 5 for grid world"):
        TOGETHER.with_height(5)
    state = walks.read(TOGETHER, "..1. A..B ...2")
    assert TOGETHER.resample_future(state, jax.random.key(1)) is state
