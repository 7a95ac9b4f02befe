"""`python -m tetrax.view`: a recording as page, animation, picture or text, and what is wrong with one in a line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

import tetrax
from tetrax.env import record
from tetrax.view import render
from tetrax.view.__main__ import main
from tetrax.view.frames import scene_at
from tetrax.view.text import render_text

ENV = tetrax.make("mini", actions="drop", reward="lines_only")


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of a short game, in the place where a run has its best."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "recordings").mkdir()
    made = record.record(ENV.config, ENV.default_params, jax.random.key(3), np.array([0, 2, 1, 0, 3]))
    record.save(made, folder / "recordings" / "best.json")
    return folder / "recordings" / "best.json"


def test_the_last_board_or_another_is_printed(game: Path, capsys: Any) -> None:
    replayed = record.replay(record.load(game))
    for words, step in (([], -1), (["--step", "1"], 1)):
        assert main([str(game), *words]) == 0
        board = render_text(scene_at(replayed, step))
        assert capsys.readouterr().out.startswith(board)
    assert main([str(game.parents[1])]) == 0  # the folder of the run
    assert f"{replayed.recording.outcome.pieces} pieces" in capsys.readouterr().out


def test_each_kind_of_file_is_what_python_makes(game: Path, tmp_path: Path, capsys: Any) -> None:
    replayed = record.replay(record.load(game))
    for name, words in (
        ("a.html", []),
        ("a.svg", ["--step=-2"]),
        ("a.txt", []),
        ("a.gif", ["--max-frames", "2", "--part", "first", "--frames-per-second", "5"]),
    ):
        assert main([str(game), "--out", str(tmp_path / name), *words]) == 0
        assert f"{tmp_path / name}: " in capsys.readouterr().out
    assert (tmp_path / "a.html").read_text() == render.render_html(replayed)
    assert (tmp_path / "a.svg").read_text() == render.render_step(replayed, -2)
    assert (tmp_path / "a.txt").read_text() == render_text(scene_at(replayed)) + "\n"
    with Image.open(io.BytesIO((tmp_path / "a.gif").read_bytes())) as animation:
        assert (animation.n_frames, animation.info["duration"]) == (2, 200)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "RECORDING: given nothing; allowed: one file"),
        (["GAME", "GAME"], "allowed: one file of a recording"),
        (["nowhere.json"], "nowhere.json: given no such file"),
        (["."], "RECORDING: given '.'; allowed: a file of a recording, or the folder of a run"),
        (
            ["GAME", "--out", "a.avi"],
            "--out: given 'a.avi'; allowed: a file that ends in .html, .gif, .mp4, .svg, .txt",
        ),
        (
            ["GAME", "--out", "nowhere/a.gif"],
            "--out: given 'nowhere/a.gif'; allowed: a file that can be written",
        ),
        (["GAME", "--step", "99"], "--step: given 99; allowed: -6 to 5"),
        (["GAME", "--part", "middle"], "--part: given 'middle'; allowed: first, last, spread"),
        (
            ["GAME", "--max-frames", "3"],
            "--max-frames: given without an animation; allowed: with --out FILE.gif",
        ),
        (["GAME", "--out", "a.html", "--step", "1"], "--step: given with .html, which shows the whole game"),
        (["GAME", "--out", "a.gif", "--max-frames", "0"], "--max-frames: given 0; allowed"),
        (["GAME", "--out", "a.gif", "--frames-per-second", "99"], "--frames-per-second: given 99.0; allowed"),
    ],
)
def test_a_wrong_word_is_one_line(
    words: list[str], said: str, game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(game) if word == "GAME" else word for word in words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_was_changed_is_refused(game: Path, tmp_path: Path, capsys: Any) -> None:
    document = json.loads(game.read_text())
    document["outcome"]["lines"] += 1
    (tmp_path / "changed.json").write_text(json.dumps(document))
    assert main([str(tmp_path / "changed.json")]) == 2
    assert "differs from its replay in lines" in capsys.readouterr().err
