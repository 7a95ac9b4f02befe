"""Flood fill over every pose of a piece: which can be reached, which are at rest, and by what spin.

A pose is an orientation and the lower-left corner (x, y) of the piece's bounding box there (not of the
box it is drawn in). In a set of poses (`planes`) a column is a word whose bits are the rows from the top,
so that falling as far as it goes is one addition. Boards lie along the trailing axes [*n], side by side;
everything here is done to all of them at once and looks at none alone.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS, TURNS
from tetrax.env.game.reach import planes
from tetrax.env.game.reach.planes import ALL, ONE, WORD, ZERO, Cells, Moves, Poses, Table
from tetrax.env.game.rules import Rules
from tetrax.env.game.scoring import CORNERS, FRONT, LAST_KICK

HALF_TURN = 2

Kind = int | Int32[Array, "*n"]  # one kind for all boards (a smaller program), or one for each


class Start(NamedTuple):
    """Where a flood begins, as in `State`."""

    orientation: Int32[Array, "*n"]
    x: Int32[Array, "*n"]  # column of the left side of the piece's box
    y: Int32[Array, "*n"]  # row of the lower side of the piece's box
    kick: Int32[Array, "*n"]  # the kick test that led here, -1 if no turn did
    allowed: Bool[Array, "*n"]  # False: nothing can be reached


class Turns(NamedTuple):
    """The kick tests of all turns, one after the other: those of each turn together."""

    moves: Moves  # [turns tests, groups]
    kinds: tuple[tuple[int, ...], ...]  # the kinds in each group
    # Poses that a test leads to: the piece fits there, and by no earlier test.
    used: UInt32[Array, "turns*tests words 4 W *n"]


class Resting(NamedTuple):
    """Poses at rest that can be reached, by the spin class of the way there; a pose may be in several."""

    none: Poses
    mini: Poses
    full: Poses


def find_resting(
    rules: Rules, rows: UInt32[Array, "H *n"], kind: Kind, start: Start, *, spins: bool = True
) -> Resting:
    """Find every pose at which a piece can come to rest by moves sideways, down, and turns with kicks.

    The class of a way is that of its last move: a turn into a place with three filled corners earns a mini
    spin, a full one if both corners in front of the piece are filled or its kick is one that promotes.
    Without `spins` everything is in the class none.
    """
    empty = planes.empty_cells(rules, rows)
    free = free_poses(rules, empty, kind)
    first = start_pose(rules, free, kind, start)
    turns = kick_turns(rules, free, kind)
    reached = fill(rules, free, turns, kind, first)
    above = planes.one(planes.prepare(rules, [(range(NUM_ORIENTATIONS), 0, 1)]), 0)
    rest = free & ~planes.move(free, above)
    spinning = tuple(np.flatnonzero(rules.tables.spins).tolist())
    if not spins or not spinning or (isinstance(kind, int) and kind not in spinning):
        nothing = jnp.zeros_like(reached)
        return Resting(reached & rest, nothing, nothing)
    classes = _by_spin(rules, free, empty, turns, kind, reached, first, start.kick)
    if not isinstance(kind, int):
        member = _is_one_of(kind, spinning)
        none = jnp.where(member, classes.none, reached)
        classes = Resting(none, *(jnp.where(member, poses, ZERO) for poses in classes[1:]))
    return Resting(*(poses & rest for poses in classes))


def reach(rules: Rules, rows: UInt32[Array, "H *n"], kind: Kind, start: Start) -> Poses:
    """Find every pose that a piece can reach by moves sideways, down, and turns with kicks."""
    free = free_poses(rules, planes.empty_cells(rules, rows), kind)
    return fill(rules, free, kick_turns(rules, free, kind), kind, start_pose(rules, free, kind, start))


def free_poses(rules: Rules, empty: Cells, kind: Kind) -> Poses:
    """Return the poses at which a piece overlaps nothing and stands inside the matrix."""
    of_kinds = shapes(rules)
    if isinstance(kind, int):
        of_kinds = of_kinds[kind : kind + 1]
    cells = np.argwhere(of_kinds.any(axis=(0, 1)))  # every (x, y) that belongs to a piece at all
    moves = planes.prepare(rules, [([0] * 4, -x, -y) for y, x in cells], origins=1)
    has = np.stack([of_kinds[:, :, y, x] for y, x in cells])  # [C, K, 4]
    trailing = empty.shape[2:]

    def overlap(free: Poses, cell: tuple[Moves, Table]) -> tuple[Poses, None]:
        moves, has = cell
        lacks = has[0] if isinstance(kind, int) else jnp.moveaxis(has[kind], -1, 0)  # [4] or [4, *n]
        lacks = lacks.reshape(1, NUM_ORIENTATIONS, 1, *(lacks.shape[1:] or (1,) * len(trailing)))
        return free & (planes.move(empty[:, None], moves) | lacks), None

    everywhere = jnp.full((empty.shape[0], NUM_ORIENTATIONS, *empty.shape[1:]), ALL)
    return jax.lax.scan(overlap, everywhere, (moves, np.where(has, ZERO, ALL)))[0]


def start_pose(rules: Rules, free: Poses, kind: Kind, start: Start) -> Poses:
    """Return the one pose at which a flood begins (none if it does not fit or is not allowed)."""
    tables = rules.tables
    left, bottom = jnp.asarray(tables.left)[kind], jnp.asarray(tables.bottom)[kind]  # [*n, 4] or [4]
    words = []
    for i in range(free.shape[0]):
        by_orientation = []
        for orientation in range(NUM_ORIENTATIONS):
            x, row = start.x + left[..., orientation], start.y + bottom[..., orientation] - WORD * i
            here = start.allowed & (start.orientation == orientation) & (row >= 0) & (row < WORD)
            bit = ONE << (WORD - 1 - jnp.clip(row, 0, WORD - 1)).astype(jnp.uint32)
            column = planes.along(np.arange(rules.width, dtype=np.int32), 0, x.ndim + 1)
            by_orientation.append(jnp.where((column == x[None]) & here[None], bit[None], ZERO))
        words.append(jnp.stack(by_orientation))
    return jnp.stack(words) & free


def kick_turns(rules: Rules, free: Poses, kind: Kind) -> Turns:
    """Return where each kick test of each turn leads; of one turn's tests the first that fits wins."""
    kinds, to_origin, to_target = _turn_moves(rules, kind if isinstance(kind, int) else None)
    first = np.tile(np.arange(num_tests(rules)) == 0, len(TURNS[rules.kicks]))

    def choose(earlier: Poses, test: tuple[Moves, Table]) -> tuple[Poses, Poses]:
        moves, is_first = test
        earlier = jnp.where(is_first, ZERO, earlier)
        fits = _move_by_kind(free, moves, kind, kinds)
        return earlier | fits, fits & free & ~earlier

    def lead(carry: None, test: tuple[Moves, Poses]) -> tuple[None, Poses]:
        moves, used = test
        return None, _move_by_kind(used, moves, kind, kinds)

    _, used = jax.lax.scan(choose, jnp.zeros_like(free), (to_origin, first))
    _, used = jax.lax.scan(lead, None, (to_target, used))
    return Turns(to_target, kinds, used)


