"""Every table of the rules by something else than itself: symmetries, formulas, published numbers, the reference.

The reference works its tables out in another form (tests/reference/tables.py). No game is played here, so that a
wrong number is found in a second. What the tables do in play is in the tests by hand.
"""

import ast
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.reference import tables
from tests.reference.chance import Chance
from tests.reference.garbage import tetrio_rows
from tests.reference.tables import FACINGS
from tetrax.env.game import pieces, randomizer, rules, scoring
from tetrax.env.game.board import WALL
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import HALF_TURNS, SRS_I, SRS_JLSTZ, SRS_PLUS_I
from tetrax.env.game.rules import Rules
from tetrax.env.reward import REWARDS

QUARTER_TURNS = {(start, (start + turn) % 4) for start in range(4) for turn in (1, 3)}
NONE, MINI, FULL = 0, 1, 2


def negated(tests):
    return tuple((-dx, -dy) for dx, dy in tests)


def mirrored(tests):
    return tuple((-dx, dy) for dx, dy in tests)


def mirror_image(turn):
    """Return the turn that a mirror shows: R and L change places."""
    return tuple((4 - facing) % 4 for facing in turn)


# Kicks


@pytest.mark.parametrize(
    ("table", "reference"),
    [
        (SRS_JLSTZ, tables.JLSTZ_KICKS),
        (SRS_I, tables.I_KICKS),
        (SRS_PLUS_I, tables.SRS_PLUS_I_KICKS),
        (HALF_TURNS, tables.HALF_TURN_KICKS),
    ],
    ids=["JLSTZ", "I", "I of SRS+", "half turns"],
)
def test_kicks_are_those_that_follow_from_the_offsets(table, reference):
    by_letters = {FACINGS[start] + FACINGS[end]: list(tests) for (start, end), tests in table.items()}
    assert by_letters == reference


@pytest.mark.parametrize("table", [SRS_JLSTZ, SRS_PLUS_I], ids=["JLSTZ", "I of SRS+"])
def test_a_turn_to_the_left_mirrors_one_to_the_right(table):
    assert set(table) == QUARTER_TURNS
    for turn, tests in table.items():
        assert table[mirror_image(turn)] == mirrored(tests), turn


def test_i_of_srs_mirrors_in_pairs():
    """SRS tries the same places for I to both sides, but not in the same order: each pair is exchanged."""
    assert set(SRS_I) == QUARTER_TURNS
    for turn, (first, *others) in SRS_I.items():
        second, third, fourth, fifth = others
        assert SRS_I[mirror_image(turn)] == mirrored((first, third, second, fifth, fourth)), turn


@pytest.mark.parametrize("table", [SRS_JLSTZ, SRS_I], ids=["JLSTZ", "I"])
def test_a_turn_back_undoes_each_test_of_srs(table):
    for (start, end), tests in table.items():
        assert table[end, start] == negated(tests)


@pytest.mark.parametrize("table", [SRS_I, SRS_PLUS_I], ids=["I", "I of SRS+"])
def test_a_turn_back_of_i_tries_the_same_places(table):
    for (start, end), tests in table.items():
        assert set(table[end, start]) == set(negated(tests))


def test_srs_plus_tries_the_places_of_srs_in_another_order():
    for turn, tests in SRS_PLUS_I.items():
        assert sorted(tests) == sorted(SRS_I[turn])
        assert {tests[1], tests[2]} == {SRS_I[turn][1], SRS_I[turn][2]}


def test_half_turns():
    """Upright pieces mirror each other. Lying ones cannot: of two places to the sides one has to come first."""
    assert set(HALF_TURNS) == {(0, 2), (1, 3), (2, 0), (3, 1)}
    assert HALF_TURNS[3, 1] == mirrored(HALF_TURNS[1, 3])
    assert HALF_TURNS[2, 0] == negated(HALF_TURNS[0, 2])
    for turn in ((0, 2), (2, 0)):
        first, second, right_up, left_up, right, left = HALF_TURNS[turn]
        assert mirrored((first, second, left_up, right_up, left, right)) == HALF_TURNS[turn]


def test_which_pieces_kick_how():
    """SRS+ differs from SRS with half turns in I alone; O never kicks."""
    used = {piece.name: piece.kicks for piece in pieces.TETROMINOES}
    assert used == dict.fromkeys("JLSTZ", "jlstz") | {"I": "i", "O": "none"}
    systems = pieces.KICK_TABLES
    assert systems["srs"]["jlstz"] == SRS_JLSTZ
    assert systems["srs"]["i"] == SRS_I
    assert systems["srs180"]["jlstz"] == systems["srs+"]["jlstz"] == SRS_JLSTZ | HALF_TURNS
    assert systems["srs180"]["i"] == SRS_I | HALF_TURNS
    assert systems["srs+"]["i"] == SRS_PLUS_I | HALF_TURNS
    alone = {((0, 0),)}
    assert all(set(each["none"].values()) == alone for each in systems.values())
    assert all(set(table.values()) == alone for table in systems["none"].values())


