"""Matches of two: games worked by hand, policies of single Tetris in their seats, and what cannot be played."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax import games
from tetrax.agents.agent import Actor, no_memory
from tetrax.env.game.board import by_array
from tetrax.env.tetris import Tetris
from tetrax.evaluate import main
from tetrax.fields.errors import UserError
from tetrax.games.in_a_row import TicTacToeConfig
from tetrax.games.versus_config import VersusConfig
from tetrax.live import contestants
from tetrax.live.contestants import Known
from tetrax.train.report import evaluation, match_game
from tetrax.train.report.match_game import Match

TIC_TAC_TOE = games.make("tictactoe", TicTacToeConfig())


def scripted(name: str, *, lowest: bool) -> Known:
    """Return one who takes the free cell of the lowest or of the highest number."""

    def act(policy: Any, sight: Any, memory: Any, key: Any, greedy: bool) -> Any:
        legal = sight.observation.legal
        numbers = jnp.arange(legal.shape[-1])
        order = -numbers if lowest else numbers
        return jnp.argmax(jnp.where(legal, order, -100), axis=-1).astype(jnp.int32), memory, {}

    return Known(name, TIC_TAC_TOE, Actor((), no_memory, act))


def test_who_begins_wins_by_hand() -> None:
    """Lowest first: 0, 8, 1, 7, 2 is a row. Highest first: 8, 0, 7, 1, 6 is the other one. A match has both."""
    known = [scripted("low", lowest=True), scripted("high", lowest=False)]
    game = contestants.find_game(known)
    player, opponent = (contestants.seat(each, game) for each in known)
    match = Match(game, player, opponent)
    result = evaluation.evaluate(match, match_game.actor_of(player), episodes=16, seed=3)
    keys = [evaluation.game_key(3, number) for number in range(16)]
    begins = [int(match.init(key, match.default_params).seat) == 0 for key in keys]
    assert 0 < sum(begins) < 16
    assert result.totals["wins"].tolist() == [int(each) for each in begins]
    assert result.totals["losses"].tolist() == [int(not each) for each in begins]
    assert not result.totals["draws"].any()
    # Its own moves: where the other begins, he has moved before the first, and has his row with the second's answer.
    assert result.totals["steps"].tolist() == [3 if each else 2 for each in begins]


@pytest.mark.slow
def test_a_drop_is_the_same_placement_among_all_places() -> None:
    drop = tetrax.make("mini", actions="drop")
    anywhere = tetrax.make("mini", actions="locked_position")
    step, other = (jax.jit(jax.vmap(env.step, in_axes=(None, 0))) for env in (drop, anywhere))
    translate = jax.jit(jax.vmap(lambda state, action: contestants.anywhere(drop, state, action), (None, 0)))
    state, rng = drop.reset(jax.random.key(4))[0], np.random.default_rng(0)
    for _ in range(12):
        state = by_array(state)
        legal = np.flatnonzero(np.asarray(drop.observe(state).legal))
        if not legal.size:
            break
        actions = jnp.asarray(np.resize(legal, drop.num_actions), jnp.int32)
        places, is_in_sight = translate(state, actions)
        actions, places = actions[is_in_sight], places[is_in_sight]
        if len(actions) < drop.num_actions:  # out of sight is what is not wholly below the top
            break
        mine, _ = step(state, actions)
        his, told = other(state, places)
        assert np.asarray(told.event.locked).all()
        for name in ("rows", "hold", "queue", "lines", "score", "piece"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(his, name), err_msg=name)
        chosen = int(rng.integers(len(actions)))
        state = jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], mine)
    assert int(state.pieces) >= 6


def test_the_game_is_the_one_that_both_know() -> None:
    drops = Known("a", tetrax.make("guideline", actions="drop"), None)
    anywhere = Known("b", tetrax.make("guideline", actions="locked_position"), None)
    anything = Known("random", None, None)
    assert contestants.find_game([drops, anything]).config.board.actions == "drop"
    assert contestants.find_game([drops, anywhere]).config.board.actions == "locked_position"
    versus = games.make("versus", games.GAMES["versus"].config())
    trained = Known("d", versus, Actor((), no_memory, None))
    assert contestants.find_game([trained, drops]).config.board.actions == "drop"
    assert contestants.find_game([anywhere, trained]).config.board.actions == "locked_position"
    assert contestants.find_game([anything, anything]).spec == versus.spec
    small = Known("c", tetrax.make("classic-10x10"), Actor((), no_memory, None))
    game = contestants.find_game([drops, small])
    with pytest.raises(UserError, match=r"c for a game with rules\.height 20; allowed: 10"):
        contestants.seat(small, game)
    with pytest.raises(UserError, match=r"a low, which play .*; allowed: two policies of the same game"):
        contestants.find_game([drops, scripted("low", lowest=True)])


@pytest.mark.slow
def test_who_learned_versus_by_drops_sits_opposite_who_places_anywhere() -> None:
    """What both do is the same in the game that it knows and in the one of all places."""
    rules = dataclasses.replace(tetrax.make("mini").rules, garbage=True)
    board = dataclasses.replace(VersusConfig().board, rules=rules)
    own = games.make("versus", VersusConfig(board=board))
    alone = dataclasses.replace(rules, garbage=False)
    anywhere = Known("b", Tetris(dataclasses.replace(board, rules=alone, actions="locked_position")), None)
    known = Known("v", own, Actor((), no_memory, None))
    game = contestants.find_game([known, anywhere])
    seated = contestants.seat(known, game)
    assert game.config.board.actions == "locked_position" and seated.num_actions == own.num_actions

    @jax.jit
    def play(state: Any, key: Any) -> Any:
        seats = jnp.arange(2)
        seen = jax.vmap(seated.observe, (None, 0))(state, seats)
        action_keys = jax.random.split(key)
        actions = jax.vmap(lambda key, legal: jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf)))(
            action_keys, seen.legal
        ).astype(jnp.int32)
        moves = jax.vmap(seated.move, (None, 0, 0))(state, seats, actions)
        in_sight = jax.vmap(
            lambda seat, action: contestants.anywhere(own.board, own.board_of(state, seat), action)[1]
        )(seats, actions)
        after, mine = own.step(state, actions)[0], game.step(state, moves)[0]
        told = [(board.rows, board.hold, board.queue, board.lines, board.piece) for board in after.boards]
        others = [(board.rows, board.hold, board.queue, board.lines, board.piece) for board in mine.boards]
        return told, others, in_sight.all(), mine

    state, played = game.init(jax.random.key(3), game.default_params), 0
    for number in range(12):
        told, others, in_sight, state = play(state, jax.random.key(number))
        if not in_sight:
            break
        jax.tree.map(np.testing.assert_array_equal, told, others)
        played += 1
    assert played >= 4


@pytest.mark.slow
def test_a_board_of_a_match_is_seen_as_alone() -> None:
    """Whatever waits on it: a policy of single Tetris knows of no garbage."""
    env = tetrax.make("guideline", actions="drop")
    game = contestants.find_game([Known("a", env, None), Known("random", None, None)])
    seated = contestants.seat(Known("a", env, Actor((), no_memory, None)), game)
    state = game.init(jax.random.key(2), game.default_params)
    board = seated.own_state(state, jnp.int32(1))
    assert board.garbage is None
    seen, alone = seated.observe(state, jnp.int32(1)), env.observe(board)
    jax.tree.map(np.testing.assert_array_equal, seen, alone)
    assert isinstance(env, Tetris)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--versus bcts", "--versus: given 'bcts'; allowed: two"),
        (
            "--versus bcts bctz",
            "given 'bctz'; allowed: the folder of a run or of an exported policy, or random",
        ),
        ("--versus bcts random --policy random", "--policy: given 'random'; allowed: nothing, with --versus"),
        ("pretrained/guideline --versus bcts random", "what to play: given 'pretrained/guideline'"),
        (
            "--versus bcts random --record best.json",
            "--record: given 'best.json'; allowed: nothing, with --versus",
        ),
    ],
)
def test_wrong_words_are_one_line(words: str, message: str, capsys: Any) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.slow
def test_a_controller_beats_random_play(capsys: Any) -> None:
    assert main("--versus bcts random --episodes 8 --max-pieces 100 --json".split()) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["episodes"] == 8
    assert told["wins"]["mean"] == 1.0
    assert told["pieces"]["mean"] == told["steps"]["mean"]
