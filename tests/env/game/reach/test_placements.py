"""Every resting place, by its class, equals what a search in plain Python over all poses finds."""

import dataclasses
import functools
import json
import random
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import tables
from tests.reference.tables import BOX, CORNERS, FACINGS, FRONTS, SHAPES
from tetrax.env.game import engine
from tetrax.env.game.pieces import DOMINOES
from tetrax.env.game.reach import placements
from tetrax.env.game.rules import Rules, default_params
from tetrax.env.game.state import SPINS

POSITIONS = Path(__file__).parents[3] / "data" / "srs_reachability.json"
CAPACITY = 192
BOARDS = 8  # that go through a program at once

RULES = {
    "guideline": Rules(height=10, buffer=10),
}
SLOW_RULES = {
    "narrow, half turns, TETR.IO's spins, rows in two words": Rules(
        width=5, height=20, buffer=16, kicks="srs+", spins="tetrio", preview=0, spawn_drop=False
    ),
    "Jstris's spins": Rules(width=6, height=8, buffer=8, spins="jstris"),
    "half turns without hold": Rules(width=7, height=8, buffer=5, kicks="srs180", hold=False),
    "no kicks": Rules(width=4, height=7, buffer=4, kicks="none"),
    "dominoes": Rules(width=4, height=6, buffer=4, pieces=DOMINOES, preview=1, hold=False),
    "wide, a row higher": Rules(width=13, height=6, buffer=8, kicks="srs+", spawn_row=1),
}


class Search:
    """A search over all poses of one piece on a set of filled cells, one pose at a time."""

    def __init__(self, rules, filled, name, start, kick):
        self.rules, self.filled, self.name = rules, filled, name
        self.classes = {}  # pose -> the classes that it can be reached with
        if self.fits(start):
            self.spread(start, kick)

    def cells(self, pose):
        facing, x, y = pose
        return [(x + dx, y + dy) for dx, dy in SHAPES[self.name][facing]]

    def is_filled(self, x, y):
        return not (0 <= x < self.rules.width and 0 <= y < self.rules.total_height) or (x, y) in self.filled

    def fits(self, pose):
        return not any(self.is_filled(*cell) for cell in self.cells(pose))

    def spin(self, pose, kick):
        facing, x, y = pose
        corners = [self.is_filled(x + dx, y + dy) for dx, dy in CORNERS]
        if self.name not in tables.CAN_SPIN or kick < 0 or sum(corners) < 3:
            return "none"
        if self.rules.spins == "jstris" and self.fits((facing, x, y + 1)):
            return "none"
        promoted = kick == 4 and (self.rules.spins != "tetrio" or facing in "RL")
        front = all(self.is_filled(x + dx, y + dy) for dx, dy in FRONTS[facing])
        return "full" if front or promoted else "mini"

    def following(self, pose):
        """Yield each pose that one key leads to and its kick."""
        facing, x, y = pose
        for step in ((facing, x - 1, y), (facing, x + 1, y), (facing, x, y - 1)):
            if self.fits(step):
                yield step, -1
        for turn in (1, 3, 2) if self.rules.kicks in tables.HAVE_HALF_TURNS else (1, 3):
            after = FACINGS[(FACINGS.index(facing) + turn) % 4]
            for number, (dx, dy) in enumerate(tables.kick_tests(self.rules.kicks, self.name, facing + after)):
                if self.fits((after, x + dx, y + dy)):
                    yield (after, x + dx, y + dy), number + (8 if turn == 2 else 0)
                    break

    def spread(self, start, kick):
        self.classes[start] = {self.spin(start, kick)}
        waiting = [start]
        while waiting:
            for pose, number in self.following(waiting.pop()):
                if pose not in self.classes:
                    self.classes[pose] = set()
                    waiting.append(pose)
                self.classes[pose].add(self.spin(pose, number))

    def places(self):
        """Return (class, orientation, lowest row, leftmost column) of every way to every pose at rest."""
        found = set()
        for (facing, x, y), classes in self.classes.items():
            if not self.fits((facing, x, y - 1)):
                xs, ys = zip(*self.cells((facing, x, y)), strict=True)
                found |= {(SPINS.index(spin), FACINGS.index(facing), min(ys), min(xs)) for spin in classes}
        return found


@dataclasses.dataclass
class Case:
    """One drawn state: as plain values, and what the search finds for the active and the held piece."""

    rows: np.ndarray
    fields: dict
    searches: list


