"""Observations for the tests of networks: made up, since starting games is slower to compile than most networks."""

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.env.contract import Afterstates, Observation
from tetrax.env.tetris import Tetris


def batch(env, count=6):
    """Return the first observations of some games."""
    return jax.vmap(env.reset)(jax.random.split(jax.random.key(0), count))[1].observation


def made_up(env: Tetris, leading=(4,), num_features=5):
    """Return an observation of the environment's view with boards and numbers at random, [*leading, ...]."""
    random = np.random.default_rng(0)
    view, rules = env.config.view, env.rules
    by_action = (*leading, env.num_actions)
    board = (rules.height + 2, rules.width)

    def words(*shape):
        return jnp.asarray(random.integers(0, 2**rules.width, shape, np.uint32))

    def numbers(*shape):
        return jnp.asarray(random.normal(size=shape).astype(np.float32))

    afterstates = None
    if view.startswith("afterstate"):
        is_board = view == "afterstate_boards"
        afterstates = Afterstates(
            rows=words(*by_action, rules.height + 4) if is_board else None,
            features=None if is_board else numbers(*by_action, 6),
            reward=None,
            terminated=jnp.asarray(random.random(by_action) < 0.3),
        )
    return Observation(
        planes=jnp.asarray(random.integers(0, 2, (*leading, *board, 3), np.uint8))
        if view == "planes"
        else None,
        pieces=jnp.asarray(random.integers(0, rules.num_pieces, (*leading, 2 + rules.preview), np.int32)),
        features=numbers(*leading, num_features),
        legal=jnp.ones(by_action, bool),
        afterstates=afterstates,
        cells=jnp.asarray(random.integers(0, 4, (*leading, *board), np.int8)) if view == "compact" else None,
        flat=numbers(*leading, 30) if view == "flat" else None,
        bitboards=words(*leading, 2, board[0]) if view == "bitboards" else None,
    )
