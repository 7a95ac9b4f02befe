"""Where pieces enter, how a game is lost, half turns and the lock that only counts, beyond the guideline."""

import jax.numpy as jnp
import pytest

from tests.env.game.by_hand import VARIED, active_cells, assert_stands, press, stand, wait
from tests.env.game.test_scoring_by_hand import SPINS
from tetrax.env.game.rules import RULE_PRESETS, Rules
from tetrax.env.game.state import GAME_OVER_REASONS

TETRIO = RULE_PRESETS["tetrio"]
STACK = Rules(width=6, height=6, buffer=5, top_out="stack", preview=1)
EMPTY = "......"
# One line is cleared by O (columns 4 and 5); column 1, then up to row 8, is in the way of a T.
BLOCKED = ".#....\n" * 7 + ".#..OO\n.#..OO\n####.."


def column(cells, x=1, width=6):
    """Draw a column of cells from the floor."""
    return "\n".join(["".join("#" if each == x else "." for each in range(width))] * cells)


def reason(event):
    return GAME_OVER_REASONS[int(event.game_over)]


def test_spawn_row():
    """Row 9 of 8 visible ones (0 to 7) is the second hidden one; nothing falls at once."""
    assert active_cells(VARIED, stand(EMPTY, VARIED, piece="T")) == {(1, 9), (2, 9), (3, 9), (2, 10)}
    assert active_cells(TETRIO, stand("." * 10, TETRIO, piece="T")) == {(3, 21), (4, 21), (5, 21), (4, 22)}


def test_a_blocked_piece_rises_after_a_clear():
    """With the column up to row 8 T enters in row 9, its place; with a cell in row 9 as well, in row 10."""
    state, event = press(stand(BLOCKED, VARIED, queue="T"), "hard_drop", rules=VARIED)
    assert int(event.lines) == 1
    assert active_cells(VARIED, state) == {(1, 9), (2, 9), (3, 9), (2, 10)}
    start = stand(".#....\n" + BLOCKED, VARIED, queue="T", hold="L")
    state, event = press(start, "hard_drop", rules=VARIED)
    assert active_cells(VARIED, state) == {(1, 10), (2, 10), (3, 10), (2, 11)}
    assert (int(state.lowest_y), bool(event.life_lost)) == (9, False)
    # Until the next lock the piece that hold brings rises too.
    state, event = press(state, "hold", rules=VARIED)
    assert active_cells(VARIED, state) == {(1, 10), (2, 10), (3, 10), (3, 11)}
    assert not event.life_lost


def test_no_rise_without_a_clear():
    """A column up to row 9, and a lock that clears nothing."""
    start = stand("....OO\n....OO\n......\n......\n" + column(10), VARIED, queue="T")
    state, event = press(start, "hard_drop", rules=VARIED)
    assert (reason(event), int(state.lives), bool(state.game_over)) == ("block_out", 1, False)


def test_a_piece_may_rise_to_the_ceiling_only():
    """Of 14 rows column 1 fills 13 after the clear: T fits in row 13 no more, and a life is lost."""
    start = stand(".#....\n" * 4 + BLOCKED, VARIED, queue="T", combo=3)
    state, event = press(start, "hard_drop", rules=VARIED)
    assert (int(event.lines), reason(event)) == (1, "block_out")
    assert (int(event.combo), int(state.combo)) == (4, -1)  # the next life begins without one


def test_lock_out_is_not_everywhere():
    """A T that locks wholly above the visible rows: a loss by the guideline, none in TETR.IO's rules."""
    start = stand(column(8) + "\n", VARIED, piece="T", queue="O")
    state, event = press(start, "hard_drop", rules=VARIED)
    assert (int(event.hard_cells), reason(event)) == (1, "lock_out")
    tall = stand(column(20, x=3, width=10), TETRIO, piece="T", queue="OO", x=0)
    state, event = press(tall, "hard_drop", rules=TETRIO)
    assert not event.life_lost
    beside = stand(column(20, x=1, width=10), TETRIO, piece="T", queue="OO", x=0)
    state, event = press(beside, "hard_drop", rules=TETRIO)
    assert (int(event.hard_cells), bool(event.life_lost), int(state.rows[20])) == (1, False, 0b111)


@pytest.mark.parametrize(("drawing", "lost"), [("OO....\nOO....", False), ("OO....\nOO....\n#.....", True)])
def test_stack_out(drawing, lost):
    """On a column of four rows O reaches row 5, the last of 6; on one of five it reaches the seventh."""
    rows = drawing + "\n#....." * 4
    state, event = press(stand(rows, STACK, queue="T"), "hard_drop", rules=STACK)
    assert reason(event) == ("stack_out" if lost else "none")
    assert bool(state.game_over) == lost


def test_what_clears_does_not_lose():
    """O ends in rows 5 and 6, of 0 to 5, but row 5 clears, and what was in row 6 falls."""
    drawing = "....OO\n....OO\n####..\n" + "....##\n" * 5
    _, event = press(stand(drawing, STACK, queue="T"), "hard_drop", rules=STACK)
    assert (int(event.lines), int(event.hard_cells), reason(event)) == (1, 1, "none")


