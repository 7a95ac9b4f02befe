"""A game of two players goes through the same training: folder, resuming, evaluation against an opponent."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from tetrax import evaluate as evaluate_entry
from tetrax.agents.alphazero import AlphaZeroConfig
from tetrax.games.in_a_row import ConnectFourConfig, TicTacToeConfig
from tetrax.train import presets, start
from tetrax.train.config import load_config
from tetrax.train.folder import checkpoint, log
from tetrax.train.loop import train
from tetrax.train.report.watched_game import WatchedGame

TINY = dataclasses.replace(
    presets.find("alphazero", "tiny", game="tictactoe"), checkpoint_seconds=0.0, keep_checkpoints=20
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    run = tmp_path_factory.mktemp("two") / "run"
    result = train(TINY, run_dir=run)
    assert (result.status, result.step, result.num_traces) == ("finished", 512, 1)
    return run


def test_every_game_has_presets() -> None:
    for game, kind in (("tictactoe", TicTacToeConfig), ("connect4", ConnectFourConfig)):
        for name in ("tiny", "small"):
            config = presets.find("alphazero", name, game=game)
            config.validate()
            assert isinstance(config.env, kind) and isinstance(config.agent, AlphaZeroConfig)
    presets.find("alphazero", "small").validate()


@pytest.mark.slow
def test_a_run_tells_wins_and_goes_on_as_if_it_had_never_stopped(whole: Path, tmp_path: Path) -> None:
    rows = log.read(whole / "metrics.jsonl")
    assert {"wins", "draws", "losses", "games", "loss/policy", "search/entropy"} <= rows[-1].keys()
    assert any({"eval/wins", "eval/losses"} <= row.keys() for row in rows)
    told = json.loads((whole / "eval.json").read_text())
    assert told["wins"]["mean"] + told["draws"]["mean"] + told["losses"]["mean"] == pytest.approx(1)

    stopped = tmp_path / "stopped"
    shutil.copytree(whole, stopped)
    saved = sorted((stopped / "checkpoints").iterdir())
    for folder in saved[1:]:
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


def test_a_watched_game_is_told_by_the_rewards_of_who_moves() -> None:
    agent, env = TINY.make_agent(), TINY.make_env()
    policy = jax.jit(lambda key: agent.policy(agent.init(key)))(jax.random.key(0))
    game = WatchedGame(env, agent, policy)
    steps = [step for number in range(3) for step in game.play(policy, number)]
    assert game.header()["game"] == "tic-tac-toe"
    for step in steps:
        assert step["reward"] in (0.0, 1.0) and (step["over"] or not step["reward"]), "who wins moves last"
    assert any(step["reward"] for step in steps) and max(step["move"] for step in steps) <= 9


@pytest.mark.slow
def test_a_run_is_evaluated_against_an_opponent(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [str(whole), "--episodes", "32", "--json"]
    told = {}
    for opponent in ("random", "perfect"):
        for more in ([], ["--agent.acting-simulations", "64"]):
            assert evaluate_entry.main([*asked, "--opponent", opponent, *more]) == 0
            told[opponent, bool(more)] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(told["random", False])[3:] == ["wins", "draws", "losses", "return", "steps"]
    assert told["perfect", False]["wins"]["max"] == told["perfect", True]["wins"]["max"] == 0
    assert told["random", True]["wins"]["mean"] > 0.8, "who looks ahead beats random moves"
    assert told["perfect", True]["losses"]["mean"] <= told["perfect", False]["losses"]["mean"]


def test_random_play_against_an_opponent_and_what_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--policy", "random", "--episodes", "64", "--json"]
    assert evaluate_entry.main([*asked, "--game", "tictactoe", "--opponent", "perfect"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["wins"]["max"] == 0 and told["losses"]["mean"] > 0.6
    for wrong, said in (
        (
            ["--game", "connect4", "--opponent", "perfect"],
            "--opponent: given 'perfect' in connect four; allowed: random",
        ),
        (["--opponent", "random"], "--opponent: given 'random' in guideline, direct; allowed: None"),
        (
            ["--game", "connect4", "--record", "game.json"],
            "connect four, both against random has no recordings",
        ),
    ):
        assert evaluate_entry.main([*asked, *wrong]) == 2
        assert said in capsys.readouterr().err
