"""The reference game's own tables: shapes and kicks as short strings, facings as the letters 0 R 2 L.

Nothing here is taken from tetrax: shapes are typed orientation by orientation (nobody rotates anything), and
kicks are copied from RULES.md row by row, one string per row.
"""

import functools

FACINGS = "0R2L"  # the order of clockwise quarter turns

# Cells as "xy" in the piece's box, x to the right, y up from the box's bottom row: one string per facing.
CELLS = {
    "I": ("02 12 22 32", "20 21 22 23", "01 11 21 31", "10 11 12 13"),
    "J": ("02 01 11 21", "10 11 12 22", "01 11 21 20", "00 10 11 12"),
    "L": ("01 11 21 22", "20 10 11 12", "00 01 11 21", "10 11 12 02"),
    "O": ("00 10 01 11", "00 10 01 11", "00 10 01 11", "00 10 01 11"),
    "S": ("01 11 12 22", "12 11 21 20", "00 10 11 21", "02 01 11 10"),
    "T": ("01 11 21 12", "12 11 10 21", "01 11 21 10", "12 11 10 01"),
    "Z": ("02 12 11 21", "22 21 11 10", "01 11 10 20", "12 11 01 00"),
    # the domino of the small boards
    "D": ("00 10", "00 01", "01 11", "10 11"),
    # invented pieces: one cell, a corner of three, a plus, an F, and a Y in a box of four
    "M": ("00", "00", "00", "00"),
    "V": ("00 10 01", "00 01 11", "01 11 10", "00 10 11"),
    "X": ("10 01 11 21 12", "10 01 11 21 12", "10 01 11 21 12", "10 01 11 21 12"),
    "F": ("12 22 01 11 10", "21 20 12 11 01", "10 00 21 11 12", "01 02 10 11 21"),
    "Y": ("23 02 12 22 32", "31 20 21 22 23", "10 01 11 21 31", "02 10 11 12 13"),
}
BOX = {"I": 4, "J": 3, "L": 3, "O": 2, "S": 3, "T": 3, "Z": 3, "D": 2, "M": 1, "V": 2, "X": 3, "F": 3, "Y": 4}

# Which pieces kick like an I, which not at all (all others like JLSTZ), and which can make a T-spin.
KICK_LIKE_I = {"I", "Y"}
NEVER_KICK = {"O", "D", "M"}
CAN_SPIN = {"T", "X", "F"}

# The two corners on the side a T points to: up, right, down, left.
FRONT_CORNERS = {"0": "02 22", "R": "22 20", "2": "00 20", "L": "00 02"}
ALL_CORNERS = "00 20 02 22"

JLSTZ_ROWS = """
0R 2R | 0,0 -1,0 -1,1 0,-2 -1,-2
R0 R2 | 0,0 1,0 1,-1 0,2 1,2
0L 2L | 0,0 1,0 1,1 0,-2 1,-2
L0 L2 | 0,0 -1,0 -1,-1 0,2 -1,2
"""
I_ROWS = """
0R L2 | 0,0 -2,0 1,0 -2,-1 1,2
R0 2L | 0,0 2,0 -1,0 2,1 -1,-2
R2 0L | 0,0 -1,0 2,0 -1,2 2,-1
2R L0 | 0,0 1,0 -2,0 1,-2 -2,1
"""

# SRS+: other tests for I. Systems with half turns share the tests of those, for every piece that kicks.
SRS_PLUS_I_ROWS = """
0R | 0,0 1,0 -2,0 -2,-1 1,2
0L | 0,0 -1,0 2,0 2,-1 -1,2
R0 | 0,0 -1,0 2,0 -1,-2 2,1
R2 | 0,0 -1,0 2,0 -1,2 2,-1
2R | 0,0 -2,0 1,0 -2,1 1,-2
2L | 0,0 2,0 -1,0 2,1 -1,-2
L0 | 0,0 1,0 -2,0 1,2 -2,-1
L2 | 0,0 1,0 -2,0 1,-2 -2,1
"""
HALF_TURN_ROWS = """
02 | 0,0 0,1 1,1 -1,1 1,0 -1,0
RL | 0,0 1,0 1,2 1,1 0,2 0,1
20 | 0,0 0,-1 -1,-1 1,-1 -1,0 1,0
LR | 0,0 -1,0 -1,2 -1,1 0,2 0,1
"""
HAVE_HALF_TURNS = ("srs180", "srs+")

CLEAR = {0: 0, 1: 100, 2: 300, 3: 500, 4: 800}
FULL_SPIN = {0: 400, 1: 800, 2: 1200, 3: 1600}
MINI_SPIN = {0: 100, 1: 200, 2: 400, 3: 1600}  # the last cannot be made with a T
PERFECT_CLEAR = {1: 800, 2: 1200, 3: 1800, 4: 2000}
SECOND_TETRIS_PERFECT_CLEAR = 3200  # by a tetris that was paid as back-to-back

# Rows sent at others, by class of spin and lines; a mini spin of three lines cannot be made with a T.
CLEAR_ATTACK = ({1: 0, 2: 1, 3: 2, 4: 4}, {1: 0, 2: 1, 3: 2}, {1: 2, 2: 4, 3: 6})
PERFECT_CLEAR_ATTACK = 10
COMBO_ATTACK = {  # by combo, the first clear of one counting as 0; the last number goes on
    "guideline": (0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5),
    "guideline_modern": (0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4),
}
TETRIO_BAG = "ZLOSIJT"  # the order of each bag before it is shuffled


def pairs(text):
    """Read "02 12" as [(0, 2), (1, 2)]."""
    return [(int(word[0]), int(word[1])) for word in text.split()]


def read_kicks(rows):
    """Read kick rows as {"0R": [(dx, dy), ...], ...}."""
    kicks = {}
    for row in rows.strip().splitlines():
        turns, tests = row.split("|")
        for turn in turns.split():
            kicks[turn] = [tuple(int(number) for number in test.split(",")) for test in tests.split()]
    return kicks


SHAPES = {name: dict(zip(FACINGS, map(pairs, texts), strict=True)) for name, texts in CELLS.items()}


@functools.cache
def offsets(stride):
    """Return shapes as places in a list of rows, each row `stride` long."""
    return {
        name: {facing: [dy * stride + dx for dx, dy in shape] for facing, shape in shapes.items()}
        for name, shapes in SHAPES.items()
    }


FRONTS = {facing: pairs(text) for facing, text in FRONT_CORNERS.items()}
CORNERS = pairs(ALL_CORNERS)
JLSTZ_KICKS = read_kicks(JLSTZ_ROWS)
I_KICKS = read_kicks(I_ROWS)
SRS_PLUS_I_KICKS = read_kicks(SRS_PLUS_I_ROWS)
HALF_TURN_KICKS = read_kicks(HALF_TURN_ROWS)


def kick_tests(system, name, turn):
    """List the (dx, dy) that the named piece tries, in order, for a turn such as "0R" or "02"."""
    if system == "none" or name in NEVER_KICK:
        return [(0, 0)]
    if turn in HALF_TURN_KICKS:
        return HALF_TURN_KICKS[turn]
    if name not in KICK_LIKE_I:
        return JLSTZ_KICKS[turn]
    return (SRS_PLUS_I_KICKS if system == "srs+" else I_KICKS)[turn]
