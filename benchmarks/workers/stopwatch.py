"""The two clocks, and what is counted between two looks at them."""

import time
from typing import NamedTuple


class Stopwatch:
    """Wall-clock seconds, and CPU seconds (user + system) of this process with all its threads, since now."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Return the wall-clock seconds so far."""
        return time.perf_counter() - self._wall

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU seconds so far."""
        return time.process_time() - self._cpu


class Played(NamedTuple):
    """What some seconds of play came to."""

    steps: int
    pieces: int  # locked
    games: int  # ended
    seconds: float
    cpu_seconds: float

    def rates(self) -> dict[str, float]:
        """Return what is reported of it."""
        cpu_seconds = max(self.cpu_seconds, 1e-9)  # the clock may stand still for a very short run
        return {
            "steps_per_second": self.steps / self.seconds,
            "steps_per_cpu_second": self.steps / cpu_seconds,
            "pieces_per_second": self.pieces / self.seconds,
            "pieces_per_cpu_second": self.pieces / cpu_seconds,
            "games_per_second": self.games / self.seconds,
        }


class Learned(NamedTuple):
    """What some seconds of learning came to."""

    updates: int
    moments: int  # learned from: sequences times their steps
    seconds: float
    cpu_seconds: float

    def rates(self) -> dict[str, float]:
        """Return what is reported of it."""
        cpu_seconds = max(self.cpu_seconds, 1e-9)
        return {
            "updates_per_second": self.updates / self.seconds,
            "updates_per_cpu_second": self.updates / cpu_seconds,
            "moments_per_second": self.moments / self.seconds,
        }
