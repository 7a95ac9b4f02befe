"""An agent at the keys: what it presses tick by tick, at a pace that people can follow.

One that thinks in placements decides once a piece; its piece then goes there by a shortest sequence of keys
(`tetrax.env.finesse`). Slower than a key a tick, gravity pulls between two keys, so that the way is looked for anew
from where the piece is. A soft drop is a key that stays down. An agent of keys decides once in each of its own ticks.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from jax import Array

from tetrax.env import finesse
from tetrax.env.finesse import Placement
from tetrax.live.play.guest import Choice, Guest
from tetrax.live.play.handling import HARD_DROP, HOLD, SOFT_DROP
from tetrax.live.play.one_board import Played
from tetrax.live.play.session import Session
from tetrax.view.cells import Cell

DEFAULT_KEYS_PER_SECOND = 10.0


class Pilot:
    """A guest in one game."""

    def __init__(self, guest: Guest, ticks_per_second: int, keys_per_second: float | None = None) -> None:
        self.guest = guest
        own = guest.env.rules.ticks_per_second
        self.pace = max(1, round(ticks_per_second / own))  # ticks of the game in one of the agent's
        wanted = float(own) if guest.by_keys else DEFAULT_KEYS_PER_SECOND
        self.ticks_per_key = max(1, round(ticks_per_second / (keys_per_second or wanted)))
        self.begin()

    def begin(self) -> None:
        """Forget all that was: the game is a new one, or somebody else has played in it."""
        self.memory: Any = self.guest.first_memory()
        self.decisions = 0
        self.earlier: deque[Array] = deque(maxlen=max(1, self.guest.num_earlier))
        self.target: Placement | None = None
        self.piece = -1  # locked before the one that the target is for
        self.plan: list[str] = []
        self.plan_tick = -1  # at which the plan is exact
        self.last = ""
        self.wait = 0  # ticks until the next key

    def next_keys(self, session: Session) -> tuple[frozenset[str], int]:
        """Return the keys of the next tick, and how many of them are presses."""
        if self.guest.by_keys:
            return self._next_chord(session)
        pieces = session.played.moment.pieces
        if pieces != self.piece:
            self.piece, self.target, self.plan, self.last = pieces, None, [], ""
        stays_down = self.last == SOFT_DROP and self.plan[:1] == [SOFT_DROP]
        if self.wait > 0 and not stays_down:
            self.wait -= 1
            return frozenset(), 0
        if not self.plan or self.plan_tick != session.ticks:
            self.plan = self._find_way(session)
        key = self.plan.pop(0)
        self.plan_tick = session.ticks + 1
        if key == HOLD and self.target is not None:
            self.target = self.target._replace(use_hold=False)
        presses = int(key != self.last or key != SOFT_DROP)
        self.last, self.wait = key, self.ticks_per_key - 1
        return frozenset({key}), presses

    def suggest(self, played: Played) -> Choice:
        """Return what the agent would do in a game that somebody else plays; nothing of it is remembered."""
        state = played.state
        earlier = [state.rows] * self.guest.num_earlier
        choice, _ = self.guest.choose(state, earlier, self.guest.first_memory(), 0, self.pace)
        return choice

    def _next_chord(self, session: Session) -> tuple[frozenset[str], int]:
        """Return the keys of an agent that decides about keys."""
        if self.wait > 0:
            self.wait -= 1
            return frozenset({SOFT_DROP} if self.last == SOFT_DROP else ()), 0
        keys = self._decide(session).keys
        presses = len(keys - ({SOFT_DROP} if self.last == SOFT_DROP else set()))
        self.last = SOFT_DROP if SOFT_DROP in keys else ""
        self.wait = self.ticks_per_key - 1
        return keys, presses

    def _decide(self, session: Session) -> Choice:
        """Ask the agent, and remember what it remembers."""
        state, length = session.played.state, self.guest.num_earlier
        earlier = list(self.earlier)[:length]
        earlier += [earlier[-1] if earlier else state.rows] * (length - len(earlier))
        choice, self.memory = self.guest.choose(state, earlier, self.memory, self.decisions, self.pace)
        self.decisions += 1
        self.earlier.appendleft(state.rows)
        return choice

    def _find_way(self, session: Session) -> list[str]:
        """Return keys that bring the piece where it shall go; where nothing does any more, it is dropped."""
        for attempt in range(2):
            if self.target is None or attempt:
                self.target = self._decide(session).placement
            assert self.target is not None
            if self.target.use_hold:
                return [HOLD]  # what comes then is looked for from there
            for wanted in (self.target, self.target._replace(spin=None)):
                try:
                    return finesse.keys(session.board.env, session.board.params, session.played.state, wanted)
                except ValueError:  # it has fallen too far, or the agent has asked for what cannot be
                    continue
        return [HARD_DROP]


def kind_of(session: Session, placement: Placement) -> int:
    """Return the kind of the piece that a placement is for: the active one, or the one that hold brings."""
    moment = session.played.moment
    if not placement.use_hold:
        return moment.piece
    return moment.hold if moment.hold >= 0 else moment.queue[0]


def cells_of(session: Session, placement: Placement) -> tuple[Cell, ...]:
    """Return the cells that a placement fills."""
    bits = np.asarray(session.board.rules.tables.rows[kind_of(session, placement), placement.orientation])
    cells = [(dx, dy) for dy, row in enumerate(bits) for dx in range(len(bits)) if int(row) >> dx & 1]
    left, bottom = min(x for x, _ in cells), min(y for _, y in cells)
    return tuple((placement.x + x - left, placement.y + y - bottom) for x, y in cells)
