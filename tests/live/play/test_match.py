"""A person and an agent: sprints, taking over, side by side, hints."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from tests.live.play.boards import MINI, dellacherie, mini, setting
from tetrax.env import record
from tetrax.env.finesse import Placement
from tetrax.fields.errors import UserError
from tetrax.live.play import keeping
from tetrax.live.play.guest import Choice, check_rules
from tetrax.live.play.match import OVER, PAUSED, READY, RUNNING, Match
from tetrax.live.play.match_words import match_data
from tetrax.live.play.pilot import Pilot, cells_of
from tetrax.live.play.seats import submit
from tetrax.live.play.session import Session
from tetrax.search.lines import Lines


def advance(match: Match, ticks: int) -> None:
    for _ in range(ticks):
        match.advance()


@pytest.mark.slow
def test_a_sprint_ends_at_forty_lines(tmp_path):
    ended = []
    match = Match(setting("sprint", guest=dellacherie(), keys_per_second=60.0), lambda *of: ended.append(of))
    lines = []
    while match.phase != OVER and match.person.session.ticks < 5_000:
        match.advance()
        lines.append(match.person.session.played.moment.lines)
    assert max(lines[:-1]) < 40 <= lines[-1]
    [(seat, result)] = ended
    assert (result.ended_by, result.lines) == ("40 lines", lines[-1])
    assert result.seconds == len(lines) / 60
    assert result.keys == match.person.session.keys > 80
    advance(match, 5)
    assert match.person.session.ticks == len(lines)
    path = keeping.keep_game(tmp_path, "sprint", seat)
    assert path is not None and path.name.endswith("-sprint-agent.json")
    assert record.verify(record.load(path)).recording.outcome.lines == lines[-1]


def test_a_game_begins_with_its_first_key_and_pauses():
    match = Match(setting())
    advance(match, 3)
    assert (match.phase, match.person.session.ticks) == (READY, 0)
    match.press("left")
    advance(match, 3)
    assert (match.phase, match.person.session.ticks) == (RUNNING, 3)
    match.press("pause")
    advance(match, 3)
    match.press("left")
    assert (match.phase, match.person.session.ticks) == (PAUSED, 3)
    match.press("pause")
    advance(match, 2)
    assert match.person.session.actions == [mini().action(frozenset({"left"})), 0, 0, 0, 0]


@pytest.mark.slow
def test_taking_over_keeps_the_game_as_it_is(tmp_path):
    match = Match(setting(guest=dellacherie(), keys_per_second=60.0))
    advance(match, 40)
    session, before = match.person.session, match.person.session.played
    pieces, actions = before.moment.pieces, list(session.actions)
    assert pieces >= 5
    match.press("take_over")
    assert match.person.session is session and session.played is before
    match.press("left")
    match.advance()
    match.release("left")
    match.press("take_over")
    advance(match, 30)
    assert session.played.moment.pieces > pieces
    assert session.actions[: len(actions) + 1] == [*actions, mini().action(frozenset({"left"}))]
    record.verify(session.recording())
    path = keeping.keep_game(tmp_path, "endless", match.person)
    assert path is not None and path.name.endswith("-endless-with-agent.json")


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.slow
def test_side_by_side_both_get_the_same_pieces(elsewhere):
    with ThreadPoolExecutor(1) as worker:
        match = Match(
            setting(
                guest=dellacherie(), part="beside", worker=worker if elsewhere else None, keys_per_second=30
            )
        )
        kinds = []
        for seat in match.seats:
            moment = seat.session.played.moment
            kinds.append([moment.piece, *moment.queue])
        assert kinds[0] == kinds[1]
        match.press("hard_drop")
        for _ in range(60):
            match.advance()
            if elsewhere and match.seats[1].thinking is not None:
                match.seats[1].thinking.result()
        match.end()
    person, agent = (seat.session for seat in match.seats)
    assert person.played.moment.pieces == 1
    assert agent.played.moment.pieces > 5
    assert np.array_equal(person.key_data, agent.key_data)
    assert [
        key.tolist() for key in map(jax.random.key_data, (person.played.state.key, agent.played.state.key))
    ] == [person.key_data.tolist()] * 2
    assert person.ticks == 60
    record.verify(agent.recording())


def test_a_hint_is_where_the_agent_would_put_the_piece():
    match = Match(setting(guest=dellacherie(), part="helps"))
    match.press("left")
    match.advance()
    match.press("suggest")
    seat = match.person
    wanted = Pilot(dellacherie(), 60).suggest(seat.session.played).placement
    assert wanted is not None and not wanted.use_hold
    hint = cells_of(seat.session, wanted)
    assert seat.hint == hint
    # Handed over, that is where the agent puts it.
    match.press("take_over")
    while seat.session.played.moment.pieces == 0:
        match.advance()
    filled = {(int(x), int(y)) for y, x in np.argwhere(seat.session.cells >= 0)}
    assert filled == set(hint)
    assert seat.hint == ()


@pytest.mark.parametrize("use_hold", [False, True])
def test_a_hint_is_gone_when_another_piece_comes_from_hold(use_hold):
    match = Match(setting(guest=dellacherie(), part="helps"))
    seat = match.person
    match.press("left")
    match.advance()
    match.press("suggest")
    if use_hold:  # that piece is what the hint is for
        seat.asked = submit(None, lambda: Choice(Placement(True, 0, 1, 0), frozenset()))
        match.advance()
    assert len(seat.hint) == 4
    match.press("hold")
    match.advance()
    assert seat.session.played.moment.hold_used
    assert bool(seat.hint) == use_hold


def test_a_planners_line_is_told_with_its_hint_and_goes_with_it():
    """The active piece, then the one that follows it: in words, and as cells for the page."""
    match = Match(setting(guest=dellacherie(), part="helps"))
    seat, planned = match.person, np.zeros((1, 3), np.int32)
    match.press("suggest")
    assert seat.line == ()  # it plans nothing
    lines = Lines(planned == 1, planned, np.array([[0, 2, -1]]), planned, np.array([4.5]), np.array([12]))
    seat.asked = submit(None, lambda: Choice(Placement(False, 0, 0, 0), frozenset(), lines))
    match.refresh()
    moment = seat.session.played.moment
    names = [MINI.pieces[kind].name for kind in (moment.piece, moment.queue[0])]
    assert seat.said == f"the agent's line, (hold) in brackets: {' '.join(names)}: 4.5, 12 visits"
    (following,) = match_data(match)["seats"][0]["scene"]["line"]
    assert following["kind"] == moment.queue[0]
    assert min(x for x, _ in following["cells"]) == 2 and len(following["cells"]) == 4
    match.press("hard_drop")
    match.advance()
    assert seat.hint == () and seat.line == ()


def test_cells_of_a_placement():
    session = Session(mini(), np.array([0, 7], np.uint32))
    kind, tables = session.played.moment.piece, MINI.tables
    cells = cells_of(session, Placement(False, 0, 1, 0))
    assert len(cells) == sum(int(row).bit_count() for row in tables.rows[kind, 0])
    assert (min(x for x, _ in cells), min(y for _, y in cells)) == (1, 0)


def test_without_an_agent_there_is_nobody_to_ask():
    match = Match(setting())
    for meaning in ("suggest", "take_over"):
        match.press(meaning)
        assert "no agent" in match.person.said
    match.press("undo")
    assert "practice" in match.person.said


def test_starting_anew_ends_the_game_before():
    ended = []
    match = Match(setting(), lambda seat, result: ended.append(result.pieces))
    match.press("hard_drop")
    match.advance()
    match.press("restart")
    assert ended == [1]
    assert (match.phase, match.person.session.ticks) == (READY, 0)
    match.end()
    match.end()
    assert ended == [1, 0]


def test_practice_goes_on_after_a_loss():
    match = Match(setting("practice"))
    for _ in range(40):
        match.press("hard_drop")
        match.advance()
        match.release("hard_drop")
    assert match.person.session.lost and match.phase == RUNNING
    match.press("undo")
    assert not match.person.session.lost


def test_a_game_in_which_nothing_locked_is_not_kept(tmp_path):
    match = Match(setting())
    match.press("left")
    match.advance()
    assert keeping.keep_game(tmp_path, "endless", match.person) is None
    assert list(tmp_path.iterdir()) == []


def test_two_games_of_one_second_have_two_names(tmp_path):
    match = Match(setting())
    match.press("hard_drop")
    match.advance()
    names = {keeping.keep_game(tmp_path, "endless", match.person) for _ in range(3)}
    assert len(names) == 3


def test_an_agent_of_other_rules_is_refused_by_name():
    for changed, named in (
        ({"width": 5}, "rules.width 5; allowed: 6"),
        ({"hold": False}, "rules.hold False; allowed: True"),
        ({"kicks": "none"}, "rules.kicks none; allowed: srs"),
        ({"pieces": MINI.pieces[:1]}, "rules.pieces I; allowed: I L O"),
    ):
        with pytest.raises(UserError, match="--policy: given 'dellacherie'") as raised:
            check_rules(dellacherie(), dataclasses.replace(MINI, **changed))
        assert named in str(raised.value)
    check_rules(dellacherie(), dataclasses.replace(MINI, ticks_per_second=10, lock="infinite"))
