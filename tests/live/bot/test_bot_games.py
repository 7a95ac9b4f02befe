"""Whole games with a front end that knows the rules by itself, and with our engine."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

from tests.live.bot.front_end import FrontEnd, ask, read_cells
from tetrax.env.game.state import SPINS
from tetrax.live.bot.advisor import Advisor
from tetrax.live.bot.centres import KINDS
from tetrax.live.bot.conversation import Conversation
from tetrax.live.bot.messages import read_play
from tetrax.live.play.guest import invite

BEAM = {"policy.width": 4, "policy.clear_width": 0, "policy.depth": 3}


def talk(advisor: Advisor) -> Conversation:
    return Conversation(advisor, "a bot", "0")


@functools.cache
def dellacherie() -> Advisor:
    return Advisor(invite("dellacherie", None))


@functools.cache
def beam() -> Advisor:
    return Advisor(invite("beam", None, BEAM))


@pytest.mark.slow
def test_a_game_of_drops():
    bot = talk(dellacherie())
    assert ask(bot, type="rules", randomizer="seven_bag") == {"type": "ready"}
    front_end = FrontEnd(bot, seed=3)
    front_end.start()
    for _ in range(40):
        assert front_end.play()
    assert max(front_end.rows[12:]) == 0  # it plays well
    front_end.start()  # the same game, told anew
    assert front_end.play()


def test_garbage_is_told_by_a_new_start():
    bot = talk(dellacherie())
    front_end = FrontEnd(bot, seed=4, queue_length=9)
    front_end.start()
    for _ in range(6):
        assert front_end.play()
    front_end.rows = np.concatenate([[0b1111101111] * 3, front_end.rows[:-3]]).astype(np.uint32)
    front_end.start()
    for _ in range(6):
        assert front_end.play()


def test_where_nothing_can_enter_there_are_no_moves():
    bot = talk(dellacherie())
    front_end = FrontEnd(bot, seed=5)
    front_end.rows[:] = 0b0111111110
    front_end.start()
    assert not front_end.play()
    assert bot.position is not None  # and the bot lives


@pytest.mark.slow
def test_a_game_of_the_beam_search_with_spins():
    front_end = FrontEnd(talk(beam()), seed=7, queue_length=9)
    front_end.start()
    for _ in range(50):
        assert front_end.play()
    assert front_end.spins > 0


@pytest.mark.slow
def test_the_bots_board_is_the_engines():
    """On our engine each suggestion is legal and earns the spin that is told, and leaves what the bot thinks."""
    env, bot = beam().guest.env, talk(beam())
    rules, params, step = env.rules, env.default_params, jax.jit(env.transition)
    state = jax.jit(env.init)(jax.random.key(11), params)

    def read_queue() -> list[str]:
        return [KINDS[int(number)] for number in (state.piece, *state.queue)]

    def read_bag() -> set[str]:
        left = {kind for number, kind in enumerate(KINDS) if int(state.bag) >> number & 1}
        return left or set(KINDS)

    bag = {"type": "seven_bag", "bag_state": sorted(read_bag())}
    told = {"hold": None, "combo": 0, "back_to_back": False, "board": [[None] * 10] * 40}
    assert ask(bot, type="start", queue=read_queue(), randomizer=bag, **told) is None
    for _ in range(60):
        move = ask(bot, type="suggest")["moves"][0]
        read = read_play({"move": move})
        cells = read_cells(move["location"])
        half = 4 * (read.kind != read_queue()[0]) + read.orientation
        action = (half * rules.height + min(y for _, y in cells)) * rules.width + min(x for x, _ in cells)
        pieces = int(state.pieces)
        state, _, over, _, event = step(state, np.int32(action), params)
        assert int(state.pieces) == pieces + 1 and not over  # it was legal
        assert move["spin"] == SPINS[int(event.spin)]
        assert ask(bot, type="play", move=move) is None
        for piece in read_queue()[len(bot.position.queue) :]:
            assert ask(bot, type="new_piece", piece=piece) is None
        assert bot.position.rows == tuple(np.asarray(state.rows).tolist())
        assert list(bot.position.queue) == read_queue()
        assert (bot.position.hold is None) == (int(state.hold) < 0)
        assert bot.position.combo == int(state.combo) + 1
        assert bot.position.back_to_back == (int(state.back_to_back) >= 0)
        assert bot.position.bag == read_bag()
