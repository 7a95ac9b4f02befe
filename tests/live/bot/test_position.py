"""A game as a front end tells it, played on by hand."""

from __future__ import annotations

import pytest

from tetrax.env.game.rules import RULE_PRESETS
from tetrax.live.bot import position
from tetrax.live.bot.advisor import EMPTY, tell
from tetrax.live.bot.position import ImpossibleMove, Move, Position

NORTH, EAST, SOUTH, WEST = range(4)


def told(queue: str, hold: str | None = None, rows: tuple[str, ...] = (), **fields: object) -> Position:
    """Make a position; rows are drawn, the highest first."""
    bits = [sum(1 << x for x, mark in enumerate(row) if mark == "#") for row in reversed(rows)]
    plain = {"combo": 0, "back_to_back": False, "bag": None, **fields}
    return Position((*bits, *[0] * (40 - len(bits))), tuple(queue), hold, **plain)  # type: ignore[arg-type]


def test_the_active_piece_is_placed_where_it_is_of_the_moves_kind():
    after = position.play(told("TSZ", "L"), Move("T", NORTH, 1, 0, "none"))
    assert (after.queue, after.hold) == (("S", "Z"), "L")
    assert after.rows[:3] == (0b111, 0b010, 0)


def test_another_kind_is_holds():
    after = position.play(told("TSZ", "L"), Move("L", NORTH, 1, 0, "none"))
    assert (after.queue, after.hold) == (("S", "Z"), "T")
    after = position.play(told("TSZ"), Move("S", NORTH, 1, 0, "none"))
    assert (after.queue, after.hold) == (("Z",), "T")


def test_where_both_are_of_a_kind_nothing_is_held():
    """With a full hold it makes no difference; with an empty one the protocol cannot tell, and means the active one."""
    after = position.play(told("TSZ", "T"), Move("T", NORTH, 1, 0, "none"))
    assert (after.queue, after.hold) == (("S", "Z"), "T")
    after = position.play(told("TTZ"), Move("T", NORTH, 1, 0, "none"))
    assert (after.queue, after.hold) == (("T", "Z"), None)


@pytest.mark.parametrize(
    ("queue", "hold", "move", "said"),
    [
        ("TSZ", "L", Move("O", NORTH, 1, 0, "none"), "O is neither the active piece, T, nor hold's, L"),
        ("TSZ", None, Move("Z", NORTH, 1, 0, "none"), "Z is neither the active piece, T, nor hold's, S"),
        ("T", None, Move("S", NORTH, 1, 0, "none"), "hold brings none that is known"),
        ("", "T", Move("T", NORTH, 1, 0, "none"), "the queue is empty"),
        ("T", None, Move("T", NORTH, 0, 0, "none"), "T north at 0 0 reaches out of the board"),
        ("T", None, Move("T", SOUTH, 1, 0, "none"), "reaches out of the board"),
        ("T", None, Move("T", NORTH, 10**30, 0, "none"), "reaches out of the board"),
    ],
)
def test_moves_that_cannot_be(queue: str, hold: str | None, move: Move, said: str):
    with pytest.raises(ImpossibleMove, match=said):
        position.play(told(queue, hold), move)
    with pytest.raises(ImpossibleMove, match="needs cells that are filled"):
        position.play(told("T", rows=("#.........",)), Move("T", NORTH, 1, 0, "none"))


def test_clears_count_as_combo_and_back_to_back():
    """A T-spin double over two rows with a hole under a roof; then a single, which ends back-to-back; then nothing."""
    before = told("TIO", rows=("##........", "#...######", "##.#######"), combo=2)
    spun = position.play(before, Move("T", SOUTH, 2, 1, "full"))
    assert spun.rows[:2] == (0b11, 0)
    assert (spun.combo, spun.back_to_back) == (3, True)
    single = position.play(
        told("I", rows=("####....##",), combo=3, back_to_back=True), Move("I", NORTH, 5, 0, "none")
    )
    assert (single.rows[0], single.combo, single.back_to_back) == (0, 4, False)
    nothing = position.play(told("I", combo=4, back_to_back=True), Move("I", NORTH, 5, 0, "none"))
    assert (nothing.combo, nothing.back_to_back) == (0, True)


def test_four_lines_are_difficult():
    after = position.play(told("I", rows=("#########.",) * 4), Move("I", EAST, 9, 2, "none"))
    assert (sum(after.rows), after.back_to_back, after.combo) == (0, True, 1)


def test_the_bag_is_that_at_the_end_of_the_queue():
    """New pieces are taken out of it; for a policy that sees five coming pieces, later ones are put back."""
    game = told("IJLOS", bag=frozenset("TZ"))
    game = position.add_piece(game, "T")
    assert (game.queue[-1], game.bag) == ("T", frozenset("Z"))
    game = position.add_piece(game, "Z")
    assert game.bag == frozenset("IJLOSTZ")  # full again
    game = position.add_piece(game, "O")
    assert game.bag == frozenset("IJLSTZ")
    rules = RULE_PRESETS["guideline"]
    names = [piece.name for piece in rules.pieces]
    six = tell(rules, game)
    assert [names[kind] for kind in six.kinds] == list("IJLOST")
    assert six.bag == 1 << names.index("Z")
    assert position.add_piece(told("I", bag=frozenset("T")), "S").bag == frozenset(
        "IJLOTZ"
    )  # it was none of it


def test_a_longer_queue_is_fed_on():
    """After three placements the policy sees what was beyond its six pieces at first."""
    game = told("IJLOSTZTSO", bag=frozenset("IJLZ"))
    for kind, x in (("I", 1), ("J", 5), ("L", 8)):
        game = position.play(game, Move(kind, NORTH, x, 0, "none"))
    rules = RULE_PRESETS["guideline"]
    names = [piece.name for piece in rules.pieces]
    seen = tell(rules, game)
    assert [names[kind] for kind in seen.kinds] == list("OSTZTS")
    assert {name for number, name in enumerate(names) if seen.bag >> number & 1} == set("OIJLZ")


def test_a_short_queue_is_filled_up_and_hold_brings_nothing_unknown():
    rules = RULE_PRESETS["attack-50"]
    names = [piece.name for piece in rules.pieces]
    alone = tell(rules, told("T", bag=frozenset("SZ")))
    assert [names[kind] for kind in alone.kinds[:1]] == ["T"]
    assert {names[kind] for kind in alone.kinds[1:3]} == {"S", "Z"}  # what may come next
    assert alone.hold_used and not tell(rules, told("T", "S")).hold_used and not tell(rules, EMPTY).hold_used
    assert len(alone.rows) == 32
