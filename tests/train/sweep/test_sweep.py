"""Sweeps: every member is a run of its own, in one program; points, ranking, halving, and what is left behind."""

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

from tests.train.toy import quick_games, toy_config
from tetrax.env import batch
from tetrax.env.reward import REWARDS
from tetrax.fields.errors import UserError
from tetrax.train import __main__, presets, start
from tetrax.train.command import cli
from tetrax.train.config import TrainConfig
from tetrax.train.folder import log, policy_io
from tetrax.train.program import Program
from tetrax.train.report.display import SilentDisplay, Summary
from tetrax.train.sweep import (
    sweep,
    sweep_cli,
    sweep_members,
    sweep_plot,
    sweep_points,
    sweep_report,
    sweep_results,
)
from tetrax.train.sweep.sweep_members import Sweep
from tetrax.view.scene import scene

RATES = (0.01, 0.5, 0.1, 0.03)
TINY = presets.find("ppo", "tiny")


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


def quick_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    def games(*args: Any, **options: Any) -> Any:
        return quick_games(*args, **options, record=False, on_progress=lambda over, pieces: None)

    monkeypatch.setattr(sweep, "evaluate", games)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the toy play its own games, and draw nothing but in `whole`."""
    quick_evaluations(monkeypatch)
    monkeypatch.setattr(sweep_plot, "draw", lambda *args: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[sweep.SweepResult, Path, Listener]:
    """Return a finished sweep, all members at once, plot included."""
    with pytest.MonkeyPatch.context() as patch:
        quick_evaluations(patch)
        folder, shown = tmp_path_factory.mktemp("sweeps") / "run", Listener()
        return sweep.run(toy_sweep(command=("--preset=tiny",)), run_dir=folder, display=shown), folder, shown


def toy_sweep(rates: tuple[float, ...] = RATES, *, num_seeds: int = 2, **options: Any) -> Sweep:
    points = tuple({"agent.learning_rate": rate} for rate in rates)
    return Sweep(
        toy_config(num_seeds=num_seeds, seed=3), points, options.pop("metric", "eval/lines"), **options
    )


def trained_alone(config: TrainConfig, chunks: int) -> list[dict[str, Any]]:
    """Train a run by itself and return the metrics of its chunks."""
    _, program = start.make_program(config)
    program.compile()
    state, metrics = program.initial_state(), []
    for _ in range(chunks):
        state, outcome = program.run_chunk(state)
        told = {**outcome.metrics.totals, **outcome.metrics.means}
        metrics.append({name: np.asarray(value) for name, value in told.items()})
    return metrics


def member_rows(root: Path, member: int) -> list[dict[str, Any]]:
    """Return what a member's training wrote, chunk by chunk."""
    found = []
    for row in log.read(root / "sweep.jsonl"):
        if member in row["members"] and "entropy" in row["per_member"]:
            index = row["members"].index(member)
            values = {name: values[index] for name, values in row["per_member"].items()}
            found.append({"step": row["step"], **values})
    return found


Whole = tuple[sweep.SweepResult, Path, Listener]


def test_every_member_is_a_run_of_its_own_in_one_program(whole: Whole) -> None:
    ended, root, _ = whole
    assert (ended.status, ended.exit_code, ended.num_traces) == ("finished", 0, 1)
    for member, rate, seed in ((0, RATES[0], 3), (3, RATES[1], 4)):
        alone = trained_alone(toy_config(learning_rate=rate, seed=seed), 10)
        rows = member_rows(root, member)
        assert [row["step"] for row in rows] == list(range(32, 321, 32))
        for row, metrics in zip(rows, alone, strict=True):
            games = metrics["games"]
            assert row["games"] == games
            assert row["lines"] == metrics["lines"] / games  # whole numbers: exactly
            assert row["loss/policy"] == pytest.approx(metrics["loss/policy"], rel=1e-4, abs=1e-6)


