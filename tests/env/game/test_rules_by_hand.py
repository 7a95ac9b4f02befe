"""Spawn, gravity, soft drop, lock delay, hold, the queue and the end of a game, worked by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.game.by_hand import (
    GUIDELINE,
    active_cells,
    assert_stands,
    cells,
    params,
    press,
    stand,
    start,
    wait,
)
from tetrax.env.game import engine
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import level

HARD_DROP, SOFT_DROP, LOCK_DELAY = 1, 2, 3
BLOCK_OUT, LOCK_OUT = 1, 2
EMPTY = ".........."

# Where pieces enter, rows 20 and 21 counted from 0 (drawn 21 above 20).
ENTRANCES = {
    "I": "..........\n...IIII...",
    "J": "...J......\n...JJJ....",
    "L": ".....L....\n...LLL....",
    "O": "....OO....\n....OO....",
    "S": "....SS....\n...SS.....",
    "T": "....T.....\n...TTT....",
    "Z": "...ZZ.....\n....ZZ....",
}


# Spawn


@pytest.mark.parametrize("name", ENTRANCES)
def test_entrance(name):
    """A piece enters in rows 20 and 21, facing north, and falls one row at once if that is free."""
    _, entered = cells(ENTRANCES[name])
    blocked = "...####...\n" + "\n".join([EMPTY] * 19)  # row 19, the top visible one
    assert active_cells(GUIDELINE, stand(blocked, piece=name)) == {(x, y + 20) for x, y in entered}
    assert active_cells(GUIDELINE, stand(EMPTY, piece=name)) == {(x, y + 19) for x, y in entered}
    stays = dataclasses.replace(GUIDELINE, spawn_drop=False)
    assert active_cells(stays, stand(EMPTY, stays, piece=name)) == {(x, y + 20) for x, y in entered}


def test_next_piece_enters_like_the_first():
    state, _ = press(stand("....OO....\n....OO....", queue="T"), "hard_drop")
    _, entered = cells(ENTRANCES["T"])
    assert active_cells(GUIDELINE, state) == {(x, y + 19) for x, y in entered}
    assert_stands(state, "....##....\n....##....")


def test_narrow_boards_round_to_the_left():
    """On 6 columns: T at (6 - 3) // 2 = 1, I at 1, O at 2; on 5: T at 1, I at 0, O at 1."""
    for width, columns in ((6, {"T": 1, "I": 1, "O": 2}), (5, {"T": 1, "I": 0, "O": 1})):
        rules = Rules(width=width, height=8, buffer=4)
        for name, column in columns.items():
            assert min(x for x, _ in active_cells(rules, stand("." * width, rules, piece=name))) == column


# Gravity


def fallen_after(ticks, *keys, lines=0, **numbers):
    """Return by how many rows a T has fallen after each tick on an empty board."""
    state = stand(EMPTY, lines=lines)
    rows, start = [], int(state.y)
    for _ in range(ticks):
        state = wait(state, 1, *keys, **numbers)
        rows.append(start - int(state.y))
    return rows


def test_gravity_of_level_1():
    """One row each second, which is each 10 ticks: 65536 / 10 = 6553.6, rounded up 6554, a tick."""
    assert fallen_after(40) == [tick // 10 for tick in range(1, 41)]


def test_gravity_of_level_5():
    """(0.8 - 4 × 0.007)^4 = 0.772^4 = 0.355197 seconds a row: 65536 / 3.55197 = 18450.6, so 18451 a tick.

    After n ticks floor(18451 n / 65536) rows: the first at n = 4 (73804), then 8 (147608), 11 (202961),
    15 (276765), 18 (332118), 22 (405922).
    """
    rows = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6]
    assert fallen_after(22, lines=40) == rows
    assert fallen_after(22, start_level=3, lines=20) == rows


def test_gravity_of_level_20_and_above():
    """(0.8 - 19 × 0.007)^19 = 0.667^19 = 0.000456 seconds a row, more than 200 rows a tick: at once."""
    for lines in (190, 400, 5000):
        assert fallen_after(1, lines=lines) == [19]


def test_gravity_of_level_11():
    """(0.8 - 10 × 0.007)^10 = 0.73^10 = 0.042976 seconds a row: 65536 / 0.42976 = 152494 a tick, 2.33 rows."""
    assert fallen_after(4, lines=100) == [2, 4, 6, 9]


