"""A scene as SVG: sharp at any size, self-contained, its title and description readable by machines.

The drawing is in layers: one path per colour. `layers` (and the numbers) change from scene to scene,
the rest is the frame around them. The player in the browser fills the same layers (see player/player.js).
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tetrax.env.game.rules import Rules
from tetrax.view.cells import EMPTY, Cell, num_kinds, shape_of
from tetrax.view.colours import (
    ALARM,
    BLACK,
    DIM,
    EDGE,
    FLASH,
    GHOST_INSIDE,
    GHOST_LINE,
    GRID,
    JUST_PLACED,
    LABEL,
    LIT,
    PAGE,
    PANEL,
    SHADED,
    TEXT,
    VEIL,
    WELL,
    WHITE,
    Colour,
    colour_of,
    mix,
)
from tetrax.view.layout import CELL, LINE, MARGIN, NUMBER_HEIGHT, PANEL_WIDTH, SLOT, SMALL, Layout, lay_out
from tetrax.view.scene import ROWS_ABOVE, Scene, game_over_lines, numbers

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


class Svg(str):
    """The text of an SVG image; a notebook shows it as the picture."""

    def _repr_svg_(self) -> str:
        return str(self)


Square = tuple[int, int, int]  # left, upper side, length of a side


def layers(scene: Scene) -> dict[str, str]:
    """Return the path data of every layer that is not empty, by name.

    `block-k` holds the blocks of kind k on the board and beside it, `ghost-k` the outline where the active
    piece would land, `light` and `shade` the edges of all blocks, `placed`, `flash` and `dim` what lies over
    blocks that locked just now, over full rows and over a held piece that cannot be used.
    """
    rules, place = scene.rules, lay_out(scene.rules)
    blocks: dict[int, list[Square]] = {}
    cells = dict.fromkeys(scene.active, scene.piece)
    for y in range(rules.height + ROWS_ABOVE):
        for x in range(rules.width):
            kind = cells.get((x, y), int(scene.cells[y, x]))
            if kind != EMPTY:
                blocks.setdefault(kind, []).append(_square(place, (x, y)))
    held: list[Square] = []
    if scene.hold >= 0:
        held = _beside(rules, scene.hold, MARGIN, place.panel)
        blocks.setdefault(scene.hold, []).extend(held)
    for index, kind in enumerate(scene.queue):
        blocks.setdefault(kind, []).extend(_beside(rules, kind, place.queue, place.panel + index * SLOT))
    every = [square for kind in sorted(blocks) for square in blocks[kind]]
    full = [(x, y) for y in scene.full_rows for x in range(rules.width)]
    drawn = {f"block-{kind}": _squares(blocks[kind]) for kind in sorted(blocks)}
    drawn |= {"light": _edges(every, light=True), "shade": _edges(every, light=False)}
    if scene.piece >= 0:
        drawn[f"ghost-{scene.piece}"] = _squares(
            (x + 1, y + 1, side - 2) for x, y, side in _board_squares(scene, place, scene.ghost)
        )
    drawn["placed"] = _squares(_board_squares(scene, place, scene.placed))
    drawn["flash"] = _squares(_board_squares(scene, place, full))
    drawn["dim"] = _squares(held if scene.hold_used else [])
    return {name: path for name, path in drawn.items() if path}


def describe(scene: Scene) -> str:
    """Say in a sentence what a scene shows, for whoever cannot see it."""
    names = [piece.name for piece in scene.rules.pieces]
    said = [f"{label.lower()} {value}" for label, value in numbers(scene)]
    if scene.active:
        said.append(f"active piece {names[scene.piece]} at column {min(x for x, _ in scene.active) + 1}")
    if scene.rules.hold:
        said.append(f"hold {names[scene.hold] if scene.hold >= 0 else 'empty'}")
    if scene.queue:
        said.append(f"next {' '.join(names[kind] for kind in scene.queue)}")
    heights = [
        max((y + 1 for y in range(len(column)) if column[y] != EMPTY), default=0) for column in scene.cells.T
    ]
    said.append(f"column heights {' '.join(map(str, heights))}")
    return "; ".join(said) + ("; game over" if scene.game_over else "")


def draw(scene: Scene, *, title: str = "A game of Tetris") -> Svg:
    """Draw a scene as a self-contained SVG image."""
    return Svg(_document(scene, title, layers(scene), over=scene.game_over))


def stage(scene: Scene) -> str:
    """Draw a scene with every layer there, empty ones too, for a program that goes on to fill them."""
    names = [f"block-{kind}" for kind in range(num_kinds(scene.rules))]
    names += ["light", "shade", *(f"ghost-{kind}" for kind in range(scene.rules.num_pieces))]
    names += ["placed", "flash", "dim"]
    return _document(scene, "The game", dict.fromkeys(names, "") | layers(scene), over=True)


def _document(scene: Scene, title: str, paths: dict[str, str], *, over: bool) -> str:
    place = lay_out(scene.rules)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {place.width} {place.height}" '
        f'width="{place.width}" height="{place.height}" role="img" font-family="{escape(FONT)}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(describe(scene))}</desc>",
        *_ground(scene.rules, place),
        *_writing(scene, place),
    ]
    lines += [
        f'<path data-layer="{name}" {_ink(scene.rules, name)} d="{path}"/>' for name, path in paths.items()
    ]
    if over:
        lines += _game_over(scene, place)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _ground(rules: Rules, place: Layout) -> list[str]:
    """Page, matrix, its grid and walls, and the panels."""
    wide, high = rules.width * CELL, rules.height * CELL
    down = "".join(f"M{place.left + x * CELL} {place.top}h1v{high}h-1z" for x in range(rules.width))
    across = "".join(
        f"M{place.left} {place.top + (y + 1) * CELL - 1}h{wide}v1h-{wide}z" for y in range(rules.height)
    )
    walls = f"M{place.left - 2} {place.top}v{high + 2}h{wide + 4}v-{high + 2}h-2v{high}h-{wide}v-{high}z"
    lines = [
        f'<rect width="{place.width}" height="{place.height}" rx="8" fill="{_hex(PAGE)}"/>',
        f'<rect x="{place.left}" y="{place.top}" width="{wide}" height="{high}" fill="{_hex(WELL)}"/>',
        f'<path fill="{_hex(GRID)}" d="{down}{across}"/>',
        f'<path fill="{_hex(EDGE)}" d="{walls}"/>',
    ]
    panels = [(MARGIN, 1)] if rules.hold else []
    panels += [(place.queue, rules.preview)] if rules.preview else []
    lines += [
        f'<rect x="{x}" y="{place.panel}" width="{PANEL_WIDTH}" height="{slots * SLOT}" rx="6" fill="{_hex(PANEL)}"/>'
        for x, slots in panels
    ]
    return lines


def _writing(scene: Scene, place: Layout) -> list[str]:
    """Labels and numbers."""
    below = place.panel - 9
    lines = [_label("HOLD", MARGIN, below)] if scene.rules.hold else []
    lines += [_label("NEXT", place.queue, below)] if scene.rules.preview else []
    for index, (label, value) in enumerate(numbers(scene)):
        y = place.numbers + index * NUMBER_HEIGHT + LINE - 9
        lines.append(_label(label, MARGIN, y))
        lines.append(
            f'<text x="{MARGIN}" y="{y + LINE - 2}" font-size="16" font-weight="600" fill="{_hex(TEXT)}" '
            f'data-number="{label}">{escape(value)}</text>'
        )
    return lines


def _game_over(scene: Scene, place: Layout) -> list[str]:
    """Dim the matrix and write on a band across it."""
    wide, high = scene.rules.width * CELL, scene.rules.height * CELL
    words = game_over_lines(scene.rules)
    band = 28 * len(words) + 12
    x, middle = place.left + wide // 2, place.top + high // 2
    lines = [
        f'<g data-over="" display="{"inline" if scene.game_over else "none"}">',
        f'<rect x="{place.left}" y="{place.top}" width="{wide}" height="{high}" fill="{_hex(PAGE)}" opacity="{VEIL}"/>',
        f'<rect x="{place.left}" y="{middle - band // 2}" width="{wide}" height="{band}" fill="{_hex(PAGE)}"/>',
    ]
    for index, word in enumerate(words):
        y = middle - band // 2 + 27 + 28 * index
        lines.append(
            f'<text x="{x}" y="{y}" font-size="22" font-weight="700" text-anchor="middle" '
            f'fill="{_hex(ALARM)}">{word}</text>'
        )
    return [*lines, "</g>"]


def _label(text: str, x: int, y: int) -> str:
    ink = _hex(LABEL)
    return f'<text x="{x}" y="{y}" font-size="12" letter-spacing="1" fill="{ink}">{text}</text>'


def _ink(rules: Rules, layer: str) -> str:
    """Return the attributes that colour a layer."""
    over = {
        "light": (WHITE, LIT),
        "shade": (BLACK, SHADED),
        "placed": (WHITE, JUST_PLACED),
        "flash": (WHITE, FLASH),
        "dim": (PANEL, DIM),
    }
    if layer in over:
        colour, opacity = over[layer]
        return f'fill="{_hex(colour)}" opacity="{opacity}"'
    what, _, kind = layer.partition("-")
    colour = colour_of(rules, int(kind))
    if what == "block":
        return f'fill="{_hex(colour)}"'
    inside, line = mix(WELL, colour, GHOST_INSIDE), mix(WELL, colour, GHOST_LINE)
    return f'fill="{_hex(inside)}" stroke="{_hex(line)}" stroke-width="2"'


def _square(place: Layout, cell: Cell) -> Square:
    """Return the square of a cell of the board; a line of the grid stays free on its left and below."""
    x, y = cell
    return place.left + x * CELL + 1, place.floor - (y + 1) * CELL, CELL - 1


def _board_squares(scene: Scene, place: Layout, cells: Iterable[Cell]) -> list[Square]:
    """Return the squares of those cells that the drawing is high enough to show."""
    return [_square(place, cell) for cell in cells if cell[1] < scene.rules.height + ROWS_ABOVE]


def _beside(rules: Rules, kind: int, left: int, top: int) -> list[Square]:
    """Return the squares of a piece in the middle of a place in a panel, from its upper left cell on."""
    shape = shape_of(rules, kind)
    x0, y0 = left + (PANEL_WIDTH - shape.width * SMALL) // 2, top + (SLOT - shape.height * SMALL) // 2
    return [(x0 + x * SMALL, y0 + (shape.height - 1 - y) * SMALL, SMALL - 1) for x, y in shape.cells]


def _squares(squares: Iterable[Square]) -> str:
    return "".join(f"M{x} {y}h{side}v{side}h-{side}z" for x, y, side in squares)


def _edges(squares: Iterable[Square], *, light: bool) -> str:
    """Return the lit upper or the shaded lower edges of blocks, two units high."""
    return "".join(f"M{x} {y if light else y + side - 2}h{side}v2h-{side}z" for x, y, side in squares)


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
