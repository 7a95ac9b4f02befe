"""Measure one training configuration: how fast, where the time goes, operations, memory."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import op_profile
from benchmarks.model_flops import model_flops
from benchmarks.random_play import random_play
from benchmarks.workers.stopwatch import Stopwatch
from tetrax.agents import AGENTS
from tetrax.agents.agent import Agent, Sight
from tetrax.env.tetris import EnvParams, Tetris
from tetrax.train.config import TrainConfig


class ScopedTetris(Tetris):
    """The environment, with a name for its operations in profiles."""

    def init(self, key: Any, params: EnvParams) -> Any:
        with jax.named_scope("environment"):
            return super().init(key, params)

    def transition(self, state: Any, action: Any, params: EnvParams) -> Any:
        with jax.named_scope("environment"):
            return super().transition(state, action, params)

    def observe(self, state: Any, params: EnvParams | None = None) -> Any:
        with jax.named_scope("environment"):
            return super().observe(state, params)


def measure_training(config: TrainConfig, seconds: float) -> dict[str, Any]:
    """Return what is known of an iteration of training; it is compiled once and runs for some seconds."""
    env = ScopedTetris(config.env)
    agent = AGENTS[config.algorithm].make(config.agent, env)
    state = jax.jit(agent.init)(jax.random.key(config.seed))
    shapes = jax.eval_shape(lambda: state)
    num_parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
    flops = model_flops(agent.train, shapes)
    began = Stopwatch()
    iteration = jax.jit(agent.train, donate_argnums=0).lower(state).compile()
    compile_seconds = began.seconds
    state, _ = iteration(state)
    jax.block_until_ready(state)
    state, timed = _time(iteration, state, seconds)
    shares = _profile(iteration, state)
    alone = _alone(config, env, agent, timed["seconds_per_iteration"], seconds)
    return {
        "algorithm": config.algorithm,
        "preset": config.preset,
        "actions": config.env.actions,
        "observation": config.env.view,
        "num_envs": config.agent.num_envs,
        "steps_per_iteration": agent.steps_per_iteration,
        "parameters": num_parameters,
        "compute_dtype": getattr(getattr(config.agent, "network", None), "compute_dtype", "float32"),
        "steps_per_second": agent.steps_per_iteration / timed["seconds_per_iteration"],
        "steps_per_cpu_second": agent.steps_per_iteration / timed["cpu_seconds_per_iteration"],
        **timed,
        "compile_seconds": compile_seconds,
        "profile": shares,
        "alone": alone,
        "model_flops_per_iteration": flops,
        "model_flops_per_second": flops / timed["seconds_per_iteration"],
        "memory_bytes": _memory(iteration),
    }


def _time(iteration: Any, state: Any, seconds: float) -> tuple[Any, dict[str, float]]:
    """Iterate for some seconds, one iteration started ahead of the one waited for."""
    count, began, waiting = 0, Stopwatch(), []
    while not count or began.seconds < seconds:
        state, metrics = iteration(state)
        count += 1
        waiting.append(metrics)
        if count > 1:
            jax.block_until_ready(waiting.pop(0))
    jax.block_until_ready(state)
    spent = {
        "seconds_per_iteration": began.seconds / count,
        "cpu_seconds_per_iteration": max(began.cpu_seconds, 1e-9) / count,
        "iterations": count,
    }
    return state, spent


def _profile(iteration: Any, state: Any) -> dict[str, float] | None:
    """Return the shares of an iteration's parts by the profiler, or None where it tells too little."""
    events = op_profile.trace(lambda: iteration(state))
    return op_profile.breakdown(events, op_profile.operation_names(iteration))


def _alone(
    config: TrainConfig, env: Tetris, agent: Agent, seconds_per_iteration: float, seconds: float
) -> dict[str, float]:
    """Return seconds per iteration of parts compiled and run by themselves, and the environment's share.

    The environment plays at random on as many boards; acting is the agent's choice for all boards, once a
    step. In the whole iteration both may be fused with what is around them: this is a check on the profile.
    """
    num_envs = config.agent.num_envs
    num_steps = agent.steps_per_iteration // num_envs
    play = random_play(env, num_envs)
    play.compile()
    played = play.run(seconds / 2)
    environment = played.seconds / played.steps * agent.steps_per_iteration
    acting = _seconds_to_act(env, agent, num_envs, seconds / 2) * num_steps
    return {
        "environment_seconds": environment,
        "acting_seconds": acting,
        "environment": environment / seconds_per_iteration,
        "acting": acting / seconds_per_iteration,
    }


def _seconds_to_act(env: Tetris, agent: Agent, num_envs: int, seconds: float) -> float:
    """Return the seconds of choosing one action for every board, averaged over a loop of 16."""
    calls = 16

    @jax.jit
    def act(policy: Any, observation: Any, key: Any) -> Any:
        def choose(memory: Any, step_key: Any) -> Any:
            # Boards are rolled, so that no two steps do the same work, which would then be done once.
            is_first = jnp.zeros(num_envs, bool)
            boards = jax.tree.map(lambda leaf: jnp.roll(leaf, 1, axis=0), memory[1])
            sight = Sight(observation=boards, is_first=is_first)
            action, inner, _ = agent.act(policy, sight, memory[0], step_key, False)
            return (inner, boards), action

        start = (agent.initial_memory((num_envs,)), observation)
        return jax.lax.scan(choose, start, jax.random.split(key, calls))[1]

    state = jax.jit(agent.init)(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), num_envs)
    observation = jax.jit(jax.vmap(lambda key: env.reset(key)[1].observation))(keys)
    policy = agent.policy(state)
    act(policy, observation, keys[0]).block_until_ready()
    count, began = 0, Stopwatch()
    while not count or began.seconds < seconds:
        act(policy, observation, keys[0]).block_until_ready()
        count += 1
    return began.seconds / count / calls


def _memory(compiled: Any) -> dict[str, int] | None:
    """Return the bytes of the state, of all that is held besides, and of both; None where XLA does not tell."""
    found = compiled.memory_analysis()
    if found is None:
        return None
    state, temporary = found.argument_size_in_bytes, found.temp_size_in_bytes
    outside = found.output_size_in_bytes - found.alias_size_in_bytes
    return {"state": state, "temporary": temporary, "total": state + temporary + outside}
