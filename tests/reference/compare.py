"""Play the engine and the reference side by side, and compare every field after every step.

The reference plays first and its players choose the keys; the same keys then go through the compiled engine
in one scan over all boards; last, the two histories are compared on the host.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.reference.game import KEYS
from tests.reference.report import difference
from tests.reference.side import DRAWS_AT_ONCE, EVENT_FIELDS, POOL, STATE_FIELDS, Side
from tests.reference.tables import BOX, CAN_SPIN, KICK_LIKE_I, NEVER_KICK
from tetrax.env.actions import Drop
from tetrax.env.game import engine
from tetrax.env.game.pieces import DOMINOES, TETROMINOES, Piece
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import Event, Inputs, State, where

PIECES = {piece.name: piece for piece in TETROMINOES + DOMINOES} | {
    "M": Piece("M", ("#",)),
    "V": Piece("V", ("#.", "##"), kicks="jlstz"),
    "X": Piece("X", (".#.", "###", ".#."), kicks="jlstz", spins=True),
    "F": Piece("F", (".##", "##.", ".#."), kicks="jlstz", spins=True),
    "Y": Piece("Y", ("..#.", "####", "....", "...."), kicks="i"),
}


def rules_of(settings):
    """Translate the reference's settings to the engine's Rules."""
    static = {field.name for field in dataclasses.fields(Rules)} - {"pieces"}
    same = {name: getattr(settings, name) for name in static}
    return Rules(pieces=tuple(PIECES[name] for name in settings.pieces), **same)


def params_of(settings):
    """Translate the reference's settings to the engine's Params."""
    return Params(
        start_level=jnp.int32(settings.start_level),
        gravity=jnp.int32(settings.fixed_gravity),
        soft_drop_factor=jnp.int32(settings.soft_drop_factor),
        lock_delay=jnp.int32(settings.lock_delay),
        lock_resets=jnp.int32(settings.lock_resets),
    )


def check_tables():
    """Both sides must mean the same by a piece's name (the shapes themselves are compared by playing)."""
    for name, piece in PIECES.items():
        kicks = "i" if name in KICK_LIKE_I else "none" if name in NEVER_KICK else "jlstz"
        assert (len(piece.drawing), piece.kicks, piece.spins) == (BOX[name], kicks, name in CAN_SPIN), name
    assert [field.name for field in dataclasses.fields(State)] == ["key", *STATE_FIELDS]
    assert [field.name for field in dataclasses.fields(Event)] == [*EVENT_FIELDS, "reward_terms"]
    assert tuple(field.name for field in dataclasses.fields(Inputs)) == KEYS


def play(case):
    """Compare one case and return how often each kind of thing happened.

    DifferenceError describes the first difference.
    """
    check_tables()
    keys = start_keys(case.seed)
    key_data = np.asarray(jax.random.key_data(keys))
    side = Side(case, functools.partial(draw_words, key_data))
    side.run()
    new_games, states, events, played_keys = engine_history(case, side, keys)
    for number, (mine, theirs) in enumerate(zip(side.new_games, new_games, strict=True)):
        if mine != theirs:
            raise difference(case, f"new game {number}", "nothing", None, STATE_FIELDS, mine, theirs)
    for step, theirs in enumerate(zip(states, events, strict=True)):
        if side.history[step] != theirs:
            raise first_difference(case, side, step, theirs)
    np.testing.assert_array_equal(played_keys, key_data[np.array(side.games_played)])
    return side.tally


def first_difference(case, side, step, engine):
    """Describe the first board that differs in a step."""
    for board, (state, event, theirs, their_event) in enumerate(
        zip(*side.history[step], *engine, strict=True)
    ):
        if (state, event) != (theirs, their_event):
            before = side.history[step - 1][0][board]
            game = side.games_played[step][board]
            if side.restarts[step][board] >= 0:
                before = side.new_games[game]
            where = f"step {step}, board {board}, game {game}"
            names = [*STATE_FIELDS, *(f"event.{name}" for name in side.event_fields)]
            pressed = side.action_text(step, board)
            return difference(case, where, pressed, before, names, state + event, theirs + their_event)
    raise RuntimeError("no board differs")


@jax.jit
def start_keys(seed):
    """Return the key of each game of the pool."""
    base = jax.random.fold_in(jax.random.key(0), seed)
    return jax.vmap(lambda n: jax.random.fold_in(base, n))(jnp.arange(POOL))


@jax.jit
def _words(key_data, first):
    key = jax.random.wrap_key_data(key_data)
    folded = jax.vmap(lambda n: jax.random.fold_in(key, n))(first + jnp.arange(DRAWS_AT_ONCE))
    return jax.vmap(jax.random.key_data)(folded)[:, 1]


def draw_words(key_data, game, first):
    """Return the 32-bit numbers of some draws of one game, by the rule that the engine documents."""
    return _words(key_data[game], first).tolist()


def engine_history(case, side, keys):
    """Play the same actions through the compiled engine; return tuples like the reference's, and the keys."""
    rules, params = rules_of(case.settings), params_of(case.settings)
    new_pool, run = _programs(rules, case.whole_pieces, case.compiler_level)
    pool = new_pool(keys)
    pool = pool.replace(**{name: jnp.asarray(column) for name, column in side.start_columns().items()})
    history = jax.device_get(run(params, pool, np.array(side.restarts, np.int32), side.action_array()))
    states, events, played_keys, legal = history
    assert events.reward_terms is None
    event_columns = [getattr(events, name) for name in EVENT_FIELDS]
    if case.whole_pieces:
        event_columns.append(legal)
    new_games = snapshots([getattr(pool, name) for name in STATE_FIELDS])
    return (
        new_games[: len(side.new_games)],
        [snapshots(row) for row in zip(*(getattr(states, name) for name in STATE_FIELDS), strict=True)],
        [snapshots(row) for row in zip(*event_columns, strict=True)],
        played_keys,
    )


@functools.lru_cache(maxsize=32)
def _programs(rules, whole_pieces, compiler_level):
    """Compile the new games of a pool, and a run over steps and boards."""
    options = {"xla_backend_optimization_level": compiler_level}
    new_pool = jax.jit(jax.vmap(functools.partial(engine.init, rules)), compiler_options=options)
    return new_pool, jax.jit(functools.partial(_run, rules, whole_pieces), compiler_options=options)


def snapshots(columns):
    """Turn arrays with boards first into one tuple of plain values per board."""
    plain = [np.asarray(column).tolist() for column in columns]
    plain = [
        [tuple(x) for x in column] if column and isinstance(column[0], list) else column for column in plain
    ]
    return list(zip(*plain, strict=True))


def _run(rules, whole_pieces, params, pool, restarts, actions):
    """Scan all boards over the steps; returns states, events, key data and legal placements, each [T, B]."""

    def step(state, action):
        if not whole_pieces:
            inputs = Inputs(**{key: action[index] for index, key in enumerate(KEYS)})
            return *engine.tick(rules, params, state, inputs), None
        drop = Drop(rules)
        return *drop.apply(params, state, action), drop.legal(state, drop.candidates(state))

    def body(states, now):
        restart, action = now
        fresh = jax.tree.map(lambda leaf: leaf[jnp.maximum(restart, 0)], pool)
        states = jax.vmap(where)(restart >= 0, fresh, states)
        states, events, legal = jax.vmap(step)(states, action)
        return states, (states.replace(key=None), events, jax.random.key_data(states.key), legal)

    first = jax.tree.map(lambda leaf: leaf[: restarts.shape[1]], pool)
    return jax.lax.scan(body, first, (restarts, actions))[1]
