"""Spins and points, one test per line of RULES.md, worked by hand on drawn boards."""

import pytest

from tests.env.game.by_hand import assert_stands, press, stand

FULL, MINI, NONE = 2, 1, 0

# Drops that clear 1 to 4 lines and leave a cell; each is (drawing, cells the piece falls).
CLEARS = {
    1: (
        """
        ...IIII...
        ..........
        #.........
        ###....###
        """,
        3,
    ),
    2: (
        """
        ....OO....
        ....OO....
        #.........
        ####..####
        ####..####
        """,
        3,
    ),
    3: (
        """
        .........I
        .........I
        .........I
        #........I
        #########.
        #########.
        #########.
        """,
        3,
    ),
    4: (
        """
        .........I
        .........I
        .........I
        .........I
        #.........
        #########.
        #########.
        #########.
        #########.
        """,
        5,
    ),
}


def drop(drawing, **numbers):
    """Hard-drop the drawn piece; return the state after and the event."""
    state, event = press(stand(drawing, **numbers), "hard_drop")
    assert event.locked
    assert int(state.score) == int(event.score) + numbers.get("score", 0)
    return state, event


@pytest.mark.parametrize(("lines", "points"), [(1, 100), (2, 300), (3, 500), (4, 800)])
def test_clears(lines, points):
    """A clear is worth its points times the level; two more for each cell of the hard drop."""
    drawing, fall = CLEARS[lines]
    state, event = drop(drawing)
    assert (int(event.lines), int(event.hard_cells), int(event.score)) == (lines, fall, points + 2 * fall)
    assert (int(state.combo), int(state.lines), int(state.pieces)) == (0, lines, 1)
    assert not event.perfect_clear and not event.back_to_back
    # 46 lines before: level 5, whatever the clear makes of it.
    _, event = drop(drawing, lines=46)
    assert int(event.score) == 5 * points + 2 * fall


def test_nothing_cleared():
    """The combo ends, the back-to-back chain does not."""
    state, event = drop("..OO......\n..OO......\n..........", combo=3, back_to_back=2)
    assert (int(event.score), int(event.lines), int(event.combo)) == (2, 0, -1)
    assert (int(state.combo), int(state.back_to_back)) == (-1, 2)


def test_combo():
    """50 points for each clearing lock immediately before: the first pays 0, the fourth 150."""
    drawing, _ = CLEARS[2]
    for before, points in ((-1, 0), (0, 50), (2, 150)):
        state, event = drop(drawing, combo=before, lines=10)  # level 2
        assert int(event.score) == 2 * (300 + points) + 6
        assert int(event.combo) == int(state.combo) == before + 1


def test_back_to_back():
    """A second tetris pays 1200; the chain ends with a clear that is not difficult."""
    tetris, fall = CLEARS[4]
    first, event = drop(tetris)
    assert (int(event.score), bool(event.back_to_back), int(first.back_to_back)) == (800 + 2 * fall, False, 0)
    second, event = drop(tetris, back_to_back=0)
    assert (int(event.score), bool(event.back_to_back), int(second.back_to_back)) == (
        1200 + 2 * fall,
        True,
        1,
    )
    # Combo points are not raised: 1200 + 50, at level 3.
    _, event = drop(tetris, back_to_back=4, combo=0, lines=20)
    assert int(event.score) == 3 * 1250 + 2 * fall
    double, fall = CLEARS[2]
    ended, event = drop(double, back_to_back=4)
    assert (int(event.score), bool(event.back_to_back)) == (300 + 2 * fall, False)
    assert int(ended.back_to_back) == -1


@pytest.mark.parametrize(
    ("drawing", "clear", "bonus"),
    [
        ("...IIII...\n###....###", 100, 800),
        ("....OO....\n....OO....\n####..####\n####..####", 300, 1200),
        ("...JJ.....\n...J......\n...J......\n###..#####\n###.######\n###.######", 500, 1800),
        (CLEARS[4][0].replace("#.........", ".........."), 800, 2000),
    ],
    ids=["single", "double", "triple", "tetris"],
)
def test_perfect_clear(drawing, clear, bonus):
    state, event = drop(drawing, lines=30)  # level 4
    assert bool(event.perfect_clear)
    assert not state.rows.any()
    assert int(event.score) == 4 * (clear + bonus) + 2 * int(event.hard_cells)
    # After a difficult clear only the tetris is worth more: 1200, and 3200 for the empty board.
    paid, extra = (1200, 3200) if clear == 800 else (clear, bonus)
    _, event = drop(drawing, lines=30, back_to_back=0)
    assert int(event.score) == 4 * (paid + extra) + 2 * int(event.hard_cells)


