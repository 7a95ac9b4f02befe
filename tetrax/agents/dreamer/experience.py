"""What is learned from: sequences of moments that the replay kept, shown again."""

from typing import NamedTuple

import jax
from jax import Array

from tetrax.agents import kept_games
from tetrax.agents.dreamer.dreamer_config import CONTEXT
from tetrax.agents.dreamer.dreamer_state import Slot, TrainState
from tetrax.env.contract import Game
from tetrax.world_model import latents, model
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model import AnyModel
from tetrax.world_model.readings import Reading


class Experience(NamedTuple):
    """N sequences of T moments of games, and what came before them."""

    reading: Reading  # [T, N, ...]
    legal: Array  # bool[T, N, A]
    action_before: Array  # int32[T, N], that led to each moment
    reward: Array  # float32[T, N], gained on the way
    terminated: Array  # bool[T, N]
    truncated: Array  # bool[T, N]
    is_first: Array  # bool[T, N]
    before: ModelState  # [N, ...]
    action: Array  # int32[T, N], taken at each
    log_prob: Array | None  # float32[T, N], of that action when it was taken


def recall(world: AnyModel, env: Game, state: TrainState, slots: Slot) -> Experience:
    """Read windows [CONTEXT + T, N] of the replay; of the context the model's state and the action are taken."""
    seen = kept_games.show(env, state.env_params, state.tunables["discount"], slots.seen[CONTEXT:])
    before = jax.tree.map(lambda leaf: leaf[CONTEXT - 1], slots.state)
    return Experience(
        reading=model.read(world, seen),
        legal=seen.legal,
        action_before=slots.action[CONTEXT - 1 : -1],
        reward=slots.reward[CONTEXT:],
        terminated=slots.terminated[CONTEXT:],
        truncated=slots.truncated[CONTEXT:],
        is_first=slots.is_first[CONTEXT:],
        before=latents.recall(before, world.config.widths.classes),
        action=slots.action[CONTEXT:],
        log_prob=None if slots.log_prob is None else slots.log_prob[CONTEXT:],
    )
