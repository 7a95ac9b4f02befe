"""Actions "locked_position": masks against plain search, what a placement does, and how a game without any ends."""

import dataclasses
import functools
import itertools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.env import ways
from tetrax.env.actions import LockedPosition
from tetrax.env.game import engine, locking
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.reach import placements
from tetrax.env.game.rules import Rules, default_params
from tetrax.env.game.state import GAME_OVER_REASONS, select
from tetrax.env.tetris import EnvConfig, Tetris

# Few rows and kinds, for a small program: a piece that spins, one whose turns look alike, one that never kicks.
HEIGHT, WIDTH = 6, 6
SIZE = HEIGHT * WIDTH
KINDS = tuple(piece for piece in TETROMINOES if piece.name in "TSO")
RULES = {
    kicks: Rules(width=WIDTH, height=HEIGHT, buffer=5, preview=1, pieces=KINDS, kicks=kicks)
    for kicks in ("none", "srs180")
}
KICKS = pytest.mark.parametrize("kicks", ["none", pytest.param("srs180", marks=pytest.mark.slow)])
# Every other game starts with a place that a T reaches by a last turn.
SLOT = (0b111011, 0b110001, 0b000011)
BOARDS, STEPS = 32, 16
NO_PLACEMENT = GAME_OVER_REASONS.index("no_placement")
QUICKLY_COMPILED = {"xla_backend_optimization_level": 0}


@functools.cache
def played(kicks: str):
    """Play placements at random, rather low ones, and now and then any action.

    Returns (state, legal, action, state after, event) of every step, in NumPy.
    """
    rules = RULES[kicks]
    placing, params = LockedPosition(rules), default_params(rules)
    height = jnp.asarray(np.tile(np.repeat(np.arange(HEIGHT), WIDTH), 8), jnp.float32)

    def step(state, key):
        legal = placing.legal(state, None)
        whether_key, any_key, legal_key = jax.random.split(key, 3)
        any_action = jax.random.randint(any_key, (), 0, legal.shape[0], jnp.int32)
        low = jax.random.categorical(legal_key, jnp.where(legal, -0.8 * height, -1e9)).astype(jnp.int32)
        action = jnp.where(jax.random.bernoulli(whether_key, 0.1), any_action, low)
        after, event = placing.apply(params, state, action)
        return after, (state, legal, action, after, event)

    def game(key, has_slot):
        reset_key, play_key = jax.random.split(key)
        state = engine.init(rules, params, reset_key)
        slot = jnp.asarray(SLOT + (0,) * (rules.total_height - len(SLOT)), jnp.uint32)
        state = state.replace(rows=jnp.where(has_slot, slot, state.rows))
        return jax.lax.scan(step, state, jax.random.split(play_key, STEPS))[1]

    keys = jax.random.split(jax.random.key(0), BOARDS)
    steps = jax.jit(jax.vmap(game), compiler_options=QUICKLY_COMPILED)(keys, np.arange(BOARDS) % 2 == 1)
    steps = tuple(part.replace(key=None) if hasattr(part, "key") else part for part in steps)
    steps = jax.tree.map(np.asarray, steps)
    every = itertools.product(range(BOARDS), range(STEPS))
    return [jax.tree.map(operator.itemgetter(index), steps) for index in every]


@functools.cache
def places_of(kicks: str, index: int):
    """List the places of a step's state, by plain search."""
    return ways.places(RULES[kicks], played(kicks)[index][0])


def test_names_say_where_a_piece_goes():
    assert len(LockedPosition(Rules(hold=False)).names) == 800
    assert len(LockedPosition(Rules(hold=False), chooses_orientation=False).names) == 200
    env = tetrax.make(actions="locked_position")
    assert env.num_actions == 1600
    assert env.action_names[0] == "place_0_0_0"
    assert env.action_names[200 + 3 * 10 + 4] == "place_R_4_3"
    assert env.action_names[800 + 3 * 200 + 199] == "hold_place_L_9_19"
    env = tetrax.make(actions="locked_position", orientation="first")
    assert env.num_actions == 400
    assert env.action_names[200 + 3 * 10 + 4] == "hold_place_4_3"
    assert env.config.view == "planes"


