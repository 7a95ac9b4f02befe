"""Training, loading and evaluating with things of a wrong kind, from Python: one clear error each, and no folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import pytest

import tetrax
from tests.agents.chain import Chain
from tetrax import games
from tetrax.agents import cross_entropy, dqn, ppo
from tetrax.agents.baselines import random
from tetrax.env.tetris import make
from tetrax.fields.errors import UserError
from tetrax.networks.network_config import NetworkConfig
from tetrax.train import presets
from tetrax.train.config import load_config
from tetrax.train.loop import train
from tetrax.train.report.evaluation import evaluate

TINY: Any = presets.find("ppo", "tiny")
ENV = make("mini", actions="drop")
SMALL = ppo.PPOConfig(num_envs=4, num_steps=4)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: ppo.make(None, Chain()), TypeError, "config: given None; allowed: a PPOConfig"),
        (lambda: ppo.make(dqn.DQNConfig(), Chain()), TypeError, "config: given a DQNConfig; allowed: a PPOConfig"),
        (lambda: dqn.make(SMALL, Chain()), TypeError, "config: given a PPOConfig; allowed: a DQNConfig"),
        (lambda: ppo.make(SMALL, "mini"), TypeError, "env: given 'mini'; allowed: a game, as tetrax.make gives it"),
        (
            lambda: cross_entropy.make(cross_entropy.CrossEntropyConfig(), 3),
            TypeError,
            "env: given 3; allowed: a game",
        ),
        (
            lambda: ppo.make(dataclasses.replace(SMALL, network=None), Chain()),
            ValueError,
            "agent.network: given None; allowed: a NetworkConfig",
        ),
        (
            lambda: ppo.make(dataclasses.replace(SMALL, network=NetworkConfig(hidden=32)), Chain()),
            ValueError,
            "agent.network.hidden: given 32; allowed: a tuple or list",
        ),
        (lambda: ppo.make(SMALL, Chain()).init(0), TypeError, "key: given 0; allowed: one typed Threefry key"),
        (lambda: games.make("tetriz", None), ValueError, "game: given 'tetriz'; allowed: tetris, gymnax, gymnasium"),
        (lambda: games.find(None), TypeError, "game: given None; allowed: tetris, cartpole"),
        (lambda: presets.find("pp0", "small"), UserError, "algorithm: given 'pp0'; .* did you mean 'ppo'"),
        (lambda: load_config(3), TypeError, "path: given 3; allowed: a name, or a Path"),
        (lambda: tetrax.load(None), TypeError, "path: given None; allowed: a name, or a Path"),
        (lambda: evaluate("mini", random(ENV), episodes=1), TypeError, "env: given 'mini'; allowed: a game"),
        (lambda: evaluate(ENV, None, episodes=1), TypeError, "actor: given None; allowed: an Actor"),
        (
            lambda: evaluate(ENV, ppo.make(SMALL, ENV), episodes=1),
            TypeError,
            "actor: given an Agent; allowed: an Actor",
        ),
    ],
)  # fmt: skip
def test_what_is_no_game_no_settings_and_no_actor(
    call: Callable[[], Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        call()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"algorithm": "pp0"}, "algorithm: given 'pp0'; allowed: .* did you mean 'ppo'"),
        ({"algorithm": "dqn"}, "--agent: given a PPOConfig; allowed: a DQNConfig"),
        ({"agent": None}, "--agent: given None; allowed: a PPOConfig"),
        ({"env": "mini"}, "--env: given 'mini'; allowed: an EnvConfig"),
        ({"evaluation": None}, "--evaluation: given None; allowed: an EvalConfig"),
        ({"total_steps": "9"}, "--total-steps: given '9'; allowed: a whole number"),
        ({"seed": 1.5}, "--seed: given 1.5; allowed: a whole number"),
        ({"num_seeds": True}, "--num-seeds: given True; allowed: a whole number"),
        ({"checkpoint_seconds": "often"}, "--checkpoint-seconds: given 'often'; allowed: a number"),
    ],
)
def test_a_configuration_of_wrong_things(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        train(dataclasses.replace(TINY, **change), run_dir=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_configuration_and_no_folder() -> None:
    with pytest.raises(TypeError, match="config: given a dict; allowed: a TrainConfig"):
        train({}, run_dir="run")  # type: ignore[arg-type]
    for given in ("", "a\0b"):
        with pytest.raises(ValueError, match=r"run_dir: given .*; allowed: a name, or a Path"):
            train(TINY, run_dir=given)
    for given in (None, 3):
        with pytest.raises(TypeError, match=f"run_dir: given {given}; allowed: a name, or a Path"):
            train(TINY, run_dir=given)  # type: ignore[arg-type]


def test_lists_are_taken_for_tuples() -> None:
    assert NetworkConfig(hidden=[8, 8]) == NetworkConfig(hidden=(8, 8))  # type: ignore[arg-type]
    assert hash(dataclasses.replace(SMALL, network=NetworkConfig(channels=[4])))  # type: ignore[arg-type]
    key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
    jax.eval_shape(ppo.make(SMALL, Chain()).init, key)
