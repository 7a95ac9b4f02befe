"""A training that is killed again and again while a page shows it and others steer it: nothing is lost or half read.

TETRAX_KILLS says how often: a few by default; 50 take half an hour.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.train.test_resume import KILLED_RUN, ROOT, assert_same_run, start_process, wait_for_chunks
from tests.train.toy import toy_config, use_quick_games
from tetrax.train.folder import log, mailbox
from tetrax.train.loop import train

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("TETRAX_KILLS", "3"))
STEPS = KILLED_RUN * max(1, KILLS // 3)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """Return the address of a dashboard over the folder."""
    (tmp_path / "runs").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tetrax.dashboard", str(tmp_path / "runs"), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


class Watcher(threading.Thread):
    """Looks at a run from the page, over and over, and keeps whatever was not as it should be."""

    def __init__(self, page: str, run: Path) -> None:
        super().__init__()
        self.page, self.run_folder = page, run
        self.wrong: list[str] = []
        self.seen = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            asked = {"run": str(self.run_folder)}
            answer = httpx.get(f"{self.page}api/run", params=asked, timeout=60)
            curves = httpx.get(f"{self.page}api/curves", params={**asked, "metric": "entropy"}, timeout=60)
            for each in (answer, curves):
                if each.status_code not in (200, 404):  # 404 before there is a run
                    self.wrong.append(f"{each.status_code} {each.text[:200]}")
            if curves.status_code == 200:
                self.wrong += curves.json()["faults"].values()
            mailbox.watch(self.run_folder)
            self.seen += answer.status_code == 200
            time.sleep(0.05)


def test_kills_lose_nothing_while_a_page_and_commands_are_at_it(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_quick_games(monkeypatch.setattr)
    config, folder = toy_config(total_steps=STEPS), tmp_path / "runs" / "killed"
    train(config, run_dir=tmp_path / "straight")
    watcher = Watcher(page, folder)
    watcher.start()
    moments, kills, attempt = random.Random(0), 0, 0
    try:
        while True:
            process = start_process(folder, "resume" if attempt else "new", STEPS)
            wait_for_chunks(process, folder, len(log.read(folder / "metrics.jsonl")) + 2)
            time.sleep(moments.uniform(0, 0.3))  # a chunk with its save takes about 0.05 s
            for command in ("save", "pause", "resume"):
                if (folder / "control" / "inbox").is_dir():
                    mailbox.send(folder, command)
            if (folder / "control" / "inbox").is_dir():
                garbage = folder / "control" / "inbox" / f"{attempt:020d}-1-00000000.json"
                garbage.write_bytes(moments.randbytes(40))
            if kills < KILLS and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            _, errors = process.communicate()
            attempt += 1
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, errors.decode()
    finally:
        watcher.over.set()
        watcher.join()
    assert watcher.wrong == [] and watcher.seen > kills
    assert kills == KILLS
    assert_same_run(tmp_path / "straight", folder, config)
    history = [json.loads(line) for line in (folder / "config_history.jsonl").read_text().splitlines()]
    assert len(history) == kills + 1
