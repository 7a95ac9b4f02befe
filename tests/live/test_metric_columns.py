"""Logs of runs as columns: read on from where they were read to, whatever is in them, let go when there are many."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from tetrax.live.metric_columns import Library, Logged

NEVER = math.inf


def write(path: Path, rows: list[dict], mode: str = "w") -> None:
    with path.open(mode) as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def read(library: Library, run: Path) -> Logged:
    logged = library.columns(run, run / "metrics.jsonl", NEVER)
    assert logged is not None
    return logged


def rows(first: int, last: int) -> list[dict]:
    return [{"step": step, "wall_time": step / 2, "lines": float(step)} for step in range(first, last)]


def test_what_is_added_is_read_and_half_a_line_waits(tmp_path):
    log, library = tmp_path / "metrics.jsonl", Library()
    write(log, rows(0, 3))
    assert read(library, tmp_path).steps.tolist() == [0, 1, 2]
    with log.open("a") as file:
        file.write('{"step": 3, "lines": 3.')
    assert read(library, tmp_path).steps.tolist() == [0, 1, 2]
    with log.open("a") as file:
        file.write('5, "eval/lines": 7}\n')
    logged = read(library, tmp_path)
    assert logged.steps.tolist() == [0, 1, 2, 3]
    assert logged.values["lines"].tolist() == [0, 1, 2, 3.5]
    np.testing.assert_array_equal(logged.values["eval/lines"], [np.nan, np.nan, np.nan, 7])
    np.testing.assert_array_equal(logged.seconds, [0, 0.5, 1, np.nan])


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "written over"])
def test_a_log_that_was_cut_back_is_read_anew(tmp_path, replaced):
    log, library = tmp_path / "metrics.jsonl", Library()
    write(log, rows(0, 100))
    read(library, tmp_path)
    if replaced:
        write(tmp_path / "new", rows(50, 200))
        (tmp_path / "new").rename(log)
    else:
        write(log, rows(50, 200))
    assert read(library, tmp_path).steps.tolist() == list(range(50, 200))


def test_seeds_have_columns_of_their_own(tmp_path):
    write(
        tmp_path / "metrics.jsonl",
        [
            {"step": 1, "lines": 2.0, "per_seed": {"lines": [1.0, 3.0]}},
            {"step": 2, "lines": 4.0, "per_seed": {"lines": [None, 4.0]}},
            {"step": 3, "lines": 5.0},
            {"step": 4, "lines": 5.0, "per_seed": {"lines": [5.0, "x"], "kl": [1.0, 2.0]}},
        ],
    )
    logged = read(Library(), tmp_path)
    nan = np.nan
    np.testing.assert_array_equal(logged.per_seed["lines"], [[1, nan, nan, 5], [3, 4, nan, nan]])
    np.testing.assert_array_equal(logged.per_seed["kl"], [[nan, nan, nan, 1], [nan, nan, nan, 2]])


def test_whatever_else_is_in_a_log_is_left_out(tmp_path):
    good = [b'{"step": 1, "lines": 1}', b'{"step": 9, "lines": null}']
    bad = [
        b"\xff\xfe\x00", b"[1, 2]", b"7", b"", b"{}", b'{"step": "1"}', b'{"step": true}', b'{"step": -1}',
        b'{"step": 1' + b"0" * 400 + b"}", b"[" * 100_000, b'{"step": 2}], [{"step": 3}', b"null",
    ]  # fmt: skip
    odd = (
        b'{"step": 5, "lines": "many", "kl": [1], "huge": 1'
        + b"0" * 400
        + b', "wall_time": {}, "per_seed": 3}'
    )
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join([good[0], *bad, odd, good[1]]) + b"\n")
    logged = read(Library(), tmp_path)
    assert logged.steps.tolist() == [1, 5, 9]
    np.testing.assert_array_equal(logged.values["lines"], [1, np.nan, np.nan])
    assert np.isnan(logged.values["huge"]).all() and not logged.per_seed


def test_a_reading_that_takes_long_goes_on_the_next_time(tmp_path):
    log, library = tmp_path / "metrics.jsonl", Library()
    write(log, [{"step": step, "filling": "x" * 1_000} for step in range(5_000)])
    answers = [library.columns(tmp_path, log, time.monotonic() - 1) for _ in range(3)]  # 2 MiB each time
    assert answers[0] is None and answers[1] is None
    assert answers[2] is not None and len(answers[2].steps) == 5_000


def test_logs_that_were_not_used_lately_are_let_go(tmp_path):
    library = Library(most_bytes=100_000)  # of a log of 1,000 rows and one metric, 20,000
    for number in range(20):
        run = tmp_path / str(number)
        run.mkdir()
        write(run / "metrics.jsonl", rows(0, 1_000))
        assert len(read(library, run).steps) == 1_000
        assert library.size <= 100_000
    assert len(read(library, tmp_path / "0").steps) == 1_000


def test_what_is_no_file_of_the_run_is_not_read(tmp_path):
    run, library = tmp_path / "run", Library()
    run.mkdir()
    write(tmp_path / "elsewhere.jsonl", rows(0, 3))
    (run / "metrics.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    for target in (tmp_path / "elsewhere.jsonl", Path("/dev/zero"), run / "metrics.jsonl"):
        (run / "metrics.jsonl").unlink()
        (run / "metrics.jsonl").symlink_to(target)
        with pytest.raises(OSError):
            library.columns(run, run / "metrics.jsonl", NEVER)
