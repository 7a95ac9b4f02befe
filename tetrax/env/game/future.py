"""What a player cannot know of a game, drawn anew: whatever plans by playing on looks at games made so."""

import numpy as np
from jaxtyping import PRNGKeyArray

from tetrax.env.game import board, garbage, randomizer
from tetrax.env.game.randomizer import Source
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import check_key, fold

NEXT_DRAWS, ORDER, HOLES = np.arange(3, dtype=np.uint32)  # what a key is folded with, for each thing to draw


def resample_future(rules: Rules, state: State, key: PRNGKeyArray) -> State:
    """Return the game with all that its player cannot know drawn anew by one typed Threefry key.

    Kept is the whole game but what is hidden in it, so also the visible queue and which pieces are left in the
    bag. No piece is drawn before the queue shows it, so that what is hidden is:

    - with randomizer "bag" and "uniform" every later draw, which is a function of the game's key and its number:
      the game gets another key;
    - with "tetrio" the order of what is left in the bag, which was shuffled whole, and the generator's value;
    - the holes of waiting garbage, and of garbage to come; not its rows, nor when it may enter.

    Each is as likely as it is to a player who remembers the bag but works out no seed. A game that goes on from
    here is not the one that the first key plays: it cannot be recorded as such.

    ValueError with randomizer "list", where a player who knows the list knows all; TypeError for another key.
    """
    if rules.randomizer == "list":
        raise ValueError(
            "rules.randomizer: given 'list', whose pieces are no chance to draw again; allowed: "
            "'bag', 'uniform' or 'tetrio'"
        )
    check_key(key)
    board.check_one(rules, state)
    state = state.replace(key=fold(key, NEXT_DRAWS))
    if state.random is not None:
        left = randomizer.reshuffle(Source(state.bag, state.random), fold(key, ORDER))
        state = state.replace(bag=left.bag, random=left.random)
    if state.garbage is not None:
        state = state.replace(garbage=garbage.redraw_holes(rules, state.garbage, fold(key, HOLES)))
    return state
