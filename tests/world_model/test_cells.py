"""A model of cells: what is near an action, what is shared along the board, and that what is seen is kept whole."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import tetrax
from tetrax.world_model import cell_layers, latents, model
from tetrax.world_model.cell_layers import Placing, Rows, Settling
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.readings import Reading

CONFIG = WorldModelConfig(
    state="cells",
    deter=6,
    units=16,
    classes=3,
    latents=3,
    cell_deter=2,
    cell_units=4,
    row_units=8,
    encoder_layers=1,
    decoder_layers=1,
    prior_layers=1,
    actor_layers=1,
    bins=15,
)
ENV = tetrax.make(preset="mini", actions="drop", observation="bitboards")
WIDTH, ROWS = 4, 8  # 4 x 6, and two rows above
AROUND = cell_layers.AROUND  # 7


def test_the_columns_near_an_action():
    """Of ten columns of two rows, whose number is their place, those around column 8, and back."""
    cells = jnp.arange(10.0)[:, None, None] + jnp.array([0.0, 0.5])[None, :, None]  # [W, R, 1]
    at = jax.nn.one_hot(8, 10)
    near = cell_layers.near_columns(cells, at)  # [R, 7]
    assert near.tolist() == [[5, 6, 7, 8, 9, 0, 0], [5.5, 6.5, 7.5, 8.5, 9.5, 0, 0]]
    back = cell_layers.put_back(near, at)[..., 0]
    assert back[5:].tolist() == cells[5:, :, 0].tolist() and not back[:5].any()
    assert not cell_layers.near_columns(cells, jnp.zeros(10)).any()


def test_rows_beside_those_below_and_above():
    rows = jnp.array([[1.0], [2.0], [4.0]])
    assert cell_layers.along_rows(rows, 1).tolist() == [[0, 1, 2], [1, 2, 4], [2, 4, 0]]
    # Sums from below up to the row itself, and from above down to it, a quarter of each.
    assert cell_layers.with_far_rows(rows).tolist() == [[1, 0.25, 1.75], [2, 0.75, 1.5], [4, 1.75, 1]]


def test_what_is_learned_of_one_column_holds_for_every_one():
    """A hole three columns away from the edge, and an action above it: moved two to the right, all of it moves too."""
    layer = Placing(CONFIG, 2)
    meant = jax.random.normal(jax.random.key(0), (5,))
    places, boards = (4, 6), []
    for place in places:
        boards.append(jnp.ones((12, ROWS, 1)).at[place, 2].set(0.0))
    at = [jax.nn.one_hot(place, 12) for place in places]
    weights = layer.init(jax.random.key(1), boards[0], at[0], meant)
    here, there = (layer.apply(weights, board, here, meant) for board, here in zip(boards, at, strict=True))
    assert not here[:1].any() and not here[8:].any()  # three to each side, and no farther
    np.testing.assert_allclose(there[3:10], here[1:8], atol=1e-6)
    assert np.abs(here[1:8]).max() > 0.01


def test_a_row_hears_of_all_its_cells_and_of_far_rows():
    cells = jax.random.normal(jax.random.key(2), (WIDTH, ROWS, 3))
    layer = Rows(CONFIG)
    weights = layer.init(jax.random.key(3), cells)
    seen = layer.apply(weights, cells)
    # In which column something is does not matter; in which row does, however far away.
    np.testing.assert_allclose(layer.apply(weights, cells[::-1]), seen, atol=1e-5)
    changed = layer.apply(weights, cells.at[0, 0].add(1.0))
    assert (np.abs(np.asarray(changed - seen)).max(axis=-1) > 1e-6).all()


def test_a_cell_takes_over_from_four_rows_around():
    height = 12
    cells, rows = jnp.zeros((WIDTH, height, 2)), jnp.zeros((height, 3))
    layer = Settling(CONFIG)
    weights = layer.init(jax.random.key(4), cells, rows)
    weights = jax.tree.map(
        lambda leaf: leaf + 0.1, weights
    )  # first biases are 0, which hides what is multiplied
    changed = layer.apply(weights, cells.at[1, 6].set(1.0), rows) - layer.apply(weights, cells, rows)
    heard = np.argwhere(np.abs(np.asarray(changed)).max(axis=-1) > 1e-6)
    assert heard.tolist() == [[1, row] for row in range(2, 11)]  # four lines may go at once


@pytest.fixture(scope="module")
def world():
    return model.world_model(ENV, CONFIG)


@pytest.fixture(scope="module")
def params(world):
    return jax.jit(lambda key: model.initial_params(world, key))(jax.random.key(0))


def _draw_reading(world, key, num):
    cells = jax.random.bernoulli(key, 0.4, (num, world.sizes.cells)).astype(jnp.float32)
    return Reading(
        cells=cells,
        pieces=jnp.arange(num * world.sizes.pieces).reshape(num, -1) % (world.sizes.shown.num_kinds + 1),
        numbers=jnp.zeros((num, world.sizes.numbers)),
    )


@pytest.mark.slow
def test_what_was_seen_is_told_cell_by_cell_and_piece_by_piece(world, params):
    """Nothing is lost, whatever was learned: a fresh model tells the filled cells and the pieces as they are."""
    reading = _draw_reading(world, jax.random.key(5), 6)
    before = model.initial_state(world, (6,))
    uniform = jax.random.uniform(jax.random.key(6), (6, world.state_sizes.latents))

    @jax.jit
    def look(params):
        drive = world.apply(params, jnp.arange(6), method=world.drive)
        hint = world.apply(params, reading, method=world.hint)
        step = world.apply(params, before, drive, hint, uniform, method=world.see)
        return step, world.apply(params, step.state.features, method=world.tell)

    step, told = look(params)
    filled = WIDTH * ROWS
    assert ((np.asarray(told.cells) > 0) == (np.asarray(reading.cells) > 0))[:, :filled].all()
    assert (np.argmax(told.pieces, axis=-1) == np.asarray(reading.pieces)).all()
    # What the posterior leaves open of cells is nothing, and finite.
    probabilities = np.exp(np.asarray(step.log_probs))[:, :filled]
    assert np.isfinite(step.log_probs).all() and np.allclose(probabilities.max(axis=-1), 1.0, atol=1e-6)
    # It is a step's whole surprise how unlikely the board was before it was seen.
    prior = world.apply(params, step.state.deter, method=world.prior)
    surprise = latents.divergence(step.log_probs[:, :filled], prior[:, :filled])
    seen = np.take_along_axis(
        np.asarray(prior)[:, :filled],
        np.asarray(latents.class_of(step.state.stoch))[:, :filled, None],
        axis=-1,
    )
    np.testing.assert_allclose(surprise, -seen.sum(axis=(-2, -1)), rtol=1e-4)


def test_every_kind_of_piece_needs_a_class():
    guideline = tetrax.make(actions="drop", observation="bitboards")
    with pytest.raises(ValueError, match=r"agent\.model\.classes: given 3; allowed: 8 to 256 with cells"):
        model.world_model(guideline, CONFIG)


def test_what_shows_more_of_a_board_than_cells_and_the_piece_is_refused():
    planes = tetrax.make(preset="mini", actions="drop", observation="planes")
    with pytest.raises(ValueError, match=r"agent\.model\.state: given 'cells' with observation 'planes'"):
        model.world_model(planes, CONFIG)


def test_where_the_actions_are_no_columns_it_is_said():
    keys = tetrax.make(preset="mini", actions="direct", observation="planes")
    with pytest.raises(
        ValueError, match=r"agent\.model\.state: given 'cells'; allowed: 'vector' or 'columns'"
    ):
        model.world_model(keys, CONFIG)


@pytest.mark.slow
def test_it_learns_where_pieces_come_to_rest_and_that_full_rows_go():
    """Random games of dominoes: after 900 updates the boards to come are foreseen, most of them whole."""
    config = WorldModelConfig(
        state="cells", deter=32, units=32, classes=4, latents=4, row_units=24, bins=15, latent_mixture=0.0
    )
    world = model.world_model(ENV, config)
    steps = 4_000

    def play(carry, key):
        state, seen = carry
        choose_key, step_key = jax.random.split(key)
        action = jax.random.categorical(choose_key, jnp.where(seen.legal, 0.0, -1e9))
        after, timestep = ENV.step(state, action)
        fresh, first = ENV.reset(step_key)
        over = timestep.terminated
        following = jax.tree.map(
            lambda new, old: jnp.where(over, new, old),
            (fresh, first.observation),
            (after, timestep.observation),
        )
        return following, (seen, action, timestep.observation, over, timestep.reward > 0)

    start, first = ENV.reset(jax.random.key(0))
    _, (seen, action, after, over, gained) = jax.jit(
        lambda keys: jax.lax.scan(play, (start, first.observation), keys)
    )(jax.random.split(jax.random.key(1), steps))

    def foresee(params, index):
        def take(observations):
            return jax.tree.map(lambda leaf: leaf[index], observations)

        keys = jnp.zeros((index.shape[0], world.state_sizes.latents)) + 0.5
        drive = world.apply(params, jnp.full(index.shape, -1), method=world.drive)
        hint = world.apply(params, model.read(world, take(seen)), method=world.hint)
        before = model.initial_state(world, index.shape)
        state = world.apply(params, before, drive, hint, keys, method=world.see).state
        drive = world.apply(params, action[index], method=world.drive)
        prior = world.apply(
            params,
            world.apply(params, state, drive, keys, method=world.foresee).state.deter,
            method=world.prior,
        )
        came = model.read(world, take(after)).cells[:, : WIDTH * ROWS].reshape(-1, ROWS, WIDTH)
        came = jnp.swapaxes(came, -1, -2).reshape(index.shape[0], -1)
        return prior[:, : WIDTH * ROWS], came.astype(jnp.int32)

    going_on = np.flatnonzero(~np.asarray(over))
    learned, unseen = jnp.asarray(going_on[500:]), jnp.asarray(going_on[:500])
    optimiser = optax.adam(3e-3)

    @jax.jit
    def learn(params, moments, keys):
        def loss(params, index):
            prior, came = foresee(params, index)
            return -jnp.mean(jnp.sum(jnp.take_along_axis(prior, came[..., None], axis=-1), axis=(-2, -1)))

        def update(carry, key):
            params, moments = carry
            index = jax.random.choice(key, learned, (64,))
            change, moments = optimiser.update(jax.grad(loss)(params, index), moments)
            return (optax.apply_updates(params, change), moments), None

        return jax.lax.scan(update, (params, moments), keys)[0]

    params = jax.jit(lambda key: model.initial_params(world, key))(jax.random.key(2))
    params, _ = learn(params, optimiser.init(params), jax.random.split(jax.random.key(3), 900))
    prior, came = jax.jit(foresee)(params, unseen)
    right = np.asarray((jnp.argmax(prior, axis=-1) == came).all(axis=-1))
    cleared = np.asarray(gained)[np.asarray(unseen)]
    assert right.mean() > 0.95 and right[cleared].mean() > 0.75, (right.mean(), right[cleared].mean())
