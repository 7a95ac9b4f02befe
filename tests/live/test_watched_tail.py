"""Reading the watched game while a training writes it."""

import json

import pytest

from tests.live.web import watched_game
from tetrax import make
from tetrax.live.watched_tail import SHOWN_AT_ONCE, WatchedTail

RULES, STEP = {"rules": {"columns": 4}}, {"scene": {}, "move": 0}


def write(path, lines, mode="w"):
    with path.open(mode) as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))


def test_a_game_is_followed_line_by_line_and_from_file_to_file(tmp_path):
    path, tail = tmp_path / "watched.jsonl", WatchedTail(tmp_path)
    assert tail.read_on() is None
    path.write_text('{"rules": ')
    assert tail.read_on() is None  # the first line is not whole yet
    write(path, [RULES, {**STEP, "move": 1}])
    assert tail.read_on() == {"fresh": True, "lines": [RULES, {**STEP, "move": 1}]}
    assert tail.read_on() is None
    with path.open("a") as file:
        file.write('{"move": 2}\nnonsense\n{"move"')
    assert tail.read_on() == {"fresh": False, "lines": [{"move": 2}]}
    with path.open("a") as file:
        file.write(": 3}\n")
    assert tail.read_on() == {"fresh": False, "lines": [{"move": 3}]}
    write(tmp_path / "new", [RULES, {"move": 4}])
    (tmp_path / "new").rename(path)
    assert tail.read_on() == {"fresh": True, "lines": [RULES, {"move": 4}]}


def test_whoever_comes_late_sees_the_rules_and_the_end(tmp_path):
    long = [{"move": move, "filling": "x" * 1_000} for move in range(2_000)]
    write(tmp_path / "watched.jsonl", [RULES, *long])
    lines = WatchedTail(tmp_path).read_on()["lines"]
    assert lines[0] == RULES and lines[-1]["move"] == 1_999
    assert len(lines) < SHOWN_AT_ONCE / 1_000
    moves = [line["move"] for line in lines[1:]]
    assert moves == list(range(moves[0], 2_000))


def test_a_link_elsewhere_is_no_watched_game(tmp_path):
    (tmp_path / "run").mkdir()
    write(tmp_path / "secret", [RULES])
    (tmp_path / "run" / "watched.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="leads out"):
        WatchedTail(tmp_path / "run").read_on()


def test_a_real_game_is_read_whole(tmp_path):
    """What the browser's tests play, too."""
    watched_game.write(tmp_path / "watched.jsonl", make("mini", actions="drop"), 30)
    lines = WatchedTail(tmp_path).read_on()["lines"]
    assert lines[0]["rules"]["columns"] == 4 and len(lines) == 31
    for step in lines[1:]:
        assert step["did"] == lines[0]["actions"][step["action"]]
        assert step["scores"] == sorted(step["scores"], key=lambda pair: -pair[1])
