"""The configuration of a training run, and its JSON.

One tree of frozen dataclasses is the single source: the command line, `--help`, `config.json` and the
compiled programs are all made from it. The JSON is strict: a field unknown, missing or of the wrong type is
named and refused, so that a file that loads means exactly what it says.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.train.errors import UserError, wrong, wrong_name

FORMAT_VERSION = 1


@dataclass(frozen=True)
class EvalConfig:
    """Games played by the greedy policy, on seeds that never change, to see how good it is."""

    every: int = 1_000_000
    """Environment steps between evaluations while training, rounded up to whole chunks; 0 = none."""
    episodes: int = 32
    """Games per evaluation while training."""
    max_pieces: int = 1_000
    """Pieces after which a game of an evaluation while training is stopped; 0 = no cap."""
    final_episodes: int = 256
    """Games in the evaluation at the end; 0 = no evaluation at the end."""
    final_max_pieces: int = 2_000
    """Pieces after which a game of the evaluation at the end is stopped; 0 = no cap."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run: two runs with equal configurations on one machine are equal."""

    algorithm: str
    """The learning algorithm, a name in `tetrax.agents.AGENTS`."""
    preset: str
    """The whole configuration that this one started from, a name in `tetrax.train.presets`."""
    env: Any
    """The environment: an `EnvConfig`."""
    agent: Any
    """The algorithm's own settings: the frozen dataclass of its entry in `tetrax.agents.AGENTS`."""
    evaluation: EvalConfig = EvalConfig()
    """Evaluation while training and at the end."""
    total_steps: int = 1_000_000
    """Environment steps to train for, over all boards of one seed, rounded up to whole chunks."""
    seed: int = 0
    """Seed of the run's first agent; equal seeds give equal runs."""
    num_seeds: int = 1
    """Agents trained side by side in one program, with seeds seed, seed + 1, …."""
    chunk_iterations: int = 8
    """Training iterations compiled into one program; logging, evaluating and saving happen between these."""
    checkpoint_seconds: float = 60.0
    """Seconds between checkpoints, looked at after each chunk; one is always saved at the end."""
    keep_checkpoints: int = 2
    """Newest checkpoints kept on disk; at least 2, so that a damaged one can be stepped over."""
    tensorboard: bool = False
    """Write TensorBoard events too (needs the extra: pip install 'tetrax[tensorboard]')."""

    def validate(self) -> None:
        """Raise UserError for the first value that cannot work, alone or together with another."""
        minima = {
            "total_steps": 1,
            "seed": 0,
            "num_seeds": 1,
            "chunk_iterations": 1,
            "keep_checkpoints": 2,
            "checkpoint_seconds": 0,
        }
        for name, minimum in minima.items():
            _at_least(name, getattr(self, name), minimum)
        for field in dataclasses.fields(self.evaluation):
            _at_least(f"evaluation.{field.name}", getattr(self.evaluation, field.name), 0)
        _at_least("evaluation.episodes", self.evaluation.episodes, 1)
        if self.seed + self.num_seeds > 2**31:
            raise wrong(
                flag("seed"), self.seed, f"seeds below {2**31}, with --num-seeds {self.num_seeds} added"
            )


def flag(path: str) -> str:
    """Return the command line's flag for a field: `agent.num_envs` is `--agent.num-envs`."""
    return "--" + path.replace("_", "-")


