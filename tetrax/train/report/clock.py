"""Where a run stands: steps, speed and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tetrax.train.folder.log import Row
from tetrax.train.report.numbers import duration, short_number


class Clock:
    """Counts the steps of a run."""

    def __init__(self, total_steps: int, step: int) -> None:
        self.total_steps = total_steps
        self.step = self._first_step = step
        self._start = time.monotonic()
        self._speed: float | None = None

    def update(self, row: Row) -> None:
        """Take the step and the speed from a new row."""
        if self._speed is None:  # the first row: what came before it was compilation
            self._first_step = row["step"]
            self._start = time.monotonic()
        self.step, self._speed = row["step"], row["steps_per_second"]

    def seconds_left(self) -> float | None:
        """Estimate from the steps of this session, evaluations included; None before there are any."""
        if self._speed is None:
            return None
        steps, seconds = self.step - self._first_step, time.monotonic() - self._start
        speed = steps / seconds if steps and seconds else self._speed
        return (self.total_steps - self.step) / speed

    def text(self, width: int = 1_000) -> str:
        """Return `1.31M of 2M steps   65%   48.2k/s   0:14 left`, or as much of it as so many characters hold."""
        return next((text for text in self._texts() if len(text) <= width), "")

    def _texts(self) -> Iterator[str]:
        """Yield shorter and shorter texts."""
        steps = f"{short_number(self.step)} of {short_number(self.total_steps)} steps"
        share = f"{self.step / self.total_steps:4.0%}"
        left = self.seconds_left()
        if self._speed is not None and left is not None:
            to_go = f"{duration(left)} left"
            yield "  ".join((steps, share, f"{short_number(self._speed)}/s", to_go))
            yield "  ".join((steps, share, to_go))
            yield "  ".join((share, to_go))
        else:
            yield "  ".join((steps, share))
        yield share
