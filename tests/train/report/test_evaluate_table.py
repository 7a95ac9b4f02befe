"""The table of `python -m tetrax.evaluate`: within 80 characters, and every number whole, wherever it goes."""

from __future__ import annotations

import numpy as np
import pytest

from tetrax import evaluate
from tetrax.train.report import numbers
from tetrax.train.report.columns import align
from tetrax.train.report.evaluation import EvalResult

LARGEST = 2**31 - 1


def result(values: list[float], cap: int = 0) -> EvalResult:
    column = np.array(values)
    totals = {name: column.astype(np.int64) for name in ("lines", "score", "pieces")}
    steps = np.ones(len(values), np.int64)
    return EvalResult(3, cap, "pieces", {**totals, "return": column - 0.6}, steps, steps > 0, None)


def test_the_table_worked_by_hand() -> None:
    """Values 1, 2, 3, 6: mean 3, deviation sqrt(14 / 3) = 2.16, interval 1.96 * 2.16 / 2 = 2.12; 5% at 1.15."""
    table = evaluate._table("[x]: mini", result([1, 2, 3, 6], cap=5_000)).splitlines()
    assert table[:3] == ["[x]: mini", "4 games from seed 3, stopped at 5,000 pieces: 4", ""]
    assert [line.split() for line in table[3:]] == [
        ["per", "game", "lines", "score", "pieces", "return"],
        ["mean", "3", "3", "3", "2.40"],
        ["±", "95%", "2.12", "2.12", "2.12", "2.12"],
        ["std", "2.16", "2.16", "2.16", "2.16"],
        ["min", "1", "1", "1", "0.40"],
        ["5%", "1.15", "1.15", "1.15", "0.55"],
        ["median", "2.50", "2.50", "2.50", "1.90"],
        ["95%", "5.55", "5.55", "5.55", "4.95"],
        ["max", "6", "6", "6", "5.40"],
    ]


@pytest.mark.parametrize("columns", [None, "20", "80"])
def test_large_numbers_are_whole_within_80_columns(
    monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    table = evaluate._table("run", result([LARGEST, LARGEST, -LARGEST, 416_123]))
    assert max(map(len, table.splitlines())) <= 80
    assert "2,147,483,647" in table and "-2,147,483,647" in table and "…" not in table
    # The mean of the four, (2147483647 + 416123) / 4, of whole numbers and of those that are 0.6 less.
    assert "536,974,942.5" in table and "536,974,941.9" in table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (416_123.4, "416,123.4"),
        (LARGEST, "2,147,483,647"),
        (9_999.126, "9,999.13"),
        (0.0156251, "0.0156"),
        (-0.0, "0"),
        (1e15, "1,000,000,000,000,000"),
    ],
)
def test_numbers_are_written_in_full(value: float, text: str) -> None:
    assert numbers.exact(value) == text


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    lines = [["", "lines"], ["a", "1"], ["bcd", "1,000,000"]]
    assert align(lines) == "         lines\n  a          1\nbcd  1,000,000"
    assert align(lines, first="left") == "         lines\na            1\nbcd  1,000,000"


@pytest.mark.parametrize("name", ["q[/base]", "[x]", "[bold red]", ":smile:"])
def test_names_are_no_markup(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print(evaluate._table(f"runs/{name}: {name}", result([1, 2])))
    assert capsys.readouterr().out.startswith(f"runs/{name}: {name}\n2 games")
