"""Learning algorithms, a file or package each; `AGENTS` is the only place that maps a name to one."""

from collections.abc import Callable
from typing import NamedTuple

from tetrax.agents import alphazero, beam_search, beam_value, cross_entropy, dqn, dreamer, mappo, ppo
from tetrax.agents.agent import Agent


class AgentSpec(NamedTuple):
    """An algorithm: the type of its configuration, and how an agent is made from one."""

    config: type
    make: Callable[..., Agent]  # (config, env) -> agent, or with `takes_network` (config, env, network)
    tunables: tuple[str, ...]  # settings that are arrays in the TrainState and may change on resume
    changeable: tuple[str, ...] = ()  # others that may: they decide the program, not the TrainState
    acting: tuple[str, ...] = ()  # of those, the ones that only decide how a policy acts
    takes_network: bool = (
        False  # whether a flax module of the user's own may take the place of config.network
    )


AGENTS: dict[str, AgentSpec] = {
    "ppo": AgentSpec(ppo.PPOConfig, ppo.make, tuple(ppo.TUNABLE_RANGES), takes_network=True),
    "dqn": AgentSpec(dqn.DQNConfig, dqn.make, tuple(dqn.TUNABLE_RANGES), dqn.CHANGEABLE, takes_network=True),
    "dreamer": AgentSpec(
        dreamer.DreamerConfig,
        dreamer.make,
        tuple(dreamer.TUNABLE_RANGES),
        dreamer.CHANGEABLE,
        dreamer.ACTING,
    ),
    "alphazero": AgentSpec(
        alphazero.AlphaZeroConfig,
        alphazero.make,
        tuple(alphazero.TUNABLE_RANGES),
        changeable=alphazero.ACTING,
        acting=alphazero.ACTING,
    ),
    "mappo": AgentSpec(mappo.MAPPOConfig, mappo.make, tuple(mappo.TUNABLE_RANGES)),
    "cross-entropy": AgentSpec(
        cross_entropy.CrossEntropyConfig, cross_entropy.make, tuple(cross_entropy.TUNABLE_RANGES)
    ),
    "beam": AgentSpec(
        beam_search.BeamConfig,
        beam_search.make,
        tuple(beam_search.TUNABLE_RANGES),
        beam_search.ACTING,
        beam_search.ACTING,
    ),
    "beam-value": AgentSpec(
        beam_value.BeamValueConfig,
        beam_value.make,
        tuple(beam_value.TUNABLE_RANGES),
        beam_value.ACTING,
        beam_value.ACTING,
    ),
}


def changeable(algorithm: str) -> tuple[str, ...]:
    """Return the settings of an algorithm that may change when a run is resumed."""
    spec = AGENTS[algorithm]
    return (*spec.tunables, *spec.changeable)
