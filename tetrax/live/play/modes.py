"""What people play for: the modes of a game, when each is over, and what a game came to."""

from __future__ import annotations

from dataclasses import dataclass

SPRINT_LINES = 40
ULTRA_SECONDS = 120


@dataclass(frozen=True)
class Mode:
    """What a game is played for."""

    says: str  # in words
    lines: int | None = None  # that end it
    seconds: int | None = None  # of the game's own clock, that end it
    undo: bool = False  # whether pieces can be taken back, the last one of a lost game included


MODES: dict[str, Mode] = {
    "sprint": Mode(f"{SPRINT_LINES} lines, as fast as you can", lines=SPRINT_LINES),
    "ultra": Mode("as many points as you can in two minutes", seconds=ULTRA_SECONDS),
    "endless": Mode("until the game is lost"),
    "practice": Mode("pieces can be taken back", undo=True),
}


@dataclass(frozen=True)
class Result:
    """What a game came to."""

    ended_by: str  # "40 lines", "time", "game over"; "" while it goes on
    seconds: float  # of the game's own clock
    lines: int
    score: int
    pieces: int
    keys: int  # pressed; repeats do not count

    @property
    def pieces_per_second(self) -> float:
        """Return the pace, 0 before anything happened."""
        return self.pieces / self.seconds if self.seconds else 0.0

    @property
    def keys_per_piece(self) -> float:
        """Return how many keys a piece took, 0 before the first piece."""
        return self.keys / self.pieces if self.pieces else 0.0

    def in_words(self) -> str:
        """Say it in one line."""
        return (
            f"{clock(self.seconds)}, {count(self.lines, 'line')}, {count(self.score, 'point')}, "
            f"{count(self.pieces, 'piece')}, {self.pieces_per_second:.2f} pieces a second, "
            f"{self.keys_per_piece:.2f} keys a piece"
        )


def ended_by(mode: Mode, lines: int, ticks: int, ticks_per_second: int, lost: bool) -> str:
    """Say what has ended a game; "" where nothing has. A practised game goes on after a loss: it can be taken back."""
    if mode.lines is not None and lines >= mode.lines:
        return f"{mode.lines} lines"
    if lost:
        return "" if mode.undo else "game over"
    if mode.seconds is not None and ticks >= mode.seconds * ticks_per_second:
        return "time"
    return ""


def clock(seconds: float) -> str:
    """Write a time as players do: 1:02.35."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def count(number: int, thing: str) -> str:
    """Say how many there are of a thing: "1 line"."""
    return f"{number:,} {thing}" + ("s" if number != 1 else "")
