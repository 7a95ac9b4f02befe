"""Rows sent at others, worked by hand; the numbers of clears are in test_scoring_by_hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.game.by_hand import GUIDELINE, press, stand
from tests.env.game.test_randomizers_by_hand import LIST as MODERN
from tests.env.game.test_scoring_by_hand import CLEARS, SPINS
from tetrax.env.game import scoring
from tetrax.env.game.rules import RULE_PRESETS, default_params

CLASSIC, TETRIO, JSTRIS = GUIDELINE, RULE_PRESETS["tetrio"], RULE_PRESETS["attack-50"]
PERFECT = CLEARS[4][0].replace("#.........", "..........")


def attack(drawing, rules, multiplier=256, **numbers):
    """Return the attack of a hard drop, by the clear and by the perfect clear; nothing is cancelled."""
    _, event = press(
        stand(drawing, rules, **numbers), "hard_drop", rules=rules, garbage_multiplier=multiplier
    )
    assert np.asarray(event.attack).tolist() == np.asarray(event.sent).tolist()
    return tuple(np.asarray(event.attack).tolist())


def spin_attack(title, rules, **numbers):
    key, facing, drawing, _ = SPINS[title]
    turned, _ = press(stand(drawing, rules, facing=facing, **numbers), key, rules=rules)
    _, event = press(turned, "hard_drop", rules=rules)
    return int(event.attack[0])


@pytest.mark.parametrize(
    "rules", [CLASSIC, pytest.param(TETRIO, marks=pytest.mark.slow)], ids=["guideline", "tetrio"]
)
def test_clears_and_spins(rules):
    """0, 1, 2, 4 for one to four lines; 2, 4, 6 for full spins; 0, 1 for minis; nothing without a line."""
    assert [attack(CLEARS[lines][0], rules) for lines in (1, 2, 3, 4)] == [(0, 0), (1, 0), (2, 0), (4, 0)]
    assert attack("..OO......\n..OO......", rules) == (0, 0)
    titles = ("full, no line", "full, single", "full, double", "full, triple", "mini, single", "mini, double")
    assert [spin_attack(title, rules) for title in titles] == [0, 2, 4, 6, 0, 1]


def test_combos_of_the_guideline():
    """The first to the fifteenth single (0 rows) in a row, by the combo before it: -1 to 13."""
    singles = [attack(CLEARS[1][0], CLASSIC, combo=before)[0] for before in range(-1, 14)]
    assert singles == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5]
    singles = [attack(CLEARS[1][0], MODERN, combo=before)[0] for before in range(-1, 14)]
    assert singles == [0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4]


def test_a_single_after_a_clear_sends_nothing():
    assert attack(CLEARS[1][0], CLASSIC, combo=0) == (0, 0)
    assert attack(CLEARS[1][0], MODERN, combo=0) == (0, 0)


def test_back_to_back_of_the_guideline():
    """One more row for every difficult clear after another, however long the chain."""
    tetris = CLEARS[4][0]
    assert [attack(tetris, CLASSIC, back_to_back=before)[0] for before in (-1, 0, 1, 9)] == [4, 5, 5, 5]
    assert attack(CLEARS[2][0], CLASSIC, back_to_back=5) == (1, 0)  # a double is not difficult
    assert attack(tetris, CLASSIC, back_to_back=0, combo=2) == (4 + 1 + 1, 0)  # the fourth clear in a row


def test_back_to_back_of_tetrio():
    """b after the clear: 0 adds nothing, 1 adds floor(1 + ln 1.8) = floor(1.59) = 1.

    2: ln 2.6 = 0.956, 1 + 1.956 / 3 = 1.65. 3: ln 3.4 = 1.224, 2 + 1.224 / 3 = 2.41. 8: ln 7.4 = 2.001,
    3 + 1.001 / 3 = 3.33. 24: ln 20.2 = 3.006, 4 + 1.006 / 3 = 4.34. Tetris and its four rows, rounded down.
    """
    tetris = CLEARS[4][0]
    chains = {-1: 4, 0: 5, 1: 5, 2: 6, 7: 7, 23: 8}
    assert {before: attack(tetris, TETRIO, back_to_back=before)[0] for before in chains} == chains
    assert attack(CLEARS[2][0], TETRIO, back_to_back=5) == (1, 0)
    # With the combo the parts of a row count too: b = 2, n = 2: 5.65 × 1.5 = 8.48; n = 3: 5.65 × 1.75 = 9.89.
    assert attack(tetris, TETRIO, back_to_back=1, combo=1) == (8, 0)
    assert attack(tetris, TETRIO, back_to_back=1, combo=2) == (9, 0)


def test_combos_of_tetrio():
    """× (1 + 0.25 n): a tetris (4) sends 4, 5, 6, 7, 8; a double (1) 1.25, 1.5, ... 2 at n = 4.

    Singles by ln(1 + 1.25 n): n = 2 1.25, 4 1.79, 5 1.98, 6 2.14, 15 2.98, 16 3.04; n = 1 sends nothing.
    """
    tetris, double, single = (CLEARS[lines][0] for lines in (4, 2, 1))
    assert [attack(tetris, TETRIO, combo=n - 1)[0] for n in range(5)] == [4, 5, 6, 7, 8]
    assert [attack(double, TETRIO, combo=n - 1)[0] for n in (1, 2, 3, 4, 8)] == [1, 1, 1, 2, 3]
    numbers = {1: 0, 2: 1, 5: 1, 6: 2, 15: 2, 16: 3}
    assert {n: attack(single, TETRIO, combo=n - 1)[0] for n in numbers} == numbers


@pytest.mark.parametrize("rules", [CLASSIC, TETRIO], ids=["guideline", "tetrio"])
def test_perfect_clear(rules):
    """Ten rows in a packet of their own."""
    assert attack(PERFECT, rules) == (4, 10)
    # Five eighths (160 / 256) of 4 and of 10: 2.5 and 6.25. Twice as many: 8 and 20.
    assert attack(PERFECT, rules, multiplier=160) == (2, 6)
    assert attack(PERFECT, rules, multiplier=512) == (8, 20)
    assert attack(PERFECT, rules, multiplier=0) == (0, 0)


@pytest.mark.parametrize(
    ("rules", "rows"),
    [
        # Back-to-back adds one row to the second and the third; combos nothing to the second, one to the third.
        (CLASSIC, [4, 4 + 1 + 0, 4 + 1 + 1]),
        (MODERN, [4, 4 + 1 + 0, 4 + 1 + 1]),
        # b = n = 1: (4 + 1) × 1.25 = 6.25; b = n = 2: (4 + 1.65) × 1.5 = 8.48.
        (TETRIO, [4, 6, 8]),
    ],
    ids=["guideline", "guideline_modern", "tetrio"],
)
def test_a_game_of_three_tetrises_in_a_row(rules, rows):
    """Played from the entrance: upright, R stands in column 5; four to the right and down, three times.

    800 points, 800 × 1.5 + 50, 800 × 1.5 + 100: ten lines, and with them level 2, are reached by the third.
    """
    state = stand("#.........\n" + "#########.\n" * 12, rules, piece="I", queue="II")
    for number in range(3):
        for keys in (("rotate_cw", "right"), ("right",), ("right",)):
            state, event = press(state, *keys, rules=rules)
        state, event = press(state, "right", "hard_drop", rules=rules)
        assert (int(event.lines), int(event.combo), bool(event.back_to_back)) == (4, number, number > 0)
        assert int(event.attack[0]) == rows[number]
        assert int(event.score) - 2 * int(event.hard_cells) == [800, 1250, 1300][number]
    assert (int(state.rows[0]), int(state.lines), int(state.combo)) == (1, 12, 2)


def test_rounded_down_once():
    """b = 2 and a multiplier of 1.5: 5.65 × 1.5 = 8.48, where 5 × 1.5 would be 7.5."""
    assert attack(CLEARS[4][0], TETRIO, multiplier=384, back_to_back=1) == (8, 0)


def test_clears_and_spins_of_jstris():
    """As in the guideline's table; the minis of the drawings are none here, since nothing is above their pieces."""
    assert [attack(CLEARS[lines][0], JSTRIS) for lines in (1, 2, 3, 4)] == [(0, 0), (1, 0), (2, 0), (4, 0)]
    assert attack("..OO......\n..OO......", JSTRIS) == (0, 0)
    titles = ("full, no line", "full, single", "full, double", "full, triple", "mini, single", "mini, double")
    assert [spin_attack(title, JSTRIS) for title in titles] == [0, 2, 4, 6, 0, 1]
    assert [spin_attack(title, JSTRIS, back_to_back=0) for title in titles[1:]] == [3, 5, 7, 0, 1]


