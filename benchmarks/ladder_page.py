"""Who wins how often: the tables of docs/ladder.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import records
from tetrax.ops import elo

RESULTS = records.RESULTS / "ladder"
ANCHOR, ANCHORED_AT = "random", 0.0
NORMAL_97_5 = 1.959964
# What people send a piece in the recorded games of RULES, as published with them.
PEOPLE = 0.657


@dataclass(frozen=True)
class Met:
    """What a match came to, as the first of the two has it."""

    first: str
    second: str
    games: int
    wins: int
    draws: int  # also those that were stopped
    losses: int
    pieces: float  # of the first, a game
    attack_per_piece: float  # rows that the first sent at others or cancelled with, a piece


def path_of(first: str, second: str, folder: Path = RESULTS) -> Path:
    """Return the file of a match."""
    return folder / f"{first}-{second}.json"


def read(folder: Path = RESULTS) -> list[Met]:
    """Read every match that is kept."""
    return [Met(**record.data) for record in records.read_performance(folder)]


def interval(wins: int, games: int) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson 1927)."""
    z, share = NORMAL_97_5, wins / games
    middle = (share + z * z / (2 * games)) / (1 + z * z / games)
    half = z / (1 + z * z / games) * math.sqrt(share * (1 - share) / games + z * z / (4 * games * games))
    return middle - half, middle + half


def content(matches: Sequence[Met]) -> str:
    """Write the ladder, and below it how often each of them won against each other one."""
    if not matches:
        return "No match has been kept yet.\n"
    names = sorted({name for match in matches for name in (match.first, match.second)})
    wins = np.zeros((len(names), len(names)))
    for match in matches:
        first, second = names.index(match.first), names.index(match.second)
        wins[first, second] += match.wins + match.draws / 2
        wins[second, first] += match.losses + match.draws / 2
    anchor = names.index(ANCHOR) if ANCHOR in names else 0
    rated = elo.rate(wins, anchor, ANCHORED_AT)
    order = [names[index] for index in np.argsort(-rated.rating)]
    rows = [_row(name, names, rated, wins, matches) for name in order]
    head = "| player | Elo, 95% interval | points of games | rows a piece | pieces a game |\n|---|---|---|---|---|\n"
    grid = "| wins of | " + " | ".join(order) + " |\n|---" + "|---" * len(order) + "|\n"
    for name in order:
        grid += f"| {name} | " + " | ".join(_cell(name, other, matches) for other in order) + " |\n"
    return f"{head}{''.join(rows)}\n{grid}"


def _row(
    name: str, names: Sequence[str], rated: elo.Ratings, wins: np.ndarray, matches: Sequence[Met]
) -> str:
    at = names.index(name)
    half = f" ± {rated.half_width[at]:.0f}" if rated.half_width[at] else ""
    played = wins[at].sum() + wins[:, at].sum()
    own = [match for match in matches if match.first == name]
    rate, pieces = "", ""
    if own:
        total = sum(match.pieces * match.games for match in own)
        rate = f"{sum(match.attack_per_piece * match.pieces * match.games for match in own) / total:.3f}"
        pieces = f"{total / sum(match.games for match in own):,.0f}"
    return (
        f"| {name} | {rated.rating[at]:.0f}{half} | {wins[at].sum():g} of {played:g} | {rate} | {pieces} |\n"
    )


def _cell(name: str, other: str, matches: Sequence[Met]) -> str:
    for match in matches:
        if (match.first, match.second) == (name, other):
            return f"{match.wins / match.games:.1%}"
        if (match.first, match.second) == (other, name):
            return f"{match.losses / match.games:.1%}"
    return ""
