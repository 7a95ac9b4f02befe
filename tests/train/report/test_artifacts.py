"""What a run leaves for people."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

import tetrax
from tests.world_model import dreamed
from tetrax.agents import ppo
from tetrax.agents.baselines import BASELINES
from tetrax.env import record
from tetrax.env.game.rules import Rules
from tetrax.networks.network_config import NetworkConfig
from tetrax.train.__main__ import main
from tetrax.train.folder import files
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.report import artifacts
from tetrax.train.report.evaluation import evaluate
from tetrax.train.run import Progress
from tetrax.world_model.dreams import Comparison, Dream, Plan, compare

ENV = tetrax.make(rules=Rules(width=4, height=8, buffer=4, hold=False, preview=1), actions="drop")


@pytest.mark.slow
def test_the_best_game_is_played_once_for_its_recording_and_all_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[int] = []
    simulate = record._simulate

    def count(*args: Any) -> Any:
        played.append(len(args[-1]))
        return simulate(*args)

    monkeypatch.setattr(record, "_simulate", count)
    result = evaluate(ENV, BASELINES["random"](ENV), episodes=4, max_pieces=20, record=True)
    run: Any = SimpleNamespace(env=ENV, folder=SimpleNamespace(recordings=tmp_path / "recordings"))
    artifacts.record_best(run, [result])
    assert played == [result.steps[result.best]]
    names = {path.name for path in (tmp_path / "recordings").iterdir()}
    assert names == {"best.json", "best.txt", "best.gif", "best.html"}
    recording = record.load(tmp_path / "recordings" / "best.json")
    assert recording.outcome.lines == result.totals["lines"].max()
    record.verify(recording)


def test_what_a_kill_leaves_of_a_recording_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the folder while a recording is being written, a run that goes on discards."""
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(path.name for path in tmp_path.iterdir()))
    record.write_whole(tmp_path / "best.gif", b"a picture")
    assert seen[1:] == ["best.gif"]  # then the folder is written
    (tmp_path / seen[0]).write_bytes(b"half a pic")
    files.discard_leftovers(tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"a picture"]


def run_with(dream: Any, folder: Path) -> tuple[Any, list[str]]:
    """A run of an agent with this model, as far as looking into the model asks for it, and what is said in it."""
    said: list[str] = []
    program = SimpleNamespace(
        agent=SimpleNamespace(dream=dream), policy=lambda state, index: (state, index), steps_per_chunk=10
    )
    run: Any = SimpleNamespace(
        env=SimpleNamespace(spec=SimpleNamespace(shows=dreamed.SHOWN, headline="lines")),
        program=program,
        config=SimpleNamespace(title="hand-made"),
        folder=RunFolder(folder),
        display=SimpleNamespace(note=said.append),
        phase=lambda name: nullcontext(),
    )
    return run, said


@pytest.mark.slow
def test_the_model_of_the_leading_seed_is_looked_into(tmp_path: Path) -> None:
    asked: list[Any] = []

    def dream(*given: Any) -> tuple[Dream, Comparison]:
        asked.append(given)
        made = dreamed.dream(wrong=[(2, 0, 0)])
        return made, compare(made, dreamed.SHOWN)

    run, said = run_with(dream, tmp_path)
    row = artifacts.look_into_model(run, "state", Progress(chunks=3, leading_seed=1))
    assert asked[0][0] == ("state", 1) and asked[0][2] == Plan()
    assert {"dream/cells", "dream/boards", "dream/boards_1"} <= set(row)
    assert row["dream/boards_1"] == 0.5 and row["dream/cells_after"] is None  # JSON has no NaN
    assert run.folder.dream.read_bytes().startswith(b"\x89PNG") and said == []


def test_a_picture_that_fails_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> Any:
        raise ValueError("no such thing")

    run, said = run_with(fail, tmp_path)
    assert artifacts.look_into_model(run, "state", Progress()) == {}
    assert said == [f"{run.folder.dream}: not drawn (ValueError: no such thing)"]
    made = dreamed.dream()
    monkeypatch.setattr(artifacts.dream_plot, "dream_picture", fail)
    run, said = run_with(lambda *given: (made, compare(made, dreamed.SHOWN)), tmp_path)
    assert artifacts.look_into_model(run, "state", Progress())["dream/boards"] == 1
    assert len(said) == 1


def test_agents_without_a_model_have_nothing_to_look_into(tmp_path: Path) -> None:
    run, said = run_with(None, tmp_path)
    assert artifacts.look_into_model(run, "state", Progress()) == {}
    assert said == [] and not run.folder.dream.exists()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_where_attention_looks_is_drawn_at_each_recorded_evaluation(tmp_path: Path, algorithm: str) -> None:
    words = f"{algorithm} --preset tiny --env.preset mini --env.actions drop --env.observation bitboards"
    words += " --agent.network.encoder attention --evaluation.every 512 --evaluation.record-every 1"
    words += f" --evaluation.final-episodes 0 --total-steps 512 --run-dir {tmp_path / 'run'}"
    assert main(words.split()) == 0
    with Image.open(tmp_path / "run" / "plots" / "attention.png") as picture:
        assert picture.format == "PNG" and picture.width > picture.height
    assert record.load(tmp_path / "run" / "recordings" / "step-512-median.json").outcome.pieces > 0


def test_an_agent_without_attention_tells_none() -> None:
    for network in (NetworkConfig(encoder="mlp"), NetworkConfig(encoder="attention", recurrent="gru")):
        config = ppo.PPOConfig(num_envs=2, num_steps=2, num_minibatches=1, network=network)
        assert ppo.make(config, tetrax.make("mini", actions="drop", observation="bitboards")).attend is None
