"""Games of two in the terminal, by a person who types and an opponent."""

import io

import pytest

from tetrax import duel, games
from tetrax.agents import baselines
from tetrax.games.in_a_row import TicTacToeConfig
from tetrax.live import turn_play

NOUGHTS = games.make("tictactoe", TicTacToeConfig())


def type_in(monkeypatch, *lines):
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_two_friends_play_a_game_to_its_end(monkeypatch, capsys):
    type_in(monkeypatch, "0", "3", "0", "corner", "1", "4", "2")
    assert duel.main(["tictactoe"]) == 0
    said = capsys.readouterr().out
    assert "move: given '0'; allowed: 1, 2, 4, 5, 6, 7, 8, or q to leave" in said
    assert "move: given 'corner'; allowed:" in said
    assert said.endswith("6 7 8\nO O 5\nX X X\nX wins\n")


@pytest.mark.parametrize("lines", [("3", "q"), ("3",), ()])
def test_a_game_may_be_left(monkeypatch, capsys, lines):
    type_in(monkeypatch, *lines)
    assert duel.main(["connect4"]) == 0
    assert capsys.readouterr().out.endswith("left\n")


def test_an_opponent_answers_legally_from_either_side():
    for side in range(2):
        players = [baselines.random(NOUGHTS), baselines.random(NOUGHTS)]
        players[side] = None
        told, moves = [], iter([*range(9), *range(9)] * 2)
        played = turn_play.play(
            NOUGHTS, tuple(players), 3, lambda prompt, moves=moves: str(next(moves)), told.append
        )
        assert played.is_over and bool(played.state.over)
        answers = [text for text in told if "plays" in text]
        assert answers and all(text.startswith(f"{'OX'[side]} plays") for text in answers)


def test_the_opponents_chances_are_those_of_the_seed():
    def first_move(seed):
        told = []
        players = (baselines.random(NOUGHTS), None)
        turn_play.play(NOUGHTS, players, seed, lambda prompt: "q", told.append)
        return told[1]

    assert first_move(1) == first_move(1) and len({first_move(seed) for seed in range(6)}) > 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "GAME: given nothing; allowed: tictactoe or connect4"),
        (["chess"], "GAME: given 'chess'; allowed: connect4, tictactoe"),
        (["connect4", "--begin", "you"], "--begin: given 'you'"),
        (["connect4", "--simulations", "8"], "--simulations: given 8; allowed: 0 with --opponent friend"),
        (["connect4", "--seed", "-1"], "--seed: given -1; allowed: 0 or more"),
        (["connect4", "--opponent", "nowhere"], "nowhere: given a folder that does not exist"),
    ],
)
def test_wrong_words_are_one_line(argv, said, capsys):
    assert duel.main(argv) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
