"""Random legal play of tetrax in the loop that everybody is timed in."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.workers.jax_loop import Loop, Step, below, random_legal
from tetrax.env.actions import KEY_ACTIONS
from tetrax.env.batch import Batch
from tetrax.env.tetris import Tetris
from tetrax.env.wrappers import AutoReset
from tetrax.games.versus import Versus

APART = 2654435769  # 2**32 over the golden ratio: what the players' words differ by


def random_play(env: Tetris | Versus, batch: int, seed: int = 0) -> Loop:
    """Return the loop that plays B games at random, a new one where one ends.

    One step: observe every board, draw a legal action for each (by counting the mask's bits; every key is
    legal, so keys need no mask), play it. Boards are observed at the start of a step, as PPO does. The players of
    a game draw from one word.
    """
    boards, params, spec = Batch(AutoReset(env)), env.default_params, env.spec
    board = env.board if isinstance(env, Versus) else env
    every_action_is_legal = board.config.actions in KEY_ACTIONS
    apart = np.arange(spec.num_seats, dtype=np.uint32) * np.uint32(APART)

    def start(key: Array) -> Any:
        return boards.reset(jax.random.split(key, batch), params)[0]

    def draw(bits: Array, legal: Array) -> Array:
        if every_action_is_legal:
            return below(bits, jnp.uint32(env.num_actions)).astype(jnp.int32)
        return random_legal(bits, legal)

    def step(state: Any, bits: Array) -> Step:
        observation = boards.observe(state, params)
        if spec.acts_together:  # each by itself: to put players side by side would copy all masks
            words = [bits + word for word in apart]
            each = [draw(own, observation.legal[:, player]) for player, own in enumerate(words)]
            action = jnp.stack(each, axis=1)
        else:
            action = draw(bits, observation.legal)
        state, timestep = boards.step(state, action, params)
        seen = (observation, timestep.reward, timestep.terminated, timestep.truncated)
        pieces = env.measure(timestep.event)["pieces"]
        return Step(state, seen, pieces, timestep.terminated | timestep.truncated)

    return Loop(start, step, batch, seed)


def num_bytes(tree: Any) -> int:
    """Return the bytes of all arrays of a tree, keys as the words they are made of."""
    return sum(leaf.nbytes for leaf in map(_raw, jax.tree.leaves(tree)))


def _raw(leaf: Array) -> Array:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
