"""Flood fill over every pose of a piece: which can be reached, which are at rest, and by what spin.

A plane says something about every place (x, y) of a matrix: one word per column, its bits the rows
from the top, so that falling as far as it goes is one addition. A pose is an orientation and the
lower-left corner of the piece's bounding box there (not of the box it is drawn in). Boards lie along
the trailing axes [*n], side by side; nothing here looks at one board alone.
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS, TURNS
from tetrax.env.game.rules import Rules
from tetrax.env.game.scoring import CORNERS, FRONT

WORD = 32  # rows in a word
ALL, ZERO, ONE = np.uint32(0xFFFFFFFF), np.uint32(0), np.uint32(1)
HALF_TURN = 2
LAST_KICK = 4  # the fifth test may make a spin full

# Word i holds rows 32 i to 32 i + 31, the highest in bit 0; each is uint32[W, *n]. Nothing is set
# outside the matrix.
Plane = tuple[UInt32[Array, "W *n"], ...]
Planes = tuple[Plane, Plane, Plane, Plane]  # by orientation
Kind = int | Int32[Array, "*n"]  # one kind for all boards (a smaller program), or one for each


class Start(NamedTuple):
    """Where a flood begins, by box as in `State`."""

    orientation: Int32[Array, "*n"]
    x: Int32[Array, "*n"]  # column of the left side of the piece's box
    y: Int32[Array, "*n"]  # row of the lower side of the piece's box
    allowed: Bool[Array, "*n"]  # False: nothing can be reached


class Test(NamedTuple):
    """One kick test of one turn, for bounding boxes."""

    origin: int
    target: int
    turn: int  # quarter turns clockwise: 1, 2, 3
    number: int
    dx: int  # columns from the bounding box before to the one after
    dy: int  # rows


class Arrival(NamedTuple):
    """The places that one kick test turns a piece to."""

    test: Test
    used: Plane  # where it leads: it fits there, and no earlier test fitted


def num_words(rules: Rules) -> int:
    """Return the words of a column."""
    return -(-rules.total_height // WORD)


def empty_cells(rules: Rules, rows: UInt32[Array, "H *n"]) -> Plane:
    """Return the empty cells of boards given by rows."""
    x = np.arange(rules.width, dtype=np.uint32).reshape(1, -1, *(1,) * (rows.ndim - 1))
    empty = (~rows[:, None] >> x) & ONE  # [H, W, *n]
    words = []
    for first in range(0, rules.total_height, WORD):
        part = empty[first : first + WORD]
        bit = WORD - 1 - np.arange(part.shape[0], dtype=np.uint32).reshape(-1, *(1,) * rows.ndim)
        words.append(jnp.sum(part << bit, axis=0, dtype=jnp.uint32))
    return tuple(words)


def to_rows(rules: Rules, plane: Plane) -> UInt32[Array, "H *n"]:
    """Return a plane by rows, bit x = column x."""
    x = np.arange(rules.width, dtype=np.uint32).reshape(1, -1, *(1,) * (plane[0].ndim - 1))
    rows = []
    for first in range(0, rules.total_height, WORD):
        num_rows = min(WORD, rules.total_height - first)
        bit = WORD - 1 - np.arange(num_rows, dtype=np.uint32).reshape(-1, *(1,) * plane[0].ndim)
        cells = (plane[first // WORD][None] >> bit) & ONE
        rows.append(jnp.sum(cells << x, axis=1, dtype=jnp.uint32))
    return jnp.concatenate(rows)


def free(rules: Rules, empty: Plane, kind: Kind) -> Planes:
    """Return the poses at which a piece overlaps nothing and stands inside the matrix."""
    shapes, planes = shapes_of(rules), []
    for orientation in range(NUM_ORIENTATIONS):
        plane = tuple(jnp.full_like(word, ALL) for word in empty)
        for cell in sorted({cell for shape in shapes for cell in shape[orientation]}):
            having = [k for k, shape in enumerate(shapes) if cell in shape[orientation]]
            moved = shifted(empty, -cell[0], -cell[1])
            plane = both(plane, only_if(kind, having, moved, otherwise=ALL))
        planes.append(plane)
    return planes[0], planes[1], planes[2], planes[3]


def start_pose(rules: Rules, free_poses: Planes, kind: Kind, start: Start) -> Planes:
    """Return the one pose at which a flood begins (none if it does not fit or is not allowed)."""
    tables, planes = rules.tables, []
    left, bottom = jnp.asarray(tables.left)[kind], jnp.asarray(tables.bottom)[kind]  # [*n, 4] or [4]
    column = np.arange(rules.width, dtype=np.int32).reshape(-1, *(1,) * start.x.ndim)
    for orientation in range(NUM_ORIENTATIONS):
        x, y = start.x + left[..., orientation], start.y + bottom[..., orientation]
        here = start.allowed & (start.orientation == orientation)
        words = []
        for i, word in enumerate(free_poses[orientation]):
            row = y - WORD * i
            inside = here & (row >= 0) & (row < WORD)
            bit = ONE << (WORD - 1 - jnp.clip(row, 0, WORD - 1)).astype(jnp.uint32)
            words.append(jnp.where((column == x[None]) & inside[None], bit[None], ZERO) & word)
        planes.append(tuple(words))
    return planes[0], planes[1], planes[2], planes[3]


def fill(rules: Rules, free_poses: Planes, arrivals: Iterable[Arrival], start: Planes) -> Planes:
    """Return every pose reached from `start` by moves sideways, down and by `arrivals`."""
    arrivals = list(arrivals)
    runs = [_runs(plane) for plane in free_poses]

    def spread(reached: list[Plane]) -> list[Plane]:
        reached = list(reached)
        for target in (0, 1, 3, 2):
            plane = reached[target]
            for arrival in arrivals:
                if arrival.test.target == target:
                    plane = either(plane, turned(reached, arrival))
            reached[target] = _fallen(_slid(plane, runs[target]), free_poses[target])
        return reached

    def cond(carry: tuple[list[Plane], Bool[Array, ""]]) -> Bool[Array, ""]:
        return carry[1]

    def body(carry: tuple[list[Plane], Bool[Array, ""]]) -> tuple[list[Plane], Bool[Array, ""]]:
        after = spread(carry[0])
        changed = [
            jnp.any(a != b) for a, b in zip(jax.tree.leaves(carry[0]), jax.tree.leaves(after), strict=True)
        ]
        return after, functools.reduce(jnp.logical_or, changed)

    reached, _ = jax.lax.while_loop(cond, body, (list(start), jnp.bool_(True)))
    return reached[0], reached[1], reached[2], reached[3]


def at_rest(free_poses: Planes) -> Planes:
    """Return the poses that cannot go one lower."""
    planes = [without(plane, shifted(plane, 0, 1)) for plane in free_poses]
    return planes[0], planes[1], planes[2], planes[3]


def arrivals(rules: Rules, free_poses: Planes, kind: Kind) -> list[Arrival]:
    """Return where each kick test leads, the tests of all kinds that move alike as one."""
    merged: dict[Test, Plane] = {}
    for tests, kinds in groups(rules, kind):
        for arrival in first_fits(free_poses, tests):
            key = arrival.test._replace(turn=0, number=0)
            used = only_if(kind, kinds, arrival.used)
            merged[key] = either(merged[key], used) if key in merged else used
    return [Arrival(test, used) for test, used in merged.items()]


def first_fits(free_poses: Planes, tests: tuple[Test, ...]) -> list[Arrival]:
    """Return where each test leads when all belong to one kind: the first that fits wins."""
    found = []
    for origin, turn in sorted({(test.origin, test.turn) for test in tests}):
        earlier = tuple(jnp.zeros_like(word) for word in free_poses[0])
        for test in (test for test in tests if (test.origin, test.turn) == (origin, turn)):
            fits = shifted(free_poses[test.target], -test.dx, -test.dy)
            used = both(without(fits, earlier), free_poses[origin])
            found.append(Arrival(test, shifted(used, test.dx, test.dy)))
            earlier = either(earlier, fits)
    return found


def turned(reached: list[Plane] | Planes, arrival: Arrival) -> Plane:
    """Return where the reached poses are turned to by one test."""
    test = arrival.test
    return both(shifted(reached[test.origin], test.dx, test.dy), arrival.used)


def groups(rules: Rules, kind: Kind) -> list[tuple[tuple[Test, ...], tuple[int, ...]]]:
    """List the different kick tables and the kinds that use them, those of `kind` alone if it is known."""
    all_tests = tests_of(rules)
    if isinstance(kind, int):
        return [(all_tests[kind], (kind,))]
    return [
        (tests, tuple(k for k, t in enumerate(all_tests) if t == tests)) for tests in dict.fromkeys(all_tests)
    ]


@functools.lru_cache(maxsize=64)
def shapes_of(rules: Rules) -> tuple[tuple[tuple[tuple[int, int], ...], ...], ...]:
    """List the cells (x, y) in the bounding box by kind and orientation."""
    tables = rules.tables
    return tuple(
        tuple(
            tuple(
                (int(dx - tables.left[k, o]), int(dy - tables.bottom[k, o]))
                for dy in range(MAX_BOX)
                for dx in range(MAX_BOX)
                if tables.rows[k, o, dy] >> dx & 1
            )
            for o in range(NUM_ORIENTATIONS)
        )
        for k in range(rules.num_pieces)
    )


@functools.lru_cache(maxsize=64)
def tests_of(rules: Rules) -> tuple[tuple[Test, ...], ...]:
    """List the kick tests by kind; a test that repeats an earlier one of its turn is left out."""
    tables, found = rules.tables, []
    for k in range(rules.num_pieces):
        tests: dict[tuple[int, ...], Test] = {}
        for origin in range(NUM_ORIENTATIONS):
            for column, turn in enumerate(TURNS[rules.kicks]):
                target = (origin + turn) % NUM_ORIENTATIONS
                for number, (dx, dy) in enumerate(tables.kicks[k, origin, column].tolist()):
                    dx += int(tables.left[k, target] - tables.left[k, origin])
                    dy += int(tables.bottom[k, target] - tables.bottom[k, origin])
                    tests.setdefault((origin, turn, dx, dy), Test(origin, target, turn, number, dx, dy))
        found.append(tuple(tests.values()))
    return tuple(found)


def only_if(kind: Kind, kinds: Iterable[int], plane: Plane, otherwise: np.uint32 = ZERO) -> Plane:
    """Return a plane for the boards whose kind is among `kinds`, and `otherwise` everywhere for the others."""
    kinds = tuple(kinds)
    if isinstance(kind, int):
        return plane if kind in kinds else tuple(jnp.full_like(word, otherwise) for word in plane)
    member = functools.reduce(jnp.logical_or, [kind == k for k in kinds])
    return tuple(jnp.where(member[None], word, otherwise) for word in plane)


def shifted(plane: Plane, dx: int, dy: int) -> Plane:
    """Move everything dx columns to the right and dy rows up; what leaves is lost, nothing enters."""
    moved = tuple(_columns_moved(word, dx) for word in plane)
    if dy == 0:
        return moved
    by = np.uint32(abs(dy))
    back = np.uint32(WORD) - by
    if dy > 0:
        below = (None, *moved[:-1])
        return tuple(
            word >> by if low is None else (word >> by) | (low << back)
            for word, low in zip(moved, below, strict=True)
        )
    above = (*moved[1:], None)
    return tuple(
        word << by if high is None else (word << by) | (high >> back)
        for word, high in zip(moved, above, strict=True)
    )


def _columns_moved(word: UInt32[Array, "W *n"], dx: int) -> UInt32[Array, "W *n"]:
    width = word.shape[0]
    if dx == 0:
        return word
    if abs(dx) >= width:
        return jnp.zeros_like(word)
    gap = jnp.zeros((abs(dx), *word.shape[1:]), jnp.uint32)
    return jnp.concatenate([gap, word[:-dx]] if dx > 0 else [word[-dx:], gap])


def either(a: Plane, b: Plane) -> Plane:
    """Return what is in one of two planes."""
    return tuple(p | q for p, q in zip(a, b, strict=True))


def both(a: Plane, b: Plane) -> Plane:
    """Return what is in both planes."""
    return tuple(p & q for p, q in zip(a, b, strict=True))


def without(a: Plane, b: Plane) -> Plane:
    """Return what is in the first plane only."""
    return tuple(p & ~q for p, q in zip(a, b, strict=True))


def count(plane: Plane) -> Int32[Array, "*n"]:
    """Return the number of places in a plane."""
    return sum(jnp.sum(jax.lax.population_count(word).astype(jnp.int32), axis=0) for word in plane)


def _runs(plane: Plane) -> list[list[Plane]]:
    """Return the free way between columns: entry [left/right][d] is free from a column to the d-th beyond."""
    ways: list[list[Plane]] = [[], []]
    width = plane[0].shape[0]
    for side, step in enumerate((1, -1)):
        way, reach = plane, 1
        while reach < width:
            ways[side].append(way)
            way = both(way, shifted(way, step * reach, 0))
            reach *= 2
    return ways


def _slid(plane: Plane, runs: list[list[Plane]]) -> Plane:
    """Return all that is reached by moving sideways."""
    for ways, step in zip(runs, (1, -1), strict=True):
        for i, way in enumerate(ways):
            plane = either(plane, both(shifted(plane, step << i, 0), way))
    return plane


def _fallen(plane: Plane, free_poses: Plane) -> Plane:
    """Return all that is reached by falling: a sum carries each pose down to the end of its free run."""
    words, lowest = [], None
    for word, way in zip(reversed(plane), reversed(free_poses), strict=True):
        if lowest is not None:
            word = word | ((lowest >> np.uint32(WORD - 1)) & way)
        lowest = word | (way & ~(way + word))
        words.append(lowest)
    return tuple(reversed(words))


class Classes(NamedTuple):
    """Reached poses by the spin class that the way there earns; a pose may be in several."""

    none: Planes
    mini: Planes
    full: Planes


def by_spin(
    rules: Rules,
    free_poses: Planes,
    filled: Plane,
    kind: Kind,
    reached: Planes,
    start: Planes,
    kick: Int32[Array, "*n"],
) -> Classes:
    """Part the reached poses by the last successful action; `kick` is that of `start`, as in `State`.

    A move earns nothing; a turn into a place with three filled corners earns a mini spin, and a full one
    if both corners on the piece's front are filled or the kick is one that promotes.
    """
    spinning = tuple(k for k in range(rules.num_pieces) if rules.tables.spins[k])
    if not spinning or (isinstance(kind, int) and kind not in spinning):
        nothing = jax.tree.map(jnp.zeros_like, reached)
        return Classes(reached, nothing, nothing)
    none, mini, full = ([] for _ in range(3))
    came_by_turn = kick >= 0
    for o in range(NUM_ORIENTATIONS):
        moves = [shifted(reached[o], dx, dy) for dx, dy in ((1, 0), (-1, 0), (0, -1))]
        moved = both(functools.reduce(either, moves), free_poses[o])
        none.append(either(moved, where(~came_by_turn, start[o])))
        mini.append(tuple(map(jnp.zeros_like, reached[o])))
        full.append(tuple(map(jnp.zeros_like, reached[o])))

    def add(o: int, plane: Plane, promoted: Bool[Array, "*n"] | bool, kinds: tuple[int, ...]) -> None:
        for (corners, front), same in _tight_places(rules, filled, o, kind, kinds):
            mine = only_if(kind, same, plane)
            is_full = (
                either(front, where(promoted, corners))
                if not isinstance(promoted, bool)
                else (corners if promoted else both(corners, front))
            )
            tight = both(mine, corners)
            none[o] = either(none[o], without(mine, corners))
            full[o] = either(full[o], both(tight, is_full))
            mini[o] = either(mini[o], without(tight, is_full))

    for tests, kinds in groups(rules, kind):
        kinds = tuple(k for k in kinds if k in spinning)
        if kinds:
            for arrival in first_fits(free_poses, tests):
                add(arrival.test.target, turned(reached, arrival), _promotes(rules, arrival.test), kinds)
    for o in range(NUM_ORIENTATIONS):
        may = rules.spins == "guideline" or o % 2 == 1
        add(o, where(came_by_turn, start[o]), (kick == LAST_KICK) & may, spinning)
    spins_here = [only_if(kind, spinning, plane, ZERO) for plane in (*none, *mini, *full)]
    plain = [only_if(kind, sorted(set(range(rules.num_pieces)) - set(spinning)), plane) for plane in reached]
    parts = [tuple(spins_here[i : i + NUM_ORIENTATIONS]) for i in range(0, len(spins_here), NUM_ORIENTATIONS)]
    none_planes = tuple(either(a, b) for a, b in zip(parts[0], plain, strict=True))
    return Classes(none_planes, parts[1], parts[2])


def where(condition: Bool[Array, "*n"], plane: Plane) -> Plane:
    """Return the plane of the boards for which the condition holds, nothing for the others."""
    return tuple(jnp.where(condition[None], word, ZERO) for word in plane)


def _promotes(rules: Rules, test: Test) -> bool:
    """Tell whether a test makes any spin full."""
    may = rules.spins == "guideline" or test.target % 2 == 1
    return test.turn != HALF_TURN and test.number == LAST_KICK and may


def _tight_places(
    rules: Rules, filled: Plane, orientation: int, kind: Kind, kinds: tuple[int, ...]
) -> list[tuple[tuple[Plane, Plane], tuple[int, ...]]]:
    """Return where three corners of the box are filled, and where both front ones are, by kinds alike in this."""
    tables = rules.tables
    offsets = {k: (int(tables.left[k, orientation]), int(tables.bottom[k, orientation])) for k in kinds}
    found = []
    for left, bottom in dict.fromkeys(offsets.values()):
        empty = tuple(~word for word in filled)  # nothing is empty outside the matrix
        corners = [tuple(~word for word in shifted(empty, left - dx, bottom - dy)) for dx, dy in CORNERS]
        front = [corner for corner, is_front in zip(corners, FRONT[orientation], strict=True) if is_front]
        triples = [functools.reduce(both, corners[:i] + corners[i + 1 :]) for i in range(len(corners))]
        same = tuple(k for k in kinds if offsets[k] == (left, bottom))
        found.append(((functools.reduce(either, triples), functools.reduce(both, front)), same))
    return found
