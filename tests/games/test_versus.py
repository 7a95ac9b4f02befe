"""Versus Tetris by hand: whole games on drawn boards, who sends at whom, ends, and what learners ask."""

import dataclasses
import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax import games
from tetrax.env.env_params import EnvParams
from tetrax.env.game import garbage
from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.rules import Rules
from tetrax.env.tetris import EnvConfig
from tetrax.games.exchange import share_out
from tetrax.games.versus import NOBODY, Versus
from tetrax.games.versus_config import VersusConfig

I_AND_O = tuple(piece for piece in TETROMINOES if piece.name in "IO")
RULES = Rules(
    width=5, height=8, buffer=4, preview=1, hold=False, garbage=True, pieces=I_AND_O, randomizer="list",
    sequence=tuple("IOOOOOOO"),
)  # fmt: skip
BOARD = EnvConfig(rules=RULES, actions="drop")
UPRIGHT = 5  # action of the I in column 0, pointing up; flat it is action 0
BLOCK_OUT, GARBAGE_OUT = 1, 3


def versus(**settings):
    return Versus(VersusConfig(**({"board": BOARD} | settings)))


class Told(NamedTuple):
    """What a step tells, but for what is seen."""

    reward: Any
    terminated: Any
    truncated: Any
    event: Any


@functools.cache
def compiled(env):
    return jax.jit(env.init), jax.jit(env.transition)


def numbers_of(env, **numbers):
    """Return the params of a game, with a delay of one piece unless another is given."""
    given = {"garbage_delay": 1} | numbers
    params = env.default_params
    game = params.board.game.replace(**{name: jnp.int32(number) for name, number in given.items()})
    return params.replace(board=EnvParams(game=game, reward=params.board.reward))


def play(env, moves, start=None, **numbers):
    """Play from the start, an action of each player a step; return all states, and what each step tells."""
    init, transition = compiled(versus())  # weights are numbers, and so one program plays all
    params = numbers_of(env, **numbers)
    states, told = [init(jax.random.key(3), params) if start is None else start], []
    for actions in moves:
        state, *others = transition(states[-1], jnp.asarray(actions, jnp.int32), params)
        states.append(state)
        told.append(Told(*others))
    return states, told


def draw(state, player):
    """Draw the locked cells of a player, the highest row first, down to the floor."""
    rows = [int(row) for row in np.asarray(state.boards[player].rows)]
    lines = ["".join(".#"[row >> x & 1] for x in range(RULES.width)) for row in rows]
    while lines and lines[-1] == "." * RULES.width:
        lines.pop()
    return " ".join(reversed(lines))


def waiting(state):
    return [int(board.garbage.rows.sum()) for board in state.boards]


def test_rows_are_sent_cancelled_and_enter_until_both_fall():
    """A double sends one row, which the other's double cancels; then both clear all and send 1 + 10 rows at once."""
    env = versus()
    moves = [(UPRIGHT + 4, UPRIGHT), (0, 1), (2, 1), (0, 3), (2, 3), (0, 0)]
    states, told = play(env, moves)
    boards = [[draw(state, player) for player in range(2)] for state in states]
    assert boards[1] == ["....# ....# ....# ....#", "#.... #.... #.... #...."]
    assert boards[2] == ["....# ....# ##..# ##..#", "#.... #.... ###.. ###.."]
    # The first clears two rows and sends one, which waits.
    assert boards[3] == ["....# ....#", "###.. ###.. ###.. ###.."]
    assert (told[2].event.exchanged.tolist(), waiting(states[3])) == ([[0, 1], [0, 0]], [0, 1])
    # The second clears two and cancels it: nothing is sent, and nothing enters.
    assert boards[4] == ["##..# ##..#", "###.. ###.."]
    assert told[3].event.boards.attack.tolist() == [[0, 0], [1, 0]]
    assert (told[3].event.exchanged.tolist(), waiting(states[4])) == ([[0, 0], [0, 0]], [0, 0])
    # Both empty their boards. What is sent in one step does not cancel each other.
    assert boards[5] == ["", ""]
    assert told[4].event.boards.attack.tolist() == [[1, 10], [1, 10]]
    assert (told[4].event.exchanged.tolist(), waiting(states[5])) == ([[0, 11], [11, 0]], [11, 11])
    # Eight rows enter, which is the cap; the O is pushed up to where the next one enters.
    holes = [int(garbage.draw_hole(RULES, states[0].luck[player], jnp.int32(player))) for player in range(2)]
    for player in range(2):  # the second got a packet before
        row = "".join("." if x == holes[player] else "#" for x in range(5))
        assert boards[6][player] == " ".join(["##...", "##..."] + [row] * 8)
    assert waiting(states[6]) == [3, 3]
    last = told[5]
    assert last.event.boards.game_over.tolist() == [BLOCK_OUT, BLOCK_OUT]
    assert (bool(last.terminated), int(last.event.winner), last.reward.tolist()) == (True, NOBODY, [0.0, 0.0])
    counted = {name: int(value) for name, value in env.measure(last.event).items()}
    assert (counted["wins"], counted["draws"], counted["losses"], counted["pieces"]) == (0, 1, 0, 2)


