"""The game's log: what it says of games worked by hand, and that its levels add up to what other counters count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.env.games import played_by_keys, played_with_garbage
from tetrax import games
from tetrax.env import record
from tetrax.env.batch import Batch
from tetrax.env.game_log import GameLog, log_game
from tetrax.env.log_steps import Moment, slim
from tetrax.env.wrappers import AutoReset, EpisodeStatistics, LateReset
from tetrax.system import disk
from tetrax.view.origins import explain

MINI = tetrax.make("mini", actions="drop")  # dominoes on four columns
OLD_RECORDING = Path(__file__).parent / "recording_of_version_1.json"
SUMMED = ("score", "soft_cells", "hard_cells", "attack", "sent", "garbage_received", "garbage_cleared")


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


@pytest.fixture(scope="module")
def flat_and_flat() -> record.Recording:
    """Two dominoes side by side: they fill the lowest row, which leaves the board empty."""
    names = MINI.action_names
    actions = [names.index("drop_0_0"), names.index("drop_0_2")]
    return record.record(MINI.config, MINI.default_params, jax.random.key(0), actions)


def test_a_game_worked_by_hand(flat_and_flat: record.Recording) -> None:
    """The domino spawns lying in the highest of six rows, moved down at once, and falls 5 cells at 2 points each."""
    lines: list[dict[str, Any]] = []
    log_game(flat_and_flat, lines.append, level="ticks")
    assert [line["kind"] for line in lines] == ["tick", "piece", "tick", "piece", "episode"]
    first, second = of_kind(lines, "piece")
    assert (first["piece"], first["number"], first["action"]) == ("D", 1, "drop_0_0")
    assert (first["lines"], first["score"], first["hard_cells"], first["combo"]) == (0, 10, 5, -1)
    # A single at level 1 is 100 points, a perfect clear by a single 800 more; it sends 0 rows, and 10 for the latter.
    assert (second["lines"], second["score"], second["combo"]) == (1, 10 + 100 + 800, 0)
    assert second["perfect_clear"] and second["lock_reason"] == "placed" and second["steps"] == 1
    (episode,) = of_kind(lines, "episode")
    assert episode == {
        "kind": "episode", "board": 0, "game": 0, "end": "unfinished", "loss": None, "steps": 2, "pieces": 2,
        "lines": 1, "score": 920, "singles": 1, "doubles": 0, "triples": 0, "quadruples": 0,
        "spins": 0, "mini_spins": 0, "back_to_backs": 0, "perfect_clears": 1, "soft_cells": 0,
        "hard_cells": 10, "attack": 10, "sent": 10, "garbage_received": 0, "garbage_cleared": 0,
        "holds_refused": 0, "lives_lost": 0, "return": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "game",
    [
        lambda: played_by_keys(seed=5, ticks=400)[0],
        pytest.param(lambda: played_with_garbage("direct"), marks=pytest.mark.slow),
        lambda: played_with_garbage("drop"),
        lambda: record.load(OLD_RECORDING),
    ],
    ids=["keys", "garbage by keys", "garbage by placements", "an older file"],
)
@pytest.mark.slow
def test_levels_of_recordings_add_up_to_what_the_game_came_to(game: Any) -> None:
    replayed = record.replay(game())
    lines: list[dict[str, Any]] = []
    log_game(replayed, lines.append, level="ticks")
    (episode,) = of_kind(lines, "episode")
    ticks, pieces, outcome = of_kind(lines, "tick"), of_kind(lines, "piece"), replayed.recording.outcome
    assert (episode["lines"], episode["score"], episode["pieces"]) == (
        outcome.lines,
        outcome.score,
        outcome.pieces,
    )
    assert (episode["end"] == "terminated") == outcome.game_over
    assert episode["steps"] == len(ticks) == len(replayed.recording.actions)
    for name in (*SUMMED, "lines"):
        assert sum(tick[name] for tick in ticks) == episode[name], name
    assert sum(tick["reward"] for tick in ticks) == pytest.approx(episode["return"])
    assert sum(tick["locked"] for tick in ticks) == len(pieces) == episode["pieces"]
    assert [piece["number"] for piece in pieces] == list(range(1, len(pieces) + 1))
    # The way down of a piece that never locked belongs to the game and to no piece.
    last_lock = max((tick["step"] for tick in ticks if tick["locked"]), default=0)
    for name in SUMMED:
        assert sum(tick[name] for tick in ticks[:last_lock]) == sum(piece[name] for piece in pieces), name


def test_the_pieces_are_those_that_the_boards_tell() -> None:
    """Also of those that were held: the pictures find them from the states before and after."""
    replayed = record.replay(played_by_keys(seed=5, ticks=400)[0])
    lines: list[dict[str, Any]] = []
    log_game(replayed, lines.append, level="pieces")
    rules = replayed.recording.config.rules
    kinds = [rules.pieces[step.kind].name for step in explain(replayed) if step.kind >= 0]
    assert len(set(kinds)) > 3
    assert [line["piece"] for line in of_kind(lines, "piece")] == kinds


@pytest.mark.parametrize("wrapper", [AutoReset, pytest.param(LateReset, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_many_boards_that_start_again(wrapper: Any) -> None:
    """Games of 5 boards, written in bulk, are those that `EpisodeStatistics` counts on the device."""
    env = EpisodeStatistics(wrapper(MINI))
    keys, actions = (
        jax.random.split(jax.random.key(1), 5),
        jax.random.randint(jax.random.key(2), (120, 5), 0, 16),
    )
    state, first = jax.jit(jax.vmap(env.reset))(keys)

    @jax.jit
    def play(state: Any, actions: Any) -> Any:
        def step(state: Any, action: Any) -> Any:
            state, timestep = jax.vmap(env.step)(state, action)
            return state, (slim(timestep), state.finished)

        return jax.lax.scan(step, state, actions)

    _, (timesteps, finished) = play(state, actions)
    lines: list[dict[str, Any]] = []
    log = GameLog(env, lines.append, level="ticks")
    log.begin(first)
    for part in (slice(0, 50), slice(50, 51), slice(51, 120)):  # seams change nothing
        log.write(actions[part], jax.tree.map(lambda leaf, part=part: leaf[part], timesteps))
    episodes = of_kind(lines, "episode")
    ended = np.argwhere(np.asarray(timesteps.terminated))  # by step, then by board, as the lines
    assert len(episodes) == len(ended) > 10
    for line, (t, board) in zip(episodes, ended.tolist(), strict=True):
        assert line["board"] == board and line["end"] == "terminated" and line["loss"] != "none"
        for name in ("lines", "score", "pieces"):
            assert line[name] == int(finished.totals[name][t, board]), (name, t, board)
        starts = int(wrapper is LateReset and line["game"] > 0)  # counted there, and played by nobody
        assert line["steps"] == int(finished.steps[t, board]) - starts
        its = [
            tick for tick in of_kind(lines, "tick") if (tick["board"], tick["game"]) == (board, line["game"])
        ]
        assert [tick["step"] for tick in its] == list(range(1, line["steps"] + 1))
        for name in (*SUMMED, "lines"):
            assert sum(tick[name] for tick in its) == line[name]
    log.finish()
    unfinished = [line for line in of_kind(lines, "episode") if line["end"] == "unfinished"]
    assert sum(line["steps"] for line in of_kind(lines, "episode")) == len(of_kind(lines, "tick"))
    assert {line["board"] for line in unfinished} <= set(range(5))


def test_a_game_without_reset_is_written_once() -> None:
    """One board, step by step, dropped in the same column until it is lost, and then some more."""
    state, timestep = jax.jit(MINI.reset)(jax.random.key(0))
    step = jax.jit(MINI.step)
    lines: list[dict[str, Any]] = []
    log = GameLog(MINI, lines.append)
    log.begin(timestep)
    for _ in range(12):
        state, timestep = step(state, MINI.action_names.index("drop_0_0"))
        log.write(0, timestep)
    log.finish()
    # Dominoes lying on each other: six fit into the six visible rows, the seventh has no place in view.
    (episode,) = lines
    assert (episode["end"], episode["pieces"], episode["lines"]) == ("terminated", int(state.pieces), 0)
    assert episode["steps"] == int(state.ticks)
    log.begin(timestep)
    log.finish()
    assert len(lines) == 1


@pytest.mark.slow
def test_a_time_limit_is_an_end_of_its_own() -> None:
    env = Batch(AutoReset(tetrax.make("mini", actions="drop", time_limit=2)))
    state, timestep = jax.jit(env.reset)(jax.random.split(jax.random.key(0), 3))
    step, lines = jax.jit(env.step), []
    log = GameLog(env, lines.append)
    log.begin(timestep)
    for _ in range(4):
        state, timestep = step(state, jnp.zeros(3, jnp.int32))
        log.write(np.zeros(3, int), timestep)
    assert [(line["board"], line["game"], line["end"]) for line in lines] == [
        (0, 0, "truncated"), (1, 0, "truncated"), (2, 0, "truncated"),
        (0, 1, "truncated"), (1, 1, "truncated"), (2, 1, "truncated"),
    ]  # fmt: skip


def test_lines_have_what_is_added_to_them(flat_and_flat: record.Recording) -> None:
    def add_height(line: dict[str, Any], moment: Moment) -> dict[str, Any]:
        rows = np.asarray(moment.state.rows)
        return {
            "height": np.count_nonzero(rows),
            "odd": float("nan"),
            "of": [np.float32(0.5), {"a": line["board"]}],
        }

    lines: list[dict[str, Any]] = []
    log_game(flat_and_flat, lines.append, level="pieces", extra=add_height)
    assert [line["height"] for line in of_kind(lines, "piece")] == [1, 0]
    assert (lines[0]["odd"], lines[0]["of"]) == (None, [0.5, {"a": 0}])
    with pytest.raises(ValueError, match="extra: given 'score', which the line has"):
        log_game(flat_and_flat, lines.append, level="pieces", extra=lambda line, moment: {"score": 1})
    with pytest.raises(TypeError, match=r"extra: given a set; allowed: numbers, words"):
        log_game(flat_and_flat, lines.append, level="pieces", extra=lambda line, moment: {"a": set()})


def test_a_file_is_appended_to_by_whole_lines(flat_and_flat: record.Recording, tmp_path: Path) -> None:
    file = tmp_path / "games.jsonl"
    file.write_text('{"kind": "epi')  # somebody was killed here
    for _ in range(2):
        log_game(flat_and_flat, file, level="pieces")
    torn, *lines = file.read_text().splitlines()
    assert torn == '{"kind": "epi'
    assert [json.loads(line)["kind"] for line in lines] == ["piece", "piece", "episode"] * 2


def test_where_a_line_cannot_be_written_none_is_left_half(tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "games.jsonl"
    file.write_text("{}\n")

    def fill_up(file: Any, text: str) -> None:
        file.write(text.encode()[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "write_all", fill_up)
    with pytest.raises(OSError, match=r"No space left on device: '.*games.jsonl'"):
        disk.append(file, '{"a": 1}\n')
    assert file.read_text() == "{}\n"


def test_other_games_are_logged_by_their_measures(lenient: None) -> None:
    """CartPole pays 1 for every step that it stands; pushed to one side it falls within 9 or 10."""
    pytest.importorskip("gymnax")
    found = games.find("cartpole")
    env = AutoReset(games.make(found.game, found.config))
    state, timestep = jax.jit(env.reset)(jax.random.key(0))
    _, timesteps = jax.jit(lambda s: jax.lax.scan(env.step, s, jnp.zeros(30, jnp.int32)))(state)
    lines: list[dict[str, Any]] = []
    log = GameLog(env, lines.append, level="ticks")
    log.begin(timestep)
    log.write(np.zeros(30, int), timesteps)
    episodes = of_kind(lines, "episode")
    assert len(episodes) == int(timesteps.terminated.sum()) >= 2
    assert all(line["steps"] == line["return"] and 8 <= line["steps"] <= 10 for line in episodes)
    assert lines[0] == {
        "kind": "tick", "board": 0, "game": 0, "step": 1, "action": 0, "reward": 1.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="level: given 'pieces' of a game that has none"):
        GameLog(env, print, level="pieces")


def test_wrong_calls_are_told_in_a_line(tmp_path: Path) -> None:
    _, timestep = jax.jit(jax.vmap(MINI.reset))(jax.random.split(jax.random.key(0), 3))
    with pytest.raises(ValueError, match="level: given 'games'; allowed: episodes, pieces, ticks"):
        GameLog(MINI, print, level="games")
    with pytest.raises(
        ValueError, match=r"to: given '.*nowhere/a\.jsonl'; allowed: a file in a folder that exists"
    ):
        GameLog(MINI, tmp_path / "nowhere" / "a.jsonl")
    with pytest.raises(TypeError, match="env: given 3; allowed: a game"):
        GameLog(3, print)  # type: ignore[arg-type]
    log = GameLog(MINI, print)
    with pytest.raises(ValueError, match=r"allowed: begin\(timesteps\) first"):
        log.write(np.zeros(3), timestep)
    log.begin(timestep)
    with pytest.raises(TypeError, match="timesteps: given 1; allowed: a TimeStep"):
        log.write(np.zeros(3), 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"actions: given float64\[3\]; allowed: integers \[3\]"):
        log.write(np.zeros(3), timestep)
    with pytest.raises(ValueError, match=r"actions: given int64\[2\]; allowed: integers \[3\]"):
        log.write(np.zeros(2, int), timestep)
    with pytest.raises(
        ValueError, match=r"timesteps: given \[2\]; allowed: those of games that were begun, \[3\]"
    ):
        log.write(np.zeros(2, int), jax.tree.map(lambda leaf: leaf[:2], timestep))
