"""Learning algorithms, one file each; `AGENTS` is the only place that maps a name to one."""

from collections.abc import Callable
from typing import NamedTuple

from tetrax.agents import cross_entropy, ppo
from tetrax.agents.agent import Agent


class AgentSpec(NamedTuple):
    """An algorithm: the type of its configuration, and how an agent is made from one."""

    config: type
    make: Callable[..., Agent]  # (config, env, horizon: iterations of the whole run) -> agent
    tunables: tuple[str, ...]  # settings that are arrays in the TrainState and may change on resume


AGENTS: dict[str, AgentSpec] = {
    "ppo": AgentSpec(ppo.PPOConfig, ppo.make, tuple(ppo.TUNABLE_RANGES)),
    "cross-entropy": AgentSpec(
        cross_entropy.CrossEntropyConfig, cross_entropy.make, tuple(cross_entropy.TUNABLE_RANGES)
    ),
}
