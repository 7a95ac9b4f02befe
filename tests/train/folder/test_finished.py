"""A run says that it has finished when all that it leaves is there, and not before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.test_loop import Listener
from tests.train.toy import toy_config, use_quick_games
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.folder import checkpoint, policy_io
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.loop import train
from tetrax.train.report import artifacts

QUIET = EvalConfig(every=0, final_episodes=0)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing catches it."""


def kill(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


def killed(
    root: Path, config: TrainConfig, where: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> RunFolder:
    """Train in a new folder, and be killed at the first call of a function."""
    with monkeypatch.context() as patch:
        patch.setattr(where, what, kill)
        with pytest.raises(Killed):
            train(config, run_dir=root)
    assert checkpoint.steps(root / "checkpoints")[-1] == config.total_steps
    return RunFolder(root)


def test_killed_while_the_curve_is_drawn_it_is_drawn_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toy_config(total_steps=64, evaluation=QUIET)
    folder = killed(tmp_path / "run", config, artifacts.plots, "learning_curve", monkeypatch)
    assert not folder.learning_curve.exists() and not folder.finished.exists()
    shown = Listener()
    result = train(config, run_dir=folder.root, resume=True, display=shown)
    assert (result.status, result.evaluation, result.num_traces) == ("finished", None, 0)
    assert shown.summary.headline.startswith("Finished")
    assert folder.learning_curve.is_file() and json.loads(folder.finished.read_text()) == {"step": 64}
    train(config, run_dir=folder.root, resume=True, display=shown)
    assert shown.summary.headline == f"This run has finished: 64 steps, drawn in {folder.learning_curve}."


def test_killed_while_the_best_game_is_recorded_it_is_evaluated_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toy_config(total_steps=64)
    folder = killed(tmp_path / "run", config, artifacts, "record_best", monkeypatch)
    assert not folder.learning_curve.exists()  # it shows the evaluation
    assert not folder.evaluation.exists() and not folder.finished.exists()
    shown = Listener()
    assert train(config, run_dir=folder.root, resume=True, display=shown).evaluation is not None
    assert shown.summary.headline.startswith("Finished")
    assert folder.learning_curve.is_file() and folder.evaluation.is_file() and folder.finished.is_file()


def test_killed_before_the_last_policy_is_written_it_is_written_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toy_config(total_steps=64, evaluation=QUIET, checkpoint_seconds=1e6)
    folder = killed(tmp_path / "run", config, policy_io, "export", monkeypatch)
    assert not folder.policy.exists()
    train(config, run_dir=folder.root, resume=True)
    train(config, run_dir=tmp_path / "straight")
    one, other = (
        np.load(root / "policy" / "parameters.npz") for root in (folder.root, tmp_path / "straight")
    )
    assert one.files == other.files
    for name in one.files:
        np.testing.assert_array_equal(one[name], other[name])


def test_more_steps_that_were_killed_at_their_end_are_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(toy_config(total_steps=32, evaluation=QUIET), run_dir=tmp_path / "run")
    longer = toy_config(total_steps=64, evaluation=QUIET)
    with monkeypatch.context() as patch:
        patch.setattr(artifacts.plots, "learning_curve", kill)
        with pytest.raises(Killed):
            train(longer, run_dir=tmp_path / "run", resume=True)
    assert not (tmp_path / "run" / "finished.json").exists()
    shown = Listener()
    train(longer, run_dir=tmp_path / "run", resume=True, display=shown)
    assert shown.summary.headline.startswith("Finished: 64 steps")


def test_a_finished_run_is_evaluated_where_that_is_asked_for_later(tmp_path: Path) -> None:
    train(toy_config(total_steps=32, evaluation=QUIET), run_dir=tmp_path / "run")
    few = EvalConfig(every=0, final_episodes=2, final_max_pieces=20)
    result = train(toy_config(total_steps=32, evaluation=few), run_dir=tmp_path / "run", resume=True)
    assert result.evaluation is not None and result.evaluation["episodes"] == 2


def test_an_old_run_with_eval_json_has_finished(tmp_path: Path) -> None:
    train(toy_config(total_steps=32), run_dir=tmp_path / "run")
    folder = RunFolder(shutil.copytree(tmp_path / "run", tmp_path / "old"))
    folder.finished.unlink()
    shown = Listener()
    train(toy_config(total_steps=32), run_dir=folder.root, resume=True, display=shown)
    assert shown.summary.headline == f"This run has finished: 32 steps, evaluated in {folder.evaluation}."
    assert not folder.finished.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"step": 31}', "\0\0"])
def test_a_mark_that_says_something_else_is_none(tmp_path: Path, content: str) -> None:
    config = toy_config(total_steps=32, evaluation=QUIET)
    train(config, run_dir=tmp_path / "run")
    (tmp_path / "run" / "finished.json").write_text(content)
    shown = Listener()
    train(config, run_dir=tmp_path / "run", resume=True, display=shown)
    assert shown.summary.headline.startswith("Finished: 32 steps")
    assert json.loads((tmp_path / "run" / "finished.json").read_text()) == {"step": 32}
