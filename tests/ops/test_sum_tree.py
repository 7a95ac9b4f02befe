import functools

import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops import sum_tree

update, update_range = jax.jit(sum_tree.update), jax.jit(sum_tree.update_range)
sample = jax.jit(sum_tree.sample, static_argnames="num")


def tree_of(*values):
    """A tree of eight leaves, which begins with these."""
    return update_range(sum_tree.empty(8), 0, jnp.asarray([*values, *[0] * (8 - len(values))], jnp.float32))


def assert_sums(tree):
    nodes = np.asarray(tree.nodes)
    for node in range(1, len(nodes) // 2):
        assert nodes[node] == nodes[2 * node] + nodes[2 * node + 1], node


def test_nodes_by_hand():
    #             15
    #      10           5
    #    3     7     5     0
    #   1 2   3 4   5 0   0 0
    tree = tree_of(1, 2, 3, 4, 5)
    np.testing.assert_array_equal(tree.nodes, [0, 15, 10, 5, 3, 7, 5, 0, 1, 2, 3, 4, 5, 0, 0, 0])
    assert sum_tree.total(tree) == 15
    tree = update(tree, jnp.asarray([3, 0]), jnp.asarray([0.5, 8.0]))
    np.testing.assert_array_equal(tree.nodes, [0, 18.5, 13.5, 5, 10, 3.5, 5, 0, 8, 2, 3, 0.5, 5, 0, 0, 0])
    np.testing.assert_array_equal(tree.leaves, [8, 2, 3, 0.5, 5, 0, 0, 0])
    np.testing.assert_array_equal(sum_tree.priorities(tree, jnp.asarray([2, 0])), [3, 8])


def test_leaves_are_rounded_up_to_a_power_of_two():
    assert [sum_tree.empty(asked).leaves.shape[0] for asked in (1, 2, 3, 5, 8)] == [2, 2, 4, 8, 8]
    with pytest.raises(ValueError, match="num_leaves: given 0; allowed: 1 or more"):
        sum_tree.empty(0)


def test_each_share_of_the_total_gives_one_sample():
    # Ten shares of 1 each: the first falls into leaf 0, the next two into leaf 1, three into 2, four into 3.
    index, probability = sample(tree_of(1, 2, 3, 4), jax.random.key(3), num=10)
    np.testing.assert_array_equal(index, [0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
    np.testing.assert_allclose(probability, np.asarray([1, 2, 2, 3, 3, 3, 4, 4, 4, 4]) / 10, rtol=1e-6)


def test_frequencies_follow_the_priorities():
    # Shares that cut through the leaves: 3 samples of a total of 10, 7,000 times.
    tree, keys = tree_of(1, 2, 0, 3, 4), jax.random.split(jax.random.key(0), 7000)
    index, _ = jax.jit(jax.vmap(lambda key: sum_tree.sample(tree, key, 3)))(keys)
    frequencies = np.bincount(np.ravel(index), minlength=8) / index.size
    # Five standard errors of a share of one half: 5 * sqrt(1/4 / 21000) = 0.017.
    np.testing.assert_allclose(frequencies, [0.1, 0.2, 0, 0.3, 0.4, 0, 0, 0], atol=0.017)
    assert frequencies[2] == 0


def test_rounding_leads_to_nothing_empty():
    # The total is 1e8 in float32, as if leaf 2 were not there: points run past every priority.
    tree = tree_of(0, 1e8, 1e-3, 0, 0)
    index, probability = sample(tree, jax.random.key(1), num=4096)
    assert set(np.unique(index)) <= {1, 2}
    assert (np.asarray(probability) > 0).all()


def test_a_single_leaf():
    tree = update_range(sum_tree.empty(1), 0, jnp.asarray([0.25]))
    index, probability = sample(tree, jax.random.key(0), num=3)
    np.testing.assert_array_equal(index, [0, 0, 0])
    np.testing.assert_array_equal(probability, [1, 1, 1])


NUM_LEAVES, NUM_CHANGES = 21, 5
changes = hnp.arrays(np.float32, NUM_CHANGES, elements=st.floats(0, 1e6, width=32, allow_subnormal=False))
places = hnp.arrays(np.int32, NUM_CHANGES, elements=st.integers(0, NUM_LEAVES - 1))


@given(st.lists(st.tuples(st.booleans(), places, changes), max_size=6))
def test_every_node_stays_the_sum_of_its_children(steps):
    tree, plain = sum_tree.empty(NUM_LEAVES), np.zeros(32, np.float32)
    for in_a_row, index, value in steps:
        if in_a_row:
            first = min(int(index[0]), NUM_LEAVES - NUM_CHANGES)
            tree = update_range(tree, first, value)
            plain[first : first + NUM_CHANGES] = value
        else:
            tree = update(tree, index, value)
            for place in set(index.tolist()):
                plain[place] = max(value[index == place])
        np.testing.assert_array_equal(tree.leaves, plain)
        assert_sums(tree)


@pytest.mark.parametrize("num", [1, 2, 7, 8])
def test_a_run_of_any_place_and_length(num):
    for first in range(8 - num + 1):
        values = jnp.arange(1, num + 1, dtype=jnp.float32)
        tree = update_range(tree_of(*[10] * 8), first, values)
        expected = np.full(8, 10)
        expected[first : first + num] = values
        np.testing.assert_array_equal(tree.leaves, expected)
        assert_sums(tree)


def test_changes_happen_in_place():
    tree = jax.eval_shape(functools.partial(sum_tree.empty, 2**16))
    index, value = jax.ShapeDtypeStruct((8,), jnp.int32), jax.ShapeDtypeStruct((8,), jnp.float32)

    def change(tree, index, value):
        return sum_tree.update_range(sum_tree.update(tree, index, value), index[0], value)

    memory = jax.jit(change, donate_argnums=0).lower(tree, index, value).compile().memory_analysis()
    assert memory.alias_size_in_bytes == tree.nodes.size * 4
    assert memory.temp_size_in_bytes < tree.nodes.size * 4 // 20
