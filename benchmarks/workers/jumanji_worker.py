"""Jumanji's Tetris as a contestant: `python -m benchmarks.workers.jumanji_worker BATCH [gumbel]`.

A step places a piece: an orientation and a column. Boards reset by Jumanji's own AutoResetWrapper. All of the
observation is added up (grid, tetromino, action_mask, step_count), the reward and the discount too. Legal
actions are drawn as tetrax draws its own, or, with "gumbel", by `jax.random.categorical` as Jumanji's own random
agent does, which takes more time.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import jumanji
from jax import Array
from jumanji.wrappers import AutoResetWrapper

from benchmarks.workers import protocol
from benchmarks.workers.jax_loop import Loop, Step, random_legal


def loop(batch: int, by_gumbel: bool) -> Loop:
    """Return masked random play on `batch` boards."""
    env = AutoResetWrapper(jumanji.make("Tetris-v0"))

    def start(key: Array) -> Any:
        state, timestep = jax.vmap(env.reset)(jax.random.split(jax.random.key_data(key), batch))
        return state, timestep.observation.action_mask

    def step(carry: Any, bits: Array) -> Step:
        state, mask = carry
        _, num_orientations, num_columns = mask.shape
        legal = mask.reshape(batch, num_orientations * num_columns)
        if by_gumbel:
            action_key = jax.random.wrap_key_data(bits[:2])
            action = jax.random.categorical(action_key, jnp.where(legal, 0.0, -1e9))
        else:
            action = random_legal(bits, legal)
        pair = jnp.stack([action // num_columns, action % num_columns], axis=-1)
        state, timestep = jax.vmap(env.step)(state, pair)
        ended = timestep.last()
        seen = (timestep.observation, timestep.reward, timestep.discount, ended)
        placed = jnp.ones_like(ended)  # a legal action always places its piece
        return Step((state, timestep.observation.action_mask), seen, placed, ended)

    return Loop(start, step, batch)


def main(batch: str, draw: str = "") -> None:
    """Compile random play and serve it."""
    play = loop(int(batch), draw == "gumbel")
    compile_seconds = play.compile()
    versions = protocol.find_versions("jumanji", "jax", "jaxlib")
    protocol.serve({"batch": int(batch), "compile_seconds": compile_seconds, "versions": versions}, play.run)


if __name__ == "__main__":
    main(*sys.argv[1:])