@pytest.mark.parametrize(("lines", "rows"), [(1, 0), (2, 4)])
def test_minis_of_jstris(lines, rows):
    """A mini single sends nothing, a double 4; each carries back-to-back on, which pays one row more."""
    for before in (-1, 0):
        one, mini = jnp.int32(1), jnp.int32(scoring.MINI_SPIN)
        worth = scoring.clear_score(jnp.int32(lines), mini, jnp.bool_(False), one, -one, jnp.int32(before))
        sent = scoring.attack(JSTRIS, default_params(JSTRIS), jnp.int32(lines), mini, jnp.bool_(False), worth)
        assert sent.tolist() == [rows + (before == 0), 0]


def test_a_spin_of_jstris_is_blocked_upwards():
    """A T in a slot under an overhang is a spin; upright at a wall, as free to rise as before, it is none."""
    for title, spin in (("full, double", 2), ("full, triple", 2), ("mini, single", 0), ("mini, double", 0)):
        key, facing, drawing, _ = SPINS[title]
        turned, _ = press(stand(drawing, JSTRIS, facing=facing), key, rules=JSTRIS)
        _, event = press(turned, "hard_drop", rules=JSTRIS)
        assert (int(event.spin), int(event.hard_cells)) == (spin, 0), title


def test_combos_of_jstris():
    """The first to the fifteenth single in a row."""
    singles = [attack(CLEARS[1][0], JSTRIS, combo=before)[0] for before in range(-1, 14)]
    assert singles == [0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5]


def test_a_perfect_clear_of_jstris_pays_ten_in_place_of_all_else():
    """Back-to-back and a combo of five pay nothing beside it; the chain goes on, since four lines are difficult."""
    assert attack(PERFECT, JSTRIS) == (0, 10)
    assert attack(PERFECT, JSTRIS, back_to_back=3, combo=4) == (0, 10)
    state, _ = press(stand(PERFECT, JSTRIS, back_to_back=3, combo=4), "hard_drop", rules=JSTRIS)
    assert (int(state.back_to_back), int(state.combo)) == (4, 5)
