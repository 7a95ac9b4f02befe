"""Who sends how much in 50 placements: the table of docs/attack.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import records

RESULTS = records.RESULTS / "attack"
PLACEMENTS = 50  # of a game
# What people send, as published: in 50 placements by the best of this setting, and a piece in recorded games.
BEST_PEOPLE, RECORDED_PEOPLE = 43.92, 0.657
ACTIONS = {"drop": "straight drops", "locked_position": "any place"}


@dataclass(frozen=True)
class Result:
    """What one policy came to."""

    name: str
    title: str
    actions: str
    games: int
    mean: float  # rows of a game
    half_width: float  # of the mean's 95% interval
    milliseconds: float  # of CPU a placement, games side by side
    lost: int  # games that were over before the last placement


def read(folder: Path = RESULTS) -> list[Result]:
    """Read every file, those that send least first."""
    found = [Result(**record.data) for record in records.read_performance(folder)]
    return sorted(found, key=lambda result: result.mean)


def content(results: Sequence[Result]) -> str:
    """Write the table, people among the policies."""
    lines: list[tuple[float, str]] = [
        (PLACEMENTS * RECORDED_PEOPLE, _line("people in recorded games", "", "", RECORDED_PEOPLE, "", "")),
        (
            BEST_PEOPLE,
            _line(
                "best people, as published", "any place", "", BEST_PEOPLE / PLACEMENTS, f"{BEST_PEOPLE}", ""
            ),
        ),
    ]
    for result in results:
        rows = f"{result.mean:.2f} ± {result.half_width:.2f}"
        lost = f" ({result.lost:,} lost before)" if result.lost else ""
        line = _line(
            result.title + lost,
            ACTIONS[result.actions],
            f"{result.games:,}",
            result.mean / PLACEMENTS,
            rows,
            _time(result.milliseconds),
        )
        lines.append((result.mean, line))
    columns = (
        "who",
        "plays",
        "games",
        "rows a placement",
        "rows in 50 placements, 95% interval",
        "CPU a placement",
    )
    head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    return head + "".join(line for _, line in sorted(lines))


def _line(who: str, plays: str, games: str, each: float, rows: str, time: str) -> str:
    return f"| {who} | {plays} | {games} | {each:.3f} | {rows} | {time} |\n"


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds >= 1 else f"{milliseconds:.2g} ms"
