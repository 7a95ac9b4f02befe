"""The commands keep the compiler's alarms from their users, libraries leave them as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tetrax.system.compiler_messages import LEVEL, hide

ROOT = Path(__file__).parent.parent.parent
SAY_LEVEL = f"import os, sys; sys.stderr.write('level ' + os.environ.get({LEVEL!r}, 'none'))"


@pytest.mark.parametrize(
    ("start", "kept"),
    [
        # JAX, which the command imports, sets 1 where nothing is set: the command has to come before it.
        (["-m", "tetrax.perft", "--help"], "3"),
        (["-c", "import tetrax"], "none"),
    ],
)
def test_only_commands_set_the_level(start, kept, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(f"import atexit; atexit.register(lambda: exec({SAY_LEVEL!r}))")
    environment = {name: value for name, value in os.environ.items() if name != LEVEL}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *start], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0
    assert done.stderr.endswith(f"level {kept}")


def test_what_the_user_wants_to_hear_stays(monkeypatch):
    monkeypatch.setenv(LEVEL, "0")
    hide()
    assert os.environ[LEVEL] == "0"
