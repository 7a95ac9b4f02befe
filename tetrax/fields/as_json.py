"""Frozen dataclasses to plain JSON values and back, strictly.

`to_json` gives dicts, lists, strings, numbers, booleans and None; `from_json` builds the dataclass again from its
annotations, those that `tetrax.fields.annotations` reads. Functions may be members of a union but are not written.
Whatever does not fit is one `ValueError` line: the field's path, what was given, what is allowed.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tetrax.fields.annotations import Notation, join

T = TypeVar("T")
Json = Any  # dict[str, Json] | list[Json] | str | int | float | bool | None


def to_json(value: Any, path: str = "") -> Json:
    """Turn a dataclass (or any value its fields may hold) into plain JSON values."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path or 'value'}: given {value}; allowed: a finite number")
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if f.init]
        return {name: to_json(getattr(value, name), join(path, name)) for name in fields}
    if isinstance(value, (tuple, list)):
        return [to_json(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, path): to_json(item, join(path, str(key))) for key, item in value.items()}
    if callable(value):
        name = getattr(value, "__qualname__", type(value).__name__)
        raise ValueError(
            f"{path or 'value'}: given the function {name}, which a file cannot hold; allowed: a name or a record, "
            "so that what is saved can be loaded and gone on with"
        )
    raise TypeError(f"{path or 'value'}: a {type(value).__name__} cannot be written as JSON")


def from_json(
    cls: type[T],
    data: Json,
    *,
    path: str = "",
    partial: bool = False,
    choices: Mapping[str, type] | None = None,
) -> T:
    """Build a `cls` from what `to_json` gave.

    `path` is the name of the whole in error messages; `partial` lets fields that have a default be left
    out; `choices` gives the type of fields whose annotation leaves it open, by path (`{"agent": PPOConfig}`).
    """
    notation = dataclasses.replace(JSON, partial=partial, choices=choices or {}, root=path)
    return typing.cast(T, notation.read(cls, data, path))


def _read(kind: Any, given: Json) -> Any:
    if kind is float and type(given) is int and abs(given) < 2**63:
        return float(given)
    if type(given) is not kind or (kind is float and not math.isfinite(given)):
        raise ValueError(f"{given!r} is no {kind.__name__}")
    return given


JSON = Notation(
    plain={
        bool: "true or false",
        int: "an integer",
        float: "a number",
        str: "a string",
        types.NoneType: "null",
    },
    read_plain=_read,
    typed=True,
    spell=repr,
)


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path or 'value'}: key {key!r} is not a string")
    return key
