"""Runs of Dreamer: stopped and gone on with, replay, kept states and queue included."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from tests.train.test_resume import assert_same_run, final_state
from tetrax.env.tetris import ENV_PRESETS
from tetrax.evaluate import main
from tetrax.train import presets
from tetrax.train.command.cli import parse
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.loop import train


def run_config(**changes: object) -> TrainConfig:
    """Placements on a tiny board, learned from a replay that is full after half of the run."""
    config = presets.find("dreamer", "tiny", "drop")
    agent = dataclasses.replace(
        config.agent, num_envs=4, num_steps=4, replay_capacity=128, warmup_steps=48, imagined_steps=3
    )
    env = dataclasses.replace(
        ENV_PRESETS["mini"], actions="drop", observation="bitboards", reward="lines_only", time_limit=11
    )
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


def of_cells(config: TrainConfig) -> TrainConfig:
    """The same with a model whose state is a board of cells."""
    model = dataclasses.replace(
        config.agent.model, state="cells", cell_deter=2, cell_units=2, row_units=4, latents=2
    )
    return dataclasses.replace(config, agent=dataclasses.replace(config.agent, model=model, model_rate=2.0))


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that never stopped, and has kept all of its checkpoints."""
    folder = tmp_path_factory.mktemp("runs") / "straight"
    train(run_config(), run_dir=folder)
    return folder


def resume_from_half(straight: Path, half: Path, config: TrainConfig) -> None:
    """Go on from the third checkpoint of a run, and compare."""
    shutil.copytree(straight, half)
    for later in sorted((half / "checkpoints").iterdir())[3:]:
        shutil.rmtree(later)
    (half / "eval.json").unlink()
    result = train(config, run_dir=half, resume=True)
    assert (result.status, result.num_traces) == ("finished", 1)
    assert_same_run(straight, half, config)


@pytest.mark.slow
def test_a_resumed_run_is_the_same_bit_for_bit(straight: Path, tmp_path: Path) -> None:
    resume_from_half(straight, tmp_path / "half", run_config())
    state = final_state(straight, run_config())
    assert int(state.replay.filled) * 4 == 128
    assert int(state.queue.taken) > 0


@pytest.mark.slow
def test_a_resumed_run_is_the_same_with_a_model_of_cells(tmp_path: Path) -> None:
    config = of_cells(run_config())
    train(config, run_dir=tmp_path / "straight")
    resume_from_half(tmp_path / "straight", tmp_path / "half", config)


@pytest.mark.slow
def test_a_stopped_run_may_be_given_another_train_ratio(straight: Path) -> None:
    words = ["--resume", str(straight), "--total-steps", "224", "--agent.num-updates", "5"]
    words += ["--agent.imagined-starts", "8", "--agent.entropy", "0.5", "--agent.planned-rollouts", "1"]
    request = parse(words)
    assert request is not None
    before = int(final_state(straight, run_config()).updates)
    train(request.config, run_dir=straight, resume=True)
    after = int(final_state(straight, request.config).updates)
    assert (before, after) == (12 * 2, 12 * 2 + 2 * 5)  # nothing is owed for the steps of before
    history = [json.loads(line) for line in (straight / "config_history.jsonl").read_text().splitlines()]
    changed = history[-1]["changes"]
    assert changed["agent.num_updates"] == {"from": 2, "to": 5}
    assert changed["agent.imagined_starts"] == {"from": 0, "to": 8}
    assert changed["agent.entropy"]["to"] == 0.5
    assert changed["agent.planned_rollouts"] == {"from": 0, "to": 1}


@pytest.mark.slow
def test_a_policy_may_look_ahead_though_it_did_not_while_it_learned(
    straight: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = [
        "--agent.planned-rollouts",
        "3",
        "--agent.planned-steps",
        "4",
        "--agent.planned-candidates",
        "0",
    ]
    planned += ["--agent.planned-temperature", "0.001"]
    told = {}
    for name, words in {"actor": [], "planned": planned}.items():
        assert main([str(straight / "policy"), "--episodes", "8", "--json", *words]) == 0
        told[name] = json.loads(capsys.readouterr().out)
    assert told["actor"]["episodes"] == told["planned"]["episodes"] == 8
    assert told["actor"] != told["planned"]
    assert main([str(straight / "policy"), "--agent.planned-steps", "0"]) == 2
    assert "--agent.planned-steps: given 0; allowed: 1 or more" in capsys.readouterr().err
