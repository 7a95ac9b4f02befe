"""Perfect tic-tac-toe: the moves of every position that keep what it is worth, worked out at the first call."""

import functools

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, UInt32

SIDE, CELLS = 3, 9
FULL = 2**CELLS - 1
LINES = tuple(
    sum(1 << (first + step * each) for each in range(SIDE))
    for first, step in [(0, 1), (3, 1), (6, 1), (0, 3), (1, 3), (2, 3), (0, 4), (2, 2)]
)  # as sets of cells, cell = 3 row + column


@functools.cache
def worth(mine: int, others: int) -> int:
    """Return what a position is worth to who moves, both sides playing well: 1, 0 or -1. Stones are sets of cells."""
    if any(others & line == line for line in LINES):
        return -1
    if mine | others == FULL:
        return 0
    return max(-worth(others, mine | 1 << cell) for cell in _free(mine, others))


@functools.cache
def table() -> np.ndarray:
    """Return the best moves of every position, uint16[512, 512] by stones of who moves and of the other, as sets.

    Zero where no move is left, and for boards that are none.
    """
    moves = np.zeros((FULL + 1, FULL + 1), np.uint16)
    reached, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        mine, others = waiting.pop()
        if any(others & line == line for line in LINES):
            continue
        for cell in _free(mine, others):
            after = (others, mine | 1 << cell)
            if -worth(*after) == worth(mine, others):
                moves[mine, others] |= 1 << cell
            if after not in reached:
                reached.add(after)
                waiting.append(after)
    return moves


def best_moves(mine: UInt32[Array, "3"], others: UInt32[Array, "3"]) -> Bool[Array, "9"]:
    """Tell which cells keep what the position is worth to who moves, from rows of stones."""
    shifts = np.arange(0, CELLS, SIDE, dtype=np.uint32)
    index = [jnp.sum(rows << shifts, dtype=jnp.uint32) for rows in (mine, others)]
    moves = jnp.asarray(table())[index[0], index[1]].astype(jnp.uint32)
    return (moves >> np.arange(CELLS, dtype=np.uint32)) & np.uint32(1) == 1


def _free(mine: int, others: int) -> list[int]:
    return [cell for cell in range(CELLS) if not (mine | others) >> cell & 1]
