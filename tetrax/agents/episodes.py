"""What every agent reports about the games that ended while it played."""

import jax.numpy as jnp

from tetrax.agents.agent import Metrics
from tetrax.env.tetris import TimeStep
from tetrax.env.wrappers import EpisodeState


def finished_games(timestep: TimeStep, env_state: EpisodeState) -> Metrics:
    """Return sums over the games that ended in a step of B boards: "episodes/count", "/lines", … float32[].

    `env_state` is the state after the step, boards last.
    """
    done = timestep.terminated | timestep.truncated
    finished = env_state.finished
    totals = {
        "count": jnp.ones_like(timestep.reward),
        "lines": finished.lines,
        "pieces": finished.pieces,
        "score": finished.score,
        "return": finished.episode_return,
    }
    return {
        f"episodes/{name}": jnp.sum(jnp.where(done, jnp.asarray(value, jnp.float32), 0.0))
        for name, value in totals.items()
    }