# Title: keys, facing before, drawing before, class, lines, points at level 1. Each ends with a rotation that
# leaves the T where it rests, and is then locked by a hard drop of 0 cells.
SPINS = {
    # T turns from R to 2. Corners of its box, columns 3 to 5, rows 0 to 2: (3,0) (5,0) below, (3,2) above.
    # It points down, and both corners below are filled: full.
    "full, double": (
        "rotate_cw",
        "R",
        """
        ...#T.....
        ###.TT####
        ####T#####
        """,
        (FULL, 2, 1200),
    ),
    "full, single": (
        "rotate_cw",
        "R",
        """
        ...#T.....
        ##..TT####
        ####T#####
        """,
        (FULL, 1, 800),
    ),
    "full, no line": (
        "rotate_cw",
        "R",
        """
        ...#T.....
        ###.TT###.
        ####T####.
        """,
        (FULL, 0, 400),
    ),
    # The fifth kick test (see test_kicks_by_hand), three lines.
    "full, triple": (
        "rotate_cw",
        "0",
        """
        ...##T....
        ####TTT...
        ####.#####
        ####..####
        ####.#####
        """,
        (FULL, 3, 1600),
    ),
    # The same with (5,0) empty: of the corners it points to, (5,0) and (5,2), only one is filled, which
    # would be a mini; the fifth test makes it full. Row 0 does not clear.
    "full by the fifth test, double": (
        "rotate_cw",
        "0",
        """
        ...##T....
        ####TTT...
        ####.#####
        ####..####
        ####..####
        """,
        (FULL, 2, 1200),
    ),
    # T against the left wall turns from 0 to R by (-1,0): both corners behind it are wall, (1,0) is filled
    # and (1,2) is not.
    "mini, single": (
        "rotate_cw",
        "0",
        """
        .T........
        TTT.......
        .#########
        """,
        (MINI, 1, 200),
    ),
    "mini, no line": (
        "rotate_cw",
        "0",
        """
        .T........
        TTT.......
        .########.
        """,
        (MINI, 0, 100),
    ),
    # T turns from 2 to R at box (3,2). (0,0) meets (4,4); (-1,0) meets (3,2), (-1,1) meets (4,4); (0,-2)
    # fits: the fourth test. Corners (3,0), (5,0), (3,2) are filled, of the front ones (5,2) is not.
    "mini, double": (
        "rotate_ccw",
        "2",
        """
        ....#.....
        ...TTT....
        ...#T.....
        ####..####
        ####.#####
        """,
        (MINI, 2, 400),
    ),
    # Two corners are not enough: (3,0) and (5,0).
    "none, two corners": (
        "rotate_cw",
        "R",
        """
        ....T....#
        ###.TT####
        ####T#####
        """,
        (NONE, 2, 300),
    ),
}


@pytest.mark.parametrize("title", SPINS)
def test_spins(title):
    key, facing, drawing, (spin, lines, points) = SPINS[title]
    turned, _ = press(stand(drawing, facing=facing), key)
    assert int(turned.kick) >= 0
    state, event = press(turned, "hard_drop")
    assert (int(event.spin), int(event.lines), int(event.hard_cells)) == (spin, lines, 0)
    assert int(event.score) == points
    assert int(state.back_to_back) == (0 if spin and lines else -1)
    # At level 4, after a difficult clear: a spin that clears is paid one and a half times.
    turned, _ = press(stand(drawing, facing=facing, lines=33, back_to_back=1), key)
    _, event = press(turned, "hard_drop")
    raised = spin != NONE and lines > 0
    assert bool(event.back_to_back) == raised
    assert int(event.score) == 4 * (points * 3 // 2 if raised else points)


def test_one_tick_can_turn_and_lock():
    key, facing, drawing, _ = SPINS["full, double"]
    state, event = press(stand(drawing, facing=facing), key, "hard_drop")
    assert (int(event.spin), int(event.score)) == (FULL, 1200)
    assert_stands(state, "...#......")


def test_a_shift_ends_the_spin():
    """A T on the floor, whose two lower corners count, beside a cell over its left arm: a mini.

    Moved away and back to where it was, it is a T like any other.
    """
    turned = stand("...#T.....\n...TTT....", kick=0)
    _, event = press(turned, "hard_drop")
    assert (int(event.spin), int(event.score)) == (MINI, 100)
    moved, _ = press(turned, "right")
    back, _ = press(moved, "left")
    _, event = press(back, "hard_drop")
    assert int(back.x) == int(turned.x)
    assert (int(event.spin), int(event.score)) == (NONE, 0)


def test_a_fall_ends_the_spin():
    """A T turned in the air along the wall falls onto (1, 0): between three corners, and no spin.

    Walked there in its last two rows by a soft drop, it is none either; in place already, it is a mini.
    """
    drawing = """
        T.........
        TT........
        T.........
        ..........
        .#........
    """
    _, event = press(stand(drawing, facing="R", kick=1), "hard_drop")
    assert (int(event.hard_cells), int(event.spin), int(event.score)) == (2, NONE, 4)
    fallen, event = press(stand(drawing, facing="R", kick=1), "soft_drop")
    assert (int(event.soft_cells), int(fallen.kick)) == (2, -1)
    _, event = press(fallen, "hard_drop")
    assert (int(event.hard_cells), int(event.spin)) == (0, NONE)
    _, event = press(fallen.replace(kick=fallen.kick + 2), "hard_drop")
    assert int(event.spin) == MINI


def test_only_t_spins():
    """J on the floor, turned there, between as many filled corners as the T above, gets nothing."""
    _, event = press(stand("...J.#....\n...JJJ....", kick=0), "hard_drop")
    assert (int(event.spin), int(event.score)) == (NONE, 0)


def test_score_stops_at_the_largest_number():
    state, event = press(stand(CLEARS[4][0], score=2**31 - 100), "hard_drop")
    assert int(event.score) == 810
    assert int(state.score) == 2**31 - 1
