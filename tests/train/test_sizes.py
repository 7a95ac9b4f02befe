"""Sizes that cannot work are refused at once: one line, the range that is allowed, and nothing left behind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import tetrax
from tests.agents.chain import Chain
from tests.train.toy import toy_config
from tetrax import evaluate, perft
from tetrax.agents import cross_entropy, dqn, ppo
from tetrax.agents.baselines import random
from tetrax.fields.errors import UserError
from tetrax.train import __main__ as commands
from tetrax.train import presets
from tetrax.train.config import EvalConfig, TrainConfig, to_json
from tetrax.train.loop import train
from tetrax.train.report import evaluation

NINES, INT32, LARGEST = "9" * 25, str(2**31), 2**31 - 1
DIRECT = "dqn --env.actions direct"
MANY_LAYERS = " ".join(["8"] * 1000)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--agent.num-envs 1000000000", "--agent.num-envs: given 1000000000; allowed: up to 134217727 with"),
        ("--agent.num-steps 1000000000", "--agent.num-steps: given 1000000000; allowed: up to 268435455 with"),
        (f"--agent.num-steps {NINES}", "allowed: 1 or more, up to 2147483647"),
        (f"--agent.num-minibatches {INT32}", "allowed: 1 or more, up to 2147483647"),
        ("--agent.num-epochs 1000000000", "allowed: 1 or more, up to 10000"),
        ("--agent.network.hidden 100000000", "allowed: one or more sizes (up to 64) of 1 or more, up to 65536"),
        (f"--agent.network.hidden {MANY_LAYERS}", "--agent.network.hidden: given 1000 sizes; allowed"),
        ("--agent.network.channels 8 -1", "--agent.network.channels: given (8, -1); allowed"),
        ("--agent.network.memory 100000000", "allowed: 1 or more, up to 65536"),
        (f"--env.time-limit {INT32}", "--env.time-limit: given 2147483648; allowed: a whole number from 0 to"),
        ("--env.history 1000", "--env.history: given 1000; allowed: a whole number from 0 to 16"),
        ("--env.rules.width 1000000", "--env.rules.width: given 1000000; allowed: a whole number from 1 to 22"),
        (f"--total-steps {NINES}", "allowed: 1 or more, up to 9007199254740992"),
        ("--total-steps 999999999999", "allowed: 1 or more, up to 274877906688 (2147483647 iterations of 128 steps)"),
        ("--num-seeds 1000000", "--num-seeds: given 1000000; allowed: 1 or more, up to 10000"),
        ("sweep --grid agent.clip=0.1 --num-seeds 1000000", "allowed: 1 or more, up to 10000"),
        ("sweep --grid agent.clip=0.1,0.2 --num-seeds 10000", "given 2 points with 10000 seeds each; allowed: up to"),
        ("sweep --random agent.clip=0.1:0.2 --samples 1000000000", "--samples: given 1000000000; allowed: 1 or"),
        ("sweep --grid agent.clip=0.1 --members-at-once 1000000000", "--members-at-once: given 1000000000;"),
        ("--chunk-iterations 1000000000", "allowed: 1 or more, up to 1000000"),
        ("--seed 9223372036854775808", "--seed: given 9223372036854775808; allowed: seeds below 2147483648"),
        ("--evaluation.episodes 1000000000", "allowed: 1 or more, up to 10000000"),
        ("--evaluation.final-episodes 1000000000", "allowed: 0 or more, up to 10000000"),
        (f"--evaluation.max-pieces {INT32}", "allowed: 0 or more, up to 2147483647"),
        (f"{DIRECT} --agent.replay-capacity {NINES}", "--agent.replay-capacity: given 9999"),
        (f"{DIRECT} --agent.n-step 1000000000", "--agent.n-step: given 1000000000; allowed: less, so that num_envs"),
        (f"{DIRECT} --agent.distribution quantile --agent.atoms 1000000", "allowed: 1 or more, up to 65536"),
        ("cross-entropy --agent.num-candidates 1000000000", "allowed: up to 33554431 with num_boards 4, num_steps 16"),
        (f"--game cartpole --env.max-steps {INT32}", "--env.max-steps: given 2147483648; allowed"),
        ("--game gymnasium:CartPole-v1 --agent.num-envs 20000", "allowed: up to 10000 of a game that steps"),
    ],
)  # fmt: skip
def test_the_command_to_train(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gymnasium")
    pytest.importorskip("gymnax")
    refused(commands.main, [*words.split(), "--preset", "tiny"], said, tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("main", "words", "said"),
    [
        (evaluate.main, f"--policy random --episodes {10**12}", "--episodes: given 1000000000000; allowed: 1 or"),
        (evaluate.main, f"--policy random --max-pieces {10**12}", "--max-pieces: given 1000000000000; allowed"),
        (evaluate.main, f"--policy random --seed {2**63}", "--seed: given 9223372036854775808; allowed: 0"),
        (perft.main, "IOLJSZT --depth 100", "--depth: given 100; allowed: 1 to 7, within the queue"),
    ],
)  # fmt: skip
def test_the_other_commands(
    main: object,
    words: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(main, words.split(), said, tmp_path, monkeypatch, capsys)


def test_a_grid_of_a_million_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = "agent.learning_rate=" + ",".join(f"{number}e-7" for number in range(1, 50_001))
    words = ["sweep", "--preset", "tiny", "--grid", grid]
    refused(commands.main, words, "given '50000 points'; allowed: up to 10000", tmp_path, monkeypatch, capsys)
    words += ["--num-seeds", "2"]
    refused(commands.main, words, "given '50000 points'; allowed: up to 10000", tmp_path, monkeypatch, capsys)


def refused(main, argv, said, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """Check that a command answers with exit code 2 and one line, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert said in captured.err and len(captured.err) < 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: tetrax.make(time_limit=2**31), "env.time_limit: given 2147483648; allowed: a whole number"),
        (lambda: tetrax.make(time_limit=1.0), "env.time_limit: given 1.0; allowed: a whole number"),
        (lambda: ppo.make(ppo.PPOConfig(num_envs=10**9), Chain()), "agent.num_envs: given 1000000000; allowed: up to"),
        (lambda: ppo.make(ppo.PPOConfig(num_envs=2.5), Chain()), "agent.num_envs: given 2.5; allowed: 1 or more"),
        (lambda: ppo.make(ppo.PPOConfig(num_steps="8"), Chain()), "agent.num_steps: given 8; allowed: 1 or more"),
        (lambda: ppo.make(ppo.PPOConfig(clip="wide"), Chain()), "agent.clip: given wide; allowed: from 0 to 10"),
        (lambda: dqn.make(dqn.DQNConfig(num_updates=2**31), Chain()), "agent.num_updates: given 2147483648; allowed"),
        (
            lambda: cross_entropy.make(cross_entropy.CrossEntropyConfig(num_boards=2**31), tetrax.make("mini")),
            "agent.num_boards: given 2147483648; allowed: 1 or more, up to 2147483647",
        ),
        (lambda: play(episodes=10**9), "episodes: given 1000000000; allowed: a whole number from 1 to 10000000"),
        (lambda: play(episodes=1, max_pieces=2**31), "max_pieces: given 2147483648; allowed: a whole number from 0"),
        (lambda: play(episodes=1, seed=2**63), "seed: given 9223372036854775808; allowed: a whole number from 0"),
    ],
)  # fmt: skip
def test_python(make, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value).startswith(said)


