"""One walker of annotations: it builds the values that are given, and says which are allowed.

An annotation is bool, int, float, str, None, a Literal, a union, a tuple, dict[str, X] or a dataclass of these.
How values are written is a `Notation`: that of JSON, where a number is a number, or that of a command line, where
it is text. Whatever does not fit is one `ValueError` line: the thing, what was given, what is allowed, the nearest
name. An annotation outside the list is the programmer's fault: `TypeError`.
"""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union

from tetrax.fields.errors import hint


@dataclass(frozen=True)
class Notation:
    """How values are written down, and how to read them."""

    plain: Mapping[Any, str]  # what may be given for each plain type, in words
    # (such a type, what is given) -> its value; ValueError where it is none.
    read_plain: Callable[[Any, Any], Any]
    typed: bool
    """Whether what is written has a type of its own, lists and objects included, as in JSON; else it is text, or for
    a tuple a list of texts."""
    spell: Callable[[Any], str]  # a choice of a Literal as it stands in messages
    hint: Callable[[Any, Any], str] = lambda kind, given: ""  # the end of the line that refuses a plain value
    name: Callable[[str], str] = lambda path: path or "value"  # of a path in messages
    names: Mapping[Any, Mapping[str, Any]] = field(default_factory=dict)
    """Values that are written as a name, by annotation and name."""
    partial: bool = False  # whether fields that have a default may be left out
    choices: Mapping[str, Any] = field(default_factory=dict)
    """The type of fields whose annotation leaves it open, by path."""
    root: str = ""  # the path of the whole in messages; those of `choices` are without it

    def describe(self, annotation: Any) -> str:
        """Say in words what an annotation allows."""
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if annotation in self.names:
            return self._list(self.names[annotation])
        if annotation in self.plain:
            return self.plain[annotation]
        if origin is Literal:
            return self._list(arguments)
        if is_union(annotation):
            return self._describe_all([*self._members(annotation), *_none_of(annotation)])
        if origin is tuple:
            return "a list" if self.typed else f"one or more of: {self.describe(arguments[0])}"
        return f"an object ({getattr(annotation, '__name__', 'any')})"

    def read(self, annotation: Any, given: Any, path: str) -> Any:
        """Return the value of `annotation` that `given` stands for; ValueError where it stands for none."""
        annotation = self.choices.get(path.removeprefix(f"{self.root}."), annotation)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if annotation in self.names:
            by_name = self.names[annotation]
            return by_name[self._read_choice(by_name, given, path)]
        if annotation in self.plain:
            return self._read_plain(annotation, given, path)
        if origin is Literal:
            return self._read_choice(arguments, given, path)
        if is_union(annotation):
            return self._read_union(annotation, given, path)
        if origin is tuple:
            return self._read_tuple(arguments, given, path)
        if dataclasses.is_dataclass(annotation) and self.typed:
            return self._read_dataclass(annotation, given, path)
        if origin in (dict, Mapping) and arguments[0] is str and self.typed:
            items = self._expect(dict, given, path, "an object")
            return {key: self.read(arguments[1], item, join(path, key)) for key, item in items.items()}
        raise TypeError(f"{path or 'value'}: no rule to read {annotation!r}")

    def _read_plain(self, kind: Any, given: Any, path: str) -> Any:
        try:
            return self.read_plain(kind, given)
        except ValueError:
            raise self._refusal(path, given, self.plain[kind], self.hint(kind, given)) from None

    def _read_choice(self, choices: Iterable[Any], given: Any, path: str) -> Any:
        """Return the choice that is spelled like what is given: of 1 and True only the one that is meant."""
        for choice in choices:
            if self.spell(choice) == self.spell(given):
                return choice
        raise self._refusal(path, given, self._list(choices), hint(given, map(str, choices)))

    def _read_union(self, union: Any, given: Any, path: str) -> Any:
        """Read the one member of the union that fits; one that alone can be meant reports its own errors."""
        for none in _none_of(union):
            with contextlib.suppress(ValueError):
                return self.read(none, given, path)
        members = self._members(union)
        records = [member for member in members if dataclasses.is_dataclass(member)]
        names = [member for member in members if typing.get_origin(member) is Literal]
        # An object can only be meant for a dataclass, and a name for a Literal: those say best what is wrong.
        by_form: dict[type, list[Any]] = {dict: records, str: names} if self.typed else {}
        for meant in (members, by_form.get(type(given), [])):
            if len(meant) == 1:
                return self.read(meant[0], given, path)
        if len(records) > 1:
            raise TypeError(f"{path or 'value'}: name one of {self._describe_all(members)} in `choices`")
        # What is of a type exactly comes first, so that 2 in `int | float` stays an integer whatever the order.
        for member in sorted(members, key=lambda member: not self.typed or member is not type(given)):
            with contextlib.suppress(ValueError):
                return self.read(member, given, path)
        raise self._refusal(path, given, self._describe_all([*members, *_none_of(union)]))

    def _read_tuple(self, arguments: tuple[Any, ...], given: Any, path: str) -> tuple[Any, ...]:
        items = self._expect(list, given, path, "a list")
        if not self.typed and typing.get_origin(arguments[0]) is tuple:
            items = [items]  # texts do not say where an inner tuple ends: all of them are one
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(items)
        if len(arguments) != len(items):
            raise ValueError(f"{self.name(path)}: given {len(items)} items; allowed: {len(arguments)}")
        pairs = enumerate(zip(arguments, items, strict=True))
        return tuple(self.read(argument, item, f"{path}[{index}]") for index, (argument, item) in pairs)

    def _read_dataclass(self, cls: Any, given: Any, path: str) -> Any:
        given = self._expect(
            dict, given, path or cls.__name__, f"an object with the fields of {cls.__name__}"
        )
        hints = typing.get_type_hints(cls)
        fields = {each.name: each for each in dataclasses.fields(cls) if each.init}
        for name in given:
            if name not in fields:
                allowed = ", ".join(fields) or "none"
                raise ValueError(f"{join(path, name)}: unknown field; allowed: {allowed}{hint(name, fields)}")
        for name, each in fields.items():
            if name not in given and not (self.partial and _has_default(each)):
                raise ValueError(f"{join(path, name)}: missing; allowed: {self.describe(hints[name])}")
        values = {name: self.read(hints[name], item, join(path, name)) for name, item in given.items()}
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(_place(str(error), path, fields)) from error

    def _members(self, union: Any) -> list[Any]:
        """Return the members of a union, besides None, whose values can be written; functions never can."""
        return [
            member
            for member in typing.get_args(union)
            if member is not types.NoneType
            and typing.get_origin(member) is not collections.abc.Callable
            and (self.typed or not dataclasses.is_dataclass(member))
        ]

    def _expect(self, kind: type, given: Any, path: str, allowed: str) -> Any:
        if not isinstance(given, kind):
            raise self._refusal(path, given, allowed)
        return given

    def _refusal(self, path: str, given: Any, allowed: str, ending: str = "") -> ValueError:
        return ValueError(f"{self.name(path)}: given {_show(given)}; allowed: {allowed}{ending}")

    def _describe_all(self, annotations: Iterable[Any]) -> str:
        return " or ".join(self.describe(annotation) for annotation in annotations)

    def _list(self, choices: Iterable[Any]) -> str:
        """List choices: those of a command line, which are many, by the alphabet."""
        spelled = [self.spell(choice) for choice in choices]
        return ", ".join(spelled if self.typed else sorted(spelled))


def is_union(annotation: Any) -> bool:
    """Return whether an annotation is a union, in either way of writing it."""
    return typing.get_origin(annotation) in (Union, types.UnionType)


def join(path: str, name: str) -> str:
    """Return the path of a field inside the thing at a path; "" is the whole."""
    return f"{path}.{name}" if path else name


def _none_of(union: Any) -> list[Any]:
    return [member for member in typing.get_args(union) if member is types.NoneType]


def _show(given: Any) -> str:
    """Write what is given in one short piece."""
    if isinstance(given, dict):
        return "an object"
    if isinstance(given, list):
        return f"a list of {len(given)}"
    text = repr(given) if given is not None else "null"
    return text if len(text) <= 60 else text[:57] + "..."


def _place(message: str, path: str, fields: Iterable[str]) -> str:
    """Give a dataclass's own complaint ("width: ..." or "rules.width: ...") the path of that dataclass."""
    prefix, _, last = path.rpartition(".")
    if last and message.startswith(f"{last}."):
        return join(prefix, message)
    named = any(message.startswith(f"{name}:") for name in fields)
    return join(path, message) if named else f"{path}: {message}" if path else message


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
