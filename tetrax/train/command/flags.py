"""The flags that a configuration has: `--agent.num-envs=8`, `--env.rules.no-hold`; and their help, by tyro.

A wrong word is answered by one line: the flag, what was given, what is allowed, the nearest name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

import tyro

from tetrax.env.game.pieces import DOMINOES, TETROMINOES, Piece
from tetrax.fields.annotations import is_union
from tetrax.fields.as_words import WORDS
from tetrax.fields.errors import UserError, nearest_path, wrong
from tetrax.system import disk, streams

PIECE_SETS: dict[str, tuple[Piece, ...]] = {"tetrominoes": TETROMINOES, "dominoes": DOMINOES}
HELP_WORDS = ("-h", "--help")
NUMBER = re.compile(r"-[0-9.]")


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=Record)


class Flag(NamedTuple):
    """A way to write a flag."""

    path: str  # of its field
    switch: str | None  # the value that it gives, without a word after it


@dataclass(frozen=True)
class Words:
    """A command line whose every flag is known and whose every value is read."""

    given: dict[str, tuple[str, ...]]  # by the field's path: "True" or "False" for a switch
    values: dict[str, Any]  # what that stands for
    positionals: tuple[str, ...]
    wants_help: bool

    def one(self, path: str) -> str | None:
        """Return the word given to a flag that takes one, or None where it is not given."""
        return self.given[path][0] if path in self.given else None


def flag_name(path: str) -> str:
    """Return the flag of a field: `agent.num_envs` is `--agent.num-envs`."""
    return "--" + path.replace("_", "-")


def switch_off_name(path: str) -> str:
    """Return the flag that turns a switch off: `env.rules.hold` is `--env.rules.no-hold`."""
    *owners, name = flag_name(path)[2:].split(".")
    return "--" + ".".join([*owners, f"no-{name}"])


# An item of a list has no flag of its own: `hidden[1]` is --hidden.
NOTATION = dataclasses.replace(
    WORDS,
    name=lambda path: flag_name(path.partition("[")[0]),
    names={**WORDS.names, tuple[Piece, ...]: PIECE_SETS},
)


def field_types(record: Any, prefix: str = "") -> dict[str, Any]:
    """List the leaves of a tree of dataclasses: each field's path and the type it is annotated with.

    Those that only Python can give, marked for tyro's help by `tyro.conf.Suppress`, have no flag.
    """
    hints = typing.get_type_hints(type(record))
    marked = typing.get_type_hints(type(record), include_extras=True)
    leaves: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        if tyro.conf.Suppress in typing.get_args(marked[field.name]):
            continue
        value, path, hint = getattr(record, field.name), prefix + field.name, hints[field.name]
        is_leaf = _names(hint) is not None or not dataclasses.is_dataclass(value)
        leaves |= {path: hint} if is_leaf else field_types(value, f"{path}.")
    return leaves


def read_words(
    argv: Sequence[str], types_by_path: Mapping[str, Any], repeatable: Collection[str] = ()
) -> Words:
    """Read each word by the flags there are; raise UserError for the first that cannot be meant.

    Of a flag given twice the last counts; of those in `repeatable` all do.
    """
    spelled = _spellings(types_by_path)
    given: dict[str, tuple[str, ...]] = {}
    values: dict[str, Any] = {}
    positionals: list[str] = []
    wants_help = False
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in HELP_WORDS:
            wants_help = True
        elif not _is_flag(word):
            positionals.append(word)
        else:
            flag, attached = _find(word, spelled)
            path, annotation = flag.path, types_by_path[flag.path]
            taken = _take(flag, word, attached, rest, annotation)
            given[path] = (*given.get(path, ()), *taken) if path in repeatable else tuple(taken)
            values[path] = _read_value(path, annotation, given[path])
    return Words(given, values, tuple(positionals), wants_help)


def put(record: T, values: Mapping[str, Any]) -> T:
    """Put values, by the paths of their fields, in place of a record's own; ValueError where they cannot work."""
    own = {path: value for path, value in values.items() if "." not in path}
    for name in dict.fromkeys(path.partition(".")[0] for path in values if "." in path):
        start = f"{name}."
        inner = {path[len(start) :]: value for path, value in values.items() if path.startswith(start)}
        own[name] = put(getattr(record, name), inner)
    return dataclasses.replace(record, **own)


def spell(given: Mapping[str, Sequence[str]], types_by_path: Mapping[str, Any]) -> list[str]:
    """Write the words given to flags as the command line that gives them."""
    argv: list[str] = []
    for path, words in given.items():
        if types_by_path[path] is bool:
            argv.append(flag_name(path) if tuple(words) == ("True",) else switch_off_name(path))
        elif len(words) == 1 and not _is_list(types_by_path[path]):
            argv.append(f"{flag_name(path)}={words[0]}")
        else:
            argv += [flag_name(path), *words]
    return argv


