"""Where a number is none any more, the state before is left, and from there the same comes again."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

import tetrax
from tests.train.test_loop import Listener
from tests.train.toy import toy_config, use_quick_games
from tetrax.fields.errors import UserError
from tetrax.train import alerts
from tetrax.train.loop import train


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


@pytest.mark.parametrize(
    "checkpoint_seconds",
    [0.0, pytest.param(1e9, marks=pytest.mark.slow)],
    ids=["saved before", "nothing saved"],
)
def test_the_state_before_the_failing_iteration_is_left(tmp_path: Path, checkpoint_seconds: float) -> None:
    """The toy's weights become NaN in iteration 13, the second of its fourth chunk of four iterations of 8 steps."""
    shown = Listener()
    config = toy_config(poison_at=13, checkpoint_seconds=checkpoint_seconds)
    assert train(config, run_dir=tmp_path / "run", display=shown).status == "diverged"
    assert str(tmp_path / "run" / "diverged") in shown.summary.facts["the state before it"]
    left = tetrax.load_diverged(tmp_path / "run")
    assert left.what["step"] == 13 * 8 and left.what["iteration_of_chunk"] == 1
    assert {"weights", "average"} <= {name.strip(".[']") for name in left.what["not_finite"]}
    assert int(left.state.iteration) == 13 and np.isfinite(left.state.weights).all()
    after, _ = jax.jit(left.agent.train)(left.state)
    assert np.isnan(after.weights).all()
    assert [alert["rule"] for alert in alerts.read(tmp_path / "run" / "alerts.jsonl")] == ["nan"]


def test_a_run_that_is_well_has_left_nothing(tmp_path: Path) -> None:
    train(toy_config(total_steps=32), run_dir=tmp_path / "run")
    with pytest.raises(UserError, match="allowed: a run that stopped because a number was none"):
        tetrax.load_diverged(tmp_path / "run")
