"""Stopping says what is true: what was saved, and when the run stops; and never ends in a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.train.test_loop import Listener
from tests.train.toy import toy_config, use_quick_games
from tetrax.train import start
from tetrax.train.folder import checkpoint
from tetrax.train.loop import train
from tetrax.train.report import artifacts
from tetrax.train.sweep import sweep
from tetrax.train.sweep.sweep_members import Sweep

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


def interrupt(*_: Any, **__: Any) -> Any:
    """Stand for the user's Ctrl-C while this function is at work."""
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass  # Python runs the handler between two of its instructions
    raise AssertionError("the signal did not come")


def stopped(run_dir: Path, shown: Listener, **how: Any) -> None:
    result = train(toy_config(), run_dir=run_dir, display=shown, **how)
    assert (result.status, result.exit_code) == ("stopped", 130)
    assert shown.notes == ["Stopping; once more to quit at once."]
    assert shown.summary.commands["resume with"].endswith(f"--resume {run_dir}")


def test_stopped_while_compiling_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Listener()
    with monkeypatch.context() as patch:
        patch.setattr(start, "prepare", interrupt)
        stopped(tmp_path / "run", shown)
    assert shown.summary.headline == "Stopped at 0 of 320 steps; nothing is trained yet."
    assert "" not in shown.summary.facts.values(), "a line without anything in it"
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == []
    assert train(toy_config(), run_dir=tmp_path / "run", resume=True).status == "finished"


def test_stopped_while_compiling_a_resumed_run_all_that_was_trained_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(toy_config(total_steps=96), run_dir=tmp_path / "run")
    shown = Listener()
    monkeypatch.setattr(start, "prepare", interrupt)
    stopped(tmp_path / "run", shown, resume=True)
    assert shown.summary.headline == "Stopped at 96 of 320 steps; everything is saved."
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [64, 96]


def test_stopped_in_the_evaluation_at_the_end_it_is_still_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Listener()
    monkeypatch.setattr(artifacts, "evaluate_at_end", interrupt)
    stopped(tmp_path / "run", shown)
    expected = "Stopped at 320 of 320 steps; the training is saved, and its evaluation is still to come."
    assert shown.summary.headline == expected
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [288, 320]


def test_a_sweep_stopped_while_compiling_has_measured_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Listener()
    monkeypatch.setattr(sweep, "_plan", interrupt)
    points = ({"learning_rate": 0.1}, {"learning_rate": 0.2})
    config = toy_config(num_seeds=2)
    result = sweep.run(Sweep(config, points, metric="eval/lines"), run_dir=tmp_path / "run", display=shown)
    assert (result.status, result.exit_code, result.results) == ("stopped", 130, None)
    assert shown.summary.headline.startswith("Stopped before anything was measured")


# What a shell starts in the background ignores Ctrl-C, and so would all that these tests start there.
FROM_A_TERMINAL = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
)


def run_python(words: list[str], environment: dict[str, str] | None = None) -> Any:
    """Run Python as a terminal would start it."""
    command = [sys.executable, "-c", FROM_A_TERMINAL, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("command", "library"),
    [
        ("tetrax.train", "gymnasium"),
        ("tetrax.train", "jax"),
        ("tetrax.train", "tyro"),
        ("tetrax.evaluate", "tyro"),
        ("tetrax.perft", "numpy"),
    ],
)
def test_ctrl_c_in_the_first_imports_is_one_line(tmp_path: Path, command: str, library: str) -> None:
    """The library is one in whose import the user loses patience, and which takes Ctrl-C for a failed import."""
    impatient = (
        "import os, signal\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    for _ in range(1000): pass\n"
        "except KeyboardInterrupt:\n"
        "    raise ImportError('failed') from None\n"
        "raise AssertionError('the signal did not come')\n"
    )
    (tmp_path / f"{library}.py").write_text(impatient)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    done = run_python(["-m", command, "--help"], environment)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "stopped before anything began\n"


def test_ctrl_c_is_an_exception_again_once_the_command_runs(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv[0] = '-m'\n"
        "import tetrax, os, signal\n"
        "from tetrax.fields.errors import exit_code\n"
        "sys.exit(exit_code(lambda words: os.kill(os.getpid(), signal.SIGINT) or 0, [], 'stopped by hand'))\n"
    )
    done = run_python(["-c", code])
    assert (done.returncode, done.stderr) == (130, "stopped by hand\n")


def test_importing_tetrax_leaves_ctrl_c_alone() -> None:
    code = "import signal, tetrax; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    done = run_python(["-c", code])
    assert done.returncode == 0, done.stderr
