"""Dreams made by hand, for whatever compares or draws them."""

import jax.numpy as jnp
import numpy as np

from tetrax.env.contract import Shown
from tetrax.world_model.dreams import Dream, Played
from tetrax.world_model.readings import Reading, Told

SHOWN = Shown("bitboards", height=2, width=4, num_rows=4)  # and two rows above
CONTEXT, HORIZON, GAMES, CELLS = 2, 3, 2, 2 * 4 * 4
FILLED = 3.0  # log-odds that say so


def dream(*, cells=CELLS, is_first=(), terminated=(), gained=(), wrong=(), reward=1.0, goes_on=0.9):
    """Return a dream that is right in everything but the cells `wrong`, (moment, game, cell) each.

    The others are moments, (moment, game) each. The truth has every third cell filled, at each moment others.
    """
    num = (CONTEXT + HORIZON, GAMES)
    place = np.arange(num[0] * num[1] * cells).reshape(*num, cells)
    truth = (place % 3 == 0).astype(np.float32)
    told = np.where(truth > 0, FILLED, -FILLED).astype(np.float32)
    for index in wrong:
        told[index] *= -1
    numbers = np.linspace(-1, 1, num[0] * num[1] * 2, dtype=np.float32).reshape(*num, 2)

    def at(moments, value=True):
        marked = np.zeros(num, bool if value is True else np.float32)
        for index in moments:
            marked[index] = value
        return jnp.asarray(marked)

    played = Played(
        reading=Reading(
            cells=jnp.asarray(truth), pieces=jnp.zeros((*num, 0), jnp.int32), numbers=jnp.asarray(numbers)
        ),
        action=jnp.zeros(num, jnp.int32),
        reward=at(gained, 2.0),
        gained=at(gained, 1.0),
        terminated=at(terminated),
        is_first=at([(0, 0), (0, 1), *is_first]),
    )
    return Dream(
        played=played,
        told=Told(
            cells=jnp.asarray(told), pieces=jnp.zeros((*num, 0, 1)), numbers=jnp.asarray(numbers + 0.5)
        ),
        reward=jnp.full(num, reward),
        goes_on=jnp.full(num, goes_on),
        context=CONTEXT,
    )
