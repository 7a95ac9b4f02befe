"""A curriculum: stages that end when it is enough, each begun with what the one before has learned."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tetrax
from tests.train.test_loop import Listener
from tests.train.toy import toy_config, use_quick_games
from tetrax.fields.errors import UserError
from tetrax.train import __main__ as train_entry
from tetrax.train import in_python, loop
from tetrax.train.config import EvalConfig, TrainConfig, load_config
from tetrax.train.curriculum import curriculum, curriculum_cli
from tetrax.train.curriculum.curriculum import Stage
from tetrax.train.folder import log, policy_io
from tetrax.train.run import Progress

GAMES = {"episodes": 3, "max_pieces": 20, "final_episodes": 4, "final_max_pieces": 20}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


def stages() -> list[TrainConfig]:
    """Three: one that ends when it is good enough, one that learns nothing, and one that goes on."""
    evaluation = EvalConfig(every=32, enough=7.0, **GAMES)
    return [
        toy_config(evaluation=evaluation, total_steps=3_200),
        toy_config(learning_rate=0.0, momentum=0.0, total_steps=64, seed=7),
        toy_config(learning_rate=0.1, total_steps=64),
    ]


def weights(folder: Path) -> np.ndarray:
    return np.asarray(policy_io.load(folder).policy["weights"])


def test_it_is_enough_when_three_evaluations_come_to_it_on_average() -> None:
    progress = Progress(recent=[1.0, 9.0])
    assert not progress.is_enough(0.0)
    progress.recent.append(2.0)
    assert progress.is_enough(4.0)
    assert not progress.is_enough(4.1)
    assert not progress.is_enough(None)


@pytest.mark.slow
def test_stages_end_when_it_is_enough_and_begin_with_the_one_before(tmp_path: Path) -> None:
    root = tmp_path / "all"
    ended = tetrax.train_in_stages(stages(), root, quiet=True)
    assert (ended.status, ended.exit_code, len(ended.stages)) == ("finished", 0, 3)
    evaluated = [
        row["eval/lines"] for row in log.read(root / "stage-01" / "metrics.jsonl") if "eval/lines" in row
    ]
    means = [np.mean(evaluated[end - 3 : end]) for end in range(3, len(evaluated) + 1)]
    assert means[-1] >= 7.0
    assert all(mean < 7.0 for mean in means[:-1])
    assert ended.stages[0].step == 32 * len(evaluated) < 3_200
    first, second, third = (weights(root / f"stage-0{number}") for number in (1, 2, 3))
    np.testing.assert_array_equal(first, second)  # which learned nothing
    assert not np.array_equal(second, third)
    # Finished stages are not trained again, and a run that ended early is not gone on with.
    again = tetrax.train_in_stages(stages(), root, resume=True, quiet=True)
    assert [stage.step for stage in again.stages] == [stage.step for stage in ended.stages]
    assert all(not stage.num_traces for stage in again.stages)
    # A stage that is lost comes out the same.
    shutil.rmtree(root / "stage-03")
    tetrax.train_in_stages(stages(), root, resume=True, quiet=True)
    np.testing.assert_array_equal(weights(root / "stage-03"), third)
    with pytest.raises(UserError, match="configs: given others than those that"):
        tetrax.train_in_stages(stages()[:2], root, resume=True)
    with pytest.raises(UserError, match=r"holds a run already|not empty"):
        tetrax.train_in_stages(stages(), root)


def test_a_run_that_had_enough_goes_on_when_more_is_asked_for(tmp_path: Path) -> None:
    config = stages()[0]
    early = loop.train(config, run_dir=tmp_path / "run")
    more = dataclasses.replace(config, total_steps=early.step + 32, evaluation=EvalConfig(every=32, **GAMES))
    assert loop.train(more, run_dir=tmp_path / "run", resume=True).step == early.step + 32


@pytest.mark.slow
def test_a_stage_that_was_stopped_is_gone_on_with(tmp_path: Path) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    given = [Stage("a", stages()[2]), Stage("b", stages()[2])]
    for root in (straight, stopped):
        curriculum.create(given, root)
    curriculum.run(given, straight, Listener)

    ended = curriculum.run(given, stopped, lambda: Listener(32, lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert (ended.status, len(ended.stages)) == ("stopped", 1)
    assert ended.exit_code == 130
    ended = curriculum.run(curriculum.read(stopped), stopped, Listener)
    assert (ended.status, len(ended.stages)) == ("finished", 2)
    np.testing.assert_array_equal(weights(stopped / "stage-02"), weights(straight / "stage-02"))


def test_the_command_line_gives_each_stage_its_flags(tmp_path: Path) -> None:
    words = [
        "ppo",
        "--preset",
        "tiny",
        "--seed",
        "3",
        "--start-from",
        "there",
        "--run-dir",
        str(tmp_path / "c"),
    ]
    given = [
        "--stage",
        "--env.rules.width 6 --evaluation.enough 5",
        "--stage",
        "",
        "--stage=--agent.clip=0.1",
    ]
    request = curriculum_cli.parse([*words, *given])
    assert request is not None
    first, second, third = (stage.config for stage in request.stages)
    assert [config.seed for config in (first, second, third)] == [3, 3, 3]
    assert [config.env.rules.width for config in (first, second, third)] == [6, 10, 10]
    assert [config.evaluation.enough for config in (first, second, third)] == [5.0, None, None]
    assert [config.start_from for config in (first, second, third)] == ["there", None, None]
    assert third.agent.clip == pytest.approx(0.1)
    assert [stage.label for stage in request.stages] == [given[1], "as given", "--agent.clip=0.1"]
    assert (request.run_dir, request.resume) == (tmp_path / "c", False)
    assert not request.run_dir.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--stage: given none; allowed: one for each stage"),
        (["--stage"], "--stage: given no value"),
        (["--stage", "--foo 1"], "--stage 1: unknown flag: given --foo"),
        (
            ["--stage", "", "--stage", "--num-seeds 2"],
            "stage 2: num_seeds: given 2; allowed: 1, as in stage 1",
        ),
        (["--stage", "--run-dir x"], "--stage 1: --run-dir: given '--run-dir x'; allowed: given once"),
        (["--stage", "--seed -1"], "--stage 1: --seed: given -1"),
        (["--stage", "'"], "No closing quotation"),
        (["--stage", "ppo"], "--stage 1: unexpected word: given 'ppo'"),
        (["--stage", "--help"], "--stage 1: flags: given '--help'"),
        (["--resume", "x", "--seed", "1"], "allowed: --resume FOLDER alone"),
        (["--resume"], "allowed: --resume FOLDER alone"),
        (["--resume", "nowhere"], "given 'nowhere'; allowed: the folder of a curriculum"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], said: str, capsys: Any) -> None:
    assert train_entry.main(["curriculum", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_a_folder_that_was_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / curriculum.STAGES).write_text(json.dumps({"stages": [{"label": "a"}]}))
    with pytest.raises(UserError, match="given no list of stages"):
        curriculum.read(tmp_path)


def test_python_refuses_stages_that_cannot_follow_each_other(tmp_path: Path) -> None:
    first, *_ = stages()
    for wrong, said in (
        ([], "stages: given 0"),
        ([first, dataclasses.replace(first, start_from="x")], "stage 2: start_from: given 'x'"),
        ([first, tetrax.configure("ppo", "tiny")], "stage 2: algorithm: given 'ppo'; allowed: 'toy'"),
    ):
        with pytest.raises(UserError, match=said):
            in_python.train_in_stages(wrong, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_command_trains_and_goes_on(tmp_path: Path, capsys: Any) -> None:
    root = tmp_path / "run"
    first = stages()[2]
    curriculum.create([Stage("first", first), Stage("second", first)], root)
    assert train_entry.main(["curriculum", "--resume", str(root)]) == 0
    said = capsys.readouterr().out
    assert "stage 1: first: finished after 64 steps" in said
    assert "begun with 2 of 2 arrays" in said
    assert load_config(root / "stage-02" / "config.json").start_from == str(root / "stage-01")