def file_to_write(flag: str, given: str, suffixes: Collection[str]) -> Path:
    """Return the file that a flag names; UserError for another kind than `suffixes`, or one that cannot be written."""
    path = Path(given)
    if path.suffix.lower() not in suffixes or path.is_dir():
        raise wrong(flag, given, f"a file that ends in {', '.join(suffixes)}")
    try:
        disk.try_writing(path)
    except OSError as error:
        raise wrong(flag, given, f"a file that can be written ({error.strerror})") from None
    return path


def print_help(cls: type[T], default: T, prog: str, description: str) -> None:
    """Print tyro's help: every field with its meaning, unit and default. Raises OSError where it cannot be printed."""
    with contextlib.suppress(SystemExit):
        tyro.cli(
            cls, default=default, args=["--help"], prog=prog, description=description, registry=_registry()
        )
    streams.deliver()


def _spellings(types_by_path: Mapping[str, Any]) -> dict[str, Flag]:
    """Return every flag by the way it is written."""
    spelled: dict[str, Flag] = {}
    for path, annotation in types_by_path.items():
        spelled[flag_name(path)] = Flag(path, "True" if annotation is bool else None)
        if annotation is bool:
            spelled[switch_off_name(path)] = Flag(path, "False")
    return spelled


def _find(word: str, spelled: Mapping[str, Flag]) -> tuple[Flag, str | None]:
    """Return the flag that a word writes, and the value that it attaches with "="."""
    given, equals, attached = word.partition("=")
    name = "--" + given[2:].replace("_", "-") if given.startswith("--") else given
    if name not in spelled:
        near = nearest_path(name.removeprefix("--"), [known.removeprefix("--") for known in spelled])
        hint = f"; did you mean --{near}?" if near else ""
        raise UserError(f"unknown flag: given {given}; allowed: the flags that --help lists{hint}")
    return spelled[name], attached if equals else None


def _take(flag: Flag, word: str, attached: str | None, rest: list[str], annotation: Any) -> list[str]:
    """Return what is given to a flag: what it says itself, or the words that follow it, taken off `rest`."""
    if flag.switch is not None:
        if attached is not None:
            raise wrong(word.partition("=")[0], attached, "nothing: it is a switch")
        return [flag.switch]
    taken = [] if attached is None else [attached]
    while attached is None and rest and not _is_flag(rest[0]) and (_is_list(annotation) or not taken):
        taken.append(rest.pop(0))
    if not taken:
        allowed = NOTATION.describe(annotation)
        raise UserError(f"{flag_name(flag.path)}: given no value; allowed: {allowed}")
    return taken


def _read_value(path: str, annotation: Any, given: Sequence[str]) -> Any:
    """Return the value that the words given to a field's flag stand for; UserError where they stand for none."""
    try:
        return NOTATION.read(annotation, list(given) if _is_list(annotation) else given[0], path)
    except ValueError as error:
        raise UserError(str(error)) from None


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not NUMBER.match(word)


def _is_list(annotation: Any) -> bool:
    """Return whether a flag takes all the words that follow it."""
    return typing.get_origin(annotation) is tuple and annotation not in NOTATION.names


def _names(annotation: Any) -> Any:
    """Return the Literal of a union of names with a record, which no flag can spell; or None."""
    members = typing.get_args(annotation) if is_union(annotation) else ()
    literals = [member for member in members if typing.get_origin(member) is Literal]
    has_record = any(dataclasses.is_dataclass(member) for member in members)
    return literals[0] if literals and has_record else None


def _registry() -> tyro.constructors.ConstructorRegistry:
    """Teach tyro to name sets of pieces and rewards instead of spelling what they are made of."""
    registry = tyro.constructors.ConstructorRegistry()
    names = {pieces: name for name, pieces in PIECE_SETS.items()}

    def write(value: Any) -> str:
        if isinstance(value, tuple):
            return names.get(value, " ".join(piece.name for piece in value))
        return value if isinstance(value, str) else "as-configured"

    @registry.primitive_rule
    def by_name(info: Any) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
        choices = PIECE_SETS if info.type == tuple[Piece, ...] else typing.get_args(_names(info.type))
        if not choices:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar="{" + ",".join(choices) + "}",
            instance_from_str=lambda given: given[0],  # never called: nothing is parsed by tyro
            is_instance=lambda value: True,
            str_from_instance=lambda value: [write(value)],
        )

    return registry
