"""When ticks are played, and when games end: by hand."""

from __future__ import annotations

from tetrax.live.play.modes import MODES, Result, clock, ended_by
from tetrax.live.play.pacing import MOST_LATE, Pace


def test_ticks_are_due_by_the_clock():
    pace = Pace(50, 10.0)  # one every 20 ms
    assert [pace.take_due(10.0 + ms / 1000) for ms in (0, 10, 19, 20, 70, 75)] == [1, 0, 0, 1, 2, 0]
    assert pace.deadline == 10.08


def test_one_tick_may_be_early_and_the_clock_goes_on():
    pace = Pace(50, 0.0)
    assert pace.take_due(0.0) == 1
    assert pace.take_early(0.005)  # the tick that is due at 20 ms
    assert not pace.take_early(0.006)  # that of 40 ms waits until 20 ms at the least
    assert pace.take_due(0.020) == 0
    assert pace.take_early(0.021)
    assert pace.take_due(0.040) == 0
    assert pace.take_due(0.060) == 1


def test_a_long_standstill_is_not_made_up_for():
    pace = Pace(50, 0.0)
    pace.take_due(0.0)
    assert pace.take_due(0.02 * MOST_LATE) == MOST_LATE
    assert pace.take_due(60.0) == 1
    assert pace.take_due(60.019) == 0
    assert pace.take_due(60.021) == 1


def test_modes_end_by_their_rules():
    sprint, ultra, endless, practice = (MODES[name] for name in ("sprint", "ultra", "endless", "practice"))
    assert ended_by(sprint, 39, 100, 60, lost=False) == ""
    assert ended_by(sprint, 40, 100, 60, lost=False) == "40 lines"
    assert ended_by(sprint, 41, 100, 60, lost=True) == "40 lines"
    assert ended_by(sprint, 3, 100, 60, lost=True) == "game over"
    assert ended_by(ultra, 99, 7_199, 60, lost=False) == ""
    assert ended_by(ultra, 0, 7_200, 60, lost=False) == "time"
    assert ended_by(endless, 1_000, 10**6, 60, lost=False) == ""
    assert ended_by(practice, 0, 10, 60, lost=True) == ""  # it can be taken back


def test_results():
    result = Result("40 lines", seconds=62.35, lines=40, score=12_345, pieces=100, keys=250)
    assert result.pieces_per_second == 100 / 62.35
    assert result.keys_per_piece == 2.5
    assert result.in_words() == (
        "1:02.35, 40 lines, 12,345 points, 100 pieces, 1.60 pieces a second, 2.50 keys a piece"
    )
    assert Result("", 0.0, 0, 0, 0, 0).keys_per_piece == 0
    assert [clock(seconds) for seconds in (0, 59.999, 600)] == ["0:00.00", "1:00.00", "10:00.00"]
