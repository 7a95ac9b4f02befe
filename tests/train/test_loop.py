"""The loop on a toy learner: what is logged, compiled, donated, evaluated, saved, and how a run ends."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from tests.train.toy import quick_games, toy_config, use_quick_games
from tetrax.env.record import load, verify
from tetrax.fields.errors import UserError
from tetrax.train import start
from tetrax.train.config import EvalConfig, TrainConfig, load_config
from tetrax.train.folder import checkpoint, log, run_folder
from tetrax.train.loop import train
from tetrax.train.report import artifacts
from tetrax.train.report.display import SilentDisplay, Summary
from tetrax.train.run import Result


class Listener(SilentDisplay):
    """Remembers what was said, and can act at a step."""

    def __init__(self, at_step: int = -1, action: Any = None) -> None:
        self.notes: list[str] = []
        self.summary = Summary("", {})
        self._at_step, self._action = at_step, action

    def row(self, row: log.Row, scene: Any) -> None:
        if row["step"] == self._at_step:
            self._action()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finish(self, summary: Summary) -> None:
        self.summary = summary


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    with pytest.MonkeyPatch.context() as patch:
        use_quick_games(patch.setattr)
        folder = tmp_path_factory.mktemp("runs") / "run"
        return train(toy_config(), run_dir=folder), folder


def test_a_run_ends_with_everything_in_its_folder(finished: tuple[Result, Path]) -> None:
    result, root = finished
    folder = run_folder.RunFolder(root)
    assert (result.status, result.exit_code, result.step) == ("finished", 0, 320)
    assert load_config(folder.config) == toy_config()
    assert checkpoint.steps(folder.checkpoints) == [288, 320]
    assert folder.learning_curve.read_bytes().startswith(b"\x89PNG")
    assert json.loads(folder.evaluation.read_text()) == result.evaluation
    assert result.evaluation is not None
    assert (result.evaluation["step"], result.evaluation["episodes"]) == (320, 4)
    assert {"compiling", "training", "evaluating", "saving"} <= set(result.seconds)
    assert not list(root.rglob(".tmp-*"))


def test_every_chunk_has_a_row(finished: tuple[Result, Path]) -> None:
    rows = log.read(finished[1] / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(32, 321, 32))
    times = [row["wall_time"] for row in rows]
    assert times == sorted(times)
    assert all(row["steps_per_second"] > 0 and "lines" in row and "entropy" in row for row in rows)
    assert [row["step"] for row in rows if "eval/lines" in row] == [96, 192, 288]
    # Chunks are 4 iterations, and games end in every third: sums over the chunk, 2 games each time.
    assert [row["games"] for row in rows[:3]] == [4.0, 2.0, 2.0]


def test_the_toy_learns(finished: tuple[Result, Path]) -> None:
    rows = log.read(finished[1] / "metrics.jsonl")
    assert rows[-1]["eval/lines" if "eval/lines" in rows[-1] else "return"] > rows[0]["return"] + 0.3
    assert finished[0].evaluation is not None
    assert finished[0].evaluation["lines"]["mean"] > 12  # of 20; chance gives 5


def test_metrics_are_those_of_the_agent_called_by_hand(finished: tuple[Result, Path]) -> None:
    _, program = start.make_program(toy_config())
    state, losses, right, games = program.agent.init(jax.random.key(0)), [], 0.0, 0.0
    for _ in range(4):
        state, metrics = program.agent.train(state)
        losses.append(float(metrics.means["loss/policy"]))
        right, games = right + float(metrics.totals["lines"]), games + float(metrics.totals["games"])
    row = log.read(finished[1] / "metrics.jsonl")[0]
    assert row["loss/policy"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert row["lines"] == pytest.approx(right / games)


def test_a_chunk_is_traced_once(finished: tuple[Result, Path]) -> None:
    assert finished[0].num_traces == 1


def test_the_state_is_donated() -> None:
    _, program = start.make_program(toy_config(num_envs=1_000))
    program.compile()
    state = program.initial_state()
    pointers = {leaf.unsafe_buffer_pointer() for leaf in large_leaves(state)}
    policy = program.policy(state, 0)
    after, _ = program.run_chunk(state)
    assert all(leaf.is_deleted() for leaf in large_leaves(state))
    assert {leaf.unsafe_buffer_pointer() for leaf in large_leaves(after)} == pointers
    assert np.isfinite(policy["weights"]).all()  # the copy taken before is still there


def large_leaves(state: Any) -> list[jax.Array]:
    return [leaf for leaf in jax.tree.leaves(state) if leaf.size > 100 and not checkpoint.is_key(leaf)]


@pytest.mark.slow
def test_several_seeds_equal_runs_of_their_own(tmp_path: Path) -> None:
    together = train(toy_config(seed=5, num_seeds=3), run_dir=tmp_path / "together")
    rows = log.read(tmp_path / "together" / "metrics.jsonl")
    newest = checkpoint.newest(tmp_path / "together" / "checkpoints", fail)
    assert newest is not None
    states = checkpoint.restore(newest, start.make_program(toy_config(seed=5, num_seeds=3))[1].template)
    assert together.evaluation is not None
    for index in range(3):
        alone = train(toy_config(seed=5 + index), run_dir=tmp_path / str(index))
        for row, alone_row in zip(rows, log.read(tmp_path / str(index) / "metrics.jsonl"), strict=True):
            for name, values in row["per_seed"].items():
                assert values[index] == pytest.approx(alone_row[name], rel=1e-5, abs=1e-6), name
        assert alone.evaluation is not None
        assert together.evaluation["per_seed"][index]["lines"] == alone.evaluation["lines"]
        found = checkpoint.newest(tmp_path / str(index) / "checkpoints", fail)
        assert found is not None
        state = checkpoint.restore(found, start.make_program(toy_config())[1].template)
        np.testing.assert_allclose(states.weights[index], state.weights, rtol=1e-5)
        assert (jax.random.key_data(states.key[index]) == jax.random.key_data(state.key)).all()
    assert rows[0]["loss/policy"] == pytest.approx(np.mean(rows[0]["per_seed"]["loss/policy"]))
    assert together.evaluation["episodes"] == 12


def fail(text: str) -> None:
    raise AssertionError(text)


def test_a_nan_stops_at_the_last_good_checkpoint(tmp_path: Path) -> None:
    shown = Listener()
    result = train(toy_config(poison_at=13), run_dir=tmp_path / "run", display=shown)
    assert (result.status, result.exit_code, result.step) == ("diverged", 1, 128)
    assert "nan" in shown.summary.headline
    assert shown.summary.facts["last good checkpoint"] == "step 96"
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [64, 96]
    newest = checkpoint.newest(tmp_path / "run" / "checkpoints", fail)
    assert newest is not None
    state = checkpoint.restore(newest, start.make_program(toy_config())[1].template)
    assert np.isfinite(state.weights).all()
    row = log.read(tmp_path / "run" / "metrics.jsonl")[-1]
    assert (row["step"], row["loss/policy"]) == (128, None)
    assert not (tmp_path / "run" / "eval.json").exists()


def test_a_nan_in_the_last_update_of_a_chunk_is_seen_in_the_policy(tmp_path: Path) -> None:
    shown = Listener()
    result = train(toy_config(poison_at=7), run_dir=tmp_path / "run", display=shown)
    assert (result.status, result.step) == ("diverged", 64)
    assert "a parameter of the policy is not finite" in shown.summary.headline


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_chunk_saves_and_says_how_to_go_on(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    shown = Listener(96, lambda: os.kill(os.getpid(), number))
    config = toy_config(checkpoint_seconds=1e6)
    before = signal.getsignal(number)
    if before == signal.SIG_IGN:
        pytest.skip("these tests were started so that it is ignored, as under nohup")
    result = train(config, run_dir=tmp_path / "run", display=shown)
    assert (result.status, result.exit_code) == ("stopped", exit_code)
    assert signal.getsignal(number) == before
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [result.step]
    assert result.step in (96, 128)  # the chunk in which it came, or the one already begun
    assert shown.summary.commands["resume with"] == f"python -m tetrax.train --resume {tmp_path / 'run'}"
    assert shown.notes == ["Stopping after this chunk; once more to quit at once."]
    assert train(config, run_dir=tmp_path / "run", resume=True).status == "finished"


def test_a_finished_run_says_so_and_leaves_all_as_it_is(finished: tuple[Result, Path]) -> None:
    result, root = finished
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*")}
    shown = Listener()
    again = train(toy_config(), run_dir=root, resume=True, display=shown)
    assert (again.status, again.exit_code, again.num_traces) == ("finished", 0, 0)
    assert again.evaluation == result.evaluation
    assert "has finished" in shown.summary.headline
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*")} == before


def test_steps_are_rounded_up_to_whole_chunks(tmp_path: Path) -> None:
    assert train(toy_config(total_steps=33), run_dir=tmp_path / "run").step == 64


def test_nothing_is_overwritten(tmp_path: Path, finished: tuple[Result, Path]) -> None:
    with pytest.raises(UserError, match="holds a run already"):
        train(toy_config(), run_dir=finished[1])
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        train(toy_config(), run_dir=tmp_path)
    with pytest.raises(UserError, match="is a file"):
        train(toy_config(), run_dir=tmp_path / "notes.txt")
    with pytest.raises(UserError, match="does not exist"):
        train(toy_config(), run_dir=tmp_path / "missing", resume=True)
    with pytest.raises(UserError, match=r"no config\.json"):
        train(toy_config(), run_dir=tmp_path, resume=True)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_one_process_trains_in_a_folder(finished: tuple[Result, Path]) -> None:
    folder = run_folder.open_existing(finished[1])
    with run_folder.lock(folder), pytest.raises(UserError, match="another process"):
        train(toy_config(), run_dir=finished[1], resume=True)


def test_real_games_are_evaluated_and_the_best_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert artifacts.evaluate is not quick_games
    evaluation = EvalConfig(every=32, episodes=2, max_pieces=10, final_episodes=3, final_max_pieces=10)
    config = toy_config(total_steps=32, evaluation=evaluation, tensorboard=True)
    result = train(config, run_dir=tmp_path / "run")
    row = log.read(tmp_path / "run" / "metrics.jsonl")[0]
    assert row["eval/pieces"] >= 3  # a 4 × 6 board takes at least three dominoes
    assert result.evaluation is not None
    recording = load(tmp_path / "run" / "recordings" / "best.json")
    verify(recording)
    assert recording.outcome.lines == result.evaluation["lines"]["max"]
    assert (tmp_path / "run" / "recordings" / "best.gif").read_bytes().startswith(b"GIF89a")
    assert (tmp_path / "run" / "recordings" / "best.txt").read_text().strip()
    assert (tmp_path / "run" / "recordings" / "best.html").read_text().startswith("<!DOCTYPE html>")
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


def test_no_evaluation_at_all(tmp_path: Path) -> None:
    nothing = EvalConfig(every=0, final_episodes=0)
    config: TrainConfig = dataclasses.replace(toy_config(total_steps=32), evaluation=nothing)
    result = train(config, run_dir=tmp_path / "run")
    assert (result.status, result.evaluation) == ("finished", None)
    assert train(config, run_dir=tmp_path / "run", resume=True).num_traces == 0
