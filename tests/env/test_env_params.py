"""Numbers of the game and the reward that a configuration puts in place of the rules' own."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import tetrax
from tetrax.env import env_params
from tetrax.env.tetris import EnvConfig


def test_the_numbers_given_are_put_in_place_and_no_others() -> None:
    own, other = (
        env_params.named(tetrax.make(params=params).default_params)
        for params in ((), ("game.starting_garbage=3", "reward.lines=2.5"))
    )
    changed = {name: float(value) for name, value in other.items() if value != own[name]}
    assert changed == {"game.starting_garbage": 3.0, "reward.lines": 2.5}
    assert {name: leaf.dtype for name, leaf in own.items()} == {
        name: leaf.dtype for name, leaf in other.items()
    }


def test_the_game_goes_by_them() -> None:
    params = ["game.starting_garbage=2"]
    env = tetrax.make("mini", actions="drop", observation="bitboards", garbage=True, params=params)
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    filled = [bin(int(row)).count("1") for row in np.asarray(env.observe(state).bitboards).ravel()]
    assert filled[:3] == [3, 3, 0]  # two rows of four cells with a hole each


def test_a_configuration_with_them_is_itself_again() -> None:
    config = tetrax.make(params=("game.gravity=655",)).config
    assert config == EnvConfig(params=["game.gravity=655"])  # type: ignore[arg-type]
    assert hash(config) != hash(EnvConfig())


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (["game.gravty=1"], "did you mean 'game.gravity'"),
        (["game.gravity=1.5"], "game.gravity: given '1.5'; allowed: a whole number"),
        (["game.gravity=x"], "game.gravity: given 'x'; allowed: a whole number"),
        (["reward.lines=nan"], "reward.lines: given 'nan'; allowed: a finite number"),
        (["game.starting_garbage=99"], "game.starting_garbage: given 99; allowed: 0 to 20"),
        (["game.gravity=1", "game.gravity=2"], "given game.gravity twice"),
        (["gravity"], "given 'gravity'; allowed: NAME=VALUE"),
        ([3], "given 3; allowed: NAME=VALUE"),
        ("game.gravity=1", "given 'game.gravity=1'; allowed: a tuple of words"),
        (["reward.discount=0.5"], "given 'reward.discount'; allowed: game.start_level"),  # it is the agent's
    ],
)
def test_what_is_none_of_them_is_named(params: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"env\.params: ") as error:
        tetrax.make(params=params, reward="potential")
    assert said in str(error.value)
