"""A learner that is small and real: a linear policy on contextual choices, by policy gradient.

It has everything a training state can have: typed keys, two trees that start equal, an empty array, integers,
an environment (the contexts), tunables, counters. Its policy also plays Tetris, badly: the weights say how much
it likes each action. Registered as the algorithm "toy", it goes through the same code as every other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from tetrax.agents import AGENTS, AgentSpec
from tetrax.agents.agent import Agent, Metrics, Sight
from tetrax.env.tetris import Tetris, make
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.report import artifacts
from tetrax.train.report.evaluation import EvalResult

FEATURES, CHOICES = 3, 4
RIGHT = jnp.arange(FEATURES * CHOICES, dtype=jnp.float32).reshape(FEATURES, CHOICES) % 5 - 2


@dataclass(frozen=True)
class ToyConfig:
    num_envs: int = 8
    learning_rate: float = 0.5
    poison_at: int = -1  # the iteration in which the weights become NaN
    momentum: float = 0.9  # no tunable: compiled into the program


class ToyState(struct.PyTreeNode):
    weights: Array  # float32[F, C]
    average: Array  # float32[F, C], starts as the same values
    velocity: tuple[Array, None]
    nothing: Array  # float32[0, 3]
    contexts: Array  # float32[B, F]
    key: Array  # key<fry>[]
    environment_keys: Array  # key<fry>[B]
    iteration: Array  # int32[]
    tunables: dict[str, Array]


def make_toy(config: ToyConfig, env: Tetris) -> Agent:
    def init(key: Array, env_params: Any = None, horizon: int = 0) -> ToyState:
        weights_key, contexts_key, key = jax.random.split(key, 3)
        weights = 0.01 * jax.random.normal(weights_key, (FEATURES, CHOICES))
        return ToyState(
            weights=weights,
            average=weights,
            velocity=(jnp.zeros_like(weights), None),
            nothing=jnp.zeros((0, 3)),
            contexts=jax.random.normal(contexts_key, (config.num_envs, FEATURES)),
            key=key,
            environment_keys=jax.random.split(jax.random.fold_in(key, 1), config.num_envs),
            iteration=jnp.int32(0),
            tunables={
                "learning_rate": jnp.float32(config.learning_rate),
                "horizon": jnp.float32(horizon),  # iterations; the chunk below does not look at it
            },
        )

    def train(state: ToyState) -> tuple[ToyState, Metrics]:
        act_key, context_key, key = jax.random.split(state.key, 3)
        choices = jax.random.categorical(act_key, state.contexts @ state.weights)  # [B]
        rewards = (choices == jnp.argmax(state.contexts @ RIGHT, axis=-1)).astype(jnp.float32)

        def loss_fn(weights: Array) -> Array:
            log_probabilities = jax.nn.log_softmax(state.contexts @ weights)
            chosen = jnp.take_along_axis(log_probabilities, choices[:, None], axis=-1)[:, 0]
            return -jnp.mean(chosen * (rewards - 0.25))

        loss, gradient = jax.value_and_grad(loss_fn)(state.weights)
        velocity = config.momentum * state.velocity[0] - state.tunables["learning_rate"] * gradient
        weights = state.weights + velocity
        weights = jnp.where(state.iteration == config.poison_at, jnp.nan, weights)
        ended = jnp.where(state.iteration % 3 == 0, 2.0, 0.0)  # some chunks see no game end
        totals = {"games": ended, "lines": ended * rewards.sum(), "return": ended * rewards.mean()}
        means = {"loss/policy": loss, "entropy": jnp.float32(1.0) / (1 + state.iteration)}
        return state.replace(
            weights=weights,
            average=0.9 * state.average + 0.1 * weights,
            velocity=(velocity, None),
            contexts=jax.random.normal(context_key, state.contexts.shape),
            key=key,
            iteration=state.iteration + 1,
        ), Metrics(totals=totals, means=means)

    def act(
        policy: dict[str, Array], sight: Sight, memory: Any, key: Array, greedy: bool
    ) -> tuple[Array, Any, dict[str, Array]]:
        liking = jnp.resize(policy["weights"], (env.num_actions,))
        logits = jnp.where(sight.observation.legal, liking[None, :], -jnp.inf)
        action = jnp.argmax(logits, axis=-1) if greedy else jax.random.categorical(key, logits)
        return action.astype(jnp.int32), memory, {}

    return Agent(
        name="toy",
        steps_per_iteration=config.num_envs,
        init=init,
        train=train,
        policy=lambda state: {"weights": state.weights, "average": state.average},
        initial_memory=lambda batch_shape: (),
        act=act,
        games=lambda state: None,
        take_over=lambda state, policy: state.replace(weights=policy["weights"], average=policy["average"]),
    )


AGENTS["toy"] = AgentSpec(ToyConfig, make_toy, ("learning_rate",))


def quick_games(
    env: Tetris,
    actor: Any,
    *,
    episodes: int,
    seed: int,
    max_pieces: int,
    record: bool,
    record_all: bool = False,
    on_progress: Callable[[int, int], None],
) -> EvalResult:
    """Stand in for `evaluate`: the toy's own contexts, so that no game of Tetris has to be compiled.

    A game has 20 contexts; a line is a right choice of the greedy policy.
    """
    del env, record, record_all
    contexts = jax.random.normal(jax.random.key(seed), (episodes, 20, FEATURES))
    right = jnp.argmax(contexts @ actor.policy["weights"], -1) == jnp.argmax(contexts @ RIGHT, -1)
    lines = np.asarray(right.sum(axis=1), np.int64)
    on_progress(episodes, 20)
    return EvalResult(
        seed=seed,
        cap=max_pieces,
        length="pieces",
        totals={
            "lines": lines,
            "score": 10 * lines,
            "attack": lines,
            "pieces": np.full(episodes, 20),
            "return": lines.astype(np.float64),
        },
        steps=np.full(episodes, 20),
        capped=np.ones(episodes, bool),
        actions={},
    )


def use_quick_games(setattr: Callable[[object, str, object], None] = setattr) -> None:
    """Let the toy be evaluated on its own games, and record none of them."""
    setattr(artifacts, "evaluate", quick_games)
    setattr(artifacts, "record_best", lambda run, results: None)


def toy_config(
    *,
    total_steps: int = 8 * 4 * 10,
    chunk_iterations: int = 4,
    seed: int = 0,
    num_seeds: int = 1,
    checkpoint_seconds: float = 0.0,
    evaluation: EvalConfig | None = None,
    tensorboard: bool = False,
    **agent: Any,
) -> TrainConfig:
    """Ten chunks of 32 steps, an evaluation at every third, a checkpoint at each."""
    few_games = EvalConfig(every=96, episodes=3, max_pieces=20, final_episodes=4, final_max_pieces=20)
    return TrainConfig(
        algorithm="toy",
        preset="tiny",
        env=make("mini", actions="drop").config,
        agent=ToyConfig(**agent),
        evaluation=evaluation or few_games,
        total_steps=total_steps,
        seed=seed,
        num_seeds=num_seeds,
        chunk_iterations=chunk_iterations,
        checkpoint_seconds=checkpoint_seconds,
        tensorboard=tensorboard,
    )


if __name__ == "__main__":
    # python -m tests.train.toy FOLDER new|resume TOTAL_STEPS: a process for the tests to kill
    from tetrax.train.loop import train
    from tetrax.train.report.display import PlainDisplay

    folder, mode, total_steps = sys.argv[1:]
    use_quick_games()
    result = train(
        toy_config(total_steps=int(total_steps)),
        run_dir=Path(folder),
        resume=mode == "resume",
        display=PlainDisplay(),
    )
    sys.exit(result.exit_code)
