"""Losing with lives left: the matrix is emptied and play goes on."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.env.game.by_hand import VARIED, active_cells, locked_cells, params, press, stand, start
from tetrax.env.game import garbage
from tetrax.env.game.state import GAME_OVER_REASONS

# Two garbage rows, a column under the entrance, and a T that leaves no room for the next piece.
FULL = "\n".join([".#...."] * 9 + ["#####."] * 2)


def reason(event):
    return GAME_OVER_REASONS[int(event.game_over)]


def lost(**numbers):
    """Return a game that has just lost its first of two lives, its event, and how it stood before."""
    start = stand("....OO\n....OO\n" + FULL, VARIED, queue="T", hold="S", **numbers)
    start = start.replace(garbage=start.garbage.replace(height=jnp.int32(2), received=jnp.int32(5)))
    start = garbage.receive(VARIED, params(VARIED, garbage_delay=90), start, jnp.int32(3))
    return *press(start, "hard_drop", rules=VARIED), start


def test_the_first_life():
    """Matrix, garbage and chains are gone; score, lines, pieces, hold and queue stay; T enters."""
    state, event, start = lost(score=500, lines=12, pieces=9, combo=3, back_to_back=4)
    assert (bool(event.life_lost), reason(event), bool(event.locked)) == (True, "block_out", True)
    assert (int(state.lives), bool(state.game_over)) == (1, False)
    assert locked_cells(VARIED, state) == set()
    assert active_cells(VARIED, state) == {(1, 9), (2, 9), (3, 9), (2, 10)}
    assert (int(state.combo), int(state.back_to_back)) == (-1, -1)
    assert not np.asarray(state.garbage.rows).any()
    assert (int(state.garbage.height), int(state.garbage.received)) == (0, 6)
    fall = int(event.hard_cells)
    assert (int(state.score), int(state.lines), int(state.pieces)) == (500 + 2 * fall, 12, 10)
    assert (int(state.hold), int(state.ticks)) == (int(start.hold), 1)


def test_the_last_life():
    """The matrix stays for all to see."""
    state, event, _ = lost(lives=1)
    assert (bool(event.life_lost), reason(event)) == (True, "block_out")
    assert (int(state.lives), bool(state.game_over)) == (0, True)
    assert len(locked_cells(VARIED, state)) == 9 + 10 + 4


def test_blocked_out_by_hold():
    """S (columns 1 and 2 in row 9) enters an empty matrix; the other keys of the tick are lost on it."""
    start = stand("\n".join(["......"] * 8), VARIED, piece="T", queue="O", hold="S")
    start = start.replace(rows=start.rows.at[9].set(0b000010), y=start.y - 4)
    state, event = press(start, "hold", "left", "hard_drop", rules=VARIED)
    assert (bool(event.life_lost), reason(event), bool(event.locked)) == (True, "block_out", False)
    assert active_cells(VARIED, state) == {(1, 9), (2, 9), (2, 10), (3, 10)}
    assert (int(state.lives), bool(state.hold_used), bool(state.game_over)) == (1, True, False)
    assert VARIED.pieces[int(state.hold)].name == "T"


def test_a_new_game_has_all_lives():

    assert int(start(VARIED, params(VARIED), jax.random.key(0)).lives) == 2
