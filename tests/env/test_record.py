"""Recordings: the same game again, bit for bit, and nothing that merely looks like it."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import Array

from tests.env.games import played_by_keys, played_by_placements
from tetrax.env import record as module
from tetrax.env.game import engine
from tetrax.env.game.state import Event, State
from tetrax.env.record import CHUNK, Recording, load, play, record, replay, save, verify
from tetrax.env.tetris import ENV_VERSION, Tetris, make


def leaves(tree: Any) -> list[np.ndarray]:
    """Every leaf as bytes can be compared: keys as their data."""
    plain = jax.tree.map(
        lambda leaf: jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf,
        tree,
    )
    return [np.asarray(leaf) for leaf in jax.tree.leaves(plain)]


def assert_same(left: Any, right: Any) -> None:
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(leaves(left), leaves(right), strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def keys_game() -> Recording:
    return played_by_keys(seed=5, ticks=CHUNK + 90)[0]


def drop_game() -> Recording:
    return played_by_placements(seed=5, pieces=60)[0]


@pytest.mark.slow
@pytest.mark.parametrize("game", [keys_game, drop_game])
def test_replay_gives_every_state_and_event_bit_for_bit(game: Any) -> None:
    """Against plain steps of the environment, one by one, over the seam between two chunks."""
    recording = game()
    env, replayed = Tetris(recording.config), replay(recording)

    @jax.jit
    def step(state: State, action: Array) -> tuple[State, Event]:
        state, timestep = env.step(state, action)
        return state, timestep.event

    state = engine.init(env.rules, env.default_params.game, jax.random.wrap_key_data(recording.key_data))
    states, events = [leaves(state)], []
    for action in recording.actions:
        state, event = step(state, action)
        states.append(leaves(state))
        events.append(leaves(event))
    assert_same([np.stack(leaf) for leaf in zip(*states, strict=True)], leaves(replayed.states))
    assert_same([np.stack(leaf) for leaf in zip(*events, strict=True)], leaves(replayed.events))
    assert len(states) == len(recording.actions) + 1
    assert recording.outcome.pieces == int(state.pieces) > 10
    assert recording.outcome.lines == int(state.lines) > 0


def test_games_longer_than_a_chunk_are_among_these() -> None:
    assert len(keys_game().actions) > CHUNK


@pytest.mark.parametrize("game", [keys_game, drop_game])
def test_a_file_gives_the_same_recording(game: Any, tmp_path: Path) -> None:
    recording, path = game(), tmp_path / "best.json"
    save(recording, path)
    loaded = load(path)
    assert (loaded.config, loaded.outcome) == (recording.config, recording.outcome)
    assert loaded.env_version == recording.env_version == ENV_VERSION
    assert_same(loaded.params, recording.params)
    assert_same((loaded.key_data, loaded.actions), (recording.key_data, recording.actions))
    verified, replayed = verify(loaded), replay(recording)
    assert_same((verified.states, verified.events), (replayed.states, replayed.events))
    assert [file.name for file in tmp_path.iterdir()] == ["best.json"]  # nothing half-written is left


def test_a_file_of_an_older_version_replays_where_its_game_is_the_same(tmp_path: Path) -> None:
    """A game of three lives with garbage, as `save` wrote it in version 0.1.0: the environment's version 0."""
    recording = load(Path(__file__).parent / "recording_of_version_1.json")
    assert recording.env_version == 0 < ENV_VERSION
    save(recording, tmp_path / "again.json")
    assert load(tmp_path / "again.json").env_version == 0
    assert (recording.outcome.lines, recording.outcome.score, recording.outcome.ticks) == (6, 845, 191)
    assert len(verify(recording).states.rows) == 192


@pytest.mark.parametrize("play_again", [replay, verify])
def test_a_file_of_an_older_version_whose_game_is_another_now_is_refused_by_name(play_again: Any) -> None:
    """In version 0 the second clear in a row sent a row, which here met waiting garbage: 10 ticks and a piece more."""
    recording = load(Path(__file__).parent / "recording_changed_since_version_0.json")
    assert recording.env_version == 0
    with pytest.raises(ValueError) as caught:
        play_again(recording)
    message = (
        f"recording: given one of version 0 of the environment, which version {ENV_VERSION} plays otherwise: "
        "score (recorded 366, replayed 346), pieces (recorded 23, replayed 22), ticks (recorded 56, replayed 46), "
        "boards (recorded f2d064ac753067e3b802255c860eeb03, replayed "
    )
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("); allowed: one that comes to the same game in both")
    assert "\n" not in str(caught.value)


