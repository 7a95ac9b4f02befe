"""A game as (config, params, reset key, actions): save, load, replay, verify.

Every draw is a function of the reset key, so that these four give every board again, bit for bit. A
recording carries what its game came to, and `verify` plays it again and names what differs. It also carries
the version of the environment: one of an older version is played again if it comes to the same game, and
refused by name otherwise. The file is JSON that a person can read. (Files of recordings, and of pictures of
them, are the only I/O of the environment.)
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.env.env_params import EnvParams, check_params
from tetrax.env.game.state import Event, State
from tetrax.env.game.vector import check_key, describe
from tetrax.env.tetris import ENV_VERSION, EnvConfig, Tetris
from tetrax.fields.as_json import from_json, to_json
from tetrax.system.disk import as_path, read_json, write_whole

FORMAT = "tetrax recording"
VERSION = 1
CHUNK = 512  # steps per compiled scan: any length of game runs the same program
LINE_WIDTH = 110  # characters, of the JSON file

Params = TypeVar("Params")  # the numbers of a game, a pytree


@dataclass(frozen=True)
class Outcome:
    """What a game came to."""

    lines: int
    score: int
    pieces: int
    ticks: int
    game_over: bool
    actions: str
    """The first 128 bits of the SHA-256 of the reset key and the actions, 32 hex digits."""
    boards: str
    """The same of every board from the first to the last."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A whole game from its reset."""

    config: EnvConfig
    params: EnvParams  # as used in the game, NumPy scalars
    key_data: np.ndarray  # uint32[2], of the key the game was reset with
    actions: np.ndarray  # int32[T]
    outcome: Outcome
    env_version: int = ENV_VERSION  # of the environment that it was played in


@dataclass(frozen=True, eq=False)
class Replay:
    """A recording and what it gives when it is played; leaves are NumPy arrays, the key excepted."""

    recording: Recording
    states: State  # [T+1, ...], the first is the reset state
    events: Event  # [T, ...]


def record(config: EnvConfig, params: EnvParams, key: Array | np.ndarray, actions: Any) -> Recording:
    """Make a recording from the reset key (typed, or its data) and the actions, int[T], as `play` does."""
    return play(config, params, key, actions).recording


def play(config: EnvConfig, params: EnvParams, key: Array | np.ndarray, actions: Any) -> Replay:
    """Play actions, int[T], from the reset key (typed, or its data); keep the recording and every state.

    Actions after the end of the game are left out: they change nothing.
    """
    if not isinstance(config, EnvConfig):
        raise TypeError(f"config: given {describe(config)}; allowed: an EnvConfig, such as env.config")
    key_data = words_of(key)
    num_actions = Tetris(config).num_actions
    actions = integers("actions", np.asarray(actions).tolist(), num_actions, np.int32)
    check_params(Tetris(config).default_params, params)
    params = jax.tree.map(np.asarray, params)
    states, events = _simulate(config, params, key_data, actions)
    over = np.flatnonzero(states.game_over)
    length = int(over[0]) if len(over) else len(actions)
    actions = actions[:length]
    states = jax.tree.map(lambda leaf: leaf[: length + 1], states)
    events = jax.tree.map(lambda leaf: leaf[:length], events)
    recording = Recording(config, params, key_data, actions, _outcome(key_data, actions, states))
    return Replay(recording, states, events)


def keep(
    config: EnvConfig, params: EnvParams, key: Array | np.ndarray, actions: Any, rows: np.ndarray, last: State
) -> Recording:
    """Make a recording of a game that was played elsewhere step by step, without playing it again.

    `rows`, uint32[T+1, H], are its boards from the reset on, and `last` the state that it came to. What it says is
    as true as these: `verify` tells.
    """
    key_data, num_actions = words_of(key), Tetris(config).num_actions
    actions = integers("actions", np.asarray(actions).tolist(), num_actions, np.int32)
    if rows.shape != (len(actions) + 1, config.rules.total_height):
        raise ValueError(
            f"rows: given shape {rows.shape}; allowed: {(len(actions) + 1, config.rules.total_height)}, "
            "a board before each action and one after the last"
        )
    params = jax.tree.map(np.asarray, params)
    return Recording(config, params, key_data, actions, _outcome_of(key_data, actions, rows, last))


