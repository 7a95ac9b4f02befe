"""Settings of a wrong type or value are refused by name, or taken as what they can only mean."""

import dataclasses
import math

import numpy as np
import pytest

import tetrax
from tetrax.env.game.pieces import TETROMINOES, Piece
from tetrax.env.reward import RewardRule
from tetrax.env.tetris import EnvConfig
from tetrax.fields.as_json import from_json, to_json

I_AND_O = (TETROMINOES[0], TETROMINOES[3])
WHOLE = "a whole number from"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"pieces": list(TETROMINOES)}, {"pieces": TETROMINOES}),
        ({"pieces": ["I", "O"]}, {"pieces": I_AND_O}),
        ({"pieces": "IO"}, {"pieces": I_AND_O}),
        ({"pieces": [Piece("A", ["##", "##"])]}, {"pieces": (Piece("A", ("##", "##")),)}),
        ({"randomizer": "list", "sequence": ["I", "O"]}, {"randomizer": "list", "sequence": ("I", "O")}),
        ({"randomizer": "list", "sequence": "IO"}, {"randomizer": "list", "sequence": ("I", "O")}),
        (
            {"actions": "chords", "chords": [["left"], ("right", "hard_drop")]},
            {"actions": "chords", "chords": (("left",), ("right", "hard_drop"))},
        ),
        ({"reward": RewardRule(line_values=[0, 1])}, {"reward": RewardRule(line_values=(0, 1))}),
    ],
)
def test_a_list_stands_for_the_tuple_that_is_meant(given, meant):
    env = tetrax.make(**given)
    assert env == tetrax.make(**meant)
    assert hash(env) == hash(tetrax.make(**meant))
    assert from_json(EnvConfig, to_json(env.config)) == env.config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pieces": "IX"}, "rules.pieces: given 'X'; allowed: I, J, L, O, S, T, Z, D"),
        ({"pieces": None}, "rules.pieces: given None; allowed: a tuple or list of Piece records, or names"),
        ({"pieces": [3]}, "rules.pieces: given 3; allowed: I, J"),
        (
            {"pieces": [Piece(1, ("#",))]},
            "rules.pieces: given a piece of name 1; allowed: a letter or a word",
        ),
        (
            {"pieces": [Piece("A", 5)]},
            "rules.pieces: piece 'A' is drawn as 5; allowed: a tuple or list of rows",
        ),
        ({"sequence": 3, "randomizer": "list"}, "rules.sequence: given 3; allowed: a tuple or list of names"),
        (
            {"actions": "chords", "chords": "left"},
            "env.chords: given 'left'; allowed: a tuple or list of chords",
        ),
        (
            {"actions": "chords", "chords": ["left"]},
            r"env.chords\[0\]: given 'left'; allowed: a tuple or list of",
        ),
        ({"time_limit": "5"}, f"env.time_limit: given '5'; allowed: {WHOLE} 0 to 2147483647"),
        ({"time_limit": 5.5}, f"env.time_limit: given 5.5; allowed: {WHOLE} 0"),
        ({"time_limit": None}, f"env.time_limit: given None; allowed: {WHOLE} 0"),
        ({"time_limit": 2**31}, f"env.time_limit: given 2147483648; allowed: {WHOLE} 0 to 2147483647"),
        ({"history": 1.5}, f"env.history: given 1.5; allowed: {WHOLE} 0 to 16"),
        ({"history": "2"}, f"env.history: given '2'; allowed: {WHOLE} 0 to 16"),
        ({"history": True}, f"env.history: given True; allowed: {WHOLE} 0 to 16"),
        ({"hold": 1}, "rules.hold: given 1; allowed: True or False"),
        ({"garbage": None}, "rules.garbage: given None; allowed: True or False"),
        ({"board_features": "yes"}, "env.board_features: given 'yes'; allowed: True or False"),
        ({"rows_per_second": math.nan}, "rules.rows_per_second: given nan; allowed: a number from 0"),
        ({"width": np.float32(10)}, rf"rules.width: given np.float32\(10.0\); allowed: {WHOLE} 1 to 22"),
    ],
)
def test_what_means_nothing_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        tetrax.make(**options)


def test_rules_that_are_none_are_refused_by_name():
    with pytest.raises(ValueError, match=r"env.rules: given 'mini'; allowed: a tetrax Rules record"):
        EnvConfig(rules="mini")
    with pytest.raises(dataclasses.FrozenInstanceError, match="hold"):
        tetrax.make().rules.hold = True


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_parameters_are_finite(value):
    for name in ("reward.lines", "reward.early_loss_pieces", "game.gravity"):
        with pytest.raises(ValueError, match=f"{name}: given {value}; allowed:"):
            tetrax.make(reward="standard").check_param(name, value)
