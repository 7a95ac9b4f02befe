"""Both sides play alike: in a mirror J is L and S is Z, and as many placements are found.

Pieces enter above everything, where the column in which they do so matters to nothing. There are two exceptions, which
try the same places to both sides in another order (tests/env/game/test_rule_tables.py): I of SRS, and half turns of
lying pieces, which go to the right first. On the empty board these change no count of the queues below.
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
@pytest.mark.slow
def test_a_board_and_its_image_have_as_many_placements(name, kicks, spawn_y, spins):
    there, back = both_sides(name, kicks, spawn_y, spins)
    assert there == back > 10 * NUM_BOARDS


def test_i_of_srs_is_the_exception():
    there, back = both_sides("I", "srs", 20, False)
    assert there != back


@pytest.mark.parametrize(
    ("queue", "kicks", "spawn_y", "expected"),
    [
        ("OLJS", "srs", 20, [9, 306, 10722, 194909]),  # published
        pytest.param("JSLZ", "srs180", 20, [34, 585, 20893, 388331], marks=pytest.mark.slow),
        pytest.param("JSI", "srs+", 5, [34, 585, 10154], marks=pytest.mark.slow),
    ],
)
def test_a_queue_and_its_image_have_as_many_placements(queue, kicks, spawn_y, expected):
    image = queue.translate(IMAGES)
    assert [count.placements for count in counts(image, kicks, spawn_y, False)] == expected
    if kicks != "srs":  # those of SRS are in test_counting
        assert [count.placements for count in counts(queue, kicks, spawn_y, False)] == expected
