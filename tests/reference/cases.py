"""The games that are compared: fixed ones that between them meet every rule, and random ones."""

import dataclasses

from tests.reference.settings import Settings
from tests.reference.side import Case
from tests.reference.tables import BOX, CELLS

TETRIO = Settings(
    randomizer="tetrio",
    kicks="srs+",
    gravity="fixed",
    fixed_gravity=1311,
    lock_delay=30,
    ticks_per_second=60,
    spawn_row=1,
    spawn_drop=False,
    spawn_rise=True,
    spins="tetrio",
    top_out="block_out",
    garbage=True,
    attack="tetrio",
    garbage_delay=20,
    garbage_interval=150,
    garbage_rows=2,
)
TICK_CASES = (
    Case("guideline", Settings(), boards=32, compiler_level=3),
    Case(
        "no hold, no preview, uniform, 60 ticks a second",
        Settings(
            hold=False, preview=0, randomizer="uniform", ticks_per_second=60, lock_delay=30, start_level=5
        ),
    ),
    Case(
        "infinite placement, fixed gravity, T and I",
        Settings(pieces="TI", lock="infinite", gravity="fixed", fixed_gravity=30000, preview=6, lock_delay=3),
        boards=24,
    ),
    Case(
        "classic lock, no kicks, no spawn drop",
        Settings(lock="classic", kicks="none", spawn_drop=False, preview=1, start_level=9),
    ),
    Case(
        "6x8, fast, two restarts",
        Settings(width=6, height=8, buffer=4, preview=2, start_level=17, lock_resets=2),
    ),
    Case(
        "4x6 dominoes",
        Settings(width=4, height=6, buffer=4, pieces="D", hold=False, preview=1, soft_drop_factor=3),
    ),
    Case(
        "invented pieces, quick lock",
        Settings(width=7, height=16, buffer=6, pieces="MVXFYT", randomizer="uniform", lock_delay=1),
    ),
    Case("TETR.IO", TETRIO, boards=24),
    Case(
        "three lives, garbage all the time",
        Settings(
            width=6,
            height=8,
            buffer=6,
            spawn_row=1,
            kicks="srs180",
            lock="step_count",
            spawn_rise=True,
            spins="tetrio",
            lives=3,
            attack="guideline_modern",
            garbage=True,
            garbage_blocking=False,
            starting_garbage=3,
            garbage_interval=40,
            garbage_rows=2,
            garbage_delay=10,
            garbage_cap=3,
            garbage_multiplier=400,
        ),
        boards=24,
    ),
    Case(
        "a list, until the stack is too high",
        Settings(
            width=8,
            height=10,
            buffer=8,
            randomizer="list",
            sequence=tuple("TISTZTOLJT"),
            kicks="srs+",
            top_out="stack",
            spins="jstris",
            lives=2,
            attack="jstris",
            garbage=True,
            garbage_delay=0,
        ),
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
    Case(
        "the literature's game",
        Settings(
            height=10,
            buffer=8,
            randomizer="uniform",
            kicks="none",
            hold=False,
            preview=0,
            spawn_drop=False,
            top_out="stack",
        ),
        steps=200,
        whole_pieces=True,
    ),
    Case(
        "garbage and two lives, whole pieces",
        Settings(
            width=7,
            height=10,
            buffer=4,
            spawn_rise=True,
            lives=2,
            garbage=True,
            starting_garbage=2,
            garbage_interval=5,
            garbage_delay=2,
            garbage_cap=2,
        ),
        steps=200,
        whole_pieces=True,
    ),
)


def random_rules(random):
    """Draw any Rules that the engine allows, smaller ones more often; the numbers are the default ones."""
    pieces = "".join(random.sample(tuple(CELLS), random.choice((1, 2, 4, 7, len(CELLS)))))
    pieces = random.choice((pieces, "IJLOSTZ", "".join(random.sample("IJLOSTZ", 7))))
    side = max(BOX[name] for name in pieces)
    randomizers = ("bag", "uniform", "list") + ("tetrio",) * 3 * (sorted(pieces) == sorted("IJLOSTZ"))
    randomizer = random.choice(randomizers)
    top_out = random.choice(("guideline", "block_out", "stack"))
    buffer = random.choice((4, random.randint(4, 20), 20))
    return Settings(
        width=random.choice((side, random.randint(max(4, side), 12), 10, random.randint(side, 22))),
        height=random.choice((max(2, side), random.randint(max(4, side), 24), 8, 20, 28)),
        buffer=buffer,
        pieces=pieces,
        randomizer=randomizer,
        sequence=tuple(random.choices(pieces, k=random.randint(1, 9))) if randomizer == "list" else (),
        kicks=random.choice(("srs", "srs180", "srs+", "srs+", "none")),
        hold=random.random() < 0.7,
        preview=random.randint(0, 6),
        gravity=random.choice(("level", "fixed")),
        ticks_per_second=random.choice((1, 4, 10, 10, 60, 1000)),
        lock=random.choice(("extended", "extended", "infinite", "classic", "step_count")),
        spawn_row=random.choice((0, min(1, buffer - 4), random.randint(0, buffer - 4))),
        spawn_drop=random.random() < 0.5,
        spawn_rise=top_out != "stack" and random.random() < 0.5,
        top_out=top_out,
        spins=random.choice(("guideline", "tetrio", "jstris")),
        lives=random.choice((1, 1, 2, 3, 99)),
        garbage=random.random() < 0.75,
        garbage_blocking=random.random() < 0.6,
        attack=random.choice(("guideline", "guideline_modern", "tetrio", "jstris")),
    )


def random_numbers(random, settings):
    """Draw the numbers of a game, which need no new program."""
    return dataclasses.replace(
        settings,
        start_level=random.choice((1, 1, 5, 18, 40)),
        fixed_gravity=random.choice((0, 700, 30000, 65536, 200000, 2**31 - 1)),
        soft_drop_factor=random.choice((1, 2, 20, 20, 1000)),
        lock_delay=random.choice((1, 2, 5, 5, 30)),
        lock_resets=random.choice((0, 1, 15, 15)),
        starting_garbage=random.choice((0, 0, random.randint(0, settings.height))),
        garbage_interval=random.choice((0, 0, 7, 40, 100, 300)),
        garbage_rows=random.choice((0, 1, 1, 2, 5, 25)),
        garbage_delay=random.choice((0, 1, 20, 100, 1000)),
        garbage_cap=random.choice((0, 1, 2, 8, 8, 20)),
        garbage_multiplier=random.choice((0, 100, 256, 256, 256, 400, 1000)),
    )
