"""Somebody's game in a match, and what all games of a match have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Literal

from tetrax.live.play.guest import Choice, Guest
from tetrax.live.play.handling import Handling, Hands
from tetrax.live.play.one_board import OneBoard, Played
from tetrax.live.play.pilot import Pilot
from tetrax.live.play.session import Session
from tetrax.view.cells import Cell
from tetrax.view.planned import Planned
from tetrax.view.scene import Moment

Part = Literal["plays", "helps", "beside"]
SOUNDS = ("move", "turn", "hold", "lock", "clear", "four", "lost")


@dataclass(frozen=True)
class Setting:
    """What is played, and how."""

    board: OneBoard
    mode: str
    handling: Handling
    guest: Guest | None = None
    part: Part = "plays"  # what the guest does at first
    keys_per_second: float | None = None  # of the guest; None = as it is used to
    worker: Executor | None = None  # where the guest thinks; None = here, and the game waits for it
    seed: int | None = None  # of the first game; None = any


@dataclass
class Seat:
    """Somebody's game."""

    session: Session
    pilot: Pilot | None
    agent_plays: bool
    hands: Hands = field(default_factory=Hands)
    ticks_by: dict[bool, int] = field(
        default_factory=lambda: {False: 0, True: 0}
    )  # by whether the agent played
    ended_by: str = ""
    said: str = ""  # the last caption, or an answer to the player
    hint: tuple[Cell, ...] = ()
    line: tuple[Planned, ...] = ()  # what the agent would place after that
    hint_piece: int = -1  # locked before the one that the hint is for
    hint_kinds: tuple[int, ...] = ()  # of the piece that was asked about, and of one that hold shall bring
    sounds: deque[str] = field(
        default_factory=lambda: deque(maxlen=8)
    )  # of SOUNDS, that nobody has heard yet
    owed: int = 0  # ticks that the agent has still to play
    thinking: Future[None] | None = None
    asked: Future[Choice] | None = None


def sound_of(before: Moment, played: Played) -> str:
    """Return the sound of a tick, "" for none."""
    after, happening = played.moment, played.happening
    if happening.life_lost:
        return "lost"
    if happening.locked:
        return "lock" if not happening.lines else "clear" if happening.lines < 4 else "four"
    if after.hold != before.hold:
        return "hold"
    if after.orientation != before.orientation:
        return "turn"
    return "move" if after.x != before.x else ""


def forget_hint(seat: Seat) -> None:
    """Propose nothing any more."""
    seat.hint, seat.line = (), ()


def submit(worker: Executor | None, work: Callable[..., Any], *given: Any) -> Future[Any]:
    """Begin some work elsewhere, or do it here."""
    if worker is not None:
        return worker.submit(work, *given)
    done: Future[Any] = Future()
    done.set_result(work(*given))
    return done


def settle(seat: Seat) -> None:
    """Wait for what an agent is doing in a game; what went wrong there goes wrong here."""
    if seat.thinking is not None:
        thinking, seat.thinking = seat.thinking, None
        thinking.result()
