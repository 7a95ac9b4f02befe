"""Games that are not Tetris go through the same training: folder, resuming, evaluation, sweeps."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnax")
pytest.importorskip("gymnasium")

import tetrax
from tests.games import counting
from tetrax import evaluate as evaluate_entry
from tetrax import games
from tetrax.agents import AGENTS
from tetrax.fields.errors import UserError
from tetrax.train import presets, start
from tetrax.train.command import cli
from tetrax.train.config import TrainConfig, load_config
from tetrax.train.folder import checkpoint, log
from tetrax.train.loop import train
from tetrax.train.machine.host_program import RESUMED
from tetrax.train.report import artifacts
from tetrax.train.report.display import SilentDisplay
from tetrax.train.sweep import sweep, sweep_cli


class Listener(SilentDisplay):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.scenes: list[Any] = []
        self.headlines: list[str] = []
        self.facts: dict[str, str] = {}

    def start(self, header: Any, rows: Any) -> None:
        self.headlines.append(header.measures.headline)

    def row(self, row: Any, scene: Any) -> None:
        self.scenes.append(scene)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finish(self, summary: Any) -> None:
        self.facts = summary.facts


def tiny(algorithm: str, word: str, **changes: Any) -> TrainConfig:
    named = games.find(word)
    config = presets.find(algorithm, "tiny", game=named.game, env=named.config)
    return dataclasses.replace(config, checkpoint_seconds=0.0, keep_checkpoints=20, **changes)


@pytest.fixture(autouse=True)
def other_peoples_code(lenient: None) -> None:
    """Let gymnax promote types as it does."""


def arrays(run: Path, step: int) -> dict[str, np.ndarray]:
    newest = checkpoint.newest(run / "checkpoints", lambda text: None)
    assert newest is not None and newest.step == step
    _, program = start.make_program(load_config(run / "config.json"))
    return checkpoint.to_host(checkpoint.restore(newest, program.template))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_cartpole_trains_and_goes_on_as_if_it_had_never_stopped(algorithm: str, tmp_path: Path) -> None:
    whole, shown = tmp_path / "whole", Listener()
    result = train(tiny(algorithm, "cartpole"), run_dir=whole, display=shown)
    assert (result.status, result.step) == ("finished", 1_024)
    assert shown.headlines == ["return"] and set(shown.scenes) == {None}
    assert "return per game" in shown.facts["final evaluation"]
    rows = log.read(whole / "metrics.jsonl")
    assert [row["step"] for row in rows] == [256, 512, 768, 1_024]
    assert all({"return", "steps", "games"} <= row.keys() for row in rows)
    assert {"eval/return", "eval/steps", "eval/capped"} <= rows[1].keys()
    assert (whole / "plots" / "learning_curve.png").stat().st_size > 10_000
    assert not (whole / "recordings" / "best.json").exists()  # there is no picture of a pole

    stopped = tmp_path / "stopped"
    shutil.copytree(whole, stopped)
    for step in (768, 1_024):
        shutil.rmtree(stopped / "checkpoints" / f"{step:012d}")
    (stopped / "eval.json").unlink()
    train(load_config(stopped / "config.json"), run_dir=stopped, resume=True)
    before, after = arrays(whole, 1_024), arrays(stopped, 1_024)
    assert before.keys() == after.keys()
    for name, leaf in before.items():
        np.testing.assert_array_equal(leaf, after[name], err_msg=name)
    volatile = {"wall_time", "steps_per_second"}
    for one, other in zip(rows, log.read(stopped / "metrics.jsonl"), strict=True):
        assert {name: one[name] for name in one.keys() - volatile} == {
            name: other[name] for name in other.keys() - volatile
        }
    assert json.loads((whole / "eval.json").read_text()) == json.loads((stopped / "eval.json").read_text())


@pytest.fixture(scope="module")
def on_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a game that steps on the host."""
    run = tmp_path_factory.mktemp("host") / "run"
    result = train(tiny("ppo", "gymnasium:CartPole-v1"), run_dir=run)
    assert (result.status, result.num_traces) == ("finished", 1)
    return run


