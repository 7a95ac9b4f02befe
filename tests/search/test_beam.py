"""The beam search against a planner in plain Python, and what it may and may not know."""

import dataclasses
import functools
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.game.reach.test_placements import spawned
from tests.search import plain_planner
from tests.search.drawn_games import TINY, read, stand, together
from tests.search.plain_planner import find_best, measure
from tetrax.env import finesse
from tetrax.env.finesse import Placement
from tetrax.env.game.rules import default_params
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.search import beam, playing
from tetrax.search.attack_weights import build, flatten

WEIGHTS = {"holes": -1.3, "covers": -0.11, "height": -0.37, "bumpiness": -0.171, "cells": 0.013}
DEPTH_TWO = beam.Size(width=220, clear_width=0, depth=2)
ENV = Tetris(EnvConfig(rules=TINY, actions="locked_position"))
# A slot for a T under an overhang; a row that an I completes; an empty board.
BOARDS = (
    """
    #....
    ...##
    #.###
    """,
    """
    ##...
    #....
    #.#.#
    """,
    "#....",
    "",
)
CASES = [
    (board, pieces, hold, combo, chained)
    for board, (pieces, hold, combo, chained) in [
        (BOARDS[0], ("TIS", None, -1, False)),
        (BOARDS[0], ("ITS", "L", 2, True)),
        (BOARDS[0], ("SST", "S", 0, True)),
        (BOARDS[1], ("LTI", "T", -1, False)),
        (BOARDS[1], ("TTI", None, 1, True)),
        (BOARDS[2], ("IIT", "L", -1, True)),
        (BOARDS[3], ("LSI", None, -1, False)),
        (BOARDS[3], ("ILT", "L", 3, False)),
    ]
]


def evaluate(rules, cells):
    found = measure(rules, cells)
    return sum(weight * found[name] for name, weight in WEIGHTS.items())


@functools.cache
def planned():
    """Plan in all cases at once, in one program."""
    states = together([stand(TINY, read(board), *rest)[0] for board, *rest in CASES])
    return states, plan_by(WEIGHTS, states)


def plan_by(weights, states):
    every = jnp.tile(flatten(build(weights, {}, 1.0))[None], (len(CASES), 1))
    return plan_two()(every, states, jax.random.key(1, impl="threefry2x32"))


@functools.cache
def plan_two():
    return jax.jit(lambda weights, states, key: playing.choose(ENV, DEPTH_TWO, 0, weights, states, key))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_depth_two_equals_brute_force(number):
    board, *rest = CASES[number]
    _, position = stand(TINY, read(board), *rest)
    best, firsts = find_best(TINY, position, evaluate, depth=2)
    _, plan = planned()
    assert float(plan.value[number]) == pytest.approx(best, abs=1e-4)
    assert int(plan.missed[number]) == 0
    kind = chosen_piece(position, bool(plan.use_hold[number]))
    cells = plain_planner.cells_at(
        kind, *(int(field[number]) for field in (plan.orientation, plan.x, plan.y))
    )
    # Where both pieces are of a kind, holding changes nothing.
    same = position.pieces[0] == chosen_piece(position, True)
    assert any(
        placed.cells == cells and (same or placed.use_hold == bool(plan.use_hold[number]))
        for placed in firsts
    )


def chosen_piece(position, use_hold):
    return position.pieces[0] if not use_hold else position.hold or position.pieces[1]


