"""The first game of test_versus by other actions: any place, and key by key, come to the same boards."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.games.test_versus import BOARD, UPRIGHT, numbers_of, play, versus
from tetrax.env.actions import DIRECT_KEYS

DROPS = [(UPRIGHT + 4, UPRIGHT), (0, 1), (2, 1), (0, 3), (2, 3), (0, 0)]
# The same places as (orientation, x, y) of each player.
PLACES = [
    ((1, 4, 0), (1, 0, 0)), ((0, 0, 0), (0, 1, 0)), ((0, 2, 0), (0, 1, 2)),
    ((0, 0, 0), (0, 3, 0)), ((0, 2, 0), (0, 3, 0)), ((0, 0, 0), (0, 0, 0)),
]  # fmt: skip
# And as keys, four a piece: an upright I enters in column 2, an O in columns 1 and 2.
COLUMN_OF_I, COLUMN_OF_O = 2, 1


def keys_to(orientation, x):
    """Return the four keys that bring a piece to a column and drop it."""
    aside = x - (COLUMN_OF_I if orientation else COLUMN_OF_O)
    keys = ["rotate_cw"] * orientation + ["right" if aside > 0 else "left"] * abs(aside)
    return [DIRECT_KEYS.index(key) for key in (*["noop"] * (3 - len(keys)), *keys, "hard_drop")]


def place(place):
    """Return the number of a place among the actions of locked_position, on five columns and eight rows."""
    orientation, x, y = place
    return orientation * 40 + y * 5 + x


@pytest.mark.slow
@pytest.mark.parametrize("actions", ["locked_position", "direct"])
def test_the_same_game_by_other_actions(actions):
    states, _ = play(versus(), DROPS)
    env = versus(board=dataclasses.replace(BOARD, actions=actions, observation="bitboards"))
    moves = [[place(each) for each in both] for both in PLACES]
    if actions == "direct":
        moves = np.concatenate(
            [np.array([keys_to(*each[:2]) for each in both]).T for both in PLACES]
        ).tolist()
    params = numbers_of(env)
    transition = jax.jit(env.transition)
    state, reached = jax.jit(env.init)(jax.random.key(3), params), []
    for action in moves:
        state, _, ended, _, event = transition(state, jnp.asarray(action, jnp.int32), params)
        if event.boards.locked.any():
            assert event.boards.locked.all()
            reached.append(state)
    assert len(reached) == len(DROPS) and bool(ended)
    for mine, theirs in zip(states[1:], reached, strict=True):
        for one, two in zip(mine.boards, theirs.boards, strict=True):
            assert one.rows.tolist() == two.rows.tolist()
            assert one.garbage.rows.tolist() == two.garbage.rows.tolist()
            assert one.garbage.hole.tolist() == two.garbage.hole.tolist()
        assert mine.fallen.tolist() == theirs.fallen.tolist()
