"""Games played by the beam search: how they begin, that they add up, and what they say of boards, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.search.drawn_games import TINY
from tests.search.test_board_value import KEY, positions
from tetrax.search import beam, board_value, planned_games
from tetrax.search.attack_weights import build
from tetrax.search.planned_games import Move, Player


def test_games_begin_with_a_bag_from_which_pieces_are_gone():
    """Four are dealt, one of them held; of four kinds as many are left as were left before."""
    late = jnp.asarray([0, 1, 2, 3, 6], jnp.int32)
    root = planned_games.begin(TINY, 20, late, KEY)
    assert root.left.tolist() == [20, 19, 18, 17, 14]
    assert [bin(bag).count("1") for bag in root.bag.tolist()] == [0, 3, 2, 1, 2]
    for number, gone in enumerate((late % 4).tolist()):
        kinds = [int(root.hold[number]), *root.pieces[number].tolist()]
        assert kinds[4:] == [-1] * beam.UNKNOWN
        of_first_bag, of_second = kinds[: 4 - gone], kinds[4 - gone : 4]
        assert len(set(of_first_bag)) == 4 - gone and len(set(of_second)) == gone
        left = 0b1111 if gone else 0
        assert int(root.bag[number]) == left & ~sum(1 << kind for kind in of_second)


def of_moves(on_way, to_best, sent, lost):
    """Return moves of one game, its boards told apart by the placements that are left."""
    num = len(sent)
    ends = [positions(*["#...."] * num)._replace(left=jnp.arange(first, first + num)) for first in (0, 100)]
    view, best = (jax.tree.map(lambda field: field[:, None], end._replace(stack=end.stack.T)) for end in ends)
    numbers = [jnp.asarray(each, jnp.float32)[:, None] for each in (on_way, to_best, sent)]
    ends = jnp.asarray(lost)[:, None]
    return Move(view, numbers[0], best, numbers[1], numbers[2], ends, ends)


def test_what_came_of_a_board_in_view_by_hand():
    """Of the first: 1 and 2 were sent, 7 are foreseen on the way to the end then, 5 were on the way to it: 5."""
    moves = of_moves(on_way=[5, 4, 6, 0], to_best=[5, 4, 7, 9], sent=[1, 2, 3, 8], lost=[False] * 4)
    judged = planned_games.judge(moves, 2)
    assert judged.sent[:, 0].tolist() == [1 + 2 + 7 - 5, 2 + 3 + 9 - 4, 3 + 9 - 6]
    assert judged.view.left[:, 0].tolist() == [0, 1, 2]
    assert judged.after.left[:, 0].tolist() == [102, 103, 103]
    assert not judged.lost.any()


def test_nothing_came_after_a_loss():
    """The game is lost at the third search: the rows of a new game count for none."""
    moves = of_moves([5, 4, 0, 1], [5, 4, 0, 9], [1, 2, 0, 8], [False, False, True, False])
    judged = planned_games.judge(moves, 3)
    assert judged.sent[:, 0].tolist() == [1 + 2 - 5, 2 - 4, 0]
    assert judged.lost[:, 0].tolist() == [True, True, True]


@pytest.mark.slow
def test_games_add_up():
    """What is left goes down by one a placement, and a piece that is seen stays until it is placed."""
    weights = jax.tree.map(
        lambda leaf: jnp.tile(jnp.asarray(leaf)[None], (6, *[1] * np.ndim(leaf))),
        build({"holes": -1.0, "height": -0.5}, {}, 1.0),
    )
    value = board_value.init(TINY, (4,), KEY)
    player = Player(TINY, beam.Size(6, 2, 4), 9, weights, value, jnp.float32(0.5), jnp.float32(1.0))
    begun = planned_games.begin(TINY, 9, jnp.zeros(6, jnp.int32), KEY)
    play = jax.jit(lambda root: planned_games.play(player, root, 4, KEY))
    root, moves = play(begun)
    assert not np.asarray(moves.lost).any() and not np.asarray(moves.ended).any()
    assert root.left.tolist() == [5] * 6
    cells = np.bitwise_count(np.asarray(root.stack)).sum(axis=1)
    assert (cells <= 16).all() and ((16 - cells) % TINY.width == 0).all()
    # Four of four kinds were known, four more are: every kind was dealt twice, once placed and once not.
    for number in range(6):
        now = [int(root.hold[number]), *root.pieces[number, :3].tolist()]
        before = [int(begun.hold[number]), *begun.pieces[number, :3].tolist()]
        assert sorted(before) == [0, 1, 2, 3] and len(now) == 4
    # The best end is at least as good as the one in view; both lie four placements ahead.
    assert (np.asarray(moves.view.left) == np.asarray([[5], [4], [3], [2]])).all()
    later, moves = play(play(root)[0])
    assert np.asarray(moves.ended).sum() >= 6  # nine placements are over
    assert (np.asarray(later.left) <= 9).all()
