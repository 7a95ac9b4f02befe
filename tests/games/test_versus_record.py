"""Recordings of versus games: kept, played again, refused where they lie, and drawn with all boards."""

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from tests.games.test_versus import BOARD, UPRIGHT
from tetrax.games import versus_record
from tetrax.games.versus import Versus
from tetrax.games.versus_config import VersusConfig
from tetrax.view import __main__ as view
from tetrax.view import render, several_boards, side_by_side
from tetrax.view.page import show

CONFIG = VersusConfig(board=replace(BOARD, params=("game.garbage_delay=1",)))
# Both fall in the sixth step; what comes after is left out.
MOVES = [(UPRIGHT + 4, UPRIGHT), (0, 1), (2, 1), (0, 3), (2, 3), (0, 0), (0, 0), (1, 1)]
NODE = shutil.which("node")
pytestmark = pytest.mark.slow  # a scan of whole games is compiled


@pytest.fixture(scope="module")
def replayed():
    return versus_record.play(CONFIG, Versus(CONFIG).default_params, jax.random.key(3), MOVES)


@pytest.fixture
def file(replayed, tmp_path):
    versus_record.save(replayed.recording, tmp_path / "game.json")
    return tmp_path / "game.json"


def test_a_recording_says_what_the_game_came_to_and_is_played_again(replayed, file):
    outcome = replayed.recording.outcome
    assert (outcome.winner, outcome.game_over, outcome.steps) == (-1, True, 6)
    assert (outcome.lines, outcome.sent, outcome.pieces) == ((4, 4), (12, 11), (6, 6))
    loaded = versus_record.load(file)
    assert loaded.config == CONFIG and loaded.outcome == outcome
    assert loaded.actions.tolist() == [list(move) for move in MOVES[:6]]
    again = versus_record.verify(loaded)
    assert (again.boards[1].rows == replayed.boards[1].rows).all()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("actions", [[0, 0, 0]], r"actions\[0\]: given list; allowed: a list of 2 integers"),
        ("actions", [[0, 99]], r"actions\[0\]\[1\]: given 99; allowed: 0 to 19"),
        ("key_data", [1], "key_data: given list; allowed: a list of 2 integers"),
        ("format", "tetrax recording", 'given JSON without "format": "tetrax versus recording"'),
        (
            "params",
            {"board.game.speed": 1},
            "params: given 'board.game.speed'; allowed: board.game.start_level",
        ),
    ],
)
def test_files_that_are_none(file, name, value, said):
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(ValueError, match=said):
        versus_record.load(file)


def test_what_differs_is_named(replayed):
    lies = replace(replayed.recording, outcome=replace(replayed.recording.outcome, winner=1))
    with pytest.raises(ValueError, match=r"differs from its replay in winner \(recorded 1, replayed -1\)"):
        versus_record.verify(lies)


