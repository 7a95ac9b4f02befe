"""What an agent of a grid world sees: where it is itself, and from there the others and the targets."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int32

from tetrax.env.contract import Observation, vector_observation
from tetrax.games.grid_config import STRIDES, GridState, GridWorldConfig


def see(config: GridWorldConfig, state: GridState, seat: Int32[Array, ""]) -> Observation:
    """Show the game to the agent of a seat; the vector is described by `sight_names`."""
    seats = (seat + np.arange(config.num_agents, dtype=np.int32)) % config.num_agents  # its own first
    targets = jnp.arange(config.num_targets, dtype=jnp.int32)
    if config.own_targets:  # its own first, then those of the others in their order
        targets = (seat + targets) % config.num_targets
    agents = jnp.take(state.agents, seats, axis=0)  # [P, 2]
    is_left = ~jnp.take(state.found, targets)
    sides = np.array([[config.width, config.height]], np.float32)
    ways = jnp.take(state.targets, targets, axis=0)[None] - agents[:, None]  # [P, M, 2]
    lengths = jnp.sum(jnp.abs(ways), axis=-1, keepdims=True).astype(jnp.float32) / (
        config.width + config.height
    )
    to_targets = jnp.concatenate(
        [ways.astype(jnp.float32) / sides[None], jnp.sign(ways).astype(jnp.float32), lengths], axis=-1
    )
    time_left = (config.max_steps - state.num_steps).astype(jnp.float32) / config.max_steps
    parts: list[Array] = [
        (2 * agents[0] + 1).astype(jnp.float32) / sides[0] - 1.0,
        ((agents[1:] - agents[:1]).astype(jnp.float32) / sides).reshape(-1),
        jnp.where(is_left[None, :, None], to_targets, 0.0).reshape(-1),
        is_left.astype(jnp.float32),
        time_left[None],
    ]
    flat = jnp.concatenate(parts)
    return vector_observation(flat, len(STRIDES)).replace(player=seat)


def sight_names(config: GridWorldConfig) -> tuple[str, ...]:
    """Name the entries of the vector; agent 0 is who sees it, the others follow in the order of the seats after it.

    Places and ways are in widths and heights of the grid, lengths in both together.
    """
    pairs = [(agent, target) for agent in range(config.num_agents) for target in range(config.num_targets)]
    way = (
        "x",
        "y",
        "side",
        "rise",
        "length",
    )  # right and up, which of both (-1, 0, 1), and how far it is to walk
    return (
        *("own_x", "own_y"),  # from -1, at the walls, to 1
        *(
            f"agent_{agent}_{axis}" for agent in range(1, config.num_agents) for axis in "xy"
        ),  # from its own place
        *(f"agent_{agent}_to_{target}_{part}" for agent, target in pairs for part in way),  # 0 when found
        *(f"target_{target}_left" for target in range(config.num_targets)),
        "time_left",  # share of the steps
    )
