"""What Python offers of training: configurations, runs with a network of one's own, sweeps, evaluations."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.train.toy import toy_config, use_quick_games
from tetrax import evaluate as evaluate_entry
from tetrax.agents import baselines
from tetrax.agents.agent import Actor
from tetrax.fields.errors import UserError
from tetrax.train import __main__ as train_entry
from tetrax.train import presets
from tetrax.train.config import TrainConfig, from_json, load_config, to_json
from tetrax.train.folder import policy_io
from tetrax.train.report.display import SilentDisplay

MINI = tetrax.make("mini", actions="drop", reward="survival")
NO_GAMES = {"every": 0, "final_episodes": 0}


class Scorer(nn.Module):
    """Score each placement by what it leaves, and the game by their mean."""

    hidden: tuple[int, ...] = (4,)
    activation: Any = nn.tanh

    @nn.compact
    def __call__(self, observation: Any) -> Any:
        encoded = observation.afterstates.features
        for size in self.hidden:
            encoded = self.activation(nn.Dense(size)(encoded))
        return nn.Dense(1)(encoded)[..., 0], nn.Dense(1)(encoded.mean(axis=-2))[..., 0]


DESCRIBED = "Scorer(hidden=(4,), activation=tanh)"


def own_config(**settings: Any) -> TrainConfig:
    return tetrax.configure("ppo", "tiny", env=MINI, network=Scorer(), **settings)


def test_a_configuration_is_a_preset_with_settings_over_it() -> None:
    config = tetrax.configure(
        "dqn",
        "tiny",
        env=MINI,
        seed=3,
        agent={"num_envs": 4, "network": {"hidden": (7, 8)}},
        evaluation=NO_GAMES,
    )
    base = presets.find("dqn", "tiny")
    network = dataclasses.replace(base.agent.network, hidden=(7, 8))
    assert config == dataclasses.replace(
        base,
        env=MINI.config,
        seed=3,
        agent=dataclasses.replace(base.agent, num_envs=4, network=network),
        evaluation=dataclasses.replace(base.evaluation, every=0, final_episodes=0),
    )
    keys = tetrax.configure("ppo", "tiny", env=tetrax.make("mini"))
    assert keys.agent == presets.find("ppo", "tiny", actions="direct").agent
    boards = tetrax.configure(
        "dqn", "small", env=tetrax.make(actions="drop", observation="afterstate_boards")
    )
    assert boards.agent == presets.find("dqn", "small", "drop", "afterstate_boards").agent


def reward(rules: Any, params: Any, before: Any, after: Any, event: Any) -> Any:
    return jnp.float32(0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"algorithm": "pp0"},
            "algorithm: given 'pp0'; allowed: alphazero, beam, beam-value, cross-entropy, dqn, dreamer, mappo, ppo",
        ),
        ({"preset": "tinny"}, "--preset: given 'tinny'; allowed: large, small, tiny; did you mean 'tiny'?"),
        ({"env": 3}, "env: given 3; allowed: what tetrax.make gives"),
        ({"env": "tetrix"}, "game: given 'tetrix'; allowed: tetris, cartpole"),
        (
            {"env": tetrax.make("mini", actions="drop", reward=reward)},
            "env.reward: given the function reward",
        ),
        ({"total_step": 3}, "settings: given 'total_step'; allowed: "),
        ({"game": "gymnax"}, "game: given 'gymnax'; allowed: an argument of configure"),
        ({"agent": {"learning_rat": 1.0}}, "did you mean 'learning_rate'?"),
        ({"agent": {"learning_rate": "fast"}}, "agent.learning_rate: given 'fast'; allowed: a number"),
        ({"agent": 3}, "agent: given 3; allowed: an object with the fields of PPOConfig"),
        ({"total_steps": 1e5}, "total_steps: given 100000.0; allowed: an integer"),
        ({"total_steps": np.int64(5)}, "total_steps: given"),
        ({"agent": {"num_minibatches": 3}}, "agent.num_minibatches: given 3; allowed: a divisor"),
        ({"network": Scorer}, "network: given the class Scorer; allowed: a flax.linen module"),
        (
            {"algorithm": "cross-entropy", "network": Scorer()},
            "network: given one with algorithm cross-entropy",
        ),
    ],
)
def test_what_cannot_be_configured_is_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        tetrax.configure(**{"algorithm": "ppo", "preset": "tiny", "env": MINI, **arguments})
    assert said in str(error.value)


def test_a_file_describes_a_network_of_ones_own() -> None:
    config = own_config()
    document = json.loads(json.dumps(to_json(config)))
    assert document["network"] == DESCRIBED
    read = from_json(document)
    assert read == dataclasses.replace(config, network=DESCRIBED)
    assert to_json(read) == document
    assert read.with_network(Scorer()) == config
    assert "network" not in to_json(presets.find("ppo", "tiny"))


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            Scorer((5,)),
            f"network: given Scorer(hidden=(5,), activation=tanh); allowed: {DESCRIBED}, with which",
        ),
        # Parameters of another activation have the same shapes: nothing else would tell.
        (Scorer(activation=nn.relu), f"given Scorer(hidden=(4,), activation=relu); allowed: {DESCRIBED}"),
        (Scorer, "network: given the class Scorer"),
    ],
)
def test_another_network_than_the_one_described_is_refused(network: Any, said: str) -> None:
    with pytest.raises(ValueError) as error:
        from_json(to_json(own_config())).with_network(network)
    assert said in str(error.value)
    with pytest.raises(ValueError, match=r"given Scorer\(.*\); allowed: none, as in training"):
        presets.find("ppo", "tiny").with_network(Scorer())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a new policy of a network of one's own, as training leaves it."""
    folder = tmp_path_factory.mktemp("own") / "run"
    config = own_config()
    agent = config.make_agent()
    policy = jax.jit(lambda key: agent.policy(agent.init(key)))(jax.random.key(1))
    policy_io.export(config, policy, folder / "policy")
    (folder / "config.json").write_text(json.dumps(to_json(config)))
    return folder


