"""Values from the words of a command line: the same walker as for JSON, another notation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tetrax.fields.as_words import WORDS


@dataclass(frozen=True)
class Record:
    size: int = 1


SIDES = {"narrow": (1, 2), "wide": (8, 9)}
NOTATION = dataclasses.replace(WORDS, names={**WORDS.names, tuple[int, int]: SIDES})


def read(annotation: Any, given: Any) -> Any:
    return NOTATION.read(annotation, given, "thing")


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        (int, "-1_000", -1000),
        (float, "3", 3.0),
        (str, "None", "None"),
        (bool, "False", False),
        (Literal["bag", 3], "3", 3),
        (Literal["bag", "uniform"] | Record, "bag", "bag"),  # a record has no words
        (Literal["auto"] | int, "3", 3),
        (str | None, "None", None),
        (int | None, "7", 7),
        (int | float, "2", 2),
        (int | float, "2.5", 2.5),
        (tuple[int, ...], ["1", "2"], (1, 2)),
        (tuple[str, int], ["1", "2"], ("1", 2)),
        (tuple[tuple[str, ...], ...], ["left", "drop"], (("left", "drop"),)),
        (tuple[int, int], "wide", (8, 9)),
    ],
)
def test_words_are_read_as_what_they_stand_for(annotation: Any, given: Any, value: Any) -> None:
    found = read(annotation, given)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "given", "message"),
    [
        (int, "1e6", "thing: given '1e6'; allowed: a whole number; did you mean 1000000?"),
        (int, "2.5", "thing: given '2.5'; allowed: a whole number"),
        (int, "inf", "thing: given 'inf'; allowed: a whole number"),
        (float, "nan", "thing: given 'nan'; allowed: a finite number"),
        (bool, "true", "thing: given 'true'; allowed: False, True; did you mean 'True'?"),
        (int | None, "none", "thing: given 'none'; allowed: a whole number"),
        (int | float, "x", "thing: given 'x'; allowed: a whole number or a finite number"),
        (
            Literal["uniform", "bag"] | Record,
            "Bagg",
            "thing: given 'Bagg'; allowed: bag, uniform; did you mean 'bag'?",
        ),
        (tuple[int, ...], ["1", "x"], "thing[1]: given 'x'; allowed: a whole number"),
        (tuple[str, str], ["1"], "thing: given 1 items; allowed: 2"),
        (tuple[int, int], "wde", "thing: given 'wde'; allowed: narrow, wide; did you mean 'wide'?"),
    ],
)
def test_refusals_name_the_thing_the_given_and_the_allowed(annotation: Any, given: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        read(annotation, given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (int | None, "a whole number or None"),
        (tuple[float, ...], "one or more of: a finite number"),
        (Literal["uniform", "bag"] | Record | None, "bag, uniform or None"),
        (tuple[int, int], "narrow, wide"),
    ],
)
def test_what_is_allowed_is_said(annotation: Any, said: str) -> None:
    assert NOTATION.describe(annotation) == said


def test_what_words_cannot_hold_is_the_programmers_fault() -> None:
    for annotation in (Record, dict[str, int], object):
        with pytest.raises(TypeError, match="thing: no rule to read"):
            read(annotation, "x")
