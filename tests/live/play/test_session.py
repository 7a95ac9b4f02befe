"""A game tick by tick: its recording, its colours, and the way back."""

from __future__ import annotations

import random

import jax
import numpy as np
import pytest

from tests.live.play.boards import KEY, dellacherie, mini, press
from tetrax.env import record
from tetrax.live.play.pilot import Pilot
from tetrax.live.play.session import Session
from tetrax.view import frames


def play_randomly(session: Session, ticks: int, seed: int = 0) -> None:
    dice = random.Random(seed)
    keys = list(session.board.key_bits)
    for _ in range(ticks):
        if not session.lost:
            session.play(frozenset(key for key in keys if dice.random() < 0.05), presses=1)


def assert_same(first: Session, second: Session) -> None:
    assert first.played.moment == second.played.moment
    states = (session.played.state.replace(key=None) for session in (first, second))
    for one, other in zip(*(jax.tree.leaves(state) for state in states), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.cells, second.cells)
    assert (first.actions, first.rows, first.keys) == (second.actions, second.rows, second.keys)


@pytest.fixture(scope="module")
def played() -> Session:
    """Play a whole game that clears lines, and loses."""
    session = Session(mini(), KEY)
    pilot = Pilot(dellacherie(), 60, keys_per_second=60.0)
    while session.played.moment.lines < 6:
        session.play(*pilot.next_keys(session))
    play_randomly(session, 5_000)
    assert session.lost
    return session


def test_a_game_is_a_recording_that_is_verified(played, tmp_path):
    record.save(played.recording(), tmp_path / "game.json")
    replayed = record.verify(record.load(tmp_path / "game.json"))
    moment = played.played.moment
    assert replayed.recording.outcome.score == moment.score
    assert replayed.recording.outcome.game_over
    assert replayed.recording.config.actions == "chords"
    # The other way to make a recording, which plays it again, comes to the same.
    board = played.board
    again = record.record(board.env.config, board.params, KEY, played.actions)
    assert again.outcome == played.recording().outcome


def test_cells_keep_the_colours_of_their_pieces(played):
    shown = frames.scene_at(played.recording(), -1)
    np.testing.assert_array_equal(played.scene().cells, shown.cells)
    assert len(np.unique(shown.cells)) > 2


def test_a_lost_game_plays_no_more(played):
    length = len(played.actions)
    assert played.play(frozenset({"left"})) == ""
    assert len(played.actions) == length


def test_undoing_is_as_if_it_had_never_been_played():
    plain, taken_back = Session(mini(), KEY), Session(mini(), KEY, can_undo=True)
    first = ["left", "left", "hard_drop", "", "right", "rotate_cw", "hold", "", "hard_drop"]
    press(plain, *first)
    press(taken_back, *first)
    press(taken_back, "left", "rotate_cw+left", "", "hard_drop")  # a piece more,
    press(taken_back, "right", "right")  # and the beginning of another
    assert taken_back.undo()
    assert_same(plain, taken_back)
    later = ["right", "hard_drop", "soft_drop", "soft_drop", "hold", "hard_drop"]
    press(plain, *later)
    press(taken_back, *later)
    assert_same(plain, taken_back)
    record.verify(taken_back.recording())


def test_every_piece_can_be_taken_back_a_lost_game_too():
    session = Session(mini(), KEY, can_undo=True)
    press(session, *["hard_drop"] * 20)
    assert session.lost
    pieces = session.played.moment.pieces
    assert session.undo()
    assert not session.lost
    assert session.played.moment.pieces == pieces - 1
    while session.undo():
        record.verify(session.recording())
    assert_same(session, Session(mini(), KEY, can_undo=True))


def test_only_practice_takes_back():
    session = Session(mini(), KEY)
    press(session, "hard_drop", "hard_drop")
    assert not session.undo()
    assert session.played.moment.pieces == 2


def test_captions_say_what_happened():
    session = Session(mini(), KEY)
    press(session, "hard_drop")
    assert "locked by hard drop" in session.caption
    press(session, "hold", "hold")
    assert session.caption == "hold refused"