def fill(rules: Rules, free: Poses, turns: Turns, kind: Kind, start: Poses) -> Poses:
    """Return every pose reached from `start` by moves sideways, down and by `turns`."""
    sideways = _sideways(rules)
    ways = _ways(rules, free)

    def turn(carry: tuple[Poses, Poses], test: tuple[Moves, Poses]) -> tuple[tuple[Poses, Poses], None]:
        before, reached = carry
        moves, used = test
        return (before, reached | (_move_by_kind(before, moves, kind, turns.kinds) & used)), None

    def slide(reached: Poses, step: tuple[Moves, Poses]) -> tuple[Poses, None]:
        moves, way = step
        right, left = (planes.move(reached, planes.one(moves, side)) for side in range(2))
        return reached | (right & way[0]) | (left & way[1]), None

    def spread(carry: tuple[Poses, Bool[Array, ""]]) -> tuple[Poses, Bool[Array, ""]]:
        before, _ = carry
        (_, reached), _ = jax.lax.scan(turn, (before, before), (turns.moves, turns.used))
        reached, _ = jax.lax.scan(slide, reached, (sideways, ways))
        reached = _fall(reached, free)
        return reached, jnp.any(reached != before)

    reached, _ = jax.lax.while_loop(lambda carry: carry[1], spread, (start, jnp.bool_(True)))
    return reached


