"""Many games side by side: the one place that decides how a batch of states lies in memory.

States have the boards last: `State.rows` is uint32[H, B], so that each row of all boards is one run of words and
a step is arithmetic on whole vectors. What goes to and comes from learners (keys, actions, `TimeStep`) has the
boards first. `jax.vmap(env.step)`, with the boards first everywhere, gives the same games.
"""

from dataclasses import dataclass
from typing import Any

import jax
from jax import Array
from jaxtyping import Int32, PRNGKeyArray

from tetrax.env.observe import Observation
from tetrax.env.tetris import TimeStep
from tetrax.env.wrappers import Environment

BOARDS = -1  # axis of the boards in every leaf of a batch of states


@dataclass(frozen=True)
class Batch:
    """B games of an environment, wrapped or not, with that environment's own methods."""

    env: Environment

    def reset(self, keys: PRNGKeyArray, params: Any = None) -> tuple[Any, TimeStep]:
        """Start B games from B keys; the state has the boards last, the TimeStep first."""
        return jax.vmap(self.env.reset, in_axes=(0, None), out_axes=(BOARDS, 0))(keys, params)

    def step(self, state: Any, action: Int32[Array, "B"], params: Any = None) -> tuple[Any, TimeStep]:
        """Play one action on every board."""
        step = jax.vmap(self.env.step, in_axes=(BOARDS, 0, None), out_axes=(BOARDS, 0))
        return step(state, action, params)

    def observe(self, state: Any, params: Any = None) -> Observation:
        """Return what a player may know of each board."""
        return jax.vmap(self.env.observe, in_axes=(BOARDS, None))(state, params)


def game(states: Any, index: Int32[Array, ""] | int) -> Any:
    """Take one game out of a batch of states."""
    return jax.tree.map(lambda leaf: leaf[..., index], states)
