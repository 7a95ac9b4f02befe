"""The learned value of boards: what it sees, that it changes nothing untaught, that it decides, mirrors, open games."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.search.drawn_games import TINY, read, stand, together
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.search import beam, board_value, open_games, playing
from tetrax.search.attack_weights import build, flatten
from tetrax.search.board_value import Position

ENV = Tetris(EnvConfig(rules=TINY, actions="locked_position"))
KEY = jax.random.key(3, impl="threefry2x32")
NOTHING = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], build({}, {}, 1.0))
I_PIECE, S, T = range(3)  # TINY's kinds


def positions(*drawings, **fields):
    """Return boards as planners keep them, with what else is given of all of them."""
    num = len(drawings)
    columns = np.zeros((TINY.width, num), np.uint32)
    for number, drawing in enumerate(drawings):
        for x, y in read(drawing):
            columns[x, number] |= 1 << (31 - y)
    usual = {"hold": -1, "chain": -1, "combo": 0, "bag": 0b1111, "left": 20} | fields
    rest = {
        name: jnp.full(num, value, jnp.uint32 if name == "bag" else jnp.int32)
        for name, value in usual.items()
    }
    return Position(stack=jnp.asarray(columns), **rest)


def test_what_the_network_sees():
    seen, _ = board_value.describe(TINY, positions("#...#\n##...", hold=S, bag=0b1001, left=8))
    assert seen.shape == (1, board_value.count_inputs(TINY))
    rows = TINY.height  # fewer than ROWS
    cells = np.asarray(seen[0, : 5 * rows]).reshape(5, rows)
    assert cells[:, 0].tolist() == [1, 1, 0, 0, 0] and cells[:, 1].tolist() == [1, 0, 0, 0, 1]
    assert cells[:, 2:].sum() == 0
    others = np.asarray(seen[0, 5 * rows :])
    np.testing.assert_allclose(others[:5] * board_value.ROWS, [2, 1, 0, 0, 2])
    assert others[5:13].tolist() == [0, 1, 0, 0, 1, 0, 0, 1]  # S held; I and L left in the bag
    assert others[-3:].tolist() == [8 / board_value.MOST_LEFT, 0.5, 0.25]


def test_an_untaught_value_is_the_linear_evaluation_and_what_is_usual():
    value = board_value.init(TINY, (6,), KEY)
    weights = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], build({"cells": -0.5}, {"cells": 9.0}, 10.0))
    told = [
        float(board_value.total(TINY, weights, value, positions("##...", left=left))[0])
        for left in (20, 5, 0)
    ]
    # Two cells, of which half counts five placements before the last one, and nothing after it.
    assert told == pytest.approx([20 - 1.0, 5 - 0.5, 0.0])


def test_a_mirror():
    position = positions("#....\n##.#.", hold=S, bag=0b0110)
    there = board_value.mirror(TINY, position)
    assert np.array_equal(there.stack, positions("....#\n.#.##").stack)
    # Neither the twin of S nor that of L is in this game, so that they stay what they are.
    assert (int(there.hold[0]), int(there.bag[0])) == (S, 0b0110)
    from tetrax.env.game.rules import Rules

    kinds = board_value.mirrored_kinds(Rules(pieces=("I", "J", "L", "O", "S", "T", "Z")))
    assert kinds.tolist() == [0, 2, 1, 3, 6, 5, 4]
    back = board_value.mirror(TINY, there)
    for now, before in zip(back, position, strict=True):
        np.testing.assert_array_equal(now, before)


def test_games_begin_with_a_bag_from_which_pieces_are_gone():
    begun = open_games.begin(TINY, 20, KEY, 64)
    gone = 20 - np.asarray(begun.left)
    assert set(gone.tolist()) == {0, 1, 2, 3}
    assert np.array_equal([bin(bag).count("1") for bag in begun.bag.tolist()], 4 - gone)
    assert len(set(np.asarray(begun.bag)[gone == 2].tolist())) == 6  # every two of the four kinds


def test_what_is_dealt_comes_from_the_bag():
    root = open_games.deal(TINY, 4, positions("#....", "#....", bag=0b0110, left=3), KEY)
    for number in range(2):
        kinds = [int(root.hold[number]), *root.pieces[number].tolist()]
        assert set(kinds[:2]) == {S, T}  # the held piece comes first where none was held
        assert len(set(kinds[2:4])) == 2 and kinds[4:] == [-1] * beam.UNKNOWN
        assert int(root.bag[number]) == 0b1111 & ~sum(1 << kind for kind in kinds[2:4])
    held = open_games.deal(TINY, 4, positions("#....", hold=I_PIECE, bag=0b0110), KEY)
    assert int(held.hold[0]) == I_PIECE and set(held.pieces[0, :2].tolist()) == {S, T}
    assert root.steps.tolist() == [3, 3] and held.steps.tolist() == [4]


@pytest.mark.slow
def test_the_value_decides_and_hidden_pieces_do_not():
    """A value that pays for cells on the left is followed, by games that look alike alike."""
    state = together([stand(TINY, frozenset(), "LSI", seed=seed)[0] for seed in range(4)])
    state = state.replace(bag=jnp.full_like(state.bag, 0b0110))
    size = beam.Size(width=100, clear_width=2, depth=4)
    value = board_value.init(TINY, (1,), KEY)
    weights = jnp.tile(flatten(build({}, {}, 1.0))[None], (4, 1))

    def paying(x):
        """Pay a row for each of the lowest six cells of a column."""
        kernel = jnp.zeros_like(value.hidden[0].kernel).at[x * TINY.height : (x + 1) * TINY.height].set(1.0)
        layer = value.hidden[0].replace(kernel=kernel)
        return value.replace(hidden=(layer,), last=value.last.replace(kernel=jnp.ones((1, 1))))

    plan = jax.jit(lambda value: playing.choose(ENV, size, 30, weights, state, KEY, value))
    for x in (0, 4):
        found = plan(paying(x))
        for field in jax.tree.leaves(found):
            np.testing.assert_array_equal(field, np.broadcast_to(field[:1], field.shape))
        # Three pieces are known; L and I on end fill six cells of a column.
        assert float(found.value[0]) == 27 + 6


@pytest.mark.slow
def test_a_stretch_adds_up():
    """What is left goes down by one a piece, cells by what was cleared, and the bag by what was drawn."""
    low = build({"holes": -1.0, "height": -0.5}, {}, 1.0)
    weights = jax.tree.map(lambda leaf: jnp.tile(jnp.asarray(leaf)[None], (8, *[1] * np.ndim(leaf))), low)
    player = open_games.Player(TINY, beam.Size(6, 2, 4), weights, board_value.init(TINY, (4,), KEY))
    begun = open_games.begin(TINY, 9, KEY, 8)
    play = jax.jit(
        lambda position, key: open_games.play(player, position, jnp.float32(1.0), jnp.float32(0.5), key)
    )
    one = play(begun, KEY)
    placed = np.asarray(begun.left - one.on.left)
    assert not np.asarray(one.lost).any()
    assert set(placed.tolist()) == {4}  # all known pieces
    cells = sum(np.bitwise_count(np.asarray(column)) for column in one.on.stack)
    assert ((4 * placed - cells) % TINY.width == 0).all() and (cells <= 4 * placed).all()
    assert (np.asarray(one.on.hold) == -1).all()
    for bag, before, number in zip(one.on.bag.tolist(), begun.bag.tolist(), placed.tolist(), strict=True):
        left = (bin(before).count("1") - number) % 4
        assert bin(bag).count("1") % 4 == left
    two = play(one.on, KEY)
    assert (np.asarray(two.on.left) == np.maximum(np.asarray(one.on.left) - 4, 0)).all()
