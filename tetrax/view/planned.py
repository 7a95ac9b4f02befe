"""What a planner means to do next, as cells of the board as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tetrax.env.game.rules import Rules
from tetrax.view.cells import Cell
from tetrax.view.scene import Moment


class Planned(NamedTuple):
    """One placement of a line."""

    kind: int
    use_hold: bool  # whether hold comes first
    cells: tuple[Cell, ...]  # as the board is now: rows that will have been cleared are counted


def follow_line(
    rules: Rules, moment: Moment, steps: Sequence[tuple[bool, int, int, int]], *, after_first: bool = False
) -> tuple[Planned, ...]:
    """Play placements in thought, as far as pieces are known: hold, orientation and lower-left corner of each.

    With `after_first` the cells of all but the first one are those of the board after it.
    """
    rows, origins = list(moment.rows), list(range(len(moment.rows)))
    coming, hold = [moment.piece, *moment.queue], moment.hold
    planned = []
    for use_hold, orientation, x, y in steps:
        active = coming.pop(0) if coming else -1
        kind = active
        if use_hold:
            kind, hold = hold, active
            if kind < 0:
                kind = coming.pop(0) if coming else -1
        if kind < 0:
            break
        cells = _cells(rules, kind, orientation, x, y)
        planned.append(Planned(kind, use_hold, tuple((column, origins[row]) for column, row in cells)))
        for column, row in cells:
            rows[row] |= 1 << column
        kept = [row for row, bits in enumerate(rows) if bits != (1 << rules.width) - 1]
        origins = [origins[row] for row in kept]
        origins += [origins[-1] + 1 + above for above in range(len(rows) - len(kept))]
        rows = [rows[row] for row in kept] + [0] * (len(rows) - len(kept))
        if after_first and len(planned) == 1:
            origins = list(range(len(rows)))
    return tuple(planned)


def line_data(rules: Rules, planned: Sequence[Planned], worth: float, visits: int) -> dict[str, Any]:
    """Return a line as JSON values: what it is worth, the simulations that began so, and its placements."""
    steps = [
        {
            "piece": rules.pieces[each.kind].name,
            "kind": each.kind,
            "hold": each.use_hold,
            "cells": [*map(list, each.cells)],
        }
        for each in planned
    ]
    return {"worth": float(f"{worth:.4g}"), "visits": visits, "steps": steps}


def _cells(rules: Rules, kind: int, orientation: int, x: int, y: int) -> list[Cell]:
    tables = rules.tables
    left, bottom = int(tables.left[kind, orientation]), int(tables.bottom[kind, orientation])
    bits = tables.rows[kind, orientation].tolist()
    box = range(len(bits))
    return [(x + dx - left, y + dy - bottom) for dy in box for dx in box if bits[dy] >> dx & 1]
