"""A scene in characters: plain ASCII, or Unicode blocks in ANSI colours."""

from __future__ import annotations

from itertools import groupby, zip_longest

from tetrax.env.game.rules import Rules
from tetrax.view.coloured import EMPTY
from tetrax.view.colours import ALARM, EDGE, LABEL, TEXT, Colour, colour_of
from tetrax.view.scene import ROWS_ABOVE, Scene, numbers, upright

Span = tuple[str, Colour | None]  # a piece of a line and its colour
Line = list[Span]
SIDE = 10  # characters of the left panel, at least


def render_text(scene: Scene, *, colour: bool = False) -> str:
    """Draw a scene in characters, two per cell; lines end without spaces.

    Plain text is ASCII: `##` locked, `[]` the active (or the just placed) piece, `::` its ghost. With
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


def _text_board(scene: Scene, colour: bool) -> list[Line]:
    rules = scene.rules
    wall, corners = ("│", "└┘") if colour else ("|", "++")
    block, solid, ghost, flash = ("██", "██", "░░", "▓▓") if colour else ("##", "[]", "::", "==")
    lines: list[Line] = []
    for y in reversed(range(rules.height + ROWS_ABOVE)):
        inside = y < rules.height
        line: Line = [(wall if inside else " ", EDGE)]
        for x in range(rules.width):
            kind = int(scene.cells[y, x])
            if (x, y) in scene.active:
                line.append((solid, colour_of(rules, scene.piece)))
            elif y in scene.full_rows:
                line.append((flash, TEXT))
            elif (x, y) in scene.placed:
                line.append((solid, colour_of(rules, kind)))
            elif kind != EMPTY:
                line.append((block, colour_of(rules, kind)))
            elif (x, y) in scene.ghost:
                line.append((ghost, colour_of(rules, scene.piece)))
            else:
                line.append(((" ·" if colour else " .") if inside else "  ", EDGE))
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
    cells, width, height = upright(rules, kind)
    mark, ink = "██" if colour else "[]", LABEL if dim else colour_of(rules, kind)
    rows = ["".join(mark if (x, y) in cells else "  " for x in range(width)) for y in reversed(range(height))]
    return [[(row.rstrip(), ink)] for row in [*rows, ""][: max(2, height)]]


def _text_line(line: Line, colour: bool) -> str:
    if not colour:
        return "".join(text for text, _ in line).rstrip()
    parts = []
    for ink, spans in groupby(line, key=lambda span: span[1]):
        text = "".join(text for text, _ in spans)
        parts.append(f"\x1b[38;2;{ink[0]};{ink[1]};{ink[2]}m{text}\x1b[0m" if ink and text.strip() else text)
    return "".join(parts).rstrip()


def _width(line: Line) -> int:
    return sum(len(text) for text, _ in line)
