"""Tic-tac-toe and connect four: rules by drawn boards, whole game trees, and opponents."""

import dataclasses
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.games import noughts
from tetrax import games
from tetrax.env.batch import Batch
from tetrax.env.contract import STEPS, example_observation
from tetrax.env.wrappers import AutoReset, EpisodeStatistics
from tetrax.games.in_a_row import ConnectFourConfig, TicTacToeConfig

NOUGHTS = games.make("tictactoe", TicTacToeConfig())
FOUR = games.make("connect4", ConnectFourConfig())
SQUARE = np.arange(9).reshape(3, 3)
SYMMETRIES = [np.rot90(each, turns).reshape(-1) for each in (SQUARE, SQUARE.T) for turns in range(4)]


def play(env, actions, state=None):
    """Play actions one after the other; return the state and what the last step told."""
    state = env.reset(jax.random.key(0))[0] if state is None else state
    step, timestep = jax.jit(env.step), None
    for action in actions:
        state, timestep = step(state, jnp.int32(action))
    return state, timestep


def test_what_learners_ask():
    spec = NOUGHTS.spec
    assert (spec.name, spec.num_actions, spec.num_players) == ("tictactoe", 9, 2)
    assert spec.measures == ("wins", "draws", "losses", STEPS) and not spec.can_truncate
    assert (FOUR.spec.num_actions, FOUR.spec.shows.width, FOUR.spec.shows.height) == (7, 7, 6)
    alone = FOUR.against("random").spec
    assert (alone.num_players, alone.measures[0]) == (1, "wins")
    assert alone.title == "connect four, both against random"
    assert hash(FOUR) == hash(games.make("connect4", ConnectFourConfig())) != hash(NOUGHTS)


def test_stones_fall_and_a_full_column_takes_no_more():
    state, timestep = play(FOUR, [3, 3, 2, 3, 3, 3, 3])
    drawing = """
    ...X...
    ...O...
    ...X...
    ...O...
    ...O...
    ..XX...
    """
    assert noughts.board_of(FOUR, state) == noughts.read(drawing)
    assert timestep.observation.legal.tolist() == [True] * 3 + [False] + [True] * 3
    # Seven stones: O moves. The first plane has the stones of who moves.
    assert (int(timestep.observation.player), not bool(timestep.terminated)) == (1, True)
    assert timestep.observation.bitboards.tolist() == [[0, 8, 8, 0, 8, 0], [12, 0, 0, 8, 0, 8]]


@pytest.mark.parametrize(
    ("drawing", "action"),
    [
        ("......./......./......./......./OOO..../XXX....", 3),
        ("......./......./......./X....../X.O..../X.O.O..", 0),
        ("......./......./......./..XO.../.XOX.../XOXO..O", 3),
        ("......./......./X....../OX...../XOX..../OOO...X", 3),
    ],
)
def test_four_in_a_row_win_in_every_direction(drawing, action):
    before = noughts.state(FOUR, noughts.read(drawing.replace("/", "\n")))
    mover = int(before.player)
    _, timestep = play(FOUR, [action], before)
    assert bool(timestep.terminated) and int(timestep.event.winner) == mover
    assert timestep.reward.tolist() == [1.0 - 2 * mover, 2.0 * mover - 1]


def test_a_row_does_not_go_on_at_the_other_side():
    # Three at the end of a row and one at the start of the next are no four; nor are diagonals across the edge.
    board = noughts.read("......./......./......./......./X.....O/.OO.XXX".replace("/", "\n"))
    state = noughts.state(FOUR, board)
    assert not bool(FOUR.has_row(state.rows[0]))
    for shift in ([0, 1, 2, 3], [6, 0, 1, 2]):
        rows = jnp.asarray([1 << x for x in shift] + [0, 0], jnp.uint32)
        assert bool(FOUR.has_row(rows)) == (shift[0] == 0)


