"""The flags that tyro makes of a configuration, and a look at the command line before tyro sees it.

tyro parses and writes `--help`. This module only looks first, so that a wrong word is answered by one line
(the flag, what was given, what is allowed, the nearest name) and tyro meets nothing that it would answer with
a box.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union

import tyro

from tetrax.env.game.pieces import DOMINOES, TETROMINOES, Piece
from tetrax.fields.errors import UserError, nearest, wrong, wrong_name

PIECE_SETS: dict[str, tuple[Piece, ...]] = {"tetrominoes": TETROMINOES, "dominoes": DOMINOES}
HELP_WORDS = ("-h", "--help")
NUMBER = re.compile(r"-[0-9.]")

T = TypeVar("T")
FieldTypes = Mapping[str, Any]


@dataclass(frozen=True)
class Words:
    """A command line whose every flag is known and whose every value can be read."""

    values: dict[str, tuple[str, ...]]  # by the field's path: "yes" or "no" for a switch
    positionals: tuple[str, ...]
    wants_help: bool

    def one(self, path: str) -> str | None:
        """Return the value of a flag that takes one, or None where it is not given."""
        return self.values[path][0] if path in self.values else None


def flag_name(path: str) -> str:
    """Return the flag of a field: `agent.num_envs` is `--agent.num-envs`."""
    return "--" + path.replace("_", "-")


def switch_off_name(path: str) -> str:
    """Return the flag that turns a switch off: `env.rules.hold` is `--env.rules.no-hold`."""
    *owners, name = flag_name(path)[2:].split(".")
    return "--" + ".".join([*owners, f"no-{name}"])


def field_types(record: Any, prefix: str = "") -> dict[str, Any]:
    """List the leaves of a tree of dataclasses: each field's path and the type it is annotated with."""
    hints = typing.get_type_hints(type(record))
    leaves: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value, path, hint = getattr(record, field.name), prefix + field.name, hints[field.name]
        is_leaf = _names(hint) is not None or not dataclasses.is_dataclass(value)
        leaves |= {path: _names(hint) or hint} if is_leaf else field_types(value, f"{path}.")
    return leaves


def read_words(argv: Sequence[str], types_by_path: FieldTypes, repeatable: Collection[str] = ()) -> Words:
    """Check each word against the flags; raise UserError for the first that cannot be meant.

    Of a flag given twice the last counts; of those in `repeatable` all do.
    """
    spelled = _spellings(types_by_path)
    values: dict[str, tuple[str, ...]] = {}
    positionals: list[str] = []
    wants_help = False
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in HELP_WORDS:
            wants_help = True
        elif not word.startswith("-") or NUMBER.match(word):
            positionals.append(word)
        else:
            path, state, attached = _find(word, spelled)
            if state != "value":
                if attached is not None:
                    raise wrong(word.split("=")[0], attached, "nothing: it is a switch")
                values[path] = (state,)
                continue
            given = [attached] if attached is not None else _take(rest, types_by_path[path])
            if not given:
                allowed = describe(types_by_path[path])
                raise UserError(f"{flag_name(path)}: given no value; allowed: {allowed}")
            check_value(flag_name(path), types_by_path[path], given)
            values[path] = (*values.get(path, ()), *given) if path in repeatable else tuple(given)
    return Words(values, tuple(positionals), wants_help)


def parse(cls: type[T], default: T, words: Words, types_by_path: FieldTypes, prog: str) -> T:
    """Let tyro put the words over the defaults; whatever it refuses becomes one line."""
    argv = spell(words.values, types_by_path)
    answer = io.StringIO()
    try:
        with contextlib.redirect_stderr(answer), contextlib.redirect_stdout(answer):
            return tyro.cli(cls, default=default, args=argv, prog=prog, registry=_registry())
    except SystemExit:
        raise UserError(_without_box(answer.getvalue())) from None


def spell(values: Mapping[str, Sequence[str]], types_by_path: FieldTypes) -> list[str]:
    """Write the values of flags as the command line that gives them."""
    argv: list[str] = []
    for path, given in values.items():
        if types_by_path[path] is bool:
            argv.append(flag_name(path) if tuple(given) == ("yes",) else switch_off_name(path))
        elif len(given) == 1 and not _is_list(types_by_path[path]):
            argv.append(f"{flag_name(path)}={given[0]}")
        else:
            argv += [flag_name(path), *given]
    return argv


def print_help(cls: type[T], default: T, prog: str, description: str) -> None:
    """Print tyro's help: every field with its meaning, unit and default."""
    with contextlib.suppress(SystemExit):
        tyro.cli(
            cls, default=default, args=["--help"], prog=prog, description=description, registry=_registry()
        )


