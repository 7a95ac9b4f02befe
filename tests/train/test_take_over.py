"""Beginning with another run's parameters: those that fit are taken as they are, the others are named."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train.toy import toy_config, use_quick_games
from tetrax.agents import AGENTS
from tetrax.agents.agent import Agent
from tetrax.fields.errors import UserError
from tetrax.train import loop, presets, start, take_over
from tetrax.train.config import TrainConfig
from tetrax.train.folder import policy_io
from tetrax.train.folder.checkpoint import named_leaves
from tetrax.train.take_over import Source


def zeros(template: Any) -> Any:
    return jax.tree.map(
        lambda leaf: (
            leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.zeros(leaf.shape, leaf.dtype)
        ),
        template,
    )


def ones(template: Any) -> Any:
    return jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), template)


def agent_and_template(algorithm: str, **agent: Any) -> tuple[Agent, Any]:
    config = presets.find(algorithm, "tiny", actions="drop")
    made = AGENTS[algorithm].make(dataclasses.replace(config.agent, **agent), config.make_env())
    return made, jax.eval_shape(made.init, jax.random.key(0))


@pytest.mark.parametrize(
    ("algorithm", "follows"),
    [
        ("ppo", ()),
        ("dqn", ("target_params",)),
        pytest.param("dreamer", ("slow_critic",), marks=pytest.mark.slow),
        pytest.param("cross-entropy", ("weights.mean",), marks=pytest.mark.slow),
    ],
)
def test_every_agent_begins_with_all_that_acting_needs_and_with_what_follows_it(
    algorithm: str, follows: tuple[str, ...]
) -> None:
    agent, template = agent_and_template(algorithm)
    assert agent.take_over is not None
    state = zeros(template)
    policy = ones(jax.eval_shape(agent.policy, template))
    begun = agent.take_over(state, policy)
    assert jax.tree.structure(begun) == jax.tree.structure(state)
    left = {
        name: leaf for name, leaf in named_leaves(agent.policy(begun)).items() if not np.all(np.asarray(leaf))
    }
    # How it explores and discounts is this run's own.
    assert all(name.split("/")[0] in ("discount", "exploration") for name in left), left
    for path in follows:
        leaf = begun
        for name in path.split("."):
            leaf = getattr(leaf, name)
        assert all(np.all(np.asarray(each) == 1) for each in jax.tree.leaves(leaf))
    untouched = ("optimiser", "env_state", "replay", "tunables", "iteration")
    for name in untouched:
        for leaf in jax.tree.leaves(getattr(begun, name, ())):
            is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            assert is_key or not np.any(np.asarray(leaf)), name


def test_a_run_without_a_target_network_gets_none() -> None:
    agent, template = agent_and_template("dqn")
    if template.target_params is not None:
        template = template.replace(target_params=None)
    assert agent.take_over is not None
    begun = agent.take_over(zeros(template), ones(jax.eval_shape(agent.policy, template)))
    assert begun.target_params is None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_games(monkeypatch.setattr)


def weights(folder: Path) -> np.ndarray:
    return np.asarray(policy_io.load(folder).policy["weights"])


@pytest.mark.parametrize("num_seeds", [1, 2])
@pytest.mark.slow
def test_a_run_begins_with_what_another_has_learned(
    num_seeds: int, straight: Path, tmp_path: Path, quick: None
) -> None:
    config = dataclasses.replace(
        toy_config(learning_rate=0.0, momentum=0.0, total_steps=32, seed=5, num_seeds=num_seeds),
        start_from=str(straight),
    )
    loop.train(config, run_dir=tmp_path / "run")
    np.testing.assert_array_equal(weights(tmp_path / "run"), weights(straight))
    # Afterwards the run stands by itself: it is gone on with where the other is not there any more.
    gone = dataclasses.replace(config, start_from=str(tmp_path / "gone"))
    with pytest.raises(UserError, match="--start-from"):
        loop.train(gone, run_dir=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    longer = dataclasses.replace(config, total_steps=64)
    assert loop.train(longer, run_dir=tmp_path / "run", resume=True).step == 64


def test_what_does_not_fit_begins_anew_and_is_named() -> None:
    _, program = start.make_program(toy_config())
    own = np.asarray(program.initial_state().average)
    taken = jnp.full_like(own, 3.0)
    source = Source(Path("there"), {"weights": taken, "average": jnp.zeros((3, 5)), "more": taken})
    state, said = take_over.put_in(program, program.initial_state(), source)
    np.testing.assert_array_equal(state.weights, taken)
    np.testing.assert_array_equal(state.average, own)
    expected = "begun with 1 of 2 arrays of there; anew: average (float32[3,5] there, float32[3,4] here)"
    assert said == expected


def test_a_run_that_cannot_be_begun_with_is_named(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(config: TrainConfig) -> str:
        with pytest.raises(UserError) as error:
            take_over.read(config)
        return str(error.value)

    def beginning(config: TrainConfig, folder: Path) -> TrainConfig:
        return dataclasses.replace(config, start_from=str(folder))

    tiny = presets.find("ppo", "tiny")
    assert take_over.read(tiny) is None
    assert "is of toy; allowed: a run of ppo" in refused(beginning(tiny, straight))
    assert "does not exist" in refused(beginning(tiny, tmp_path / "nothing"))
    monkeypatch.setattr(
        "tetrax.train.folder.policy_io.load",
        lambda path, network: dataclasses.replace(
            _load(path), policy={"weights": jnp.zeros((9, 9)), "average": jnp.zeros(())}
        ),
    )
    assert "of whose arrays none has the shape" in refused(beginning(toy_config(), straight))
    toy = AGENTS["toy"]
    monkeypatch.setitem(
        AGENTS, "toy", toy._replace(make=lambda config, env: toy.make(config, env)._replace(take_over=None))
    )
    assert "toy, which cannot begin with another" in refused(beginning(toy_config(momentum=0.1), straight))


_load = policy_io.load