def test_a_policy_is_loaded_with_its_network(exported: Path) -> None:
    loaded = tetrax.load(exported, network=Scorer())
    assert loaded.config == own_config()
    with np.load(exported / "policy" / "parameters.npz") as archive:
        kernel = archive["policy/params/params/Dense_0/kernel"]
    assert kernel.shape == (12, 4)
    np.testing.assert_array_equal(loaded.policy.params["params"]["Dense_0"]["kernel"], kernel)


def test_without_its_network_a_policy_is_refused_by_every_way(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = f"network: given none; allowed: {DESCRIBED}"
    with pytest.raises(UserError, match="given none; allowed: Scorer"):
        tetrax.load(exported)
    with pytest.raises(UserError, match="given none; allowed: Scorer"):
        tetrax.resume_agent(exported)
    with pytest.raises(UserError, match=r"given Scorer\(hidden=\(5,\)"):
        tetrax.resume_agent(exported, network=Scorer((5,)))
    before = sorted(exported.rglob("*"))
    assert evaluate_entry.main([str(exported)]) == 2
    assert said in capsys.readouterr().err
    for flag in ("--resume", "--config"):
        given = exported if flag == "--resume" else exported / "config.json"
        assert train_entry.main([flag, str(given)]) == 2
        assert said in capsys.readouterr().err
    assert sorted(exported.rglob("*")) == before


def test_no_flag_gives_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_entry.main(["--network", "x"]) == 2
    assert "unknown flag: given --network" in capsys.readouterr().err
    assert train_entry.main(["--help"]) == 0
    assert "--network" not in capsys.readouterr().out


class Listener(SilentDisplay):
    def __init__(self) -> None:
        self.steps: list[int] = []

    def row(self, row: Any, scene: Any) -> None:
        self.steps.append(row["step"])


def test_runs_are_trained_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_quick_games(monkeypatch.setattr)
    config = toy_config(total_steps=96)  # three chunks of 32
    shown = Listener()
    result = tetrax.train_agent(config, tmp_path / "run", display=shown)
    assert (result.status, result.step, shown.steps) == ("finished", 96, [32, 64, 96])
    result = tetrax.resume_agent(tmp_path / "run", total_steps=128, agent={"learning_rate": 0.25}, quiet=True)
    assert (result.status, result.step) == ("finished", 128)
    assert load_config(tmp_path / "run" / "config.json").agent.learning_rate == 0.25
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match="holds a run already"):
        tetrax.train_agent(config, tmp_path / "run")
    with pytest.raises(UserError, match="momentum"):
        tetrax.resume_agent(tmp_path / "run", agent={"momentum": 0.5})


