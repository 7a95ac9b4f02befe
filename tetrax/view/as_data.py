"""A scene as JSON holds it: for pages that draw it themselves, and for logs."""

from __future__ import annotations

from typing import Any

from tetrax.env.game.rules import Rules
from tetrax.view.cells import EMPTY, shape_of
from tetrax.view.colours import colour_of
from tetrax.view.scene import ROWS_ABOVE, Scene, numbers

FIRST_KIND = "A"  # the next kinds are the characters that follow it
NOTHING, UNKNOWN, GARBAGE = ".", "?", "#"


def scene_data(scene: Scene) -> dict[str, Any]:
    """Return a scene as JSON values.

    `cells` are the rows that are shown, from the bottom, a letter per column: "." empty, "A" the first kind of
    `rules_data`, "B" the second, "?" a piece that nobody saw, "#" garbage. Cells elsewhere are [x, y], kinds are
    numbers, -1 or null is none. `fall` is how many rows the active piece would drop.
    """
    rules = scene.rules
    letters = {EMPTY: NOTHING, rules.num_pieces: UNKNOWN, rules.num_pieces + 1: GARBAGE}
    shown = scene.cells[: rules.height + ROWS_ABOVE].tolist()
    fall = 0
    if scene.active and scene.ghost:
        fall = min(y for _, y in scene.active) - min(y for _, y in scene.ghost)
    return {
        "cells": ["".join(letters.get(kind) or chr(ord(FIRST_KIND) + kind) for kind in row) for row in shown],
        "piece": scene.piece,
        "active": [list(cell) for cell in scene.active],
        "fall": fall,
        "hint": [list(cell) for cell in scene.hint],
        "placed": [list(cell) for cell in scene.placed],
        "full": list(scene.full_rows),
        "hold": scene.hold,
        "hold_used": scene.hold_used,
        "queue": list(scene.queue),
        "numbers": dict(numbers(scene)),
        "over": scene.game_over,
    }


def rules_data(rules: Rules) -> dict[str, Any]:
    """Return what is needed to draw the scenes of a game: its size, and for each kind of piece name, colour, cells.

    Colours are "#rrggbb", cells [x, y] of the piece as it enters, from its lower left corner.
    """
    kinds = range(rules.num_pieces)
    return {
        "columns": rules.width,
        "rows": rules.height,
        "rows_above": ROWS_ABOVE,
        "has_hold": rules.hold,
        "preview": rules.preview,
        "pieces": [
            {
                "name": rules.pieces[kind].name,
                "colour": _hex(colour_of(rules, kind)),
                "cells": [list(cell) for cell in shape_of(rules, kind).cells],
            }
            for kind in kinds
        ],
        "unknown": _hex(colour_of(rules, rules.num_pieces)),
        "garbage": _hex(colour_of(rules, rules.num_pieces + 1)),
    }


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
