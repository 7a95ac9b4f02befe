"""What does not belong in a run folder, or is not what was written there, costs no training and is no traceback."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.folder.test_checkpoint import assert_same_bits, make_state, no_warning, save
from tests.train.test_loop import Listener
from tests.train.test_resume import assert_same_run
from tests.train.toy import toy_config, use_quick_games
from tetrax.fields.errors import UserError
from tetrax.train import __main__
from tetrax.train.folder import checkpoint, log, policy_io, run_folder
from tetrax.train.loop import train

STRAY = (".DS_Store", "._data", "Thumbs.db", "desktop.ini", ".nfs000000000001", ".fuse_hidden0001")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


@pytest.fixture
def half(straight: Path, tmp_path: Path) -> Path:
    """The same run, whose end is still to come."""
    folder = shutil.copytree(straight, tmp_path / "half")
    for name in ("eval.json", "finished.json"):
        (folder / name).unlink()
    return folder


@pytest.mark.parametrize("name", [*STRAY, "notes.txt"])
@pytest.mark.parametrize("place", [".", "state", "state/d", "state/ocdbt.process_0"])
def test_a_stray_file_does_not_damage_a_checkpoint(tmp_path: Path, name: str, place: str) -> None:
    state = make_state()
    save(tmp_path, 64, state)
    (tmp_path / "000000000064" / place / name).write_bytes(b"\0\0\0\1Bud1")
    found = checkpoint.newest(tmp_path, no_warning)
    assert found is not None
    assert_same_bits(checkpoint.restore(found, state), state)


def test_stray_files_beside_checkpoints_are_none(tmp_path: Path) -> None:
    save(tmp_path, 64, make_state())
    for name in (*STRAY, "000000000128", "0²", "5.txt"):
        (tmp_path / name).write_bytes(b"stray")
    (tmp_path / "96").mkdir()
    assert checkpoint.steps(tmp_path) == [64]
    checkpoint.keep_newest(tmp_path, 1)
    assert checkpoint.newest(tmp_path, no_warning) is not None


def test_a_run_with_stray_files_everywhere_goes_on(half: Path, straight: Path) -> None:
    for folder in [half, *(path for path in half.rglob("*") if path.is_dir())]:
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    shown = Listener()
    result = train(toy_config(), run_dir=half, resume=True, display=shown)
    assert (result.status, result.num_traces, shown.notes) == ("finished", 0, [])
    assert_same_run(straight, half, toy_config())


@pytest.mark.parametrize("name", [*STRAY, "lost+found"])
def test_a_new_run_folder_may_hold_stray_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(b"stray")
    run_folder.create(tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        run_folder.create(tmp_path / "run")


def rewrite(folder: Path, name: str, document: Any) -> None:
    """Change a file of a checkpoint as if it had been written so."""
    (folder / name).write_text(json.dumps(document))
    if name != "checksums.json":
        (folder / "checksums.json").write_text(json.dumps(checkpoint._checksums(folder)))


@pytest.mark.parametrize(
    ("name", "document", "said"),
    [
        ("checkpoint.json", {"step": 2}, "does not say its format"),
        ("checkpoint.json", [1], "no object"),
        (
            "checkpoint.json",
            {"format": 2, "leaves": {}, "config": {}, "versions": {}},
            "does not say its host",
        ),
        (
            "checkpoint.json",
            {"format": 2, "leaves": [], "config": {}, "host": {}, "versions": {}},
            "its leaves",
        ),
        ("checksums.json", [], "no object"),
        ("checksums.json", {}, "does not list checkpoint.json"),
        ("checksums.json", {"checkpoint.json": 1}, "not as it was written"),
    ],
)
def test_a_checkpoint_whose_description_is_not_one_is_damaged(
    tmp_path: Path, name: str, document: Any, said: str
) -> None:
    save(tmp_path, 1, make_state())
    save(tmp_path, 2, make_state())
    rewrite(tmp_path / "000000000002", name, document)
    warnings: list[str] = []
    found = checkpoint.newest(tmp_path, warnings.append)
    assert found is not None and found.step == 1
    assert len(warnings) == 1 and "000000000002 is damaged" in warnings[0] and said in warnings[0]


def test_the_hosts_part_of_another_version_is_refused_by_name(half: Path) -> None:
    newest = half / "checkpoints" / "000000000320"
    document = json.loads((newest / "checkpoint.json").read_text())
    rewrite(newest, "checkpoint.json", {**document, "host": {**document["host"], "mood": 1}})
    with pytest.raises(UserError, match="000000000320: host: given 'mood'; allowed: best, "):
        train(toy_config(), run_dir=half, resume=True)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE])
def test_a_checkpoint_that_cannot_be_read_now_is_not_damaged(
    half: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Training it again would take its place: better stop."""

    def refuse(file: Path) -> str:
        raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setattr(checkpoint, "_digest", refuse)
    with pytest.raises(UserError, match=rf"000000000320/checkpoint\.json: {os.strerror(number)}"):
        train(toy_config(), run_dir=half, resume=True)
    assert checkpoint.steps(half / "checkpoints") == [288, 320]


