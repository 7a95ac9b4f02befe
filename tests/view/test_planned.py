"""What a planner means to do, as cells of the board: worked by hand."""

from tests.search.drawn_games import TINY
from tetrax.view.planned import Planned, follow_line, line_data
from tetrax.view.player_data import encode_thought
from tetrax.view.scene import Moment

I, S, T, L = range(4)  # noqa: E741


def moment(rows, piece, queue, hold=-1):
    """Make a moment of the small board, five columns wide, rows drawn with the highest first."""
    bits = [sum(1 << x for x, mark in enumerate(row) if mark == "#") for row in reversed(rows)]
    bits += [0] * (TINY.total_height - len(bits))
    return Moment(bits, piece, 0, 1, 6, hold, False, queue, 0, 0, 0, 1, False)


def test_pieces_are_those_of_queue_and_hold():
    """Hold brings the head of the queue, then what it holds, in the end what it still has; then nothing is known."""
    steps = [(True, 0, 0, 0), (False, 0, 0, 1), (True, 0, 0, 2), (True, 0, 0, 3), (True, 0, 0, 4)]
    planned = follow_line(TINY, moment([], T, [L, I, S]), steps)
    assert [(each.kind, each.use_hold) for each in planned] == [(L, True), (I, False), (T, True), (S, True)]


def test_rows_that_will_have_gone_are_counted():
    """An I completes the lowest row; the L after it lies on the floor then, in the second row of the board as it is."""
    before = moment(["....#"], I, [L, T])
    steps = [(False, 0, 0, 0), (False, 0, 0, 0), (False, 0, 2, 1)]
    planned = follow_line(TINY, before, steps)
    assert planned[0] == Planned(I, False, ((0, 0), (1, 0), (2, 0), (3, 0)))
    assert set(planned[1].cells) == {(0, 1), (1, 1), (2, 1), (2, 2)}
    assert {y for _, y in planned[2].cells} == {2, 3}
    # Told of the board after the first placement, all of it is one row lower.
    later = follow_line(TINY, before, steps, after_first=True)
    assert later[0] == planned[0]
    assert [{(x, y + 1) for x, y in each.cells} for each in later[1:]] == [
        set(each.cells) for each in planned[1:]
    ]


def test_lines_in_words():
    planned = follow_line(TINY, moment([], T, [L, I]), [(True, 0, 0, 0), (False, 0, 0, 1)])
    line = line_data(TINY, planned, 12.3456, 0)
    assert line["worth"] == 12.35
    assert [(step["piece"], step["hold"]) for step in line["steps"]] == [("L", True), ("I", False)]
    assert line["steps"][1]["cells"] == [[0, 1], [1, 1], [2, 1], [3, 1]]
    thought = {"scores": [], "kind": None, "did": "x", "legal": 3, "played": True}
    told = encode_thought({**thought, "lines": [line, {**line, "visits": 1200}]}, ("x",))
    assert told["lines"] == ["(L) I: 12.35", "(L) I: 12.35, 1,200 visits"]
    assert "lines" not in encode_thought(thought, ("x",))