@pytest.mark.slow
@KICKS
def test_masks_are_those_of_a_plain_search(kicks):
    with_hold = 0
    for index, (state, legal, *_) in enumerate(played(kicks)):
        expected = np.zeros((2, 4, HEIGHT, WIDTH), bool)
        if not state.game_over:
            for half, found in enumerate(places_of(kicks, index)):
                for orientation, x, y in found:
                    if y < HEIGHT:
                        expected[half, orientation, y, x] = True
        np.testing.assert_array_equal(legal, expected.reshape(-1))
        with_hold += expected[1].any()
    assert 100 < with_hold < len(played(kicks))


@KICKS
@pytest.mark.slow
def test_a_placement_fills_its_cells_and_earns_the_best_spin(kicks):
    spins, lines_seen = set(), 0
    for index, (state, legal, action, after, event) in enumerate(played(kicks)):
        if not legal[action]:
            continue
        half, rest = divmod(int(action), 4 * SIZE)
        orientation, (y, x) = rest // SIZE, divmod(rest % SIZE, WIDTH)
        held = state.hold if state.hold >= 0 else state.queue[0]
        cells = ways.cells_at(RULES[kicks], int(held if half else state.piece), orientation, x, y)
        rows, lines = ways.placed(RULES[kicks], state.rows, cells)
        np.testing.assert_array_equal(after.rows, rows)
        assert (event.locked, event.lines) == (True, lines)
        assert event.lock_reason == 4
        assert after.hold == (state.piece if half else state.hold)
        assert event.spin == max(places_of(kicks, index)[half][orientation, x, y])
        spins.add(int(event.spin))
        lines_seen += lines
    assert spins >= {0, 2}
    assert lines_seen > 5


@KICKS
def test_cells_are_conserved_and_something_is_legal_until_the_end(kicks):
    reasons = set()
    for state, legal, _, after, event in played(kicks):
        before, now = (sum(int(row).bit_count() for row in s.rows) for s in (state, after))
        assert now == before + 4 * int(event.locked) - WIDTH * int(event.lines)
        assert legal.any() == (not state.game_over)
        if state.game_over:
            assert not event.locked
            assert after.ticks == state.ticks
        if event.game_over:
            assert after.game_over
            assert event.life_lost
            reasons.add(GAME_OVER_REASONS[int(event.game_over)])
        if not after.game_over or event.game_over == NO_PLACEMENT:
            left = ways.places(RULES[kicks], after)
            stuck = not any(y < HEIGHT for found in left for _, _, y in found)
            assert stuck == (event.game_over == NO_PLACEMENT)
    assert {"block_out"} <= reasons <= {"block_out", "no_placement"}


@KICKS
def test_an_illegal_placement_only_passes_time(kicks):
    tried = 0
    for state, legal, action, after, event in played(kicks):
        if legal[action] or state.game_over:
            continue
        tried += 1
        assert not event.locked
        assert after.ticks == state.ticks + 1
        for name in ("rows", "piece", "hold", "queue", "score", "pieces", "x", "y", "draws", "game_over"):
            np.testing.assert_array_equal(getattr(after, name), getattr(state, name))
    assert tried > 10


WHOLE = {
    "first orientation, srs+": (Rules(width=6, height=8, buffer=8, kicks="srs+"), False),
    "no kicks, no hold, lives": (
        Rules(width=6, height=8, buffer=6, kicks="none", hold=False, lives=3, top_out="block_out"),
        True,
    ),
}


