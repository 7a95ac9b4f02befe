"""Tree search: exact where it sees the end, legal always, blind to what is hidden."""

import functools
import random

import chex
import jax
import jax.numpy as jnp
import mctx
import numpy as np
import pytest

import tetrax
from tests.games import noughts
from tests.games.connect_four_solver import Solver, rows_of, sample
from tetrax import games
from tetrax.env.contract import Observation, Sight
from tetrax.games.in_a_row import ConnectFourConfig, InARowState, TicTacToeConfig
from tetrax.search.game_model import (
    GameParams,
    Model,
    discount_to_next,
    even_judge,
    game_model,
    reward_of_mover,
)
from tetrax.search.tree import SearchConfig, tree_search

NOUGHTS = games.make("tictactoe", TicTacToeConfig())
FOUR = games.make("connect4", ConnectFourConfig())


def even_model(env, discount=1.0):
    return game_model(env, even_judge, GameParams((), env.default_params, jnp.float32(discount)))


def sight_of(env, states):
    observe = jax.jit(jax.vmap(env.observe, in_axes=(0, None)))
    return Sight(observation=observe(states, env.default_params), is_first=None, state=states)


@functools.cache
def positions(num):
    """Return positions of tic-tac-toe in which somebody moves, spread over all of them, and one that is over."""
    boards = [board for board in noughts.all_positions() if noughts.best(board)]
    boards = [*boards[:: len(boards) // num][: num - 1], noughts.read("XXX\nOO.\n...")]
    return boards, jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *[noughts.state(NOUGHTS, each) for each in boards]
    )


@functools.cache
def compiled_plan(kind, simulations, explores=False):
    plan = tree_search(SearchConfig(kind=kind), simulations, explores=explores)
    return jax.jit(functools.partial(plan, even_model(NOUGHTS)))


@pytest.mark.parametrize(
    ("kind", "simulations", "num"),
    [
        ("gumbel", 250, 24),
        pytest.param("gumbel", 800, 300, marks=pytest.mark.slow),
        pytest.param("puct", 1_000, 64, marks=pytest.mark.slow),
    ],
)
def test_with_a_true_model_and_time_moves_are_those_of_minimax(kind, simulations, num):
    boards, states = positions(num)
    actions, found = compiled_plan(kind, simulations)(sight_of(NOUGHTS, states), jax.random.key(0))
    boards = boards[:-1]
    chosen = np.asarray(actions)[:-1]
    assert [
        each for each, action in zip(boards, chosen, strict=True) if action not in noughts.best(each)
    ] == []
    # What is said of the move that is taken nears what the position is worth.
    worth = np.array([noughts.worth(board) for board in boards])
    taken = np.take_along_axis(np.asarray(found.worths)[:-1], chosen[:, None], axis=1)[:, 0]
    assert np.abs(taken - worth).mean() < 0.15
    assert (np.asarray(found.visits).sum(axis=1) == simulations).all()


@pytest.mark.parametrize("kind", ["gumbel", "puct"])
def test_no_illegal_action_however_much_it_is_liked(kind):
    """The judge likes what is taken most, and by far; sharp and flat, with noise and without."""
    _, states = positions(24)

    def judge(params, observation):
        logits = jnp.where(observation.legal, 0.0, 50.0) + params * jnp.arange(9.0)[None]
        return logits, jnp.zeros(logits.shape[0], jnp.float32)

    @jax.jit
    def look(key, sharpness):
        model = game_model(NOUGHTS, judge, GameParams(sharpness, (), jnp.float32(1)))
        plan = tree_search(SearchConfig(kind=kind), 24, explores=True)
        return plan(model, sight_of(NOUGHTS, states), key)

    legal = np.asarray(jax.vmap(NOUGHTS.legal)(states))[:-1]
    for number, sharpness in enumerate((0.0, 1.0, 20.0, -20.0)):
        actions, found = look(jax.random.key(number), jnp.float32(sharpness))
        assert np.take_along_axis(legal, np.asarray(actions)[:-1, None], axis=1).all()
        assert np.asarray(found.weights)[:-1][~legal].max() == 0
        assert np.asarray(found.visits)[:-1][~legal].max() == 0
        assert np.allclose(np.asarray(found.weights).sum(axis=1)[:-1], 1.0, atol=1e-5)
    assert look._cache_size() == 1, "sharpness and key compile nothing anew"


@pytest.mark.parametrize(("rescale_values", "found"), [(False, 0.2), (True, 1.0)])
def test_what_was_found_weighs_as_the_settings_say(rescale_values, found):
    """Four actions that end the game, seen once each: what they pay is added, 51 times the scale, to the logits."""
    logits, rewards = jnp.array([[3.0, 2.0, 1.0, 0.0]]), jnp.array([0.0, 0.05, 0.1, 0.2])

    def root(params, sight, key):
        return mctx.RootFnOutput(prior_logits=logits, value=jnp.zeros(1), embedding=jnp.zeros(1))

    def recurrent(params, key, action, embedding):
        nothing = jnp.zeros(1)
        return mctx.RecurrentFnOutput(
            reward=rewards[action], discount=nothing, prior_logits=logits, value=nothing
        ), embedding

    observation = Observation(jnp.zeros((1, 0), jnp.int32), jnp.zeros((1, 0)), legal=jnp.ones((1, 4), bool))
    plan = tree_search(SearchConfig(considered=4, value_scale=0.1, rescale_values=rescale_values), 4)
    action, told = plan(Model((), root, recurrent), Sight(observation, None, None), jax.random.key(0))
    expected = jax.nn.softmax(logits[0] + 51 * 0.1 * rewards * found / 0.2)
    assert told.visits.tolist() == [[1, 1, 1, 1]]
    assert np.allclose(told.weights[0], expected, atol=1e-6)
    assert action.tolist() == [int(jnp.argmax(expected))]


@pytest.mark.slow
def test_greedy_search_needs_no_chance_and_exploring_is_decided_by_the_key():
    _, states = positions(24)
    sight = sight_of(NOUGHTS, states)
    for simulations, explores in ((250, False), (8, True)):
        plan = compiled_plan("gumbel", simulations, explores)
        first, again, other = (plan(sight, jax.random.key(seed)) for seed in (0, 0, 1))
        chex.assert_trees_all_equal(first, again)
        assert bool((first[0] == other[0]).all()) is not explores


def test_the_next_ones_gain_is_this_ones_loss():
    position = noughts.state(NOUGHTS, noughts.read("XX.\nOO.\n..."))
    before = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], position)
    after, reward, *_ = jax.vmap(NOUGHTS.transition)(before, jnp.array([8], jnp.int32))
    assert reward.tolist() == [[1, -1]] and reward_of_mover(NOUGHTS, reward, before).tolist() == [1]
    assert discount_to_next(NOUGHTS, before, after, jnp.float32(0.5)).tolist() == [-0.5]
    alone = NOUGHTS.against("random")
    assert reward_of_mover(alone, jnp.array([1.0]), before).tolist() == [1]
    assert discount_to_next(alone, before, after, jnp.float32(0.5)).tolist() == [0.5]


