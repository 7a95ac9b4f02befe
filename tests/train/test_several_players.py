"""A game whose players act together goes through the same training: folder, resuming, evaluation, watching."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from tetrax import evaluate as evaluate_entry
from tetrax import games
from tetrax.agents import baselines
from tetrax.agents.mappo import LeagueConfig
from tetrax.fields.errors import UserError
from tetrax.games.grid_config import GridWorldConfig
from tetrax.train import presets, start
from tetrax.train.command import cli
from tetrax.train.config import load_config
from tetrax.train.folder import checkpoint, log
from tetrax.train.loop import train
from tetrax.train.report import evaluation
from tetrax.train.report.watched_game import WatchedGame

SMALL_GRID = GridWorldConfig(width=4, height=3, rewards="competitive", max_steps=20)
PRESET = presets.find("mappo", "tiny", game="gridworld", env=SMALL_GRID)
TINY = dataclasses.replace(
    PRESET,
    # Against past selves too: these and what they came to belong to what is saved.
    agent=dataclasses.replace(PRESET.agent, league=LeagueConfig(size=2, share=0.5, every=2, tables=1)),
    checkpoint_seconds=0.0,
    keep_checkpoints=20,
)


def test_presets_and_words() -> None:
    for name in ("tiny", "small", "large"):
        config = presets.find("mappo", name, game="gridworld")
        config.validate()
        assert config.env == GridWorldConfig()
    request = cli.parse(["mappo", "--preset", "tiny", "--agent.parameters", "separate", "--env.width", "5"])
    assert request is not None
    assert (request.config.game, request.config.env.width, request.config.agent.parameters) == (
        "gridworld",
        5,
        "separate",
    )
    with pytest.raises(UserError, match=r"--game with mappo .*: given .tetris.; allowed: gridworld"):
        cli.parse(["mappo", "--game", "tetris", "--preset", "tiny"])
    with pytest.raises(
        UserError, match=r"--game with ppo .*: given .gridworld.; allowed: .*; gridworld with mappo"
    ):
        cli.parse(["ppo", "--game", "gridworld", "--preset", "tiny"])


def test_what_an_evaluation_plays() -> None:
    together, versus = (
        games.make("gridworld", GridWorldConfig(rewards=kind)) for kind in ("cooperative", "competitive")
    )
    assert evaluation.against(together) is together and evaluation.against(together, "self") is together
    assert evaluation.against(versus).spec.title.endswith("against greedy, 2 targets, competitive")
    assert evaluation.against(versus, "self") is versus
    with pytest.raises(ValueError, match=r"opponent: given 'random' in .* cooperative; allowed: none"):
        evaluation.against(together, "random")


@pytest.mark.slow
def test_one_policy_plays_all_seats() -> None:
    """Game i is the same among few and among many, and recorded actions lead to the same end."""
    env = games.make("gridworld", dataclasses.replace(SMALL_GRID, rewards="cooperative"))
    few, many = (
        evaluation.evaluate(env, baselines.random(env), episodes=episodes, record_all=True)
        for episodes in (3, 18)
    )
    np.testing.assert_array_equal(few.steps, many.steps[:3])
    assert list(few.totals) == ["return", "found", "completed", "steps"]
    for number in range(3):
        actions = few.actions[number]
        assert actions.shape == (few.steps[number], 2)
        state = env.init(evaluation.game_key(0, number))
        step = jax.jit(env.transition)
        found = 0
        for action in actions:
            state, _, _, _, event = step(state, action)
            found += int(env.measure(event)["found"])
        assert found == few.totals["found"][number] and bool(state.over)


@pytest.mark.slow
def test_a_run_is_evaluated_and_goes_on_as_if_it_had_never_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole"
    result = train(TINY, run_dir=whole)
    assert (result.status, result.step, result.num_traces) == ("finished", 512, 1)
    rows = log.read(whole / "metrics.jsonl")
    assert {"wins", "draws", "losses", "found", "games", "loss/policy", "league/score"} <= rows[-1].keys()
    told = json.loads((whole / "eval.json").read_text())
    assert told["wins"]["mean"] + told["draws"]["mean"] + told["losses"]["mean"] == pytest.approx(1)

    stopped = tmp_path / "stopped"
    shutil.copytree(whole, stopped)
    for folder in sorted((stopped / "checkpoints").iterdir())[1:]:
        shutil.rmtree(folder)
    (stopped / "eval.json").unlink()
    train(load_config(stopped / "config.json"), run_dir=stopped, resume=True)
    assert json.loads((stopped / "eval.json").read_text()) == told
    _, program = start.make_program(load_config(whole / "config.json"))
    found = []
    for run in (whole, stopped):
        newest = checkpoint.newest(run / "checkpoints", lambda text: None)
        assert newest is not None and newest.step == 512
        found.append(checkpoint.to_host(checkpoint.restore(newest, program.template)))
    for name, leaf in found[0].items():
        np.testing.assert_array_equal(leaf, found[1][name], err_msg=name)

    for opponent, measures in (
        ("greedy", ["wins", "draws", "losses", "found", "return", "steps"]),
        ("self", ["wins", "draws", "losses", "found", "steps"]),
    ):
        assert evaluate_entry.main([str(whole), "--episodes", "8", "--json", "--opponent", opponent]) == 0
        assert list(json.loads(capsys.readouterr().out.splitlines()[-1]))[3:] == measures
    assert evaluate_entry.main([str(whole), "--record", "game.json"]) == 2
    assert "has no recordings" in capsys.readouterr().err


@pytest.mark.slow
def test_a_watched_game_is_told_by_the_first_player() -> None:
    agent, env = TINY.make_agent(), TINY.make_env()
    policy = jax.jit(lambda key: agent.policy(agent.init(key)))(jax.random.key(0))
    steps = WatchedGame(env, agent, policy).play(policy, 0)
    assert {step["did"] for step in steps} <= {"stay", "up", "down", "left", "right"}
    assert max(step["move"] for step in steps) <= 20 and {step["legal"] for step in steps} == {5}
    assert {step["scene"] for step in steps} == {None}
    for step in steps:  # the first player's letter is somewhere on the grid
        assert len(step["drawing"].splitlines()) == 4 and "A" in step["drawing"].rpartition("\n")[0]
        assert (
            step["drawing"]
            .splitlines()[-1]
            .startswith(f"{step['move']} steps" if step["over"] else f"step {step['move']} ")
        )