def plainly(placing: LockedPosition, params, state, action):
    """Return the mask and the step that follow from all places and their classes, found for the whole board."""
    rules = placing.rules

    def masked(state):
        found = placements.mask(rules, placements.reachable(rules, state))[:, :, : rules.height]
        return found if placing.chooses_orientation else jnp.any(found, axis=1, keepdims=True)

    reach = placements.reachable(rules, state)
    options = (4,) if placing.chooses_orientation else ()
    half, *orientation, y, x = jnp.unravel_index(action, (2, *options, rules.height, rules.width))
    there = (reach.rows[half, ..., y] >> x.astype(jnp.uint32)) & np.uint32(1) != 0  # [spin, orientation]
    o = orientation[0] if orientation else jnp.argmax(jnp.any(there, axis=0))
    spin = jnp.max(jnp.where(there[:, o], np.arange(3, dtype=np.int32), 0))
    corner = [jnp.asarray(table)[reach.kind[half], o] for table in (rules.tables.left, rules.tables.bottom)]
    pose = Pose(o.astype(jnp.int32), x.astype(jnp.int32) - corner[0], y.astype(jnp.int32) - corner[1])
    after, event = engine.place(rules, params, state, half == 1, pose, jnp.any(there[:, o]), spin)
    lost = locking.lose(rules, after, event, jnp.asarray(np.int32(NO_PLACEMENT)))
    none = ~after.game_over & ~jnp.any(masked(after))
    return masked(state).reshape(-1), select(none, lost, (after, event))


@pytest.mark.slow
@pytest.mark.parametrize(("rules", "chooses_orientation"), WHOLE.values(), ids=WHOLE)
def test_steps_are_those_of_all_places_with_their_classes(rules, chooses_orientation):
    placing, params = LockedPosition(rules, chooses_orientation), default_params(rules)

    def step(state, key):
        legal = placing.legal(state, None)
        action = jax.random.categorical(key, jnp.where(legal, 0.0, -8.0)).astype(
            jnp.int32
        )  # a few are illegal
        played = placing.apply(params, state, action)
        plain_legal, plain = plainly(placing, params, state, action)
        bare = [state.replace(key=jax.random.key_data(state.key)) for state in (played[0], plain[0])]
        same = jax.tree.map(
            lambda a, b: jnp.all(a == b), (legal, bare[0], played[1]), (plain_legal, bare[1], plain[1])
        )
        again = engine.init(rules, params, key)
        return select(played[0].game_over, again, played[0]), (same, played[1])

    def game(key):
        reset_key, play_key = jax.random.split(key)
        return jax.lax.scan(step, engine.init(rules, params, reset_key), jax.random.split(play_key, 32))[1]

    keys = jax.random.split(jax.random.key(3), 32)
    same, event = jax.jit(jax.vmap(game), compiler_options=QUICKLY_COMPILED)(keys)
    assert all(bool(np.all(field)) for field in jax.tree.leaves(same)), jax.tree.map(np.mean, same)
    assert int(event.locked.sum()) > 400
    assert bool(event.life_lost.any())


# Dominoes on 4x6, two lives, the orientation left to the rule: one small program through the environment.
MINI = dataclasses.replace(tetrax.make("mini").rules, lives=2)
ENV = Tetris(EnvConfig(preset="mini", rules=MINI, actions="locked_position", orientation="first"))
STEP = jax.jit(ENV.step, compiler_options=QUICKLY_COMPILED)
# Nothing can pass the third row from above, and it is the highest visible one.
STUCK = """
    ...#
    ###.
    ###.
    ....
    ....
    ....
    ....
"""


def action_at(x: int, y: int) -> int:
    return ENV.action_names.index(f"place_{x}_{y}")


@pytest.mark.slow
def test_the_first_orientation_that_reaches_a_cell_is_taken():
    state = engine.init(MINI, default_params(MINI), jax.random.key(0))
    same, timestep = STEP(state, action_at(0, 3))  # nothing rests in the air
    assert not timestep.event.locked
    legal = np.asarray(timestep.observation.legal).reshape(MINI.height, MINI.width)
    assert [int(y) for y in np.flatnonzero(legal.any(axis=1))] == [
        0
    ]  # on the floor, all four: lying or upright
    assert legal[0].all()
    flat, _ = STEP(same, action_at(0, 0))
    assert [int(row) for row in flat.rows[:2]] == [0b0011, 0]
    upright, _ = STEP(same, action_at(3, 0))
    assert [int(row) for row in upright.rows[:2]] == [0b1000, 0b1000]