def test_rows_wait_for_their_tick_and_the_last_who_stands_wins():
    """With a delay of three, a row sent in step 3 enters in step 6, eleven sent in step 5 in step 8."""
    env = versus(attack=0.125)
    moves = [(UPRIGHT + 4, 0), (0, 0), (2, 2), (0, 0), (2, 2), (0, 0), (2, 2), (0, 0)]
    states, told = play(env, moves, garbage_delay=3)
    hole = int(garbage.draw_hole(RULES, states[0].luck[1], jnp.int32(0)))
    row = "".join("." if x == hole else "#" for x in range(5))
    assert draw(states[5], 1) == "####. ####. ####. ####. ####."
    assert (waiting(states[3]), waiting(states[5])) == ([0, 1], [0, 12])
    assert draw(states[6], 1) == " ".join(["##...", "##..."] + ["####."] * 5 + [row])
    assert told[5].event.boards.garbage_received.tolist() == [0, 1]
    assert (draw(states[7], 1), waiting(states[7])) == (" ".join(["####."] * 7 + [row]), [0, 11])
    # What the first gains by sending, the second loses.
    assert [told[step].reward.tolist() for step in (2, 4)] == [[0.125, -0.125], [1.375, -1.375]]
    # Ten rows and eight more are too many for twelve.
    last = told[7]
    assert last.event.boards.game_over.tolist() == [0, GARBAGE_OUT]
    assert (bool(last.terminated), int(last.event.winner)) == (True, 0)
    assert (last.reward.tolist(), last.event.fell.tolist()) == ([1.0, -1.0], [False, True])
    assert not any(bool(each.terminated) for each in told[:7])


def test_nothing_changes_after_the_end():
    env = versus()
    states, told = play(env, [(0, 0)] * 6)  # an I, then blocks in the same place
    assert (bool(told[4].terminated), told[4].event.fell.tolist()) == (True, [True, True])
    chex.assert_trees_all_equal(states[6], states[5])
    assert bool(told[5].terminated) and not bool(told[5].truncated)
    assert (told[5].reward.tolist(), int(told[5].event.winner)) == ([0.0, 0.0], NOBODY)
    assert sum(int(value) for value in env.measure(told[5].event).values()) == 0


def test_players_who_change_seats_change_what_comes_of_it():
    env = versus(attack=0.5)
    dice = np.random.default_rng(0)
    moves = [(UPRIGHT + 4, UPRIGHT), (0, 1), (2, 1), *dice.integers(0, 5, (9, 2)).tolist()]
    states, told = play(env, moves)
    first = states[0]
    other = first.replace(boards=first.boards[::-1], luck=first.luck[::-1])
    mirrored, told_mirrored = play(env, [move[::-1] for move in moves], start=other)
    assert sum(int(each.event.exchanged.sum()) for each in told) > 0
    for state, seen in zip(states, mirrored, strict=True):
        chex.assert_trees_all_equal(state.boards, seen.boards[::-1])
        assert state.fallen.tolist() == seen.fallen.tolist()[::-1]
    for one, two in zip(told, told_mirrored, strict=True):
        assert one.reward.tolist() == two.reward.tolist()[::-1]
        assert one.event.exchanged.tolist() == two.event.exchanged[::-1, ::-1].tolist()
        assert (int(one.event.winner), int(two.event.winner)) in {(-1, -1), (0, 1), (1, 0)}
        chex.assert_trees_all_equal(one.event.boards, jax.tree.map(lambda leaf: leaf[::-1], two.event.boards))


