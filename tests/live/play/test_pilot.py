"""An agent at the keys: at its own pace, and to the places that it chose."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.live.play.boards import KEY, MINI, dellacherie, mini
from tetrax.agents import baselines
from tetrax.env.tetris import EnvConfig, Tetris
from tetrax.live.play.guest import Guest
from tetrax.live.play.pilot import Pilot, cells_of
from tetrax.live.play.session import Session


def random_guest(**config: Any) -> Guest:
    """Return an agent that chooses at random, and whose game has ten ticks a second."""
    env = Tetris(EnvConfig(rules=dataclasses.replace(MINI, ticks_per_second=10), **config))
    return Guest("random", env, baselines.random(env))


def test_an_agent_of_keys_decides_in_each_of_its_own_ticks():
    """Ten of its ticks a second are six of ours each; in between only a soft drop stays down."""
    session = Session(mini(), KEY)
    pilot = Pilot(random_guest(actions="direct", history=2), 60)
    assert pilot.ticks_per_key == 6
    soft, played = mini().key_bits["soft_drop"], 0
    for _ in range(120):
        session.play(*pilot.next_keys(session))
    for number, action in enumerate(session.actions):
        decided = session.actions[number - number % 6]
        if number % 6:
            assert action == (soft if decided == soft else 0)
        played += bool(action and not number % 6)
    assert played > 10
    assert pilot.decisions == 20
    assert session.keys <= played


def place_pieces(pilot: Pilot, count: int) -> int:
    """Let an agent place pieces; return how many filled the cells that it chose, of those that cleared nothing."""
    session, met = Session(mini(), KEY), 0
    while session.played.moment.pieces < count and not session.lost:
        before, lines = session.cells, session.played.moment.lines
        pieces = session.played.moment.pieces
        while session.played.moment.pieces == pieces and not session.lost:
            keys, presses = pilot.next_keys(session)
            assert pilot.target is not None or not keys
            chosen = None if pilot.target is None else cells_of(session, pilot.target)
            session.play(keys, presses)
        if session.played.moment.lines == lines and not session.lost:
            filled = {(int(x), int(y)) for y, x in np.argwhere((session.cells >= 0) & (before < 0))}
            assert chosen is not None and filled == set(chosen)
            met += 1
    return met


@pytest.mark.parametrize("keys_per_second", [60.0, 15.0])
@pytest.mark.slow
def test_pieces_go_where_the_agent_chose(keys_per_second):
    assert place_pieces(Pilot(dellacherie(), 60, keys_per_second), 20) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("orientation", ["chosen", "first"])
def test_pieces_go_to_any_place_too(orientation):
    guest = random_guest(actions="locked_position", orientation=orientation)
    assert place_pieces(Pilot(guest, 60, 60.0), 8) >= 3
