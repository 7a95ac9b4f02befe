"""A run that is killed at any moment and resumed ends like one that never stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from tests.train.folder.test_checkpoint import assert_same_bits, flip_one_bit, largest_file
from tests.train.test_loop import Listener
from tests.train.toy import toy_config, use_quick_games
from tetrax.fields.errors import UserError
from tetrax.train import start
from tetrax.train.config import TrainConfig, load_config
from tetrax.train.folder import checkpoint, log
from tetrax.train.loop import train

ROOT = Path(__file__).parents[2]
CHUNK = 32  # steps
KILLED_RUN = 40 * CHUNK


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


def without_times(folder: Path) -> list[dict[str, Any]]:
    rows = log.read(folder / "metrics.jsonl")
    return [{k: v for k, v in row.items() if k not in ("wall_time", "steps_per_second")} for row in rows]


def final_state(folder: Path, config: TrainConfig) -> Any:
    newest = checkpoint.newest(folder / "checkpoints", lambda text: None)
    assert newest is not None
    return checkpoint.restore(newest, start.make_program(config)[1].template)


def assert_same_run(one: Path, other: Path, config: TrainConfig) -> None:
    assert without_times(one) == without_times(other)
    assert_same_bits(final_state(one, config), final_state(other, config))
    assert (one / "eval.json").read_text() == (other / "eval.json").read_text()
    times = [row["wall_time"] for row in log.read(other / "metrics.jsonl")]
    assert times == sorted(times)


def start_process(folder: Path, mode: str, steps: int = KILLED_RUN) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.train.toy", str(folder), mode, str(steps)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_chunks(process: subprocess.Popen[bytes], folder: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while process.poll() is None and len(log.read(folder / "metrics.jsonl")) < count:
        assert time.monotonic() < deadline, "training does not begin"
        time.sleep(0.01)


def test_killed_before_the_first_checkpoint_it_starts_over(straight: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(straight / "config.json", folder)
    (folder / "metrics.jsonl").write_text('{"step": 32, "lines": 1e9}\n{"step": 64, "li')
    (folder / "checkpoints" / ".tmp-000000000032").mkdir(parents=True)
    result = train(toy_config(), run_dir=folder, resume=True)
    assert result.status == "finished"
    assert_same_run(straight, folder, toy_config())
    assert not list(folder.rglob(".tmp-*"))


def test_killed_in_the_evaluation_at_the_end_it_evaluates_again(straight: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(straight, tmp_path / "run")
    (folder / "eval.json").unlink()
    result = train(toy_config(), run_dir=folder, resume=True)
    assert (result.status, result.num_traces) == ("finished", 0)
    assert_same_run(straight, folder, toy_config())


@pytest.mark.parametrize("all_damaged", [False, True])
def test_a_damaged_newest_checkpoint_costs_only_time(
    straight: Path, tmp_path: Path, all_damaged: bool
) -> None:
    folder = shutil.copytree(straight, tmp_path / "run")
    (folder / "eval.json").unlink()
    for step in (320, 288) if all_damaged else (320,):
        flip_one_bit(largest_file(folder / "checkpoints" / f"{step:012d}" / "state"))
    shown = Listener()
    if all_damaged:
        with pytest.raises(UserError, match="is damaged"):
            train(toy_config(), run_dir=folder, resume=True, display=shown)
        assert without_times(folder) == without_times(straight)  # nothing was thrown away
        return
    train(toy_config(), run_dir=folder, resume=True, display=shown)
    assert [note for note in shown.notes if "000000000320 is damaged" in note] == shown.notes
    assert_same_run(straight, folder, toy_config())
    assert (folder / "checkpoints" / "000000000320.damaged").is_dir()


def test_more_steps_go_on_from_the_end(straight: Path, tmp_path: Path) -> None:
    longer = toy_config(total_steps=480)
    train(longer, run_dir=tmp_path / "straight")
    folder = shutil.copytree(straight, tmp_path / "run")
    result = train(longer, run_dir=folder, resume=True)
    assert result.step == 480
    assert load_config(folder / "config.json") == longer
    assert_same_run(tmp_path / "straight", folder, longer)
    assert final_state(folder, longer).tunables["horizon"] == 60
    history = [json.loads(line) for line in (folder / "config_history.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in history] == [0, 320]
    assert history[1]["changes"] == {"total_steps": {"from": 320, "to": 480}}


def test_a_tunable_may_change_and_is_recorded(straight: Path, tmp_path: Path) -> None:
    changed = toy_config(total_steps=352, learning_rate=0.0)
    folder = shutil.copytree(straight, tmp_path / "run")
    before = final_state(folder, changed)
    train(changed, run_dir=folder, resume=True)
    after = final_state(folder, changed)
    assert (before.tunables["learning_rate"], after.tunables["learning_rate"]) == (0.5, 0.0)
    # Without a learning rate only momentum moves the weights: v, 0.9 v, 0.81 v, 0.729 v in the four iterations.
    moved = before.velocity[0] * (0.9 + 0.9**2 + 0.9**3 + 0.9**4)
    np.testing.assert_allclose(after.weights - before.weights, moved, rtol=1e-3, atol=1e-6)
    history = [json.loads(line) for line in (folder / "config_history.jsonl").read_text().splitlines()]
    assert history[1]["changes"]["agent.learning_rate"] == {"from": 0.5, "to": 0.0}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (toy_config(num_envs=16), r"--agent\.num-envs: given 16; allowed: 8, as in checkpoint"),
        (toy_config(momentum=0.5), r"--agent\.momentum: given 0\.5; allowed: 0\.9"),
        (toy_config(seed=1), r"--seed: given 1; allowed: 0"),
        (toy_config(chunk_iterations=2), r"--chunk-iterations: given 2; allowed: 4"),
    ],
)
def test_another_run_is_refused_with_the_difference_named(
    straight: Path, tmp_path: Path, config: TrainConfig, message: str
) -> None:
    folder = shutil.copytree(straight, tmp_path / "run")
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    with pytest.raises(UserError, match=message):
        train(config, run_dir=folder, resume=True)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before


def test_an_agent_that_changed_its_state_is_refused(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration is the same, but this version of the agent has another array."""
    folder = shutil.copytree(straight, tmp_path / "run")
    (folder / "eval.json").unlink()
    template = start.make_program(toy_config())[1].template
    other = template.replace(contexts=jax.ShapeDtypeStruct((8, 9), np.float32))
    monkeypatch.setattr("tetrax.train.program.Program.template", other)
    with pytest.raises(UserError, match=r"given float32\[8,3\] as contexts; allowed: float32\[8,9\]"):
        train(toy_config(), run_dir=folder, resume=True)


