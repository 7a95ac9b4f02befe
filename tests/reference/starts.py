"""Start boards for random games: places where clears, spins, perfect clears and deaths are near."""

from dataclasses import dataclass, field

from tests.reference.tables import CAN_SPIN, FACINGS, SHAPES

NUMBERS = {  # what else may be true at the start, so that high levels and large scores are met
    "lines": (0, 0, 0, 9, 38, 97, 185, 400),
    "score": (0, 0, 0, 12345, 2**31 - 2000, 2**31 - 1),
    "combo": (-1, -1, 0, 1, 2, 7, 20),
    "back_to_back": (-1, 0, 1, 3, 12, 150),
}


@dataclass(frozen=True)
class Start:
    """How a game differs from a new one: filled rows from the bottom ('#' and '.'), and counters.

    Rows of None leave the new game's.
    """

    rows: tuple[str, ...] | None = ()
    numbers: dict[str, int] = field(default_factory=dict)


def apply(start, game):
    """Give a new reference game the start's board and counters."""
    if start.rows is not None:
        rows = [["#" if mark == "#" else "" for mark in row] for row in start.rows]
        game.cells = rows + game.no_cells()[len(rows) :]
    for name, number in start.numbers.items():
        setattr(game, name, number)


def random_start(random, game):
    """Draw a start for a new reference game (its first piece is known)."""
    kinds = [empty, empty, garbage, garbage, garbage, well, carved, carved, tower]
    if game.name in CAN_SPIN and game.width >= 4:
        kinds += [double_slot] * 6 + [triple_slot] * 6
    elif game.name == "I":
        kinds += [well] * 6
    rows = random.choice(kinds)(random, game)
    # The row under the spawn rows stays free, and no row is full: such boards never stand in a game.
    rows = [row for row in rows[: game.settings.height - 1] if "." in row]
    numbers = {"garbage_height": random.randint(0, len(rows))} if game.settings.garbage else {}
    if random.random() < 0.4:
        numbers |= {name: random.choice(choices) for name, choices in NUMBERS.items()}
    if game.settings.starting_garbage > 0 and random.random() < 0.5:
        numbers.pop("garbage_height", None)  # of the new game itself
        return Start(None, numbers)
    return Start(tuple(rows), numbers)


def holed(width, *holes):
    """Draw a row that is full but for the given columns."""
    return "".join("." if x in holes else "#" for x in range(width))


def empty(random, game):
    return []


def garbage(random, game):
    """Messy rows up to half the height."""
    count = random.randrange(1, max(2, game.settings.height // 2))
    share = min(random.choice((1, 1, 2, 3)), game.width)
    return [holed(game.width, *random.sample(range(game.width), share)) for _ in range(count)]


def well(random, game):
    """Full rows but for one column: a tetris, or several, for an I."""
    hole = random.choice((0, game.width - 1, random.randrange(game.width)))
    return [holed(game.width, hole)] * random.randrange(2, 9)


def carved(random, game):
    """Full rows but for the first piece's cells: a perfect clear with any number of lines."""
    shape = SHAPES[game.name][random.choice(FACINGS)]
    left, bottom = min(x for x, _ in shape), min(y for _, y in shape)
    cells = {(x - left, y - bottom) for x, y in shape}
    at = random.randrange(game.width - max(x for x, _ in cells))
    rows = []
    for row in range(1 + max(y for _, y in cells)):
        rows.append(holed(game.width, *(at + x for x, y in cells if y == row)))
    return rows


def tower(random, game):
    """A stack nearly as high as the board, on which games end."""
    hole = random.randrange(game.width)
    gap = random.randrange(1, 4)
    holes = ((hole,), (hole, (hole + gap) % game.width))
    return [holed(game.width, *holes[y % 2]) for y in range(game.settings.height - 1)]


def double_slot(random, game):
    """Two rows for a T-spin double under an overhang."""
    width, at = game.width, random.randrange(1, game.width - 1)
    side = random.choice((-1, 1))
    rows = [holed(width, at), holed(width, at - 1, at, at + 1)]
    rows.append("".join("#" if x == at + side else "." for x in range(width)))
    return base(random, game) + rows


def triple_slot(random, game):
    """Three rows for a T-spin triple by the fifth kick, open to the right or mirrored.

    Often only two clear: a corner in front is open, and only the fifth kick makes it a full spin.
    """
    width, at = game.width, random.randrange(1, game.width - 2)
    lowest = random.choice((holed(width, at), holed(width, at, at + 1)))
    rows = [lowest, holed(width, at, at + 1), holed(width, at)]
    rows.append("".join("#" if x < at else "." for x in range(width)))
    rows.append("".join("#" if x in (at - 1, at) else "." for x in range(width)))
    if random.random() < 0.5:
        rows = [row[::-1] for row in rows]
    return base(random, game) + rows


def base(random, game):
    """A few rows of rubbish to stand on."""
    return [holed(game.width, random.randrange(game.width)) for _ in range(random.choice((0, 0, 1, 3)))]