def play(**options: int) -> object:
    env = tetrax.make("mini", actions="drop")
    return evaluation.evaluate(env, random(env), **options)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total_steps": 10**25}, "--total-steps: given 1000"),
        ({"num_seeds": 10**6}, "--num-seeds: given 1000000; allowed: 1 or more, up to 10000"),
        (
            {"chunk_iterations": 2**31},
            "--chunk-iterations: given 2147483648; allowed: 1 or more, up to 1000000",
        ),
        (
            {"evaluation": EvalConfig(final_max_pieces=2**31)},
            "--evaluation.final-max-pieces: given 2147483648",
        ),
        ({"seed": 2**63}, "--seed: given 9223372036854775808; allowed: seeds below"),
    ],
)
def test_training_from_python(change: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        train(dataclasses.replace(toy_config(), **change), run_dir=tmp_path / "run")  # type: ignore[arg-type]
    assert str(error.value).startswith(said)
    assert list(tmp_path.iterdir()) == []


def test_value_learning_counts_its_updates() -> None:
    """64 updates an iteration, counted by int32: 33,554,431 iterations, of 128 steps in chunks of 2."""
    config: TrainConfig = presets.find("dqn", "tiny", "direct")
    agent = dataclasses.replace(config.agent, num_updates=64)
    longest = LARGEST // 64 // 2 * 256
    dataclasses.replace(config, agent=agent, total_steps=longest).validate()
    with pytest.raises(
        UserError, match=f"--total-steps: given {longest + 1}; allowed: 1 or more, up to {longest} "
    ):
        dataclasses.replace(config, agent=agent, total_steps=longest + 1).validate()
    json.dumps(to_json(dataclasses.replace(config, total_steps=longest)))