def check_value(thing: str, expected: Any, given: Sequence[str]) -> None:
    """Raise UserError unless `given` can be read as a value of type `expected`."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if _is_piece_set(expected):
        if given[0] not in PIECE_SETS:
            raise wrong_name(thing, given[0], PIECE_SETS)
    elif _is_list(expected):
        if arguments[-1] is not Ellipsis and len(given) != len(arguments):
            raise wrong(thing, " ".join(given), f"{len(arguments)} values")
        for item in given:
            check_value(thing, arguments[0], [item])
    elif origin in (Union, types.UnionType):
        others = [item for item in arguments if item is not types.NoneType]
        if given[0] != "None" or len(others) == len(arguments):
            check_value(thing, others[0], given)
    elif origin is Literal:
        names = [str(item) for item in arguments]
        if given[0] not in names:
            raise wrong_name(thing, given[0], names)
    elif expected is bool and given[0] not in ("True", "False"):
        raise wrong_name(thing, given[0], ("True", "False"))
    elif expected is int and not _reads(int, given[0]):
        whole = _reads(float, given[0]) and float(given[0]).is_integer()
        hint = f"; did you mean {int(float(given[0]))}?" if whole else ""
        raise UserError(f"{thing}: given {given[0]!r}; allowed: a whole number{hint}")
    elif expected is float and not (_reads(float, given[0]) and math.isfinite(float(given[0]))):
        raise wrong(thing, given[0], "a finite number")


def describe(expected: Any) -> str:
    """Say in words which values a flag takes."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if _is_piece_set(expected):
        return ", ".join(PIECE_SETS)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join("None" if item is types.NoneType else describe(item) for item in arguments)
    if origin is tuple:
        return f"one or more of: {describe(arguments[0])}"
    return {int: "a whole number", float: "a finite number", bool: "True, False"}.get(expected, "a word")


def _spellings(types_by_path: FieldTypes) -> dict[str, tuple[str, str]]:
    """Map each flag to its field's path and what it says: "value", or for a switch "yes" or "no"."""
    spelled: dict[str, tuple[str, str]] = {}
    for path, expected in types_by_path.items():
        spelled[flag_name(path)] = (path, "yes" if expected is bool else "value")
        if expected is bool:
            spelled[switch_off_name(path)] = (path, "no")
    return spelled


def _find(word: str, spelled: Mapping[str, tuple[str, str]]) -> tuple[str, str, str | None]:
    given, equals, attached = word.partition("=")
    name = "--" + given[2:].replace("_", "-") if given.startswith("--") else given
    if name not in spelled:
        suggestion = _nearest_flag(name, spelled)
        hint = f"; did you mean {suggestion}?" if suggestion else ""
        raise UserError(f"unknown flag: given {given}; allowed: the flags that --help lists{hint}")
    return (*spelled[name], attached if equals else None)


def _nearest_flag(name: str, spelled: Mapping[str, Any]) -> str | None:
    """Find a flag that ends like `name`, else one that is spelt like it, whole or in its last part."""
    last_parts = {flag.split(".")[-1].removeprefix("--"): flag for flag in spelled}
    last = name.split(".")[-1].removeprefix("--")
    if last in last_parts:
        return last_parts[last]
    near_last = nearest(last, last_parts)
    return nearest(name, spelled) or (last_parts[near_last] if near_last else None)


def _take(rest: list[str], expected: Any) -> list[str]:
    """Take a flag's values off the words that follow it."""
    taken: list[str] = []
    while rest and (not rest[0].startswith("-") or NUMBER.match(rest[0])):
        taken.append(rest.pop(0))
        if not _is_list(expected):
            break
    return taken


def _is_piece_set(expected: Any) -> bool:
    return expected == tuple[Piece, ...]


def _names(expected: Any) -> Any:
    """Return the Literal of a union of names with a record or a function, which no flag can spell; or None."""
    members = typing.get_args(expected) if typing.get_origin(expected) in (Union, types.UnionType) else ()
    literals = [member for member in members if typing.get_origin(member) is Literal]
    others = [member for member in members if dataclasses.is_dataclass(member)]
    return literals[0] if literals and others else None


def _is_list(expected: Any) -> bool:
    return typing.get_origin(expected) is tuple and not _is_piece_set(expected)


def _reads(kind: Callable[[str], Any], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _registry() -> tyro.constructors.ConstructorRegistry:
    """Teach tyro to name sets of pieces and rewards instead of spelling what they are made of."""
    registry = tyro.constructors.ConstructorRegistry()
    names = {pieces: name for name, pieces in PIECE_SETS.items()}

    @registry.primitive_rule
    def piece_set(info: Any) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
        if not _is_piece_set(info.type):
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar="{" + ",".join(PIECE_SETS) + "}",
            instance_from_str=lambda given: PIECE_SETS[given[0]],
            is_instance=lambda value: isinstance(value, tuple),
            str_from_instance=lambda value: [names.get(value, " ".join(piece.name for piece in value))],
        )

    @registry.primitive_rule
    def names_alone(info: Any) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
        literal = _names(info.type)
        if literal is None:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar="{" + ",".join(typing.get_args(literal)) + "}",
            instance_from_str=lambda given: given[0],
            is_instance=lambda value: True,
            str_from_instance=lambda value: [value if isinstance(value, str) else "as-configured"],
        )

    return registry


def _without_box(answer: str) -> str:
    """Turn tyro's framed answer into one line: what stands between its title and its next ruler."""
    lines = [line.strip("│|╭╮╰╯ ") for line in answer.splitlines()]
    body = [line for line in lines if line][1:]  # without the title
    is_ruler = re.compile(r"[─-]{5,}").fullmatch
    text = " ".join(itertools.takewhile(lambda line: not is_ruler(line), itertools.dropwhile(is_ruler, body)))
    return re.sub(r"^Error parsing [\w.\-]+: (?=.*: given )", "", text) or "the command line cannot be read"