def _by_spin(
    rules: Rules,
    free: Poses,
    empty: Cells,
    turns: Turns,
    kind: Kind,
    reached: Poses,
    first: Poses,
    kick: Int32[Array, "*n"],
) -> Resting:
    """Part the reached poses by the last move of a way there; `kick` is that of the pose `first`."""
    same = range(NUM_ORIENTATIONS)
    by_one = planes.prepare(rules, [(same, dx, dy) for dx, dy in ((1, 0), (-1, 0), (0, -1))])
    moved = functools.reduce(jnp.bitwise_or, [planes.move(reached, planes.one(by_one, i)) for i in range(3)])
    may_promote = np.array([rules.spins != "tetrio" or o % 2 == 1 for o in same])
    by_turn = (kick >= 0)[None, None, None]
    started = (kick[None] == LAST_KICK) & planes.along(may_promote, 0, kick.ndim + 1)  # [4, *n]
    started = started[None, :, None]
    plain = jnp.where(by_turn & ~started, first, ZERO)
    promoted = jnp.where(started, first, ZERO)
    full = _find_promoting(rules, may_promote)  # [turns tests, 4]

    def turn(
        carry: tuple[Poses, Poses], test: tuple[Moves, Poses, Table]
    ) -> tuple[tuple[Poses, Poses], None]:
        moves, used, promotes = test
        there = _move_by_kind(reached, moves, kind, turns.kinds) & used
        promotes = promotes.reshape(1, -1, *(1,) * (there.ndim - 2))
        return (carry[0] | (there & ~promotes), carry[1] | (there & promotes)), None

    (plain, promoted), _ = jax.lax.scan(turn, (plain, promoted), (turns.moves, turns.used, full))
    tight, front = _corners(rules, empty, kind)
    if rules.spins == "jstris":
        tight &= ~planes.move(free, planes.one(by_one, 2))  # blocked upwards: not what a free pose falls to
    none = (moved & free) | jnp.where(by_turn, ZERO, first) | ((plain | promoted) & ~tight)
    return Resting(none, plain & tight & ~front, tight & (promoted | (plain & front)))


def _corners(rules: Rules, empty: Cells, kind: Kind) -> tuple[Poses, Poses]:
    """Return the poses at which three corners of a spinning piece's box are filled, and both front ones."""
    tables = rules.tables
    offsets: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for k in np.flatnonzero(tables.spins).tolist():
        if not isinstance(kind, int) or kind == k:
            offset = (tuple(tables.left[k].tolist()), tuple(tables.bottom[k].tolist()))
            offsets.setdefault(offset, []).append(k)
    filled = []  # by corner
    for dx, dy in CORNERS:
        moves = planes.prepare(
            rules, [([0] * 4, np.array(x) - dx, np.array(y) - dy) for x, y in offsets], origins=1
        )
        options = [planes.move(empty[:, None], planes.one(moves, i)) for i in range(len(offsets))]
        filled.append(~_choose_by_kind(kind, list(map(tuple, offsets.values())), options))
    a, b, c, d = filled
    tight = (a & b & (c | d)) | (c & d & (a | b))
    behind = [planes.along(np.where(FRONT[:, i], ZERO, ALL), 1, a.ndim) for i in range(len(CORNERS))]
    front = functools.reduce(
        jnp.bitwise_and, [corner | skip for corner, skip in zip(filled, behind, strict=True)]
    )
    return tight, front


def _find_promoting(rules: Rules, may_promote: np.ndarray) -> UInt32[np.ndarray, "turns*tests 4"]:
    """Return all ones where a kick test makes any spin full."""
    promotes = [
        may_promote & (number == LAST_KICK) & (turn != HALF_TURN)
        for turn in TURNS[rules.kicks]
        for number in range(num_tests(rules))
    ]
    return np.where(np.stack(promotes), ALL, ZERO)


def _ways(rules: Rules, free: Poses) -> UInt32[Array, "steps 2 words 4 W *n"]:
    """Return for steps of 1, 2, 4, … columns the poses that are free all the way from a step to the left, or right.

    Each step may be taken or not: together they reach every column.
    """
    ways = []
    sideways = _sideways(rules)
    for side in range(2):
        way = free & planes.move(free, planes.one(sideways, (0, side)))

        def extend(way: Poses, moves: Moves, side: int = side) -> tuple[Poses, Poses]:
            return way & planes.move(way, planes.one(moves, side)), way

        ways.append(jax.lax.scan(extend, way, sideways)[1])
    return jnp.stack(ways, axis=1)


