"""`python -m tetrax.plot`: seeds of one configuration are one line, others are named by what they differ in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.train.toy import toy_config
from tetrax import plot
from tetrax.train.config import TrainConfig, to_json
from tetrax.train.report import run_curves
from tetrax.train.report.run_curves import Series


def write(folder: Path, config: TrainConfig, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(to_json(config)))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def rows(*lines: float | None, **more: Any) -> list[dict[str, Any]]:
    return [
        {"step": 32 * number, "wall_time": 60.0 * number, "lines": value, **more}
        for number, value in enumerate(lines, start=1)
    ]


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    folders = [
        write(tmp_path / "a", toy_config(seed=0), rows(1.0, 2.0, 3.0)),
        write(tmp_path / "b", toy_config(seed=1, total_steps=64), rows(3.0, 6.0)),
        write(tmp_path / "c", toy_config(learning_rate=0.1), rows(0.0, None, 4.0)),
    ]
    return [str(folder) for folder in folders]


def test_seeds_are_one_line_and_others_are_named_by_what_they_differ_in(runs: list[str]) -> None:
    read = [run_curves.read(Path(folder)) for folder in runs]
    first, second = run_curves.curves(read, "lines")
    assert [first.label, second.label] == ["agent.learning_rate 0.5", "agent.learning_rate 0.1"]
    places, values = run_curves.together(first.seeds, "steps")
    np.testing.assert_array_equal(places, [32, 64])  # as far as both have come
    np.testing.assert_array_equal(values, [[1, 2], [3, 6]])
    places, values = run_curves.together(second.seeds, "minutes")
    np.testing.assert_array_equal(places, [1, 3])
    np.testing.assert_array_equal(values, [[0, 4]])


def test_seeds_of_one_run_are_seeds_too(tmp_path: Path) -> None:
    logged = rows(1.0, 2.0, per_seed={"lines": [0.0, 2.0]})
    logged[1]["per_seed"] = {"lines": [None, 4.0]}
    run = run_curves.read(write(tmp_path / "two", toy_config(num_seeds=2), logged))
    (curve,) = run_curves.curves([run], "lines")
    assert [list(seed.values) for seed in curve.seeds] == [[0.0], [2.0, 4.0]]
    assert curve.label == run.config.title


def test_what_lies_between_is_interpolated() -> None:
    coarse = Series(np.array([0, 100]), np.array([0.0, 1.0]), np.array([0.0, 10.0]))
    fine = Series(np.array([0, 50, 90]), np.array([0.0, 0.5, 0.9]), np.array([5.0, 6.0, 7.0]))
    places, values = run_curves.together([coarse, fine], "steps")
    np.testing.assert_array_equal(places, [0, 50, 90])
    np.testing.assert_allclose(values, [[0, 5, 9], [5, 6, 7]])


@pytest.mark.parametrize(
    ("width", "expected"),
    [(1, [3, 0, 6, 9, 3]), (2, [1.5, 3, 7.5, 6, 3]), (3, [1.5, 3, 5, 6, 6]), (99, [4.2] * 5)],
)
def test_a_moving_mean(width: int, expected: list[float]) -> None:
    given = np.array([3.0, 0.0, 6.0, 9.0, 3.0])
    np.testing.assert_allclose(run_curves.moving_mean(given, width), expected)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_command_draws(runs: list[str], suffix: str, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / f"curves.{suffix}"
    assert plot.main([*runs, "--out", str(out), "--smooth", "2", "--x", "minutes"]) == 0
    said = capsys.readouterr().out.splitlines()
    # The mean of step 64 and the one after it, where there is one: 2.5 and 6.
    assert said[0] == "agent.learning_rate 0.5: lines 4.25 (2.5 to 6, 2 seeds) at step 64"
    assert said[-1] == f"picture: {out}"
    if suffix == "png":
        with Image.open(out) as picture:
            colours = {tuple(colour) for colour in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
        assert {(0x2A, 0x6F, 0xDB), (0xD9, 0x82, 0x2B)} <= colours


def test_runs_with_nothing_in_common_are_refused(tmp_path: Path, capsys: Any) -> None:
    early = write(tmp_path / "early", toy_config(seed=0), rows(1.0))
    late = write(tmp_path / "late", toy_config(seed=1), rows(None, 2.0))
    other = write(tmp_path / "other", toy_config(seed=2), [{"step": 32, "wall_time": 1.0, "return": 1.0}])
    for folders, said in (
        ([early, late], "nothing of their environment steps"),
        ([early, other], "nothing alike"),
    ):
        words = [*map(str, folders), "--out", str(tmp_path / "a.png")]
        assert plot.main(words) == 2
        assert said in capsys.readouterr().err
    again = str(early / ".." / "early")
    assert plot.main([str(early), again, "--out", str(tmp_path / "a.png")]) == 0
    assert "seeds" not in capsys.readouterr().out


def test_evaluations_are_drawn_where_all_runs_have_some(straight: Path, tmp_path: Path) -> None:
    evaluated = run_curves.read(straight)
    assert run_curves.default_metric([evaluated]) == "eval/lines"
    bare = run_curves.read(write(tmp_path / "bare", toy_config(), rows(1.0)))
    assert run_curves.default_metric([evaluated, bare]) == "lines"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "RUN: given nothing; allowed: the folders"),
        (["nowhere"], "RUN: given 'nowhere'; allowed: the folder of a run"),
        (["RUN", "--metric", "line"], "--metric: given 'line'; allowed: lines; did you mean 'lines'?"),
        (["RUN", "--out", "a.jpg"], "--out: given 'a.jpg'; allowed: a file that ends in .png, .svg, .pdf"),
        (
            ["RUN", "--out", "nowhere/a.png"],
            "--out: given 'nowhere/a.png'; allowed: a file that can be written",
        ),
        (["RUN", "--smooth", "0"], "--smooth: given 0; allowed: 1 to 100,000"),
        (["RUN", "--x", "days"], "--x: given 'days'; allowed: minutes, steps"),
        (["EMPTY"], "allowed: a run that has logged something in metrics.jsonl"),
    ],
)
def test_a_wrong_word_is_one_line(
    words: list[str], said: str, runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    empty = shutil.copytree(runs[0], tmp_path / "empty")
    (empty / "metrics.jsonl").write_text('{"step": 3')
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    given = {"RUN": runs[0], "EMPTY": str(empty)}
    assert plot.main([given.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1
    assert list(here.iterdir()) == []