def test_a_board_without_a_place_costs_a_life_and_the_last_one_ends_the_game():
    state = tetrax.state_from_ascii(ENV, STUCK)
    assert state.lives == 2
    again, timestep = STEP(state, action_at(0, 0))
    assert (timestep.event.game_over, bool(timestep.event.life_lost)) == (NO_PLACEMENT, True)
    assert (int(again.lives), bool(again.game_over), bool(timestep.terminated)) == (1, False, False)
    assert not again.rows.any()
    assert timestep.observation.legal.any()

    ended, timestep = STEP(state.replace(lives=jnp.int32(1)), action_at(0, 0))
    assert (timestep.event.game_over, bool(timestep.event.life_lost)) == (NO_PLACEMENT, True)
    assert (int(ended.lives), bool(ended.game_over), bool(timestep.terminated)) == (0, True, True)
    np.testing.assert_array_equal(ended.rows, state.rows)
    assert not timestep.observation.legal.any()
    after, timestep = STEP(ended, action_at(0, 0))
    assert (after.ticks, int(timestep.event.game_over)) == (ended.ticks, 0)


def test_the_placement_that_leaves_no_place_loses_in_the_same_step():
    open_row = STUCK.replace("###.", "#...", 1)
    state = tetrax.state_from_ascii(ENV, open_row).replace(lives=jnp.int32(1))
    ended, timestep = STEP(state, action_at(1, 5))
    assert bool(timestep.event.locked)
    assert timestep.event.game_over == NO_PLACEMENT
    assert bool(timestep.terminated)
    drawn = tetrax.state_from_ascii(ENV, STUCK)
    np.testing.assert_array_equal(ended.rows, drawn.rows)


def environment(kicks: str, **fields) -> Tetris:
    return Tetris(EnvConfig(rules=RULES[kicks], actions="locked_position", reward="survival", **fields))


def together(kicks: str):
    """Return the steps of `played`, all in one."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *played(kicks))


def seen_in(kicks: str, **fields):
    """Return what is seen of the boards of `played`, in NumPy."""
    env = environment(kicks, observation="afterstate_boards", **fields)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(env.observe))(together(kicks)[0]))


@KICKS
def test_afterstates_foretell_the_placement(kicks):
    _, legal, action, after, event = together(kicks)
    seen, numbers = seen_in(kicks), np.arange(len(action))
    np.testing.assert_array_equal(seen.legal, legal)
    foretold = jax.tree.map(lambda leaf: leaf[numbers, action], seen.afterstates)
    placed = legal[numbers, action]
    stuck = event.game_over == NO_PLACEMENT  # that the next piece has no place is not foreseen
    goes_on = placed & (~after.game_over | stuck)
    assert goes_on.sum() > 150 and (goes_on & (event.lines > 0)).any()
    np.testing.assert_array_equal(foretold.rows[goes_on], after.rows[goes_on][:, : HEIGHT + 4])
    assert not foretold.terminated[goes_on].any()
    visible = placed & (action < 4 * SIZE)  # holding may bring a piece that is not visible
    np.testing.assert_array_equal(foretold.terminated[visible], ~goes_on[visible])
    assert foretold.terminated[visible].any()
    np.testing.assert_allclose(foretold.reward[goes_on], event.lines[goes_on], atol=1e-6)


@pytest.mark.slow
def test_afterstates_of_the_first_orientation_are_those_of_the_lowest_that_is_legal():
    chosen, first = seen_in("none"), seen_in("none", orientation="first")
    by_orientation = chosen.legal.reshape(-1, 2, 4, SIZE)  # [boards, half, orientation, cell]
    lowest = by_orientation.argmax(axis=2)
    rows = chosen.afterstates.rows.reshape(*by_orientation.shape, -1)
    expected = np.take_along_axis(rows, lowest[:, :, None, :, None], axis=2)[:, :, 0]
    legal = by_orientation.any(axis=2)
    np.testing.assert_array_equal(first.legal.reshape(legal.shape), legal)
    found = first.afterstates.rows.reshape(expected.shape)
    np.testing.assert_array_equal(found[legal], expected[legal])


def test_what_a_spin_earns_is_not_known_before_it():
    env = Tetris(EnvConfig(rules=RULES["none"], actions="locked_position", reward="score"))
    assert not env.foretells_reward and environment("none").foretells_reward
    assert Tetris(EnvConfig(rules=RULES["none"], actions="drop", reward="score")).foretells_reward
