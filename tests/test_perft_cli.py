"""`python -m tetrax.perft`: its last line is the number, and a mistake is one line with exit code 2."""

import pytest

from tetrax.perft import main

# A board with placements of I O T L J S Z of 17 9 37 35 35 17 18, and 34 / 2 / 2 for T by spin class.
COLUMNS = "3f,3f,1f,7,1,0,d,1f,3f,ff"


def run(capsys, *words):
    assert main(words) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("queue", "expected"), [("I", 17), ("O", 9), ("T", 37)])
def test_placements_on_a_published_board(capsys, queue, expected):
    assert run(capsys, queue, "--columns", COLUMNS)[-1] == str(expected)


@pytest.mark.slow
@pytest.mark.parametrize(("queue", "expected"), [("L", 35), ("J", 35), ("S", 17), ("Z", 18)])
def test_placements_of_the_other_pieces_on_it(capsys, queue, expected):
    assert run(capsys, queue, "--columns", COLUMNS)[-1] == str(expected)


def test_spins_apart(capsys):
    lines = run(capsys, "T", "--spins", "--columns", COLUMNS)
    assert "none 34, mini 2, full 2" in lines[0]
    assert lines[-1] == "38"


def test_depth_ends_within_the_queue(capsys):
    lines = run(capsys, "iolj", "--depth", "2")
    assert [line.split(";")[0] for line in lines[:-1]] == ["depth 1: 17", "depth 2: 153"]
    assert lines[-1] == "153"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "QUEUE: given nothing; allowed: one word of the letters I, J, L, O, S, T, Z"),
        (["IOX"], "QUEUE: given 'IOX'; allowed: a word of the letters I, J, L, O, S, T, Z"),
        (["IO", "TT"], "QUEUE: given IO and TT; allowed: one word"),
        (["IO", "--depth", "3"], "--depth: given 3; allowed: 1 to 2, within the queue"),
        (["IO", "--depth", "0"], "--depth: given 0; allowed: 1 to 2"),
        (
            ["IO", "--kicks", "sr"],
            "--kicks: given 'sr'; allowed: none, srs, srs+, srs180; did you mean 'srs'?",
        ),
        (["IO", "--spawn-y", "3"], "--spawn-y: given 3; allowed: 4 to 28"),
        (["IO", "--columns", "1,2"], "--columns: given '1,2'; allowed: 10 hexadecimal words"),
        (["IO", "--columns", "1,1,1,1,1,1,1,1,1,g"], "allowed: 10 hexadecimal words of at most 28 bits"),
        (["IO", "--columns", "1,1,1,1,1,1,1,1,1,1"], "allowed: a board without full rows"),
        (["IO", "--colums", "1"], "unknown flag: given --colums"),
    ],
)
def test_a_mistake_is_one_line(capsys, words, said):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_help_names_every_flag(capsys):
    text = "\n".join(run(capsys, "--help"))
    assert all(flag in text for flag in ("--depth", "--kicks", "--spins", "--spawn-y", "--columns", "QUEUE"))
