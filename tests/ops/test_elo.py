"""Ratings worked by hand, and of players whose strengths are known."""

import numpy as np
import pytest

from tetrax.ops import elo


def test_two_players_by_hand():
    """60.5 to 20.5 with the half a win that both have besides: 400 log10(60.5 / 20.5) points."""
    found = elo.rate(np.array([[0, 60], [20, 0]]))
    np.testing.assert_allclose(found.rating, [0.0, -400 * np.log10(60.5 / 20.5)], atol=1e-6)
    # 81 games whose outcome has variance p (1 - p) each tell of the logarithm of the odds: 1 / sqrt(81 p (1 - p)).
    share = 60.5 / 81
    error = 400 / np.log(10) / np.sqrt(81 * share * (1 - share))
    np.testing.assert_allclose(found.half_width, [0.0, 1.959964 * error], rtol=1e-6)


def test_the_most_likely_strengths_win_as_often_as_they_did():
    rng = np.random.default_rng(0)
    wins = rng.integers(0, 40, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    rating = elo.rate(wins, anchor=2, anchored_at=1_000.0).rating
    assert rating[2] == 1_000.0
    played = wins + elo.PRIOR * (1 - np.eye(5))
    games = played + played.T
    chance = np.array([[elo.expected_score(a - b) for b in rating] for a in rating])
    np.testing.assert_allclose((games * chance * (1 - np.eye(5))).sum(axis=1), played.sum(axis=1), rtol=1e-6)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    truth, rng = np.array([0.0, 120.0, -200.0, 60.0]), np.random.default_rng(1)
    held = []
    for _ in range(200):
        wins = np.zeros((4, 4))
        for i in range(4):
            for j in range(i):
                wins[i, j] = rng.binomial(100, elo.expected_score(truth[i] - truth[j]))
                wins[j, i] = 100 - wins[i, j]
        found = elo.rate(wins)
        held.append(np.abs(found.rating - truth)[1:] <= found.half_width[1:])
    assert 0.92 <= np.mean(held) <= 0.98


def test_who_always_wins_is_rated_finitely_and_the_better_the_more_games():
    few, many = elo.rate(np.array([[0, 10], [0, 0]])), elo.rate(np.array([[0, 100], [0, 0]]))
    assert np.isfinite(many.rating).all()
    assert many.rating[1] < few.rating[1] < 0


@pytest.mark.parametrize(
    ("wins", "message"),
    [
        (np.zeros((2, 3)), r"wins: given shape \(2, 3\)"),
        (np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]), "whom no games connect"),
        (np.eye(2), "diagonal"),
    ],
)
def test_what_cannot_be_rated_is_refused(wins, message):
    with pytest.raises(ValueError, match=message):
        elo.rate(wins)


def test_an_anchor_that_is_nobody_is_refused():
    with pytest.raises(ValueError, match="anchor: given 2; allowed: 0 to 1"):
        elo.rate(np.array([[0, 1], [1, 0]]), anchor=2)
