"""Which pieces come: TETR.IO's seeds against recorded games, and lists.

Facts of TETR.IO: the seed of a recorded round and the pieces that both players were dealt in it, from public
replays (yachi/tetrio-replay-report, MIT).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.game.by_hand import params, press, start
from tetrax.env.game.rules import RULE_PRESETS, Rules

TETRIO = RULE_PRESETS["tetrio"]
LIST = Rules(randomizer="list", sequence=("T", "T", "I"), preview=4, attack="guideline_modern")
DEALT = {
    813579091: "ISTLJZO TSIOJLZ J",
    763223691: "SZJOITL O",
    1953420120: "TISOZJL O",
    1479527618: "LSIZJTO",
    130301522: "SZILOTJ T",
    367575361: "IOLSZTJ",
}


def dealt(rules, seed, count):
    """Return the names of the first pieces, and the last state."""
    state = start(rules, params(rules), jax.random.key(seed))
    names = ""
    while True:
        kinds = [int(state.piece), *np.asarray(state.queue).tolist()]
        if len(names) + len(kinds) >= count:
            return (names + "".join(rules.pieces[kind].name for kind in kinds))[:count], state
        names += rules.pieces[kinds[0]].name
        state, _ = press(state.replace(rows=jnp.zeros_like(state.rows)), "hard_drop", rules=rules)


@pytest.mark.parametrize("seed", DEALT)
def test_seeds_of_recorded_rounds(seed):
    recorded = DEALT[seed].replace(" ", "")
    assert dealt(TETRIO, seed, len(recorded))[0] == recorded


def test_a_shuffle_step_by_step():
    """Seed 1: 16807, 282475249, 1622650073, 984943658, 1144108930, 470211272 (the first numbers of MINSTD).

    As shares of 2147483646: 0.0000078, 0.1315, 0.7556, 0.4587, 0.5328, 0.2190. Times 7, 6, 5, 4, 3, 2 down:
    0, 0, 3, 1, 1, 0. ZLOSIJT: T (6) with Z (0): TLOSIJZ; J (5) with T: JLOSITZ; I (4) with S (3): JLOISTZ;
    I (3) with L (1): JIOLSTZ; O (2) with I (1): JOILSTZ; O (1) with J (0): OJILSTZ.
    """
    names, state = dealt(TETRIO, 1, 6)
    assert names == "OJILST"
    assert int(state.random) == 470211272
    assert int(state.bag) == 1 + "IJLOSTZ".index("Z")  # what is left of the bag: four bits a piece


def test_seed_zero_is_the_largest():
    """A seed of 0 would stay 0 for ever; 0 stands for 2147483646, which is -1: the numbers of 1, negated."""
    for seed in (0, 2147483647):
        state = start(TETRIO, params(TETRIO), jax.random.key(seed))
        assert int(state.random) == 2147483647 - 470211272


def test_a_list_comes_again_and_again():
    """T T I T T I ...: the fifth draw is the second of the second round."""
    assert dealt(LIST, 3, 11)[0] == "TTITTITTITT"
