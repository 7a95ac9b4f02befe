"""Calls with things of a wrong kind: one clear error each, when the call is traced; nothing is compiled for it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env import actions

ENV = tetrax.make("mini", actions="drop")
KEY = jax.random.key(0)
PARAMS = ENV.default_params
OTHER = tetrax.make("guideline", actions="drop")


def first_state(env=ENV):
    """Return the shapes and types of a state, and zeros for it: what is checked looks at no more."""
    shapes = jax.eval_shape(lambda: env.init(jax.random.key(0), env.default_params))
    key = shapes.key
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes.replace(key=None))
    return zeros.replace(key=jnp.broadcast_to(KEY, key.shape))


STATE = first_state()


@pytest.mark.parametrize(
    ("key", "given"),
    [
        (0, "0"),
        (None, "None"),
        ("seed", "'seed'"),
        (np.zeros(2, np.uint32), r"uint32\[2\]"),
        ([0, 1], "a list"),
    ],
)
def test_a_key_is_a_key(key, given):
    said = rf'key: given {given}; allowed: one typed Threefry key, as jax.random.key\(seed, impl="threefry2x32"\)'
    with pytest.raises(TypeError, match=said):
        ENV.reset(key)
    with pytest.raises(TypeError, match=said):
        ENV.resample_future(STATE, key)


@pytest.mark.parametrize(
    ("action", "given"),
    [
        (1.5, "1.5"),
        (True, "True"),
        ("left", "'left'"),
        (None, "None"),
        (np.float32(1), r"float32\[\]"),
        (np.zeros((), bool), r"bool\[\]"),
        (jnp.zeros(3, jnp.int32), r"int32\[3\]"),
        ([1], "a list"),
    ],
)
def test_an_action_is_one_integer(action, given):
    with pytest.raises(
        TypeError, match=rf"action: given {given}; allowed: one integer, int32\[\], from 0 to 15"
    ):
        ENV.step(STATE, action)


@pytest.mark.parametrize(
    ("action", "played", "is_clipped"),
    [
        (2**40, 15, True),
        (-(2**70), 0, True),
        (np.int64(2**32), 15, True),  # whose low 32 bits are 0
        (np.asarray(2**32 + 3), 15, True),
        (np.uint8(255), 15, True),
        (jnp.uint32(2**31 + 5), 15, True),  # negative as int32
        (jnp.int8(-1), 0, True),
        (15, 15, False),
        (np.int32(2), 2, False),
    ],
)
def test_a_whole_number_of_any_size_is_brought_into_the_range(action, played, is_clipped):
    inside, was_clipped = actions.clip(action, 16)
    assert (int(inside), bool(was_clipped)) == (played, is_clipped)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (first_state(OTHER), "state: given one of another environment, with 40 rows; allowed: 10 rows"),
        (STATE.replace(queue=jnp.zeros(3, jnp.int32)), "with 3 pieces in the queue; allowed: 1 pieces"),
        (STATE.replace(random=jnp.uint32(1)), "with 1 generators of TETR.IO's pieces; allowed: 0"),
        (
            jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), STATE),
            "state.rows: given many boards; allowed: one",
        ),
        ((STATE, None), "state: given a tuple; allowed: a State, the first result of reset and step"),
        (None, "state: given None; allowed: a State"),
    ],
)
def test_a_state_is_one_of_this_environment(state, message):
    for call in (
        lambda: ENV.step(state, 0),
        lambda: ENV.observe(state),
        lambda: jax.jit(ENV.step).lower(state, 0),
        lambda: ENV.resample_future(state, KEY),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def with_game(**numbers):
    return PARAMS.replace(game=PARAMS.game.replace(**numbers))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"gravity": 1},
            TypeError,
            "params: given a dict; allowed: EnvParams, as env.default_params gives them",
        ),
        (PARAMS.game, TypeError, "params: given a Params; allowed: EnvParams"),
        (
            tetrax.make("mini", reward="penalties").default_params,
            ValueError,
            "params.reward.early_loss: given -10.0; allowed: None, as in this environment's default_params",
        ),
        (
            with_game(start_level=1.5),
            TypeError,
            r"params.game.start_level: given 1.5; allowed: one number, int32\[\]",
        ),
        (with_game(gravity=jnp.float32(math.nan)), TypeError, r"params.game.gravity: given float32\[\]"),
        (
            with_game(lock_delay=jnp.zeros(2, jnp.int32)),
            TypeError,
            r"params.game.lock_delay: given int32\[2\]",
        ),
        (
            PARAMS.replace(reward=PARAMS.reward.replace(lines=jnp.float32(math.nan))),
            ValueError,
            "params.reward.lines: given nan; allowed: a finite number",
        ),
        (
            PARAMS.replace(reward=PARAMS.reward.replace(piece=-math.inf)),
            ValueError,
            "params.reward.piece: given -inf; allowed: a finite number",
        ),
    ],
)
def test_parameters_are_this_environments_finite_numbers(params, error, message):
    for call in (lambda: ENV.reset(KEY, params), lambda: ENV.step(STATE, 0, params)):
        with pytest.raises(error, match=message):
            call()


def test_what_may_be_given_may_still():
    """Whole numbers of any type, traced ones, and a batch under vmap."""

    def trace(action, params=None):
        jax.eval_shape(lambda given: ENV.step(STATE, given, params), action)

    for action in (3, np.int64(3), np.uint8(3), jnp.int32(3)):
        trace(action)
    trace(3, with_game(start_level=4))
    trace(3, PARAMS.replace(reward=PARAMS.reward.replace(lines=2)))
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), (STATE, PARAMS))
    jax.eval_shape(jax.vmap(ENV.step), many[0], jnp.zeros(2, jnp.int32), many[1])


@pytest.mark.slow
def test_the_checks_add_nothing_to_the_compiled_step(monkeypatch):
    def program():
        env = tetrax.make("mini", actions="drop")
        return str(jax.make_jaxpr(lambda state, action: env.step(state, action))(STATE, jnp.int32(0)))

    checked = program()
    monkeypatch.setattr("tetrax.env.tetris.check_params", lambda like, params: None)
    monkeypatch.setattr("tetrax.env.tetris.check_one", lambda rules, state: None)
    monkeypatch.setattr("tetrax.env.game.board.check_one", lambda rules, state: None)
    jax.clear_caches()
    assert program() == checked
