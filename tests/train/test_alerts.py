"""Alerts call when a rule begins to hold, once, and go on where a resumed run does."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tetrax.fields.errors import UserError
from tetrax.train import alerts
from tetrax.train.alerts import Alerts


def said(path: Path, rule: str, values: list[float | None]) -> list[int]:
    """Return the steps, ten apart, at which a rule calls."""
    watched = Alerts(path, [rule], None, [])
    rows = [{"step": 10 * index, "wall_time": 0.5, "speed": value} for index, value in enumerate(values)]
    return [alert.step for row in rows for alert in watched.look(row)]


@pytest.mark.parametrize(
    ("rule", "values", "steps"),
    [
        # Once at 10; it wavers; then it has not held for five rows, and calls at 100. Null tells nothing.
        ("speed below 2", [3, 1, 0, 3, 1, 3, 3, 3, 3, 3, 1, None, 1], [10, 100]),
        ("speed below 2", [3, 1, 0, 3, 1, 3, 3, 3, 3, 1, None, 1], [10]),
        ("speed above 2", [2, 2.5, 3, 2, 3], [10]),
        # Highest at 10; 20 steps later it has stalled; new highest ones end that for five rows, and it stalls again.
        ("speed stalls 20", [1, 2, 1, 2, 1, 3, 4, 5, 6, 7, 1, 1], [30, 110]),
        # Usual is the median of what came before, of five at least: 10. 4 is below half of that, 6 is not.
        ("speed falls 0.5", [10, 10, 30, 10, 2, 4, 6, 6, 6, 6, 6, 2], [50, 110]),
        ("other below 2", [1, 1], []),
    ],
)
def test_a_rule_calls_when_it_begins_to_hold(
    tmp_path: Path, rule: str, values: list[float | None], steps: list[int]
) -> None:
    assert said(tmp_path / "alerts.jsonl", rule, values) == steps
    assert [alert["step"] for alert in alerts.read(tmp_path / "alerts.jsonl")] == steps


@pytest.mark.parametrize(
    "rule",
    ["", "speed", "speed below", "speed below x", "speed below nan", "speed under 2", "speed falls 1.5",
     "speed falls -1", "speed stalls 0", "speed above inf", "a b c d"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(UserError, match="METRIC below NUMBER") as error:
        alerts.read_rule(rule)
    assert repr(rule) in str(error.value) and "\n" not in str(error.value)


def test_a_resumed_run_calls_for_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    values = [3.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0]
    rows = [{"step": 10 * index, "speed": value} for index, value in enumerate(values)]
    for row in rows:
        first = Alerts(path, ["speed below 2"], None, rows[: row["step"] // 10])
        first.look(row)
    assert [alert["step"] for alert in alerts.read(path)] == [10, 80]
    # It goes on from step 20: what came after is to come again.
    again = Alerts(path, ["speed below 2"], None, rows[:3])
    assert [alert["step"] for alert in alerts.read(path)] == [10]
    assert [alert.step for row in rows[3:] for alert in again.look(row)] == [80]


def test_other_rules_leave_what_stays_as_it_is(tmp_path: Path) -> None:
    watched = Alerts(tmp_path / "alerts.jsonl", ["speed below 2"], None, [])
    assert len(watched.look({"step": 0, "speed": 1.0})) == 1
    watched.change(["speed below 2", "speed below 3"], None)
    assert [alert.rule for alert in watched.look({"step": 10, "speed": 1.0})] == ["speed below 3"]


def test_the_command_is_told_what_happened(tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = f'printf "%s|%s|%s" "$TETRAX_ALERT" "$TETRAX_STEP" "$TETRAX_RUN" > {told}'
    Alerts(tmp_path / "alerts.jsonl", ["speed below 2"], command, []).look({"step": 70, "speed": 1.0})
    for _ in range(200):
        if told.exists() and told.read_text():
            break
        time.sleep(0.05)
    assert told.read_text() == f"speed is 1, below 2|70|{tmp_path}"


def test_garbage_in_the_file_is_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    good = {"step": 1, "wall_time": 0.0, "rule": "r", "said": "s"}
    path.write_bytes(b"\xff\x00\n[]\n{}\n" + json.dumps(good).encode() + b'\n{"step": 2')
    assert alerts.read(path) == [good]
    assert alerts.read(tmp_path / "missing") == []
