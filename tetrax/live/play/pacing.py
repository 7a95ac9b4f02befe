"""When ticks are played: by a clock that never drifts, at most one of them early, for a key that has just come."""

from __future__ import annotations

import math

MOST_LATE = 12  # ticks that are made up for at once; after a longer standstill time goes on from now
ROUNDING = 1e-6  # of a tick


class Pace:
    """The clock of a game; times are seconds of a monotonic clock."""

    def __init__(self, ticks_per_second: int, now: float) -> None:
        self.ticks_per_second = ticks_per_second
        self.restart(now)

    def restart(self, now: float) -> None:
        """Begin again: the next tick is due now."""
        self.start, self.played = now, 0

    @property
    def deadline(self) -> float:
        """Return when the next tick is due."""
        return self.start + self.played / self.ticks_per_second

    def take_due(self, now: float) -> int:
        """Return how many ticks are due, and count them as played."""
        due = self._passed(now) - self.played
        if due > MOST_LATE:
            self.start += (due - 1) / self.ticks_per_second
            due = 1
        self.played += max(0, due)
        return max(0, due)

    def take_early(self, now: float) -> bool:
        """Tell whether the next tick may be played already, and count it as played if so."""
        if self.played > self._passed(now):
            return False
        self.played += 1
        return True

    def _passed(self, now: float) -> int:
        """Return how many ticks have been due so far."""
        return math.floor((now - self.start) * self.ticks_per_second + ROUNDING) + 1