def words_of(key: Array | np.ndarray) -> np.ndarray:
    """Return the two words of a Threefry key, uint32[2]; TypeError when it is neither one nor its words."""
    words = key
    if isinstance(key, Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        check_key(key)
        words = jax.random.key_data(key)
    if not isinstance(words, Array | np.ndarray) or words.shape != (2,) or words.dtype.kind not in "iu":
        raise TypeError(
            f"key: given {describe(key)}; allowed: one typed Threefry key, or its data, uint32[2]"
        )
    return np.asarray(words, np.uint32)


def replay(game: Recording | Replay) -> Replay:
    """Play a recording again on the device; a replay comes back as it is.

    One of an older version of the environment is a ValueError unless it comes to what it says.
    """
    if isinstance(game, Replay):
        return game
    if not isinstance(game, Recording):
        raise TypeError(
            f"game: given {describe(game)}; allowed: a Recording (record.load reads a file) or a Replay"
        )
    replayed = Replay(game, *_simulate(game.config, game.params, game.key_data, game.actions))
    differences = "" if game.env_version == ENV_VERSION else _differences(replayed)
    if differences:
        raise ValueError(
            f"recording: given one of version {game.env_version} of the environment, which version {ENV_VERSION} "
            f"plays otherwise: {differences}; allowed: one that comes to the same game in both"
        )
    return replayed


def verify(recording: Recording) -> Replay:
    """Play a recording again; raise a ValueError that names whatever differs from what it says."""
    replayed = replay(recording)
    differences = _differences(replayed)
    if differences:
        raise ValueError(f"recording: differs from its replay in {differences}")
    return replayed


def _differences(replayed: Replay) -> str:
    """Name what a recording says otherwise than its replay; nothing when they agree."""
    recording = replayed.recording
    found = _outcome(recording.key_data, recording.actions, replayed.states)
    return ", ".join(
        f"{field.name} (recorded {getattr(recording.outcome, field.name)}, "
        f"replayed {getattr(found, field.name)})"
        for field in fields(Outcome)
        if getattr(recording.outcome, field.name) != getattr(found, field.name)
    )


def save(recording: Recording, path: str | Path) -> None:
    """Write a recording as one JSON file, whole or not at all."""
    path = check_path(path)
    data = {
        "format": FORMAT,
        "version": VERSION,
        "env_version": recording.env_version,
        "outcome": to_json(recording.outcome),
        "config": to_json(recording.config),
        "params": params_to_json(recording.params),
        "key_data": recording.key_data.tolist(),
        "actions": recording.actions.tolist(),
    }
    write_whole(path, (lay_out_json(data) + "\n").encode())


def check_path(path: str | Path) -> Path:
    """Return the path of a file to be written; TypeError unless it is one, ValueError where its folder is missing."""
    path = as_path(path)
    if not os.path.isdir(Path(path).parent):
        raise ValueError(f"path: given {str(path)!r}; allowed: a file in a folder that exists")
    return path


def load(path: str | Path) -> Recording:
    """Read a recording; a file that is none is a ValueError in one line."""
    data = read_data(path, FORMAT, VERSION)
    try:
        return _from_json(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_data(path: str | Path, form: str, version: int) -> dict[str, Any]:
    """Read the JSON of a recording of a form and version; a file that has none is a ValueError in one line."""
    allowed = f"a {form} of version {version} (JSON)"
    path = as_path(path)
    try:
        data = read_json(Path(path))
    except OSError as error:
        raise ValueError(f"{path}: given {_reason(error)}; allowed: {allowed}") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError
        raise ValueError(f"{path}: given a file that is not JSON ({error}); allowed: {allowed}") from error
    if not isinstance(data, dict) or data.get("format") != form:
        raise ValueError(f'{path}: given JSON without "format": "{form}"; allowed: {allowed}')
    if data.get("version") != version:
        raise ValueError(f"{path}: given version {data.get('version')!r}; allowed: {allowed}")
    return data


def _from_json(data: dict[str, Any]) -> Recording:
    names = ("format", "version", "outcome", "config", "params", "key_data", "actions")
    for name in names:
        if name not in data:
            raise ValueError(f"{name}: missing; allowed: {', '.join(names)}")
    version = data.get("env_version", 0)  # the first version did not write it
    if type(version) is not int or not 0 <= version <= ENV_VERSION:
        raise ValueError(f"env_version: given {version!r}; allowed: 0 to {ENV_VERSION}")
    # A field that a later version added takes its default: the replay says whether that was right.
    config = from_json(EnvConfig, data["config"], path="config", partial=True)
    env = Tetris(config)
    return Recording(
        config=config,
        params=params_from_json(env.default_params, data["params"]),
        key_data=integers("key_data", data["key_data"], 2**32, np.uint32, length=2),
        actions=integers("actions", data["actions"], env.num_actions, np.int32),
        outcome=from_json(Outcome, data["outcome"], path="outcome"),
        env_version=version,
    )


def _simulate(
    config: EnvConfig, params: EnvParams, key_data: np.ndarray, actions: np.ndarray
) -> tuple[State, Event]:
    """Play from a reset; return the states [T+1, ...] and the events [T, ...] as NumPy arrays."""
    start, steps = _programs(config)
    key = jax.random.wrap_key_data(jnp.asarray(key_data, jnp.uint32), impl="threefry2x32")
    params = jax.tree.map(jnp.asarray, params)
    state = start(params, key)
    first = jax.tree.map(lambda leaf: np.asarray(leaf)[None], state.replace(key=None))
    states: list[State] = [first]
    events: list[Event] = []
    num_chunks = max(1, math.ceil(len(actions) / CHUNK))
    padded = np.pad(actions, (0, num_chunks * CHUNK - len(actions)))
    for chunk in padded.reshape(-1, CHUNK):
        state, (new_states, new_events) = steps(state, params, jnp.asarray(chunk, jnp.int32))
        states.append(jax.tree.map(np.asarray, new_states))
        events.append(jax.tree.map(np.asarray, new_events))
    length = len(actions)
    all_states = jax.tree.map(lambda *parts: np.concatenate(parts)[: length + 1], *states)
    all_events = jax.tree.map(lambda *parts: np.concatenate(parts)[:length], *events)
    keys = jax.random.wrap_key_data(jnp.asarray(np.tile(key_data, (length + 1, 1))), impl="threefry2x32")
    return all_states.replace(key=keys), all_events


@functools.lru_cache(maxsize=8)
def _programs(config: EnvConfig) -> tuple[Callable[..., State], Callable[..., Any]]:
    """Return the compiled start of a game and a scan of CHUNK steps."""
    env = Tetris(config)

    def step(state: State, action: Array, params: EnvParams) -> tuple[State, tuple[State, Event]]:
        state, _, _, _, event = env.transition(state, action, params)
        return state, (state.replace(key=None), event)

    def steps(state: State, params: EnvParams, actions: Array) -> tuple[State, tuple[State, Event]]:
        return jax.lax.scan(lambda carry, action: step(carry, action, params), state, actions)

    def start(params: EnvParams, key: Array) -> State:
        return env.init(key, params)

    return jax.jit(start), jax.jit(steps)


def _outcome(key_data: np.ndarray, actions: np.ndarray, states: State) -> Outcome:
    last = jax.tree.map(lambda leaf: leaf[-1], states)
    return _outcome_of(key_data, actions, np.asarray(states.rows), last)


def _outcome_of(key_data: np.ndarray, actions: np.ndarray, rows: np.ndarray, last: State) -> Outcome:
    return Outcome(
        lines=int(last.lines),
        score=int(last.score),
        pieces=int(last.pieces),
        ticks=int(last.ticks),
        game_over=bool(last.game_over),
        actions=digest(key_data.astype("<u4"), actions.astype("<i4")),
        boards=digest(rows.astype("<u4")),
    )


def digest(*arrays: np.ndarray) -> str:
    """Return the first 128 bits of the SHA-256 of arrays, one after the other, 32 hex digits."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:32]


def params_to_json(params: Any) -> dict[str, Any]:
    """Name every number by its path, "game.start_level"; a float32 is exact as the double it prints as."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {_name(path): np.asarray(leaf).item() for path, leaf in leaves}


def params_from_json(template: Params, data: Any) -> Params:
    """Fill the template's leaves; what the file lacks keeps its default."""
    if not isinstance(data, dict):
        raise ValueError(f"params: given {data!r}; allowed: an object of numbers by name")
    leaves, treedef = jax.tree_util.tree_flatten_with_path(template)
    names = [_name(path) for path, _ in leaves]
    for name in data:
        if name not in names:
            raise ValueError(f"params: given {name!r}; allowed: {', '.join(names)}")
    values = [
        _number(f"params.{name}", data.get(name, leaf.item()), leaf.dtype)
        for name, leaf in zip(names, (np.asarray(leaf) for _, leaf in leaves), strict=True)
    ]
    filled: Params = jax.tree_util.tree_unflatten(treedef, values)
    return filled


def _number(name: str, given: Any, dtype: np.dtype[Any]) -> np.ndarray:
    real = np.issubdtype(dtype, np.floating)
    in_range = type(given) in ((int, float) if real else (int,)) and abs(given) < 2**31
    if not in_range:
        allowed = "a number" if real else "an integer"
        raise ValueError(f"{name}: given {given!r}; allowed: {allowed} smaller than 2**31")
    return np.asarray(given, dtype)


def integers(name: str, given: Any, end: int, dtype: Any, length: int | None = None) -> np.ndarray:
    """Return a list of integers, 0 to `end` - 1, as an array; ValueError for anything else."""
    if not isinstance(given, list) or length not in (None, len(given)):
        raise ValueError(
            f"{name}: given {type(given).__name__}; allowed: a list of {f'{length} ' if length else ''}integers"
        )
    for index, item in enumerate(given):
        if type(item) is not int or not 0 <= item < end:
            raise ValueError(f"{name}[{index}]: given {item!r}; allowed: 0 to {end - 1}")
    return np.array(given, dtype)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _reason(error: OSError) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else f"a path that is {error.strerror}"


def lay_out_json(value: Any, indent: int = 0) -> str:
    """Write JSON with every short list or object on one line, long lists of numbers as paragraphs."""
    line = json.dumps(value, allow_nan=False)
    if len(line) + indent <= LINE_WIDTH or not isinstance(value, (dict, list)):
        return line
    margin = " " * (indent + 2)
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {lay_out_json(item, indent + 2)}" for key, item in value.items()]
        body = f",\n{margin}".join(items)
        return f"{{\n{margin}{body}\n{' ' * indent}}}"
    if all(isinstance(item, int) for item in value):
        body = textwrap.fill(line[1:-1], LINE_WIDTH, initial_indent=margin, subsequent_indent=margin)
        return f"[\n{body}\n{' ' * indent}]"
    body = f",\n{margin}".join(lay_out_json(item, indent + 2) for item in value)
    return f"[\n{margin}{body}\n{' ' * indent}]"
