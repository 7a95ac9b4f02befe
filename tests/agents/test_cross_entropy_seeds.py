"""Searches of several seeds, side by side in one program, equal searches of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.agents import cross_entropy
from tetrax.agents.cross_entropy import CrossEntropyConfig
from tetrax.train.program import Program


def searched(program, seeds=None):
    """Return what two chunks leave, and the metrics of the last."""
    state = program.initial_state(seeds)
    for _ in range(2):
        state, outcome = program.run_chunk(state)
    return jax.tree.map(
        lambda leaf: jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf,
        (state, outcome.metrics),
    )


@pytest.mark.slow
def test_seeds_side_by_side_equal_runs_of_their_own():
    config = CrossEntropyConfig(num_candidates=4, num_boards=3, num_steps=40, elite_fraction=0.5)
    env = tetrax.make("mini", actions="drop", observation="afterstate_classic")
    agent = cross_entropy.make(config, env)
    two, one = (Program(agent, chunk_iterations=1, seed=5, num_seeds=number) for number in (2, 1))
    two.compile()
    one.compile()
    together = searched(two)
    for index in range(2):
        alone = searched(one, jnp.array([5 + index]))
        for (path, leaf), own in zip(
            jax.tree.leaves_with_path(together), jax.tree.leaves(alone), strict=True
        ):
            name = jax.tree_util.keystr(path)
            np.testing.assert_allclose(leaf[index], own, rtol=1e-5, atol=1e-6, err_msg=name)
