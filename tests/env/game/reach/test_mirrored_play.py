"""Both sides play alike: in a mirror J is L and S is Z, and as many placements are found.

Pieces enter above everything, where the column in which they do so matters to nothing. I of SRS is the exception: it
tries the same places to both sides, in another order (tests/env/game/test_rule_tables.py).
"""

import numpy as np
import pytest

from tests.env.game.reach.test_counting import counts, kinds
from tetrax.env.game.reach import counting

IMAGES = str.maketrans("JLSZ", "LJZS")
NUM_BOARDS = 1024  # as many as go through the program at once


def boards(num_rows, high):
    """Draw boards with cells in the lowest rows, many with overhangs; return them and their mirror images."""
    draw = np.random.default_rng(12)
    cells = draw.random((NUM_BOARDS, high, 10)) < draw.uniform(0.3, 0.75, (NUM_BOARDS, 1, 1))
    cells &= ~cells.all(axis=2, keepdims=True)
    words = np.zeros((2, NUM_BOARDS, num_rows), np.uint32)
    words[0, :, :high] = (cells << np.arange(10)).sum(axis=2)
    words[1, :, :high] = (cells[:, :, ::-1] << np.arange(10)).sum(axis=2)
    return words


def both_sides(name, kicks, spawn_y, spins):
    """Count a piece's placements on all boards, and its image's on theirs."""
    rules = counting.rules_for(kicks, spawn_y, 0, 4)
    drawn = boards(rules.total_height, spawn_y - 1 if spawn_y < 10 else 10)
    images = (name, name.translate(IMAGES))
    once = np.ones(NUM_BOARDS, np.int64)
    return [
        counting._count(rules, *kinds(image), words, once, spins=spins).placements
        for image, words in zip(images, drawn, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "kicks", "spawn_y", "spins"),
    [("J", "srs", 20, False), ("S", "srs", 20, False), ("T", "srs", 20, True), ("I", "srs+", 5, True)],
)
def test_a_board_and_its_image_have_as_many_placements(name, kicks, spawn_y, spins):
    there, back = both_sides(name, kicks, spawn_y, spins)
    assert there == back > 10 * NUM_BOARDS


def test_i_of_srs_is_the_exception():
    there, back = both_sides("I", "srs", 20, False)
    assert there != back


def test_a_queue_and_its_image_have_as_many_placements():
    """The published counts of OLJS are those of OJLZ."""
    found = [count.placements for count in counts("OJLZ", "srs", 20, False)]
    assert found == [9, 306, 10722, 194909]
