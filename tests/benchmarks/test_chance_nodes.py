"""The tree with nodes for chance draws what the bag may give, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np

import tetrax
from benchmarks import chance_nodes


def test_what_may_come_is_what_was_in_the_bag():
    env = tetrax.make("guideline", actions="drop", preview=1, hold=False)
    state, _ = env.reset(jax.random.key(0))
    kinds, step = range(env.rules.num_pieces), jax.jit(env.step)
    first_bag = [int(state.piece)]
    for _ in range(7):
        newest = int(state.queue[-1])
        may_come = np.flatnonzero(chance_nodes.may_come(env.rules, state)).tolist()
        # Of each seven all differ: what came before of its seven cannot come again.
        expected = [kind for kind in kinds if kind not in first_bag] if len(first_bag) < 7 else list(kinds)
        assert may_come == expected and newest in may_come
        for kind in may_come:
            other = chance_nodes.with_newest(state, jnp.int32(kind))
            assert int(other.queue[-1]) == kind
            left = [each for each in kinds if (int(other.bag) >> each) & 1]
            assert left == [each for each in may_come if each != kind]
        first_bag.append(newest)
        state, _ = step(state, jnp.int32(np.flatnonzero(env.observe(state).legal)[0]))


def test_wrong_numbers_are_one_line(capsys):
    assert chance_nodes.main(["--simulations", "0"]) == 2
    assert capsys.readouterr().err.startswith("error: --simulations: given 0; allowed: ")
