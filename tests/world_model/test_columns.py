"""A model of columns: what is shared, what is whose, and in which order it goes in and out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.world_model import model
from tetrax.world_model.column_layers import ColumnLayout, ColumnOutputs, Exchange, Grid
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.readings import Reading

CONFIG = WorldModelConfig(
    state="columns",
    deter=6,
    units=8,
    classes=3,
    latents=2,
    column_latents=2,
    encoder_layers=1,
    decoder_layers=1,
    prior_layers=1,
    actor_layers=1,
    bins=15,
)
ENV = tetrax.make(preset="mini", actions="drop", observation="bitboards")
WIDTH = 4


@pytest.fixture(scope="module")
def world():
    return model.world_model(ENV, CONFIG)


@pytest.fixture(scope="module")
def params(world):
    return jax.jit(lambda key: model.initial_params(world, key))(jax.random.key(0))


def test_states_are_cut_and_joined():
    layout = ColumnLayout(3, 2, 1, 1, 2, 2)
    assert (layout.deter, layout.latents) == (7, 5)
    deter = jnp.arange(7.0)
    cut = layout.cut(deter)
    assert cut.columns.tolist() == [[0, 1], [2, 3], [4, 5]] and cut.common.tolist() == [6]
    assert layout.join(cut).tolist() == deter.tolist()
    stoch = jnp.arange(10.0).reshape(5, 2)
    drawn = layout.cut_latents(stoch)
    assert drawn.columns.tolist() == [[0, 1], [2, 3], [4, 5]] and drawn.common.tolist() == [6, 7, 8, 9]
    features = layout.cut_features(jnp.concatenate([deter, stoch.reshape(-1)]))
    assert features.columns.tolist() == [[0, 1, 0, 1], [2, 3, 2, 3], [4, 5, 4, 5]]
    assert features.common.tolist() == [6, 6, 7, 8, 9]


def test_what_is_learned_of_a_column_holds_for_every_one():
    """Ten columns, empty but for two in the middle: moved one to the right, all that comes of them moves too."""
    layer = Exchange(CONFIG)
    content = jax.random.normal(jax.random.key(1), (2, 5))
    grids = [Grid(jnp.zeros((10, 5)).at[place : place + 2].set(content), jnp.ones(3)) for place in (4, 5)]
    weights = layer.init(jax.random.key(2), grids[0])
    here, there = (layer.apply(weights, grid) for grid in grids)
    np.testing.assert_allclose(there.columns[4:7], here.columns[3:6], atol=1e-6)
    np.testing.assert_allclose(there.common, here.common, atol=1e-6)
    # Three to the left of them one still hears, four to the left of them not.
    nothing = layer.apply(weights, Grid(jnp.zeros((10, 5)), jnp.ones(3))).columns
    quiet = jax.tree.map(lambda leaf: leaf, weights)
    quiet["params"]["heard"] = jax.tree.map(jnp.zeros_like, weights["params"]["heard"])
    by_ear = (
        layer.apply(quiet, grids[1]).columns
        - layer.apply(quiet, Grid(jnp.zeros((10, 5)), jnp.ones(3))).columns
    )
    assert np.flatnonzero(np.abs(np.asarray(by_ear)).max(axis=-1) > 1e-6).tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert nothing.shape == (10, 8)


def test_an_action_is_shown_to_its_column(world):
    # Action a is choice a // 4 in column a % 4: of 16, action 6 is orientation 1 in column 2.
    drive = world.apply({}, jnp.array([6, -1]), method=world.drive)
    assert np.argwhere(np.asarray(drive.columns[0])).tolist() == [[2, 1]]
    assert drive.common[0].tolist() == [0, 1, 0, 0]
    assert not drive.columns[1].any() and not drive.common[1].any()


def test_choices_are_read_in_the_order_of_actions():
    head = ColumnOutputs(8, by_column=True)
    grid = Grid(jax.random.normal(jax.random.key(3), (WIDTH, 5)), jnp.ones(2))
    weights = head.init(jax.random.key(4), grid)
    jacobian = jax.jacobian(lambda columns: head.apply(weights, grid._replace(columns=columns)))(grid.columns)
    for action in range(8):
        assert np.flatnonzero(np.abs(jacobian[action]).sum(axis=-1)).tolist() == [action % WIDTH]


@pytest.mark.slow
def test_cells_go_into_their_columns_and_come_out_of_them(world, params):
    """Where nobody hears of others, one column's cells change one column of the state, and that its cells."""
    deaf = jax.tree_util.tree_map_with_path(
        lambda path, leaf: (
            jnp.zeros_like(leaf) if "'heard'" in str(path) or "'around'" in str(path) else leaf
        ),
        params,
    )
    cells = (
        jnp.zeros((2, 8, WIDTH)).at[1, 3, 2].set(1.0).reshape(-1)
    )  # a cell of the second plane, in column 2
    common = {"pieces": jnp.zeros(3, jnp.int32), "numbers": jnp.zeros(world.sizes.numbers)}
    hints = [
        world.apply(deaf, Reading(cells=each, **common), method=world.hint)
        for each in (jnp.zeros_like(cells), cells)
    ]
    changed = np.abs(np.asarray(hints[1].columns - hints[0].columns)).max(axis=-1)
    assert np.flatnonzero(changed).tolist() == [2]

    deter, num_latents, classes = world.state_sizes
    features = jnp.zeros(deter + num_latents * classes)
    told = [
        np.asarray(world.apply(deaf, each, method=world.tell).cells).reshape(2, 8, WIDTH)
        for each in (features, features.at[6:12].set(1.0))  # the numbers of column 1
    ]
    assert set(np.argwhere(told[0] != told[1])[:, 2]) == {1}


def test_where_no_board_is_shown_there_are_no_columns():
    said = r"agent\.model\.state: given 'columns' with observation 'flat'; allowed: 'vector'"
    with pytest.raises(ValueError, match=said):
        model.world_model(tetrax.make(preset="mini", observation="flat"), CONFIG)


def test_a_flat_board_has_actions_that_are_not_legal():
    env = tetrax.make(preset="mini", actions="drop", observation="flat")
    vector = WorldModelConfig(deter=16, units=8, classes=3, latents=4, blocks=2, bins=15)
    world = model.world_model(env, vector)
    shapes = jax.eval_shape(lambda key: model.initial_params(world, key), jax.random.key(0))
    assert "legal_head" in shapes["params"]