def test_a_draw_pays_nothing_and_nothing_changes_after_the_end():
    state, timestep = play(NOUGHTS, [0, 1, 2, 4, 3, 5, 7, 6, 8])
    assert noughts.board_of(NOUGHTS, state) == noughts.read("OXX\nXOO\nXOX")
    assert timestep.reward.tolist() == [0.0, 0.0] and bool(timestep.terminated)
    assert {name: int(value) for name, value in NOUGHTS.measure(timestep.event).items()} == {
        "wins": 0,
        "draws": 1,
        "losses": 0,
    }
    again, timestep = play(NOUGHTS, [4], state)
    chex.assert_trees_all_equal(again, state)
    assert bool(timestep.terminated) and not timestep.observation.legal.any()
    assert sum(int(value) for value in NOUGHTS.measure(timestep.event).values()) == 0


@pytest.mark.parametrize(
    ("env", "actions"), [(NOUGHTS, [4, 4]), (NOUGHTS, [9]), (FOUR, [1] * 7), (FOUR, [-1])]
)
def test_an_illegal_move_loses_the_game(env, actions):
    state, timestep = play(env, actions)
    loser = (len(actions) - 1) % 2
    assert bool(state.over) and int(timestep.event.winner) == 1 - loser
    assert timestep.reward[loser] == -1 and timestep.reward[1 - loser] == 1


def tree(env, plies):
    """Walk the whole tree; return the positions after each ply, and how many games have ended in them."""
    step, legal = jax.jit(jax.vmap(env.transition)), jax.jit(jax.vmap(env.legal))
    states = jax.tree.map(lambda leaf: leaf[None], env.reset(jax.random.key(0))[0])
    ways, levels, ended = np.ones(1, np.int64), [states], 0  # ways: games that come to each position
    for _ in range(plies):
        index, actions = np.nonzero(np.asarray(legal(states)))
        size = 1 << math.ceil(math.log2(len(index)))  # few shapes, few programs
        after, *_ = step(
            take(states, np.resize(index, size)), jnp.asarray(np.resize(actions, size), jnp.int32)
        )
        rows = np.asarray(after.rows)[: len(index)].reshape(len(index), -1)
        _, first, same = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        ways = np.bincount(same.reshape(-1), weights=ways[index]).astype(np.int64)
        states = take(after, first)
        ended += int(ways[np.asarray(states.over)].sum())
        levels.append(states)
    return levels, ended


def take(states, index):
    return jax.tree.map(lambda leaf: leaf[index], states)


@pytest.mark.slow
def test_the_whole_tree_of_tic_tac_toe():
    """255,168 games, 5,478 positions, 765 up to symmetry, as is known; and each is what the slow rules find."""
    levels, num_games = tree(NOUGHTS, 9)
    assert num_games == 255_168
    boards = []
    for states in levels:
        for rows, over in zip(np.asarray(states.rows), np.asarray(states.over), strict=True):
            cells = [
                [rows[player, 2 - y] >> x & 1 for player in range(2)] for y in range(3) for x in range(3)
            ]
            board = tuple("X" if x else "O" if o else "." for x, o in cells)
            boards.append(board)
            assert bool(over) == (noughts.winner(board, 3, 3) is not None or "." not in board)
    assert len(boards) == 5_478 and sorted(boards) == noughts.all_positions()
    assert len({min(tuple(board[cell] for cell in turn) for turn in SYMMETRIES) for board in boards}) == 765


# Positions of connect four after n plies, ended games not gone on with: OEIS A212693.
COUNTS = [1, 7, 49, 238, 1_120, 4_263, 16_422, 54_859, 184_275]


