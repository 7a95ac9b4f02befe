"""A scene as an RGB array: board, hold and numbers on its left, the queue on its right."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tetrax.env.game.rules import Rules
from tetrax.view.cells import num_kinds, shape_of
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
from tetrax.view.scene import (
    ROWS_ABOVE,
    Look,
    Scene,
    find_looks,
    game_over_lines,
    number_labels,
    numbers,
)

PANEL_WIDTH = 5  # cells; wide enough for an I of four at three quarters of a cell
MARGIN = 0.7  # cells
# Where _tiles has the tiles of a look, one for each kind; an empty cell has two of its own.
TILE_GROUPS = {Look.BLOCK: 0, Look.ACTIVE: 0, Look.GHOST: 1, Look.HINT: 1, Look.PLACED: 2, Look.FULL: 3}
NUMBER_HEIGHT = 2.5  # cells, of a label, its number and the space below them


def picture(scene: Scene, *, cell: int) -> np.ndarray:
    """Draw a scene as uint8[height, width, 3]; `cell` is the side of a cell in pixels (8 or more)."""
    check_cell(cell)
    rules = scene.rules
    left, top = board_corner(cell=cell)
    board_top = top - ROWS_ABOVE * cell
    right = left + rules.width * cell
    queue_height = 2.5 * max(1, len(scene.queue)) + 1
    numbers_height = 6 + NUMBER_HEIGHT * len(number_labels(rules))  # below the held piece
    rows = max(rules.height + ROWS_ABOVE, numbers_height, queue_height)
    width = right + round((2 * MARGIN + PANEL_WIDTH) * cell)
    image = Image.new("RGB", (width, round((rows + 2 * MARGIN) * cell)), PAGE)
    draw = ImageDraw.Draw(image)

    image.paste(Image.fromarray(_board_pixels(scene, cell)), (left, board_top))
    edge = max(1, cell // 12)
    floor = top + rules.height * cell
    draw.rectangle((left - edge, top, left - 1, floor + edge - 1), EDGE)
    draw.rectangle((right, top, right + edge - 1, floor + edge - 1), EDGE)
    draw.rectangle((left - edge, floor, right + edge - 1, floor + edge - 1), EDGE)

    margin = round(MARGIN * cell)
    _draw_left(draw, scene, margin, board_top, cell)
    if scene.queue:
        box = (right + margin, board_top, right + margin + PANEL_WIDTH * cell)
        _draw_pieces(draw, scene, "NEXT", list(scene.queue), box, cell)
    if scene.game_over:
        _draw_game_over(image, game_over_lines(rules), (left, top, right, floor), cell)
    return np.asarray(image)


def check_cell(cell: int) -> None:
    """Raise a ValueError unless a cell is of a size that can be drawn."""
    if isinstance(cell, bool) or not isinstance(cell, int) or cell < 8:
        raise ValueError(f"cell: given {cell!r} pixels; allowed: a whole number of 8 or more")


def board_corner(*, cell: int) -> tuple[int, int]:
    """Return the pixel (column, row) where the matrix begins: the upper left of its visible cells."""
    return round((2 * MARGIN + PANEL_WIDTH) * cell), round(MARGIN * cell) + ROWS_ABOVE * cell


def palette(rules: Rules, *, cell: int) -> np.ndarray:
    """Return at most 255 colours that pictures of these rules are made of, uint8[N, 3].

    All of them but the soft edges of letters (here in eighths) and the board behind "GAME OVER".
    """
    colours = _block_colours(rules)
    flat = [PAGE, PANEL, EDGE, *colours, *(mix(colour, PANEL, DIM) for colour in colours)]
    flat += [mix(PAGE, ink, eighths / 8) for ink in (LABEL, TEXT, ALARM) for eighths in range(1, 9)]
    tiles = _tiles(colours, cell).reshape(-1, 3)
    return np.unique(np.concatenate([np.array(flat, np.uint8), tiles]), axis=0)


def _board_pixels(scene: Scene, cell: int) -> np.ndarray:
    """Lay the board out of tiles, uint8[rows * cell, W * cell, 3]."""
    rules, (look, kind) = scene.rules, find_looks(scene)
    colours = _block_colours(rules)
    group = np.array([TILE_GROUPS.get(each, 0) for each in Look])[look]
    index = np.where(look == Look.EMPTY, 0, 2 + group * len(colours) + kind)
    index[rules.height :][look[rules.height :] == Look.EMPTY] = 1
    rows = len(index)
    tiles = _tiles(colours, cell)[index[::-1]]  # [rows, W, cell, cell, 3]
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * cell, rules.width * cell, 3)


def _block_colours(rules: Rules) -> tuple[Colour, ...]:
    """Return the colours of all kinds, by their numbers."""
    return tuple(colour_of(rules, kind) for kind in range(num_kinds(rules)))


@functools.lru_cache(maxsize=8)
def _tiles(colours: tuple[Colour, ...], cell: int) -> np.ndarray:
    """Draw every tile: empty, empty above the matrix, then groups: blocks, ghosts, placed ones, full rows."""
    empty = np.full((cell, cell, 3), WELL, np.uint8)
    empty[-1], empty[:, 0] = GRID, GRID
    above = np.full((cell, cell, 3), PAGE, np.uint8)
    blocks = [_block(empty, colour, 0.0) for colour in colours]
    placed = [_block(empty, colour, JUST_PLACED) for colour in colours]
    flashes = [_block(empty, colour, FLASH) for colour in colours]
    ghosts = [_ghost(empty, colour) for colour in colours]
    return np.stack([empty, above, *blocks, *ghosts, *placed, *flashes])


def _block(empty: np.ndarray, colour: Colour, whiteness: float) -> np.ndarray:
    """A flat square with a light upper and a dark lower edge, a line apart from its neighbours."""
    tile, base = empty.copy(), mix(colour, WHITE, whiteness)
    bevel = max(1, empty.shape[0] // 10)
    tile[:-1, 1:] = base
    tile[:bevel, 1:] = mix(base, WHITE, LIT)
    tile[-1 - bevel : -1, 1:] = mix(base, BLACK, SHADED)
    return tile


def _ghost(empty: np.ndarray, colour: Colour) -> np.ndarray:
    """An outline, its inside barely tinted."""
    tile, line = empty.copy(), max(1, empty.shape[0] // 12)
    tile[:-1, 1:] = mix(WELL, colour, GHOST_LINE)
    tile[line : -1 - line, 1 + line : -line] = mix(WELL, colour, GHOST_INSIDE)
    return tile


def _draw_left(draw: ImageDraw.ImageDraw, scene: Scene, left: int, top: int, cell: int) -> None:
    box = (left, top, left + PANEL_WIDTH * cell)
    below = top
    if scene.rules.hold:
        below = _draw_pieces(draw, scene, "HOLD", [scene.hold], box, cell, dim=scene.hold_used)
    for label, value in numbers(scene):
        below += round(0.8 * cell)
        draw.text((left, below), label, LABEL, font(0.62 * cell))
        size = min(0.95, 8.0 / max(1, len(value))) * cell
        draw.text((left, below + round(0.8 * cell)), value, TEXT, font(size))
        below += round(1.7 * cell)


def _draw_pieces(
    draw: ImageDraw.ImageDraw,
    scene: Scene,
    title: str,
    kinds: list[int],
    box: tuple[int, int, int],
    cell: int,
    dim: bool = False,
) -> int:
    """Draw a titled panel of pieces in box (left, top, right); return the row below it."""
    left, top, right = box
    draw.text((left, top), title, LABEL, font(0.62 * cell))
    top += cell
    slot, small = round(2.4 * cell), round(0.75 * cell)
    bottom = top + slot * len(kinds) + round(0.4 * cell)
    draw.rounded_rectangle((left, top, right - 1, bottom - 1), round(0.3 * cell), PANEL)
    for index, kind in enumerate(kinds):
        if kind < 0:
            continue
        shape = shape_of(scene.rules, kind)
        colour = colour_of(scene.rules, kind)
        ink = mix(colour, PANEL, DIM) if dim else colour
        x0 = (left + right - shape.width * small) // 2
        y0 = top + round(0.2 * cell) + index * slot + (slot - shape.height * small) // 2
        for x, y in shape.cells:
            px, py = x0 + x * small, y0 + (shape.height - 1 - y) * small
            draw.rectangle((px, py, px + small - 2, py + small - 2), ink)
    return bottom


def _draw_game_over(image: Image.Image, lines: list[str], box: tuple[int, int, int, int], cell: int) -> None:
    """Dim the matrix and write on a band across it."""
    left, top, right, bottom = box
    dimmed = Image.blend(image.crop(box), Image.new("RGB", (right - left, bottom - top), PAGE), VEIL)
    image.paste(dimmed, (left, top))
    middle = (top + bottom) // 2
    half = round(0.8 * cell * len(lines))
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, middle - half, right - 1, middle + half), PAGE)
    draw.text(((left + right) // 2, middle), "\n".join(lines), ALARM, font(cell), anchor="mm", align="center")


@functools.lru_cache(maxsize=32)
def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface that comes with Pillow: the same on every machine."""
    return ImageFont.load_default(max(8, round(size)))