@pytest.mark.slow
def test_search_alone_keeps_what_late_positions_of_connect_four_are_worth():
    chance, solver, worths, states = random.Random(0), Solver(), [], []
    while len(states) < 100:
        mine, taken = sample(chance, chance.randrange(24, 41))
        worths.append(solver.worths(mine, taken))
        player = taken.bit_count() % 2
        stones = [rows_of(mine), rows_of(taken ^ mine)]
        states.append(
            InARowState(
                rows=jnp.asarray(np.stack(stones[::-1] if player else stones)),
                player=jnp.int32(player),
                over=jnp.bool_(False),
            )
        )
    states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    plan = tree_search(SearchConfig(), 800)
    actions, _ = jax.jit(functools.partial(plan, even_model(FOUR)))(sight_of(FOUR, states), jax.random.key(0))
    kept = [
        worth[action] == max(worth.values()) for worth, action in zip(worths, actions.tolist(), strict=True)
    ]
    assert np.mean(kept) >= 0.95


@pytest.mark.slow
def test_no_decision_depends_on_hidden_pieces():
    """The same board, active piece, queue and bag with other pieces behind them: the same search."""
    env = tetrax.make(
        "guideline",
        width=6,
        height=8,
        preview=1,
        hold=False,
        actions="drop",
        observation="afterstate_classic",
        reward="survival",
    )
    keys = jax.random.split(jax.random.key(1), 16)
    states, _ = jax.vmap(env.reset)(keys)
    look = jax.jit(functools.partial(tree_search(SearchConfig(), 48), even_model(env, 0.9)))
    step = jax.jit(jax.vmap(env.step))
    other = jax.vmap(env.resample_future)(states, jax.random.split(jax.random.key(2), 16))
    future = [step(each, jnp.zeros(16, jnp.int32))[0].queue for each in (states, other)]
    assert not (future[0] == future[1]).all(), "the pieces behind the queue are others"
    first, second = (look(sight_of(env, each), jax.random.key(3)) for each in (states, other))
    chex.assert_trees_all_equal(first, second)
