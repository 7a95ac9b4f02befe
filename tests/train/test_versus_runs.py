"""Versus Tetris goes through training as the single game does: recordings, watching, resuming, sweeps."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.train.folder.test_checkpoint import assert_same_bits
from tests.train.sweep.test_sweep import trained_alone
from tests.train.test_loop import Listener
from tests.train.test_resume import final_state, without_times
from tetrax import evaluate as evaluate_entry
from tetrax.env.game.rules import RULE_PRESETS
from tetrax.env.tetris import EnvConfig
from tetrax.games import versus_record
from tetrax.games.versus_config import VersusConfig
from tetrax.train import presets, watching
from tetrax.train.config import EvalConfig, TrainConfig, load_config
from tetrax.train.folder import log, policy_io
from tetrax.train.loop import Result, train
from tetrax.train.report.watched_game import STEPS, WatchedGame
from tetrax.train.sweep import sweep, sweep_plot
from tetrax.train.sweep.sweep_members import Sweep
from tetrax.train.watch_config import WatchConfig
from tetrax.view.page import show
from tetrax.view.shown_games import Picture

pytestmark = pytest.mark.slow
RULES = dataclasses.replace(RULE_PRESETS["mini"], garbage=True)
GAME = VersusConfig(
    board=EnvConfig(rules=RULES, actions="drop", params=("game.garbage_delay=1",)), win=1.0, attack=0.1
)
TINY = dataclasses.replace(  # whose league has two past selves, one drawn anew every second iteration
    presets.find("mappo", "tiny", game="versus", env=GAME),
    evaluation=EvalConfig(every=256, episodes=3, max_pieces=40, final_episodes=4, final_max_pieces=60),
    checkpoint_seconds=0.0,
    keep_checkpoints=20,
)


class Cells(NamedTuple):
    """What stands on a board."""

    filled: int
    lines: int
    pieces: int


def count(board: dict[str, Any]) -> Cells:
    scene = board["scene"]
    filled = sum(cell != "." for row in scene["cells"] for cell in row)
    return Cells(filled, int(scene["numbers"]["LINES"]), int(scene["numbers"]["PIECES"]))


class Looking(Listener):
    """Keeps what was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[Any] = []

    def row(self, row: log.Row, picture: Any) -> None:
        self.pictures.append(picture)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path, Looking]:
    """Return a finished run that somebody watched."""
    folder, shown = tmp_path_factory.mktemp("runs") / "whole", Looking()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "SHARE", 1.0)
        patch.setattr(WatchedGame, "is_ready", property(lambda self: self._program.result() is not None))
        config = dataclasses.replace(TINY, watch=WatchConfig(steps=True))
        return train(config, run_dir=folder, display=shown), folder, shown


def test_all_boards_are_shown_while_it_trains(whole: tuple[Result, Path, Looking]) -> None:
    result, folder, shown = whole
    assert (result.status, result.step, result.num_traces) == ("finished", 512, 1) and shown.notes == []
    assert {"wins", "losses", "attack", "league/score", "loss/policy"} <= log.read(folder / "metrics.jsonl")[
        -1
    ].keys()
    assert len(shown.pictures) == 8
    assert all(isinstance(each, Picture) and len(each.scenes) == 2 for each in shown.pictures)


def test_each_step_of_the_watched_game_shows_both_boards(whole: tuple[Result, Path, Looking]) -> None:
    """A domino has two cells and a line four; what rises has three: what stands is what locked and rose, less lines."""
    header, *steps = [json.loads(line) for line in (whole[1] / "watched.jsonl").read_text().splitlines()]
    assert header["rules"]["columns"] == 4 and len(steps) % STEPS == 0 and len(steps) >= STEPS
    before: dict[str, Any] | None = None
    num_rows = 0
    for step in steps:
        assert step["scene"] is None and len(step["boards"]) == 2
        assert step["did"] == header["actions"][step["action"]] and step["decider"] == "sampled"
        for player, board in enumerate(step["boards"]):
            assert board["heading"].startswith(f"player {player + 1}")
            stood = Cells(0, 0, 0) if before is None else count(before["boards"][player])
            cells = count(board)
            rose = sum(map(int, re.findall(r"(\d+) garbage row", board["said"])))
            locked, cleared = cells.pieces - stood.pieces, cells.lines - stood.lines
            if not board["scene"]["over"]:  # what lies above the rows that are shown is not counted
                assert cells.filled - stood.filled == 2 * locked - 4 * cleared + 3 * rose
                num_rows += rose
        over = [board["scene"]["over"] for board in step["boards"]]
        assert any(over) is step["over"]
        told = [board["heading"].partition(": ")[2] for board in step["boards"]]
        if step["over"]:
            assert sorted(told) in (["fallen", "fallen"], ["fallen", "wins"])
        before = None if step["over"] else step
    assert len({step["game"] for step in steps}) > 1 and num_rows > 0


