"""First placements compared by what may come next: against plain Python, by hand, and what it may not know."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.search import plain_planner
from tests.search.drawn_games import TINY, read, stand, together
from tests.search.test_beam import BOARDS, WEIGHTS, evaluate
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.search import beam, board_value, next_piece, playing
from tetrax.search.attack_weights import build, flatten

RULES = dataclasses.replace(TINY, preview=1, hold=False)
ENV = Tetris(EnvConfig(rules=RULES, actions="locked_position"))
KEY = jax.random.key(1, impl="threefry2x32")
NAMES = [piece.name for piece in RULES.pieces]
# Boards, the two known pieces, and the kinds that are left in the bag after them; nothing left is a new bag.
CASES = [(BOARDS[1], "TS", "I"), (BOARDS[1], "SI", "TL"), (BOARDS[1], "SI", "")]
PLACEMENTS = 30
ALL = beam.Size(width=250, clear_width=0, depth=2, candidates=20, candidate_boards=40)


def states_of(cases, seed):
    """Return the engine's games, [G, ...]."""
    states = [stand(RULES, read(board), pieces, seed=seed)[0] for board, pieces, _ in cases]
    bags = [sum(1 << NAMES.index(name) for name in bag) for *_, bag in cases]
    return together(states).replace(bag=jnp.asarray(bags, jnp.uint32))


def find_means(position, bag):
    """Return what each first placement is worth: of each piece that may come the best end, averaged."""

    @functools.cache
    def best_after(board, name):
        found = plain_planner.find_best(
            RULES, dataclasses.replace(board, pieces=(name,)), worth_of_three, depth=1
        )
        return board.gained if found is None else found[0]  # lost: nothing more is sent

    def mean(ends):
        return np.mean([max(best_after(end, name) for end in ends) for name in bag or NAMES])

    return {
        placed: mean([end for _, end in plain_planner.placements(RULES, following)])
        for placed, following in plain_planner.placements(RULES, position)
    }


def worth_of_three(rules, cells):
    """Say what an untaught value says of a board that three of the placements led to: a row each of those left."""
    return evaluate(rules, cells) + PLACEMENTS - 3


@pytest.mark.slow
def test_one_node_of_chance_equals_plain_python():
    """With room for all the first placement with the highest mean is chosen, and the value is that mean."""
    weights = jnp.tile(flatten(build(WEIGHTS, {}, 1.0))[None], (len(CASES), 1))
    value = board_value.init(RULES, (1,), KEY)
    choose = jax.jit(lambda states: playing.choose(ENV, ALL, PLACEMENTS, weights, states, KEY, value))
    plan = choose(states_of(CASES, seed=0))
    for field, other in zip(plan, choose(states_of(CASES, seed=1)), strict=True):
        jax.tree.map(np.testing.assert_array_equal, field, other)  # the hidden order decides nothing
    # After the last placement known pieces are still to come: the best board decides.
    over = states_of(CASES, seed=0)
    over = over.replace(pieces=jnp.full_like(over.pieces, PLACEMENTS))
    plain = jax.jit(
        lambda states: playing.choose(
            ENV, dataclasses.replace(ALL, candidates=0), PLACEMENTS, weights, states, KEY, value
        )
    )
    for field, other in zip(choose(over), plain(over), strict=True):
        jax.tree.map(np.testing.assert_array_equal, field, other)
    best_ends = []
    for number, (board, pieces, bag) in enumerate(CASES):
        _, position = stand(RULES, read(board), pieces)
        means = find_means(position, bag)
        best = max(means.values())
        assert float(plan.value[number]) == pytest.approx(best, abs=1e-4)
        where = (int(field[number]) for field in (plan.orientation, plan.x, plan.y))
        cells = plain_planner.cells_at(pieces[0], *where)
        (chosen,) = [mean for placed, mean in means.items() if placed.cells == cells]
        assert chosen == pytest.approx(best, abs=1e-4)
        # The lines that are told begin with what is done.
        assert np.asarray(plan.lines.worth)[number, 0] == plan.value[number]
        assert (int(plan.lines.x[number, 0, 0]), int(plan.lines.y[number, 0, 0])) == (
            plan.x[number],
            plan.y[number],
        )
        _, firsts = plain_planner.find_best(RULES, position, evaluate, depth=2)
        best_ends.append(any(first.cells == cells for first in firsts))
    assert not all(best_ends), "in some case the best board is not where the best mean is"


def test_candidates_by_hand():
    worth = jnp.asarray([[3.0, 5.0, -jnp.inf, 4.0, 1.0, 2.0]])
    first = jnp.asarray([[7, 8, 9, 7, 7, 6]], jnp.int32)
    size = beam.Size(candidates=3, candidate_boards=2)
    found = next_piece.find_candidates(size, first, worth)
    assert found.first.tolist() == [[8, 7, 6]]
    assert found.worth.tolist() == [[[5.0, -np.inf], [4.0, 3.0], [2.0, -np.inf]]]
    assert np.asarray(found.boards)[0, :, 0].tolist() == [1, 3, 5] and int(found.boards[0, 1, 1]) == 0
    none = next_piece.find_candidates(size, first[:, 2:3], worth[:, 2:3])
    assert np.isneginf(np.asarray(none.worth)).all()