@pytest.mark.slow
def test_a_run_on_the_host_is_reproducible(on_host: Path, tmp_path: Path) -> None:
    again = train(tiny("ppo", "gymnasium:CartPole-v1"), run_dir=tmp_path / "again")
    assert again.evaluation == json.loads((on_host / "eval.json").read_text())
    one, other = arrays(on_host, 1_024), arrays(tmp_path / "again", 1_024)
    for name, leaf in one.items():
        np.testing.assert_array_equal(leaf, other[name], err_msg=name)


@pytest.mark.slow
def test_a_run_on_the_host_goes_on_with_new_episodes_and_says_so(on_host: Path, tmp_path: Path) -> None:
    run, shown = tmp_path / "run", Listener()
    shutil.copytree(on_host, run)
    config = dataclasses.replace(load_config(run / "config.json"), total_steps=1_536)
    result = train(config, run_dir=run, resume=True, display=shown)
    assert (result.status, result.step) == ("finished", 1_536)
    assert shown.notes == [RESUMED]


def test_evaluate_tells_the_measures_of_the_game(on_host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate_entry.main([str(on_host), "--episodes", "6", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(told) == ["episodes", "max_steps", "capped", "return", "steps"]
    assert told["return"]["mean"] == told["steps"]["mean"] > 5  # a point a step
    assert evaluate_entry.main([str(on_host), "--episodes", "6", "--max-pieces", "3", "--json"]) == 0
    capped = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (capped["max_steps"], capped["capped"], capped["return"]["max"]) == (3, 6, 3.0)
    assert evaluate_entry.main([str(on_host), "--record", str(on_host / "game.json")]) == 2
    assert "CartPole-v1 of gymnasium has no recordings" in capsys.readouterr().err


def test_random_play_of_other_games_is_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--policy", "random", "--episodes", "30", "--json"]
    for word in ("cartpole", "gymnasium:CartPole-v1"):
        assert evaluate_entry.main([*asked, "--game", word]) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert 12 < told["return"]["mean"] < 40  # random pushes keep the pole up for about 22 steps
    for wrong, said in (
        (
            ["--policy", "bcts", "--game", "cartpole"],
            "--policy: given 'bcts'; allowed: random or gumbel, with --game cartpole",
        ),
        ([*asked, "--game", "cartpol"], "--game: given 'cartpol'; allowed: tetris, cartpole"),
        (
            [*asked, "--game", "cartpole", "--preset", "mini"],
            "--preset: given 'mini'; allowed: nothing, with --game",
        ),
    ):
        assert evaluate_entry.main(wrong) == 2
        assert said in capsys.readouterr().err


@pytest.mark.slow
def test_an_agent_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[str] = []
    spec = AGENTS["ppo"]

    def make(config: Any, env: Any) -> Any:
        made.append(env.spec.title)
        return spec.make(config, env)

    monkeypatch.setitem(AGENTS, "ppo", spec._replace(make=make))
    words = ["--game", "cartpole", "--preset", "tiny", "--agent.num-epochs", "3"]  # not made by another test
    asked = cli.parse([*words, "--run-dir", str(tmp_path / "run")])
    assert asked is not None
    train(asked.config, run_dir=asked.run_dir)
    tetrax.load(asked.run_dir)
    assert made == ["CartPole-v1 of gymnax"]


def test_an_environment_that_fails_is_one_line_and_what_was_trained_is_logged(tmp_path: Path) -> None:
    counting.register()
    config = tiny("ppo", f"gymnasium:{counting.FAILING}")
    with pytest.raises(
        UserError, match=r"game: tests/Failing-v0 of gymnasium failed in a step \(OSError: no"
    ):
        train(config, run_dir=tmp_path / "run")
    assert [row["step"] for row in log.read(tmp_path / "run" / "metrics.jsonl")] == [256]
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [256]


def test_sweeps_are_refused_on_the_host() -> None:
    words = "--game gymnasium:CartPole-v1 --grid agent.learning_rate=1e-3,3e-3".split()
    with pytest.raises(
        UserError, match=r"--game: given 'gymnasium:CartPole-v1'; allowed: a game that is compiled"
    ):
        sweep_cli.parse(words)


def test_a_run_is_gone_on_with_by_its_own_game_alone(on_host: Path) -> None:
    with pytest.raises(UserError, match=r"--game: given 'cartpole'; allowed: gymnasium:CartPole-v1, that of"):
        cli.parse(["--resume", str(on_host), "--game", "cartpole"])
    same = cli.parse(["--resume", str(on_host), "--game", "gymnasium:CartPole-v1"])
    assert same is not None and same.resume


@pytest.mark.parametrize(
    ("value", "text"), [(0.0104, "0.0104"), (-0.0, "0"), (-12.34, "-12.3"), (500.0, "500")]
)
def test_numbers_of_a_summary(value: float, text: str) -> None:
    assert artifacts._number(value) == text


@pytest.mark.slow
def test_a_sweep_of_cartpole_is_ranked_by_its_return(tmp_path: Path) -> None:
    words = "ppo --game cartpole --preset tiny --num-seeds 2 --grid agent.learning_rate=1e-3,1e-2".split()
    asked = sweep_cli.parse([*words, "--run-dir", str(tmp_path / "sweep")])
    assert asked is not None and asked.sweep.metric == "eval/return"
    ended = sweep.run(asked.sweep, run_dir=asked.run_dir)
    assert ended.status == "finished" and ended.results is not None
    assert ended.results.means("eval/return").min() > 5
    assert ended.results.metric == "eval/return"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--game pong", "--game: given 'pong'; allowed: tetris, cartpole, gymnax:ID, gymnasium:ID"),
        ("--game gymnasium:Nope-v0", "--game: given gymnasium:Nope-v0"),
        (
            "--game gymnasium:Pendulum-v1",
            "whose actions are Box(-2.0, 2.0, (1,), float32); allowed: Discrete",
        ),
        (
            "dqn --game gymnasium:CartPole-v1",
            "--game with dqn and preset small: given 'gymnasium:CartPole-v1'",
        ),
        (
            "cross-entropy --game cartpole",
            "--game with cross-entropy and preset small: given 'gymnax:CartPole-v1'",
        ),
        ("--game cartpole --env.actions drop", "unknown flag: given --env.actions"),
        ("--game cartpole --env.max-steps -3", "--env.max-steps: given -3; allowed: 0 or more"),
        ("--game gymnasium:CartPole-v1 --num-seeds 2", "--num-seeds: given 2; allowed: 1 for a game"),
        (
            "dqn --game gymnasium:CartPole-v1 --preset tiny",
            "given 'gymnasium:CartPole-v1'; allowed: tetris, gymnax",
        ),
        (
            "--game gymnasium:CliffWalking-v1",
            "--evaluation.max-pieces: given 0; allowed: 1 or more steps, or a limit",
        ),
        ("--game gymnasium:nope:", "--game: given gymnasium:nope:, which cannot be made"),
        ("--game gymnax:Pendulum-v1", "--game: given gymnax:Pendulum-v1: action_space: given Box"),
        (
            "--game gymnax:CartPol-v1",
            "--game: given gymnax:CartPol-v1; allowed: an id of gymnax's; did you mean",
        ),
        ("--game pong --game gymnax:Nope", "--game: given gymnax:Nope; allowed: an id of gymnax's"),
    ],
)
def test_a_wrong_word_is_one_line(words: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        cli.parse(words.split())
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_cartpole_is_learned(algorithm: str, tmp_path: Path) -> None:
    config = presets.find(algorithm, "small", game="gymnax", env=games.find("cartpole").config)
    result = train(config, run_dir=tmp_path / "run")
    assert result.evaluation is not None
    assert result.evaluation["return"]["mean"] >= 475  # solved, as CartPole-v1 has it: 100 greedy episodes
