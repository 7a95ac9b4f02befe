"""Connect four solved: alpha-beta with bitboards and a table of transpositions, in plain Python.

Bit 7 * column + row, row 0 at the bottom; every column has a seventh bit that stays empty (Pascal Pons' layout).
Positions of 18 stones or more take it a fraction of a second.
"""

import random

import numpy as np

WIDTH, HEIGHT, ROOM = 7, 6, 7
BOTTOM = sum(1 << ROOM * column for column in range(WIDTH))
COLUMNS = [((1 << HEIGHT) - 1) << ROOM * column for column in range(WIDTH)]
FULL = sum(COLUMNS)
INNER_FIRST = (3, 2, 4, 1, 5, 0, 6)
DIRECTIONS = (1, ROOM - 1, ROOM, ROOM + 1)


def has_four(stones: int) -> bool:
    """Tell whether there are four in a row."""
    for step in DIRECTIONS:
        pairs = stones & (stones >> step)
        if pairs & (pairs >> 2 * step):
            return True
    return False


def moves(taken: int) -> list[tuple[int, int]]:
    """Return the columns that are free, and the bit that a stone takes there; inner ones first."""
    landing = (taken + BOTTOM) & FULL
    return [(column, landing & COLUMNS[column]) for column in INNER_FIRST if landing & COLUMNS[column]]


class Solver:
    """Finds what positions are worth to who moves: 1, 0 or -1."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[int, int]] = {}  # position -> bounds of its worth

    def worth(self, mine: int, taken: int, low: int = -1, high: int = 1) -> int:
        """Return the worth of a position in which nobody has won."""
        options = moves(taken)
        if any(has_four(mine | bit) for _, bit in options):
            return 1
        if taken.bit_count() >= WIDTH * HEIGHT - 1:
            return 0
        others = taken ^ mine
        forced = [option for option in options if has_four(others | option[1])]
        if len(forced) > 1:
            return -1
        key = mine + taken
        lowest, highest = self.known.get(key, (-1, 1))
        low, high = max(low, lowest), min(high, highest)
        if low >= high:
            return low if lowest == low else high
        best, at_least = -1, low
        for _, bit in forced or options:
            best = max(best, -self.worth(others, taken | bit, -high, -at_least))
            at_least = max(at_least, best)
            if at_least >= high:
                break
        self.known[key] = (best, highest) if best >= high else (lowest, best) if best <= low else (best, best)
        return best

    def worths(self, mine: int, taken: int) -> dict[int, int]:
        """Return what each column that is free is worth to who moves."""
        found = {}
        for column, bit in moves(taken):
            won, full = has_four(mine | bit), taken | bit == FULL
            found[column] = 1 if won else 0 if full else -self.worth(taken ^ mine, taken | bit)
        return found


def sample(chance: random.Random, num_stones: int) -> tuple[int, int]:
    """Return a position after so many random moves that won nothing: the stones of who moves, and all stones."""
    while True:
        mine = taken = 0
        for _ in range(num_stones):
            _, bit = chance.choice(moves(taken))
            mine, taken = taken ^ mine, taken | bit
            if has_four(taken ^ mine):
                break
        else:
            return mine, taken


def rows_of(stones: int) -> np.ndarray:
    """Return stones as the game has them: uint32[6], bit x = column x."""
    return np.array(
        [sum((stones >> ROOM * x + y & 1) << x for x in range(WIDTH)) for y in range(HEIGHT)], np.uint32
    )