def test_a_refused_run_leaves_no_folder(tmp_path: Path) -> None:
    wrong = (
        dataclasses.replace(toy_config(), total_steps=0),
        dataclasses.replace(toy_config(), env=tetrax.make("mini", actions="drop", reward=reward).config),
        dataclasses.replace(toy_config(), network=Scorer()),
        "ppo",
    )
    for config in wrong:
        with pytest.raises(UserError, match=r"--total-steps|env\.reward|network: given one|config: given"):
            tetrax.train_agent(config, tmp_path / "run", quiet=True)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_sweeps_take_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(toy_config(total_steps=64, num_seeds=2), evaluation=toy_config().evaluation)
    config = dataclasses.replace(config, evaluation=dataclasses.replace(config.evaluation, final_episodes=0))
    swept = tetrax.sweep_agents(
        config, tmp_path / "sweep", grid={"agent.learning_rate": [0.1, 0.5]}, quiet=True
    )
    assert swept.results is not None
    assert [point["agent.learning_rate"] for point in swept.results.points] == [0.1, 0.5]
    assert swept.results.metric == "lines" and swept.results.num_seeds == 2
    assert swept.results.best is not None
    best = swept.results.points[swept.results.best]["agent.learning_rate"]
    given = shlex.split(json.loads((tmp_path / "sweep" / "sweep.json").read_text())["command"])
    file = tmp_path / "sweep" / "config.json"
    assert given[3:] == ["toy", "--config", str(file), "--agent.learning-rate", str(best)]
    assert load_config(file) == config
    with pytest.raises(UserError, match="metric: given 'eval/lines'; allowed: "):
        tetrax.sweep_agents(
            config, tmp_path / "other", grid={"agent.learning_rate": [0.1]}, metric="eval/lines"
        )
    with pytest.raises(UserError, match=r"agent\.learning_rat"):
        tetrax.sweep_agents(config, tmp_path / "other", grid={"agent.learning_rat": [0.1]})
    assert not (tmp_path / "other").exists()


def test_who_plays_what_is_checked(exported: Path) -> None:
    loaded = tetrax.load(exported, network=Scorer())
    with pytest.raises(UserError, match="env: given one with a trained policy"):
        tetrax.evaluate_policy(loaded, MINI)
    with pytest.raises(UserError, match="env: given none with an Actor"):
        tetrax.evaluate_policy(baselines.random(MINI))


@pytest.mark.slow
def test_a_run_with_a_network_of_ones_own(tmp_path: Path) -> None:
    """Trained, gone on with, loaded and played; resuming equals never having stopped."""
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    config = own_config(total_steps=512, evaluation=NO_GAMES)
    tetrax.train_agent(config, stopped, quiet=True)
    with pytest.raises(UserError, match="given none; allowed: Scorer"):
        tetrax.resume_agent(stopped, total_steps=1024, agent={"final_learning_rate_fraction": 1.0})
    fixed = {"final_learning_rate_fraction": 1.0}  # else the learning rate would know the end
    for folder, steps in ((tmp_path / "short", 512), (whole, 1024)):
        tetrax.train_agent(
            own_config(total_steps=steps, evaluation=NO_GAMES, agent=fixed), folder, quiet=True
        )
    result = tetrax.resume_agent(tmp_path / "short", network=Scorer(), total_steps=1024, quiet=True)
    assert (result.status, result.step) == ("finished", 1024)
    resumed, straight = (tetrax.load(folder, network=Scorer()) for folder in (tmp_path / "short", whole))
    jax.tree.map(np.testing.assert_array_equal, resumed.policy.params, straight.policy.params)

    played = tetrax.evaluate_policy(resumed, episodes=4, max_pieces=10, record=True)
    by_hand = Actor(resumed.policy, resumed.agent.initial_memory, resumed.agent.act)
    again = tetrax.evaluate_policy(by_hand, resumed.env, episodes=4, max_pieces=10)
    np.testing.assert_array_equal(played.totals["lines"], again.totals["lines"])
    recording = resumed.play(seed=0, max_pieces=10)
    assert recording.outcome.lines == played.totals["lines"][0]

    # The compiled functions play the game that the recording holds.
    states, timesteps = resumed.reset(
        jax.random.wrap_key_data(jnp.asarray(recording.key_data), impl="threefry2x32")[None]
    )
    for action in recording.actions[:3]:
        sight = tetrax.Sight(observation=timesteps.observation, is_first=None)
        actions, _, _ = resumed.act(sight, resumed.initial_memory((1,)), jax.random.key(0))
        assert actions.tolist() == [action]
        states, timesteps = resumed.step(states, actions)
