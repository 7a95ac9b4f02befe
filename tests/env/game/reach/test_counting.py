"""Perft against published counts and against a plain search of one board.

The counts are those that move generators for Tetris publish; each was found by two or more of them. SRS+ parts
from SRS with half turns at depth 6 only, so that its own count is among the slow ones; `test_mirrored_play` tells
the two apart sooner.
"""

import numpy as np
import pytest

from tests.env.game.reach.test_placements import Search, cells_of
from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.reach import counting

NAMES = [piece.name for piece in TETROMINOES]

# queue, kicks, row of the rotation centre at spawn, spins apart, placements at depth 1, 2, …
QUICK = [
    ("IOLJ", "srs", 20, False, [17, 153, 5266, 188374]),
    ("OLJS", "srs", 20, False, [9, 306, 10722, 194909]),
    ("IIII", "srs", 20, False, [17, 289, 5069, 92025]),
    ("TTTT", "srs", 20, True, [34, 1190, 43166, 1615550]),
    ("IIII", "srs180", 5, True, [17, 287, 4909, 76695]),
    ("IOLJ", "srs180", 5, True, [17, 153, 4922, 162035]),
    ("IIII", "srs+", 5, True, [17, 287, 4909, 76695]),
]
SLOW = [
    ("TTTT", "srs180", 5, True, [34, 1190, 42433, 1413849]),
    ("IOLJSZ", "srs", 20, False, [17, 153, 5266, 188374, 3497187, 67002200]),
    ("OLJSZ", "srs", 20, False, [9, 306, 10722, 194909, 3646593]),
    ("IIIIII", "srs", 20, False, [17, 289, 5069, 92025, 1725571, 33325433]),
    ("IIIIII", "srs180", 5, True, [17, 287, 4909, 76695, 1061397, 12955951]),
    ("IIIIII", "srs+", 5, True, [17, 287, 4909, 76695, 1061397, 12955903]),
    ("IOLJS", "srs180", 5, True, [17, 153, 4922, 162035, 2528679]),
]


def kinds(queue):
    return tuple(map(NAMES.index, queue))


def counts(queue, kicks, spawn_y, spins):
    rules = counting.rules_for(kicks, spawn_y, 0, len(queue))
    return list(counting.perft(rules, kinds(queue), np.zeros(rules.total_height, np.uint32), spins=spins))


@pytest.mark.parametrize(("queue", "kicks", "spawn_y", "spins", "expected"), QUICK)
@pytest.mark.slow
def test_published_counts(queue, kicks, spawn_y, spins, expected):
    assert [count.placements for count in counts(queue, kicks, spawn_y, spins)] == expected


@pytest.mark.slow
@pytest.mark.parametrize(("queue", "kicks", "spawn_y", "spins", "expected"), SLOW)
def test_published_counts_to_more_depth(queue, kicks, spawn_y, spins, expected):
    assert [count.placements for count in counts(queue, kicks, spawn_y, spins)] == expected


def test_half_turns_of_a_high_spawn_in_two_words_of_rows():
    rules = counting.rules_for("srs180", 28, 28, 2)
    assert rules.total_height == 64
    rows = np.zeros(64, np.uint32)
    rows[:25] = 0b1111001111  # a shaft, so that pieces come down through the seam of the words
    (found,) = counting.perft(rules, kinds("L"), rows, spins=True)
    search = Search(rules, cells_of(rows, 10), "L", ("0", 3, 27), -1)
    cells = {
        frozenset(search.cells(pose))
        for pose in search.classes
        if not search.fits((pose[0], pose[1], pose[2] - 1))
    }
    assert found.by_spin == (len(cells), 0, 0)


def test_equal_boards_are_joined_and_their_ways_added():
    boards = np.array([[1, 2], [3, 4], [1, 2], [2, 1], [1, 2]], np.uint32)
    joined, ways = counting.merge(boards, np.array([1, 10, 100, 1000, 10000]))
    found = {tuple(board): way for board, way in zip(joined.tolist(), ways.tolist(), strict=True)}
    assert found == {(1, 2): 10101, (3, 4): 10, (2, 1): 1000}


def test_a_blocked_spawn_has_no_placements():
    rules = counting.rules_for("srs", 20, 0, 2)
    rows = np.zeros(rules.total_height, np.uint32)
    rows[20] = 1 << 4
    assert [count.placements for count in counting.perft(rules, kinds("IO"), rows)] == [0, 0]
