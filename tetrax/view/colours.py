"""The colours of the house: pieces by name, and the ground they stand on. Red, green, blue, 0 to 255."""

from __future__ import annotations

from tetrax.env.game.rules import Rules

Colour = tuple[int, int, int]

PIECE_COLOURS: dict[str, Colour] = {  # the guideline's hues, a little softer, for a dark ground
    "I": (64, 196, 228),
    "J": (82, 116, 232),
    "L": (240, 146, 52),
    "O": (242, 206, 66),
    "S": (92, 196, 96),
    "T": (172, 92, 218),
    "Z": (232, 82, 92),
}
OTHER_COLOURS: tuple[Colour, ...] = (  # kinds with other names, in their order
    (64, 190, 176),
    (226, 120, 176),
    (160, 190, 80),
    (216, 160, 110),
    (140, 160, 250),
    (250, 170, 190),
    (60, 140, 130),
    (200, 220, 140),
    (170, 70, 110),
    (110, 220, 190),
    (150, 110, 70),
    (190, 160, 240),
    (100, 130, 60),
    (250, 200, 150),
    (70, 110, 170),
    (200, 60, 170),
)
UNKNOWN: Colour = (128, 138, 158)  # a locked cell whose piece nobody saw
GARBAGE: Colour = (92, 94, 98)  # a cell of a row that came from below
PAGE: Colour = (17, 19, 27)
PANEL: Colour = (25, 28, 39)
WELL: Colour = (22, 25, 35)
GRID: Colour = (33, 37, 51)
EDGE: Colour = (72, 80, 104)
LABEL: Colour = (122, 132, 156)
TEXT: Colour = (232, 236, 246)
ALARM: Colour = (255, 107, 107)
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

# Shares, 0 to 1, by which colours are mixed.
LIT = 0.35  # of white, on the upper edge of a block
SHADED = 0.28  # of black, on its lower edge
JUST_PLACED = 0.35  # of white, over a block that locked just now
FLASH = 0.75  # of white, over a full row
GHOST_LINE = 0.65  # of the piece's colour, in the outline where it would land
GHOST_INSIDE = 0.12  # of it, inside that outline
DIM = 0.65  # of the panel, over a held piece that cannot be used
VEIL = 0.55  # of the page, over the matrix when the game is over


def colour_of(rules: Rules, kind: int) -> Colour:
    """Return the colour of a kind; of `rules.num_pieces`, that of unknown cells, and of one more, of garbage."""
    if kind >= rules.num_pieces:
        return UNKNOWN if kind == rules.num_pieces else GARBAGE
    others = [piece.name for piece in rules.pieces if piece.name not in PIECE_COLOURS]
    name = rules.pieces[kind].name
    return PIECE_COLOURS.get(name) or OTHER_COLOURS[others.index(name) % len(OTHER_COLOURS)]


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Return `colour` with a share (0 to 1) of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue
