"""A bot hears anything, says what is wrong with it in one line, and lives."""

from __future__ import annotations

import io
import json
import random

import pytest

from tests.live.bot.front_end import ask
from tetrax import bot as command
from tetrax.live.bot.advisor import Advice
from tetrax.live.bot.conversation import LONGEST_LINE, Conversation, converse, read_lines
from tetrax.live.bot.position import Move

ROW: list[object] = [None] * 10
START = {
    "type": "start",
    "hold": None,
    "queue": ["T", "S"],
    "combo": 0,
    "back_to_back": False,
    "board": [ROW] * 40,
}
MOVE = {"location": {"type": "T", "orientation": "north", "x": 1, "y": 0}, "spin": "none"}


class Parrot:
    """Suggests one move for everything."""

    def advise(self, position):
        return Advice((Move("T", 0, 1, 0, "none"),), {"boards": 20.0, "value": 1.5}, 0.5)


def parrot() -> Conversation:
    return Conversation(Parrot(), "parrot", "1")  # type: ignore[arg-type]


def started() -> Conversation:
    bot = parrot()
    assert ask(bot, **START) is None
    return bot


def test_the_lines_of_a_short_game():
    said: list[str] = []
    heard = [
        {"type": "rules"},
        START,
        {"type": "suggest"},
        {"type": "play", "move": MOVE},
        {"type": "quit"},
        {"type": "rules"},
    ]
    converse(parrot(), iter([json.dumps(each).encode() + b"\n" for each in heard]), said.append)
    info, ready, suggestion = map(json.loads, said)  # nothing after quit
    assert info == {
        "type": "info", "name": "parrot", "version": "1", "author": "tetrax", "features": ["randomizer", "move_info"],
    }  # fmt: skip
    assert ready == {"type": "ready"}
    assert suggestion == {
        "type": "suggestion",
        "moves": [MOVE],
        "move_info": {"nodes": 20, "nps": 40, "extra": "value 1.5"},
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"board": [ROW] * 39}, "board: given [["),
        ({"board": [ROW] * 39 + [[None] * 9]}, "board[39]: given [None, "),
        ({"board": [[1] + [None] * 9] * 40}, "board[0][0]: given 1; allowed: null"),
        ({"board": None}, "board: given None; allowed: a list of 40 rows, the lowest first"),
        ({"queue": "TS"}, "queue: given 'TS'; allowed: a list"),
        ({"queue": ["T", "Q"]}, "queue[1]: given 'Q'; allowed: I, J, L, O, S, T, Z"),
        ({"queue": [["T"]]}, "queue[0]: given ['T']; allowed: I, J"),
        ({"hold": "t"}, "hold: given 't'; allowed: I, J, L, O, S, T, Z; did you mean 'T'?"),
        ({"combo": -1}, "combo: given -1; allowed: a whole number"),
        ({"combo": 1.5}, "combo: given 1.5; allowed: a whole number"),
        ({"combo": True}, "combo: given True; allowed: a whole number"),
        ({"back_to_back": 1}, "back_to_back: given 1; allowed: true or false"),
        ({"randomizer": {"type": "seven_bag"}}, "randomizer.bag_state: given nothing"),
        (
            {"randomizer": {"type": "seven_bag", "bag_state": []}},
            "randomizer.bag_state: given []; allowed: a list of 1",
        ),
        ({"randomizer": {"type": "seven_bag", "bag_state": ["T", "T"]}}, "allowed: each piece once"),
    ],
)
def test_a_wrong_start_is_an_error_and_no_game(changed, said):
    bot = started()
    answer = ask(bot, **{**START, **changed})
    assert (answer["type"], answer["reason"]) == ("error", "malformed")
    assert said in answer["detail"] and answer["detail"].endswith("; the game must be told anew, by start")
    assert bot.position is None
    assert ask(bot, type="suggest")["reason"] == "not_calculating"
    assert ask(bot, **START) is None
    assert ask(bot, type="suggest")["type"] == "suggestion"


