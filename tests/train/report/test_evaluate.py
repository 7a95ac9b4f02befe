"""Evaluation: games decided by their own keys alone, counted right, and the command line that plays them."""

import csv
import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.agents.agent import Actor, Sight, no_memory
from tetrax.agents.baselines import BASELINES
from tetrax.env import record
from tetrax.env.game.rules import Rules
from tetrax.evaluate import main
from tetrax.train.report import artifacts, blocks, evaluation
from tetrax.train.report.evaluation import evaluate, game_key, recording_of_best, statistics

RULES = Rules(width=4, height=8, buffer=4, hold=False, preview=1)  # short games, some with lines
DROP = tetrax.make(rules=RULES, actions="drop", reward="standard")
DIRECT = tetrax.make(rules=RULES, actions="direct")
RANDOM = BASELINES["random"](DROP)


def act_on_count(policy: Any, sight: Sight, memory: Any, key: Any, greedy: bool) -> Any:
    """Play by a running count, its memory; `greedy` decides whether the key matters."""
    memory = jnp.where(sight.is_first, policy, memory + 1)
    legal = sight.observation.legal
    rank = (7 * memory) % jnp.maximum(legal.sum(axis=-1), 1)
    chosen = jnp.argmax(legal & (jnp.cumsum(legal, axis=-1) == rank[:, None] + 1), axis=-1)
    drawn = jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf), axis=-1)
    return jnp.asarray(chosen if greedy else drawn, jnp.int32), memory, {}


def wrong_count(shape: tuple[int, ...]) -> Any:
    """Give a memory that only a player that heeds `is_first` gets over."""
    return jnp.full(shape, 99, jnp.int32)


COUNTING = Actor(jnp.int32(0), wrong_count, act_on_count)


def totals(result: evaluation.EvalResult) -> list[tuple]:
    columns = (*result.totals.values(), result.steps, result.capped)
    assert list(result.totals) == ["lines", "score", "attack", "pieces", "return"]
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("actor", [RANDOM, COUNTING], ids=["random", "counting"])
def test_a_game_is_the_same_among_few_and_among_many(actor: Actor) -> None:
    many = evaluate(DROP, actor, episodes=70, seed=3, max_pieces=30)  # more than there are slots
    assert len(many.steps) == 70
    assert totals(evaluate(DROP, actor, episodes=5, seed=3, max_pieces=30)) == totals(many)[:5]
    assert totals(evaluate(DROP, actor, episodes=66, seed=3, max_pieces=30)) == totals(many)[:66]
    assert totals(evaluate(DROP, actor, episodes=70, seed=4, max_pieces=30)) != totals(many)
    assert len(set(totals(many))) > 20


@pytest.mark.parametrize("env", [DROP, pytest.param(DIRECT, marks=pytest.mark.slow)], ids=["drop", "direct"])
@pytest.mark.slow
def test_totals_are_those_of_games_played_one_by_one(env: tetrax.Tetris) -> None:
    cap, actor = 5, COUNTING
    result = evaluate(env, actor, episodes=6, seed=7, max_pieces=cap, record=True)
    reset, step = jax.jit(env.reset), jax.jit(env.step)
    played = []
    for game in range(6):
        key = jax.random.fold_in(jax.random.key(7), game)
        state, timestep = reset(key)
        memory, total, sent, actions = jnp.int32([99]), 0.0, 0, []
        while not timestep.terminated and state.pieces < cap:
            observation = jax.tree.map(lambda leaf: leaf[None], timestep.observation)
            sight = Sight(observation=observation, is_first=jnp.array([not actions]))
            action, memory, _ = act_on_count(actor.policy, sight, memory, key, True)
            state, timestep = step(state, action[0])
            actions.append(int(action[0]))
            total += float(timestep.reward)
            sent += int(timestep.event.attack.sum())
        lost = bool(timestep.terminated)
        came_to = (int(state.lines), int(state.score), sent, int(state.pieces), total)
        played.append((*came_to, len(actions), not lost))
        if game == result.best:
            assert result.actions[result.best].tolist() == actions
    for counted, expected in zip(totals(result), played, strict=True):
        assert counted == pytest.approx(expected)
    assert {lost for *_, lost in played} == {True, False}, "the test should see both ways to end"


