"""The reference game's own tables: shapes and kicks as short strings, facings as the letters 0 R 2 L.

Nothing here is taken from tetrax or from where its tables come from: shapes are typed orientation by orientation
(nobody rotates anything), kicks are worked out in the other form in which the Super Rotation System is described,
one offset for each facing, what a clear is worth stands under the clear's name, and combos as where they rise.
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

# Where a piece in each facing is drawn from its true centre, test by test. Going from one facing to another moves
# a piece by the difference of the two: the offset of the facing it leaves minus that of the facing it takes.
JLSTZ_OFFSETS = """
0 | 0,0 0,0 0,0 0,0 0,0
R | 0,0 1,0 1,-1 0,2 1,2
2 | 0,0 0,0 0,0 0,0 0,0
L | 0,0 -1,0 -1,-1 0,2 -1,2
"""
I_OFFSETS = """
0 | 0,0 -1,0 2,0 -1,0 2,0
R | -1,0 0,0 0,0 0,1 0,-2
2 | -1,1 1,1 -2,1 1,0 -2,0
L | 0,1 0,1 0,1 0,-1 0,2
"""
# SRS+ has SRS's tests for I on the way to and from the right, some in another order (the first stays first), and
# their mirror images on the left. Half turns of upright pieces are mirror images too; those of lying ones are each
# other turned by half.
SRS_PLUS_I_ORDER = {"0R": "02134", "R0": "02143", "R2": "01234", "2L": "01234"}
HALF_TURN_WAYS = {
    "02": "stay up up+right up+left right left",
    "RL": "stay right right+up+up right+up up+up up",
}
WAYS = {"stay": (0, 0), "up": (0, 1), "right": (1, 0), "left": (-1, 0)}
MIRRORED = {"0": "0", "R": "L", "2": "2", "L": "R"}
HAVE_HALF_TURNS = ("srs180", "srs+")

POINTS = {
    "nothing": 0,
    "single": 100,
    "double": 300,
    "triple": 500,
    "tetris": 800,
    "mini": 100,
    "mini single": 200,
    "mini double": 400,
    "mini triple": 1600,  # cannot be made with a T
    "spin": 400,
    "spin single": 800,
    "spin double": 1200,
    "spin triple": 1600,
    "empty by single": 800,
    "empty by double": 1200,
    "empty by triple": 1800,
    "empty by tetris": 2000,
    "empty by second tetris": 3200,  # one that was paid as back-to-back
}
PERFECT_CLEAR_ATTACK = 10
COMBO_RISES = {  # the clears in a row, counted from 1, from which on a clear sends one row more
    "guideline": (3, 5, 7, 9, 12),
    "guideline_modern": (3, 5, 8, 14),
    "jstris": (3, 6, 8, 10, 13),
}
TETRIO_BAG = "ZLOSIJT"  # the order of each bag before it is shuffled


def pairs(text):
    """Read "02 12" as [(0, 2), (1, 2)]."""
    return [(int(word[0]), int(word[1])) for word in text.split()]


def read_offsets(rows):
    """Read rows of offsets as {"0": [(dx, dy), ...], ...}."""
    offsets = {}
    for row in rows.strip().splitlines():
        facing, tests = row.split(" | ")
        offsets[facing] = [tuple(int(number) for number in test.split(",")) for test in tests.split()]
    return offsets


def kicks_between(offsets):
    """Work out {"0R": [(dx, dy), ...], ...}, in the frame of a box, whose turning is the first test."""
    kicks = {}
    for before, after in ("0R", "R2", "2L", "L0", "0L", "L2", "2R", "R0"):
        moves = [
            (x - to_x, y - to_y) for (x, y), (to_x, to_y) in zip(offsets[before], offsets[after], strict=True)
        ]
        first_x, first_y = moves[0]
        kicks[before + after] = [(x - first_x, y - first_y) for x, y in moves]
    return kicks


def with_mirrored(kicks):
    """Add the turns to the other side: left for right."""
    mirrored = {
        MIRRORED[before] + MIRRORED[after]: [(-dx, dy) for dx, dy in tests]
        for (before, after), tests in kicks.items()
    }
    return kicks | mirrored


def half_turns():
    """Read the ways of half turns, and add those of the other two."""
    steps = {
        turn: [[WAYS[way] for way in test.split("+")] for test in tests.split()]
        for turn, tests in HALF_TURN_WAYS.items()
    }
    given = {
        turn: [(sum(dx for dx, _ in test), sum(dy for _, dy in test)) for test in tests]
        for turn, tests in steps.items()
    }
    turned = {"02": given["02"], "20": [(-dx, -dy) for dx, dy in given["02"]]}
    return turned | with_mirrored({"RL": given["RL"]})


def clear_name(lines, spin):
    """Name what a lock did: spin is 0 none, 1 mini, 2 full."""
    plain = ("", "single", "double", "triple", "tetris")[lines]
    return " ".join(filter(None, (("", "mini", "spin")[spin], plain))) or "nothing"


def clear_attack(table, lines, spin):
    """Count the rows that a clear sends by itself: twice its lines for a full spin, else one less, or four of four.

    In Jstris's table a mini of two lines or more counts as four of them.
    """
    if spin == 2:
        return 2 * lines
    if table == "jstris" and spin == 1:
        return 4 if lines >= 2 else 0
    return 4 if lines == 4 else lines - 1


def combo_attack(table, combo):
    """Count the rows that a combo adds, the first clear of one counting as 0."""
    return sum(combo + 1 >= clear for clear in COMBO_RISES[table])


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
JLSTZ_KICKS = kicks_between(read_offsets(JLSTZ_OFFSETS))
I_KICKS = kicks_between(read_offsets(I_OFFSETS))
SRS_PLUS_I_KICKS = with_mirrored(
    {turn: [I_KICKS[turn][int(number)] for number in order] for turn, order in SRS_PLUS_I_ORDER.items()}
)
HALF_TURN_KICKS = half_turns()


def kick_tests(system, name, turn):
    """List the (dx, dy) that the named piece tries, in order, for a turn such as "0R" or "02"."""
    if system == "none" or name in NEVER_KICK:
        return [(0, 0)]
    if turn in HALF_TURN_KICKS:
        return HALF_TURN_KICKS[turn]
    if name not in KICK_LIKE_I:
        return JLSTZ_KICKS[turn]
    return (SRS_PLUS_I_KICKS if system == "srs+" else I_KICKS)[turn]