# Pieces


def test_pieces_mirror_each_other():
    """J is L in a mirror and S is Z; I, O and T are their own."""
    drawn = {piece.name: piece.drawing for piece in pieces.TETROMINOES}
    for name, image in zip("IJLOSTZ", "ILJOZTS", strict=True):
        assert tuple(row[::-1] for row in drawn[name]) == drawn[image]
    assert all("".join(drawing).count("#") == 4 for drawing in drawn.values())
    assert [piece.name for piece in pieces.TETROMINOES if piece.spins] == ["T"]


def test_the_front_corners_are_those_that_the_t_points_to():
    """The middle of the box and the cell in front of it name the side; a corner in front is one off that cell."""
    for facing, (x, y) in enumerate(((1, 2), (2, 1), (1, 0), (0, 1))):
        front = {corner for corner in scoring.CORNERS if abs(corner[0] - x) + abs(corner[1] - y) == 1}
        chosen = {corner for corner, on in zip(scoring.CORNERS, scoring.FRONT[facing], strict=True) if on}
        assert chosen == front
        assert chosen == set(tables.FRONTS[FACINGS[facing]])


@pytest.mark.parametrize("spins", ["guideline", "tetrio", "jstris"])
def test_which_kicks_make_a_spin_full(spins):
    """With one corner in front open a spin is a mini, but by the fifth test: in TETR.IO only to R and L.

    A kick of 8 and more is a half turn's, -1 no rotation. Over the box all is filled, which Jstris asks for.
    """
    chosen = Rules(spins=spins)
    kicks = np.array([-1, 0, 1, 2, 3, 4, 8, 12, 13], np.int32)
    for facing in range(4):
        open_corner = tables.FRONTS[FACINGS[facing]][0]
        rows = [0, 0, 0, 0xFFFFFFFF]
        for dx, dy in set(tables.CORNERS) - {open_corner}:
            rows[dy] |= 1 << (3 + WALL + dx)
        pose = Pose(jnp.int32(facing), jnp.int32(3), jnp.int32(0))
        kind = jnp.int32("IJLOSTZ".index("T"))
        found = scoring.spin_in(
            chosen, tuple(jnp.uint32(row) for row in rows), kind, pose, jnp.asarray(kicks)
        )
        promotes = spins != "tetrio" or FACINGS[facing] in "RL"
        expected = [NONE if kick < 0 else FULL if kick == 4 and promotes else MINI for kick in kicks.tolist()]
        assert found.tolist() == expected, FACINGS[facing]


# Speed and levels

# Seconds a row of the guideline's marathon, levels 1 to 20, as lists of the curve print them.
SECONDS = (
    1.00000, 0.79300, 0.61780, 0.47273, 0.35520, 0.26200, 0.18968, 0.13473, 0.09388, 0.06415,
    0.04298, 0.02822, 0.01815, 0.01144, 0.00706, 0.00426, 0.00252, 0.00146, 0.00082, 0.00046,
)  # fmt: skip


@pytest.mark.parametrize("ticks", [10, 60])
def test_gravity_is_the_published_curve(ticks):
    speeds = rules.gravity_by_level(Rules(ticks_per_second=ticks))
    assert len(speeds) == 21 and speeds[0] == speeds[1]
    for level, seconds in enumerate(SECONDS, 1):
        # 65536 parts of a cell in so many seconds; the printed number stands for half a last digit to both sides.
        slowest, fastest = (65536 / (seconds + off) / ticks for off in (0.5e-5, -0.5e-5))
        assert slowest <= speeds[level] <= fastest + 1, level


def test_pace_and_levels():
    """Half a second, 15 moves, 20 times the speed, a level every ten lines, none faster than level 20."""
    assert (rules.LOCK_DELAY_SECONDS, rules.LOCK_RESETS, rules.SOFT_DROP_FACTOR) == (0.5, 15, 20)
    assert (rules.LINES_PER_LEVEL, rules.MAX_GRAVITY_LEVEL) == (10, 20)
    # 20 of 60 frames until garbage may enter, and at most 8 rows of it; 0.02 cells in a frame are 1310.72 parts.
    params = rules.default_params(rules.RULE_PRESETS["tetrio"])
    assert (int(params.garbage_delay), int(params.garbage_cap), int(params.lock_delay)) == (20, 8, 30)
    assert (int(params.gravity), int(params.lock_resets)) == (1311, 15)


# Points

CLEARS = (("nothing", 0), ("single", 100), ("double", 300), ("triple", 500), ("tetris", 800))