def test_missing_fields_are_named():
    for name in ("hold", "queue", "combo", "back_to_back", "board"):
        answer = ask(parrot(), **{key: value for key, value in START.items() if key != name})
        assert answer["detail"].startswith(f"{name}: given nothing")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "play"}, "malformed"),
        ({"type": "play", "move": 3}, "malformed"),
        ({"type": "play", "move": {"location": {**MOVE["location"], "x": "1"}}}, "malformed"),  # type: ignore[dict-item]
        ({"type": "play", "move": {"location": {**MOVE["location"], "orientation": "up"}}}, "malformed"),  # type: ignore[dict-item]
        ({"type": "play", "move": {**MOVE, "spin": "half"}}, "malformed"),
        ({"type": "play", "move": {"location": {**MOVE["location"], "y": -1}}}, "impossible_move"),  # type: ignore[dict-item]
        ({"type": "new_piece"}, "malformed"),
        ({"type": "new_piece", "piece": None}, "malformed"),
    ],
)
def test_what_is_not_understood_of_a_game_ends_it(message, reason):
    """The board may be another now: nothing is suggested until it is told."""
    bot = started()
    answer = ask(bot, **message)
    assert (answer["type"], answer["reason"]) == ("error", reason)
    assert bot.position is None
    assert ask(bot, **message)["type"] == "error"  # before a game, too


def test_messages_out_of_order():
    bot = parrot()
    for message in ({"type": "suggest"}, {"type": "play", "move": MOVE}, {"type": "new_piece", "piece": "T"}):
        assert ask(bot, **message)["reason"] == "not_calculating"
    assert ask(bot, type="stop") is None
    bot = started()
    assert ask(bot, type="stop") is None
    assert ask(bot, type="suggest")["reason"] == "not_calculating"
    assert ask(bot, **{**START, "queue": []}) is None
    assert ask(bot, type="suggest")["detail"] == "suggest: given an empty queue"
    assert ask(bot, type="new_piece", piece="T") is None
    assert ask(bot, type="suggest")["type"] == "suggestion"


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00",
        b"{",
        b"[" * 100_000,
        b'{"type": "start", "combo": ' + b"9" * 10_000 + b"}",
        b'{"type": "start", "combo": NaN}',
        b"null",
        b'"suggest"',
        b'{"type": 3}',
        b"{}",
        b" " * LONGEST_LINE + b"{}",
    ],
    ids=range(10),
)
def test_lines_that_are_no_messages_leave_the_game_alone(line):
    bot = started()
    assert bot.answer(line)["reason"] == "malformed"
    assert ask(bot, type="suggest")["type"] == "suggestion"


def test_unknown_types_and_fields_and_empty_lines_are_ignored():
    bot = started()
    assert ask(bot, type="garbage", rows=[]) is None
    assert bot.answer(b"\r\n") is None
    assert ask(bot, type="rules", randomizer="something new", colour=3) == {"type": "ready"}
    assert ask(bot, type="suggest", soon=True)["type"] == "suggestion"


def test_random_bytes_never_end_a_bot():
    chance, bot = random.Random(0), parrot()
    line = json.dumps(START).encode()
    for _ in range(2_000):
        broken = bytearray(line)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        answer = bot.answer(bytes(broken))
        assert answer is None or answer["type"] == "error"
        noise = chance.randbytes(chance.randrange(40))
        assert (bot.answer(noise) is None) == (not noise.strip())
    assert ask(bot, **START) is None
    assert ask(bot, type="suggest")["type"] == "suggestion"


def test_a_line_without_end_is_read_in_parts():
    long = b"x" * (3 * LONGEST_LINE)
    lines = list(read_lines(io.BytesIO(long + b'\n{"type": "quit"}')))
    assert [len(line) for line in lines] == [LONGEST_LINE + 1, 16]
    assert list(read_lines(io.BytesIO(long))) == [long[: LONGEST_LINE + 1]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--policy", "bean"],
            "--policy: given 'bean'; allowed: the folder of a run or of an exported policy, or",
        ),
        (["beam"], "unexpected word: given 'beam'; allowed: flags"),
        (["--preset", "nes"], "--preset: given 'nes'; allowed: attack-50"),
        (["--policy", "dellacherie", "--preset", "classic-10x10"], "whose rules.height is 10; allowed: 20"),
        (["--policy", "dellacherie", "--preset", "mini"], "whose rules.width is 4; allowed: 10"),
        (
            ["--policy", "dt10", "--policy.width", "3"],
            "--policy.width: given 3; allowed: nothing, with --policy dt10",
        ),
        (["--policy.width", "0"], "--policy.width: given 0; allowed: a whole number from 1"),
        (["--agent.width", "3"], "--agent.width: given 3; allowed: nothing, with --policy beam"),
    ],
)
def test_a_wrong_word_is_one_line(words, said, capsys):
    assert command.main(words) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1
    assert said in error
