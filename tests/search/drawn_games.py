"""Games of the engine that stand on drawn boards, for planners to look at."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.search.plain_planner import Position
from tetrax.env.game import engine, locking
from tetrax.env.game.rules import Rules, default_params

TINY = Rules(
    width=5,
    height=6,
    buffer=8,
    pieces=("I", "S", "T", "L"),
    preview=2,
    gravity="fixed",
    top_out="block_out",
    spins="jstris",
    attack="jstris",
)


def read(drawing):
    """Read the rows of a drawing, the lowest last, as a set of cells."""
    rows = drawing.split()[::-1]
    return frozenset((x, y) for y, row in enumerate(rows) for x, mark in enumerate(row) if mark == "#")


def stand(rules, cells, pieces, hold=None, combo=-1, chained=False, seed=0):
    """Return the engine's state, and the plain position, of a game with these cells and pieces."""
    names = [piece.name for piece in rules.pieces]
    rows = np.zeros(rules.total_height, np.uint32)
    for x, y in cells:
        rows[y] |= 1 << x
    state = engine.init(rules, default_params(rules), jax.random.key(seed, impl="threefry2x32"))
    state = state.replace(
        rows=jnp.asarray(rows),
        queue=jnp.asarray([names.index(name) for name in pieces[1:]], jnp.int32),
        hold=jnp.int32(-1 if hold is None else names.index(hold)),
        combo=jnp.int32(combo),
        back_to_back=jnp.int32(0 if chained else -1),
    )
    state, _ = locking.spawn(rules, state, jnp.int32(names.index(pieces[0])))
    return state, Position(frozenset(cells), tuple(pieces), hold, combo, chained)


def together(states):
    """Put states side by side, [G, ...]."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
