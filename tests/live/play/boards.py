"""A small game for tests of people's games: compiled once."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.rules import Rules
from tetrax.live.play import handling
from tetrax.live.play.guest import Guest, invite
from tetrax.live.play.one_board import OneBoard, compile_board, people_config
from tetrax.live.play.seats import Setting
from tetrax.live.play.session import Session

KEY = np.array([0, 7], np.uint32)
MINI = Rules(
    width=6, height=10, buffer=4, preview=2, ticks_per_second=60,
    pieces=tuple(piece for piece in TETROMINOES if piece.name in "IOL"),
)  # fmt: skip


@functools.cache
def mini() -> OneBoard:
    """Return a 6x10 game of three pieces, at the pace of people."""
    return compile_board(people_config("mini", MINI))


@functools.cache
def dellacherie() -> Guest:
    """Return the literature's controller for it."""
    return invite("dellacherie", MINI)


def setting(mode: str = "endless", **changes: object) -> Setting:
    """Return a match on the small board, with a DAS of 10 ticks and an ARR of 2."""
    plain = Setting(mini(), mode, handling.Handling(delay=10, interval=2, tap=6), seed=7)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def press(session: Session, *chords: str) -> None:
    """Play a tick for each chord, its keys joined by "+"; "" is none."""
    for chord in chords:
        session.play(frozenset(filter(None, chord.split("+"))), presses=len(chord.split("+")) if chord else 0)
