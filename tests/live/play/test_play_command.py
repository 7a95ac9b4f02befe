"""`python -m tetrax.play`: what is wrong is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tetrax import play
from tetrax.fields.errors import UserError
from tetrax.live.play.key_bindings import DEFAULT_BINDINGS, KEYS, MEANINGS, bind

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mode", "sprnt"], "--mode: given 'sprnt'; allowed: endless, practice, sprint, ultra"),
        (["sprint"], "unexpected word: given 'sprint'; allowed: flags"),
        (["--das", "-1"], "--das: given -1.0; allowed: 0 to 2,000 milliseconds"),
        (["--arr", "1e9"], "--arr: given 1000000000.0; allowed: 0 to 2,000 milliseconds"),
        (["--speed", "9"], "--speed: given 9.0; allowed: nothing, without --policy"),
        (["--part", "beside"], "--part: given 'beside'; allowed: nothing, without --policy"),
        (
            ["--policy", "dt10", "--speed", "61"],
            "--speed: given 61.0; allowed: more than 0 keys a second, up to 60",
        ),
        (["--policy.width", "8"], "--policy.width: given 8; allowed: nothing, without --policy"),
        (["--policy.widht", "8"], "--policy.widht: given for a policy; allowed: --policy.width, "),
        (["--port", "80"], "--port: given 80; allowed: nothing, without --browser"),
        (["--level", "0"], "--level: given 0; allowed: 1 to 1000"),
        (["--seed", "-1"], "--seed: given -1; allowed: 0 to 2147483647"),
        (["--preset", "guidelin"], "--preset: given 'guidelin'; allowed: "),
        (["--env.rules.width", "99"], "--env.rules.width: given 99; allowed: a whole number from 1 to 22"),
        (["--keys", "jump=j"], "--keys: given 'jump=j'; allowed: MEANING=KEY, of left, right"),
        (["--keys", "hold=shift"], "--keys: hold: given 'shift'; allowed: left, right, up"),
        (["--keys", "hold=j", "left=j"], "--keys: given j for hold and left; allowed: each key once"),
        ([], "terminal: given a file or a pipe; allowed: a terminal to type in, or --browser"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], said: str, capsys: Any) -> None:
    assert play.main(words) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "delacherie"], "--policy: given 'delacherie'; allowed: the folder of a run"),
        (
            ["--policy", str(ROOT / "pretrained" / "classic-10x10"), "--preset", "guideline"],
            "rules.height 20; allowed: 10, as it was trained",
        ),
        (["--env.params", "game.gravty=1"], "--env.params: given 'game.gravty'; allowed: game.start_level"),
        (["--save", "{tmp}/file/x"], "--save: given"),
    ],
)
def test_what_shows_later_is_one_line_too(words: list[str], said: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    if "--save" not in words:
        words += ["--save", str(tmp_path)]
    assert play.main(["--browser", *words]) == 2
    out, error = capsys.readouterr()
    lines = [line for line in error.splitlines() if not line.startswith("preparing")]
    assert out == "" and len(lines) == 1
    assert said in lines[0]


def test_the_help_names_every_key(capsys: Any) -> None:
    assert play.main(["--help"]) == 0
    said = capsys.readouterr().out
    seconds = "10 for agents, 60 for people. (default: 60)"
    for words in ("space: drop", "--browser", "--policy", "--das", "kitty", seconds):
        assert words in " ".join(said.replace("│", " ").split())


def test_games_that_cannot_be_saved_are_told_of_in_the_end(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    """And those that can are saved, and named."""
    from tests.live.play.boards import setting
    from tetrax.live.play import terminal_play
    from tetrax.live.play.match import Match

    def play_two(setting: Any, bindings: Any, on_end: Any, *, colour: bool) -> None:
        for is_file in (True, False):
            tmp_path.joinpath("folder").touch() if is_file else tmp_path.joinpath("folder").unlink()
            match = Match(setting, on_end)
            match.press("hard_drop")
            match.advance()
            match.end()

    monkeypatch.setattr(terminal_play, "play", play_two)
    with pytest.raises(UserError, match=r"games that could not be saved: .*folder: File exists"):
        play._play_in_terminal(play.Options(), setting("sprint"), {}, tmp_path / "folder")
    assert ".json: 0:00.02" in capsys.readouterr().out


def test_keys_are_bound_in_place_of_others() -> None:
    bound = bind(["left=j", "right=l", "rotate_cw=x"])
    assert (bound["j"], bound["l"], bound["x"]) == ("left", "right", "rotate_cw")
    assert "left" not in bound and "up" not in bound  # they were moves and turns
    assert bound["space"] == "hard_drop"
    assert bind([]) == DEFAULT_BINDINGS
    assert bind(["left=a"])["a"] == "left"  # and nothing turns around any more
    assert set(DEFAULT_BINDINGS.values()) == set(MEANINGS)
    assert set(DEFAULT_BINDINGS) <= set(KEYS)


def test_an_agents_game_is_its_own() -> None:
    """Without --preset, people play by the rules that an agent was trained by."""
    folder = ROOT / "pretrained" / "classic-10x10"
    rules = json.loads((folder / "config.json").read_text())["env"]["rules"]
    from tetrax.live.play.guest import invite

    guest = invite(str(folder), None)
    assert guest.env.rules.height == rules["height"] == 10
