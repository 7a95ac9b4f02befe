"""`python -m tetrax.control`: what it says of runs that are running and of those that are not, and its branches."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.train.test_loop import Listener
from tests.train.test_resume import assert_same_run
from tests.train.toy import toy_config, use_quick_games
from tetrax import control
from tetrax.fields.errors import UserError
from tetrax.live import sending
from tetrax.train.config import load_config
from tetrax.train.folder import mailbox
from tetrax.train.loop import train
from tetrax.train.watch_config import WatchConfig


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


def test_it_steers_a_run(tmp_path: Path, capsys: Any) -> None:
    run, codes = tmp_path / "run", list[int]()

    def steer() -> None:
        while (state := mailbox.read_state(run)) is None or state.state != mailbox.PAUSED:
            time.sleep(0.01)
        for words in (
            ["status"],
            ["reload", "--json"],
            ["set", "agent.learning_rate", "x0.5"],
            ["set", "agent.num_envs", "3"],
            ["save", "--at", "192"],
            ["branch", str(tmp_path / "new")],
            ["resume"],
        ):
            codes.append(control.main([str(run), *words]))

    thread = threading.Thread(target=steer)
    thread.start()
    config = dataclasses.replace(toy_config(), watch=WatchConfig(alerts=("entropy above 0",)))
    train(config, run_dir=run, display=Listener(96, lambda: mailbox.send(run, "pause")))
    thread.join()
    said, errors = capsys.readouterr()
    assert codes[0] == 0
    assert "paused, step 96 of 320, saved at step 96" in said
    assert "alert at step 32: entropy is " in said
    assert "agent.learning_rate: " in said
    assert codes[1:] == [0, 0, 2, 0, 0, 0]
    assert "given 'agent.num_envs', which cannot change in a run" in errors
    assert "waits for step 192" in said
    assert "begins at step 96" in said
    assert control.main([str(run), "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["step"], found["total_steps"]) == ("not running", 320, 320)
    assert "lines" in found["measured"] or "return" in found["measured"]


@pytest.mark.slow
def test_a_branch_goes_on_as_the_run_does(tmp_path: Path, straight: Path) -> None:
    config, first, new = toy_config(), tmp_path / "first", tmp_path / "new"
    train(toy_config(total_steps=96), run_dir=first)
    assert sending.branch(first, new, timeout=1.0) == 96
    assert load_config(new / "config.json") == toy_config(total_steps=96)
    train(config, run_dir=new, resume=True)
    assert_same_run(straight, new, config)
    # Neither disturbs the other, and nothing is written over.
    train(config, run_dir=first, resume=True)
    assert_same_run(straight, first, config)
    with pytest.raises(UserError, match="NEW_DIR: given"):
        sending.branch(first, new, timeout=1.0)
    shutil.rmtree(first / "checkpoints")
    with pytest.raises(UserError, match="allowed: a run that has saved a checkpoint"):
        sending.branch(first, tmp_path / "other", timeout=1.0)
    assert not (tmp_path / "other").exists()


def test_a_run_that_does_not_answer_keeps_nothing(tmp_path: Path, straight: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(straight, run)
    mailbox.Mailbox(run).tell(mailbox.RUNNING, 0, 320, now=True)  # as one in a long chunk
    with pytest.raises(UserError, match=r"save: given to .*, which has not answered in 0.1 seconds"):
        sending.tell(run, "save", (), None, timeout=0.1)
    assert list((run / "control" / "inbox").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "RUN_DIR COMMAND: given nothing; allowed: the folder of a run"),
        (["run"], "RUN_DIR COMMAND: given run"),
        (["run", "stp"], "COMMAND: given 'stp'; allowed: branch, eval"),
        (["run", "set", "agent.clip"], "set: given agent.clip; allowed: NAME VALUE"),
        (["run", "pause", "now"], "pause: given now; allowed: nothing more"),
        (["nowhere", "status"], "RUN_DIR: given nowhere, which does not exist"),
        (["nowhere", "save"], "RUN_DIR: given nowhere, which does not exist"),
        (["run", "save", "--at", "x"], "--at: given 'x'"),
        (["run", "save", "--timeout", "0"], "--timeout: given 0.0; allowed: more than 0 seconds"),
        (["run", "status", "--at", "3"], "--at: given 3; allowed: nothing with status"),
        (["STRAIGHT", "save"], "which is not running; allowed: a run that is being trained"),
        (["STRAIGHT", "set", "agent.learning_rate", "0.1.2"], "given '0.1.2'; allowed: a finite number"),
        (["STRAIGHT", "save", "--at", "-3"], "at: given -3; allowed: an environment step"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], said: str, straight: Path, capsys: Any) -> None:
    assert control.main([str(straight) if word == "STRAIGHT" else word for word in words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1
