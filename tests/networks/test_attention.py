"""Attention against plain loops, its positions by hand, and what it tells of itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.networks.seen import made_up
from tetrax.networks import attention
from tetrax.networks.actor_critic import actor_critic
from tetrax.networks.attention import (
    Attention,
    BoardAttention,
    Grid,
    RelativeBias,
    attention_weights,
    over_cells,
)
from tetrax.networks.network_config import AttentionConfig, NetworkConfig

TINY = AttentionConfig(layers=1, heads=2, size=8)


def test_attention_by_plain_loops():
    queries, keys, noise = (
        jax.random.normal(key, shape)
        for key, shape in zip(
            jax.random.split(jax.random.key(0), 3), [(2, 3, 6), (2, 4, 6), (2, 3, 4)], strict=True
        )
    )
    module = Attention(heads=2)

    @jax.jit
    def attend():
        params = module.init(jax.random.key(1), queries, keys)
        params = jax.tree.map(lambda leaf: leaf + 0.1, params)
        return params, *module.apply(params, queries, keys, noise, mutable=["intermediates"])

    params, given, told = attend()
    weights = told["intermediates"][attention.SOWN][0]

    layer = {
        name: (np.asarray(part["kernel"]), np.asarray(part["bias"]))
        for name, part in params["params"].items()
    }
    for b in range(2):
        rows = np.zeros((3, 6))
        for head in range(2):
            part = slice(3 * head, 3 * head + 3)
            query, key, value = (
                (np.asarray(tokens[b]) @ layer[name][0] + layer[name][1])[:, part]
                for name, tokens in (("query", queries), ("key", keys), ("value", keys))
            )
            for i in range(3):
                scores = np.exp(query[i] @ key.T / np.sqrt(3) + noise[head, i])
                scores /= scores.sum()
                np.testing.assert_allclose(weights[b, head, i], scores, rtol=1e-4)
                rows[i, part] = scores @ value
        np.testing.assert_allclose(given[b], rows @ layer["out"][0] + layer["out"][1], rtol=1e-3, atol=1e-5)


def test_positions_count_by_offset():
    """Two rows of three cells: the number of a pair is that of (rows up, columns right)."""
    module = RelativeBias((Grid(1, 2, 3),), heads=1)
    params = module.init(jax.random.key(0))
    table = np.arange(3 * 5, dtype=np.float32).reshape(3, 5, 1)  # offsets -1..1 by -2..2
    bias = module.apply({"params": {"scale_1_1": jnp.asarray(table)}})[0]
    assert jax.tree.map(jnp.shape, params["params"]) == {"scale_1_1": (3, 5, 1)}
    # Token 0 is the cell (0, 0), token 5 the cell (1, 2): offset (1, 2), the last number; the other way (-1, -2).
    assert bias[0, 5] == table[2, 4, 0]
    assert bias[5, 0] == table[0, 0, 0]
    assert (np.diag(bias) == table[1, 2, 0]).all()
    assert bias[1, 5] == bias[0, 4] == table[2, 3, 0]  # one up, one to the right


def test_scales_have_offsets_between_their_centres():
    """Four rows, and again two by two: the first pair's centre lies 0.5 rows above the lowest row's, or below."""
    config = AttentionConfig(over="rows", scales=(1, 2))
    places = attention.grids(config, 4, 10)
    assert places == (Grid(1, 4, 1), Grid(2, 2, 1))
    params = RelativeBias(places, heads=1).init(jax.random.key(0))["params"]
    # Pairs 1 and 3 from rows 0.5, 1.5, 2.5, 3.5: 0.5, -0.5, -1.5, -2.5, 2.5, 1.5 and so on: six in all.
    shapes = {name: table.shape for name, table in params.items()}
    assert shapes == {
        "scale_1_1": (7, 1, 1),
        "scale_1_2": (6, 1, 1),
        "scale_2_1": (6, 1, 1),
        "scale_2_2": (3, 1, 1),
    }


def test_cells_are_averaged_to_tokens():
    cells = np.arange(6, dtype=np.float32).reshape(2, 3, 1)  # 0 1 2 above: 3 4 5
    found = attention._average(jnp.asarray(cells), Grid(2, 1, 2))
    # The second square reaches over the edge, where all is 0: (2 + 0 + 5 + 0) / 4.
    assert found[..., 0].tolist() == [[2.0, 1.75]]


def test_weights_are_spread_over_the_cells_they_are_of():
    config = AttentionConfig(over="cells", scales=(1, 2))
    weights = np.zeros(6 + 2, np.float32)
    weights[4], weights[7] = 0.5, 0.5  # cell (1, 1); the second square: the column x = 2, two cells
    assert over_cells(jnp.asarray(weights), config, 2, 3).tolist() == [[0, 0, 0.25], [0, 0.5, 0.25]]
    rows = over_cells(jnp.asarray([0.25, 0.75]), AttentionConfig(over="rows"), 2, 5)
    np.testing.assert_allclose(rows, [[0.05] * 5, [0.15] * 5], rtol=1e-6)


@pytest.mark.parametrize(
    ("over", "scales", "num_tokens"),
    [("cells", (2,), 18), ("rows", (1, 3), 16)],
)
@pytest.mark.slow
def test_weights_are_told(over, scales, num_tokens):
    env = tetrax.make("mini", height=10, width=6, observation="bitboards")
    config = NetworkConfig(
        encoder="attention", attention=AttentionConfig(over, layers=2, heads=2, size=8, scales=scales)
    )
    network, seen = actor_critic(env, config), made_up(env, (3,))
    num_pieces = seen.pieces.shape[-1]
    params, told = jax.jit(init_and_tell(network))(seen)
    assert [layer.shape for layer in told.board] == [(3, 2, num_tokens, num_tokens)] * 2
    assert told.pieces.shape == (3, 2, num_pieces, num_pieces)
    assert told.looks.shape == (3, 2, 2, num_tokens)
    for weights in jax.tree.leaves(told):
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    spread = over_cells(told.looks, config.attention, 12, 6)
    np.testing.assert_allclose(spread.sum(axis=(-1, -2)), 1, rtol=1e-5)
    assert set(params) == {"params"}  # nothing that was told is kept


def init_and_tell(network):
    def run(seen):
        params = network.init(jax.random.key(0), seen)
        return params, attention_weights(network, params, seen)

    return run


def test_a_network_without_attention_has_nothing_to_tell():
    env = tetrax.make("mini")
    with pytest.raises(ValueError, match="network: given one without attention; allowed"):
        jax.eval_shape(init_and_tell(actor_critic(env, NetworkConfig())), made_up(env))


def encoder(over, is_pooled, queue=True):
    config = AttentionConfig(over, layers=1, heads=2, size=8, queue=queue)
    module = BoardAttention(config, size=6, num_kinds=3, is_pooled=is_pooled)
    planes, pieces = jnp.zeros((1, 4, 6, 1)), jnp.zeros((1, 4), jnp.int32)
    return jax.jit(module.apply), jax.jit(module.init)(jax.random.key(0), planes, pieces)


def test_a_board_by_itself_is_the_same_seen_in_a_mirror():
    """Before any offset has been learned, and pooled: only the distance from a wall counts."""
    apply, params = encoder("cells", is_pooled=True, queue=False)
    cells = jax.random.bernoulli(jax.random.key(1), 0.5, (4, 6, 1)).astype(jnp.float32)
    moved = jnp.roll(cells, 1, axis=1)
    pieces = jnp.zeros((3, 4), jnp.int32)
    one, mirrored, shifted = np.asarray(apply(params, jnp.stack([cells, cells[:, ::-1], moved]), pieces))
    np.testing.assert_allclose(one, mirrored, atol=1e-5)
    assert np.abs(one - shifted).max() > 1e-4


def test_pieces_are_looked_at_by_place():
    apply, params = encoder("rows", is_pooled=False)
    planes = jnp.ones((3, 4, 6, 1))
    pieces = jnp.array([[0, 3, 1, 2], [0, 3, 2, 1], [0, 3, 1, 2]])
    first, swapped, again = np.asarray(apply(params, planes, pieces))
    assert np.abs(first - swapped).max() > 1e-5
    np.testing.assert_array_equal(first, again)
