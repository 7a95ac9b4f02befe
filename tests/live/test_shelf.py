"""Which runs there are in some folders, and what each does: of whole ones, half ones, and what is none."""

import json
import os
import socket
from pathlib import Path

import pytest

from tests.live.web.made_runs import add_row, make_run, make_sweep
from tetrax.live import run_report, shelf
from tetrax.live.shelf import Shelf
from tetrax.train.folder import mailbox
from tetrax.train.folder.mailbox import Mailbox


def names(found) -> list[str]:
    return sorted(entry.name for entry in found)


def test_runs_are_found_in_folders_of_runs_and_by_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/a", "runs/curriculum/stage-01", "other/b", "runs/.hidden/c", "runs/a/inner"):
        make_run(tmp_path / name)
    make_sweep(tmp_path / "runs" / "sweep")
    roots = [tmp_path.relative_to(tmp_path) / "runs", tmp_path.relative_to(tmp_path) / "other/b"]
    found = shelf.find(roots)
    assert names(found) == ["other/b", "runs/a", "runs/curriculum/stage-01", "runs/sweep"]
    assert [entry.name for entry in found if entry.is_sweep] == ["runs/sweep"]
    assert shelf.find([tmp_path / "not there"]) == []


def test_links_that_lead_in_a_circle_are_followed_once(tmp_path):
    make_run(tmp_path / "a")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "latest").symlink_to(tmp_path / "a")
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "up").symlink_to(tmp_path)
    assert len(shelf.find([tmp_path])) == 1


def test_a_summary_says_what_a_run_does(tmp_path):
    run = make_run(tmp_path / "a")
    runs = Shelf([tmp_path])
    (entry,) = runs.entries().values()
    told = runs.summary(entry)
    assert (told["title"], told["state"], told["step"]) == ("ppo · small · guideline", "stopped", 4000)
    assert told["measured"] == {"name": "lines", "value": 3.0, "step": 4000}
    assert told["evaluated"] == {"name": "eval/lines", "value": 8000.0, "step": 4000}
    assert told["fault"] is None
    add_row(run, 5000, lines=None, **{"running/lines": 7.0})
    told = runs.summary(entry)
    assert told["measured"] == {"name": "running/lines", "value": 7.0, "step": 5000}
    assert told["evaluated"]["step"] == 4000
    Mailbox(run).tell(mailbox.PAUSED, 6000, 8000, now=True)
    assert (runs.summary(entry)["state"], runs.summary(entry)["step"]) == ("paused", 6000)
    Mailbox(run).tell(mailbox.ENDED, 6000, 8000, now=True)
    assert runs.summary(entry)["state"] == "stopped"
    (run / "finished.json").write_text('{"step": 6000}')
    assert runs.summary(entry)["state"] == "finished"


@pytest.mark.parametrize("host", [socket.gethostname(), "another machine"])
def test_a_run_whose_process_is_gone_is_not_running_and_one_elsewhere_may_be(tmp_path, host):
    run = make_run(tmp_path / "a")
    (run / "control").mkdir()
    state = {
        "state": "running",
        "step": 1,
        "total_steps": 9,
        "pid": 2**22 + 1,
        "process_start": "1",
        "host": host,
    }
    (run / "control" / "state.json").write_text(json.dumps(state))
    runs = Shelf([tmp_path])
    (entry,) = runs.entries().values()
    told = runs.summary(entry)
    here = host == socket.gethostname()
    assert (told["state"], told["host"]) == (("stopped", None) if here else ("running", host))


def test_a_folder_that_nobody_may_look_into_is_no_end_of_the_list(tmp_path, monkeypatch):
    make_run(tmp_path / "closed")
    runs = Shelf([tmp_path])
    (entry,) = runs.entries().values()
    stat = Path.stat

    def closed(path, **how):
        if entry.path in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", closed)
    assert runs.summary(entry)["state"] == "stopped"
    assert run_report.describe(entry)["has_policy"] is False


def test_garbage_is_said_run_by_run(tmp_path):
    make_run(tmp_path / "good")
    contents = {"no json": b"{", "a list": b"[]", "bytes": b"\xff\x00", "deep": b"[" * 100_000, "empty": b""}
    for name, content in contents.items():
        (make_run(tmp_path / name) / "config.json").write_bytes(content)
    (make_run(tmp_path / "half deleted") / "config.json").unlink()
    zero = make_run(tmp_path / "zero")
    (zero / "config.json").unlink()
    (zero / "config.json").symlink_to("/dev/zero")
    (zero / "control").mkdir()
    (zero / "control" / "state.json").symlink_to("/dev/zero")
    pipe = make_run(tmp_path / "pipe", rows=0)
    os.mkfifo(pipe / "metrics.jsonl")
    (make_run(tmp_path / "odd") / "config.json").write_text(
        '{"algorithm": 7, "env": [], "total_steps": "many", "preset": {}}'
    )
    runs = Shelf([tmp_path])
    told = {name.rpartition("/")[2]: runs.summary(entry) for name, entry in runs.entries().items()}
    assert told["good"]["fault"] is None and told["odd"]["fault"] is None
    for name in (*contents, "half deleted", "zero", "pipe"):
        assert told[name]["fault"], name
    assert told["half deleted"]["step"] == 4000  # what can be read is told
    json.dumps(told, allow_nan=False)
