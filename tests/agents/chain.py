"""A game small enough to solve by hand: cells in a row, and a step to the left or to the right."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from tests.agents.tiny_game import TinyGame
from tetrax.env.contract import vector_observation

CELLS = 5
LEFT, RIGHT = 0, 1


class ChainState(struct.PyTreeNode):
    cell: jax.Array  # int32[]
    time: jax.Array  # int32[]
    done: jax.Array  # bool[]


@dataclass(frozen=True)
class Chain(TinyGame):
    """Cells 0 to 4. Entering cell 4 pays `prize` and, if it ends the game, ends it; every step pays `wage`.

    The game starts in a cell that the key chooses (0 to 3). With a time limit it is truncated after so many steps.
    """

    prize: float = 1.0
    wage: float = 0.0
    ends: bool = True
    time_limit: int = 0

    num_actions = 2

    @property
    def can_truncate(self) -> bool:
        return self.time_limit > 0

    def init(self, key, params=()):
        cell = jax.random.randint(key, (), 0, CELLS - 1)
        return ChainState(cell=cell, time=jnp.int32(0), done=jnp.bool_(False))

    def observe(self, state, params=()):
        seen = vector_observation(jax.nn.one_hot(state.cell, CELLS, dtype=jnp.float32), self.num_actions)
        return seen.replace(legal=seen.legal & ~state.done)

    def transition(self, state, action, params=()):
        cell = jnp.clip(state.cell + jnp.where(action == RIGHT, 1, -1), 0, CELLS - 1)
        arrives = (cell == CELLS - 1) & (state.cell != CELLS - 1)
        terminated = arrives & self.ends
        time = state.time + 1
        truncated = (time >= self.time_limit) & ~terminated if self.can_truncate else jnp.bool_(False)
        reward = jnp.float32(self.wage) + self.prize * arrives
        return ChainState(cell=cell, time=time, done=terminated), reward, terminated, truncated, None


def best_values(discount: float) -> np.ndarray:
    """Return Q* of the ending chain without wages, [cell 0 to 3, action].

    From cell c the prize is 4 - c steps to the right away; a step to the left is made up for by one more.
    """
    value = [discount ** (3 - cell) for cell in range(4)]
    return np.array([[discount * value[max(cell - 1, 0)], value[cell]] for cell in range(4)])
