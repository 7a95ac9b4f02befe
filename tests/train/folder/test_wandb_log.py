"""Weights & Biases gets what metrics.jsonl has; nothing here leaves the machine."""

from __future__ import annotations

import builtins
import dataclasses
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.train.toy import toy_config, use_quick_games
from tetrax.fields.errors import UserError
from tetrax.train.folder import log, wandb_log
from tetrax.train.loop import train

wandb = pytest.importorskip("wandb")


def records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a log in LevelDB's form: blocks of 32 KiB; checksum, length and kind before each part."""
    place, whole = 7, b""  # the file's own header
    while place + 7 <= len(content):
        left = 32_768 - place % 32_768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def read(run: Path) -> tuple[dict[int, dict[str, Any]], set[str]]:
    """Return what all parts of a run tell by step, and the names that they have there."""
    from wandb.proto import wandb_internal_pb2

    told: dict[int, dict[str, Any]] = {}
    ids = set()
    for file in sorted(run.glob("wandb/offline-run-*/run-*.wandb")):
        for data in records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.HasField("run"):
                ids.add(record.run.run_id)
            if record.HasField("history"):
                items = {
                    item.key or ".".join(item.nested_key): item.value_json for item in record.history.item
                }
                told[int(items["step"])] = items
    return told, ids


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_run_and_its_resumed_part_are_one_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = tmp_path / "run"
    first = dataclasses.replace(toy_config(total_steps=96), wandb="tests")
    train(first, run_dir=run)
    train(dataclasses.replace(first, total_steps=192), run_dir=run, resume=True)
    rows = log.read(run / "metrics.jsonl")
    deadline = time.monotonic() + 60  # its own process may still be writing
    told, ids = read(run)
    while len(told) < len(rows) and time.monotonic() < deadline:
        time.sleep(0.2)
        told, ids = read(run)
    assert ids == {(run / "wandb" / wandb_log.ID_FILE).read_text()}
    assert sorted(told) == [row["step"] for row in rows]
    for row in rows:
        assert float(told[row["step"]]["entropy"]) == pytest.approx(row["entropy"])


def test_without_the_library_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "wandb":
            raise ImportError(name)
        return whole(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    config = toy_config()
    with pytest.raises(UserError, match=r"--wandb: .*not installed.*\[wandb\]"):
        train(dataclasses.replace(config, wandb="tests"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
