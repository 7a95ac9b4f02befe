"""What players of versus see of their own boards and of the others, and how they play together."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.games.test_versus import BOARD, RULES, UPRIGHT, Told, numbers_of, play, versus
from tetrax.env.batch import Batch, by_game, by_seat
from tetrax.env.game.rules import RULE_PRESETS
from tetrax.env.tetris import EnvConfig
from tetrax.env.wrappers import AutoReset, EpisodeStatistics
from tetrax.games.others import column_heights, flat_names
from tetrax.games.versus import Versus
from tetrax.games.versus_config import VersusConfig

MINI = EnvConfig(
    preset="mini", rules=dataclasses.replace(RULE_PRESETS["mini"], garbage=True), actions="drop",
    observation="bitboards", params=("game.garbage_delay=1",),
)  # fmt: skip


@functools.cache
def see(**settings):
    """Return what players see after three steps of the first game of test_versus, and that state."""
    view = settings.pop("observation", "bitboards")
    env = versus(board=dataclasses.replace(BOARD, observation=view), **settings)
    states, _ = play(env, [(UPRIGHT + 4, UPRIGHT), (0, 1), (2, 1)])
    return env, states[-1], jax.jit(env.observe)(states[-1], numbers_of(env))


def test_a_player_sees_the_others_behind_its_own():
    env, _, seen = see()
    names = env.feature_names
    first, second = (dict(zip(names, row, strict=True)) for row in seen.features.tolist())
    assert (
        first["combo"] == pytest.approx(0.1) and second["combo"] == 0
    )  # the first has just cleared two rows
    # One row waits for the second, and enters at its next lock; the first sees it wait.
    assert second["garbage_waiting"] == second["garbage_due"] == first["ahead_1_garbage_waiting"] == 1 / 8
    assert first["garbage_due"] == second["ahead_1_garbage_waiting"] == 0
    assert [first[f"ahead_1_height_{x}"] for x in range(5)] == [4 / 8, 4 / 8, 4 / 8, 0, 0]
    assert [second[f"ahead_1_height_{x}"] for x in range(5)] == [0, 0, 0, 0, 2 / 8]
    assert "ahead_1_stands" not in names  # of two, both do
    # Active, held (none) and next pieces of one, then of the other: an O, kind 1 of two.
    assert seen.pieces.tolist() == [[1, 2, 1, 1, 2, 1]] * 2
    assert seen.bitboards.shape == (2, 3, 10)
    assert seen.bitboards[0, 0, :3].tolist() == seen.bitboards[1, 2, :3].tolist() == [16, 16, 0]
    assert seen.bitboards[1, 0, :5].tolist() == seen.bitboards[0, 2, :5].tolist() == [7, 7, 7, 7, 0]


def test_heights_are_those_of_the_highest_cells():
    dice = np.random.default_rng(0)
    rules = RULE_PRESETS["guideline"]
    heights = jax.jit(functools.partial(column_heights, rules))
    for top in (0, 1, 5, 20, 31):
        rows = np.zeros(rules.total_height, np.uint32)
        rows[:top] = dice.integers(0, 2**10, top) & dice.integers(0, 2**10, top)
        expected = [max((y + 1 for y in range(top) if rows[y] >> x & 1), default=0) for x in range(10)]
        assert [int(height) for height in heights(jnp.asarray(rows))] == expected


@pytest.mark.slow
@pytest.mark.parametrize("view", ["bitboards", "compact", "planes", "flat", "afterstate_features"])
def test_with_the_others_hidden_each_sees_what_it_would_see_alone(view):
    env, state, seen = see(observation=view, shows_others=False)
    params = numbers_of(env).board
    for player, board in enumerate(state.boards):
        alone = jax.jit(env.board.observe)(board, params)
        chex.assert_trees_all_equal(jax.tree.map(lambda leaf, seat=player: leaf[seat], seen), alone)
    assert env.spec.shows == dataclasses.replace(env.board.spec.shows, foretells_reward=False)


@pytest.mark.slow
def test_every_view_has_room_for_the_others():
    _, _, planes = see(observation="planes")
    assert planes.planes.shape == (2, 10, 5, 4)
    assert planes.planes[0, :, :, 3].tolist() == planes.planes[1, :, :, 0].tolist()
    env, _, flat = see(observation="flat")
    names = flat_names(env.config)
    assert flat.flat.shape == (2, len(names)) and len(set(names)) == len(names)
    first = dict(zip(names, flat.flat[0].tolist(), strict=True))
    assert first["ahead_1_locked_3_2"] == 1 and first["ahead_1_locked_3_3"] == 0
    assert (first["ahead_1_piece_O"], first["ahead_1_next_0_O"]) == (1, 1)
    assert first["ahead_1_garbage_waiting"] == 1 / 8


@pytest.mark.slow
def test_afterstates_tell_what_each_placement_sends():
    """The foretold rows are those that come of it: of doubles, that clear the board or not."""
    states, _ = play(versus(), [(UPRIGHT + 4, UPRIGHT), (0, 1), (2, 1), (0, 3), (2, 3)])
    env = versus(shows_attack=True)
    params, together = (
        numbers_of(env),
        jnp.tile(jnp.arange(env.num_actions, dtype=jnp.int32)[:, None], (1, 2)),
    )
    ahead = jax.jit(jax.vmap(lambda state, action: env.transition(state, action, params), in_axes=(None, 0)))
    observe, met = jax.jit(lambda state: env.observe(state, params)), set()
    for state in states:
        seen, reached = observe(state), ahead(state, together)
        attack = np.asarray(reached[4].boards.attack).sum(axis=2).T  # [P, A]
        legal = np.asarray(seen.legal)
        np.testing.assert_array_equal(
            np.asarray(seen.afterstates.features)[..., -1][legal] * 4, attack[legal]
        )
        met |= set(attack[legal].tolist())
    assert met == {0, 1, 11}


@pytest.mark.slow
def test_three_play_until_one_stands_and_who_has_fallen_waits():
    env = versus(num_players=3, board=MINI, win=2.0)
    params = env.default_params
    step = jax.jit(env.step)
    state, seen = jax.jit(env.reset)(jax.random.key(0), params)
    # The second piles all up in one column; the first and the third look for room.
    rewards, waits = np.zeros(3), 0
    while not seen.terminated:
        legal = np.asarray(seen.observation.legal)
        chosen = [
            int(np.flatnonzero(row)[index % row.sum()])
            for row, index in zip(legal, (-1, 0, state.boards[2].ticks), strict=True)
        ]
        if state.fallen.any():
            waits += 1
            (gone,) = np.flatnonzero(state.fallen)
            assert np.flatnonzero(legal[gone]).tolist() == [0]
            board = state.boards[gone]
        state, seen = step(state, jnp.asarray(chosen, jnp.int32), params)
        if waits:
            chex.assert_trees_all_equal(state.boards[gone].rows, board.rows)
        rewards += np.asarray(seen.reward)
    assert waits > 0 and not seen.observation.legal.any()
    assert int(seen.event.winner) >= 0 and sorted(rewards.tolist()) == [-2.0, -2.0, 2.0]
    assert rewards[int(seen.event.winner)] == 2.0 and state.fallen.sum() == 2


@pytest.mark.slow
def test_many_games_play_as_each_alone_and_begin_anew():
    env = Versus(VersusConfig(board=dataclasses.replace(MINI, time_limit=9), same_pieces=False))
    batch = Batch(EpisodeStatistics(AutoReset(env)))
    keys = jax.random.split(jax.random.key(5), 3)
    state, seen = jax.jit(batch.reset)(keys)
    step, alone = jax.jit(batch.step), jax.jit(env.step)
    begin = jax.jit(env.reset)
    games = [begin(jax.random.fold_in(key, 0)) for key in keys]
    dice, ended = np.random.default_rng(0), [False] * 3
    for _ in range(12):
        legal = np.asarray(by_seat(seen.observation.legal, env.spec))
        actions = jnp.asarray([dice.choice(np.flatnonzero(row)) for row in legal], jnp.int32)
        actions = by_game(actions, env.spec)
        state, seen = step(state, actions)
        for index in range(3):
            if not ended[index]:
                games[index] = alone(games[index][0], actions[index])
                for name in ("reward", "terminated", "truncated", "last_observation"):
                    here = jax.tree.map(lambda leaf, at=index: leaf[at], getattr(seen, name))
                    chex.assert_trees_all_close(here, getattr(games[index][1], name), rtol=1e-6)
                ended[index] = bool(games[index][1].terminated | games[index][1].truncated)
    assert all(ended)
    totals = state.finished.totals
    assert (totals["pieces"] > 0).all() and int(
        (totals["wins"] + totals["losses"] + totals["draws"]).max()
    ) <= 1


@pytest.mark.slow
def test_together_all_get_the_sum_and_the_first_who_falls_ends_it():
    alone = dataclasses.replace(RULES, garbage=False)
    board = EnvConfig(rules=alone, actions="drop", reward="survival")  # a line is worth 1, a loss -10
    env = Versus(VersusConfig(board=board, cooperative=True))
    assert env.spec.headline == "lines" and env.default_params.weights is None
    step = jax.jit(lambda state, action: Told(*env.transition(state, action, env.default_params)[1:]))
    move = jax.jit(lambda state, action: env.transition(state, action, env.default_params)[0])
    state = env.init(jax.random.key(0), env.default_params)
    rewards, ends = [], []
    for actions in [(UPRIGHT + 4, 0), (0, 0), (2, 0), (0, 0), (2, 0), (0, 0)]:
        told = step(state, jnp.asarray(actions, jnp.int32))
        state = move(state, jnp.asarray(actions, jnp.int32))
        rewards.append(told.reward.tolist())
        ends.append(bool(told.terminated))
    # The first clears two rows in steps 3 and 5; the second has an I and four O above each other: nine rows.
    assert rewards == [[0, 0], [0, 0], [2, 2], [0, 0], [-8, -8], [0, 0]]
    assert ends == [False] * 4 + [True] * 2
    assert state.fallen.tolist() == [False, True]


@pytest.mark.slow
def test_what_is_hidden_is_drawn_anew_and_what_is_seen_stays():
    env = Versus(VersusConfig(board=MINI))
    params = env.default_params
    state = env.init(jax.random.key(0), params)
    again = env.resample_future(state, jax.random.key(1))
    chex.assert_trees_all_equal(env.observe(state, params), env.observe(again, params))
    assert not (jax.random.key_data(again.luck) == jax.random.key_data(state.luck)).all()
    keys = [jax.random.key_data(board.key).tolist() for board in again.boards]
    assert keys[0] == keys[1] != jax.random.key_data(state.boards[0].key).tolist()