@pytest.mark.slow
def test_a_long_game_goes_on_in_another_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 2 games: those that are left at the end move together, and their actions with them."""
    whole = evaluate(DROP, COUNTING, episodes=20, seed=11, record=True)
    progress: list[tuple[int, int]] = []
    monkeypatch.setattr(blocks, "BLOCK_GAMES", {"cpu": 2})
    joined = evaluate(
        DROP, COUNTING, episodes=20, seed=11, record=True, on_progress=lambda *now: progress.append(now)
    )
    assert totals(joined) == totals(whole)
    assert joined.actions[joined.best].tolist() == whole.actions[whole.best].tolist()
    games_over = [count for count, _ in progress]
    assert games_over == sorted(games_over) and progress[-1] == (20, 0)


def test_the_cap_stops_games_and_says_which_were_not_lost() -> None:
    free = evaluate(DROP, RANDOM, episodes=40, seed=1)
    capped = evaluate(DROP, RANDOM, episodes=40, seed=1, max_pieces=6)
    assert not free.capped.any()
    assert capped.totals["pieces"].max() == 6
    short = free.totals["pieces"] < 6
    assert 0 < short.sum() < 40
    np.testing.assert_array_equal(capped.totals["pieces"][short], free.totals["pieces"][short])
    np.testing.assert_array_equal(capped.capped[free.totals["pieces"] > 6], True)
    np.testing.assert_array_equal(capped.capped[short], False)
    assert capped.summary()["capped"] == int(capped.capped.sum())


@pytest.mark.slow
def test_a_time_limit_is_no_loss() -> None:
    env = tetrax.make(rules=RULES, actions="drop", time_limit=2)
    result = evaluate(env, RANDOM, episodes=8)
    assert result.steps.tolist() == [2] * 8
    assert result.capped.all()


@pytest.mark.slow
def test_a_game_that_locks_nothing_any_more_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an infinite lock delay a piece that turns for ever never locks."""
    monkeypatch.setattr(blocks, "STALL_STEPS", 100)
    env = tetrax.make("mini", lock="infinite", actions="direct")

    def turn(policy: Any, sight: Sight, memory: Any, key: Any, greedy: bool) -> Any:
        return jnp.full(sight.is_first.shape, env.action_names.index("rotate_cw"), jnp.int32), memory, {}

    result = evaluate(env, Actor((), no_memory, turn), episodes=2)
    assert result.totals["pieces"].tolist() == [0, 0]
    assert result.steps.tolist() == [100, 100]
    assert result.capped.all()


def test_new_parameters_compile_nothing() -> None:
    traces = []

    def act(policy: Any, sight: Sight, memory: Any, key: Any, greedy: bool) -> Any:
        traces.append(greedy)
        return act_on_count(policy, sight, memory, key, greedy)

    results = [
        evaluate(DROP, Actor(jnp.int32(start), wrong_count, act), episodes=episodes, max_pieces=cap)
        for start, episodes, cap in ((0, 4, 5), (1, 8, 9), (2, 4, 0))
    ]
    assert traces == [True]
    assert totals(results[0])[:4] != totals(results[2])


@pytest.mark.slow
def test_sampling_uses_the_key_of_the_game_and_greedy_play_does_not() -> None:
    greedy = evaluate(DROP, COUNTING, episodes=8, seed=2)
    drawn = evaluate(DROP, COUNTING, episodes=8, seed=2, greedy=False)
    assert totals(greedy) != totals(drawn)
    assert totals(drawn) == totals(evaluate(DROP, COUNTING, episodes=8, seed=2, greedy=False))


def test_best_median_and_worst_game_of_an_evaluation_are_kept(tmp_path: Path) -> None:
    result = evaluate(DROP, RANDOM, episodes=9, seed=5, max_pieces=40, record_all=True)
    assert sorted(result.actions) == list(range(9))
    ranks = [(result.totals["lines"][game], result.totals["score"][game], -game) for game in result.ranking]
    assert ranks == sorted(ranks, reverse=True) and result.best == result.ranking[0]
    said: list[str] = []
    folder = SimpleNamespace(recordings=tmp_path / "recordings")
    display = SimpleNamespace(note=said.append)
    run: Any = SimpleNamespace(env=DROP, folder=folder, display=display, phase=lambda name: nullcontext())
    artifacts.record_some(run, result, 640)
    for name, game in (
        ("best", result.ranking[0]),
        ("median", result.ranking[4]),
        ("worst", result.ranking[8]),
    ):
        recording = record.load(tmp_path / "recordings" / f"step-640-{name}.json")
        assert recording.outcome.score == result.totals["score"][game]
        np.testing.assert_array_equal(recording.key_data, jax.random.key_data(game_key(5, game)))
        record.verify(recording)
    folder.recordings = tmp_path / "recordings" / "step-640-best.json"  # no folder: it is said
    artifacts.record_some(run, result, 650)
    assert len(said) == 1 and "games of step 650 are not recorded" in said[0]


