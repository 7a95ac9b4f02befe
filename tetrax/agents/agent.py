"""What an agent is: a record of pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array

from tetrax.env import batch

TrainState = Any  # a pytree with a dict of float32[] in `.tunables`
Policy = Any  # a pytree: parameters and frozen normalisers, all that acting needs
Memory = Any  # a pytree, [B, ...]; () for agents that remember nothing
Metrics = dict[str, Array]  # float32[]; names in `episodes/` are sums over finished games, others means

Act = Callable[..., tuple[Array, Memory, dict[str, Array]]]
"""act(policy, observation [B, ...], memory, is_first: bool[B], key, greedy: bool)
-> (action: int32[B], memory, diagnostics: float32[B] by name)."""


class Actor(NamedTuple):
    """A policy that only plays, such as a baseline."""

    policy: Policy
    initial_memory: Callable[[tuple[int, ...]], Memory]
    act: Act


class Agent(NamedTuple):
    """A learner; `init` and `train` are pure, can be compiled, and mapped over keys or states."""

    name: str
    steps_per_iteration: int  # environment steps of one `train`, over all boards
    init: Callable[[Array], TrainState]
    train: Callable[[TrainState], tuple[TrainState, Metrics]]
    policy: Callable[[TrainState], Policy]
    initial_memory: Callable[[tuple[int, ...]], Memory]
    act: Act
    num_groups: int = 1  # groups of boards that minibatches are drawn within: devices may share these out
    replay_bytes: int = 0  # of one seed's replay, on all devices together
    partition: Callable[[TrainState], Any] = batch.everywhere  # (state or shapes) -> a PartitionSpec per leaf


def no_memory(batch_shape: tuple[int, ...]) -> Memory:
    """Return the memory of an agent that remembers nothing."""
    del batch_shape
    return ()
