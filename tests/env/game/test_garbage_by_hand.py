"""Garbage on drawn boards: arriving, waiting, being cancelled, entering, and losing by it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.game.by_hand import VARIED, assert_stands, locked_cells, params, press, stand, start
from tetrax.env.game import garbage
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import GAME_OVER_REASONS

RULES = Rules(width=6, height=8, buffer=4, preview=1, garbage=True)  # the queue holds 16 packets
EMPTY = "......"
DOUBLE = """
    ..OO..
    ..OO..
    #.....
    ##..##
    ##..##
"""  # two lines, one row of attack
TETRIS = """
    .....I
    .....I
    .....I
    .....I
    #.....
    #####.
    #####.
    #####.
    #####.
"""  # four lines, four rows of attack
PERFECT = TETRIS.replace("#.....", "......")


def send(state, *packets, rules=RULES, **numbers):
    """Let packets (rows, hole) arrive; by default they may enter at once."""
    for rows, hole in packets:
        given = params(rules, **({"garbage_delay": 0} | numbers))
        state = garbage.receive(rules, given, state, jnp.int32(rows), jnp.int32(hole))
    return state


def drop(state, rules=RULES, **numbers):
    return press(state, "hard_drop", rules=rules, **numbers)


def waiting(state):
    """Return the packets that wait, as (rows, hole)."""
    pairs = zip(np.asarray(state.garbage.rows).tolist(), np.asarray(state.garbage.hole).tolist(), strict=True)
    return [pair for pair in pairs if pair[0]]


def test_packets_enter_in_order_each_with_its_hole():
    """Two rows with the hole in column 1, then one with it in column 4, which ends up lowest."""
    state, event = drop(send(stand("OO....\nOO....", RULES), (2, 1), (1, 4)))
    assert_stands(
        state,
        """
        ##....
        ##....
        #.####
        #.####
        ####.#
        """,
        RULES,
    )
    assert (int(event.garbage_received), int(state.garbage.height), waiting(state)) == (3, 3, [])


def test_garbage_waits_for_its_tick():
    """Sent before tick 1 with a delay of 3: a lock in tick 2 is too early, one in tick 3 is not."""
    start = send(stand("..OO..\n..OO..", RULES), (1, 0), garbage_delay=3)
    state, _ = press(start, rules=RULES)
    early, event = drop(state)
    assert (int(event.garbage_received), waiting(early)) == (0, [(1, 0)])
    _, event = drop(press(state, rules=RULES)[0])
    assert int(event.garbage_received) == 1


def test_one_that_is_not_ready_keeps_the_others_back():
    start = stand("..OO..\n..OO..", RULES)
    state = send(send(start, (1, 0), garbage_delay=9), (1, 5))
    state, event = drop(state)
    assert (int(event.garbage_received), waiting(state)) == (0, [(1, 0), (1, 5)])


def test_no_more_rows_than_the_cap():
    """With a cap of 3 a packet of 2 enters and half of the next, whose hole stays where it is."""
    state = send(stand("..OO..\n..OO..", RULES), (2, 0), (2, 3))
    state, event = drop(state, garbage_cap=3)
    assert_stands(state, "..##..\n..##..\n.#####\n.#####\n###.##", RULES)
    assert (int(event.garbage_received), waiting(state)) == (3, [(1, 3)])
    state, event = drop(state, garbage_cap=3)
    assert (int(event.garbage_received), waiting(state), int(state.garbage.height)) == (1, [], 4)


def test_a_clear_keeps_garbage_out():
    state, event = drop(send(stand(DOUBLE, RULES), (3, 2)))
    assert_stands(state, "#.....", RULES)
    assert (int(event.attack[0]), int(event.sent[0]), int(event.garbage_received)) == (1, 0, 0)
    assert waiting(state) == [(2, 2)]  # the attack of one row cancelled one
    # Where it does not, what is not cancelled enters.
    state, event = drop(send(stand(DOUBLE, VARIED), (3, 2), rules=VARIED), rules=VARIED)
    assert_stands(state, "#.....\n##.###\n##.###", VARIED)
    assert (int(event.sent[0]), int(event.garbage_received)) == (0, 2)


def test_an_attack_cancels_the_oldest_first():
    """Four rows: a packet of 3, ready or not, and one of the next two."""
    start = send(send(stand(TETRIS, RULES), (3, 0), garbage_delay=50), (2, 1), (1, 2))
    state, event = drop(start)
    assert (np.asarray(event.attack).tolist(), np.asarray(event.sent).tolist()) == ([4, 0], [0, 0])
    assert waiting(state) == [(1, 1), (1, 2)]
    # What is left after the last packet is sent.
    state, event = drop(send(stand(TETRIS, RULES), (1, 0), (2, 1)))
    assert (np.asarray(event.sent).tolist(), waiting(state)) == ([1, 0], [])


def test_the_clear_cancels_before_the_perfect_clear():
    """Four of 1 + 5 rows by the tetris, the last two by the perfect clear's ten."""
    state, event = drop(send(stand(PERFECT, RULES), (1, 0), (5, 1)))
    assert bool(event.perfect_clear)
    assert (np.asarray(event.attack).tolist(), np.asarray(event.sent).tolist()) == ([4, 10], [0, 8])
    assert waiting(state) == []


