"""The files of `python -m tetrax.evaluate`: tried before games are played, and the result is told whatever they do."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.test_disk import small_files
from tetrax import evaluate
from tetrax.env import record
from tetrax.system import disk
from tetrax.train.report import evaluation
from tetrax.train.report.evaluation import EvalResult

PLAY = ["--policy", "random", "--preset", "mini", "--actions", "drop", "--episodes", "3", "--json"]
LINES = np.array([3, 1, 2])
PRETRAINED = Path(__file__).parents[3] / "pretrained" / "classic-10x10"


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Play no game, count how often it was asked for, and let a recording be a few bytes."""
    asked: list[int] = []

    def play(*_: Any, episodes: int, **__: Any) -> EvalResult:
        asked.append(episodes)
        totals = {"lines": LINES, "return": LINES / 2}
        return EvalResult(0, 0, "pieces", totals, LINES, LINES > 2, None)

    monkeypatch.setattr(evaluation, "evaluate", play)
    monkeypatch.setattr(evaluation, "recording_of_best", lambda env, result: b"the best game")
    monkeypatch.setattr(record, "save", lambda game, path: disk.write_whole(Path(path), game))
    return asked


@pytest.mark.parametrize("flag", ["--csv", "--record"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("n" * 300, "File name too long"),
        ("file/name", "a folder that exists"),
        ("folder", "a file in a folder"),
        ("loop", "Too many levels of symbolic links"),
        ("/proc/games", "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_games_are_played(
    tmp_path: Path,
    played: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    name: str,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    assert evaluate.main([*PLAY, flag, name]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith(f"error: {flag}: given {name!r}") and reason in captured.err
    assert played == []
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder", "loop"]


def test_a_full_disk_is_found_before_games_are_played(
    tmp_path: Path, played: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    with small_files():
        assert evaluate.main([*PLAY, "--csv", str(tmp_path / "games.csv")]) == 2
    assert "games.csv" in (said := capsys.readouterr().err) and "File too large" in said
    assert played == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--csv", "--record"])
def test_the_result_is_told_where_its_file_cannot_be_written(
    tmp_path: Path, played: list[int], capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    other = {"--csv": "--record", "--record": "--csv"}[flag]
    assert evaluate.main([*PLAY, flag, "/dev/full", other, str(tmp_path / "other")]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"error: {flag}: /dev/full: No space left on device\n"
    assert json.loads(captured.out)["lines"]["mean"] == 2
    assert (tmp_path / "other").stat().st_size and played == [3]
    assert Path("/dev/full").is_char_device()


def test_games_go_through_a_link(tmp_path: Path, played: list[int]) -> None:
    (tmp_path / "link.csv").symlink_to("games.csv")
    assert evaluate.main([*PLAY, "--csv", str(tmp_path / "link.csv"), "--record", "/dev/null"]) == 0
    assert (tmp_path / "link.csv").is_symlink()
    lines = (tmp_path / "games.csv").read_text().splitlines()
    assert lines == ["game,lines,return,steps,capped", "0,3,1.5,3,1", "1,1,0.5,1,0", "2,2,1.0,2,0"]
    assert Path("/dev/null").is_char_device()


def test_nor_is_who_plays_a_match(
    tmp_path: Path, played: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy"
    shutil.copytree(PRETRAINED.parent / "guideline", policy)
    config = policy / "config.json"
    before = config.read_bytes()
    assert evaluate.main(["--versus", "random", str(policy), "--episodes", "3", "--csv", str(config)]) == 2
    assert "outside of what is evaluated" in capsys.readouterr().err
    assert config.read_bytes() == before and played == []


@pytest.mark.parametrize("flag", ["--csv", "--record"])
@pytest.mark.parametrize("name", ["config.json", "parameters.npz"])
def test_what_is_evaluated_is_not_written_over(
    tmp_path: Path, played: list[int], capsys: pytest.CaptureFixture[str], flag: str, name: str
) -> None:
    policy = tmp_path / "policy"
    shutil.copytree(PRETRAINED, policy)
    before = (policy / name).read_bytes()
    assert evaluate.main([str(policy), "--episodes", "3", flag, str(policy / name)]) == 2
    said = capsys.readouterr().err
    assert flag in said and "outside of what is evaluated" in said and said.count("\n") == 1
    assert not played and (policy / name).read_bytes() == before