@pytest.mark.slow
def test_fixed_gravity():
    """Half a cell and a bit each tick: 40000, 80000 (1), 14464 + 40000, 94464 (2), 28928 + 40000 (3)."""
    rules = dataclasses.replace(GUIDELINE, gravity="fixed")
    state = stand(EMPTY, rules, lines=400)
    rows = []
    for _ in range(5):
        before = int(state.y)
        state = wait(state, 1, rules=rules, gravity=40000)
        rows.append(before - int(state.y))
    assert rows == [0, 1, 0, 1, 1]
    assert int(state.gravity_accumulator) == 5 * 40000 - 3 * 65536


def test_soft_drop():
    """20 × 6554 = 131080 a tick at level 1: two rows and 8 / 65536; one point for each, at every level."""
    assert fallen_after(5, "soft_drop") == [2, 4, 6, 8, 10]
    state, event = press(stand(EMPTY), "soft_drop")
    assert (int(event.soft_cells), int(event.score), int(state.score)) == (2, 2, 2)
    assert int(state.gravity_accumulator) == 8
    # At level 5: 20 × 18451 / 65536 = 5.63 rows.
    state, event = press(stand(EMPTY, lines=40), "soft_drop")
    assert (int(event.soft_cells), int(event.score)) == (5, 5)
    # Only what was fallen counts: three rows to the floor, and what was left of the fourth is forgotten.
    state, event = press(stand("..T.......\n.TTT......\n" + "\n".join([EMPTY] * 3), lines=40), "soft_drop")
    assert (int(event.soft_cells), int(state.gravity_accumulator)) == (3, 0)


def test_hard_drop_points():
    """Two for each cell, without the level."""
    _, event = press(stand(EMPTY, piece="O", lines=40), "hard_drop")
    assert (int(event.hard_cells), int(event.score), int(event.lock_reason)) == (19, 38, HARD_DROP)


def test_level_up_every_ten_lines():
    state, _ = press(stand("....OO....\n....OO....\n####..####\n####..####", lines=8), "hard_drop")
    assert (int(state.lines), int(level(params(GUIDELINE), state))) == (10, 2)
    # (0.8 - 0.007)^1 = 0.793 seconds a row: 65536 / 7.93 = 8264.3, rounded up.
    assert int(wait(state, 1).gravity_accumulator) == 8265


# Lock delay


LEDGE = """
    ....T.....
    ...TTT....
    ...###....
    ...###....
    ...###....
"""


def landed(rules=GUIDELINE):
    """Return a T at level 20 in the tick in which it lands on the floor, and check that it did."""
    state = wait(stand(EMPTY, rules, lines=190), 1, rules=rules)
    assert (int(state.y), int(state.lock_timer)) == (-1, 0)
    return state


def test_locks_five_ticks_after_landing():
    """Half a second is 5 ticks."""
    state, event = press(wait(landed(), 4))
    assert (bool(event.locked), int(event.lock_reason)) == (True, LOCK_DELAY)
    assert int(event.score) == 0
    assert_stands(state, "....#.....\n...###....")
    _, event = press(wait(landed(), 4), "soft_drop")
    assert int(event.lock_reason) == SOFT_DROP


def test_a_move_restarts_the_delay():
    state = wait(wait(landed(), 4), 1, "left")
    assert (int(state.lock_timer), int(state.lock_resets)) == (0, 1)
    _, event = press(wait(state, 4))
    assert event.locked


def test_a_move_that_fails_restarts_nothing():
    state = landed()
    while int(state.x) > 0:
        state = wait(state, 1, "left")
    resets = int(state.lock_resets)
    _, event = press(wait(state, 4, "left"), "left")
    assert event.locked and resets == 3


def test_fifteen_restarts_and_no_more():
    state, keys = landed(), ("left", "right") * 10
    for key in keys[:15]:
        state = wait(state, 1, key)
        assert int(state.lock_timer) == 0
    assert int(state.lock_resets) == 15
    for timer, key in enumerate(keys[15:19], 1):
        state = wait(state, 1, key)
        assert (int(state.lock_timer), int(state.lock_resets)) == (timer, 15)
    _, event = press(state, keys[19])
    assert event.locked


def test_infinite_placement():
    rules = dataclasses.replace(GUIDELINE, lock="infinite")
    state = landed(rules)
    for _ in range(30):
        state = wait(state, 1, "left", rules=rules)
        state = wait(state, 1, "right", rules=rules)
    assert (int(state.lock_timer), int(state.lock_resets)) == (0, 60)
    _, event = press(wait(state, 4, rules=rules), rules=rules)
    assert event.locked


