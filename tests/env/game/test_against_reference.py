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
from tests.reference.report import DifferenceError
from tests.reference.settings import Settings
from tests.reference.side import Case
from tests.reference.tables import CELLS, FACINGS, HAVE_HALF_TURNS, SHAPES, kick_tests
from tetrax.env.game.rules import default_params

# What must have happened in each case, how often at least (about a third of what does).
AT_LEAST = {
    "guideline": """
        1200 0 lines, 120 1 lines, 44 2 lines, 17 3 lines, 15 4 lines, 51 I kick 0, 18 I kick 1, 5 I
        kick 2, 21 I kick 3, 12 I kick 4, 1000 JLSTZ kick 0, 180 JLSTZ kick 1, 250 JLSTZ kick 2, 140
        JLSTZ kick 3, 54 JLSTZ kick 4, 6 back-to-back, 14 block-out, 9 combo of 2 or more, 1 full 2
        lines, 1 full 3 lines, 1200 highest score, 260 hold, 79 hold refused, 1 lock-out, 120 locked by
        delay, 1300 locked by hard drop, 29 locked by soft drop, 52 mini 0 lines, 4 mini 1 lines, 520 no
        more restarts, 5 perfect clear, 1 perfect clear by back-to-back tetris""",
    "no hold, no preview, uniform, 60 ticks a second": """
        5 4 lines, 4 block-out, 160 hold refused, 39 locked by delay, 1700 no more restarts, 1 perfect
        clear""",
    "infinite placement, fixed gravity, T and I": """
        14 4 lines, 180 I kick 0, 42 I kick 1, 31 I kick 2, 180 I kick 3, 140 I kick 4, 470 JLSTZ kick
        0, 55 JLSTZ kick 1, 210 JLSTZ kick 2, 15 JLSTZ kick 3, 19 JLSTZ kick 4, 7 back-to-back, 11 combo
        of 2 or more, 2 full 2 lines, 2 full 3 lines, 91 locked by delay""",
    "classic lock, no kicks, no spawn drop": """9 4 lines, 170 JLSTZ kick 0, 13 block-out, 180 hold,
        2 lock-out, 240 locked by delay""",
    "6x8, fast, two restarts": """
        19 I kick 0, 10 I kick 1, 7 I kick 2, 10 I kick 3, 5 I kick 4, 370 JLSTZ kick 0, 140 JLSTZ kick
        1, 140 JLSTZ kick 2, 26 JLSTZ kick 3, 11 JLSTZ kick 4, 120 block-out, 1 block-out by hold, 4
        full 2 lines, 26 lock-out, 3 mini 1 lines, 1300 no more restarts, 14 perfect clear, 2 perfect
        clear by back-to-back tetris""",
    "4x6 dominoes": """320 1 lines, 130 2 lines, 850 JLSTZ kick 0, 190 perfect clear""",
    "invented pieces, quick lock": """
        120 1 lines, 11 2 lines, 2 I kick 4, 18 JLSTZ kick 2, 47 block-out, 4 full 2 lines, 1 full 3
        lines, 8 lock-out, 230 locked by delay, 3 mini 1 lines""",
    "TETR.IO": """
        44 1 lines, 4 3 lines, 5 4 lines, 49 I kick 0, 8 I kick 1, 12 I kick 2, 5 I kick 3, 4 I kick 4,
        17 I kick 8, 31 I kick 9, 690 JLSTZ kick 0, 80 JLSTZ kick 1, 14 JLSTZ kick 10, 120 JLSTZ kick 2,
        75 JLSTZ kick 3, 24 JLSTZ kick 4, 280 JLSTZ kick 8, 110 JLSTZ kick 9, 100 attack,
        3 back-to-back, 27 block-out, 1 block-out by hold, 30 cancelled, 1 full 0 lines,
        1 full 1 lines, 5 full
        queue, 42 garbage cleared, 470 garbage entered, 720 garbage requested, 8 mini 0 lines, 1 mini 1
        lines""",
    "three lives, garbage all the time": """
        78 I kick 0, 19 I kick 1, 9 I kick 2, 18 I kick 3, 5 I kick 4, 17 I kick 8, 37 I kick 9, 650
        JLSTZ kick 0, 140 JLSTZ kick 1, 14 JLSTZ kick 10, 100 JLSTZ kick 2, 39 JLSTZ kick 3, 22 JLSTZ
        kick 4, 190 JLSTZ kick 8, 77 JLSTZ kick 9, 300 attack, 140 block-out, 2 block-out by hold, 97
        cancelled, 1 full 2 lines, 100 garbage cleared, 970 garbage entered, 960 garbage requested, 7
        garbage-out, 100 lock-out, 290 locked by delay, 1600 locked by hard drop, 100 locked by soft
        drop, 6 mini 1 lines, 180 played on, 7 risen""",
    "a list, until the stack is too high": """
        2 4 lines, 100 attack, 21 cancelled, 5 full 2 lines, 1 full 3 lines, 37 garbage cleared, 490
        garbage entered, 300 garbage requested, 5 garbage-out, 48 played on, 74 stack-out""",
    "guideline, whole pieces": """
        9 4 lines, 3 back-to-back, 36 block-out, 280 hold, 150 illegal placements tried, 100000 legal
        placements, 25 lock-out, 2500 locked by placing, 6 perfect clear""",
    "6x8, whole pieces": """
        20 4 lines, 370 hold, 46000 legal placements, 120 lock-out, 2600 locked by placing, 34 perfect
        clear""",
    "invented pieces, whole pieces, no preview, no hold": """
        150 1 lines, 88 block-out, 33000 legal placements, 61 lock-out, 1800 locked by placing, 8
        perfect clear""",
    "the literature's game": """67 1 lines, 7 4 lines, 22000 legal placements, 960 locked by placing,
        54 stack-out""",
    "garbage and two lives, whole pieces": """
        81 attack, 69 block-out, 23 cancelled, 48 garbage cleared, 280 garbage entered, 94 garbage
        requested, 25000 legal placements, 25 lock-out, 970 locked by placing, 50 played
        on""",
}
# Compared only with the slow tests.
SLOW = (
    "6x8, whole pieces",
    "three lives, garbage all the time",
    "guideline, whole pieces",
    "TETR.IO",
    "6x8, fast, two restarts",
    "no hold, no preview, uniform, 60 ticks a second",
    "infinite placement, fixed gravity, T and I",
    "classic lock, no kicks, no spawn drop",
    "4x6 dominoes",
    "invented pieces, quick lock",
    "a list, until the stack is too high",
    "invented pieces, whole pieces, no preview, no hold",
    "garbage and two lives, whole pieces",
)
ALL_CASES = [
    pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.name in SLOW else [])
    for case in TICK_CASES + DROP_CASES
]


