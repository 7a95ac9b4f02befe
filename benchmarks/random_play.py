"""Random legal play of tetrax in the loop that everybody is timed in."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from benchmarks.workers.jax_loop import Loop, Step, below, random_legal
from tetrax.env.actions import KEY_ACTIONS
from tetrax.env.batch import Batch
from tetrax.env.tetris import Tetris
from tetrax.env.wrappers import AutoReset


def random_play(env: Tetris, batch: int, seed: int = 0) -> Loop:
    """Return the loop that plays B games at random, a new one where one ends.

    One step: observe every board, draw a legal action for each (by counting the mask's bits; every key is
    legal, so keys need no mask), play it. Boards are observed at the start of a step, as PPO does.
    """
    boards, params = Batch(AutoReset(env)), env.default_params
    every_action_is_legal = env.config.actions in KEY_ACTIONS

    def start(key: Array) -> Any:
        return boards.reset(jax.random.split(key, batch), params)[0]

    def step(state: Any, bits: Array) -> Step:
        observation = boards.observe(state, params)
        if every_action_is_legal:
            action = below(bits, jnp.uint32(env.num_actions)).astype(jnp.int32)
        else:
            action = random_legal(bits, observation.legal)
        state, timestep = boards.step(state, action, params)
        seen = (observation, timestep.reward, timestep.terminated, timestep.truncated)
        return Step(state, seen, timestep.event.locked, timestep.terminated | timestep.truncated)

    return Loop(start, step, batch, seed)


def num_bytes(tree: Any) -> int:
    """Return the bytes of all arrays of a tree, keys as the words they are made of."""
    return sum(leaf.nbytes for leaf in map(_raw, jax.tree.leaves(tree)))


def _raw(leaf: Array) -> Array:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