def cells_of(rows, width):
    return {(x, y) for y, row in enumerate(rows.tolist()) for x in range(width) if row >> x & 1}


def spawned(rules, filled, name):
    """Search from where hold brings a piece."""
    lowest = min(dy for _, dy in SHAPES[name]["0"])
    pose = ("0", (rules.width - BOX[name]) // 2, rules.height + rules.spawn_row - lowest)
    search = Search(rules, filled, name, pose, -1)
    lower = (pose[0], pose[1], pose[2] - 1)
    if rules.spawn_drop and search.classes and search.fits(lower):
        return Search(rules, filled, name, lower, -1)
    return search


def drawn(rules, seed):
    """Draw a board with overhangs, an active piece anywhere it fits, and what is held."""
    choose = random.Random(seed)
    names = [piece.name for piece in rules.pieces]
    rows = np.zeros(rules.total_height, np.uint32)
    for y in range(choose.randrange(rules.height)):
        share = choose.choice((0.3, 0.6, 0.85))
        hole = choose.randrange(rules.width)  # no row is full before a piece has locked
        rows[y] = sum((choose.random() < share) << x for x in range(rules.width) if x != hole)
    filled = cells_of(rows, rules.width)
    kind, hold = choose.randrange(len(names)), choose.randrange(-1, len(names))
    name, kick = names[kind], choose.choice((-1, -1, 0, 1, 4, 8, 12))
    probe = Search(rules, filled, name, ("0", -9, 0), -1)
    top = choose.choice((rules.height, rules.total_height))
    poses = [(f, x, y) for f in FACINGS for x in range(-2, rules.width) for y in range(-2, top)]
    pose = choose.choice([pose for pose in poses if probe.fits(pose)])
    used, over = choose.random() < 0.1, choose.random() < 0.05
    queue = [choose.randrange(len(names)) for _ in range(rules.preview)]
    nothing = Search(rules, filled, name, ("0", -9, 0), -1)
    searches = [nothing if over else Search(rules, filled, name, pose, kick)]
    if rules.hold:
        incoming = hold if hold >= 0 else (queue or [None])[0]
        blocked = over or used or incoming is None
        searches.append(nothing if blocked else spawned(rules, filled, names[incoming]))
    fields = {
        "piece": kind, "orientation": FACINGS.index(pose[0]), "x": pose[1], "y": pose[2], "kick": kick,
        "hold": hold, "hold_used": used, "game_over": over, "queue": queue,
    }  # fmt: skip
    return Case(rows, fields, searches)


@functools.cache
def program(rules):
    def everything(state):
        reach = placements.reachable(rules, state)
        listed = placements.list_places(rules, reach, CAPACITY)
        rows, lines = placements.after(rules, state, listed)
        best = placements.spin_at(rules, reach)
        return reach, placements.mask(rules, reach), best, listed, rows, lines

    return jax.jit(jax.vmap(everything))


def states(rules, cases):
    blank = engine.init(rules, default_params(rules), jax.random.key(0))
    many = jax.tree.map(lambda field: jnp.broadcast_to(field, (len(cases), *field.shape)), blank)
    fields = {
        name: jnp.asarray(np.array([case.fields[name] for case in cases]), getattr(blank, name).dtype)
        for name in cases[0].fields
    }
    return many.replace(rows=jnp.asarray(np.stack([case.rows for case in cases])), **fields)


def found_in(rules, cases):
    """Run the one program of these rules, so many boards a time."""
    padded = cases + cases[:1] * (-len(cases) % BOARDS)
    parts = [program(rules)(states(rules, padded[i : i + BOARDS])) for i in range(0, len(padded), BOARDS)]
    return jax.tree.map(lambda *fields: np.concatenate(fields)[: len(cases)], *parts)


def check(rules, seeds):
    cases = [drawn(rules, seed) for seed in seeds]
    reach, mask, best, listed, after, lines = found_in(rules, cases)
    for i, case in enumerate(cases):
        expected = [search.places() for search in case.searches]
        for s, places in enumerate(expected):
            bits = reach.rows[i, s][..., None] >> np.arange(rules.width, dtype=np.uint32) & 1
            assert {tuple(map(int, place)) for place in np.argwhere(bits)} == places
            assert {tuple(map(int, place)) for place in np.argwhere(mask[i, s])} == {p[1:] for p in places}
            classes = {
                place: max(p[0] for p in places if p[1:] == place) for place in {p[1:] for p in places}
            }
            assert all(best[i, s][place] == spin for place, spin in classes.items())
            assert best[i, s].sum() == sum(classes.values())
        check_list(
            rules, case, expected, jax.tree.map(lambda field, i=i: field[i], listed), after[i], lines[i]
        )


def check_list(rules, case, expected, listed, after, lines):
    """Compare the list with the distinct sets of cells, and the boards after them with stacking by hand."""
    names = [piece.name for piece in rules.pieces]
    filled, wanted = cells_of(case.rows, rules.width), set()
    for use_hold, places in enumerate(expected):
        for spin, orientation, y, x in places:
            shape = SHAPES[case.searches[use_hold].name][FACINGS[orientation]]
            left, low = min(dx for dx, _ in shape), min(dy for _, dy in shape)
            wanted.add((use_hold, spin, frozenset((dx - left + x, dy - low + y) for dx, dy in shape)))
    assert listed.found == len(wanted) == listed.valid.sum()
    box = placements.pose(rules, listed)
    found = set()
    for n in np.flatnonzero(listed.valid):
        shape = SHAPES[names[listed.kind[n]]][FACINGS[listed.orientation[n]]]
        cells = frozenset((int(box.x[n]) + dx, int(box.y[n]) + dy) for dx, dy in shape)
        found.add((int(listed.use_hold[n]), int(listed.spin[n]), cells))
        if n % 8 == 0:
            board = [
                [(x, y) in filled | cells for x in range(rules.width)] for y in range(rules.total_height)
            ]
            low = min(y for _, y in cells)
            kept = [row for y, row in enumerate(board) if not (all(row) and low <= y < low + 4)]
            assert lines[n] == len(board) - len(kept)
            words = [sum(cell << x for x, cell in enumerate(row)) for row in kept]
            assert after[n].tolist() == words + [0] * int(lines[n])
    assert found == wanted


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@settings(max_examples=2)
@given(first=st.integers(0, 10**6))
@pytest.mark.slow
def test_places_are_those_of_a_plain_search(rules, first):
    check(rules, range(first, first + BOARDS))


@pytest.mark.slow
@pytest.mark.parametrize("rules", SLOW_RULES.values(), ids=SLOW_RULES)
@settings(max_examples=6)
@given(first=st.integers(0, 10**6))
def test_places_are_those_of_a_plain_search_under_odd_rules(rules, first):
    check(rules, range(first, first + BOARDS))


def test_a_short_list_says_how_many_there_are():
    rules = RULES["guideline"]
    state = {"piece": 5, "orientation": 0, "x": 3, "y": 9, "hold_used": True}  # a T on an empty board
    reach = found_in(rules, [Case(np.zeros(rules.total_height, np.uint32), state, [])])[0]
    one = jax.tree.map(lambda field: jnp.asarray(field[0]), reach)
    listed = jax.jit(placements.list_places, static_argnums=(0, 2))(rules, one, 8)
    assert (int(listed.found), int(listed.valid.sum())) == (34, 8)


def test_features_are_those_of_the_boards_after():
    rules = RULES["guideline"]
    rows = jnp.zeros((2, rules.total_height), jnp.uint32).at[1, 2].set(np.uint32(0b111))
    found = jax.jit(placements.features, static_argnums=0)(rules, rows)
    assert found.aggregate_height.tolist() == [0, 9]  # three columns of height 3 ...
    assert found.holes.tolist() == [0, 6]  # ... with two holes in each


def test_all_published_positions():
    """Whether each of 69 hard places can be reached, boards of up to six rows, from above."""
    rules, positions = RULES["guideline"], json.loads(POSITIONS.read_text())
    names = [piece.name for piece in rules.pieces]
    cases = []
    for position in positions:
        drawing = position["rows_top_to_bottom"][::-1]
        rows = np.zeros(rules.total_height, np.uint32)
        rows[: len(drawing)] = [sum((mark == "X") << x for x, mark in enumerate(row)) for row in drawing]
        name = position["piece"]
        lowest = min(dy for _, dy in SHAPES[name]["0"])
        fields = {
            "piece": names.index(name), "orientation": 0, "x": (10 - BOX[name]) // 2, "y": 10 - lowest,
        }  # fmt: skip
        cases.append(Case(rows, fields, []))
    mask = found_in(rules, cases)[1][:, 0]
    assert len(positions) == 69
    for position, found in zip(positions, mask, strict=True):
        orientation = ("Spawn", "Right", "Reverse", "Left").index(position["rot"])
        x, y = np.min(position["cells"], axis=0)
        assert bool(found[orientation, y, x]) == position["reachable"], position
