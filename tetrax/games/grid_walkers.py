"""Who walks in a grid world without having learned anything: greedily to the nearest target left, or anywhere."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int32, PRNGKeyArray

from tetrax.games.grid_config import DOWN, LEFT, RIGHT, STAY, STRIDES, UP, GridState, GridWorldConfig

FAR = np.int32(2**20)  # farther than any target


def walk_greedily(config: GridWorldConfig, state: GridState, key: PRNGKeyArray) -> Int32[Array, "P"]:
    """Go to the nearest target left (the first of those as near), along the longer way first, sideways if equal.

    Who has none left stays.
    """
    del key
    ways = state.targets[None] - state.agents[:, None]  # [P, M, 2]
    lengths = jnp.sum(jnp.abs(ways), axis=-1)
    is_left = jnp.broadcast_to(~state.found[None], lengths.shape)
    if config.own_targets:
        is_left &= np.eye(config.num_agents, dtype=bool)
    nearest = jnp.argmin(jnp.where(is_left, lengths, FAR), axis=1)  # [P]
    x, y = jnp.moveaxis(jnp.take_along_axis(ways, nearest[:, None, None], axis=1)[:, 0], -1, 0)
    sideways = jnp.where(x > 0, RIGHT, LEFT)
    upright = jnp.where(y > 0, UP, DOWN)
    step = jnp.where(jnp.abs(x) >= jnp.abs(y), sideways, upright)
    return jnp.where(jnp.any(is_left, axis=1), step, STAY).astype(jnp.int32)


def walk_anywhere(config: GridWorldConfig, state: GridState, key: PRNGKeyArray) -> Int32[Array, "P"]:
    """Take any of the five steps."""
    del state
    return jax.random.randint(key, (config.num_agents,), 0, len(STRIDES), jnp.int32)


# By name of an opponent: (config, state, key) -> an action of each agent, as if all walked so.
WALKERS: dict[str, Callable[[GridWorldConfig, GridState, PRNGKeyArray], Array]] = {
    "greedy": walk_greedily,
    "random": walk_anywhere,
}
