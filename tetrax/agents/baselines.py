"""Policies that do not learn, by name."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from tetrax.agents.agent import Actor, Memory, no_memory
from tetrax.env.observe import Observation
from tetrax.env.tetris import Tetris
from tetrax.ops.distributions import MaskedCategorical


def random(env: Tetris) -> Actor:
    """Choose among the legal actions, each alike (greedy or not)."""
    del env
    return Actor(policy=(), initial_memory=no_memory, act=_act_randomly)


def _act_randomly(
    policy: tuple[()],
    observation: Observation,
    memory: Memory,
    is_first: Array,
    key: Array,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    del policy, is_first, greedy
    uniform = MaskedCategorical.from_logits(
        jnp.zeros(observation.legal.shape, jnp.float32), observation.legal
    )
    return jnp.asarray(uniform.sample(key), jnp.int32), memory, {"entropy": uniform.entropy()}


BASELINES: dict[str, Callable[[Tetris], Actor]] = {"random": random}
