"""What is observed of a board, against drawings and numbers worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env import observe
from tetrax.env.wrappers import AutoReset

SMALL = {"width": 5, "height": 4, "buffer": 4, "preview": 1}
BOARD = """
    .#...
    ##..#
    #.###
"""


def look(env, state):
    """Observe in one program, which is faster to compile than many small ones."""
    return jax.jit(env.observe)(state)


def drawn(cells, marks: str) -> list[str]:
    """Draw cells of small integers, the top row first."""
    return ["".join(marks[cell] for cell in row) for row in np.asarray(cells)[::-1]]


def test_compact_cells_are_small_integers():
    env = tetrax.make(observation="compact", **SMALL)
    seen = look(env, tetrax.state_from_ascii(env, BOARD, piece="T"))
    # T enters over rows 4 and 5 (centred, rounded to the left: columns 1 to 3) and falls one row at once.
    # Column 1 stops it: filled up to row 2, so its flat side rests in row 3, where it is already.
    assert seen.planes is None
    assert (seen.cells.dtype, seen.cells.shape) == (np.int8, (6, 5))
    assert drawn(seen.cells, ".#TG") == [".....", "..T..", ".TTT.", ".#...", "##..#", "#.###"]


def test_the_ghost_shows_where_the_piece_is_not():
    env = tetrax.make(observation="compact", **SMALL)
    seen = look(env, tetrax.state_from_ascii(env, "##...", piece="T"))
    # The flat side comes to rest in row 1, on column 1; the knob is in row 2, under the piece in row 3.
    assert drawn(seen.cells, ".#TG") == [".....", "..T..", ".TTT.", "..G..", ".GGG.", "##..."]


def test_bitboards_have_a_word_for_every_row():
    env = tetrax.make(observation="bitboards", **SMALL)
    seen = look(env, tetrax.state_from_ascii(env, BOARD, piece="T"))
    assert seen.planes is None and seen.cells is None
    assert (seen.bitboards.dtype, seen.bitboards.shape) == (np.uint32, (2, 6))
    # Bit x is column x, the bottom row first: "#.###" is 0b11101, "##..#" 0b10011; T's flat side fills columns 1 to 3.
    assert seen.bitboards.tolist() == [[0b11101, 0b10011, 0b00010, 0, 0, 0], [0, 0, 0, 0b01110, 0b00100, 0]]


def test_simplify_board_leaves_the_piece_out():
    env = tetrax.make(**SMALL)
    cells = observe.simplify_board(env.rules, tetrax.state_from_ascii(env, BOARD, piece="T"))
    assert cells.dtype == np.uint8
    assert drawn(cells, ".#") == [".....", ".....", ".....", ".#...", "##..#", "#.###"]


def test_board_features():
    env = tetrax.make(board_features=True, **SMALL)
    seen = look(env, tetrax.state_from_ascii(env, BOARD, piece="T"))
    measured = dict(zip(env.board_feature_names, np.asarray(seen.board_features).tolist(), strict=True))
    assert measured == pytest.approx(
        {
            "height_0": 2,
            "height_1": 3,
            "height_2": 1,
            "height_3": 1,
            "height_4": 2,
            "aggregate_height": 9,
            "max_height": 3,
            "bumpiness": 1 + 2 + 0 + 1,
            "holes": 1,  # (1, 0)
            "rows_with_holes": 1,
            "hole_depth": 2,  # (1, 1) and (1, 2) are over it
            # Columns 2 and 3 are no lower than both neighbours (3, 1 and 1, 2), column 0 is between the wall
            # and 3: one cell deep; column 4 is not lower than column 3.
            "wells": 1,
            # Row 0 "#.###": 2; row 1 "##..#": 2; row 2 ".#...": the left wall, both sides of the cell, the
            # right wall: 4; the empty row 3: the walls, 2.
            "row_transitions": 10,
            # Columns from the floor up: #,#: 1; floor, hole, two cells: 3; then one each.
            "column_transitions": 1 + 3 + 1 + 1 + 1,
            "density": 8 / 15,  # cells in the three rows up to the highest
        }
    )


def test_density_of_nothing_is_nothing():
    env = tetrax.make(board_features=True, **SMALL)
    state = tetrax.state_from_ascii(env, "", piece="T")
    measured = look(env, state).board_features
    assert dict(zip(env.board_feature_names, measured.tolist(), strict=True))["density"] == 0.0


def named(env, seen) -> dict[str, float]:
    return dict(zip(env.flat_names, np.asarray(seen.flat).tolist(), strict=True))


def test_the_flat_vector_has_a_name_for_every_number():
    env = tetrax.make(
        observation="flat", board_features=True, ghost_outcome=True, history=2, reward="survival", **SMALL
    )
    state = tetrax.state_from_ascii(env, BOARD, piece="T", hold="O", queue="I")
    flat = named(env, look(env, state))
    assert len(flat) == len(env.flat_names)  # no name twice
    # 2 boards of 6 x 5; active one of 7, hold 8, next 7; 13 features; 5 heights and 10 more; 3; 2 boards.
    assert len(flat) == 60 + 22 + 13 + 15 + 3 + 60
    cells = [(y, x) for y in range(6) for x in range(5)]
    locked = {(0, 0), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1), (1, 4), (2, 1)}
    for view, filled in (
        ("locked", locked),
        ("active", {(3, 1), (3, 2), (3, 3), (4, 2)}),
        ("before_0", locked),
        ("before_1", locked),
    ):
        assert {(y, x) for y, x in cells if flat[f"{view}_{y}_{x}"] == 1.0} == filled, view
        assert all(flat[f"{view}_{y}_{x}"] in (0.0, 1.0) for y, x in cells)
    kinds = [name for name in flat if name.split("_")[0] in ("piece", "hold", "next")]
    ones = {name for name in kinds if flat[name] == 1.0}
    assert ones == {"piece_T", "hold_O", "next_0_I", "hold_available"}
    assert flat["board_height_1"] == pytest.approx(3 / 4)  # of four visible rows
    assert flat["board_bumpiness"] == pytest.approx(4 / 20)
    # T locks in rows 3 and 4: not wholly above the four visible rows, but where the next piece enters
    # (row 4, all but the outer columns): a life lost, -10.
    assert (flat["ghost_reward"], flat["ghost_lines"], flat["ghost_terminated"]) == (-10.0, 0.0, 1.0)


def test_the_flat_vector_is_what_the_other_views_show():
    env = tetrax.make(observation="flat", hold=False, lock="classic", **SMALL)
    state = tetrax.state_from_ascii(env, BOARD, piece="L", queue="S")
    seen = look(env, state)
    planes = observe.planes(env.rules, state)
    expected = [np.asarray(planes[..., 0]).ravel(), np.asarray(planes[..., 1]).ravel()]
    expected += [np.eye(7)["IJLOSTZ".index("L")], np.eye(7)["IJLOSTZ".index("S")], np.asarray(seen.features)]
    np.testing.assert_array_equal(seen.flat, np.concatenate(expected).astype(np.float32))
    assert len(env.flat_names) == seen.flat.shape[0]


def test_what_is_not_chosen_is_none():
    seen = tetrax.make(**SMALL).reset(jax.random.key(0))[1].observation
    chosen = (seen.cells, seen.flat, seen.board_features, seen.ghost, seen.history, seen.afterstates)
    assert chosen == (None,) * 6


def test_waiting_garbage_and_lives_are_features_where_the_rules_have_them():
    env = tetrax.make(garbage=True, lives=4, actions="drop")
    state = jax.jit(env.init)(jax.random.key(0), env.default_params)
    waiting = state.garbage.replace(rows=state.garbage.rows.at[:2].set(jnp.array([3, 1])))
    state = state.replace(garbage=waiting, lives=jnp.int32(3))
    seen = observe.features(env.rules, env.default_params.game, state, by_keys=False)
    assert dict(zip(env.feature_names, seen.tolist(), strict=True)) == pytest.approx(
        {"level": 1 / 20, "combo": 0, "back_to_back": 0, "lives": 3 / 4, "garbage_waiting": 4 / 20}
    )


@pytest.fixture(scope="module")
def remembering():
    """A game of dominoes that remembers three boards, with automatic reset, of one tower of lying ones."""
    env = tetrax.make("mini", actions="drop", observation="planes", history=3, time_limit=9)
    boards = AutoReset(env)

    def step(state, _):
        before = state.game
        state, timestep = boards.step(state, jnp.int32(0))
        return state, (before, state.game, timestep)

    def play(key):
        state, timestep = boards.reset(key)
        return timestep, jax.lax.scan(step, state, None, length=12)[1]

    timestep, (before, after, timesteps) = jax.jit(play)(jax.random.key(0))
    return env, timestep, before, after, timesteps


@pytest.mark.slow
def test_history_starts_as_if_the_first_board_had_always_stood(remembering):
    _, timestep, _, _, _ = remembering
    seen = timestep.observation.history
    assert (seen.dtype, seen.shape) == (np.uint8, (3, 8, 4))
    assert not np.asarray(seen).any()
    garbage = tetrax.make(garbage=True, history=2)
    params = garbage.default_params
    params = params.replace(game=params.game.replace(starting_garbage=jnp.int32(3)))
    state = jax.jit(garbage.init)(jax.random.key(0), params)
    now = observe.simplify_board(garbage.rules, state)
    assert np.asarray(now).sum() == 27
    np.testing.assert_array_equal(observe.history(garbage.rules, state), np.stack([now, now]))
    assert tetrax.state_from_ascii(garbage, "#.........").history.tolist() == [[1] + [0] * 39] * 2


def test_history_holds_the_boards_before_the_last_steps_newest_first(remembering):
    _, _, before, _, timesteps = remembering
    done = np.asarray(timesteps.terminated | timesteps.truncated)
    assert done.tolist().index(True) > 3
    rows = np.asarray(before.rows)
    for t in range(3, done.tolist().index(True)):
        expected = ((rows[[t, t - 1, t - 2], :8, None] >> np.arange(4)) & 1).astype(np.uint8)
        np.testing.assert_array_equal(timesteps.observation.history[t], expected)
        np.testing.assert_array_equal(timesteps.last_observation.history[t], expected)
    assert np.asarray(timesteps.observation.history[3]).sum(axis=(1, 2)).tolist() == [6, 4, 2]


def test_a_new_game_remembers_nothing_of_the_old_one(remembering):
    _, _, before, _, timesteps = remembering
    end = np.asarray(timesteps.terminated | timesteps.truncated).tolist().index(True)
    assert not np.asarray(timesteps.observation.history[end]).any()
    last = np.asarray(timesteps.last_observation.history[end])
    np.testing.assert_array_equal(last[0], (np.asarray(before.rows)[end, :8, None] >> np.arange(4)) & 1)
    assert last.any()


def test_history_stands_still_after_the_end():
    env = tetrax.make("mini", history=2)
    before = tetrax.state_from_ascii(env, "#...")
    after = tetrax.state_from_ascii(env, "##..")
    assert observe.remember(after, after).history[:, 0].tolist() == [0b11, 0b11]
    assert observe.remember(after.replace(history=before.history), after).history[:, 0].tolist() == [
        0b11,
        0b1,
    ]
    over = after.replace(history=before.history, game_over=jnp.bool_(True))
    assert observe.remember(over, over).history[:, 0].tolist() == [0b1, 0b1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"observation": "flatt"}, "env.observation: given 'flatt'; .* did you mean 'flat'"),
        ({"history": 17}, "env.history: given 17; allowed: a whole number from 0 to 16"),
        ({"history": True}, "env.history: given True; allowed: a whole number from 0 to 16"),
        ({"ghost_outcome": 1}, "env.ghost_outcome: given 1; allowed: True or False"),
        ({"board_features": "yes"}, "env.board_features: given 'yes'; allowed: True or False"),
    ],
)
def test_what_cannot_be_observed_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tetrax.make(**options)


def test_a_state_without_a_history_is_refused_where_one_is_observed():
    env, other = tetrax.make("mini", history=2), tetrax.make("mini")
    state = other.init(jax.random.key(0), other.default_params)
    with pytest.raises(ValueError, match=r"state\.history: given None"):
        env.observe(state)
