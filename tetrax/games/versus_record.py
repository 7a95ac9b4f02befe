"""A game of several boards as (config, params, reset key, actions): save, load, replay, verify.

As `tetrax.env.record` keeps a game of one board, in a file of the same kind.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.env import record
from tetrax.env.game.state import State
from tetrax.env.game.vector import check_kind, describe
from tetrax.env.tetris import ENV_VERSION
from tetrax.fields.as_json import from_json, to_json
from tetrax.games.versus import NOBODY, Versus, VersusEvent, VersusState
from tetrax.games.versus_config import VersusConfig, VersusParams
from tetrax.system.disk import write_whole

FORMAT = "tetrax versus recording"
VERSION = 1
CHUNK = 128  # steps of a compiled scan: any length of game runs the same program


@dataclass(frozen=True)
class VersusOutcome:
    """What a game came to; of each player where it is a tuple."""

    winner: int
    """Who won, from 0; -1 is nobody."""
    game_over: bool
    steps: int
    lines: tuple[int, ...]
    sent: tuple[int, ...]
    """Rows that came to wait on the boards of others."""
    pieces: tuple[int, ...]
    actions: str
    """The first 128 bits of the SHA-256 of the reset key and the actions, 32 hex digits."""
    boards: str
    """The same of every board from the first to the last."""


@dataclass(frozen=True, eq=False)
class VersusRecording:
    """A whole game from its reset."""

    config: VersusConfig
    params: VersusParams  # as used in the game, NumPy scalars
    key_data: np.ndarray  # uint32[2], of the key the game was reset with
    actions: np.ndarray  # int32[T, P]
    outcome: VersusOutcome
    env_version: int = ENV_VERSION  # of the environment that it was played in


@dataclass(frozen=True, eq=False)
class VersusReplay:
    """A recording and what it gives when it is played; leaves are NumPy arrays."""

    recording: VersusRecording
    boards: tuple[State, ...]  # of each player [T+1, ...], without keys; the first are those of the reset
    fallen: np.ndarray  # bool[T+1, P]
    events: VersusEvent  # [T, ...]


def play(config: VersusConfig, params: VersusParams, key: Array | np.ndarray, actions: Any) -> VersusReplay:
    """Play actions, int[T, P], from the reset key (typed, or its data); keep the recording and every state.

    Actions after the end of the game are left out: they change nothing.
    """
    check_kind("config", config, VersusConfig)
    check_kind("params", params, VersusParams)
    key_data = record.words_of(key)
    actions = _read_actions(config, np.asarray(actions).tolist())
    params = jax.tree.map(np.asarray, params)
    boards, fallen, events = _simulate(config, params, key_data, actions)
    ends = np.flatnonzero(events.ended)
    length = int(ends[0]) + 1 if len(ends) else len(actions)
    boards, fallen = jax.tree.map(lambda leaf: leaf[: length + 1], (boards, fallen))
    actions, events = jax.tree.map(lambda leaf: leaf[:length], (actions, events))
    outcome = _outcome(key_data, actions, boards, events)
    return VersusReplay(VersusRecording(config, params, key_data, actions, outcome), boards, fallen, events)


def replay(game: VersusRecording | VersusReplay) -> VersusReplay:
    """Play a recording again; a replay comes back as it is.

    One of an older version of the environment is a ValueError unless it comes to what it says.
    """
    if isinstance(game, VersusReplay):
        return game
    if not isinstance(game, VersusRecording):
        raise TypeError(f"game: given {describe(game)}; allowed: a VersusRecording or a VersusReplay")
    replayed = VersusReplay(game, *_simulate(game.config, game.params, game.key_data, game.actions))
    if game.env_version != ENV_VERSION:
        _refuse_differences(replayed)
    return replayed


def verify(recording: VersusRecording) -> VersusReplay:
    """Play a recording again; raise a ValueError that names whatever differs from what it says."""
    replayed = replay(recording)
    _refuse_differences(replayed)
    return replayed


def save(recording: VersusRecording, path: str | Path) -> None:
    """Write a recording as one JSON file, whole or not at all."""
    path = record.check_path(path)
    data = {
        "format": FORMAT,
        "version": VERSION,
        "env_version": recording.env_version,
        "outcome": to_json(recording.outcome),
        "config": to_json(recording.config),
        "params": record.params_to_json(recording.params),
        "key_data": recording.key_data.tolist(),
        "actions": recording.actions.tolist(),
    }
    write_whole(path, (record.lay_out_json(data) + "\n").encode())


def is_one(path: str | Path) -> bool:
    """Tell whether a file says that it is such a recording; whether it is one, `load` tells."""
    try:
        record.read_data(path, FORMAT, VERSION)
    except ValueError:
        return False
    return True


def load(path: str | Path) -> VersusRecording:
    """Read a recording; a file that is none is a ValueError in one line."""
    data = record.read_data(path, FORMAT, VERSION)
    try:
        return _from_json(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_json(data: dict[str, Any]) -> VersusRecording:
    names = ("format", "version", "env_version", "outcome", "config", "params", "key_data", "actions")
    for name in names:
        if name not in data:
            raise ValueError(f"{name}: missing; allowed: {', '.join(names)}")
    version = data["env_version"]
    if type(version) is not int or not 1 <= version <= ENV_VERSION:
        raise ValueError(f"env_version: given {version!r}; allowed: 1 to {ENV_VERSION}")
    config = from_json(VersusConfig, data["config"], path="config", partial=True)
    return VersusRecording(
        config=config,
        params=record.params_from_json(Versus(config).default_params, data["params"]),
        key_data=record.integers("key_data", data["key_data"], 2**32, np.uint32, length=2),
        actions=_read_actions(config, data["actions"]),
        outcome=from_json(VersusOutcome, data["outcome"], path="outcome"),
        env_version=version,
    )


def _read_actions(config: VersusConfig, given: Any) -> np.ndarray:
    """Return actions given as a list of steps as int32[T, P]; ValueError for anything else."""
    players, num_actions = config.num_players, Versus(config).num_actions
    if not isinstance(given, list):
        raise ValueError(f"actions: given {type(given).__name__}; allowed: a list of steps")
    rows = [
        record.integers(f"actions[{step}]", row, num_actions, np.int32, length=players)
        for step, row in enumerate(given)
    ]
    return np.array(rows, np.int32).reshape(-1, players)


def _refuse_differences(replayed: VersusReplay) -> None:
    """Raise a ValueError that names what a recording says otherwise than its replay."""
    recording = replayed.recording
    found = _outcome(recording.key_data, recording.actions, replayed.boards, replayed.events)
    said = ", ".join(
        f"{field.name} (recorded {getattr(recording.outcome, field.name)}, "
        f"replayed {getattr(found, field.name)})"
        for field in fields(VersusOutcome)
        if getattr(recording.outcome, field.name) != getattr(found, field.name)
    )
    if said:
        raise ValueError(f"recording: differs from its replay in {said}")


def _simulate(
    config: VersusConfig, params: VersusParams, key_data: np.ndarray, actions: np.ndarray
) -> tuple[tuple[State, ...], np.ndarray, VersusEvent]:
    """Play from a reset; return boards and who has fallen [T+1, ...], and events [T, ...], as NumPy arrays."""
    start, steps = _programs(config)
    key = jax.random.wrap_key_data(jnp.asarray(key_data, jnp.uint32), impl="threefry2x32")
    params = jax.tree.map(jnp.asarray, params)
    state = start(params, key)
    places = [jax.tree.map(lambda leaf: np.asarray(leaf)[None], _show(state))]
    events: list[VersusEvent] = []
    length = len(actions)
    num_chunks = max(1, math.ceil(length / CHUNK))
    padded = np.pad(actions, ((0, num_chunks * CHUNK - length), (0, 0)))
    for chunk in padded.reshape(num_chunks, CHUNK, -1):
        state, (shown, happened) = steps(state, params, jnp.asarray(chunk))
        places.append(jax.tree.map(np.asarray, shown))
        events.append(jax.tree.map(np.asarray, happened))
    boards, fallen = jax.tree.map(lambda *parts: np.concatenate(parts)[: length + 1], *places)
    return boards, fallen, jax.tree.map(lambda *parts: np.concatenate(parts)[:length], *events)


@functools.lru_cache(maxsize=4)
def _programs(config: VersusConfig) -> tuple[Callable[..., VersusState], Callable[..., Any]]:
    """Return the compiled start of a game and a scan of CHUNK steps."""
    env = Versus(config)

    def step(params: VersusParams, state: VersusState, action: Array) -> tuple[VersusState, Any]:
        state, _, _, _, event = env.transition(state, action, params)
        return state, (_show(state), event)

    def steps(state: VersusState, params: VersusParams, actions: Array) -> tuple[VersusState, Any]:
        return jax.lax.scan(functools.partial(step, params), state, actions)

    return jax.jit(lambda params, key: env.init(key, params)), jax.jit(steps)


def _show(state: VersusState) -> tuple[tuple[State, ...], Array]:
    """Return what is kept of a state: the boards without their keys, and who has fallen."""
    return tuple(board.replace(key=None) for board in state.boards), state.fallen


def _outcome(
    key_data: np.ndarray, actions: np.ndarray, boards: tuple[State, ...], events: VersusEvent
) -> VersusOutcome:
    last = [jax.tree.map(lambda leaf: leaf[-1], board) for board in boards]
    winners = np.append(events.winner, np.int32(NOBODY))
    return VersusOutcome(
        winner=int(winners.max()),
        game_over=all(bool(board.game_over) for board in last),
        steps=len(actions),
        lines=tuple(int(board.lines) for board in last),
        sent=tuple(int(rows) for rows in events.exchanged.sum(axis=(0, 2))),
        pieces=tuple(int(board.pieces) for board in last),
        actions=record.digest(key_data.astype("<u4"), actions.astype("<i4")),
        boards=record.digest(*(board.rows.astype("<u4") for board in boards)),
    )