def test_classic_lock():
    """Moves restart nothing; falling to a new lowest row does."""
    rules = dataclasses.replace(GUIDELINE, lock="classic")
    _, event = press(wait(landed(rules), 4, "rotate_cw", rules=rules), "rotate_cw", rules=rules)
    assert event.locked
    state = wait(stand(LEDGE, rules, lines=190), 2, "right", rules=rules)
    assert int(state.lock_timer) == 1
    state = wait(state, 1, "right", rules=rules)
    assert (int(state.y), int(state.lock_timer), int(state.lock_resets)) == (-1, 0, 0)
    _, event = press(wait(state, 4, rules=rules), rules=rules)
    assert event.locked


def test_classic_lock_waits_in_the_air():
    """At level 1 the T pushed off the ledge hangs: its timer stands still until it has fallen a row."""
    rules = dataclasses.replace(GUIDELINE, lock="classic")
    state = wait(stand(LEDGE, rules), 3, "right", rules=rules)
    assert (int(state.x), int(state.lock_timer)) == (6, 1)
    assert int(wait(state, 8, rules=rules).lock_timer) == 1
    assert int(wait(state, 9, rules=rules).lock_timer) == -1


def test_a_new_lowest_row_starts_the_count_again():
    """On the ledge a T uses up restarts; three columns to the right it falls, and has all fifteen again."""
    state = wait(stand(LEDGE, lines=190), 1)
    assert (int(state.lock_timer), int(state.lock_resets)) == (0, 0)
    for key in ("left", "right") * 3:
        state = wait(state, 1, key)
    state = wait(state, 2, "right")
    assert int(state.lock_resets) == 8
    before = int(state.y)
    state = wait(state, 1, "right")
    assert (before - int(state.y), int(state.lock_timer), int(state.lock_resets)) == (3, 0, 0)
    _, event = press(wait(state, 4))
    assert event.locked


def test_the_delay_waits_while_the_piece_hangs_over_nothing():
    """At level 1 a T pushed off the ledge hangs for some ticks; its timer stands still, then starts again."""
    state = wait(stand(LEDGE), 1)
    assert int(state.lock_timer) == 0
    state = wait(wait(state, 2), 2, "right")
    assert (int(state.lock_timer), int(state.lock_resets)) == (0, 2)
    state = wait(state, 1, "right")  # the third restart, with nothing below any more
    assert (int(state.lock_timer), int(state.lock_resets)) == (-1, 3)
    # Gravity counts from when the piece left the ground: this tick and nine more make a row.
    state = wait(state, 8)
    assert (int(state.lock_timer), int(state.lock_resets)) == (-1, 3)
    state = wait(state, 1)
    assert (int(state.lowest_y), int(state.lock_resets)) == (1, 0)


# Hold


def test_hold():
    """Once per lock; the held piece comes back facing north at the entrance."""
    start = stand("....T.....\n....TT....\n....T.....\n" + EMPTY, queue="SZJ")
    state = wait(start, 1, "hold")
    _, entered = cells(ENTRANCES["S"])
    assert active_cells(GUIDELINE, state) == {(x, y + 19) for x, y in entered}
    assert (names(state.hold), names(*state.queue)[:2]) == ("T", "ZJ")
    assert bool(state.hold_used)

    again, event = press(state, "hold")
    assert bool(event.hold_refused)
    assert (names(again.hold), names(again.piece)) == ("T", "S")

    state, _ = press(state, "hard_drop")
    assert not state.hold_used
    assert names(state.piece) == "Z"
    state, event = press(state, "hold")
    _, entered = cells(ENTRANCES["T"])
    assert not event.hold_refused
    assert (names(state.hold), names(state.piece), names(*state.queue)[:1]) == ("Z", "T", "J")
    assert active_cells(GUIDELINE, state) == {(x, y + 19) for x, y in entered}


def test_hold_comes_before_the_other_keys():
    """One tick swaps T for S, moves S to the left and drops it; the next piece may be held again."""
    state, event = press(stand("....T.....\n...TTT....\n" + EMPTY, queue="SZ"), "hold", "left", "hard_drop")
    assert_stands(state, "...##.....\n..##......")
    assert (int(event.hard_cells), bool(state.hold_used), names(state.hold)) == (19, False, "T")


@pytest.mark.slow
def test_no_hold():
    rules = dataclasses.replace(GUIDELINE, hold=False)
    state, event = press(stand(EMPTY, rules, piece="T"), "hold", rules=rules)
    assert bool(event.hold_refused) and int(state.hold) == -1
    assert names(state.piece) == "T"


