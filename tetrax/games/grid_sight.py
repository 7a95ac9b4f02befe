"""What an agent of a grid world sees: where it is itself, and from there the others and the targets."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.env.contract import Observation, vector_observation
from tetrax.games.grid_config import STRIDES, GridState, GridWorldConfig


def see(config: GridWorldConfig, state: GridState, seat: Int32[Array, ""]) -> Observation:
    """Show the game to the agent of a seat; the vector is described by `sight_names`."""
    others = (seat + np.arange(1, config.num_agents, dtype=np.int32)) % config.num_agents
    targets = jnp.arange(config.num_targets, dtype=jnp.int32)
    if config.own_targets:  # its own first, then those of the others in their order
        targets = (seat + targets) % config.num_targets
    here = jnp.take(state.agents, seat, axis=0)
    sides = np.array([[config.width, config.height]], np.float32)
    is_left = ~jnp.take(state.found, targets)

    def from_here(places: Int32[Array, "N 2"]) -> Float32[Array, "N 2"]:
        return (places - here[None]).astype(jnp.float32) / sides

    to_targets = from_here(jnp.take(state.targets, targets, axis=0))
    time_left = (config.max_steps - state.num_steps).astype(jnp.float32) / config.max_steps
    parts: list[Array] = [
        (2 * here + 1).astype(jnp.float32) / sides[0] - 1.0,
        from_here(jnp.take(state.agents, others, axis=0)).reshape(-1),
        jnp.where(is_left[:, None], to_targets, 0.0).reshape(-1),
        is_left.astype(jnp.float32),
        time_left[None],
    ]
    flat = jnp.concatenate(parts)
    return vector_observation(flat, len(STRIDES)).replace(player=seat)


def sight_names(config: GridWorldConfig) -> tuple[str, ...]:
    """Name the entries of the vector: places from the agent's own, in widths and heights of the grid."""
    others = range(1, config.num_agents)
    targets = range(config.num_targets)
    return (
        *("own_x", "own_y"),  # from -1, at the walls, to 1
        *(
            f"other_{other}_{axis}" for other in others for axis in "xy"
        ),  # in the order of the seats after its own
        *(f"target_{target}_{axis}" for target in targets for axis in "xy"),  # 0 when found
        *(f"target_{target}_left" for target in targets),
        "time_left",  # share of the steps
    )
