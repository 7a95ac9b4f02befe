"""A batch with the boards last plays the games that `jax.vmap(env.step)` plays with the boards first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env import batch
from tetrax.env.batch import Batch
from tetrax.env.wrappers import AutoReset

NUM_BOARDS, STEPS = 6, 60


@pytest.mark.parametrize("overrides", [{"history": 2}, {"actions": "drop", "observation": "planes"}])
def test_boards_last_and_boards_first_play_the_same_games(overrides):
    env = AutoReset(tetrax.make("guideline", buffer=4, height=6, **overrides))
    keys = jax.random.split(jax.random.key(3), NUM_BOARDS)
    actions = jax.random.randint(jax.random.key(4), (STEPS, NUM_BOARDS), 0, env.env.num_actions)

    def play(reset, step):
        def scanned(state, action):
            state, timestep = step(state, action)
            return state, timestep

        state, first = reset(keys)
        state, timesteps = jax.lax.scan(scanned, state, actions)
        return state, (first, timesteps)

    boards = Batch(env)
    last, seen_last = jax.jit(lambda: play(boards.reset, boards.step))()
    first, seen_first = jax.jit(lambda: play(jax.vmap(env.reset), jax.vmap(env.step)))()

    assert last.game.rows.shape == (10, NUM_BOARDS)
    assert int(jnp.max(last.num_games)) > 1
    _equal(seen_last, seen_first)
    for index in range(NUM_BOARDS):
        _equal(batch.game(last, index), jax.tree.map(lambda leaf, i=index: leaf[i], first))
    _equal(boards.observe(last), jax.vmap(env.observe)(first))


def _equal(a, b):
    def plain(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    jax.tree.map(lambda x, y: np.testing.assert_array_equal(plain(x), plain(y)), a, b)