def names(*kinds):
    return "".join(GUIDELINE.pieces[int(kind)].name for kind in kinds)


# The end


def column(top):
    """Draw a pillar of rows up to and with row `top` in column 4."""
    return "\n".join(["....#....."] * (top + 1))


def test_block_out():
    """An O locks on the floor; above it a cell at (4, 20) stands where the next T must enter."""
    start = stand(column(18), piece="O", queue="T", x=0)
    filled = start.replace(rows=start.rows.at[20].set(0b0000010000))
    state, event = press(filled, "hard_drop")
    assert (int(event.game_over), bool(state.game_over)) == (BLOCK_OUT, True)
    # Nothing changes any more, whatever is pressed.
    after, event = press(state, "hold", "left", "hard_drop")
    assert jax.tree.all(jax.tree.map(same, after, state))
    assert not event.locked and int(event.game_over) == 0


def test_block_out_by_hold():
    """T stands clear of the cell at (4, 20), but Z may not enter there."""
    start = stand(column(18), piece="T", queue="Z", x=0)
    state, event = press(start.replace(rows=start.rows.at[20].set(0b0000010000)), "hold", "hard_drop")
    assert (int(event.game_over), bool(event.locked), int(state.pieces)) == (BLOCK_OUT, False, 0)


def test_lock_out():
    """A T that locks with its lowest cell in row 20 ends the game; one row lower it does not."""
    state, event = press(stand(column(19), piece="T", queue="O"), "hard_drop")
    assert (int(event.game_over), bool(state.game_over), int(event.hard_cells)) == (LOCK_OUT, True, 0)
    state, event = press(stand("###.......\n" * 19, piece="T", queue="O", x=0), "hard_drop")
    assert (int(event.game_over), int(event.hard_cells)) == (0, 0)
    assert int(state.rows[20]) == 0b0000000010


def same(left, right):
    if jnp.issubdtype(left.dtype, jax.dtypes.prng_key):
        left, right = jax.random.key_data(left), jax.random.key_data(right)
    return np.array_equal(left, right)


# The queue


def dealt(rules, seed, count):
    """Return the kinds of the first pieces, and the queue seen at the start."""
    state = start(rules, params(rules), jax.random.key(seed))
    kinds, queue = [int(state.piece)], np.asarray(state.queue).tolist()
    while len(kinds) < count:
        state, _ = press(state.replace(rows=jnp.zeros_like(state.rows)), "hard_drop", rules=rules)
        kinds.append(int(state.piece))
    return kinds, queue


@pytest.mark.parametrize("preview", [0, 6])
@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_bags_of_seven(preview, seed):
    """Every seven pieces from the first are one of each; what the queue shows is what comes."""
    kinds, queue = dealt(Rules(preview=preview), seed, 42)
    for first in range(0, 42, 7):
        assert sorted(kinds[first : first + 7]) == list(range(7))
    assert len(queue) == preview
    assert kinds[1 : 1 + preview] == queue


def test_preview_changes_no_piece():
    assert dealt(Rules(preview=0), 3, 21)[0] == dealt(Rules(preview=6), 3, 21)[0]


def test_bags_differ():
    """The six bags above are not all in one order, nor are those of different games."""
    kinds, _ = dealt(Rules(preview=6), 0, 42)
    assert len({tuple(kinds[first : first + 7]) for first in range(0, 42, 7)}) == 6
    assert dealt(Rules(preview=6), 1, 42)[0] != kinds


def test_uniform_draws():
    """Kinds come about equally often, and often twice in a row: once in seven times."""
    rules = Rules(randomizer="uniform", preview=6)
    keys = jax.random.split(jax.random.key(5), 1000)
    states = jax.jit(jax.vmap(lambda key: engine.init(rules, params(rules), key)))(keys)
    kinds = np.concatenate([np.asarray(states.piece)[:, None], np.asarray(states.queue)], axis=1)  # [1000, 7]
    # 7000 draws with chance 1/7: mean 1000, standard deviation sqrt(7000 × 1/7 × 6/7) = 29.3.
    assert (np.abs(np.bincount(kinds.ravel(), minlength=7) - 1000) < 4 * 29.3).all()
    # 6000 neighbours with chance 1/7: mean 857, standard deviation 27.1.
    assert abs((kinds[:, 1:] == kinds[:, :-1]).sum() - 857) < 4 * 27.1
