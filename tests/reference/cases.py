"""The games that are compared: fixed ones that between them meet every rule, and random ones."""

from tests.reference.game import Settings
from tests.reference.side import Case
from tests.reference.tables import BOX, CELLS

TICK_CASES = (
    Case("guideline", Settings(), boards=40, compiler_level=3),
    Case(
        "no hold, no preview, uniform, 60 ticks a second",
        Settings(
            hold=False, preview=0, randomizer="uniform", ticks_per_second=60, lock_delay=30, start_level=5
        ),
    ),
    Case(
        "infinite placement, fixed gravity, T and I",
        Settings(pieces="TI", lock="infinite", gravity="fixed", fixed_gravity=30000, preview=6, lock_delay=3),
        boards=36,
    ),
    Case(
        "classic lock, no kicks, no spawn drop",
        Settings(lock="classic", kicks="none", spawn_drop=False, preview=1, start_level=9),
    ),
    Case(
        "6x8, fast, two restarts",
        Settings(width=6, height=8, buffer=4, preview=2, start_level=17, lock_resets=2),
        boards=24,
    ),
    Case(
        "4x6 dominoes",
        Settings(width=4, height=6, buffer=4, pieces="D", hold=False, preview=1, soft_drop_factor=3),
    ),
    Case(
        "invented pieces, quick lock",
        Settings(width=7, height=16, buffer=6, pieces="MVXFYT", randomizer="uniform", lock_delay=1),
    ),
)
DROP_CASES = (
    Case("guideline, whole pieces", Settings(), boards=20, steps=400, whole_pieces=True),
    Case(
        "6x8, whole pieces",
        Settings(width=6, height=8, buffer=4, preview=1, pieces="ITO"),
        boards=24,
        steps=400,
        whole_pieces=True,
    ),
    Case(
        "invented pieces, whole pieces, no preview, no hold",
        Settings(width=8, height=10, buffer=8, pieces="MVXFYTD", preview=0, hold=False, spawn_drop=False),
        steps=400,
        whole_pieces=True,
    ),
)


def random_case(random, name, whole_pieces=False, **numbers):
    """Draw any game that the engine allows."""
    pieces = "".join(random.sample(tuple(CELLS), random.choice((1, 2, 4, 7, len(CELLS)))))
    pieces = random.choice((pieces, pieces, "IJLOSTZ"))
    side = max(BOX[name] for name in pieces)
    settings = Settings(
        width=random.choice((side, random.randint(side, 10), 10, random.randint(side, 22))),
        height=random.choice((max(2, side), random.randint(max(2, side), 20), 20, 28)),
        buffer=random.choice((4, random.randint(4, 20), 20)),
        pieces=pieces,
        randomizer=random.choice(("bag", "uniform")),
        kicks=random.choice(("srs", "srs", "srs", "none")),
        hold=random.random() < 0.7,
        preview=random.randint(0, 6),
        gravity=random.choice(("level", "fixed")),
        ticks_per_second=random.choice((1, 4, 10, 10, 60, 1000)),
        lock=random.choice(("extended", "extended", "infinite", "classic")),
        spawn_drop=random.random() < 0.7,
        start_level=random.choice((1, 1, 5, 18, 40)),
        fixed_gravity=random.choice((0, 700, 30000, 65536, 200000, 2**31 - 1)),
        soft_drop_factor=random.choice((1, 2, 20, 20, 1000)),
        lock_delay=random.choice((1, 2, 5, 5, 30)),
        lock_resets=random.choice((0, 1, 15, 15)),
    )
    return Case(name, settings, whole_pieces=whole_pieces, **numbers)