def test_what_was_played_is_not_played_again(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make("mini", actions="direct")
    hard_drops = np.full(40, env.action_names.index("hard_drop"))
    played = play(env.config, env.default_params, jax.random.key(0), hard_drops)
    again = replay(played.recording)
    assert_same((played.states, played.events), (again.states, again.events))
    assert len(played.events.locked) == len(played.recording.actions) == 7
    monkeypatch.setattr(module, "_simulate", None)
    assert replay(played) is played


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "best.json").mkdir()
    with pytest.raises(OSError):
        save(drop_game(), tmp_path / "best.json")
    assert [path.name for path in tmp_path.iterdir()] == ["best.json"]


def test_an_empty_game_and_odd_params_survive_a_file(tmp_path: Path) -> None:
    env, path = make("mini"), tmp_path / "empty.json"
    params = env.default_params
    reward = params.reward.replace(lines=jnp.float32(0.1))  # no short decimal
    params = params.replace(game=params.game.replace(start_level=jnp.int32(7)), reward=reward)
    save(record(env.config, params, jax.random.key(2**32 + 3), []), path)
    loaded = load(path)
    assert_same(loaded.params, jax.tree.map(np.asarray, params))
    assert loaded.actions.shape == (0,)
    states = verify(loaded).states
    assert states.rows.shape == (1, env.rules.total_height)
    assert_same(states.key, jax.random.key(2**32 + 3)[None])


def test_a_file_can_be_read_by_a_person(tmp_path: Path) -> None:
    save(drop_game(), tmp_path / "best.json")
    text = (tmp_path / "best.json").read_text()
    assert max(len(line) for line in text.splitlines()) <= 110
    assert '\n        {"name": "O", "drawing": ["##", "##"], "kicks": "none", "spins": false},\n' in text
    assert json.loads(text)["key_data"] == [0, 5]


def test_a_field_that_came_later_takes_its_default(tmp_path: Path) -> None:
    data = saved(drop_game(), tmp_path)
    del data["config"]["rules"]["spawn_drop"], data["config"]["time_limit"], data["params"]["reward.piece"]
    verify(load(written(data, tmp_path)))


def test_actions_after_the_end_are_left_out_and_key_data_serves_as_key() -> None:
    env = make("mini", actions="direct")
    hard_drops = np.full(40, env.action_names.index("hard_drop"))
    recording = record(env.config, env.default_params, jax.random.key(0), hard_drops)
    # Dominoes lie flat in two columns of six rows: the seventh locks in rows above the matrix, or not at all.
    assert recording.outcome.game_over
    assert len(recording.actions) == recording.outcome.ticks == recording.outcome.pieces == 7
    again = record(env.config, env.default_params, np.array([0, 0], np.uint32), hard_drops)
    assert again.outcome == recording.outcome