BAD_LINES = {
    "blank": b"\n",
    "NULs": b"\0" * 4096 + b"\n",
    "not UTF-8": b'{"step": 40, "lines": "\xff\xfe"}\n',
    "a list": b"[1, 2]\n",
    "a number": b"7\n",
    "no step": b'{"lines": 3}\n',
    "a step in words": b'{"step": "forty"}\n',
    "a measure in words": b'{"step": 40, "lines": "many"}\n',
    "deep": b"[" * 100_000 + b"\n",
    "two in one": b'{"step": 40}{"step": 41}\n',
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_of_the_log_is_removed_with_one_warning(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    good = [
        b'{"step": 32, "lines": 1.5}\n',
        b'{"step": 64, "lines": null, "per_seed": {"lines": [1, null]}}\n',
    ]
    path.write_bytes(good[0] + bad + good[1] + b'{"step": 96, "li')
    assert [row["step"] for row in log.read(path)] == [32, 64]
    warnings: list[str] = []
    with log.MetricsLog(path, step=64, warn=warnings.append):
        assert path.read_bytes() == b"".join(good)
    assert len(warnings) == 1 and f"{path}: line 2 holds no metrics" in warnings[0]


def test_many_bad_lines_are_one_warning_and_a_log_of_rows_is_none(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join(line.strip(b"\n") for line in BAD_LINES.values()) + b"\n")
    warnings: list[str] = []
    log.cut_back(path, 10, warnings.append)
    assert (
        len(warnings) == 1 and f"{len(BAD_LINES)} lines, the first of them 1, hold no metrics" in warnings[0]
    )
    path.write_bytes(b'{"step": 32, "lines": 1.5}\r\n{"step": 64}\n{"step"')
    log.cut_back(path, 32, fail)
    assert path.read_bytes() == b'{"step": 32, "lines": 1.5}\r\n'


def fail(text: str) -> None:
    raise AssertionError(text)


@pytest.mark.parametrize("bad", ["blank", "NULs", "not UTF-8", "a list"])
def test_a_run_with_a_bad_line_goes_on(half: Path, straight: Path, bad: str) -> None:
    with (half / "metrics.jsonl").open("ab") as file:
        file.write(BAD_LINES[bad])
    shown = Listener()
    result = train(toy_config(), run_dir=half, resume=True, display=shown)
    assert (result.status, result.num_traces, len(shown.notes)) == ("finished", 0, 1)
    assert "line 11 holds no metrics" in shown.notes[0]
    assert_same_run(straight, half, toy_config())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_policy_that_is_not_finite_is_refused_by_name(straight: Path, tmp_path: Path, value: float) -> None:
    folder = Path(shutil.copytree(straight / "policy", tmp_path / "policy"))
    assert policy_io.load(folder).policy["weights"].shape == (3, 4)
    with np.load(folder / "parameters.npz") as archive:
        arrays = dict(archive)
    arrays["policy/weights"][1, 2] = value
    np.savez(folder / "parameters.npz", **arrays)
    with pytest.raises(
        UserError, match=r"parameters\.npz: policy/weights: given numbers that are NaN or infinite"
    ):
        policy_io.load(folder)


def test_resuming_a_file_says_that_it_is_one(
    half: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert __main__.main(["--resume", str(tmp_path / "notes.txt")]) == 2
    said = capsys.readouterr().err
    assert (
        said
        == f"error: --resume: given {tmp_path}/notes.txt, which is a file; allowed: the folder of a run\n"
    )
    assert __main__.main(["--resume", str(half / "config.json")]) == 2
    assert capsys.readouterr().err.endswith(
        f"which is a file; allowed: the folder of a run; did you mean {half}?\n"
    )
    with pytest.raises(UserError, match="/dev/null, which is a file"):
        run_folder.open_existing(Path("/dev/null"))