def test_cleared_garbage_rows_are_counted():
    """An I fills a row of garbage and one above it, of which only the lower counts."""
    start = stand(
        """
        I.....
        I.....
        I.....
        I.....
        .####.
        .#####
        .#####
        ###.##
        """,
        RULES,
    )
    start = start.replace(garbage=start.garbage.replace(height=jnp.int32(2)))
    state, event = drop(start)
    assert_stands(state, "#.....\n#####.\n###.##", RULES)
    assert (int(event.lines), int(event.garbage_cleared), int(state.garbage.height)) == (2, 1, 1)


@pytest.mark.parametrize(("rows", "reason"), [(1, 0), (2, 3)])
def test_pushed_out(rows, reason):
    """With a cell in row 10 of 12, one row of garbage fits below, and a second pushes the cell out."""
    state = stand("..OO..\n..OO..", RULES)
    state = state.replace(rows=state.rows.at[10].set(1))
    state, event = drop(send(state, (rows, 2)))
    assert int(event.garbage_received) == rows
    assert GAME_OVER_REASONS[int(event.game_over)] == ("none", "", "", "garbage_out")[reason]
    assert bool(state.game_over) == bool(event.life_lost) == (reason > 0)
    assert ((0, 10 + rows) in locked_cells(RULES, state)) == (rows == 1)


@pytest.mark.parametrize(("rows", "reason"), [(12, "block_out"), (13, "garbage_out")])
def test_garbage_pushed_out_by_garbage(rows, reason):
    """The matrix of twelve rows is empty when more rows enter than it has."""
    rules = dataclasses.replace(RULES, garbage_blocking=False)
    start = send(stand(PERFECT, rules), (rows, 0), rules=rules)
    state, event = drop(start, rules=rules, garbage_cap=20, garbage_multiplier=0)
    assert event.perfect_clear
    assert GAME_OVER_REASONS[int(event.game_over)] == reason
    assert_stands(state, "\n".join([".#####"] * 12), rules)


def hole_of(key, number, width):
    """Return the hole of an arrival as the documentation says: floor(word × width / 2^32)."""
    word = jax.random.key_data(jax.random.fold_in(key, np.uint32(2**31 + number)))[1]
    return int(word) * width // 2**32


def test_the_timer():
    """Every fourth tick a packet of 2 rows, ready 5 ticks later; a lock in tick 8 is too early by one."""
    numbers = {"garbage_interval": 4, "garbage_rows": 2, "garbage_delay": 5}
    state = stand("..OO..\n..OO.." + 4 * ("\n" + EMPTY), RULES)
    counts = []
    for _ in range(7):
        state, _ = press(state, rules=RULES, **numbers)
        counts.append(len(waiting(state)))
    assert counts == [0, 0, 0, 1, 1, 1, 1]
    holes = [hole_of(state.key, number, 6) for number in (0, 1)]
    assert waiting(state) == [(2, holes[0])]
    early, event = drop(state, **numbers)
    assert (int(event.garbage_received), waiting(early)) == (0, [(2, holes[0]), (2, holes[1])])
    state, _ = press(state, rules=RULES, **numbers)
    _, event = drop(state, **numbers)
    assert int(event.garbage_received) == 2


def test_starting_garbage():
    """A hole of its own in each row, the lowest first; they count as arrivals 0, 1, 2."""
    key = jax.random.key(8)
    state = start(RULES, params(RULES, starting_garbage=3), key)
    holes = [hole_of(key, number, 6) for number in range(4)]
    assert np.asarray(state.rows)[:4].tolist() == [0b111111 - (1 << hole) for hole in holes[:3]] + [0]
    assert (int(state.garbage.height), int(state.garbage.received)) == (3, 3)
    state = garbage.receive(RULES, params(RULES), state, jnp.int32(1))
    assert waiting(state) == [(1, holes[3])]
    assert len(set(holes)) > 1  # else this shows little


def test_a_full_queue():
    """Rows of a seventeenth packet are added to the sixteenth, whose hole they share."""
    state = send(stand(EMPTY, RULES, piece="T"), *((1, n % 6) for n in range(16)), (5, 0))
    assert waiting(state) == [(1, n % 6) for n in range(15)] + [(6, 3)]
    assert int(state.garbage.received) == 17


def test_nothing_arrives_without_rows_or_after_the_end():
    start = stand(EMPTY, RULES, piece="T")
    assert int(send(start, (0, 2)).garbage.received) == 0
    assert int(send(start.replace(game_over=jnp.bool_(True)), (1, 2)).garbage.received) == 0
    plain = Rules(width=6, height=8, buffer=4)
    with pytest.raises(ValueError, match=r"rules\.garbage: given False"):
        garbage.receive(plain, params(plain), stand(EMPTY, plain, piece="T"), jnp.int32(1))
