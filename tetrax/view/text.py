"""A scene in characters: plain ASCII, Unicode blocks in ANSI colours, or the matrix alone in half blocks."""

from __future__ import annotations

from itertools import groupby, zip_longest

import numpy as np

from tetrax.env.game.rules import Rules
from tetrax.view.cells import shape_of
from tetrax.view.colours import (
    ALARM,
    EDGE,
    FLASH,
    JUST_PLACED,
    LABEL,
    TEXT,
    WELL,
    WHITE,
    Colour,
    colour_of,
    mix,
)
from tetrax.view.scene import Look, Scene, find_looks, numbers

Span = tuple[str, Colour | None]  # a piece of a line and its colour
Line = list[Span]
SIDE = 10  # characters of the left panel, at least
SMALL_GHOST = 0.35  # of the piece's colour, in the well: there is no room for an outline


def render_text(scene: Scene, *, colour: bool = False) -> str:
    """Draw a scene in characters, two per cell; lines end without spaces.

    Plain text is ASCII: `##` locked, `[]` the active (or the just placed) piece, `::` its ghost, `++` a hint. With
    `colour` it is Unicode blocks in 24-bit ANSI colours, for a terminal.
    """
    left, right = _text_left(scene, colour), _text_right(scene, colour)
    side = max(SIDE, *(_width(line) + 1 for line in left))
    blank: Line = [(" " * (2 * scene.rules.width + 2), None)]
    lines = []
    for beside, middle, after in zip_longest(left, _text_board(scene, colour), right):
        start: Line = beside or []
        padding = " " * (side - _width(start))
        line = [*start, (padding, None), *(middle or blank), ("  ", None), *(after or [])]
        lines.append(_text_line(line, colour))
    return "\n".join(lines)


def render_half_blocks(scene: Scene, *, colour: bool = True) -> str:
    """Draw the matrix alone, small: two rows to a line, a character to a column.

    In ANSI colours, or without them: then what is filled is, and there is no ghost.
    """
    rules, looks = scene.rules, find_looks(scene)
    lines = []
    for lower in reversed(range(0, rules.height, 2)):  # of an odd height, the top line shows a row above
        if not colour:
            seen = looks.look[lower : lower + 2]
            filled = ~np.isin(seen, (Look.EMPTY, Look.GHOST, Look.HINT))
            lines.append("".join(" ▄▀█"[int(below) + 2 * int(above)] for below, above in filled.T))
            continue
        parts = []
        for x in range(rules.width):
            ink, ground = (
                _small_colour(rules, Look(looks.look[y, x]), int(looks.kind[y, x]))
                for y in (lower + 1, lower)
            )
            parts.append(f"\x1b[38;2;{_code(ink)};48;2;{_code(ground)}m▀")
        lines.append("".join(parts) + "\x1b[0m")
    return "\n".join(lines)


def _small_colour(rules: Rules, look: Look, kind: int) -> Colour:
    """Return the colour of a cell that is drawn as one plain area."""
    if look is Look.EMPTY:
        return WELL
    colour = WHITE if look is Look.HINT else colour_of(rules, kind)
    mixtures = {
        Look.GHOST: mix(WELL, colour, SMALL_GHOST),
        Look.PLACED: mix(colour, WHITE, JUST_PLACED),
        Look.FULL: mix(colour, WHITE, FLASH),
        Look.HINT: mix(WELL, WHITE, SMALL_GHOST),
    }
    return mixtures.get(look, colour)


def _text_board(scene: Scene, colour: bool) -> list[Line]:
    rules, looks = scene.rules, find_looks(scene)
    wall, corners = ("│", "└┘") if colour else ("|", "++")
    block, solid, ghost, flash, hint, dot = (
        ("██", "██", "░░", "▓▓", "▒▒", " ·") if colour else ("##", "[]", "::", "==", "++", " .")
    )
    marks = {
        Look.BLOCK: block,
        Look.ACTIVE: solid,
        Look.PLACED: solid,
        Look.GHOST: ghost,
        Look.FULL: flash,
        Look.HINT: hint,
    }
    lines: list[Line] = []
    for y in reversed(range(len(looks.look))):
        inside = y < rules.height
        line: Line = [(wall if inside else " ", EDGE)]
        for x in range(rules.width):
            look, kind = Look(looks.look[y, x]), int(looks.kind[y, x])
            if look is Look.EMPTY:
                line.append((dot if inside else "  ", EDGE))
            else:
                is_white = look in (Look.FULL, Look.HINT)
                line.append((marks[look], TEXT if is_white else colour_of(rules, kind)))
        lines.append([*line, (wall if inside else " ", EDGE)])
    bottom = ("─" if colour else "-") * (2 * rules.width)
    return [*lines, [(corners[0] + bottom + corners[1], EDGE)]]


def _text_left(scene: Scene, colour: bool) -> list[Line]:
    lines: list[Line] = []
    if scene.rules.hold:
        held = _text_piece(scene.rules, scene.hold, colour, scene.hold_used)
        lines += [[("HOLD", LABEL)], *held, []]
    for label, value in numbers(scene):
        lines += [[(label, LABEL)], [(value, TEXT)], []]
    return [*lines, [("GAME OVER", ALARM)]] if scene.game_over else lines[:-1]


def _text_right(scene: Scene, colour: bool) -> list[Line]:
    if not scene.queue:
        return []
    lines: list[Line] = [[("NEXT", LABEL)]]
    for kind in scene.queue:
        lines += [*_text_piece(scene.rules, kind, colour, False), []]
    return lines


def _text_piece(rules: Rules, kind: int, colour: bool, dim: bool) -> list[Line]:
    """Draw a piece in two lines (three or four if it is that tall), or "-" for none."""
    if kind < 0:
        return [[("-", LABEL)], []]
    shape = shape_of(rules, kind)
    mark, ink = "██" if colour else "[]", LABEL if dim else colour_of(rules, kind)
    rows = [
        "".join(mark if (x, y) in shape.cells else "  " for x in range(shape.width))
        for y in reversed(range(shape.height))
    ]
    return [[(row.rstrip(), ink)] for row in [*rows, ""][: max(2, shape.height)]]


def _text_line(line: Line, colour: bool) -> str:
    if not colour:
        return "".join(text for text, _ in line).rstrip()
    parts = []
    for ink, spans in groupby(line, key=lambda span: span[1]):
        text = "".join(text for text, _ in spans)
        parts.append(f"\x1b[38;2;{_code(ink)}m{text}\x1b[0m" if ink and text.strip() else text)
    return "".join(parts).rstrip()


def _code(colour: Colour) -> str:
    """Write a colour as an ANSI sequence has it."""
    return ";".join(map(str, colour))


def _width(line: Line) -> int:
    return sum(len(text) for text, _ in line)
