"""What every agent reports about the games that ended while it played."""

import jax.numpy as jnp
from jax import Array

from tetrax.env.contract import TimeStep
from tetrax.env.wrappers import EpisodeState

GAMES = "games"  # name of the number of games that ended, beside what these came to


def mean_so_far(env_state: EpisodeState) -> dict[str, Array]:
    """Return what the games being played have come to so far, by measure: the mean over B games, float32[]."""
    totals = env_state.running.totals
    return {name: jnp.mean(jnp.asarray(value, jnp.float32)) for name, value in totals.items()}


def sum_finished(timestep: TimeStep, env_state: EpisodeState) -> dict[str, Array]:
    """Return totals of the games that ended in a step of B games: GAMES, and each measure of the game; float32[].

    `env_state` is the state after the step, with the games on the last axis.
    """
    done = timestep.terminated | timestep.truncated
    came_to = {GAMES: jnp.ones(done.shape, jnp.float32), **env_state.finished.totals}
    return {
        name: jnp.sum(jnp.where(done, jnp.asarray(value, jnp.float32), 0.0))
        for name, value in came_to.items()
    }
