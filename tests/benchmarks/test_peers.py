"""Contestants take turns, ratios are ratios of medians, and who cannot take part is named."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks import contestants, peers
from benchmarks.contestants import PEERS, Absent, Contestant, Installation
from benchmarks.workers import protocol
from benchmarks.workers.stopwatch import Played


def played(steps: int, pieces: int) -> Played:
    """Return a turn of two seconds, four of the CPU."""
    return Played(steps, pieces, 1, 2.0, 4.0)


class Fake:
    """A contestant that notes when it is asked to play."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.name, self.order = name, order

    def play(self, seconds: float) -> Played:
        self.order.append(f"{self.name} {seconds:g}")
        return played(10, 5)


def test_tetrax_plays_before_each_peer_and_places_before_those_that_place():
    order: list[str] = []
    names = [*peers.OURS, "jumanji", "tetris-gymnasium"]
    turns = peers.play_by_turns({name: Fake(name, order) for name in names}, rounds=2, seconds=10)
    a_round = [*peers.OURS, "jumanji", "tetrax direct", "tetris-gymnasium"]
    assert order == [f"{name} 1" for name in names] + 2 * [f"{name} 10" for name in a_round]
    assert {name: len(found) for name, found in turns.items()} == {
        "tetrax direct": 4, "tetrax drop": 2, "tetrax locked_position": 2, "jumanji": 2, "tetris-gymnasium": 2
    }  # fmt: skip


def test_ratios_are_of_medians_and_compare_pieces_with_placements():
    turns = {
        "tetrax direct": [played(600, 60), played(1000, 100), played(800, 80)],
        "tetrax drop": [played(300, 290)],
        "tetrax locked_position": [played(50, 50)],
        "jumanji": [played(100, 100)],
        "gym-simpletetris": [played(4, 1)],
    }
    found = {one["ours"]: one for one in peers.ratios("jumanji", turns)}
    assert found["tetrax direct"]["per_cpu_second"] == 8
    assert found["tetrax drop"]["per_cpu_second"] == pytest.approx(2.9)
    assert found["tetrax drop"]["counted"] == "pieces against placements"
    assert found["tetrax locked_position"]["per_second"] == 0.5
    (only,) = peers.ratios("gym-simpletetris", turns)
    assert (only["ours"], only["per_second"]) == ("tetrax direct", 200)


def test_on_an_accelerator_peers_with_boards_are_tried_at_several_batches():
    names = peers.peer_names(["jumanji", "gym-simpletetris"], "gpu")
    assert names == ["jumanji@4096", "jumanji@65536", "jumanji@262144", "gym-simpletetris"]
    assert peers.peer_names(["jumanji"], "cpu") == ["jumanji"]
    assert peers.ratios("jumanji@4096", {name: [played(2, 2)] for name in (*peers.OURS, "jumanji@4096")})


def test_a_contestant_that_fails_is_absent_with_its_last_words():
    contestant = Contestant("nobody", Path(sys.executable), ["benchmarks.workers.nobody"])
    with pytest.raises(Absent, match=r"No module named benchmarks\.workers\.nobody"):
        contestant.ready()
    with pytest.raises(Absent):
        contestant.play(1.0)
    contestant.close()


def test_a_worker_answers_each_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("0.5\n2\n"))
    asked = []

    def play(seconds: float) -> Played:
        asked.append(seconds)
        return played(7, 3)

    protocol.serve({"batch": 1}, play)
    said = [protocol.read(line) for line in capsys.readouterr().out.splitlines()]
    assert asked == [0.5, 2.0]
    assert said[0] is not None and said[0]["batch"] == 1
    assert [Played(**one) for one in said[1:] if one] == 2 * [played(7, 3)]
    assert protocol.read("pygame says hello") is None


def test_what_pip_is_asked_for():
    jumanji = PEERS["jumanji"].installation
    assert jumanji.requirements(on_gpu=False) == ["jumanji==1.1.2", "jax==0.5.3"]
    assert jumanji.requirements(on_gpu=True) == ["jumanji==1.1.2", "jax[cuda12]==0.5.3"]
    assert jumanji.folder(Path("here"), on_gpu=False) == Path("here/jumanji-1.1.2-jax-0.5.3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--peers", "jumanjy"], "--peers: given 'jumanjy'; allowed: gym-simpletetris"),
        (["--peers", "jumanjy"], "did you mean 'jumanji'?"),
        (["--peers", ","], "--peers: given none; allowed: jumanji"),
        (["--rounds", "0"], "--rounds: given 0; allowed: a whole number, 1 or more"),
        (["--seconds", "nan"], "--seconds: given 'nan'; allowed: a finite number"),
    ],
)
def test_a_wrong_word_is_one_line(words, said, capsys):
    assert peers.main(words) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


@pytest.mark.slow
def test_a_peer_that_cannot_be_installed_is_named_with_the_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    nobody = Installation("nobody", (("no-such-tetris", "1.0"),), False)
    monkeypatch.setitem(PEERS, "nobody", contestants.Peer(nobody, "nobody", (), None, False, "nothing"))
    monkeypatch.setattr(peers, "OURS", {"tetrax direct": peers.OURS["tetrax direct"]})
    words = ["--peers", "nobody", "--batch", "8", "--seconds", "0.2", "--rounds", "1", "--json"]
    assert peers.main([*words, "--environments", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert "no-such-tetris==1.0" in found["absent"]["nobody"]
    assert found["contestants"]["tetrax direct"]["rates"]["steps_per_cpu_second"] > 0
    assert found["ratios"] == []
    assert os.listdir(tmp_path) == ["nobody-1.0"]
