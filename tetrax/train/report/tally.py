"""What an evaluation is asked to play, and what its games came to, filled in as they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tetrax.agents.agent import Actor
from tetrax.env.contract import RETURN, Spec

MAX_EPISODES = 10_000_000  # games of one evaluation, whose every result is kept
MAX_LENGTH = 2**31 - 1  # what is counted in a game is int32
ACTING = 2**32 - 1  # folded into a game's key for its acting keys; nothing drawn in a game has this number


class Asked(NamedTuple):
    """What is to be played."""

    env: Any
    actor: Actor
    seed: int  # game i is decided by fold_in(key(seed), i)
    cap: int  # length at which a game is stopped; 0 = never
    greedy: bool
    on_progress: Callable[[int, int], None] | None  # (games over, length of the longest running one)


@dataclass
class Tally:
    """The columns of N games, and the actions of the best one so far."""

    totals: dict[str, np.ndarray]  # by measure of the game: int64[N], float64[N] of the return
    steps: np.ndarray  # int64[N]
    capped: np.ndarray  # bool[N]
    action_type: Any = None  # of a recorded action; None = nothing is recorded
    keeps_all: bool = False  # the actions of every game, or of the best one alone
    action_shape: tuple[int, ...] = ()  # of a step: (P,) where several act together
    num_over: int = 0
    _best: tuple[float, ...] | None = None  # its first two measures, -number
    _tapes: dict[int, bytearray] = field(default_factory=dict)  # by number of the game

    @classmethod
    def of(cls, spec: Spec, episodes: int, action_type: Any = None, keeps_all: bool = False) -> Tally:
        """Return a tally of no games yet, with room for `episodes`."""
        totals = {
            name: np.zeros(episodes, np.float64 if name == RETURN else np.int64) for name in spec.measures
        }
        shape = (spec.num_players,) if spec.acts_together else ()
        steps, capped = np.zeros(episodes, np.int64), np.zeros(episodes, bool)
        return cls(totals, steps, capped, action_type, keeps_all, shape)

    def add(
        self, number: int, came_to: Mapping[str, Any], steps: int, capped: bool, tape: bytearray | None = None
    ) -> None:
        """Count game `number`, which is over; keep its actions if none was better, or all are kept."""
        for name, column in self.totals.items():
            column[number] = came_to[name]
        self.steps[number], self.capped[number] = steps, capped
        self.num_over += 1
        rank = (*(float(column[number]) for column in list(self.totals.values())[:2]), -number)
        is_best = self._best is None or rank > self._best
        if is_best:
            self._best = rank
        if self.keeps_all or is_best:
            if not self.keeps_all:
                self._tapes.clear()
            self._tapes[number] = bytearray() if tape is None else tape

    @property
    def actions(self) -> dict[int, np.ndarray]:
        """Return the recorded actions by number of the game, int32[T] or int32[T, P] each."""
        if self.action_type is None:
            return {}
        return {number: self._read(tape)[: self.steps[number]] for number, tape in self._tapes.items()}

    def _read(self, tape: bytearray) -> np.ndarray:
        actions = np.frombuffer(tape, self.action_type).astype(np.int32)
        return actions.reshape(-1, *self.action_shape)
