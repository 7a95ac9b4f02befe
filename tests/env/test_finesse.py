"""Finesse: sequences are as short as any found by trying everything, and do what they say when played."""

import functools
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.env import ways
from tetrax.env import finesse
from tetrax.env.finesse import Placement
from tetrax.env.game.pieces import TETROMINOES
from tetrax.env.game.rules import Rules
from tetrax.env.tetris import EnvConfig, Tetris

# One small set of rules for all tests; gravity and lock delay are numbers that need no new program.
RULES = Rules(
    width=6, height=7, buffer=5, preview=1, gravity="fixed", garbage=True,
    pieces=tuple(piece for piece in TETROMINOES if piece.name in "TSO"),
)  # fmt: skip
ENV = Tetris(EnvConfig(rules=RULES))
KEYS = ENV.action_names
BATCH = 64  # states of one call of `every_key`
# A slot that a T can be turned into, and a hollow under an overhang; no piece completes a row.
BOARD = """
    .#...#
    ......
    .#.#..
"""


def params(gravity: float, lock_delay: int, soft_drop_factor: int = 3, lock_resets: int = 1):
    """Return numbers; gravity in cells a tick."""
    game = ENV.default_params.game.replace(
        gravity=jnp.int32(round(gravity * 65536)),
        lock_delay=jnp.int32(lock_delay),
        soft_drop_factor=jnp.int32(soft_drop_factor),
        lock_resets=jnp.int32(lock_resets),
    )
    return ENV.default_params.replace(game=game)


def bare(state):
    """Return a state in NumPy, without its key: all games here have the same."""
    return jax.tree.map(np.asarray, state.replace(key=None))


def with_key(state):
    return state.replace(key=jax.random.key(0))


@functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
def every_key(numbers, states):
    """Play every key in every state, [BATCH, keys]."""
    actions = jnp.arange(len(KEYS), dtype=jnp.int32)

    def step(state, action):
        after, timestep = ENV.step(with_key(state), action, numbers)
        return after.replace(key=None), timestep.event

    return jax.vmap(jax.vmap(step, in_axes=(None, 0)), in_axes=(0, None))(states, actions)


def tried(numbers, states):
    """Return (key, state after, event) for every key of every state."""
    found = []
    for first in range(0, len(states), BATCH):
        part = states[first : first + BATCH]
        padded = [*part, *part[:1] * (BATCH - len(part))]
        batch = jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
        results = jax.tree.map(np.asarray, every_key(numbers, batch))
        leaves, tree = jax.tree.flatten(results)
        for row in range(len(part)):
            for column, key in enumerate(KEYS):
                found.append((key, *jax.tree.unflatten(tree, [leaf[row, column] for leaf in leaves])))
    return found


def shortest_locks(numbers, start):
    """Try everything: {(whether hold brought the piece, rows after the lock): {spin: fewest keys}}."""
    found, seen, frontier, depth = {}, set(), [start], 0
    while frontier:
        depth, coming = depth + 1, []
        for _, after, event in tried(numbers, frontier):
            used_hold = bool(after.hold != start.hold)
            if event.locked:
                assert event.lines == 0
                spins = found.setdefault((used_hold, after.rows.tobytes()), {})
                spins.setdefault(int(event.spin), depth)
                continue
            future = after.replace(ticks=None, score=None)
            name = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(future))
            if name not in seen:
                seen.add(name)
                coming.append(after)
        frontier = coming
    return found


def rows_with(state, cells) -> bytes:
    return np.array(ways.placed(RULES, state.rows, cells)[0], np.uint32).tobytes()