def whole_chunks(steps: int, steps_per_chunk: int) -> int:
    """Return the number of chunks that make at least `steps` environment steps."""
    return -(-steps // steps_per_chunk)


def _at_least(path: str, value: float, minimum: int) -> None:
    if not value >= minimum or math.isinf(value):
        raise wrong(flag(path), value, f"{minimum} or more")


# --- JSON ---------------------------------------------------------------------------------------------------


def to_json(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as JSON values, the format's version first."""
    return {"format": FORMAT_VERSION, **encode(config)}


def from_json(document: Any, source: str = "config") -> TrainConfig:
    """Read what `to_json` wrote; `source` names the file in errors."""
    if not isinstance(document, dict) or "format" not in document:
        raise UserError(f"{source}: not a configuration: no field 'format'; allowed a config.json of a run")
    if document["format"] != FORMAT_VERSION:
        raise wrong(f"{source}: format", document["format"], str(FORMAT_VERSION))
    content = {name: value for name, value in document.items() if name != "format"}
    _check_fields(TrainConfig, content, source, "")
    agent_type = agent_config_type(content["algorithm"], f"{source}: algorithm")
    types_by_field = {
        **typing.get_type_hints(TrainConfig),
        "env": environment_config_type(),
        "agent": agent_type,
    }
    return TrainConfig(
        **{name: decode(types_by_field[name], value, source, name) for name, value in content.items()}
    )


def load_config(path: str | Path) -> TrainConfig:
    """Read a `config.json`; raise UserError naming what is wrong with it."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file; allowed a config.json written by a run")
    if path.is_dir():
        raise wrong(str(path), "a folder", "a file, such as a run's config.json")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a configuration: {error}; allowed a config.json of a run") from None
    return from_json(document, str(path))


def agent_config_type(algorithm: Any, thing: str) -> type:
    """Return the configuration dataclass of an algorithm named by the user at `thing`."""
    from tetrax.agents import AGENTS

    if not isinstance(algorithm, str) or algorithm not in AGENTS:
        raise wrong_name(thing, algorithm, AGENTS)
    return AGENTS[algorithm].config


def environment_config_type() -> type:
    """Return the environment's configuration dataclass."""
    from tetrax.env.tetris import EnvConfig

    return EnvConfig


def encode(value: Any) -> Any:
    """Turn nested frozen dataclasses, tuples and plain values into JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise TypeError(f"a configuration holds finite numbers, text, tuples and dataclasses, not {value!r}")


def decode(expected: Any, value: Any, source: str, path: str) -> Any:
    """Turn JSON values back into a value of type `expected`; `path` names the field in errors."""
    origin = typing.get_origin(expected)
    if dataclasses.is_dataclass(expected) and isinstance(expected, type):
        return _decode_dataclass(expected, value, source, path)
    if origin is tuple:
        return _decode_tuple(typing.get_args(expected), value, source, path)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(expected), value, source, path)
    if origin is typing.Literal:
        allowed = typing.get_args(expected)
        if not any(value == item and type(value) is type(item) for item in allowed):
            raise wrong_name(f"{source}: {path}", value, map(str, allowed))
        return value
    if expected is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if expected is type(None) and value is None:
        return None
    if expected in (bool, int, str) and type(value) is expected:
        return value
    raise wrong(f"{source}: {path}", json.dumps(value), describe(expected))


def describe(expected: Any) -> str:
    """Say in words which values a type allows."""
    names = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}
    if expected is type(None):
        return "null"
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is typing.Literal:
        return ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(item) for item in arguments)
    if origin is tuple:
        return f"a list of {describe(arguments[0])}"
    if dataclasses.is_dataclass(expected):
        return "an object with " + ", ".join(field.name for field in dataclasses.fields(expected))
    return names.get(expected, str(expected))


def _decode_dataclass(expected: type, value: Any, source: str, path: str) -> Any:
    _check_fields(expected, value, source, path)
    hints = typing.get_type_hints(expected)
    fields = {
        name: decode(hints[name], item, source, f"{path}.{name}" if path else name)
        for name, item in value.items()
    }
    try:
        return expected(**fields)
    except ValueError as error:  # the dataclass's own check
        raise UserError(f"{source}: {path}: {error}") from None


def _check_fields(expected: type, value: Any, source: str, path: str) -> None:
    where = f"{source}: {path}" if path else source
    if not isinstance(value, dict):
        raise wrong(where, json.dumps(value), describe(expected))
    names = [field.name for field in dataclasses.fields(expected)]
    prefix = f"{path}." if path else ""
    for name in value:
        if name not in names:
            raise wrong(f"{where}: unknown field", f"{prefix}{name}", ", ".join(names), names)
    for name in names:
        if name not in value:
            raise UserError(
                f"{where}: missing field: given nothing for {prefix}{name}; allowed {describe_field(expected, name)}"
            )


def describe_field(owner: type, name: str) -> str:
    """Say in words which values a field allows."""
    return describe(typing.get_type_hints(owner)[name])


def _decode_tuple(arguments: tuple[Any, ...], value: Any, source: str, path: str) -> tuple[Any, ...]:
    variable_length = len(arguments) == 2 and arguments[1] is Ellipsis
    if not isinstance(value, list) or (not variable_length and len(value) != len(arguments)):
        length = "a list" if variable_length else f"a list of {len(arguments)}"
        raise wrong(f"{source}: {path}", json.dumps(value), length)
    items = [arguments[0]] * len(value) if variable_length else arguments
    return tuple(
        decode(item_type, item, source, f"{path}[{index}]")
        for index, (item_type, item) in enumerate(zip(items, value, strict=True))
    )


def _decode_union(arguments: tuple[Any, ...], value: Any, source: str, path: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    candidates = [item for item in arguments if item is not type(None)]
    for candidate in candidates[:-1]:
        try:
            return decode(candidate, value, source, path)
        except UserError:
            continue
    return decode(candidates[-1], value, source, path)
