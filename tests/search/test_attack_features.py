"""Features of the evaluation for attack, counted by hand on drawn boards."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.search import plain_planner
from tests.search.drawn_games import TINY, read
from tetrax.env.game.rules import Rules
from tetrax.search import attack_features, stacks
from tetrax.search.attack_features import Placement, Situation
from tetrax.search.attack_weights import ATTACK_WEIGHTS, flatten, unflatten

WIDE = Rules(buffer=12)


def features(drawing, rules=WIDE, hold=-1, chained=False, combo=0):
    """Return the features of a drawn board by name."""
    rows = np.zeros((1, rules.total_height), np.uint32)
    for x, y in read(drawing):
        rows[0, y] |= 1 << x
    situation = Situation(jnp.asarray([chained]), jnp.asarray([combo]), jnp.asarray([hold]))
    found = attack_features.board_features(rules, stacks.from_rows(rules, jnp.asarray(rows)), situation)
    return dict(zip(attack_features.BOARD_FEATURES, (int(value[0]) for value in found), strict=True))


def test_an_empty_board():
    """Every column changes at the floor; four rows, ten pieces, make a perfect clear."""
    found = {name: value for name, value in features("").items() if value}
    assert found == {"column_transitions": 10, "may_clear": 1, "pieces_to_clear": 10}


@pytest.mark.parametrize(
    "drawing",
    ["#....\n...##\n#.###", "##.#.\n.###.\n##.#.\n.##..", "#####\n#...#\n#.#.#\n#...#"],
)
def test_the_surface_equals_a_count_cell_by_cell(drawing):
    found = features(drawing, TINY)
    for name, value in plain_planner.measure(TINY, read(drawing)).items():
        assert found[name] == value, name


def test_transitions_and_wells_by_hand():
    """A column without a hole changes once, at its top or at the floor.

    The third column is a well two cells deep between the second and the fourth.
    """
    drawing = """
        .#.#......
        ##.#######
    """
    found = features(drawing)
    # Upper row: wall to empty, empty to filled, to empty, to filled, to empty, empty to wall.
    assert found["row_transitions"] == 6 + 2
    assert found["column_transitions"] == 10
    assert (found["wells"], found["deep_wells"]) == (1 + 2, 0)  # the first column is one deep, at the wall
    assert found["steep_steps"] == 0
    assert found["ready_rows"] == 1
    assert (found["height"], found["cells"], found["holes"]) == (2, 11, 0)


def test_t_slots_by_their_lines():
    """Under an overhang at the left a T fits upside down; its rows lack nothing else, or one cell more each."""
    double = """
        ###.......
        ##...#####
        ###.######
    """
    found = features(double)
    assert (found["t_doubles"], found["t_singles"], found["t_slots"]) == (1, 0, 0)
    assert features(double.replace("###.......", "##........"))["t_doubles"] == 0  # no overhang
    assert features(double.replace("###.......", "####......"))["t_doubles"] == 0  # no way in
    single = features(double.replace("##...#####", "##...###.#"))
    assert (single["t_doubles"], single["t_singles"], single["t_slots"]) == (0, 1, 0)
    none = features(double.replace("##...#####", "##...###.#").replace("###.######", "###.####.#"))
    assert (none["t_doubles"], none["t_singles"], none["t_slots"]) == (0, 0, 1)


def test_slots_of_three():
    """The column at the left of a hole under an overhang: a T turned in by the fifth test fills three rows."""
    triple = """
        #.########
        #..#######
        #.########
    """.replace("#.########\n        #..", "#.#.######\n        #..", 1)
    assert features(triple)["t_triples"] == 0  # the upper row lacks a cell
    assert features(triple)["t_slots_of_three"] == 1
    full = """
        #.########
        #..#######
        #.########
    """
    assert features(full)["t_triples"] == 1
    assert features(full)["t_slots_of_three"] == 0


def test_what_may_become_a_perfect_clear():
    """Cells left must be a multiple of four in every part that walls leave."""
    flat = features("####......\n####......")
    assert (flat["may_clear"], flat["pieces_to_clear"], flat["parted_wrongly"]) == (1, 3, 0)
    # One row of four: 6 cells left of one row are no whole pieces, 16 of two are.
    assert features("####......")["pieces_to_clear"] == 4
    # Two cells are left at the left of the third column, of the fourth, and of the wall between it and the fifth.
    parted = features("#.########\n#.##......")
    assert (parted["may_clear"], parted["parted_wrongly"]) == (0, 3)
    high = features("#\n#\n#\n#\n#".replace("#", "#........."))
    assert (high["may_clear"], high["parted_wrongly"]) == (0, 0)


def test_the_situation():
    found = features(
        "", hold=WIDE.pieces.index(next(p for p in WIDE.pieces if p.name == "T")), chained=True, combo=3
    )
    assert (found["holds_t"], found["holds_i"], found["back_to_back"], found["combo"]) == (1, 0, 1, 3)


def test_placements_by_hand():
    """A T that spins a line, one that does not, an I of four lines and of one, a plain double that ends a chain."""
    names = [piece.name for piece in WIDE.pieces]
    kinds = [names.index(name) for name in "TTIIL"]
    placed = Placement(
        kind=jnp.asarray(kinds),
        spin=jnp.asarray([2, 0, 0, 0, 0]),
        lines=jnp.asarray([1, 1, 4, 1, 2]),
        is_perfect=jnp.asarray([False, False, True, False, False]),
        breaks_chain=jnp.asarray([False, True, False, True, True]),
    )
    found = dict(
        zip(
            attack_features.PLACEMENT_FEATURES,
            (value.tolist() for value in attack_features.placement_features(WIDE, placed)),
            strict=True,
        )
    )
    assert found == {
        "wasted_t": [0, 1, 0, 0, 0],
        "wasted_i": [0, 0, 0, 1, 0],
        "single": [0, 1, 0, 1, 0],
        "double": [0, 0, 0, 0, 1],
        "triple": [0, 0, 0, 0, 0],
        "perfect_clear": [0, 0, 1, 0, 0],
        "chain_broken": [0, 1, 0, 1, 1],
    }


@pytest.mark.parametrize("name", ATTACK_WEIGHTS)
def test_weights_in_a_row_are_the_same_weights(name):
    given = ATTACK_WEIGHTS[name]
    back = unflatten(flatten(given))
    for field in ("board", "towards_clear", "placement", "fade"):
        np.testing.assert_array_equal(np.asarray(getattr(back, field)), np.asarray(getattr(given, field)))
