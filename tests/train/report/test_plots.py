"""The learning curve says which games it compares: where they were stopped, and which are not over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tetrax.train.report import numbers, plots
from tetrax.train.report.metric_labels import RATE, Measures
from tetrax.train.report.plots import FinalEvaluation

ENDLESS, LIMITED = Measures("lines", "pieces", has_rate=True), Measures("return", "steps")
FINAL = FinalEvaluation(2_000, 2_000, 256, 250, {"lines": 780.0, "pieces": 1_950.0}, (770.0, 790.0))


def evaluated(step: int, lines: float, cap: float | None = 500.0) -> dict[str, Any]:
    told = {} if cap is None else {"eval/cap": cap}
    return {"step": step, "lines": 10.0, "pieces": 40.0, "eval/lines": lines, "eval/pieces": 400.0, **told}


def drawn(rows: list[dict[str, Any]], measures: Measures, final: FinalEvaluation | None = None) -> Axes:
    """The panel of games, as it is drawn."""
    axes = Figure().subplots()
    plots._draw_games(axes, [measures.with_rates(row) for row in rows], measures, final)
    return axes


def legend(axes: Axes) -> list[str]:
    box = axes.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_the_legend_names_every_cap() -> None:
    axes = drawn([evaluated(1_000, 100.0), evaluated(2_000, 197.0)], ENDLESS, FINAL)
    assert legend(axes) == [
        "games while training, to their end",
        "evaluation (greedy) to 500 pieces",
        "final evaluation to 2,000 pieces; 250 of 256 not lost",
    ]
    assert axes.get_ylabel() == "lines per game (logarithmic)"  # 780 beside 10


def test_evaluations_with_another_cap_are_another_line() -> None:
    """As after a resume with another --evaluation.max-pieces; rows of earlier versions do not know theirs."""
    rows = [evaluated(1, 3.0, None), evaluated(2, 4.0), evaluated(3, 5.0), evaluated(4, 6.0, 1_000.0)]
    assert plots.evaluations(rows, "lines") == [
        (None, [1], [3.0]),
        (500.0, [2, 3], [4.0, 5.0]),
        (1_000.0, [4], [6.0]),
    ]
    assert legend(drawn(rows, ENDLESS))[1:] == [
        "evaluation (greedy)",
        "evaluation (greedy) to 500 pieces",
        "evaluation (greedy) to 1,000 pieces",
    ]


def test_without_a_cap_none_is_named() -> None:
    rows = [{"step": 1, "return": 200.0, "eval/return": 480.0, "eval/cap": 0.0}]
    final = FinalEvaluation(1, 0, 100, 90, {"return": 490.0, "steps": 490.0}, (480.0, 500.0))
    assert legend(drawn(rows, LIMITED, final)) == [
        "games while training, to their end",
        "evaluation (greedy)",
        "final evaluation",
    ]


def test_games_that_run_are_drawn_where_none_ended() -> None:
    rows: list[dict[str, Any]] = [
        {"step": 1, "lines": None, "running/lines": 2.0},
        {"step": 2, "lines": None, "running/lines": 5.0},
        {"step": 3, "lines": 4.0, "running/lines": 3.0},
    ]
    axes = drawn(rows, ENDLESS)
    assert legend(axes) == [
        "games while training, to their end",
        "games still running, so far (where none ended)",
    ]
    running = axes.get_lines()[1]
    assert list(running.get_ydata())[:2] == [2.0, 5.0] and str(list(running.get_ydata())[2]) == "nan"  # type: ignore[arg-type]


def test_rates_compare_games_that_were_stopped_with_others() -> None:
    """10 of 40 while training, 100 of 400 in an evaluation, 6 of 30 so far: each lines for each piece."""
    row = {**evaluated(1, 100.0), "running/lines": 6.0, "running/pieces": 30.0}
    told = ENDLESS.with_rates(row)
    assert (told[RATE], told["eval/" + RATE], told["running/" + RATE]) == (0.25, 0.25, 0.2)
    assert LIMITED.with_rates(row) == row
    just_begun = {"step": 1, "lines": None, "pieces": None, "running/pieces": 0.0, "running/lines": 0.0}
    nothing = ENDLESS.with_rates(just_begun)
    assert not any(name.endswith(RATE) for name in nothing)


def test_eval_json_is_read_as_it_is_written() -> None:
    document = {
        "step": 320,
        "max_pieces": 20,
        "episodes": 4,
        "capped": 3,
        "lines": {"mean": 13.0, "ci95": [12.0, 14.0]},
        "pieces": {"mean": 20.0},
    }
    assert FinalEvaluation.of(document, ("lines", "pieces"), "pieces") == FinalEvaluation(
        320, 20, 4, 3, {"lines": 13.0, "pieces": 20.0}, (12.0, 14.0)
    )
    with pytest.raises(KeyError):
        FinalEvaluation.of({"step": 320}, ("lines",), "pieces")


@pytest.mark.slow
def test_it_is_drawn_whatever_the_rows_hold(tmp_path: Path) -> None:
    full = {"lines": 1.0, "entropy": 0.5, "loss/value": 2.0, "loss/policy": -0.1, "loss/total": 1.9}
    cases: dict[str, list[dict[str, Any]]] = {
        "nothing": [],
        "no game $ended": [{"step": 1, "lines": None}],
        "one seed": [{"step": step, "eval/lines": 2.0, **full} for step in (1_000, 2_000_000)],
        "two seeds": [{"step": 1, **full, "per_seed": {"lines": [1.0, None]}}],
    }
    for name, rows in cases.items():
        path = tmp_path / "plots" / f"{name}.png"
        plots.learning_curve(rows, path, name, ENDLESS, FINAL if rows else None)
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (512, "512"), (26_412, "26.4k"), (1_310_000, "1.31M"), (2e9, "2G")]
)
def test_short_numbers(value: float, text: str) -> None:
    assert numbers.short_number(value) == text
