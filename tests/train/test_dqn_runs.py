"""Runs of value learning: stopped and gone on with, replay and tree included, and with another schedule."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import pytest

from tests.train.test_resume import assert_same_run, final_state
from tetrax.env.tetris import ENV_PRESETS
from tetrax.fields.errors import UserError
from tetrax.train import presets
from tetrax.train.command.cli import parse
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.loop import train
from tetrax.train.machine import memory


def run_config(**changes: object) -> TrainConfig:
    """Key presses on a tiny board, learned from a prioritised replay that is full after half of the run."""
    config = presets.find("dqn", "rainbow", "direct")
    agent = dataclasses.replace(
        config.agent,
        num_envs=4,
        num_steps=4,
        replay_capacity=128,
        warmup_steps=32,
        num_updates=2,
        batch_size=8,
        network=dataclasses.replace(config.agent.network, hidden=(8,), channels=(4,)),
        atoms=5,
    )
    env = dataclasses.replace(ENV_PRESETS["mini"], reward="stacking", time_limit=11)
    evaluation = EvalConfig(every=0, episodes=2, max_pieces=5, final_episodes=2, final_max_pieces=5)
    config = dataclasses.replace(
        config,
        env=env,
        agent=agent,
        evaluation=evaluation,
        total_steps=192,
        chunk_iterations=2,
        checkpoint_seconds=0,
        keep_checkpoints=9,
    )
    return dataclasses.replace(config, **changes)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that never stopped, and has kept all of its checkpoints."""
    folder = tmp_path_factory.mktemp("runs") / "straight"
    train(run_config(), run_dir=folder)
    return folder


@pytest.mark.slow
def test_a_resumed_run_is_the_same_bit_for_bit(straight: Path, tmp_path: Path) -> None:
    half = shutil.copytree(straight, tmp_path / "half")
    for later in sorted((half / "checkpoints").iterdir())[3:]:
        shutil.rmtree(later)
    (half / "eval.json").unlink()
    result = train(run_config(), run_dir=half, resume=True)
    assert (result.status, result.num_traces) == ("finished", 1)
    state = final_state(straight, run_config())
    assert int(state.replay.filled) * 4 == 128
    assert max(float(leaf.max()) for leaf in jax.tree.leaves(state.replay.priorities)) > 0
    assert_same_run(straight, half, run_config())


@pytest.mark.slow
def test_a_stopped_run_may_be_given_another_way_to_explore(straight: Path) -> None:
    words = ["--resume", str(straight), "--total-steps", "224", "--agent.epsilon-start", "0.5"]
    words += [
        "--agent.epsilon-final",
        "0.25",
        "--agent.epsilon-steps",
        "192",
        "--agent.epsilon-schedule",
        "exponential",
        "--agent.no-avoid-losses",
    ]
    request = parse(words)
    assert request is not None
    train(request.config, run_dir=straight, resume=True)
    rows = [json.loads(line) for line in (straight / "metrics.jsonl").read_text().splitlines()]
    assert rows[-2]["explore/epsilon"] == 0.0
    assert rows[-1]["explore/epsilon"] == pytest.approx(0.25)  # long past its 192 steps
    history = [json.loads(line) for line in (straight / "config_history.jsonl").read_text().splitlines()]
    changed = history[-1]["changes"]
    assert changed["agent.epsilon_schedule"] == {"from": "linear", "to": "exponential"}
    assert changed["agent.avoid_losses"] == {"from": True, "to": False}
    assert changed["agent.epsilon_start"] == {"from": 0.0, "to": 0.5}


def test_a_replay_that_cannot_fit_is_refused_before_it_is_allocated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    agent = run_config().make_agent()
    # On a CPU a checkpoint's copy lies in the same memory: twice the replay, and a tenth left for the rest.
    monkeypatch.setattr(memory, "machine_bytes", lambda: int(2 * agent.replay_bytes / 0.9) - 1)
    with pytest.raises(
        UserError,
        match=r"--agent.replay-capacity: given \d+, with which training needs about .* kB at once \(.*replay .* kB\); "
        r"allowed: less, so that it fits into .* kB, 90% of the free memory of the machine",
    ):
        train(run_config(), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
