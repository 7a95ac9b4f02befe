"""The engine equals the slow reference game in every field after every tick, over several Rules.

Games are played by players that meet everything there is to meet; that they did is part of the test, as a
comparison in which nothing happens shows nothing. `python -m tests.fuzz` compares any number of ticks more.
"""

import dataclasses

import numpy as np
import pytest

from tests.reference import compare
from tests.reference.cases import DROP_CASES, TICK_CASES
from tests.reference.compare import params_of, play, rules_of
from tests.reference.game import Settings
from tests.reference.report import DifferenceError
from tests.reference.side import Case
from tests.reference.tables import CELLS, FACINGS, SHAPES, kick_tests
from tetrax.env.game.rules import default_params

ALL_KICKS = {f"{kind} kick {index}": 10 for kind in ("I", "JLSTZ") for index in range(5)}

# What must have happened in each case, how often at least (about half of what does).
AT_LEAST = {
    "guideline": ALL_KICKS
    | {"locked by delay": 200, "locked by hard drop": 2000, "locked by soft drop": 50}
    | {
        "1 lines": 200,
        "2 lines": 60,
        "3 lines": 25,
        "4 lines": 20,
        "back-to-back": 7,
        "combo of 2 or more": 7,
    }
    | {"mini 0 lines": 60, "mini 1 lines": 8, "full 0 lines": 1, "full 1 lines": 1, "full 2 lines": 1}
    | {"full 3 lines": 1, "perfect clear": 10, "perfect clear by back-to-back tetris": 1}
    | {"block-out": 20, "lock-out": 2, "block-out by hold": 1, "hold": 500, "hold refused": 150}
    | {"no more restarts": 1000, "highest score": 1000},
    "no hold, no preview, uniform, 60 ticks a second": {"locked by delay": 50, "hold refused": 250}
    | {"no more restarts": 2000, "perfect clear": 7, "block-out": 7, "4 lines": 4},
    "infinite placement, fixed gravity, T and I": ALL_KICKS
    | {"locked by delay": 200, "no more restarts": 100, "4 lines": 30, "full 2 lines": 5, "full 3 lines": 4}
    | {"back-to-back": 19, "combo of 2 or more": 20, "mini 1 lines": 7},
    "classic lock, no kicks, no spawn drop": {"locked by delay": 300, "JLSTZ kick 0": 250, "4 lines": 15}
    | {"block-out": 17, "lock-out": 5, "block-out by hold": 1, "hold": 300},
    "6x8, fast, two restarts": ALL_KICKS
    | {"block-out": 250, "block-out by hold": 5, "lock-out": 60, "no more restarts": 3000}
    | {"full 0 lines": 1, "full 2 lines": 3, "full 3 lines": 4, "mini 1 lines": 8, "perfect clear": 25},
    "4x6 dominoes": {"1 lines": 400, "2 lines": 120, "perfect clear": 150, "JLSTZ kick 0": 1000},
    "invented pieces, quick lock": ALL_KICKS
    | {"locked by delay": 300, "1 lines": 180, "2 lines": 20}
    | {"mini 1 lines": 6, "full 2 lines": 5, "full 3 lines": 3, "block-out": 60, "lock-out": 15},
    "guideline, whole pieces": {"locked by placing": 3500, "4 lines": 18, "back-to-back": 5, "hold": 300}
    | {"legal placements": 150_000, "illegal placements tried": 200, "block-out": 50, "lock-out": 35}
    | {"perfect clear": 9},
    "6x8, whole pieces": {"locked by placing": 4000, "4 lines": 37, "hold": 500, "lock-out": 200}
    | {"perfect clear": 60, "legal placements": 70_000},
    "invented pieces, whole pieces, no preview, no hold": {"locked by placing": 2800, "1 lines": 200}
    | {"block-out": 130, "lock-out": 90, "perfect clear": 13, "legal placements": 50_000},
}


@pytest.mark.parametrize("case", TICK_CASES + DROP_CASES, ids=lambda case: case.name)
def test_engine_equals_reference(case):
    tally = play(case)
    assert tally["steps"] == case.boards * case.steps
    too_rare = {name: tally[name] for name, least in AT_LEAST[case.name].items() if tally[name] < least}
    assert not too_rare


def test_enough_is_compared():
    assert sum(case.boards * case.steps for case in TICK_CASES) >= 200_000
    assert sum(case.boards * case.steps for case in DROP_CASES) >= 20_000


def test_tables():
    """Every cell and every kick test of the engine's tables is the reference's, also those seldom met."""
    names = "".join(CELLS)
    tables = rules_of(Settings(pieces=names)).tables
    for kind, name in enumerate(names):
        for number, facing in enumerate(FACINGS):
            rows = tables.rows[kind, number].tolist()
            drawn = {(x, y) for y, row in enumerate(rows) for x in range(4) if row >> x & 1}
            assert drawn == set(SHAPES[name][facing]), (name, facing)
            for direction, step in enumerate((1, 3)):
                wanted = kick_tests(name, facing + FACINGS[(number + step) % 4])
                given = [tuple(test) for test in tables.kicks[kind, number, direction].tolist()]
                assert given[: len(wanted)] == wanted, (name, facing, step)
                assert set(given[len(wanted) :]) <= {(0, 0)}  # a test that failed fails again


@pytest.mark.parametrize("ticks_per_second", [1, 3, 10, 50, 60, 1000])
def test_default_numbers(ticks_per_second):
    """Gravity of level 1 is a row a second and the lock delay half a second, in ticks rounded up."""
    settings = Settings(ticks_per_second=ticks_per_second)
    params = default_params(rules_of(settings))
    half_second = {1: 1, 3: 2, 10: 5, 50: 25, 60: 30, 1000: 500}[ticks_per_second]
    row_a_second = {1: 65536, 3: 21846, 10: 6554, 50: 1311, 60: 1093, 1000: 66}[ticks_per_second]
    expected = dataclasses.replace(settings, lock_delay=half_second, fixed_gravity=row_a_second)
    assert params == params_of(expected)


def test_a_difference_is_found_and_drawn(monkeypatch):
    """The comparison sees a single changed bit, and says where."""
    history = compare.engine_history

    def spoiled(case, side, keys):
        new_games, states, events, played_keys = history(case, side, keys)
        rows, *others = states[7][1]
        states[7][1] = ((rows[0] ^ 2, *rows[1:]), *others)
        return new_games, states, events, played_keys

    monkeypatch.setattr(compare, "engine_history", spoiled)
    with pytest.raises(
        DifferenceError, match=r"(?s)step 7, board 1, .*\n  rows: .*before +reference +engine"
    ):
        play(Case("spoiled", TICK_CASES[0].settings, boards=2, steps=10))


def test_a_changed_key_is_found(monkeypatch):
    history = compare.engine_history

    def spoiled(case, side, keys):
        *others, played_keys = history(case, side, keys)
        return *others, np.bitwise_xor(played_keys, np.uint32(1))

    monkeypatch.setattr(compare, "engine_history", spoiled)
    with pytest.raises(AssertionError):
        play(Case("spoiled", TICK_CASES[0].settings, boards=2, steps=10))
