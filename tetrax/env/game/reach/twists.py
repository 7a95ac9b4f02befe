"""What a place earns when it is reached by a turn: the best spin class among the ways there, for one place.

A flood tells which poses can be reached, not by which move. For the one place that is chosen that is read off
its surroundings: a turn leads there from a pose that can be reached, and whose earlier kick tests do not fit.
"""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board
from tetrax.env.game.board import Walled, Word
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX, MAX_KICK, NUM_ORIENTATIONS, TURNS
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.reach.planes import WORD
from tetrax.env.game.rules import Rules
from tetrax.env.game.scoring import CORNERS, FRONT, FULL_SPIN, LAST_KICK, MINI_SPIN, NO_SPIN
from tetrax.env.game.state import piece_cells
from tetrax.env.game.vector import lookup, once

AROUND = 3  # cells between where two kick tests of one turn lead, at most, to any side
HALF_TURN = 2


def best_spin(
    rules: Rules,
    walled: Walled,
    reached: Sequence[UInt32[Array, ""]],
    kind: Int32[Array, ""],
    start: Start,
    place: Pose,
) -> Int32[Array, ""]:
    """Return the best spin class (index into SPINS) of the ways to a place that can be reached.

    `reached` are the 4 W words of `search.reach`, `start` where the flood began, `place` the box at rest.
    """
    spinning = np.flatnonzero(rules.tables.spins).tolist()
    if not spinning:
        return jnp.int32(NO_SPIN)
    near = board.window(walled, place.y, MAX_BOX + 2 * AROUND, below=AROUND)
    left = jnp.maximum(place.x + (board.WALL - AROUND), 0).astype(jnp.uint32)
    near = once(tuple(row >> left for row in near))
    cells = once(piece_cells(rules, kind, place.orientation))

    @functools.cache
    def fits(dx: int, dy: int) -> Bool[Array, ""]:
        rows = near[AROUND + dy : AROUND + dy + MAX_BOX]
        hits = [(row >> np.uint32(AROUND + dx)) & cell for row, cell in zip(rows, cells, strict=True)]
        return functools.reduce(jnp.bitwise_or, hits) == 0

    may_promote = np.array([rules.spins != "tetrio" or o % 2 == 1 for o in range(NUM_ORIENTATIONS)])
    may_promote_here = lookup(may_promote, place.orientation)
    began = (start.orientation == place.orientation) & (start.x == place.x) & (start.y == place.y)
    promoted = began & (start.kick == LAST_KICK) & may_promote_here
    turned = began & (start.kick >= 0)
    for number, turn in enumerate(TURNS[rules.kicks]):
        sources = _sources(rules, reached, kind, place, turn)
        for table, here in _test_lists(rules, spinning, number, turn, kind, place.orientation):
            for test, (dx, dy) in enumerate(table):
                leads = here & ((sources[MAX_KICK - dx] >> np.uint32(MAX_KICK + dy)) & np.uint32(1) != 0)
                for earlier in table[:test]:
                    leads &= ~fits(earlier[0] - dx, earlier[1] - dy)
                turned |= leads
                if test == LAST_KICK and turn != HALF_TURN:
                    promoted |= leads & may_promote_here
    corners = [(near[AROUND + dy] >> np.uint32(AROUND + dx)) & np.uint32(1) for dx, dy in CORNERS]
    filled = functools.reduce(jnp.bitwise_or, [bit << np.uint32(i) for i, bit in enumerate(corners)])
    in_front = lookup((FRONT << np.arange(4)).sum(axis=1).astype(np.uint32), place.orientation)
    is_tight = functools.reduce(jnp.add, corners) >= 3
    is_full = promoted | (filled & in_front == in_front)
    is_spin = lookup(rules.tables.spins, kind) & turned & is_tight
    if rules.spins == "jstris":
        is_spin &= ~fits(0, 1)
    return jnp.where(is_spin, jnp.where(is_full, FULL_SPIN, MINI_SPIN), NO_SPIN).astype(jnp.int32)


def is_tight(walled: Walled, place: Pose) -> Bool[Array, ""]:
    """Tell whether three corners of a spinning piece's box are filled."""
    near = board.window(walled, place.y, 3)
    left = jnp.maximum(place.x + board.WALL, 0).astype(jnp.uint32)
    corners = [(near[dy] >> (left + np.uint32(dx))) & np.uint32(1) for dx, dy in CORNERS]
    return functools.reduce(jnp.add, corners) >= 3


def _sources(
    rules: Rules, reached: Sequence[Word], kind: Int32[Array, ""], place: Pose, turn: int
) -> tuple[Word, ...]:
    """Return which poses a turn may come from: entry MAX_KICK + i is i columns to the right of the place's box.

    Bit MAX_KICK + i is i rows below it.
    """
    width, tables = rules.width, rules.tables
    before = (place.orientation - turn) & (NUM_ORIENTATIONS - 1)
    columns = list(reached[:width])
    for o in range(1, NUM_ORIENTATIONS):
        words = reached[o * width : (o + 1) * width]
        columns = [jnp.where(before == o, word, column) for word, column in zip(words, columns, strict=True)]
    margin = MAX_BOX + MAX_KICK
    corner = place.x + lookup(tables.left, kind, before)
    row = place.y + lookup(tables.bottom, kind, before)
    first = (corner + (margin - MAX_KICK)).astype(jnp.uint32)
    nothing = jnp.zeros_like(columns[0])
    padded = [nothing] * margin + columns + [nothing] * margin
    num_columns = 2 * MAX_KICK + 1
    for bit in reversed(range((len(padded) - 1).bit_length())):
        step = 1 << bit
        moves = (first >> np.uint32(bit)) & np.uint32(1) != 0
        padded = [*padded, *[nothing] * (num_columns + 2 * step)]
        pairs = zip(padded[: num_columns + step - 1], padded[step:], strict=False)
        padded = [jnp.where(moves, further, column) for column, further in pairs]
    lowest = WORD - 1 - row - MAX_KICK
    return once(tuple(_shift(column, lowest) for column in padded))


def _shift(word: Word, by: Int32[Array, ""]) -> Word:
    """Shift right, or left where `by` is negative."""
    right, left = jnp.maximum(by, 0).astype(jnp.uint32), jnp.maximum(-by, 0).astype(jnp.uint32)
    return (word >> right) << left


def _test_lists(
    rules: Rules,
    spinning: Sequence[int],
    number: int,
    turn: int,
    kind: Int32[Array, ""],
    after: Int32[Array, ""],
) -> list[tuple[list[tuple[int, int]], Bool[Array, ""]]]:
    """Return the different lists of kick tests of one turn, and whether each is that of a kind and orientation."""
    members: dict[bytes, np.ndarray] = {}
    lists: dict[bytes, list[tuple[int, int]]] = {}
    for k in spinning:
        for o in range(NUM_ORIENTATIONS):
            tests = rules.tables.kicks[k, (o - turn) % NUM_ORIENTATIONS, number]
            name = tests.tobytes()
            lists[name] = [(int(dx), int(dy)) for dx, dy in tests]
            members.setdefault(name, np.zeros((rules.num_pieces, NUM_ORIENTATIONS), bool))[k, o] = True
    return [(lists[name], once(lookup(members[name], kind, after))) for name in lists]
