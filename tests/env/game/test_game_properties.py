"""What holds in every game, whatever is pressed (hypothesis chooses rules, seeds and how keys are mixed)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.tables import FACINGS, SHAPES
from tetrax.env.game import engine
from tetrax.env.game.pieces import DOMINOES
from tetrax.env.game.rules import Rules, default_params
from tetrax.env.game.state import GAME_OVER_REASONS, Inputs

TICKS, BOARDS = 120, 8
RULES = {
    "guideline": Rules(),
    "small": Rules(width=6, height=8, buffer=4, preview=1, randomizer="uniform"),
    "dominoes": Rules(width=4, height=6, buffer=4, pieces=DOMINOES, preview=0, hold=False),
    "lives and garbage": Rules(
        width=6,
        height=8,
        buffer=4,
        randomizer="tetrio",
        kicks="srs+",
        spawn_row=0,
        spawn_rise=True,
        lives=3,
        garbage=True,
        garbage_blocking=False,
        attack="tetrio",
        lock="step_count",
    ),
}
GARBAGE = {"starting_garbage": 2, "garbage_interval": 20, "garbage_rows": 2}
KEYS = tuple(Inputs.__dataclass_fields__)


def numbers(rules):
    """Return the default params, with garbage where the rules have it."""
    given = GARBAGE if rules.garbage else {}
    return default_params(rules).replace(**{name: jnp.int32(number) for name, number in given.items()})


@functools.cache
def player(rules):
    """Compile a run of random chords: (seed, chance of each key) to the states and events of every tick."""

    def play(seed, chances):
        start_key, chord_key = jax.random.split(jax.random.key(seed))
        pressed = jax.random.uniform(chord_key, (TICKS, BOARDS, len(KEYS))) < chances[None, None]
        states = jax.vmap(lambda key: engine.init(rules, numbers(rules), key))(
            jax.random.split(start_key, BOARDS)
        )

        def step(states, row):
            inputs = Inputs(**{name: row[:, index] for index, name in enumerate(KEYS)})
            tick = jax.vmap(lambda state, keys: engine.tick(rules, numbers(rules), state, keys))
            states, events = tick(states, inputs)
            return states, (states.replace(key=None), events)

        return jax.lax.scan(step, states, pressed)[1]

    compiled = jax.jit(play, compiler_options={"xla_backend_optimization_level": 0})
    return lambda seed, chances: jax.device_get(compiled(np.uint32(seed), jnp.asarray(chances, jnp.float32)))


seeds = st.integers(0, 2**32 - 1)
chance = st.sampled_from((0.0, 0.1, 0.3, 0.6))
chances = st.tuples(*[chance] * 5, chance, st.sampled_from((0.05, 0.3, 0.8)), chance)
SLOW = ("guideline", "lives and garbage")  # to compile
any_rules = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in RULES]
)


@any_rules
@settings(max_examples=15)
@given(seed=seeds, chances=chances)
@pytest.mark.slow
def test_cells_are_conserved(name, seed, chances):
    """Each lock adds a piece's cells, each line takes a row's, each garbage row brings a row's but one.

    Nothing else changes their number, but a life lost: it empties the matrix.
    """
    rules = RULES[name]
    states, events = player(rules)(seed, chances)
    count = 2 if name == "dominoes" else 4
    filled = np.bitwise_count(states.rows).astype(np.int32).sum(axis=-1)
    before = (rules.width - 1) * int(numbers(rules).starting_garbage)
    gained = np.diff(filled, axis=0, prepend=np.int32(before))
    wanted = count * events.locked - rules.width * events.lines + (rules.width - 1) * events.garbage_received
    emptied = events.life_lost & ~states.game_over
    pushed_out = events.game_over == GAME_OVER_REASONS.index("garbage_out")
    assert (emptied | pushed_out | (gained == wanted)).all()
    assert (filled[emptied] == 0).all()
    assert (states.pieces == np.cumsum(events.locked, axis=0)).all()
    assert (states.lines == np.cumsum(events.lines, axis=0)).all()
    assert (states.score == np.cumsum(events.score, axis=0)).all()


@any_rules
@settings(max_examples=15)
@given(seed=seeds, chances=chances)
def test_the_active_piece_is_inside_and_overlaps_nothing(name, seed, chances):
    rules = RULES[name]
    states, _ = player(rules)(seed, chances)
    for index in np.ndindex(TICKS, BOARDS):
        if states.game_over[index]:
            continue
        shape = SHAPES[rules.pieces[states.piece[index]].name][FACINGS[states.orientation[index]]]
        for dx, dy in shape:
            x, y = int(states.x[index]) + dx, int(states.y[index]) + dy
            assert 0 <= x < rules.width and 0 <= y < rules.total_height
            assert not int(states.rows[index][y]) >> x & 1


@any_rules
@settings(max_examples=15)
@given(seed=seeds, chances=chances)
def test_no_row_is_full_and_none_is_too_wide(name, seed, chances):
    rules = RULES[name]
    states, _ = player(rules)(seed, chances)
    assert (states.rows < 2**rules.width - 1).all()


@any_rules
@settings(max_examples=15)
@given(seed=seeds, chances=chances)
def test_the_end_is_final(name, seed, chances):
    """Each life ends with a reason, the last one the game; then nothing happens and no time passes."""
    lives = RULES[name].lives
    states, events = player(RULES[name])(seed, chances)
    over = states.game_over
    assert ((events.game_over > 0) == events.life_lost).all()
    assert (states.lives == lives - np.cumsum(events.life_lost, axis=0)).all()
    assert ((states.lives == 0) == over).all()
    alive_before = np.concatenate([np.zeros((1, BOARDS), bool), over[:-1]]) == 0
    assert (states.ticks == np.cumsum(alive_before, axis=0)).all()
    assert not (events.locked & ~alive_before).any()


def test_one_board_alone_equals_a_batch():
    """`jit`, `vmap` and `scan` change nothing: single ticks on a single board give the same game."""
    rules, chances = RULES["small"], (0.3, 0.3, 0.3, 0.3, 0.1, 0.3, 0.3, 0.1)
    states, _ = player(rules)(7, chances)
    start_key, chord_key = jax.random.split(jax.random.key(np.uint32(7)))
    pressed = np.asarray(jax.random.uniform(chord_key, (TICKS, BOARDS, len(KEYS)))) < np.float32(chances)
    state = engine.init(rules, numbers(rules), jax.random.split(start_key, BOARDS)[3])
    tick = jax.jit(functools.partial(engine.tick, rules, numbers(rules)))
    for step in range(40):
        keys = {name: jnp.bool_(pressed[step, 3, index]) for index, name in enumerate(KEYS)}
        state, _ = tick(state, Inputs(**keys))
        there = jax.tree.map(lambda leaf, step=step: leaf[step, 3], states)
        jax.tree.map(np.testing.assert_array_equal, jax.device_get(state.replace(key=None)), there)
