"""Dataclasses to JSON and back: nothing lost, nothing loose."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.fields.as_json import from_json, to_json


@dataclass(frozen=True)
class Inner:
    name: str
    drawing: tuple[str, ...]
    kind: Literal["bag", "uniform", 3]


@dataclass(frozen=True)
class Outer:
    count: int
    rate: float
    flag: bool
    inner: Inner
    pieces: tuple[Inner, ...] = ()
    pair: tuple[int, str] = (0, "")
    folder: str | None = None
    size: int | float = 1
    table: dict[str, int] | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count: given {self.count}; allowed: 0 or more")


@dataclass(frozen=True)
class Open:
    agent: Any


inners = st.builds(Inner, st.text(), st.lists(st.text()).map(tuple), st.sampled_from(("bag", "uniform", 3)))
finite = st.floats(allow_nan=False, allow_infinity=False)
outers = st.builds(
    Outer,
    count=st.integers(min_value=0),
    rate=finite,
    flag=st.booleans(),
    inner=inners,
    pieces=st.lists(inners, max_size=3).map(tuple),
    pair=st.tuples(st.integers(), st.text()),
    folder=st.none() | st.text(),
    size=st.integers() | finite,
    table=st.none() | st.dictionaries(st.text(), st.integers()),
)
GOOD = Outer(1, 0.5, True, Inner("T", ("#",), "bag"))


@given(outers)
def test_round_trip_through_text_keeps_value_and_type(value: Outer) -> None:
    back = from_json(Outer, json.loads(json.dumps(to_json(value))))
    assert back == value
    assert hash(back.inner) == hash(value.inner)
    assert type(back.size) is type(value.size)  # 1 and 1.0 are equal: only the type tells them apart


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": "3"}, "config.count: given '3'; allowed: an integer"),
        ({"count": True}, "config.count: given True; allowed: an integer"),
        ({"count": 2.0}, "config.count: given 2.0; allowed: an integer"),
        ({"count": -1}, "config.count: given -1; allowed: 0 or more"),
        ({"rate": "fast"}, "config.rate: given 'fast'; allowed: a number"),
        ({"rate": float("nan")}, "config.rate: given nan; allowed: a number"),
        ({"rate": 10**400}, "config.rate: given 1000000000"),
        ({"flag": 1}, "config.flag: given 1; allowed: true or false"),
        ({"cuont": 1}, "config.cuont: unknown field; allowed: count, rate, flag, "),
        ({"cuont": 1}, "did you mean 'count'?"),
        ({"inner": 3}, "config.inner: given 3; allowed: an object with the fields of Inner"),
        ({"pieces": [3]}, "config.pieces[0]: given 3; allowed: an object with the fields of Inner"),
        ({"pair": [1]}, "config.pair: given 1 items; allowed: 2"),
        ({"pair": [1, 2]}, "config.pair[1]: given 2; allowed: a string"),
        ({"folder": 3}, "config.folder: given 3; allowed: a string"),
        ({"size": "big"}, "config.size: given 'big'; allowed: an integer or a number"),
        ({"table": {"a": "b"}}, "config.table.a: given 'b'; allowed: an integer"),
    ],
)
def test_refusals_name_the_field_the_given_and_the_allowed(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_json(Outer, to_json(GOOD) | change, path="config")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_literal_suggests_the_nearest() -> None:
    data = to_json(GOOD)
    data["inner"]["kind"] = "bagg"
    with pytest.raises(ValueError) as caught:
        from_json(Outer, data)
    assert str(caught.value) == "inner.kind: given 'bagg'; allowed: 'bag', 'uniform', 3; did you mean 'bag'?"


def test_missing_fields_are_refused_unless_partial() -> None:
    data = to_json(GOOD)
    del data["size"], data["pieces"]
    with pytest.raises(ValueError, match="pieces: missing; allowed: a list"):
        from_json(Outer, data)
    assert from_json(Outer, data, partial=True) == GOOD
    del data["count"]
    with pytest.raises(ValueError, match="count: missing; allowed: an integer"):
        from_json(Outer, data, partial=True)


def test_choices_name_the_type_of_an_open_field() -> None:
    value = Open(agent=GOOD.inner)
    assert from_json(Open, to_json(value), path="config", choices={"agent": Inner}) == value
    with pytest.raises(TypeError, match="agent"):
        from_json(Open, to_json(value))


def test_what_json_cannot_hold_is_refused_on_the_way_out() -> None:
    with pytest.raises(ValueError, match="rate: given inf; allowed: a finite number"):
        to_json(Outer(1, float("inf"), True, GOOD.inner))
    with pytest.raises(TypeError, match=r"agent: a object cannot be written"):
        to_json(Open(agent=object()))


@dataclass(frozen=True)
class Board:
    width: int

    def __post_init__(self) -> None:
        if self.width == 0:
            raise ValueError("board.width: given 0; allowed: 1 or more")
        if self.width < 0:
            raise ValueError("width: given a negative number; allowed: 1 or more")
        if self.width > 9:
            raise ValueError("a board this wide; allowed: 9 columns")


@dataclass(frozen=True)
class House:
    board: Board


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (0, "house.board.width: given 0; allowed: 1 or more"),
        (-1, "house.board.width: given a negative number; allowed: 1 or more"),
        (10, "house.board: a board this wide; allowed: 9 columns"),
    ],
)
def test_a_dataclass_own_complaint_gets_its_whole_path(width: int, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_json(House, {"board": {"width": width}}, path="house")
    assert str(caught.value) == message
