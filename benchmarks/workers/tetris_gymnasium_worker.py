"""Tetris Gymnasium's JAX version as a contestant: `python -m benchmarks.workers.tetris_gymnasium_worker BATCH`.

A step is one of seven keys, all legal, then gravity. There is no automatic reset in it, so the states of ended
games are replaced by those of `reset`, as its users do. The observation is the board with the active piece.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from tetris_gymnasium.envs.tetris_fn import ACTION_ID_TO_NAME, reset
from tetris_gymnasium.envs.tetris_fn import step as play
from tetris_gymnasium.functional.core import EnvConfig
from tetris_gymnasium.functional.tetrominoes import TETROMINOES

from benchmarks.workers import protocol
from benchmarks.workers.jax_loop import Loop, Step, below

CONFIG = EnvConfig(width=10, height=20, padding=4, queue_size=7)


def loop(batch: int) -> Loop:
    """Return random play on `batch` boards."""

    def start_one(key: Array) -> tuple[Any, Array]:
        key, state, _ = reset(TETROMINOES, key, CONFIG)
        return state, key

    def step_one(carry: tuple[Any, Array], action: Array) -> tuple[Any, Any, Array, Array]:
        before, key = carry
        after, observation, reward, ended, info = play(TETROMINOES, before, action, CONFIG)
        # The state's key changes when a piece is placed, and only then.
        placed = jnp.any(after.rng_key != before.rng_key)
        key, fresh, first_observation = reset(TETROMINOES, key, CONFIG)
        state = jax.tree.map(lambda new, old: jnp.where(ended, new, old), fresh, after)
        observation = jnp.where(ended, first_observation, observation)
        return (state, key), (observation, reward, ended, info["lines_cleared"]), placed, ended

    def start(key: Array) -> Any:
        return jax.vmap(start_one)(jax.random.split(jax.random.key_data(key), batch))

    def step(carry: Any, bits: Array) -> Step:
        action = below(bits, jnp.uint32(len(ACTION_ID_TO_NAME))).astype(jnp.int32)
        return Step(*jax.vmap(step_one)(carry, action))

    return Loop(start, step, batch)


def main(batch: str) -> None:
    """Compile random play and serve it."""
    play = loop(int(batch))
    compile_seconds = play.compile()
    versions = protocol.find_versions("tetris-gymnasium", "jax", "jaxlib")
    protocol.serve({"batch": int(batch), "compile_seconds": compile_seconds, "versions": versions}, play.run)


if __name__ == "__main__":
    main(*sys.argv[1:])