def test_points_are_those_of_the_named_clears():
    """By name, as games show them; and by rule: a T-spin pays 400 for itself and for each line."""
    assert (
        tuple(zip((name for name, _ in CLEARS), scoring.CLEAR_POINTS[NONE].tolist(), strict=True)) == CLEARS
    )
    assert scoring.CLEAR_POINTS[FULL, :4].tolist() == [400 * (lines + 1) for lines in range(4)]
    assert scoring.CLEAR_POINTS[MINI, :3].tolist() == [100 * 2**lines for lines in range(3)]
    for spin in (NONE, MINI, FULL):
        for lines in range(5 if spin == NONE else 4):
            assert scoring.CLEAR_POINTS[spin, lines] == tables.POINTS[tables.clear_name(lines, spin)]
    assert scoring.PERFECT_CLEAR_POINTS.tolist() == [0, 800, 1200, 1800, 2000]
    empty = [tables.POINTS[f"empty by {name}"] for name, _ in CLEARS[1:]]
    assert empty == scoring.PERFECT_CLEAR_POINTS[1:].tolist()
    assert tables.POINTS["empty by second tetris"] == scoring.BACK_TO_BACK_PERFECT_TETRIS == 3200
    assert (scoring.COMBO_POINTS, scoring.SOFT_DROP_POINTS, scoring.HARD_DROP_POINTS) == (50, 1, 2)


# Attack


def test_attack_is_what_the_rule_says():
    """n lines send n - 1 rows and four send four; a full spin sends two for each line, a mini n - 1 again."""
    assert scoring.ATTACK_ROWS[NONE].tolist() == [0, 0, 1, 2, 4]
    for spin in (NONE, MINI, FULL):
        for lines in range(1, 5 if spin == NONE else 4):
            rows = tables.clear_attack("guideline", lines, spin)
            assert scoring.ATTACK_ROWS[spin, lines] == rows, (spin, lines)
            rows = tables.clear_attack("jstris", lines, spin)
            assert scoring.JSTRIS_ROWS[spin, lines] == rows, (spin, lines)
    assert scoring.ATTACK_ROWS[:, 0].tolist() == [0, 0, 0]
    assert scoring.PERFECT_CLEAR_ROWS == tables.PERFECT_CLEAR_ATTACK == 10


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        # A row more from the third clear in a row on, from the fifth, seventh, ninth and twelfth.
        ("guideline", "001122334445"),
        # From the third, the fifth, the eighth and the fourteenth.
        ("guideline_modern", "00112223333334"),
    ],
)
def test_combos_rise_where_they_should(name, rows):
    table = scoring.COMBO_ROWS[name]
    assert "".join(map(str, table.tolist())) == rows
    assert table.tolist() == [tables.combo_attack(name, combo) for combo in range(len(table))]
    assert tables.combo_attack(name, 31) == table[-1]


def test_every_attack_of_tetrio():
    """Each entry against the formula in floating point: in 2**-20 rows, rounded down once."""
    rows = scoring._tetrio_rows()
    assert rows.shape == (256, 32, 7)
    for chain, combo, base in np.ndindex(rows.shape):
        exact = tetrio_rows(base, combo, chain) * 2**20
        assert rows[chain, combo, base] in (math.floor(exact - 0.01), math.floor(exact + 0.01))


# Chance


def test_the_generator_of_tetrio_is_minstd():
    """Park and Miller (1988): from 1, the ten thousandth number after it is 1043618065."""
    last = jax.lax.fori_loop(0, 10_000, lambda _, value: randomizer.minstd(value), jnp.uint32(1))
    assert int(last) == 1043618065
    chance = Chance()
    chance.generator = 1
    for _ in range(1666):  # bags of seven are six numbers each: 9,996
        chance.shuffled()
    assert chance.generator == pow(16807, 9996, 2147483647)
    assert (tables.TETRIO_BAG, rules.TETRIO_ORDER) == ("ZLOSIJT", "ZLOSIJT")


# Rewards


def test_rewards_that_users_know_by_name():
    lines_only, standard = REWARDS["lines_only"], REWARDS["standard"]
    assert (lines_only.line_values, lines_only.by_level) == ((0, 1, 3, 5, 8), True)
    assert lines_only.weights == {"lines": 1.0} | dict.fromkeys(lines_only.weights.keys() - {"lines"}, 0.0)
    assert (standard.line_values, standard.by_level) == ((0, 3, 5, 8, 12), True)
    assert (standard.game_over, standard.aggregate_height) == (-100.0, -0.5)
    assert (standard.holes, standard.bumpiness, standard.lines) == (-0.5, -0.5, 1.0)


# The reference


def test_the_reference_takes_nothing_from_the_engine():
    """Only what plays the two side by side knows both."""
    known = set()
    for path in (Path(__file__).parents[2] / "reference").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name.split(".")[0] == "tetrax" for name in names):
                known.add(path.name)
    assert known == {"compare.py"}
