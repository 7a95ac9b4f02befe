"""What a run leaves for people."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tetrax
from tetrax.agents.baselines import BASELINES
from tetrax.env import record
from tetrax.env.game.rules import Rules
from tetrax.train.folder import files
from tetrax.train.report import artifacts
from tetrax.train.report.evaluation import evaluate

ENV = tetrax.make(rules=Rules(width=4, height=8, buffer=4, hold=False, preview=1), actions="drop")


@pytest.mark.slow
def test_the_best_game_is_played_once_for_its_recording_and_all_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[int] = []
    simulate = record._simulate

    def count(*args: Any) -> Any:
        played.append(len(args[-1]))
        return simulate(*args)

    monkeypatch.setattr(record, "_simulate", count)
    result = evaluate(ENV, BASELINES["random"](ENV), episodes=4, max_pieces=20, record=True)
    run: Any = SimpleNamespace(env=ENV, folder=SimpleNamespace(recordings=tmp_path / "recordings"))
    artifacts.record_best(run, [result])
    assert played == [result.steps[result.best]]
    names = {path.name for path in (tmp_path / "recordings").iterdir()}
    assert names == {"best.json", "best.txt", "best.gif", "best.html"}
    recording = record.load(tmp_path / "recordings" / "best.json")
    assert recording.outcome.lines == result.totals["lines"].max()
    record.verify(recording)


def test_what_a_kill_leaves_of_a_recording_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the folder while a recording is being written, a run that goes on discards."""
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(path.name for path in tmp_path.iterdir()))
    record.write_whole(tmp_path / "best.gif", b"a picture")
    assert seen[1:] == ["best.gif"]  # then the folder is written
    (tmp_path / seen[0]).write_bytes(b"half a pic")
    files.discard_leftovers(tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"a picture"]