def test_a_sweep_leaves_results_plot_and_the_best_policy(whole: Whole) -> None:
    ended, root, shown = whole
    document = json.loads((root / "sweep.json").read_text())
    assert ended.results is not None and document["best"] == ended.results.best == 1
    best = document["points"][0]
    assert best["values"] == {"agent.learning_rate": 0.5}
    lines = best["eval/lines"]
    assert lines["mean"] == np.mean(lines["per_seed"]) and lines["std"] == np.std(lines["per_seed"], ddof=1)
    command = "python -m tetrax.train toy --preset=tiny --agent.learning-rate 0.5"
    assert document["command"] == command == shown.summary.commands["train the best point with"]
    assert (root / "plots" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    config = policy_io.load(root).config
    leader = 3 + int(np.argmax(lines["per_seed"]))
    assert (config.agent.learning_rate, config.seed, config.num_seeds) == (0.5, leader, 1)
    assert "without effect here" not in shown.summary.facts
    assert not list(root.rglob(".tmp-*"))


@pytest.mark.slow
def test_groups_one_after_another_give_the_same(whole: Whole, tmp_path: Path) -> None:
    apart = sweep.run(toy_sweep(members_at_once=3), run_dir=tmp_path / "apart")
    assert apart.num_traces == 1
    assert [len(group) for group in sweep_members.split(8, 4)] == [4, 4]
    assert [len(group) for group in sweep_members.split(8, 3)] == [3, 3, 2]
    assert whole[0].results is not None and apart.results is not None
    for name, values in whole[0].results.values.items():
        np.testing.assert_allclose(apart.results.values[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.slow
def test_too_little_memory_makes_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "memory_bytes", lambda self: 1_000 * self.num_seeds)
    monkeypatch.setattr(sweep.memory, "program_bytes", lambda: 4_500)
    shown = Listener()
    ended = sweep.run(toy_sweep(), run_dir=tmp_path / "run", display=shown)
    assert shown.notes == ["8 members need 8.0 kB, there are 4.5 kB: at most 4 at once"]
    assert ended.status == "finished" and ended.num_traces == 2
    with pytest.raises(UserError, match="--halving: given with 4 members at once; allowed: with all 8"):
        sweep.run(toy_sweep(halving=True), run_dir=tmp_path / "halving")


def test_halving_drops_the_worse_half_and_changes_nothing_else(whole: Whole, tmp_path: Path) -> None:
    halved = sweep.run(toy_sweep(halving=True), run_dir=tmp_path / "halved")
    assert whole[0].results is not None and halved.results is not None
    assert halved.num_traces == 3
    # 10 chunks of 32 steps: rungs after chunk 3 (a quarter is 2.5) and chunk 5.
    assert sorted(halved.results.steps) == [96, 96, 160, 320]
    best = halved.results.best
    assert best == 1
    for member in (2, 3):
        for ours, theirs in zip(
            member_rows(tmp_path / "halved", member), member_rows(whole[1], member), strict=True
        ):
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(
        halved.results.values["eval/lines"][best], whole[0].results.values["eval/lines"][best]
    )
    assert np.isnan(halved.results.values["eval/lines"][[0, 2, 3]]).all()


@pytest.mark.slow
def test_one_point_and_one_seed_are_a_sweep_too(tmp_path: Path) -> None:
    ended = sweep.run(toy_sweep((0.5,), num_seeds=1), run_dir=tmp_path / "one")
    halved = sweep.run(toy_sweep((0.5, 0.01), num_seeds=1, halving=True), run_dir=tmp_path / "two")
    assert ended.results is not None and halved.results is not None
    np.testing.assert_allclose(halved.results.values["eval/lines"][0], ended.results.values["eval/lines"][0])


def test_a_member_that_diverges_stops_no_other(tmp_path: Path) -> None:
    ended = sweep.run(toy_sweep((1e38, 0.5)), run_dir=tmp_path / "some")
    assert ended.results is not None and (ended.exit_code, ended.results.best) == (0, 1)
    assert ended.results.diverged.tolist() == [[False, True], [False, False]]
    assert "2 (1 diverged)" in sweep_results.table(ended.results)
    shown = Listener()
    alone = Sweep(toy_config(seed=4), ({"agent.learning_rate": 1e38},), "lines")
    ended = sweep.run(alone, run_dir=tmp_path / "all", display=shown)
    assert (ended.status, ended.exit_code) == ("diverged", 1)
    assert shown.summary.headline.startswith("Nothing to rank")
    assert not (tmp_path / "all" / "policy").exists()


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    shown = Listener(96, lambda: os.kill(os.getpid(), signal.SIGINT))
    ended = sweep.run(toy_sweep(), run_dir=tmp_path / "run", display=shown)
    assert (ended.status, ended.exit_code) == ("stopped", 130)
    rows = log.read(tmp_path / "run" / "sweep.jsonl")
    assert rows[-1]["step"] in (96, 128)  # the chunk in which it came, or the one already begun
    document = json.loads((tmp_path / "run" / "sweep.json").read_text())
    assert (document["status"], document["metric"]) == ("stopped", "lines")  # nothing is evaluated yet
    assert document["points"][0]["lines"]["mean"] is not None
    assert not list((tmp_path / "run").rglob(".tmp-*"))
    with pytest.raises(UserError, match="this is a sweep: start it anew"):
        cli.parse(["--resume", str(tmp_path / "run")])


def test_an_agent_without_the_environments_numbers_says_so(tmp_path: Path) -> None:
    points = ({"env_params.game.gravity": 5},)
    with pytest.raises(UserError, match=r"given env_params\.…, and algorithm toy keeps none"):
        sweep.run(Sweep(toy_config(), points, "lines"), run_dir=tmp_path)


SHORT = dataclasses.replace(
    TINY,
    env=presets.with_rules(
        dataclasses.replace(TINY.env, reward="survival"), "mini"
    ),  # so that many games end
    agent=dataclasses.replace(TINY.agent, num_envs=4, num_steps=16, num_epochs=1),
    seed=5,
    chunk_iterations=4,
    total_steps=256,
)


@pytest.mark.slow
def test_members_of_ppo_start_with_their_own_numbers() -> None:
    """The first games too: they start on the member's garbage."""
    points = tuple(
        {"agent.clip": clip, "env_params.reward.game_over": loss, "env_params.game.starting_garbage": rows}
        for clip, loss, rows in ((0.1, -10.0, 0), (0.3, -1.0, 3))
    )
    rules = dataclasses.replace(SHORT.env.rules, garbage=True)
    config = dataclasses.replace(SHORT, env=dataclasses.replace(SHORT.env, rules=rules))
    env, program = start.make_program(config)
    asked = Sweep(config, points, "lines")
    state = sweep_members.member_program(asked, env, program.agent, [0, 1]).initial_state()
    assert state.tunables["clip"].tolist() == pytest.approx([0.1, 0.3])
    assert state.tunables["horizon"].tolist() == [4, 4]
    assert state.env_params.reward.game_over.tolist() == [-10, -1]
    assert state.env_params.game.starting_garbage.tolist() == [0, 3]
    for member, rows in ((0, 0), (1, 3)):
        played = jax.tree.map(lambda leaf, member=member: leaf[member], state.env_state.env_state.game)
        for number in range(SHORT.agent.num_envs):
            cells = scene(rules, batch.game(played, number)).cells
            assert [any(kind >= 0 for kind in row) for row in cells].count(True) == rows


@pytest.mark.slow
def test_members_of_ppo_equal_lone_runs() -> None:
    """Both the agent's and the environment's numbers; what a game counts is equal exactly."""
    points = (
        {"agent.learning_rate": 0.001, "env_params.reward.game_over": -10.0},
        {"agent.learning_rate": 0.01, "env_params.reward.game_over": -1.0},
    )
    env, program = start.make_program(SHORT)
    asked = Sweep(SHORT, points, "lines")
    members = sweep_members.member_program(asked, env, program.agent, [0, 1])
    members.compile()
    _, outcome = members.run_chunk(members.initial_state())
    together = {**outcome.metrics.totals, **outcome.metrics.means}
    rule = dataclasses.replace(REWARDS["survival"], game_over=-1.0)
    own = dataclasses.replace(SHORT.env, reward=rule)
    agent = dataclasses.replace(SHORT.agent, learning_rate=0.01)
    (alone,) = trained_alone(dataclasses.replace(SHORT, env=own, agent=agent), 1)
    assert alone["lines"] > 0
    for name, value in alone.items():
        ours = np.asarray(together[name])
        if name in ("games", "lines", "pieces", "score"):
            assert ours[1] == value, name
        else:
            np.testing.assert_allclose(ours[1], value, rtol=1e-3, atol=1e-5, err_msg=name)
    assert np.asarray(together["loss/value"])[0] != alone["loss/value"]
    assert members.num_traces == 1


def test_grid_and_random_make_points() -> None:
    def points(grid: list[str], random: list[str], seed: int = 0) -> Any:
        return sweep_points.read(TINY, grid, random, 3, seed)

    two = points(["agent.learning-rate=1e-4,0.01", "env_params.game.gravity=5,6e3"], [])
    assert two == (
        {"agent.learning_rate": 0.0001, "env_params.game.gravity": 5},
        {"agent.learning_rate": 0.0001, "env_params.game.gravity": 6000},
        {"agent.learning_rate": 0.01, "env_params.game.gravity": 5},
        {"agent.learning_rate": 0.01, "env_params.game.gravity": 6000},
    )
    drawn = ["agent.learning_rate=1e-4:1e-2:log", "agent.clip=0.1:0.3", "env_params.game.lock_delay=1:9"]
    mixed = points(["agent.entropy=0,0.01"], drawn)
    assert len(mixed) == 6
    assert mixed == points(["agent.entropy=0,0.01"], drawn) != points(["agent.entropy=0,0.01"], drawn, seed=1)
    assert (
        mixed[0]["agent.clip"] == mixed[3]["agent.clip"] != mixed[1]["agent.clip"]
    )  # the same draws for both
    for point in mixed:
        assert 1e-4 <= point["agent.learning_rate"] <= 1e-2 and 0.1 <= point["agent.clip"] <= 0.3
        assert (
            type(point["env_params.game.lock_delay"]) is int and 1 <= point["env_params.game.lock_delay"] <= 9
        )
        assert float(sweep_points.show(point["agent.clip"])) == point["agent.clip"]
    many = sweep_points.read(TINY, [], ["agent.learning_rate=1e-4:1e-2:log"], 400, 0)
    below = np.mean([point["agent.learning_rate"] < 1e-3 for point in many])
    assert 0.4 < below < 0.6  # half of them, in the logarithm; a tenth without


def test_every_name_is_one_that_the_state_holds() -> None:
    _, program = start.make_program(TINY)
    names = sweep_points.names(TINY)
    tunables = {f"agent.{name}" for name in program.template.tunables} - {"agent.horizon"}
    assert {name for name in names if name.startswith("agent.")} == tunables
    for name, kind in names.items():
        if name.startswith("env_params."):
            room, field = name.removeprefix("env_params.").split(".")
            leaf = getattr(getattr(program.template.env_params, room), field)
            assert np.issubdtype(leaf.dtype, np.integer) == (kind is int)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], ["--grid, --random: given neither"]),
        (["--grid", "agent.num_envs=1,2"], ["'agent.num_envs', which is no tunable", "agent.learning_rate"]),
        (["--grid", "learning_rat=1"], ["no tunable", "did you mean 'agent.learning_rate'?"]),
        (["--grid", "env_params.game.gravty=1"], ["did you mean 'env_params.game.gravity'?"]),
        (["--grid", "agent.clip"], ["'agent.clip'", "NAME=VALUE,VALUE"]),
        (["--grid", "agent.clip=a"], ["--grid agent.clip", "'a'", "finite numbers"]),
        (["--grid", "agent.clip=inf"], ["--grid agent.clip", "'inf'"]),
        (["--grid", "agent.clip=0.1,1e-1"], ["'0.1'", "every value once"]),
        (["--grid", "agent.clip=0.1", "--grid=agent.clip=0.2"], ["'agent.clip'", "each name once"]),
        (["--grid", "agent.discount=0.9,1.5"], ["--agent.discount: given 1.5; allowed: from 0 to 1"]),
        (["--grid", "env_params.game.gravity=1.5"], ["'1.5'", "whole numbers"]),
        (["--grid", "env_params.game.gravity=-1"], ["env_params.game.gravity: given -1", "0 or more"]),
        (["--grid", "env_params.game.starting_garbage=99"], ["given 99", "0 to 20"]),
        (["--random", "agent.clip=0.2:0.1"], ["'0.2:0.1'", "below"]),
        (["--random", "agent.clip=0:0.1:log"], ["above 0"]),
        (["--random", "agent.clip=0:0.1:lag"], ["'lag'", "did you mean 'log'?"]),
        (["--random", "agent.clip=0.1"], ["NAME=LOW:HIGH"]),
        (["--random", "agent.clip=0.1:0.2", "--grid", "agent.clip=1"], ["'agent.clip'", "--grid does not"]),
        (["--random", "agent.clip=0.1:0.2", "--samples", "0"], ["--samples: given 0", "1 or more"]),
        (["--grid", "agent.clip=1", "--samples", "3"], ["--samples", "with --random alone"]),
        (["--grid", "agent.clip=1", "--agent.clip", "1"], ["--agent.clip", "--grid or --random"]),
        (["--grid", "agent.clip=1", "--metric", "line"], ["--metric", "did you mean 'lines'?"]),
        (
            ["--grid", "agent.clip=1", "--metric", "eval/lines", "--evaluation.final-episodes", "0"],
            ["--metric", "'eval/lines'", "auto, lines"],
        ),
        (
            ["--grid", "agent.clip=1,2", "--halving", "--members-at-once", "1"],
            ["--members-at-once", "2, all"],
        ),
        (["--grid", "agent.clip=1", "--resume", "x"], ["--resume", "start it anew"]),
        (["--grid", "agent.clip=1", "--tensorboard"], ["--tensorboard", "no use for it"]),
        (["--grid", "agent.clip=1", "--num-seeds", "0"], ["--num-seeds: given 0"]),
    ],
)
def test_a_wrong_word_is_one_line(
    argv: list[str], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert __main__.main(["sweep", "--preset", "tiny", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    for words in said:
        assert words in captured.err
    assert not list(tmp_path.iterdir())


def parsed(*argv: str) -> Sweep:
    request = sweep_cli.parse(argv)
    assert request is not None
    return request.sweep


def test_the_printed_command_trains_the_point() -> None:
    words = (
        "ppo",
        "--preset",
        "tiny",
        "--num-seeds=2",
        "--agent.network.hidden",
        "8",
        "9",
        "--env.rules.no-hold",
    )
    asked = parsed(*words, "--grid", "agent.learning_rate=1e-5,0.003", "--random", "agent.clip=0.1:0.3")
    assert len(asked.points) == 16 and asked.num_members == 32
    command = sweep_report.best_command(asked, 11)
    assert command.startswith(
        "python -m tetrax.train ppo --preset=tiny --num-seeds=2 --agent.network.hidden 8 9 "
    )
    request = cli.parse(command.split()[3:])
    assert request is not None
    trained = sweep_points.with_point(asked.config, asked.points[11])
    assert dataclasses.replace(trained, evaluation=TINY.evaluation) == request.config
    # What no configuration holds is trained by a sweep of one point.
    asked = parsed("--preset", "tiny", "--grid", "agent.clip=0.1,0.3", "env_params.game.gravity=1,2")
    command = sweep_report.best_command(asked, 2)
    assert command.endswith("sweep ppo --preset=tiny --grid agent.clip=0.3 --grid env_params.game.gravity=1")
    again = parsed(*command.split()[4:])
    assert again.points == asked.points[2:3] and again.config == asked.config


def test_sweeps_evaluate_less_than_runs_unless_told() -> None:
    point = ("--preset", "tiny", "--grid", "agent.clip=1")
    settings = parsed(*point).config.evaluation
    assert (settings.final_episodes, settings.final_max_pieces) == (4, 20)  # those of a run while it trains
    assert parsed(*point, "--evaluation.final-episodes", "9").config.evaluation.final_episodes == 9
    assert parsed(*point).metric == "eval/lines"
    assert parsed(*point, "--evaluation.final-episodes", "0").metric == "lines"


def test_the_help_of_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["sweep", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in (
        "--grid",
        "--members-at-once",
        "cannot be resumed",
        "env_params.reward.game_over",
        "--halving",
    ):
        assert words in shown


MEASURES = ("lines", "score", "attack", "pieces", "return")


def row(step: int, members: list[int], **per_member: Any) -> dict[str, Any]:
    return {"step": step, "members": members, "diverged": [], "per_member": per_member}


def test_results_are_worked_out_by_game_over_the_last_quarter() -> None:
    """Two points of two seeds; only games after step 75 of 100 count, each as much as every other."""
    rows = [
        row(50, [0, 1, 2, 3], lines=[9.0, 9.0, 9.0, 9.0], games=[5, 5, 5, 5]),
        row(80, [0, 1, 2, 3], lines=[1.0, 2.0, None, 4.0], games=[1, 2, 0, 4]),
        row(100, [0, 1, 2, 3], lines=[4.0, 2.0, 3.0, 8.0], games=[2, 2, 1, 12]),
    ]
    points = ({"agent.clip": 0.1}, {"agent.clip": 0.2})
    results = sweep_results.sum_up(rows, points, 2, "eval/lines", MEASURES)
    # Member 0: (1·1 + 2·4) / 3 = 3; member 3: (4·4 + 12·8) / 16 = 7.
    np.testing.assert_allclose(results.values["lines"], [[3, 2], [3, 7]])
    assert results.metric == "lines" and results.ranking == [1, 0]
    np.testing.assert_allclose(results.spreads("lines"), [np.sqrt(0.5), np.sqrt(8)])
    table = sweep_results.table(results).splitlines()
    assert table[1].split() == ["1.", "0.2", "2", "5", "±", "2.8", "100"]
    # Evaluations that are equal leave it to training; the other way round they decide.
    equal = [row(100, [member], **{"eval/lines": [10.0]}) for member in range(4)]
    assert sweep_results.sum_up([*rows, *equal], points, 2, "eval/lines", MEASURES).ranking == [1, 0]
    better = [row(100, [member], **{"eval/lines": [10.0 - member]}) for member in range(4)]
    assert sweep_results.sum_up([*rows, *better], points, 2, "eval/lines", MEASURES).ranking == [0, 1]
    steps, values = sweep_plot.curve(rows, results, 1, "lines")
    assert steps.tolist() == [50, 80, 100]
    np.testing.assert_array_equal(values, [[9, 9], [np.nan, 4], [3, 8]])


def test_a_sweep_names_where_its_evaluations_were_stopped_and_what_runs() -> None:
    """Of point 0 games ended; of point 1 none did, in two seeds with 12 and 14 lines so far."""
    trained = {
        "lines": [4.0, 6.0, None, None],
        "games": [1, 1, 0, 0],
        "running/lines": [1.0, 1.0, 12.0, 14.0],
    }
    told = {"eval/lines": [197.0], "eval/capped": [0.5], "eval/cap": [500.0]}
    rows = [row(100, [0, 1, 2, 3], **trained), *(row(100, [member], **told) for member in range(4))]
    points = ({"agent.clip": 0.1}, {"agent.clip": 0.2})
    results = sweep_results.sum_up(rows, points, 2, "eval/lines", MEASURES, "pieces")
    # Evaluations are equal, and 13 lines so far are more than 5.
    assert results.stop == "to 500 pieces" and results.ranking == [1, 0]
    assert [line.split() for line in sweep_results.table(results).splitlines()] == [
        "agent.clip seeds lines per game evaluation to 500 pieces, lines not lost steps".split(),
        "1. 0.2 2 13 ± 1.4 so far 197 ± 0 50.0% 100".split(),
        "2. 0.1 2 5 ± 1.4 197 ± 0 50.0% 100".split(),
    ]
    steps, values = sweep_plot._running(rows, results, 1, "lines")
    assert (steps.tolist(), values.tolist()) == ([100], [13.0])
    assert np.isnan(sweep_plot._running(rows, results, 0, "lines")[1]).all()
    assert "running/lines" in results.to_json()["points"][0]
    by_training = sweep_results.sum_up(rows, points, 2, "lines", MEASURES, "pieces")
    assert by_training.ranking == [1, 0] and by_training.best == 1
    free = [row(100, [0], **{"eval/lines": [197.0], "eval/cap": [0.0]})]
    assert sweep_results.sum_up(free, points[:1], 1, "eval/lines", MEASURES, "pieces").stop == ""


def test_a_number_without_effect_is_named() -> None:
    """Gravity changes nothing here: points 0 and 1, 2 and 3 are alike; the clip changes the pieces alone."""
    points = tuple(
        {"agent.clip": clip, "env_params.game.gravity": gravity} for clip in (0.1, 0.2) for gravity in (1, 2)
    )
    rows = [row(100, [0, 1, 2, 3], lines=[1.0] * 4, pieces=[5.0, 5.0, 6.0, 6.0], games=[1] * 4)]
    assert sweep_results.find_without_effect(sweep_results.sum_up(rows, points, 1, "lines", MEASURES)) == [
        "env_params.game.gravity"
    ]