def test_the_recording_of_the_best_game_replays_to_its_totals() -> None:
    result = evaluate(DROP, RANDOM, episodes=70, seed=5, max_pieces=40, record=True)
    recording = recording_of_best(DROP, result)
    best = max(
        range(70), key=lambda game: (result.totals["lines"][game], result.totals["score"][game], -game)
    )
    assert result.best == best
    outcome = recording.outcome
    assert (outcome.lines, outcome.score, outcome.pieces) == (
        result.totals["lines"][best],
        result.totals["score"][best],
        result.totals["pieces"][best],
    )
    np.testing.assert_array_equal(recording.key_data, jax.random.key_data(game_key(5, best)))
    record.verify(recording)
    with pytest.raises(ValueError, match="record=True"):
        recording_of_best(DROP, evaluate(DROP, RANDOM, episodes=1))


def test_statistics_by_hand() -> None:
    # 2, 4, 4, 6: mean 4; squared deviations 4 + 0 + 0 + 4 = 8, over n - 1 = 3; the mean's standard error is
    # sqrt(8/3) / sqrt(4) = 0.816497, times 1.959964 = 1.600304. Quantile q lies at position 3q: 0.05 -> 0.15,
    # so 2 + 0.15 * 2 = 2.3.
    found = statistics(np.array([4, 2, 6, 4]))
    assert found["mean"] == 4 and found["min"] == 2 and found["max"] == 6
    assert found["std"] == pytest.approx((8 / 3) ** 0.5)
    assert found["ci95"] == pytest.approx([4 - 1.600304, 4 + 1.600304])
    assert found["quantiles"] == pytest.approx({"0.05": 2.3, "0.25": 3.5, "0.5": 4, "0.75": 4.5, "0.95": 5.7})
    assert statistics(np.array([7])) == {
        "mean": 7.0,
        "std": 0.0,
        "min": 7.0,
        "max": 7.0,
        "quantiles": dict.fromkeys(("0.05", "0.25", "0.5", "0.75", "0.95"), 7.0),
        "ci95": [7.0, 7.0],
    }


MINI = tetrax.make("mini", actions="drop")
PLAY = ["--policy", "random", "--preset", "mini", "--actions", "drop", "--seed", "5", "--episodes", "6"]


def test_the_last_line_under_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAY, "--max-pieces", "9", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(printed) == [
        "episodes",
        "max_pieces",
        "capped",
        "lines",
        "score",
        "attack",
        "pieces",
        "return",
    ]
    assert printed["episodes"] == 6 and printed["max_pieces"] == 9
    for measure in ("lines", "score", "attack", "pieces", "return"):
        assert list(printed[measure]) == ["mean", "std", "min", "max", "quantiles", "ci95"]
    assert printed == evaluate(MINI, RANDOM, episodes=6, seed=5, max_pieces=9).summary()


@pytest.mark.slow
def test_the_table_and_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, best = tmp_path / "games.csv", tmp_path / "best.json"
    assert main([*PLAY, "--csv", str(table), "--record", str(best)]) == 0
    shown = capsys.readouterr().out
    assert "random: mini, drop" in shown and "6 games from seed 5, stopped at 5,000 pieces: 0" in shown
    with table.open() as file:
        rows = list(csv.DictReader(file))
    result = evaluate(MINI, RANDOM, episodes=6, seed=5, max_pieces=5_000)
    assert [int(row["lines"]) for row in rows] == result.totals["lines"].tolist()
    assert [float(row["return"]) for row in rows] == result.totals["return"].tolist()
    assert list(rows[0]) == ["game", "lines", "score", "attack", "pieces", "return", "steps", "capped"]
    recording = record.load(best)
    record.verify(recording)
    assert recording.outcome.lines == result.totals["lines"].max()


