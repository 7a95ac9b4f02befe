"""The policies in `pretrained/` load, are small, and play as well as they should."""

from pathlib import Path

import pytest

import tetrax
from tetrax.train.report.evaluation import evaluate

PRETRAINED = Path(__file__).parent.parent / "pretrained"
POLICIES = sorted(path.parent for path in PRETRAINED.glob("*/config.json"))
MOST_BYTES = 1_024_000


def test_there_are_policies_and_each_is_small_and_says_where_it_is_from():
    assert PRETRAINED / "classic-10x10" in POLICIES
    for folder in POLICIES:
        assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
        assert "python -m tetrax.train" in (folder / "README.md").read_text()


@pytest.mark.parametrize("folder", POLICIES, ids=lambda folder: folder.name)
def test_a_policy_loads_and_plays(folder):
    loaded = tetrax.load(folder)
    assert loaded.config.env.preset == folder.name
    result = evaluate(loaded.env, loaded.actor, episodes=16, seed=3, max_pieces=300)
    # About one game in fifty of the classic 10x10 board's best players ends within 300 pieces.
    assert result.capped.sum() >= 14
    assert result.totals["lines"][result.capped].min() > 100
