"""Learning algorithms, one file each; `AGENTS` is the only place that maps a name to one."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tetrax.agents import ppo
from tetrax.agents.agent import Agent
from tetrax.env.tetris import Tetris


class AgentSpec(NamedTuple):
    """An algorithm: the type of its configuration, and how an agent is made from one."""

    config: type
    make: Callable[[Any, Tetris], Agent]  # (config, env) -> agent


AGENTS: dict[str, AgentSpec] = {"ppo": AgentSpec(ppo.PPOConfig, ppo.make)}