@pytest.mark.slow
def test_the_classic_game_has_no_cap_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    play = ["--policy", "random", "--preset", "classic-10x10", "--episodes", "3", "--json"]
    assert main(play) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["max_pieces"] == 0 and printed["capped"] == 0
    assert main([*play, "--max-pieces", "3"]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["max_pieces"] == 3 and printed["capped"] == 3


def test_help_shows_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for option in (
        "policy",
        "preset",
        "actions",
        "episodes",
        "seed",
        "max-pieces",
        "sample",
        "record",
        "csv",
    ):
        assert f"--{option}" in shown
    assert "5000" in shown


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], ["given nothing", "--policy"]),
        (["runs/nothing-here"], ["runs/nothing-here", "does not exist", "folder of a run"]),
        (["pyproject.toml"], ["pyproject.toml", "a file", "folder of a run"]),
        (["tests"], ["tests", "holds no run"]),
        (["one", "two"], ["one and two"]),
        (["one", "--policy", "random"], ["one and --policy random"]),
        (["tests", "--preset", "mini"], ["--preset", "mini", "trained"]),
        (["--policy", "randum"], ["--policy", "'randum'", "did you mean 'random'"]),
        (["--policy", "delacherie"], ["--policy", "'delacherie'", "did you mean 'dellacherie'"]),
        (["--policy", "bcts", "--actions", "direct"], ["--actions", "'direct'", "'bcts'", "allowed: drop"]),
        (
            ["--policy", "dt10", "--preset", "clasic-10x20"],
            ["--preset", "'clasic-10x20'", "did you mean 'classic-10x20'"],
        ),
        (["--policy", "random", "--preset", "mimi"], ["--preset", "'mimi'", "did you mean 'mini'"]),
        (["--policy", "random", "--actions", "dropp"], ["--actions", "'dropp'", "did you mean 'drop'"]),
        (["--policy", "random", "--episodes", "0"], ["--episodes", "0", "1 or more"]),
        (["--policy", "random", "--episodes", "many"], ["--episodes", "'many'", "whole number"]),
        (["--policy", "random", "--max-pieces", "-1"], ["--max-pieces", "-1", "0 or more"]),
        (["--policy", "random", "--seed", "-3"], ["--seed", "-3", "0 or more"]),
        (
            ["--policy", "random", "--csv", "no/such/folder.csv"],
            ["--csv", "no/such/folder.csv", "folder that"],
        ),
        (["--policy", "random", "--record", "tests"], ["--record", "'tests'", "a file"]),
        (["--policy", "gumbel", "--game", "versus"], ["--game: given versus", "one who acts at a time"]),
        (
            ["--policy", "gumbel", "--game", "gridworld"],
            ["--game: given grid world", "one who acts at a time"],
        ),
        (["--policy", "random", "--csv", ""], ["--csv: given ''", "a file in a folder"]),
        ([""], ["what to play: given ''", "one folder of a run"]),
        (
            ["--policy", "random", "--csv", "new", "--record", "./new"],
            ["--record: given './new'", "another file"],
        ),
        (["--policy", "random", "--epsiodes", "3"], ["--epsiodes", "did you mean --episodes"]),
        (["--policy"], ["--policy", "no value"]),
        (
            ["one", "--agent.num-envs", "3"],
            ["--agent.num-envs: given for a policy; allowed: --agent.planned-rollouts, --agent."],
        ),
        (["one", "--agent.planned-rollout=3"], ["did you mean '--agent.planned-rollouts'?"]),
        (["one", "--agent.planned_rollouts", "few"], ["--agent.planned-rollouts", "'few'", "whole number"]),
        (
            ["--policy", "random", "--agent.planned-rollouts", "3"],
            ["--agent.planned-rollouts: given 3; allowed: nothing, with --policy random"],
        ),
        (
            ["pretrained/classic-10x10", "--agent.planned-rollouts", "3"],
            ["--agent.planned-rollouts: given 3 for a policy of cross-entropy; allowed: nothing"],
        ),
        (
            ["--policy", "beam", "--policy.width", "0"],
            ["--policy.width: given 0; allowed: a whole number from 1"],
        ),
        (["--policy", "beam", "--policy.weights", "best"], ["--policy.weights", "'best'", "cold-clear-2"]),
        (["--policy", "beam", "--policy.wdth", "2"], ["--policy.wdth", "did you mean '--policy.width'?"]),
        (["--policy", "beam", "--actions", "drop"], ["--actions: given 'drop'", "allowed: locked_position"]),
        (
            ["--policy", "dt10", "--policy.width", "2"],
            ["--policy.width: given 2; allowed: nothing, with --policy dt10"],
        ),
        (
            ["--policy", "gumbel", "--policy.simulations", "0"],
            ["--policy.simulations: given 0; allowed: a whole number from 1"],
        ),
        (
            ["--policy", "gumbel", "--policy.width", "3"],
            ["--policy.width: given 3; allowed: nothing, with --policy gumbel"],
        ),
        (["--policy", "gumbel", "--actions", "direct"], ["--actions: given 'direct'", "allowed: drop, or"]),
        (
            ["--policy", "beam", "--game", "connect4"],
            ["--policy: given 'beam'; allowed: random or gumbel, with --game connect4"],
        ),
        (
            ["one", "--policy.width", "2"],
            ["--policy.width: given 2; allowed: nothing, without --policy beam"],
        ),
    ],
)
def test_a_wrong_word_is_one_line(
    argv: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    for words in said:
        assert words in captured.err
