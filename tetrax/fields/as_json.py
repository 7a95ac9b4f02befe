"""Frozen dataclasses to plain JSON values and back, strictly.

`to_json` gives dicts, lists, strings, numbers, booleans and None; `from_json` builds the dataclass again
from its annotations: bool, int, float, str, None, Literal, `X | None`, unions, tuples, dict[str, X] and
nested dataclasses; functions may be members of a union but are not written. Whatever does not fit is one
`ValueError` line: the field's path, what was given, what is allowed. An annotation outside that list is the
programmer's fault: `TypeError`.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union

T = TypeVar("T")
Json = Any  # dict[str, Json] | list[Json] | str | int | float | bool | None

_SCALAR_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}


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
        return {name: to_json(getattr(value, name), _join(path, name)) for name in fields}
    if isinstance(value, (tuple, list)):
        return [to_json(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, path): to_json(item, _join(path, str(key))) for key, item in value.items()}
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
    reader = _Reader(partial=partial, choices=dict(choices or {}), root=path)
    return typing.cast(T, reader.read(cls, data, path))


@dataclasses.dataclass(frozen=True)
class _Reader:
    partial: bool
    choices: dict[str, type]
    root: str

    def read(self, annotation: Any, data: Json, path: str) -> Any:
        """Check `data` against one annotation and build the value."""
        annotation = self.choices.get(self._relative(path), annotation)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if dataclasses.is_dataclass(annotation):
            return self._read_dataclass(annotation, data, path)
        if annotation in _SCALAR_NAMES or annotation in (None, types.NoneType):
            return _read_scalar(annotation, data, path)
        if origin is Literal:
            if any(data == choice and type(data) is type(choice) for choice in arguments):
                return data
            raise _refusal(path, data, _listed(arguments), arguments)
        if origin in (Union, types.UnionType):
            return self._read_union(arguments, data, path)
        if origin is tuple:
            return self._read_tuple(arguments, data, path)
        if origin in (dict, Mapping) and arguments[0] is str:
            items = _expect(dict, data, path, "an object")
            return {key: self.read(arguments[1], item, _join(path, key)) for key, item in items.items()}
        raise TypeError(f"{path or 'value'}: no rule to read {annotation!r} from JSON")

    def _read_dataclass(self, cls: Any, data: Json, path: str) -> Any:
        data = _expect(dict, data, path or cls.__name__, f"an object with the fields of {cls.__name__}")
        hints = typing.get_type_hints(cls)
        fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
        for name in data:
            if name not in fields:
                allowed = ", ".join(fields) or "none"
                hint = _nearest(name, list(fields))
                raise ValueError(f"{_join(path, name)}: unknown field; allowed: {allowed}{hint}")
        for name, field in fields.items():
            if name not in data and not (self.partial and _has_default(field)):
                raise ValueError(f"{_join(path, name)}: missing; allowed: {_describe(hints[name])}")
        values = {name: self.read(hints[name], item, _join(path, name)) for name, item in data.items()}
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(_place(str(error), path, fields)) from error

    def _read_union(self, members: tuple[Any, ...], data: Json, path: str) -> Any:
        """Read the one member of the union that fits; a lone member beside None reports its own errors."""
        if data is None and types.NoneType in members:
            return None
        others = [member for member in members if member is not types.NoneType and not _is_function(member)]
        if len(others) == 1:
            return self.read(others[0], data, path)
        # An object can only be meant for a dataclass, and a name for a Literal: those say best what is wrong.
        chosen = []
        if isinstance(data, dict):
            chosen = [member for member in others if dataclasses.is_dataclass(member)]
        elif isinstance(data, str):
            chosen = [member for member in others if typing.get_origin(member) is Literal]
        if len(chosen) == 1:
            return self.read(chosen[0], data, path)
        if sum(dataclasses.is_dataclass(member) for member in others) > 1:
            raise TypeError(f"{path or 'value'}: name one of {_describe_all(others)} in `choices`")
        # Exact scalars first, so that 2 in `int | float` stays an integer whatever the order.
        exact = [member for member in others if member is type(data)]
        for member in exact + others:
            try:
                return self.read(member, data, path)
            except ValueError:
                continue
        none = [types.NoneType] if types.NoneType in members else []
        raise _refusal(path, data, _describe_all([*others, *none]), ())

    def _read_tuple(self, arguments: tuple[Any, ...], data: Json, path: str) -> tuple[Any, ...]:
        items = _expect(list, data, path, "a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(items)
        if len(arguments) != len(items):
            raise ValueError(f"{path}: given {len(items)} items; allowed: {len(arguments)}")
        pairs = enumerate(zip(arguments, items, strict=True))
        return tuple(self.read(argument, item, f"{path}[{index}]") for index, (argument, item) in pairs)

    def _relative(self, path: str) -> str:
        prefix = f"{self.root}."
        return path[len(prefix) :] if self.root and path.startswith(prefix) else path


def _read_scalar(annotation: Any, data: Json, path: str) -> Any:
    if annotation in (None, types.NoneType):
        if data is not None:
            raise _refusal(path, data, "null", ())
        return None
    if annotation is float and type(data) is int and abs(data) < 2**63:
        data = float(data)
    if type(data) is not annotation or (annotation is float and not math.isfinite(data)):
        raise _refusal(path, data, _SCALAR_NAMES[annotation], ())
    return data


def _expect(kind: type, data: Json, path: str, allowed: str) -> Any:
    if not isinstance(data, kind):
        raise _refusal(path, data, allowed, ())
    return data


def _refusal(path: str, given: Json, allowed: str, choices: tuple[Any, ...]) -> ValueError:
    hint = _nearest(given, [choice for choice in choices if isinstance(choice, str)])
    return ValueError(f"{path or 'value'}: given {_show(given)}; allowed: {allowed}{hint}")


def _nearest(given: Json, names: list[str]) -> str:
    close = difflib.get_close_matches(given, names, n=1) if isinstance(given, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _show(data: Json) -> str:
    if isinstance(data, dict):
        return "an object"
    if isinstance(data, list):
        return f"a list of {len(data)}"
    text = repr(data) if data is not None else "null"
    return text if len(text) <= 60 else text[:57] + "..."


def _describe(annotation: Any) -> str:
    """Say in words what an annotation allows."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in _SCALAR_NAMES:
        return _SCALAR_NAMES[annotation]
    if annotation in (None, types.NoneType):
        return "null"
    if origin is Literal:
        return _listed(arguments)
    if origin in (Union, types.UnionType):
        return _describe_all(arguments)
    if origin is tuple:
        return "a list"
    return f"an object ({getattr(annotation, '__name__', 'any')})"


def _describe_all(annotations: Iterable[Any]) -> str:
    return " or ".join(_describe(annotation) for annotation in annotations)


def _listed(choices: tuple[Any, ...]) -> str:
    return ", ".join(repr(choice) for choice in choices)


def _place(message: str, path: str, fields: Iterable[str]) -> str:
    """Give a dataclass's own complaint ("width: ..." or "rules.width: ...") the path of that dataclass."""
    prefix, _, last = path.rpartition(".")
    if last and message.startswith(f"{last}."):
        return _join(prefix, message)
    named = any(message.startswith(f"{name}:") for name in fields)
    return _join(path, message) if named else f"{path}: {message}" if path else message


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _is_function(annotation: Any) -> bool:
    return typing.get_origin(annotation) is collections.abc.Callable


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path or 'value'}: key {key!r} is not a string")
    return key