def test_all_boards_are_drawn(replayed):
    text = several_boards.text_at(replayed, 3)
    first, _, *lines = text.splitlines()
    assert first.split("  ")[0] == "player 1" and first.endswith("player 2: 1 waiting")
    assert lines[-2].count("|") == lines[-3].count("|") == 4
    assert "###..".replace("#", "##").replace(".", " .") in lines[-2].replace("[]", "##")
    last = several_boards.text_at(replayed)
    assert last.startswith("player 1: fallen") and last.count("GAME OVER") == 2
    image = several_boards.svg_at(replayed, 3)
    assert image.count("<svg ") == 3 and "player 2: 1 waiting" in image
    assert several_boards.default_title(replayed.recording) == "Versus Tetris · a draw"


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_page_shows_every_step_of_every_board(replayed, tmp_path):
    """The page's own reader comes to the boards that the recording has."""
    html = show(replayed).html
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert (data["steps"], len(data["boards"])) == (6, 2)
    assert data["boards"][1]["waiting"] == [0, 0, 0, 1, 0, 11, 3]
    assert html.count("<figure>") == 2 and "http:" not in html.replace("http://www.w3.org", "")
    program = Path(several_boards.__file__).parent / "player" / "player.js"
    harness = Path(__file__).parents[1] / "view" / "player.cjs"
    (tmp_path / "data").write_text(json.dumps(data["boards"][0]))
    done = subprocess.run(
        [str(NODE), str(harness), str(program), str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=True,
    )
    steps = [json.loads(line)["step"] for line in done.stdout.splitlines()]
    assert steps == [0, 1, 2, 3, 4, 5, 6, 6][-len(steps) :] and steps[-1] == 6


def test_the_command_shows_all_boards(file, tmp_path, capsys):
    assert view.main([str(file), "--step", "3", "--out", str(tmp_path / "boards.txt")]) == 0
    assert "player 2: 1 waiting" in (tmp_path / "boards.txt").read_text()
    assert "Versus Tetris · a draw, 6 steps" in capsys.readouterr().out
    words = ["--part", "first", "--max-frames", "2", "--frames-per-second", "5"]
    assert view.main([str(file), "--out", str(tmp_path / "boards.gif"), *words]) == 0
    with Image.open(tmp_path / "boards.gif") as gif:
        assert (gif.n_frames, gif.info["duration"]) == (2, 200)
    pytest.importorskip("av")
    assert view.main([str(file), "--out", str(tmp_path / "boards.mp4"), *words]) == 0
    assert (tmp_path / "boards.mp4").stat().st_size > 1000


def test_an_animation_has_every_step_of_all_boards(replayed):
    """A frame a step, in which each board has just locked its piece, and the end, where both have fallen."""
    frames = list(several_boards.frames_of_all(replayed))
    assert [frame.step for frame in frames] == [1, 2, 3, 4, 5, 6, 6]
    assert [frame.headings for frame in frames] == [
        tuple(several_boards.headings_at(replayed, frame.step)) for frame in frames
    ]
    assert frames[2].headings == ("player 1", "player 2: 1 waiting")
    for player, seat in enumerate(several_boards.seats(replayed)):
        shown = [frame.scenes[player] for frame in frames]
        assert [scene.pieces for scene in shown] == [1, 2, 3, 4, 5, 6, 6]
        assert all(scene.placed for scene in shown[:-1]) and [scene.game_over for scene in shown[-2:]] == [
            False,
            True,
        ]
        np.testing.assert_array_equal(shown[-1].cells, several_boards.scene_at(seat).cells)
    with Image.open(io.BytesIO(render.render_gif(replayed, cell=8))) as gif:
        assert gif.n_frames == 7
        gif.seek(6)
        drawn = np.asarray(gif.convert("RGB")).astype(int)
    last = side_by_side.join_pictures(frames[-1].scenes, frames[-1].headings, cell=8).astype(int)
    assert drawn.shape == last.shape
    assert np.mean(np.abs(drawn - last)) < 1  # but for the palette


def test_a_board_that_has_fallen_is_shown_so_while_others_play_on():
    config = replace(CONFIG, num_players=3)
    moves = [(UPRIGHT, step % 4, 2 * step % 4) for step in range(12)]
    replayed = versus_record.play(config, Versus(config).default_params, jax.random.key(3), moves)
    assert replayed.fallen.argmax(axis=0).tolist() == [0, 7, 8] and replayed.recording.outcome.winner == 0
    frames = list(several_boards.frames_of_all(replayed))
    over = [(frame.step, *(scene.game_over for scene in frame.scenes)) for frame in frames]
    assert over[5:] == [
        (6, False, False, False),
        (7, False, False, False),
        (7, False, True, False),
        (8, False, True, False),
        (8, False, True, True),
    ]
    assert frames[-1].headings == ("player 1: wins", "player 2: fallen", "player 3: fallen")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--step", "7"], "--step: given 7; allowed: -7 to 6"),
        (
            ["--policy", "run", "--out", "a.gif"],
            "--policy: given for a game of several boards; allowed: with those of",
        ),
        (["--out", "a.gif", "--max-frames", "0"], "--max-frames: given 0; allowed: a whole number from 1"),
        (["--out", "a.gif", "--step", "1"], "--step: given with .gif, which shows the whole game"),
    ],
)
def test_a_wrong_word_is_one_line(words, said, file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert view.main([str(file), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (tmp_path / "a.gif").exists()
