"""What makes training fast, held fast: one compilation, one state in memory, no word with the host.

Each check is shown to fail on a program that is broken on purpose.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from typing import Any

import jax
import numpy as np
import pytest

from tests.train.toy import ToyConfig, make_toy, toy_config
from tetrax.agents import ppo
from tetrax.agents.agent import Metrics
from tetrax.agents.ppo import PPOConfig
from tetrax.env.tetris import make
from tetrax.networks.network_config import NetworkConfig
from tetrax.train import start
from tetrax.train.program import Program

SMALL = PPOConfig(
    num_envs=32, num_steps=8, num_minibatches=2, network=NetworkConfig(hidden=(16,), channels=(4,))
)
TALK = re.compile(r"\b(infeed|outfeed|send|recv)\(|custom_call_target=\"([^\"]*callback[^\"]*)\"")


@pytest.fixture(scope="module")
def trained() -> tuple[Program, Any]:
    """PPO's chunk, and a state that it has trained."""
    agent = ppo.make(SMALL, make("mini", actions="drop", reward="survival"))
    program = Program(agent, chunk_iterations=2, horizon=8)
    program.compile()
    return program, program.run_chunk(program.initial_state())[0]


def words_with_the_host(compiled: Any) -> list[str]:
    """Name what a compiled program uses to talk to the host while it runs."""
    return sorted({first or second for first, second in TALK.findall(compiled.as_text())})


def state_bytes(program: Program) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(program.template))


def compilations(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("Compiling")]


def test_nothing_is_compiled_again(trained: tuple[Program, Any], caplog: pytest.LogCaptureFixture) -> None:
    program, state = trained
    changed = {"learning_rate": 1e-5, "clip": 0.1, "entropy": 0.0}
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for _ in range(3):
            state, outcome = program.run_chunk(state)
            new = {name: jax.device_put(np.float32(value)) for name, value in changed.items()}
            state = state.replace(tunables={**state.tunables, **new})
        jax.block_until_ready(outcome)
    assert compilations(caplog) == []
    assert program.num_traces == 1
    assert outcome.metrics.means["learning_rate"] < 1e-5


def test_a_number_that_is_compiled_in_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    config, env = ToyConfig(), make("mini", actions="drop")
    state = jax.jit(make_toy(config, env).init)(jax.random.key(0))

    def train(state: Any, momentum: float) -> Any:
        return make_toy(dataclasses.replace(config, momentum=momentum), env).train(state)[0]

    compiled_in = jax.jit(train, static_argnames="momentum")
    state = compiled_in(state, momentum=0.9)
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for momentum in (0.9, 0.8):
            state = compiled_in(state, momentum=momentum)
    assert len(compilations(caplog)) == 1


def test_there_is_one_state_in_memory(trained: tuple[Program, Any]) -> None:
    program, _ = trained
    assert state_bytes(program) > 5_000
    assert program.compiled.memory_analysis().alias_size_in_bytes == state_bytes(program)


def test_a_state_that_is_kept_is_noticed() -> None:
    _, program = start.make_program(toy_config())
    program.compile()
    assert program.compiled.memory_analysis().alias_size_in_bytes == state_bytes(program)
    kept = jax.jit(program.agent.train).lower(program.template).compile()
    assert kept.memory_analysis().alias_size_in_bytes == 0


def test_training_has_no_word_with_the_host(trained: tuple[Program, Any]) -> None:
    assert words_with_the_host(trained[0].compiled) == []


def test_a_callback_is_noticed() -> None:
    quiet = make_toy(ToyConfig(), make("mini", actions="drop"))

    def talk(state: Any) -> tuple[Any, Metrics]:
        state, metrics = quiet.train(state)
        jax.debug.callback(lambda loss: None, metrics.means["loss/policy"])
        return state, metrics

    found: list[list[str]] = []
    for agent in (quiet, quiet._replace(train=talk)):
        program = Program(agent, chunk_iterations=2)
        program.compile()
        found.append(words_with_the_host(program.compiled))
    assert found[0] == []
    assert len(found[1]) == 1
    infeed = type("Compiled", (), {"as_text": lambda self: "%i = (f32[], token[]) infeed(%t)"})()
    assert words_with_the_host(infeed) == ["infeed"]
