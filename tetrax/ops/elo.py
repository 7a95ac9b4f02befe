"""Elo ratings of players who met each other: the most likely strengths, and how sure they are.

The model is that of Bradley and Terry (1952), as Elo (1978) scales it: a player who is 400 points better wins ten
times as often as he loses. Draws count half a win to each. Found by the iterations of Hunter, "MM algorithms for
generalized Bradley-Terry models" (2004), equation 3.
"""

from typing import NamedTuple

import numpy as np

SCALE = 400.0 / np.log(10.0)  # points of a factor of e
PRIOR = 0.5  # wins that everyone has against everyone he met besides, so that who always wins is not infinitely good
NORMAL_97_5 = 1.959964  # standard deviations that hold 95% of a normal distribution
ITERATIONS, NEAR = 100_000, 1e-10


class Ratings(NamedTuple):
    """Ratings of N players."""

    rating: np.ndarray  # float64[N], points; the anchor has `anchored_at`
    half_width: np.ndarray  # float64[N], of the 95% interval of the difference to the anchor, whose own is 0


def rate(wins: np.ndarray, anchor: int = 0, anchored_at: float = 0.0) -> Ratings:
    """Rate N players by the games that each won against each other, [N, N], a draw being half a win to both.

    ValueError unless all of them are connected by games, to which nothing can be compared else.
    """
    wins = np.asarray(wins, np.float64)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or (wins < 0).any() or wins.diagonal().any():
        raise ValueError(
            f"wins: given shape {wins.shape}; allowed: [N, N] of numbers from 0, with 0 on the diagonal"
        )
    if not 0 <= anchor < len(wins):
        raise ValueError(f"anchor: given {anchor}; allowed: 0 to {len(wins) - 1}")
    met = wins + wins.T > 0
    if not _is_connected(met):
        raise ValueError(
            "wins: given players whom no games connect; allowed: those who met, if only by others"
        )
    wins = wins + PRIOR * met
    strength = _strengths(wins)
    rating = SCALE * np.log(strength)
    return Ratings(
        rating - rating[anchor] + anchored_at, NORMAL_97_5 * SCALE * _errors(wins, strength, anchor)
    )


def expected_score(difference: float) -> float:
    """Return the share of the points that a player gets who is better by so many points of Elo."""
    return float(1.0 / (1.0 + 10.0 ** (-difference / 400.0)))


def _is_connected(met: np.ndarray) -> bool:
    reached = np.arange(len(met)) == 0
    for _ in met:
        reached = reached | met[reached].any(axis=0)
    return bool(reached.all())


def _strengths(wins: np.ndarray) -> np.ndarray:
    """Return the most likely strengths, whose logarithms have mean 0."""
    games, won = wins + wins.T, wins.sum(axis=1)
    strength = np.ones(len(wins))
    for _ in range(ITERATIONS):
        before = strength
        strength = won / (games / (strength[:, None] + strength[None])).sum(axis=1)
        strength /= np.exp(np.log(strength).mean())
        if np.abs(np.log(strength / before)).max() < NEAR:
            break
    return strength


def _errors(wins: np.ndarray, strength: np.ndarray, anchor: int) -> np.ndarray:
    """Return the standard errors of the logarithms of strengths, by the information that the games hold."""
    chance = strength[:, None] / (strength[:, None] + strength[None])
    between = (wins + wins.T) * chance * chance.T
    information = np.diag(between.sum(axis=1)) - between
    others = np.arange(len(wins)) != anchor
    errors = np.zeros(len(wins))
    if others.any():
        errors[others] = np.sqrt(np.diag(np.linalg.inv(information[np.ix_(others, others)])))
    return errors