@pytest.mark.slow
def test_perfect_clears_are_found_as_often_as_an_exhaustive_search_finds_them():
    """Two rows of five lack two pieces: the same of 48 boards, pieces and held ones drawn at random can be emptied.

    A perfect clear pays 10 rows; what else two placements can send here is less.
    """
    draw = random.Random(5)
    names = [piece.name for piece in TINY.pieces]
    found, possible = [], []
    for _ in range(6):
        stood = []
        for _ in CASES:
            filled = draw.sample([(x, y) for x in range(5) for y in range(2)], 2)
            pieces = "".join(draw.choice(names) for _ in range(3))
            stood.append(stand(TINY, frozenset(filled), pieces, draw.choice([None, *names]), -1, False))
        plan = plan_by({}, together([state for state, _ in stood]))
        found += (np.asarray(plan.value) >= 10).tolist()
        possible += [find_best(TINY, position, lambda *_: 0.0, depth=2)[0] >= 10 for _, position in stood]
    assert found == possible
    assert 3 <= sum(possible) <= 45  # both happen


@pytest.mark.slow
def test_a_plan_is_a_legal_action_and_can_be_typed():
    """The engine puts the piece where it was planned, and `finesse` finds keys that do the same."""
    states, plan = planned()
    actions = playing.action_of(ENV, plan)
    play = jax.jit(jax.vmap(lambda state, action: ENV.transition(state, action, ENV.default_params)))
    after, _, _, _, events = play(states, actions)
    assert np.asarray(events.locked).all()
    for number in (0, 3):
        board, *rest = CASES[number]
        state, position = stand(TINY, read(board), *rest)
        kind = chosen_piece(position, bool(plan.use_hold[number]))
        where = [int(field[number]) for field in (plan.orientation, plan.x, plan.y)]
        cells = position.cells | plain_planner.cells_at(kind, *where)
        full = [y for y in range(TINY.height) if all((x, y) in cells for x in range(TINY.width))]
        assert int(events.lines[number]) == len(full)
        left = {(x, y - sum(row < y for row in full)) for x, y in cells if y not in full}
        rows = np.asarray(after.rows[number])
        assert {(x, y) for y, row in enumerate(rows) for x in range(TINY.width) if row >> x & 1} == left
        placement = Placement(bool(plan.use_hold[number]), *where, spin=int(events.spin[number]))
        keys = finesse.keys(TINY, default_params(TINY), state, placement)
        assert keys[-1] == "hard_drop" or len(keys) > 1


def test_every_placement_is_found_with_its_spin():
    """On boards with overhangs the list has exactly the placements of a plain search."""
    from tetrax.env.game.reach.flood import Start
    from tetrax.search import resting, stacks

    choose = random.Random(3)
    boards, kinds = [read(BOARDS[0]), read(BOARDS[1])], ["T", "T"]
    names = [piece.name for piece in TINY.pieces]
    for _ in range(24):
        cells = set()
        for y in range(choose.randrange(5)):
            hole = choose.randrange(5)
            cells |= {(x, y) for x in range(5) if x != hole and choose.random() < 0.7}
        boards.append(frozenset(cells))
        kinds.append(choose.choice("TTTSIL"))
    rows = np.zeros((len(boards), TINY.total_height), np.uint32)
    for number, cells in enumerate(boards):
        for x, y in cells:
            rows[number, y] |= 1 << x
    kind = jnp.asarray([names.index(name) for name in kinds], jnp.int32)
    zero = jnp.zeros(len(boards), jnp.int32)
    x, y = (jnp.asarray(table.astype(np.int32))[kind] for table in (TINY.spawn_x, TINY.spawn_y))
    start = Start(zero, x, y, zero - 1, zero == 0)
    stack = jnp.stack(stacks.from_rows(TINY, jnp.asarray(rows)))
    found = jax.jit(lambda stack, kind, start: resting.find(TINY, stack, (kind,), (start,)))(
        stack, kind, start
    )
    some_spins = 0
    for number, (cells, name) in enumerate(zip(boards, kinds, strict=True)):
        expected = {}
        for spin, facing, bottom, left in spawned(TINY, cells, name).places():
            if bottom < TINY.height:
                filled = plain_planner.cells_at(name, facing, left, bottom)
                expected[filled] = max(spin, expected.get(filled, 0))
        listed = {}
        for facing in range(4):
            for left in range(TINY.width):
                words = [int(words[facing, left, number]) for words in found]
                for bottom in range(TINY.height):
                    rests, mini, full = (word >> (31 - bottom) & 1 for word in words)
                    if rests:
                        filled = plain_planner.cells_at(name, facing, left, bottom)
                        assert filled not in listed
                        listed[filled] = 2 if full else 1 if mini else 0
        assert listed == expected, (number, name)
        some_spins += sum(spin > 0 for spin in expected.values())
    assert some_spins > 1


