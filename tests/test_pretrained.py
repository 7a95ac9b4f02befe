"""The policies in `pretrained/` load, are small, play today's games, and play them as well as they should."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import tetrax
from benchmarks import ship_policy
from benchmarks.records import RESULTS
from tetrax import evaluate as evaluate_entry
from tetrax.env import tetris
from tetrax.fields.errors import UserError
from tetrax.live import contestants
from tetrax.live.play import guest
from tetrax.search.attack_weights import ATTACK_WEIGHTS, flatten
from tetrax.search.playing import BeamSettings
from tetrax.train import presets
from tetrax.train.command import acting_words

PRETRAINED = Path(__file__).parent.parent / "pretrained"
POLICIES = sorted(path.parent for path in PRETRAINED.glob("*/config.json"))
ALONE = [folder for folder in POLICIES if folder.name != "versus"]  # policies of one board
MOST_BYTES = 1_024_000


def names(folders):
    return [folder.name for folder in folders]


def test_there_are_policies_and_each_is_small_and_says_where_it_is_from():
    assert {"attack-50", "classic-10x10", "guideline", "versus"} <= set(names(POLICIES))
    page = (PRETRAINED / "README.md").read_text()
    for folder in POLICIES:
        assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
        assert "python -m tetrax.train" in (folder / "README.md").read_text()
        assert f"[{folder.name}]({folder.name}/README.md)" in page


@pytest.mark.parametrize("folder", POLICIES, ids=lambda folder: folder.name)
@pytest.mark.slow
def test_a_policy_plays_the_game_of_its_name_as_it_is_today(folder, monkeypatch):
    """Files of policies name no version of the environment: they go on with its rules as these are now."""
    monkeypatch.setattr(tetris, "ENV_VERSION", tetris.ENV_VERSION + 1)
    loaded = tetrax.load(folder)
    if folder in ALONE:
        assert loaded.config.env.preset == folder.name
        assert loaded.env.rules == tetrax.make(folder.name).rules
    else:
        assert loaded.config.env == presets.find("mappo", "small", game="versus").env
    assert all(leaf.size for leaf in jax.tree.leaves(loaded.policy))


def test_who_knows_of_an_end_plays_games_that_have_none():
    """With people, in front ends and in matches nobody stops after the fiftieth placement."""
    folder = str(PRETRAINED / "attack-50")
    loaded = acting_words.load_endless(folder, {})
    assert loaded.config.agent.placements == 0 < tetrax.load(folder).config.agent.placements
    assert guest.invite(folder, None).name == contestants.know(folder).name == folder
    with pytest.raises(UserError, match=r"agent\.placements: given 0; allowed: 1 or more, to learn"):
        loaded.config.validate()


@pytest.mark.parametrize(
    "folder", [each for each in ALONE if each.name != "attack-50"], ids=lambda each: each.name
)
@pytest.mark.slow
def test_a_policy_plays(folder):
    result = tetrax.evaluate_policy(folder, episodes=16, seed=3, max_pieces=300)
    # About one game in fifty of the classic 10x10 board's best players ends within 300 pieces.
    assert result.capped.sum() >= 14
    assert result.totals["lines"][result.capped].min() > 100


@pytest.mark.slow
def test_the_planner_for_attack_sends_what_it_is_shipped_for():
    """It sends 52.1 rows in 50 placements, a game 4.9 more or less: eight games come to 46 or more."""
    result = tetrax.evaluate_policy(PRETRAINED / "attack-50", episodes=8, seed=3, max_pieces=50)
    assert result.capped.all()
    assert result.totals["attack"].mean() > 46


@pytest.mark.slow
def test_the_policy_for_versus_wins_against_who_never_learned_to_attack(capsys):
    """It wins 97.7% of the games; of 32 it loses more than five once in ten thousand times."""
    words = ["--versus", str(PRETRAINED / "versus"), str(PRETRAINED / "guideline")]
    assert evaluate_entry.main([*words, "--episodes", "32", "--max-pieces", "20000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["losses"]["mean"] * 32 <= 5 and told["capped"] == 0


def test_the_beam_search_by_name_has_the_weights_of_the_policy():
    weights = tetrax.load(PRETRAINED / "attack-50").policy.weights
    np.testing.assert_array_equal(weights, flatten(ATTACK_WEIGHTS[BeamSettings().weights]))


def test_the_page_of_the_guideline_is_made_of_its_numbers():
    data = [
        json.loads((RESULTS / "guideline" / f"{name}.json").read_text())
        for name in ("training", "evaluation")
    ]
    assert (PRETRAINED / "guideline" / "README.md").read_text() == ship_policy.page("guideline", *data)


def test_a_page_says_what_was_measured():
    training = {
        "algorithm": "PPO",
        "preset": "small",
        "seed": 0,
        "command": "python -m tetrax.train --seed 0",
        "machine": "one core",
        "points": [[8_192, 1.5, 0.5, 9, None], [802_816, 90.4, None, 0, 198.5]],
    }
    evaluation = {
        "title": "guideline, drop",
        "command": "python -m tetrax.evaluate pretrained/x --seed 1",
        "value": 3_990.25,
        "interval": [3_980.0, 4_000.5],
        "result": {"episodes": 256, "capped": 254, "max_pieces": 10_000},
    }
    page = ship_policy.page("x", training, evaluation)
    for said in (
        "A policy of the game `guideline, drop`, learned by PPO (preset small, seed 0) in 90 seconds.",
        "Mean of 256 games of at most 10,000 pieces: 3,990.2 lines (95% interval 3,980.0 to 4,000.5).",
        "2 of them were lost before that.",
        "802,816 steps on one core.",
        "python -m tetrax.evaluate pretrained/x --seed 1",
    ):
        assert said in page
    evaluation["result"]["capped"] = 256
    assert "None of them was lost before that." in ship_policy.page("x", training, evaluation)


def test_a_shipped_command_names_no_folder():
    assert ship_policy._command(["x/__main__.py", "ppo", "--run-dir", "runs/a", "--seed", "0"]) == (
        "python -m tetrax.train ppo --seed 0"
    )
