"""The log holds whole rows only, goes back to any step, and its numbers are those worked by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter

from tetrax.agents.agent import Metrics
from tetrax.fields.errors import UserError
from tetrax.train.folder import log
from tetrax.train.report import rows
from tetrax.train.report.evaluation import EvalResult


def write_rows(path: Path, steps: list[int]) -> None:
    with log.MetricsLog(path, step=0) as metrics_log:
        for step in steps:
            metrics_log.write({"step": step, "lines": step / 3, "return": None})
        metrics_log.sync()


def test_rows_are_one_object_a_line_with_null_for_nothing(tmp_path: Path) -> None:
    write_rows(tmp_path / "metrics.jsonl", [10, 20])
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == log.read(tmp_path / "metrics.jsonl")
    assert json.loads(lines[1]) == {"step": 20, "lines": 20 / 3, "return": None}


def test_a_row_is_readable_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with log.MetricsLog(tmp_path / "metrics.jsonl", step=0) as metrics_log:
        metrics_log.write({"step": 1})
        assert log.read(tmp_path / "metrics.jsonl") == [{"step": 1}]


def test_nan_is_refused(tmp_path: Path) -> None:
    with (
        log.MetricsLog(tmp_path / "metrics.jsonl", step=0) as metrics_log,
        pytest.raises(ValueError, match="JSON compliant"),
    ):
        metrics_log.write({"step": 1, "lines": float("nan")})


@pytest.mark.parametrize(("step", "kept"), [(0, []), (20, [10, 20]), (25, [10, 20]), (99, [10, 20, 30])])
def test_going_on_from_a_step_cuts_off_what_came_after(tmp_path: Path, step: int, kept: list[int]) -> None:
    path = tmp_path / "metrics.jsonl"
    write_rows(path, [10, 20, 30])
    with log.MetricsLog(path, step=step):
        assert [row["step"] for row in log.read(path)] == kept


def test_a_half_written_last_line_is_ignored_and_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write_rows(path, [10, 20])
    with path.open("a") as file:
        file.write('{"step": 30, "lin')
    assert [row["step"] for row in log.read(path)] == [10, 20]
    with log.MetricsLog(path, step=30) as metrics_log:
        metrics_log.write({"step": 30})
    assert [row["step"] for row in log.read(path)] == [10, 20, 30]


def read_events(folder: Path) -> list[Event]:
    """Read TensorBoard's record format: length (8 bytes), checksum (4), event, checksum (4)."""
    events = []
    for file in sorted(folder.glob("events*")):
        content = file.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            events.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return events


def test_tensorboard_gets_the_numbers_and_forgets_what_was_cut_off(tmp_path: Path) -> None:
    assert SummaryWriter and RecordWriter  # the extra is installed where tests run
    path, folder = tmp_path / "metrics.jsonl", tmp_path / "tensorboard"
    with log.MetricsLog(path, log.Events(folder, 0), step=0) as metrics_log:
        metrics_log.write({"step": 10, "lines": 1.5, "return": None, "per_seed": {"lines": [1.0, 2.0]}})
    scalars = [(event.step, value.tag) for event in read_events(folder) for value in event.summary.value]
    assert scalars == [(10, "lines")]
    with log.MetricsLog(path, log.Events(folder, 5), step=5):
        pass
    starts = [event.step for event in read_events(folder) if event.HasField("session_log")]
    assert 6 in starts  # "from step 6 on, forget what was before"


def test_tensorboard_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r"--tensorboard.*pip install -e '\.\[tensorboard\]' in a checkout"):
        log.check_tensorboard()


def test_sums_become_means_per_game() -> None:
    row = rows.training_metrics(
        Metrics(
            totals={"games": np.float32(4), "lines": np.float32(10), "return": np.float32(-2)},
            means={"loss/policy": np.float32(0.5)},
        )
    )
    assert row == {"lines": 2.5, "return": -0.5, "games": 4.0, "loss/policy": 0.5}


def test_no_game_ended_is_null() -> None:
    row = rows.training_metrics(Metrics(totals={"games": np.float32(0), "lines": np.float32(0)}, means={}))
    assert row == {"lines": None, "games": 0.0}


def test_games_that_run_are_told_beside_those_that_ended() -> None:
    """What they have come to so far, by seed: the mean of 3 and 5 lines, and of 10 and 14 pieces."""
    metrics = Metrics(totals={"games": np.zeros(2), "lines": np.zeros(2)}, means={})
    row = rows.training_metrics(metrics, {"lines": np.array([3.0, 5.0]), "pieces": np.array([10.0, 14.0])})
    assert (row["lines"], row["running/lines"], row["running/pieces"]) == (None, 4.0, 12.0)
    assert row["per_seed"]["running/lines"] == [3.0, 5.0]


def test_several_seeds_give_their_mean_and_each_of_them() -> None:
    row = rows.training_metrics(
        Metrics(
            totals={"games": np.array([2, 0, 1], np.float32), "lines": np.array([6, 0, 5], np.float32)},
            means={"kl": np.array([0.5, 1.5, 1.0], np.float32)},
        )
    )
    assert row["lines"] == 4.0  # the mean of 6 / 2 and 5 / 1; the second seed has none
    assert row["kl"] == 1.0
    assert row["per_seed"] == {"lines": [3.0, None, 5.0], "games": [2.0, 0.0, 1.0], "kl": [0.5, 1.5, 1.0]}


def test_what_is_not_finite_is_named() -> None:
    means = {"kl": np.array([1.0, np.inf]), "entropy": np.float32(1), "loss/policy": np.float32(np.nan)}
    assert rows.find_not_finite(Metrics(totals={"games": np.float32(1)}, means=means)) == [
        "kl is inf",
        "loss/policy is nan",
    ]


def make_result(lines: list[int]) -> EvalResult:
    numbers = np.array(lines)
    return EvalResult(
        seed=0,
        cap=5,
        length="pieces",
        totals={"lines": numbers, "score": 100 * numbers, "pieces": numbers + 1, "return": numbers / 2},
        steps=numbers,
        capped=numbers > 3,
        actions={},
    )


def test_evaluations_are_means_over_games_and_then_over_seeds() -> None:
    assert rows.evaluation_metrics([make_result([2, 4])]) == {
        "eval/lines": 3.0,
        "eval/return": 1.5,
        "eval/pieces": 4.0,
        "eval/score": 300.0,
        "eval/capped": 0.5,
        "eval/cap": 5.0,
    }
    row = rows.merge(
        rows.training_metrics(Metrics(totals={"games": np.zeros(2)}, means={"kl": np.array([1.0, 3.0])})),
        rows.evaluation_metrics([make_result([2, 4]), make_result([5])]),
    )
    assert row["eval/lines"] == 4.0
    assert row["per_seed"]["eval/lines"] == [3.0, 5.0]
    assert row["per_seed"]["kl"] == [1.0, 3.0]
