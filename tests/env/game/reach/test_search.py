"""The search in tiles finds every pose that the flood fill over whole boards finds, and no other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.env.game.pieces import DOMINOES
from tetrax.env.game.reach import flood, search, search_tile, search_turns
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.rules import Rules

BOARDS = 192  # and two pieces each: several tiles, and some of searches that the first pass leaves unfinished
RULES = {"guideline": Rules(height=14, buffer=6)}
SLOW_RULES = {
    "narrow, higher than a word, half turns": Rules(width=5, height=20, buffer=20, kicks="srs+"),
    "higher than a word": Rules(),
    "wide, just a word": Rules(width=22, height=28, buffer=4, kicks="srs180"),
    "dominoes, no kicks": Rules(width=4, height=6, buffer=4, pieces=DOMINOES, kicks="none"),
}


def boards(rules: Rules, choose: np.random.Generator, highest: int) -> np.ndarray:
    """Draw boards with overhangs up to a row, uint32[H, BOARDS]."""
    shape = (rules.total_height, BOARDS, rules.width)
    filled = choose.random(shape) < choose.choice([0.0, 0.3, 0.6, 0.85], shape[:2])[..., None]
    filled &= np.arange(shape[0])[:, None, None] < choose.integers(0, highest + 1, BOARDS)[None, :, None]
    holes = choose.integers(0, rules.width, shape[:2])
    filled &= np.arange(rules.width) != holes[..., None]  # no row is full
    return (filled << np.arange(rules.width)).sum(axis=-1).astype(np.uint32)


def start(rules: Rules, choose: np.random.Generator, kind: np.ndarray, is_anywhere: bool) -> Start:
    """Draw where pieces begin: at their spawn place, or at any, which need not be free."""
    orientation, x, y = np.zeros(BOARDS), rules.spawn_x[kind], rules.spawn_y[kind]
    if is_anywhere:
        orientation = choose.integers(0, 4, BOARDS)
        x = choose.integers(-2, rules.width, BOARDS)
        y = choose.integers(-2, rules.total_height + 1, BOARDS)
    fields = [np.asarray(field, np.int32) for field in (orientation, x, y, np.full(BOARDS, -1))]
    return Start(*fields, allowed=choose.random(BOARDS) < 0.9)


def compare(rules: Rules, seed: int) -> None:
    choose = np.random.default_rng(seed)

    @jax.jit
    def both(rows, kinds, starts):
        fast = jax.vmap(functools.partial(search.reach, rules))(tuple(rows), kinds, starts)
        kind, begin = jax.tree.map(
            lambda *fields: jnp.stack(fields, axis=1), (kinds[0], starts[0]), (kinds[1], starts[1])
        )
        plain = flood.reach(rules, jnp.broadcast_to(rows[..., None], (*rows.shape, 2)), kind, begin)
        return fast, plain[0]  # [B, 2, 4 W], [4, W, B, 2]

    num_poses = 0
    tops = [rules.height, min(rules.height, 12)]
    for top in tops:
        rows = boards(rules, choose, top)
        kinds = tuple(choose.integers(0, rules.num_pieces, (2, BOARDS)).astype(np.int32))
        starts = (start(rules, choose, kinds[0], False), start(rules, choose, kinds[1], top == tops[0]))
        fast, plain = map(np.asarray, both(rows, kinds, starts))
        expected = np.ascontiguousarray(np.moveaxis(plain.reshape(-1, BOARDS, 2), 0, -1))
        np.testing.assert_array_equal(fast, expected)
        num_poses += np.unpackbits(expected.view(np.uint8)).sum()
    assert num_poses > 20 * len(tops) * BOARDS


def test_a_packed_search_is_read_as_it_was():
    """The greatest and smallest of each part, and a box above the word, whose row counts as 32."""
    kind, orientation, x, y = np.array(
        [[0, 0, -8, -8], [255, 3, 55, 32], [6, 1, 3, 31], [1, 2, -3, 40]], np.int32
    ).T
    start = Start(orientation, x, y, np.zeros(4, np.int32), np.array([True, False, True, False]))
    found = search_tile.unpack(search_tile.pack(kind, start))
    for field, expected in zip(found, (kind, orientation, x, np.minimum(y, 32), start.allowed), strict=True):
        np.testing.assert_array_equal(field, expected)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.slow
def test_the_same_poses_are_found_in_tiles(rules):
    compare(rules, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("rules", SLOW_RULES.values(), ids=SLOW_RULES)
def test_the_same_poses_are_found_in_tiles_under_odd_rules(rules):
    compare(rules, seed=2)


def test_srs_kicks_off_walls_sideways_so_that_every_place_of_one_height_can_be_reached():
    groups = search_turns.groups_of(Rules())
    assert [group.kinds for group in groups] == [(0,), (1, 2, 4, 5, 6), (3,)]  # I, all others, O
    assert not any(group.rises for group in groups)
    assert search_turns.spreads(Rules()).all()
