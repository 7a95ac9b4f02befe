"""Scripts in which other learners train several players, where those are installed: with us they are not.

RLlib pins gymnasium and both want torch, so that `.[dev]` has neither: the scripts say how to install them.
"""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"


def run(script, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, EXAMPLES / script, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return [list(map(float, re.findall(r"-?\d+\.?\d*", line))) for line in done.stdout.splitlines()]


def need(*packages, script):
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            pytest.skip(f"{error}: it belongs into an environment of its own, see examples/{script}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rewards", "policies", "highest"),
    [("cooperative", "shared", 80), ("competitive", "separate", 30)],  # of two targets, without the steps
)
def test_rllib_trains_the_grid_world(rewards, policies, highest):
    script = "rllib_grid_world.py"
    need("ray.rllib", "torch", script=script)
    words = ("--rewards", rewards, "--policies", policies, "--iterations", "2", "--steps", "500")
    told = [numbers for numbers in run(script, *words) if numbers]
    assert [numbers[0] for numbers in told] == [1, 2]
    for iteration, steps, mean_return, length in told:
        assert steps >= 500 * iteration
        assert -10 <= mean_return <= highest and 1 <= length <= 50


@pytest.mark.slow
def test_stable_baselines3_trains_the_grid_world():
    script = "stable_baselines3_grid_world.py"
    need("stable_baselines3", "supersuit", script=script)
    before, after = run(script, "--steps", "4096")
    assert (before[0], after[0]) == (0, 4096)
    for _, mean_return, length in (before, after):
        assert -5 <= mean_return <= 40 and 1 <= length <= 50