def _fall(reached: Poses, free: Poses) -> Poses:
    """Return all that is reached by falling: a sum carries each pose down to the end of its free run."""
    words, above = [], None
    for word, way in zip(reversed(list(reached)), reversed(list(free)), strict=True):
        if above is not None:
            word = word | ((above >> np.uint32(WORD - 1)) & way)
        above = word | (way & ~(way + word))
        words.append(above)
    return jnp.stack(words[::-1])


def _move_by_kind(poses: Poses, moves: Moves, kind: Kind, kinds: tuple[tuple[int, ...], ...]) -> Poses:
    return _choose_by_kind(
        kind, kinds, [planes.move(poses, planes.one(moves, group)) for group in range(len(kinds))]
    )


def _choose_by_kind(kind: Kind, kinds: Sequence[tuple[int, ...]], values: Sequence[Poses]) -> Poses:
    """Select among values, each for some kinds."""
    chosen = values[0]
    for members, value in list(zip(kinds, values, strict=True))[1:]:
        chosen = jnp.where(_is_one_of(kind, members), value, chosen)
    return chosen


def _is_one_of(kind: Kind, kinds: tuple[int, ...]) -> Bool[Array, "1 1 1 *n"]:
    return functools.reduce(jnp.logical_or, [jnp.asarray(kind == k) for k in kinds])[None, None, None]


@functools.lru_cache(maxsize=64)
def shapes(rules: Rules) -> np.ndarray:
    """Return the cells in the bounding box, bool[K, 4, y, x]."""
    tables = rules.tables
    shapes = np.zeros((rules.num_pieces, NUM_ORIENTATIONS, MAX_BOX, MAX_BOX), bool)
    for k, o, y, x in np.ndindex(shapes.shape):
        row, column = y + tables.bottom[k, o], x + tables.left[k, o]
        shapes[k, o, y, x] = row < MAX_BOX and tables.rows[k, o, row] >> column & 1
    return shapes


def num_tests(rules: Rules) -> int:
    """Return how many kick tests a turn has."""
    return rules.tables.kicks.shape[3]


@functools.lru_cache(maxsize=64)
def _sideways(rules: Rules) -> Moves:
    """Return moves of 1, 2, 4, … columns to the right and to the left, [steps, 2]."""
    steps = [1 << i for i in range((rules.width - 1).bit_length())] or [1]
    moves = planes.prepare(
        rules, [(range(NUM_ORIENTATIONS), side * step, 0) for step in steps for side in (1, -1)]
    )
    return Moves(*(field.reshape(len(steps), 2, *field.shape[1:]) for field in moves))


@functools.lru_cache(maxsize=256)
def _turn_moves(rules: Rules, kind: int | None) -> tuple[tuple[tuple[int, ...], ...], Moves, Moves]:
    """Return groups of kinds that turn alike, and for each kick test of each turn the moves back and forth.

    Both are [turns tests, groups]. Back: what is at the pose after the turn comes to the orientation before it.
    """
    tables, turns, orientation = rules.tables, TURNS[rules.kicks], np.arange(NUM_ORIENTATIONS)
    groups: dict[bytes, list[int]] = {}
    for k in range(rules.num_pieces) if kind is None else [kind]:
        same = (tables.kicks[k], tables.left[k] - tables.left[k, 0], tables.bottom[k] - tables.bottom[k, 0])
        groups.setdefault(b"".join(part.tobytes() for part in same), []).append(k)
    back, forth = [], []
    for u, turn in enumerate(turns):
        before, after = (orientation - turn) % NUM_ORIENTATIONS, (orientation + turn) % NUM_ORIENTATIONS
        for number in range(num_tests(rules)):
            for k, *_ in groups.values():
                dx, dy = tables.kicks[k, :, u, number].T  # by the orientation before
                dx = dx + tables.left[k, after] - tables.left[k]
                dy = dy + tables.bottom[k, after] - tables.bottom[k]
                back.append((after, -dx, -dy))
                forth.append((before, dx[before], dy[before]))
    shape = (len(turns) * num_tests(rules), len(groups))
    both = [
        Moves(*(field.reshape(*shape, *field.shape[1:]) for field in planes.prepare(rules, moves)))
        for moves in (back, forth)
    ]
    return tuple(map(tuple, groups.values())), both[0], both[1]