def test_the_best_the_median_and_the_worst_game_are_kept(whole: tuple[Result, Path, Looking]) -> None:
    folder = whole[1] / "recordings"
    names = {"best.json", "best.txt", "best.gif", "best.html"}
    names |= {f"step-{step}-{which}.json" for step in (256, 512) for which in ("best", "median", "worst")}
    assert {path.name for path in folder.iterdir()} == names
    for path in folder.glob("*.json"):
        assert len(versus_record.verify(versus_record.load(path)).boards) == 2
    assert (folder / "best.txt").read_text().startswith("player 1")
    assert (folder / "best.html").read_text().count("<figure>") == 2


def test_an_evaluation_and_a_loaded_policy_record_the_game_that_they_played(
    whole: tuple[Result, Path, Looking], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--episodes", "4", "--max-pieces", "60", "--json", "--record", str(tmp_path / "game.json")]
    assert evaluate_entry.main([str(whole[1]), *words]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {
        name: value
        for name, value in json.loads((whole[1] / "eval.json").read_text()).items()
        if name in told
    }
    recording = versus_record.verify(versus_record.load(tmp_path / "game.json")).recording
    assert (recording.outcome.winner == 0) is (told["wins"]["max"] == 1)
    played = policy_io.load(whole[1]).play(max_pieces=60)
    assert isinstance(played, versus_record.VersusRecording) and sum(played.outcome.pieces) <= 61
    assert show(played).title.startswith("Versus Tetris")


def test_a_run_with_a_league_goes_on_as_if_it_had_never_stopped(
    whole: tuple[Result, Path, Looking], tmp_path: Path
) -> None:
    """From its first checkpoint, and not watched."""
    stopped = tmp_path / "stopped"
    shutil.copytree(whole[1], stopped)
    for folder in sorted((stopped / "checkpoints").iterdir(), key=lambda path: int(path.name))[1:]:
        shutil.rmtree(folder)
    (stopped / "eval.json").unlink()
    config = dataclasses.replace(load_config(stopped / "config.json"), watch=WatchConfig())
    train(config, run_dir=stopped, resume=True)
    assert without_times(stopped) == without_times(whole[1])
    assert_same_bits(final_state(whole[1], config), final_state(stopped, config))
    assert (stopped / "eval.json").read_text() == (whole[1] / "eval.json").read_text()


def test_the_points_of_a_sweep_are_runs_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_plot, "draw", lambda *args: None)
    config: TrainConfig = dataclasses.replace(TINY, total_steps=128)
    points = tuple({"agent.learning_rate": rate} for rate in (0.002, 0.05))
    shown = Looking()
    result = sweep.run(Sweep(config, points, "eval/wins"), run_dir=tmp_path / "sweep", display=shown)
    assert result.status == "finished" and all(len(each.scenes) == 2 for each in shown.pictures)
    rows = [row for row in log.read(tmp_path / "sweep" / "sweep.jsonl") if "loss/policy" in row["per_member"]]
    agent = dataclasses.replace(config.agent, learning_rate=0.05)
    alone = trained_alone(dataclasses.replace(config, agent=agent), len(rows))
    for row, told in zip(rows, alone, strict=True):
        for name in ("loss/policy", "entropy"):
            np.testing.assert_allclose(row["per_member"][name][1], told[name], rtol=2e-4, atol=1e-6)