@pytest.mark.parametrize(
    ("numbers", "some_in_vain"),
    [
        pytest.param(  # it matters when to fall
            params(gravity=0.4, lock_delay=1), False, marks=pytest.mark.slow
        ),
        pytest.param(
            params(gravity=12.0, lock_delay=2), True, marks=pytest.mark.slow
        ),  # at the bottom at once
        pytest.param(params(0.1, lock_delay=2, soft_drop_factor=15), False, marks=pytest.mark.slow),
        pytest.param(params(0.0, lock_delay=2), True, marks=pytest.mark.slow),  # nothing falls by itself
    ],
    ids=["falling", "instant", "slow", "none"],
)
def test_no_sequence_is_shorter(numbers, some_in_vain):
    start = bare(tetrax.state_from_ascii(RULES, BOARD, piece="T", hold="S"))
    shortest, refused, spins = shortest_locks(numbers, start), 0, set()
    for use_hold, places in zip((False, True), ways.places(RULES, start), strict=True):
        kind = int(start.hold if use_hold else start.piece)
        for (orientation, x, y), classes in places.items():
            rows = rows_with(start, ways.cells_at(RULES, kind, orientation, x, y))
            by_spin = shortest.get((use_hold, rows), {})
            for spin in (None, *classes):
                keys = min(by_spin.values(), default=None) if spin is None else by_spin.get(spin)
                placement = Placement(use_hold, orientation, x, y, spin)
                if keys is None:
                    refused += 1
                    with pytest.raises(
                        ValueError, match=r"allowed: (one that the piece reaches in time|a placement that)"
                    ):
                        finesse.keys(ENV, numbers, with_key(start), placement)
                else:
                    assert len(finesse.keys(ENV, numbers, with_key(start), placement)) == keys
                    spins.add(spin)
    assert spins >= {None, 0}
    assert 2 in spins or some_in_vain
    assert (refused > 0) == some_in_vain


@pytest.mark.parametrize("numbers", [params(0.1, 5, 20, 15), params(0.7, 5, 20, 15)], ids=["slow", "fast"])
@pytest.mark.slow
def test_a_sequence_locks_exactly_the_chosen_cells(numbers):
    choose, placements = random.Random(0), 0
    start = state = bare(ENV.init(jax.random.key(0), numbers))
    while placements < 20:
        state = start if state.game_over else state
        if choose.random() < 0.5:  # in the middle of the piece's way
            ways_on = [
                after for key, after, event in tried(numbers, [state]) if key != "hold" and not event.locked
            ]
            state = choose.choice(ways_on or [state])
        active, held = ways.places(RULES, state)
        every = [Placement(False, *place) for place in active] + [Placement(True, *place) for place in held]
        wanted = min(choose.sample(every, min(6, len(every))), key=lambda placement: placement.y)
        kind = state.piece if not wanted.use_hold else state.hold if state.hold >= 0 else state.queue[0]
        expected = rows_with(state, ways.cells_at(RULES, int(kind), *wanted[1:4]))
        hold = state.piece if wanted.use_hold else state.hold
        try:
            sequence = finesse.keys(ENV, numbers, with_key(state), wanted)
        except ValueError as error:
            assert "in time under this gravity" in str(error)
            continue
        for index, key in enumerate(sequence):
            _, state, event = next(found for found in tried(numbers, [state]) if found[0] == key)
            assert event.locked == (index == len(sequence) - 1)
        assert state.rows.tobytes() == expected
        assert state.hold == hold
        placements += 1


def test_what_cannot_be_placed_is_refused_by_name():
    numbers = params(gravity=0.1, lock_delay=5)
    state = tetrax.state_from_ascii(RULES, BOARD, piece="T", hold="S")
    refusals = [
        (state, Placement(False, 1, 4, 5), "fits and is at rest"),
        (state, Placement(False, 0, 0, 0), "fits and is at rest"),
        (state, Placement(False, 4, 0, 0), "placement.orientation: given 4"),
        (state, Placement(False, 0, 6, 0), "placement.x: given 6"),
        (state, Placement(False, 0, 0, 0, 3), "placement.spin: given 3"),
        (
            state.replace(hold_used=jnp.bool_(True)),
            Placement(True, 0, 0, 0),
            "hold was used since the last lock",
        ),
        (
            state.replace(game_over=jnp.bool_(True)),
            Placement(False, 0, 0, 0),
            "state: given a game that is over",
        ),
    ]
    for given, placement, message in refusals:
        with pytest.raises(ValueError, match=message):
            finesse.keys(ENV, numbers, given, placement)
    closed = tetrax.state_from_ascii(RULES, "#####.\n......\n......", piece="T")
    with pytest.raises(ValueError, match="a placement that the piece can reach from where it is"):
        finesse.keys(ENV, numbers, closed, Placement(False, 0, 0, 0))
