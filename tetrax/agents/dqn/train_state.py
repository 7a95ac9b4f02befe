"""The records of value learning."""

from typing import Any

from flax import struct
from jax import Array

from tetrax.env.wrappers import EpisodeState
from tetrax.ops.normalise import RunningMoments
from tetrax.ops.replay import Replay


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run."""

    params: Any  # of the network
    target_params: Any  # of the target network; None if there is none
    optimiser: Any  # Adam's moments
    value_moments: RunningMoments  # of the targets, []
    env_state: EpisodeState  # of B games, on the last axis
    memory: Any  # of the network, [B, ...]; () if it has none
    is_first: Array  # bool[B], the next step is the first of a game
    replay: Replay | None  # of Slots
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES and "horizon" (iterations)
    env_params: Any  # of the environment
    iteration: Array  # int32[], iterations done
    updates: Array  # int32[], updates of the network
    key: Array  # key<fry>[]


class Policy(struct.PyTreeNode):
    """What acting needs."""

    params: Any
    value_moments: RunningMoments
    discount: Array  # float32[], of the values of afterstates
    exploration: Any  # acting.Exploration: what is left of it


class Slot(struct.PyTreeNode):
    """One step of a game as the replay keeps it."""

    seen: Array  # uint32[N], the environment's state before the step, packed
    action: Array  # int32[]
    reward: Array  # float32[]
    terminated: Array  # bool[]
    truncated: Array  # bool[]
    is_first: Array  # bool[], the step is the first of its game
    last: Array | None  # uint32[N], the state after the step, before any reset; None: no game is truncated
    memory: Any  # of the network before the step, reset where is_first; () if it has none


class Sample(struct.PyTreeNode):
    """What an update without a replay needs of a step."""

    shown: Any  # Observation, of afterstates that of the chosen one alone
    action: Array  # int32[], index into what is shown
    offset: Array  # float32[], of the judge's frame of the action
    scale: Array  # float32[]
    target: Array  # float32[], the return that followed