@pytest.mark.parametrize(
    ("targets", "sent", "stands", "exchanged"),
    [
        ("next", (3, 2, 0), (1, 1, 1), [[0, 3, 0], [0, 0, 2], [0, 0, 0]]),
        ("next", (3, 2, 4), (1, 0, 1), [[0, 0, 3], [0, 0, 0], [4, 0, 0]]),
        ("even", (3, 0, 4), (1, 1, 1), [[0, 2, 1], [0, 0, 0], [2, 2, 0]]),
        ("even", (1, 8, 2, 7), (1, 1, 1, 1), [[0, 1, 0, 0], [2, 0, 3, 3], [1, 0, 0, 1], [3, 2, 2, 0]]),
        ("even", (1, 8, 5, 7), (1, 1, 0, 0), [[0, 1, 0, 0], [8, 0, 0, 0], [0] * 4, [0] * 4]),
    ],
)
def test_rows_are_shared_out(targets, sent, stands, exchanged):
    luck = jax.random.split(jax.random.key(0), len(sent))
    given = jnp.asarray(sent, jnp.int32), jnp.asarray(stands, bool)
    assert share_out(targets, *given, luck, jnp.int32(5)).tolist() == exchanged


def test_random_targets_are_every_other_who_stands_alike():
    luck, draws = jax.random.split(jax.random.key(1), 4), jnp.arange(3000)
    stands, sent = jnp.asarray([True, True, False, True]), jnp.asarray([1, 5, 7, 2], jnp.int32)
    found = jax.jit(jax.vmap(lambda draw: share_out("random", sent, stands, luck, draw)))(draws)
    assert (np.asarray(found).sum(axis=2) == [1, 5, 0, 2]).all()
    hits = (np.asarray(found) > 0).sum(axis=0)
    assert (hits[2] == 0).all() and (hits[:, 2] == 0).all() and (np.diag(hits) == 0).all()
    # Of 3000 draws half go each way, with a deviation of 27; four of them are allowed.
    others = hits[[0, 0, 1, 1, 3, 3], [1, 3, 0, 3, 0, 1]]
    assert (abs(others - 1500) < 110).all(), hits


def test_what_learners_ask():
    env = versus(num_players=3)
    assert env == games.make("versus", env.config) and hash(env) == hash(versus(num_players=3))
    spec = env.spec
    assert (spec.name, spec.num_players, spec.num_seats, spec.acts_together) == ("versus", 3, 3, True)
    assert spec.measures[:3] == ("wins", "draws", "losses") and spec.length == "pieces"
    assert not spec.shows.foretells_reward and env.opponents == ()
    with pytest.raises(ValueError, match="opponent: given 'random'"):
        env.against("random")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_players": 1}, r"env.num_players: given 1; allowed: a whole number from 2 to 4"),
        ({"targets": "all"}, r"env.targets: given 'all'; allowed: next, random, even"),
        ({"win": float("nan")}, r"env.win: given nan; allowed: a finite number"),
        ({"same_pieces": 1}, r"env.same_pieces: given 1; allowed: True or False"),
        ({"board": EnvConfig()}, r"env.board.rules.garbage: given False; allowed: True"),
        ({"cooperative": True}, r"env.board.rules.garbage: given True with env.cooperative"),
        ({"cooperative": True, "board": EnvConfig(), "attack": 1.0}, r"env.attack: given 1.0 with env.coop"),
        (
            {"shows_attack": True, "board": dataclasses.replace(BOARD, actions="direct")},
            r"env.shows_attack: ",
        ),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(ValueError, match=said):
        versus(**settings)