@pytest.mark.slow
def test_hidden_pieces_decide_nothing():
    """Games that look alike, with other keys and so with other pieces to come, are played alike."""
    board, *rest = CASES[3]
    states = together([stand(TINY, read(board), *rest, seed=seed)[0] for seed in range(6)])
    size = beam.Size(width=12, clear_width=4, depth=4, beyond=2)
    weights = jnp.tile(flatten(build(WEIGHTS, {"height": -1.0}, 1.0))[None], (6, 1))

    def plan(state, weights, key):
        found = playing.choose(ENV, size, 0, weights[None], jax.tree.map(lambda leaf: leaf[None], state), key)
        return jax.tree.map(lambda leaf: leaf[0], found)

    keys = jax.random.split(jax.random.key(5, impl="threefry2x32"), 3)
    plan = jax.jit(jax.vmap(plan))
    states = states.replace(bag=jnp.full_like(states.bag, 0b0110))  # what is left in the bag is known
    for key in keys:
        found = plan(states, weights, jnp.stack([key] * 6))
        for field in jax.tree.leaves(found):
            np.testing.assert_array_equal(field, np.broadcast_to(field[:1], field.shape))
    # The draws that are believed do come from the key that is given.
    found = plan(jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * 3), states), weights[:3], keys)
    assert len(set(np.asarray(found.value).tolist())) > 1


def test_of_equal_boards_the_best_goes_on():
    score = jnp.asarray([[1.0, 5.0, 4.0, 3.0, -jnp.inf, 2.0]])
    names = jnp.asarray([[[7, 8, 8, 9, 9, 7]], [[1, 1, 1, 1, 2, 2]]], jnp.uint32)
    index, exists = beam.find_best(score, names, 2)
    assert (index.tolist(), exists.tolist()) == ([[1, 3]], [[True, True]])
    index, exists = beam.find_best(score, names, 6)
    assert exists.tolist() == [[True] * 4 + [False] * 2]
    assert index[0, :4].tolist() == [1, 3, 5, 0]  # of 8 the better one; 7 with two different second names
    known = jnp.asarray([[[9]], [[1]]], jnp.uint32)
    index, exists = beam.find_best(score, names, 2, known)
    assert (index.tolist(), exists.tolist()) == ([[1, 5]], [[True, True]])


@pytest.mark.slow
def test_what_pays_after_the_last_placement_is_worth_nothing():
    """With one placement left only what it sends counts; with many the weights count in full."""
    state, position = stand(TINY, read(BOARDS[0]), "TIS")
    size = beam.Size(width=220, clear_width=0, depth=2)
    weights = flatten(build(WEIGHTS, {}, 4.0))[None]
    states = together([state])
    found = jax.jit(
        lambda states, key: [playing.choose(ENV, size, last, weights, states, key).value for last in (1, 2)]
    )
    one, two = found(states, jax.random.key(0, impl="threefry2x32"))
    nothing = lambda rules, cells: 0.0  # noqa: E731
    assert float(one[0]) == find_best(TINY, position, nothing, depth=1)[0]
    assert float(two[0]) == find_best(TINY, position, nothing, depth=2)[0]


def test_settings_that_cannot_work():
    for name, value in (("width", 0), ("clear_width", 300), ("depth", 0), ("beyond", -1), ("placements", -1)):
        with pytest.raises(ValueError, match=f"{name}: given {value}"):
            dataclasses.replace(playing.BeamSettings(), **{name: value})
