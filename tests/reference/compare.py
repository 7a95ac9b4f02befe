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
from tetrax.env.game import engine, garbage
from tetrax.env.game.pieces import DOMINOES, TETROMINOES, Piece
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import Event, Garbage, Inputs, State, select

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
    names = {name: name for name in Params.__dataclass_fields__} | {"gravity": "fixed_gravity"}
    return Params(**{name: jnp.int32(getattr(settings, theirs)) for name, theirs in names.items()})


def check_tables():
    """Both sides must mean the same by a piece's name (the shapes themselves are compared by playing)."""
    for name, piece in PIECES.items():
        kicks = "i" if name in KICK_LIKE_I else "none" if name in NEVER_KICK else "jlstz"
        assert (len(piece.drawing), piece.kicks, piece.spins) == (BOX[name], kicks, name in CAN_SPIN), name
    fields = dict.fromkeys(name.partition(".")[0] for name in STATE_FIELDS)
    assert [field.name for field in dataclasses.fields(State)] == ["key", *fields, "history"]
    parts = [name.partition(".")[2] for name in STATE_FIELDS if "." in name]
    assert [field.name for field in dataclasses.fields(Garbage)] == parts
    assert [field.name for field in dataclasses.fields(Event)] == [*EVENT_FIELDS, "reward_terms"]
    assert tuple(field.name for field in dataclasses.fields(Inputs)) == KEYS


def play(case):
    """Compare one case and return how often each kind of thing happened.

    DifferenceError describes the first difference.
    """
    check_tables()
    keys = start_keys(case.seed)
    key_data = np.asarray(jax.random.key_data(keys))
    side = Side(case, Words(key_data), key_data[:, 1].tolist())
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
            pressed += garbage_text(*side.requests[step][board])
            return difference(case, where, pressed, before, names, state + event, theirs + their_event)
    raise RuntimeError("no board differs")


def garbage_text(rows, hole):
    """Say what garbage was asked for before a step."""
    return f", {rows} rows of garbage, hole {'drawn' if hole < 0 else hole}" if rows else ""


@jax.jit
def start_keys(seed):
    """Return the key of each game of the pool."""
    base = jax.random.fold_in(jax.random.key(0), seed)
    return jax.vmap(lambda n: jax.random.fold_in(base, n))(jnp.arange(POOL))


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None))
def _words(key_data, first):
    key = jax.random.wrap_key_data(key_data)
    numbers = first + jnp.arange(DRAWS_AT_ONCE, dtype=jnp.uint32)
    folded = jax.vmap(lambda n: jax.random.fold_in(key, n))(numbers)
    return jax.vmap(jax.random.key_data)(folded)[:, 1]


class Words:
    """The 32-bit numbers of draws, by the rule that the engine documents: DRAWS_AT_ONCE of one game."""

    def __init__(self, key_data):
        self.key_data = key_data
        self.blocks = {}  # the first block of every game is needed: made for all games at once

    def __call__(self, game, first):
        if first not in self.blocks:
            self.blocks[first] = np.asarray(_words(self.key_data, np.uint32(first)))
        return self.blocks[first][game].tolist()


def engine_history(case, side, keys):
    """Play the same actions through the compiled engine; return tuples like the reference's, and the keys."""
    rules, params = rules_of(case.settings), params_of(case.settings)
    new_pool, run = _programs(rules, case.whole_pieces, case.compiler_level)
    pool = with_starts(new_pool(params, keys), side.start_columns())
    restarts, asked = np.array(side.restarts, np.int32), (side.request_array(), side.action_array())
    states, events, played_keys, legal = jax.device_get(run(params, pool, restarts, asked))
    assert events.reward_terms is None
    event_columns = [getattr(events, name) for name in EVENT_FIELDS]
    if case.whole_pieces:
        event_columns.append(legal)
    new_games = snapshots(state_columns(jax.device_get(pool.replace(key=None))))
    columns = state_columns(states)
    return (
        new_games[: len(side.new_games)],
        [snapshots([each if each is None else each[t] for each in columns]) for t in range(case.steps)],
        [snapshots(row) for row in zip(*event_columns, strict=True)],
        played_keys,
    )


def with_starts(pool, columns):
    """Return the pool's games with fields of some of them replaced."""
    for field, given in columns.items():
        outer, _, inner = field.partition(".")
        record = getattr(pool, outer) if inner else pool
        column = np.array(getattr(record, inner or outer))
        numbers, values = zip(*given, strict=True)
        column[list(numbers)] = values
        record = record.replace(**{inner or outer: jnp.asarray(column)})
        pool = pool.replace(**{outer: record}) if inner else record
    return pool


def state_columns(states):
    """Return the fields of many games in the order of STATE_FIELDS, None for what the rules lack."""
    waiting = states.garbage
    if waiting is not None:  # the hole of no packet means nothing
        none = waiting.rows == 0
        holes, ready = np.where(none, 0, waiting.hole), np.where(none, 0, waiting.ready)
        states = states.replace(garbage=waiting.replace(hole=holes, ready=ready))
    columns = []
    for name in STATE_FIELDS:
        outer, _, inner = name.partition(".")
        column = getattr(states, outer)
        columns.append(getattr(column, inner) if inner and column is not None else column)
    return columns


@functools.lru_cache(maxsize=32)
def _programs(rules, whole_pieces, compiler_level):
    """Compile the new games of a pool, and a run over steps and boards."""
    options = {"xla_backend_optimization_level": compiler_level}
    init = jax.vmap(functools.partial(engine.init, rules), in_axes=(None, 0))
    new_pool = jax.jit(init, compiler_options=options)
    return new_pool, jax.jit(functools.partial(_run, rules, whole_pieces), compiler_options=options)


def snapshots(columns):
    """Turn arrays with boards first into one tuple of plain values per board."""
    missing = [None] * len(columns[0])
    plain = [missing if column is None else np.asarray(column).tolist() for column in columns]
    plain = [
        [tuple(x) for x in column] if column and isinstance(column[0], list) else column for column in plain
    ]
    return list(zip(*plain, strict=True))


def _run(rules, whole_pieces, params, pool, restarts, asked):
    """Scan all boards over the steps; returns states, events, key data and legal placements, each [T, B]."""

    def step(state, wish, action):
        if rules.garbage:
            rows, hole = wish
            drawn = garbage.receive(rules, params, state, jnp.where(hole < 0, rows, 0))
            state = garbage.receive(rules, params, drawn, jnp.where(hole < 0, 0, rows), hole)
        if not whole_pieces:
            inputs = Inputs(**{key: action[index] for index, key in enumerate(KEYS)})
            return *engine.tick(rules, params, state, inputs), None
        drop = Drop(rules)
        return *drop.apply(params, state, action), drop.legal(state, drop.candidates(state))

    def body(states, now):
        restart, (wish, action) = now
        fresh = jax.tree.map(lambda leaf: leaf[jnp.maximum(restart, 0)], pool)
        states = jax.vmap(select)(restart >= 0, fresh, states)
        states, events, legal = jax.vmap(step)(states, wish, action)
        return states, (states.replace(key=None), events, jax.random.key_data(states.key), legal)

    first = jax.tree.map(lambda leaf: leaf[: restarts.shape[1]], pool)
    return jax.lax.scan(body, first, (restarts, asked))[1]