@pytest.mark.parametrize("plies", [5, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_positions_of_connect_four_are_as_many_as_published(plies):
    levels, _ = tree(FOUR, plies)
    assert [len(states.over) for states in levels] == COUNTS[: plies + 1]


def test_perfect_play_is_what_looking_at_everything_finds():
    best = jax.jit(jax.vmap(lambda state: NOUGHTS.against("perfect")._choices(state)))
    boards = [board for board in noughts.all_positions() if noughts.best(board)]
    states = jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *[noughts.state(NOUGHTS, each) for each in boards[::7]]
    )
    found = np.asarray(best(states))
    for board, row in zip(boards[::7], found, strict=True):
        assert set(np.flatnonzero(row).tolist()) == noughts.best(board), board


def totals(env, num_games=256, num_steps=40):
    """Let random moves be played; return what the games come to, by seat and measure."""
    envs = Batch(EpisodeStatistics(AutoReset(env)))

    @jax.jit
    def run(key):
        state, timestep = envs.reset(jax.random.split(key, num_games), env.default_params)

        def step(carry, step_key):
            state, observation = carry
            logits = jnp.where(observation.legal, 0.0, -jnp.inf)
            after, timestep = envs.step(state, jax.random.categorical(step_key, logits).astype(jnp.int32))
            seat = state.env_state.game.seat
            return (after, timestep.observation), (seat, env.measure(timestep.event), timestep.reward)

        return jax.lax.scan(step, (state, timestep.observation), jax.random.split(key, num_steps))[1]

    seat, measured, reward = jax.tree.map(np.asarray, run(jax.random.key(3)))
    return seat, measured, reward


def test_who_plays_perfectly_never_loses_to_random_moves_and_both_seats_are_drawn():
    seat, measured, reward = totals(NOUGHTS.against("perfect"))
    assert measured["wins"].sum() == 0 and measured["draws"].sum() > 20
    assert measured["losses"].sum() == (reward == -1).sum() > 500
    assert 0.4 < seat.mean() < 0.6


def test_random_moves_against_random_moves_come_to_the_same_from_both_seats_mirrored():
    seat, measured, _ = totals(NOUGHTS.against("random"), num_games=1024)
    ended = measured["wins"] + measured["draws"] + measured["losses"]
    first = measured["wins"][seat == 0].sum() / ended[seat == 0].sum()
    second = measured["losses"][seat == 1].sum() / ended[seat == 1].sum()
    # Of random games who begins wins 58.5%, by counting all games with their probabilities.
    assert abs(first - 0.585) < 0.02 and abs(second - 0.585) < 0.02


@pytest.mark.parametrize("seat", ["first", "second"])
def test_a_seat_can_be_asked_for(seat):
    env = games.make("tictactoe", TicTacToeConfig(opponent="random", seat=seat))
    states = [env.init(jax.random.key(number)) for number in range(4)]
    assert {int(state.seat) for state in states} == {("first", "second").index(seat)}
    stones = {int(np.sum(np.bitwise_count(np.asarray(state.rows)))) for state in states}
    assert stones == {("first", "second").index(seat)}, "who is second finds the first move made"


def test_what_the_opponent_will_do_is_hidden():
    env = NOUGHTS.against("random")
    state = env.init(jax.random.key(0))
    other = env.resample_future(state, jax.random.key(9))
    chex.assert_trees_all_equal(other.replace(key=None), state.replace(key=None))
    assert (jax.random.key_data(other.key) == jax.random.key_data(jax.random.key(9))).all()
    replies = {
        noughts.board_of(env, env.transition(env.resample_future(state, jax.random.key(n)), jnp.int32(4))[0])
        for n in range(12)
    }
    assert len(replies) > 3


@pytest.mark.parametrize(
    ("config", "change", "said"),
    [
        (
            TicTacToeConfig,
            {"opponent": "perfekt"},
            r"env.opponent: given 'perfekt'; allowed: self, random, perfect",
        ),
        (ConnectFourConfig, {"opponent": "perfect"}, r"env.opponent: given 'perfect'; allowed: self, random"),
        (ConnectFourConfig, {"seat": "third"}, r"env.seat: given 'third'; allowed: both, first, second"),
    ],
)
def test_settings_that_cannot_be(config, change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(config(), **change)


def test_an_opponent_that_there_is_not():
    with pytest.raises(ValueError, match=r"opponent: given 'perfect' in connect four; allowed: random"):
        FOUR.against("perfect")


def test_one_program_plays_all_games():
    step = jax.jit(chex.assert_max_traces(FOUR.step, n=1))
    state, _ = FOUR.reset(jax.random.key(0))
    for action in (0, 1, 0, 1, 0, 1, 0):
        state, timestep = step(state, jnp.int32(action))
    assert bool(timestep.terminated) and jax.tree.structure(example_observation(FOUR))
