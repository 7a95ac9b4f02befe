"""The ladder: from what matches came to, by hand; and who can be named."""

from __future__ import annotations

import math

import pytest

from benchmarks import ladder, ladder_page
from benchmarks.ladder_page import Met
from tetrax.fields.errors import UserError

MATCHES = [
    Met("random", "strong", games=100, wins=0, draws=20, losses=80, pieces=30.0, attack_per_piece=0.1),
    Met("strong", "middle", games=100, wins=60, draws=0, losses=40, pieces=50.0, attack_per_piece=0.4),
]


def test_a_ladder_by_hand() -> None:
    lines = ladder_page.content(MATCHES).splitlines()
    # Strong has 90.5 of 101 points against random, with half a win of both besides: 400 log10(90.5 / 10.5) points.
    strong = round(400 * math.log10(90.5 / 10.5))
    assert lines[2].startswith(f"| strong | {strong} ± ")
    assert lines[2].endswith("| 150 of 200 | 0.400 | 50 |")
    middle = round(400 * math.log10(90.5 / 10.5) - 400 * math.log10(60.5 / 40.5))
    assert lines[3].startswith(f"| middle | {middle} ± ")
    assert lines[3].endswith("| 40 of 100 |  |  |"), "nothing was measured of it"
    assert lines[4] == "| random | 0 | 10 of 100 | 0.100 | 30 |"
    assert lines[-3:] == [
        "| strong |  | 60.0% | 80.0% |",
        "| middle | 40.0% |  |  |",
        "| random | 0.0% |  |  |",
    ]


def test_intervals_are_wilsons() -> None:
    """8 of 10: (8 + z²/2) / (10 + z²) ± z / (10 + z²) sqrt(10 · 0.8 · 0.2 + z²/4)."""
    z = 1.959964
    low, high = ladder_page.interval(8, 10)
    middle, half = (8 + z * z / 2) / (10 + z * z), z / (10 + z * z) * math.sqrt(1.6 + z * z / 4)
    assert (low, high) == pytest.approx((middle - half, middle + half))
    assert ladder_page.interval(0, 10)[0] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--players bcts random third=nowhere", "--players: given 'nowhere'; allowed: the folder of a run"),
        ("--players bcts random --games 0", "--games: given 0; allowed: 1 or more"),
        ("--players bcts random --max-pieces 99999999999", "--max-pieces: given 99999999999"),
        ("--players bcts random --seed -1", "--seed: given -1; allowed: 0 or more"),
    ],
)
def test_wrong_words_are_one_line_before_anybody_plays(words, said, capsys):
    assert ladder.main(words.split()) == 2
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and not told.out


def test_who_has_met_is_not_played_again_from_the_other_side(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ladder_page, "path_of", lambda first, second: tmp_path / f"{first}-{second}.json")
    (tmp_path / "random-bcts.json").touch()
    assert ladder.main("--players bcts random --save".split()) == 0
    assert capsys.readouterr().err == "bcts and random have met\n"


def test_who_plays_is_named() -> None:
    assert ladder.find_paths(["bcts", "mine=runs/versus"]) == {"bcts": "bcts", "mine": "runs/versus"}
    for players, message in (
        (["bcts"], "given bcts; allowed: two or more"),
        (["bcts", "bcts=other"], "given 'bcts' twice"),
        (["runs/one", "bcts"], "given 'runs/one'; allowed: the name of a baseline, or NAME=FOLDER"),
        (["one=", "bcts"], "given 'one='"),
    ):
        with pytest.raises(UserError, match=message):
            ladder.find_paths(players)
