"""A batch with the boards last plays the games that `jax.vmap(env.step)` plays with the boards first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

import tetrax
from tetrax.env import batch
from tetrax.env.batch import Batch
from tetrax.env.wrappers import AutoReset, EpisodeStatistics

NUM_BOARDS, STEPS = 6, 60


@pytest.mark.parametrize("overrides", [{"history": 2}, {"actions": "drop", "observation": "planes"}])
@pytest.mark.slow
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

    assert [row.shape for row in last.game.rows] == [(NUM_BOARDS,)] * 10  # H words of each board
    assert int(jnp.max(last.num_games)) > 1
    _equal(seen_last, seen_first)
    for index in range(NUM_BOARDS):
        _equal(batch.game(last, index), jax.tree.map(lambda leaf, i=index: leaf[i], first))
    _equal(boards.observe(last), jax.vmap(env.observe)(first))


def test_boards_are_spread_and_all_else_is_everywhere():
    states = {"rows": jnp.zeros((5, 8)), "key": jax.random.split(jax.random.key(0), 8)}
    assert batch.spread(states) == {"rows": P(None, batch.DEVICES), "key": P(batch.DEVICES)}
    assert batch.everywhere(states) == {"rows": P(), "key": P()}
    assert batch.device_mesh(1) is None  # one device needs none


def bytes_per_board(**overrides):
    """Count what a game needs, with its queue, key and counters, while it is trained on."""
    boards = Batch(EpisodeStatistics(AutoReset(tetrax.make("guideline", **overrides))))
    state, _ = jax.eval_shape(boards.reset, jax.random.split(jax.random.key(0), 64))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)) / 64


def test_a_board_takes_few_bytes():
    """A word a row, 40 of them; key and counters; 48 bytes of totals of the running and of the last game."""
    assert bytes_per_board() <= 328
    # 60 rows above the visible ones instead of 20:
    assert bytes_per_board(buffer=60) == bytes_per_board() + 4 * 40


def _equal(a, b):
    def plain(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    jax.tree.map(lambda x, y: np.testing.assert_array_equal(plain(x), plain(y)), a, b)