def test_other_library_versions_only_warn(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(straight, tmp_path / "run")
    (folder / "eval.json").unlink()
    monkeypatch.setattr("tetrax.train.folder.run_folder.versions", lambda: {"jax": "99.0"})
    shown = Listener()
    assert train(toy_config(), run_dir=folder, resume=True, display=shown).status == "finished"
    assert any("jax" in note and "99.0" in note for note in shown.notes)


def test_a_second_ctrl_c_quits_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start_process(folder, "new")
    wait_for_chunks(process, folder, 2)
    os.kill(process.pid, signal.SIGSTOP)  # both signals are there before it can react to the first
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate()
    assert process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert not (folder / "eval.json").exists()
    assert len(log.read(folder / "metrics.jsonl")) < KILLED_RUN // CHUNK


@pytest.mark.parametrize("version", [1, 2])
def test_a_checkpoint_with_a_configuration_of_an_older_format_is_gone_on_with(
    version: int, straight: Path, tmp_path: Path
) -> None:
    folder, config = tmp_path / "run", toy_config(total_steps=3 * CHUNK)
    train(config, run_dir=folder)

    def grow_old(document: dict[str, Any]) -> None:
        document["format"] = version
        del document["start_from"], document["evaluation"]["enough"], document["env"]["params"]
        if version == 1:
            del document["game"]

    for step in checkpoint.steps(folder / "checkpoints"):
        place = folder / "checkpoints" / f"{step:012d}"
        document = json.loads((place / "checkpoint.json").read_text())
        grow_old(document["config"])
        for name in ("recent", "obeyed", "config_before"):
            del document["host"][name]
        (place / "checkpoint.json").write_text(json.dumps(document))
        sums = json.loads((place / "checksums.json").read_text())
        sums["checkpoint.json"] = checkpoint._digest(place / "checkpoint.json")
        (place / "checksums.json").write_text(json.dumps(sums))
    document = json.loads((folder / "config.json").read_text())
    grow_old(document)
    (folder / "config.json").write_text(json.dumps(document))
    config = dataclasses.replace(load_config(folder / "config.json"), total_steps=toy_config().total_steps)
    assert train(config, run_dir=folder, resume=True).status == "finished"
    assert_same_run(straight, folder, config)