@given(time=st.integers(0, 59), change=st.integers(1, 79))
def test_every_changed_action_is_refused(time: int, change: int) -> None:
    recording = drop_game()
    actions = recording.actions.copy()
    actions[time] = (actions[time] + change) % 80
    with pytest.raises(ValueError, match=r"differs from its replay in .*actions \(recorded "):
        verify(dataclasses.replace(recording, actions=actions))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["params", "game.start_level"], 2, "score"),
        pytest.param(["config", "rules", "randomizer"], "uniform", "boards", marks=pytest.mark.slow),
        (["key_data"], [0, 6], "boards"),
        (["key_data"], [0, 6], "actions"),
        (["outcome", "boards"], "0" * 32, "boards (recorded 00000000000000000000000000000000, replayed "),
        (["outcome", "game_over"], True, "game_over (recorded True, replayed False)"),
    ],
)
def test_a_tampered_file_is_refused(path: list[str], value: Any, named: str, tmp_path: Path) -> None:
    data = saved(drop_game(), tmp_path)
    inner = data
    for name in path[:-1]:
        inner = inner[name]
    assert inner[path[-1]] != value
    inner[path[-1]] = value
    with pytest.raises(ValueError) as caught:
        verify(load(written(data, tmp_path)))
    assert f"{named} (recorded " in str(caught.value) or named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_refusal_says_what_was_recorded_and_what_came_out() -> None:
    recording = drop_game()
    lines = recording.outcome.lines
    boast = dataclasses.replace(recording, outcome=dataclasses.replace(recording.outcome, lines=lines + 1))
    with pytest.raises(ValueError) as caught:
        verify(boast)
    message = f"recording: differs from its replay in lines (recorded {lines + 1}, replayed {lines})"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "chess", 'given JSON without "format": "tetrax recording"; allowed: a tetrax recording'),
        (["version"], 99, "given version 99; allowed: a tetrax recording of version 1 (JSON)"),
        (["config"], None, "config: given null; allowed: an object with the fields of EnvConfig"),
        (
            ["config", "actions"],
            "dorp",
            "config.actions: given 'dorp'; allowed: 'direct', 'chords', 'drop', 'locked_position'; did you",
        ),
        (["config", "rules", "width"], 3, "config.rules.width: given 3; allowed: 4 or more"),
        (["params", "game.start_levle"], 1, "params: given 'game.start_levle'; allowed: game.start_level, "),
        (["params", "game.start_level"], 1.5, "params.game.start_level: given 1.5; allowed: an integer"),
        (
            ["env_version"],
            ENV_VERSION + 1,
            f"env_version: given {ENV_VERSION + 1}; allowed: 0 to {ENV_VERSION}",
        ),
        (["env_version"], True, f"env_version: given True; allowed: 0 to {ENV_VERSION}"),
        (["key_data"], [1], "key_data: given list; allowed: a list of 2 integers"),
        (["key_data"], [1, -1], "key_data[1]: given -1; allowed: 0 to 4294967295"),
        (["actions"], [0, 80], "actions[1]: given 80; allowed: 0 to 79"),
        (["actions"], [True], "actions[0]: given True; allowed: 0 to 79"),
        (["outcome", "lines"], "many", "outcome.lines: given 'many'; allowed: an integer"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    path: list[str], value: Any, message: str, tmp_path: Path
) -> None:
    data = saved(drop_game(), tmp_path)
    inner = data
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(ValueError) as caught:
        load(written(data, tmp_path))
    assert str(caught.value).startswith(f"{tmp_path / 'changed.json'}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_part_a_missing_file_and_no_json_are_refused(tmp_path: Path) -> None:
    data = saved(drop_game(), tmp_path)
    del data["actions"]
    with pytest.raises(ValueError, match=r"changed.json: actions: missing; allowed: format, version, "):
        load(written(data, tmp_path))
    with pytest.raises(ValueError, match=r"none.json: given no such file; allowed: a tetrax recording"):
        load(tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"given a path that is .*; allowed: a tetrax recording"):
        load(tmp_path)
    (tmp_path / "text.json").write_text("not JSON")
    with pytest.raises(ValueError, match=r"text.json: given a file that is not JSON \(Expecting value"):
        load(tmp_path / "text.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"bytes.json: given a file that is not JSON"):
        load(tmp_path / "bytes.json")


def test_an_action_outside_the_set_cannot_be_recorded() -> None:
    env = make("mini", actions="direct")
    with pytest.raises(ValueError, match=r"actions\[1\]: given 8; allowed: 0 to 7"):
        record(env.config, env.default_params, jax.random.key(0), [0, 8])


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "best.json"
    save(drop_game(), path)
    before = path.read_text()

    def fail(source: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        save(keys_game(), path)
    assert path.read_text() == before


def saved(recording: Recording, folder: Path) -> dict[str, Any]:
    save(recording, folder / "saved.json")
    data: dict[str, Any] = json.loads((folder / "saved.json").read_text())
    return data


def written(data: dict[str, Any], folder: Path) -> Path:
    (folder / "changed.json").write_text(json.dumps(data))
    return folder / "changed.json"


def test_a_game_played_step_by_step_is_kept_as_it_is_recorded() -> None:
    replayed = replay(played_by_keys(0, 200)[0])
    recording, states = replayed.recording, replayed.states
    last = jax.tree.map(lambda leaf: leaf[-1], states)
    given = (recording.config, recording.params, recording.key_data, recording.actions)
    assert module.keep(*given, states.rows, last).outcome == recording.outcome
    with pytest.raises(ValueError, match="rows: given shape"):
        module.keep(*given, states.rows[1:], last)
