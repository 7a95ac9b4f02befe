"""A planner in plain Python: every placement of every known piece, one after the other, on sets of cells."""

import itertools
from dataclasses import dataclass, replace

from tests.env.game.reach.test_placements import Search, spawned
from tests.reference import tables
from tests.reference.tables import FACINGS, SHAPES

NONE, MINI, FULL = 0, 1, 2


@dataclass(frozen=True)
class Position:
    """A game between two placements."""

    cells: frozenset
    pieces: tuple  # names, the active one first
    hold: str | None = None
    combo: int = -1
    chained: bool = False
    gained: float = 0.0


@dataclass(frozen=True)
class Placed:
    """One placement: the piece, how it was had, the cells that it fills, the best spin of a way there."""

    use_hold: bool
    name: str
    cells: frozenset
    spin: int


def placements(rules, position):
    """List every distinct placement of the active piece and of the one that hold brings, and what it leaves."""
    active, *queue = position.pieces
    found = {}
    options = [(False, active, position.hold, tuple(queue))]
    if rules.hold and position.hold is not None:
        options.append((True, position.hold, active, tuple(queue)))
    elif rules.hold and queue:
        options.append((True, queue[0], active, tuple(queue[1:])))
    for use_hold, name, hold, rest in options:
        search = spawned(rules, position.cells, name)
        for spin, facing, bottom, left in search.places():
            if bottom < rules.height:
                placed = Placed(use_hold, name, cells_at(name, facing, left, bottom), NONE)
                best = max(spin, found.get(placed, (NONE,))[0])
                found[placed] = (best, hold, rest)
    for placed, (spin, hold, rest) in found.items():
        yield replace(placed, spin=spin), after(rules, position, placed.cells, spin, hold, rest)


def cells_at(name, facing, left, bottom):
    """Return the cells of a piece by the lower-left corner of its bounding box."""
    shape = SHAPES[name][FACINGS[facing]]
    x, y = min(x for x, _ in shape), min(y for _, y in shape)
    return frozenset((left + dx - x, bottom + dy - y) for dx, dy in shape)


def after(rules, position, cells, spin, hold, rest):
    """Fill cells, clear rows, and count the rows sent, by Jstris's table."""
    filled = position.cells | cells
    full = [y for y in range(rules.total_height) if all((x, y) in filled for x in range(rules.width))]
    left = frozenset((x, y - sum(row < y for row in full)) for x, y in filled if y not in full)
    lines, combo, chained, rows = len(full), -1, position.chained, 0
    if lines:
        combo = position.combo + 1
        difficult = lines == 4 or spin != NONE
        rows = tables.clear_attack("jstris", lines, spin) + tables.combo_attack("jstris", combo)
        rows += position.chained and difficult
        rows, chained = (rows if left else 10), difficult
    return Position(left, rest, hold, combo, chained, position.gained + rows)


def find_best(rules, position, evaluate, depth):
    """Return the best value after so many placements, and the first ones on ways there; None where there is no way."""
    if depth == 0:
        return position.gained + evaluate(rules, position.cells), []
    best, firsts = None, []
    for placed, following in placements(rules, position):
        found = find_best(rules, following, evaluate, depth - 1) if depth == 1 or following.pieces else None
        if found is not None and (best is None or found[0] > best + 1e-4):
            best, firsts = found[0], []
        if found is not None and abs(found[0] - best) <= 1e-4:
            firsts.append(placed)
    return None if best is None else (best, firsts)


def measure(rules, cells):
    """Measure a board by name, one cell at a time."""
    heights = [max((y + 1 for x, y in cells if x == column), default=0) for column in range(rules.width)]
    holes = [(x, y) for x, height in enumerate(heights) for y in range(height) if (x, y) not in cells]
    highest = {x: max(y for column, y in holes if column == x) for x, _ in holes}
    return {
        "holes": len(holes),
        "covers": sum(x in highest and y > highest[x] for x, y in cells),
        "height": max(heights),
        "bumpiness": sum(abs(a - b) for a, b in itertools.pairwise(heights)),
        "cells": len(cells),
    }


__all__ = ["FULL", "MINI", "NONE", "Position", "Search", "find_best", "measure", "placements"]
