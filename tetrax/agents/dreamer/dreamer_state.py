"""The records of Dreamer."""

from typing import Any

from flax import struct
from jax import Array

from tetrax.env.wrappers import EpisodeState
from tetrax.ops.laprop import Moments
from tetrax.ops.online_queue import OnlineQueue
from tetrax.ops.replay import Replay
from tetrax.ops.return_range import ReturnRange
from tetrax.world_model.latents import KeptState, ModelState


class Memory(struct.PyTreeNode):
    """What acting remembers of B games."""

    state: ModelState  # of the model, after what was seen last, [B, ...]
    action: Array  # int32[B], taken last


class Arrival(struct.PyTreeNode):
    """What is known of the moment that each of B games has come to, beside what it shows."""

    reward: Array  # float32[B], gained on the way
    terminated: Array  # bool[B], the game is over
    truncated: Array  # bool[B], it is cut off
    is_first: Array  # bool[B], it begins


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run."""

    params: Any  # of "model", "actor" and "critic"
    slow_critic: Any  # the critic's parameters, following
    optimiser: Moments
    return_range: ReturnRange
    env_state: EpisodeState  # of B games, on the last axis
    arrival: Arrival  # of the moment they are at
    memory: Memory  # before it
    replay: Replay  # of Slots
    queue: OnlineQueue  # of windows that nothing was learned from yet
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES
    env_params: Any  # of the environment
    iteration: Array  # int32[], iterations done
    updates: Array  # int32[], updates of the parameters
    key: Array  # key<fry>[]


class Policy(struct.PyTreeNode):
    """What acting needs."""

    params: Any  # of "model", "actor" and "critic"


class Slot(struct.PyTreeNode):
    """One moment of a game as the replay keeps it. The end of a game is a moment too, whose action leads to nothing."""

    seen: Array  # uint32[W], the environment's state, packed
    action: Array  # int32[], taken there
    reward: Array  # float32[], gained on the way there
    terminated: Array  # bool[], the game is over there
    truncated: Array  # bool[], it is cut off there
    is_first: Array  # bool[], it begins there
    state: KeptState  # of the model there, as it was when the moment was last looked at
    log_prob: Array | None = None  # float32[], of the action when it was taken; None where `real_play` is off