@pytest.mark.parametrize("case", ALL_CASES)
def test_engine_equals_reference(case):
    tally = play(case)
    assert tally["steps"] == case.boards * case.steps
    for wanted in AT_LEAST[case.name].split(","):
        least, what = " ".join(wanted.split()).split(maxsplit=1)
        assert tally[what] >= int(least), f"{what}: {tally[what]}, not {least}"


def test_enough_is_compared():
    assert sum(case.boards * case.steps for case in TICK_CASES) >= 200_000
    assert sum(case.boards * case.steps for case in DROP_CASES) >= 20_000


@pytest.mark.parametrize("kicks", ["none", "srs", "srs180", "srs+"])
def test_tables(kicks):
    """Every cell and every kick test of the engine's tables is the reference's, also those seldom met."""
    names = "".join(CELLS)
    tables = rules_of(Settings(pieces=names, kicks=kicks)).tables
    for kind, name in enumerate(names):
        for number, facing in enumerate(FACINGS):
            rows = tables.rows[kind, number].tolist()
            drawn = {(x, y) for y, row in enumerate(rows) for x in range(4) if row >> x & 1}
            assert drawn == set(SHAPES[name][facing]), (name, facing)
            for direction, step in enumerate((1, 3, 2) if kicks in HAVE_HALF_TURNS else (1, 3)):
                wanted = kick_tests(kicks, name, facing + FACINGS[(number + step) % 4])
                given = [tuple(test) for test in tables.kicks[kind, number, direction].tolist()]
                assert given[: len(wanted)] == wanted, (name, facing, step)
                assert set(given[len(wanted) :]) <= {(0, 0)}  # a test that failed fails again


@pytest.mark.parametrize("ticks_per_second", [1, 3, 10, 50, 60, 1000])
def test_default_numbers(ticks_per_second):
    """Gravity of level 1 is a row a second, the lock delay half one, garbage waits a third: in ticks."""
    settings = Settings(ticks_per_second=ticks_per_second)
    params = default_params(rules_of(settings))
    half_second = {1: 1, 3: 2, 10: 5, 50: 25, 60: 30, 1000: 500}[ticks_per_second]
    row_a_second = {1: 65536, 3: 21846, 10: 6554, 50: 1311, 60: 1093, 1000: 66}[ticks_per_second]
    third = {1: 0, 3: 1, 10: 3, 50: 17, 60: 20, 1000: 333}[ticks_per_second]
    expected = dataclasses.replace(
        settings, lock_delay=half_second, fixed_gravity=row_a_second, garbage_delay=third
    )
    assert params == params_of(expected)


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_changed_key_is_found(monkeypatch):
    history = compare.engine_history

    def spoiled(case, side, keys):
        *others, played_keys = history(case, side, keys)
        return *others, np.bitwise_xor(played_keys, np.uint32(1))

    monkeypatch.setattr(compare, "engine_history", spoiled)
    with pytest.raises(AssertionError):
        play(Case("spoiled", TICK_CASES[0].settings, boards=2, steps=10))