# Half turns: the test that fits first, drawing before and after. Tests of 0 to 2: (0,0) (0,1) (1,1) (-1,1)
# (1,0) (-1,0); a half turn's kick is 8 more than the number of its test.
HALF_TURNS = {
    "8 (0,0)": ("..T...\n.TTT..\n......", "......\n.TTT..\n..T..."),
    "9 (0,1)": ("......\n..T...\n.TTT..", "......\n.TTT..\n..T..."),  # off the floor
    "10 (1,1)": (".#T...\n.TTT..", ".#TTT.\n...T.."),
    "11 (-1,1)": ("..T#..\n.TTT..", "TTT#..\n.T...."),
    "12 (1,0)": (".#T#..\n.TTT..\n..#...", ".#.#..\n..TTT.\n..#T.."),
    "13 (-1,0)": (".#T#..\n.TTT..\n..##..", ".#.#..\nTTT...\n.T##.."),
}


@pytest.mark.parametrize("title", HALF_TURNS)
def test_half_turns(title):
    before, after = HALF_TURNS[title]
    state, _ = press(stand(before, VARIED, facing="0"), "rotate_180", rules=VARIED)
    assert_stands(state, after, VARIED)
    assert int(state.kick) == int(title.split()[0])


# SRS+ turns I to both sides alike. The cells beside it are in the way of the first three tests; the fourth comes
# before the fifth, which would fit too.
LEFT_I = {
    # L to 0: (0,0) (1,0) (-2,0) (1,-2) (-2,1)
    "rotate_cw": (
        "...I......\n..#I#.....\n...I......\n...I......",
        "..........\n..#.#.....\n..........\n...IIII...",
    ),
    # L to 2: (0,0) (1,0) (-2,0) (1,2) (-2,-1)
    "rotate_ccw": (
        "...I......\n...I......\n..#I#.....\n...I......",
        "...IIII...\n..........\n..#.#.....\n..........",
    ),
}


@pytest.mark.parametrize("key", LEFT_I)
def test_i_turns_to_both_sides_alike(key):
    before, after = LEFT_I[key]
    state, _ = press(stand(before, TETRIO, facing="L"), key, rules=TETRIO)
    assert_stands(state, after, TETRIO)
    assert int(state.kick) == 3
    before, after = ("\n".join(row[::-1] for row in drawing.split()) for drawing in (before, after))
    other_key = {"rotate_cw": "rotate_ccw", "rotate_ccw": "rotate_cw"}[key]
    state, _ = press(stand(before, TETRIO, facing="R"), other_key, rules=TETRIO)
    assert_stands(state, after, TETRIO)
    assert int(state.kick) == 3


def test_a_quarter_turn_goes_before_a_half_turn():
    start = stand("..T...\n.TTT..\n......", VARIED, facing="0")
    state, _ = press(start, "rotate_cw", "rotate_180", rules=VARIED)
    assert (int(state.orientation), int(state.kick)) == (1, 0)
    state, _ = press(start, "rotate_cw", "rotate_ccw", "rotate_180", rules=VARIED)
    assert (int(state.orientation), int(state.kick)) == (2, 8)


def test_no_half_turn_without_the_tables():
    state, _ = press(stand("....T.....\n...TTT....\n.........."), "rotate_180")
    assert (int(state.orientation), int(state.kick)) == (0, -1)


def test_the_fifth_test_in_tetrio():
    """From 0 to R it makes a spin full as ever; (R to 0 by it does not, nor does a half turn's test 12)."""
    key, facing, drawing, _ = SPINS["full by the fifth test, double"]
    turned, _ = press(stand(drawing, TETRIO, facing=facing), key, rules=TETRIO)
    assert (int(turned.kick), int(turned.orientation)) == (4, 1)
    _, event = press(turned, "hard_drop", rules=TETRIO)
    assert int(event.spin) == 2
    # A T on the floor at a wall of one cell: three corners, in front (0, 2) is open: a mini by any test.
    start = stand("...#T.....\n...TTT....", TETRIO, kick=4)
    spins = [
        int(press(start.replace(kick=jnp.int32(kick)), "hard_drop", rules=TETRIO)[1].spin)
        for kick in (0, 4, 12)
    ]
    assert spins == [1, 1, 1]
    guideline = stand("...#T.....\n...TTT....", kick=4)
    spins = [int(press(guideline.replace(kick=jnp.int32(kick)), "hard_drop")[1].spin) for kick in (0, 4, 12)]
    assert spins == [1, 2, 1]


def test_step_count():
    """Every tick on the ground counts, and nothing starts the count again: neither moves nor falling."""
    ledge = "...T..\n..TTT.\n...###\n......"
    state = wait(stand(ledge, VARIED, facing="0"), 2, rules=VARIED)
    assert int(state.lock_timer) == 1
    state = wait(state, 1, "left", rules=VARIED)
    assert int(state.lock_timer) == 2
    state = wait(state, 1, "left", rules=VARIED)  # off the ledge
    assert int(state.lock_timer) == 2
    state = wait(state, 1, "soft_drop", rules=VARIED)  # 20 × 0.1 rows: two, to the floor, a new lowest row
    assert (int(state.y), int(state.lock_timer)) == (-1, 3)
    state = wait(state, 1, rules=VARIED)
    _, event = press(state, "right", rules=VARIED)
    assert bool(event.locked)
