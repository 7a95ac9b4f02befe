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

ALL_KICKS = ", ".join(f"4 {kind} kick {index}" for kind in ("I", "JLSTZ") for index in range(5))

# What must have happened in each case, how often at least (about a third of what does).
AT_LEAST = {
    "guideline": f"""{ALL_KICKS}, 150 locked by delay, 1500 locked by hard drop, 30 locked by soft drop,
        150 1 lines, 60 2 lines, 20 3 lines, 15 4 lines, 6 back-to-back, 7 combo of 2 or more,
        50 mini 0 lines, 5 mini 1 lines, 1 full 0 lines, 1 full 1 lines, 2 full 2 lines, 1 full 3 lines,
        7 perfect clear, 1 perfect clear by back-to-back tetris, 16 block-out, 3 lock-out, 300 hold,
        120 hold refused, 700 no more restarts, 1000 highest score""",
    "no hold, no preview, uniform, 60 ticks a second": """30 locked by delay, 180 hold refused,
        1500 no more restarts, 2 perfect clear, 6 block-out, 2 4 lines""",
    "infinite placement, fixed gravity, T and I": f"""{ALL_KICKS}, 130 locked by delay, 70 no more restarts,
        22 4 lines, 5 full 2 lines, 1 full 3 lines, 7 back-to-back, 15 combo of 2 or more""",
    "classic lock, no kicks, no spawn drop": """250 locked by delay, 190 JLSTZ kick 0, 11 4 lines,
        13 block-out, 3 lock-out, 1 block-out by hold, 200 hold""",
    "6x8, fast, two restarts": f"""{ALL_KICKS}, 180 block-out, 2 block-out by hold, 37 lock-out,
        2000 no more restarts, 1 full 0 lines, 4 full 2 lines, 1 full 3 lines, 5 mini 1 lines,
        16 perfect clear, 1 perfect clear by back-to-back tetris""",
    "4x6 dominoes": "280 1 lines, 80 2 lines, 100 perfect clear, 900 JLSTZ kick 0",
    "invented pieces, quick lock": """230 locked by delay, 120 1 lines, 9 2 lines, 4 mini 1 lines,
        3 full 2 lines, 2 full 3 lines, 45 block-out, 12 lock-out, 10 JLSTZ kick 2, 3 I kick 4""",
    "guideline, whole pieces": """2300 locked by placing, 10 4 lines, 2 back-to-back, 200 hold, 5 perfect clear,
        100000 legal placements, 150 illegal placements tried, 35 block-out, 20 lock-out""",
    "6x8, whole pieces": """2600 locked by placing, 24 4 lines, 350 hold, 130 lock-out, 40 perfect clear,
        45000 legal placements""",
    "invented pieces, whole pieces, no preview, no hold": """1800 locked by placing, 150 1 lines,
        85 block-out, 60 lock-out, 8 perfect clear, 33000 legal placements""",
}


@pytest.mark.parametrize("case", TICK_CASES + DROP_CASES, ids=lambda case: case.name)
def test_engine_equals_reference(case):
    tally = play(case)
    assert tally["steps"] == case.boards * case.steps
    for wanted in AT_LEAST[case.name].split(","):
        least, what = wanted.strip().split(maxsplit=1)
        assert tally[what] >= int(least), f"{what}: {tally[what]}, not {least}"


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
