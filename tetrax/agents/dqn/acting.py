"""Deciding: the worth of every action, and exploring around the best."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, PRNGKeyArray

from tetrax.agents.dqn import judge
from tetrax.agents.dqn.dqn_config import DQNConfig
from tetrax.agents.dqn.train_state import Policy, TrainState
from tetrax.env.contract import Observation
from tetrax.networks.noisy import NOISE
from tetrax.networks.q_network import Judge
from tetrax.ops import exploration, schedules
from tetrax.ops.exploration import Explored


class Exploration(struct.PyTreeNode):
    """How decisions are drawn now; each float32[]."""

    epsilon: Array  # probability of a random legal action
    boltzmann: Array  # share of the others that is drawn from the softmax of values
    temperature: Array
    truly_random: Array  # share of the decisions that are not greedy that do not avoid losses


class Player(NamedTuple):
    """What never changes while an agent acts."""

    config: DQNConfig
    network: Judge
    learns_afterstates: bool


class Decision(NamedTuple):
    """What was decided in B games."""

    explored: Explored
    frame: judge.Frame  # float32[B, A]
    worths: Array  # float32[B, A]
    memory: Any  # of the network, after the step


def decide(
    player: Player,
    policy: Policy,
    observation: Observation,
    memory: Any,
    is_first: Bool[Array, "B"] | None,
    key: PRNGKeyArray,
    greedy: bool = False,
) -> Decision:
    """Judge every action of B games and choose one in each."""
    config = player.config
    noise_key, explore_key = jax.random.split(key)
    noise = {NOISE: noise_key} if config.noisy and not greedy else None
    z, memory = player.network.apply(policy.params, observation, memory, is_first, rngs=noise)
    frame = judge.frame(player.learns_afterstates, observation, policy.discount)
    worths = judge.worth(config, policy.value_moments, z, frame, observation)
    explored = _explore(config, policy.exploration, observation, worths, explore_key, greedy)
    return Decision(explored, frame, worths, memory)


def find_exploration(config: DQNConfig, state: TrainState) -> Exploration:
    """Return the exploration that the schedules give after the steps played so far."""
    tunables = state.tunables
    steps = state.iteration.astype(jnp.float32) * jnp.float32(config.num_envs * config.num_steps)
    at = {}
    for name, kind in (("epsilon", config.epsilon_schedule), ("temperature", config.temperature_schedule)):
        schedule = schedules.linear if kind == "linear" else schedules.exponential
        start, final = tunables[f"{name}_start"], tunables[f"{name}_final"]
        at[name] = schedule(steps, tunables[f"{name}_steps"], start, final)
    return Exploration(
        epsilon=at["epsilon"],
        temperature=at["temperature"],
        boltzmann=tunables["boltzmann"],
        truly_random=tunables["truly_random"],
    )


def at_random() -> Exploration:
    """Return the exploration of games that are played before anything is learned: any legal action."""
    zero, one = jnp.float32(0), jnp.float32(1)
    return Exploration(epsilon=one, boltzmann=zero, temperature=one, truly_random=one)


def make_policy(state: TrainState, explores: Exploration) -> Policy:
    """Return what acting needs."""
    return Policy(
        params=state.params,
        value_moments=state.value_moments,
        discount=state.tunables["discount"],
        exploration=explores,
    )


def _explore(
    config: DQNConfig,
    explores: Exploration,
    observation: Observation,
    worths: Float32[Array, "B A"],
    key: PRNGKeyArray,
    greedy: bool,
) -> Explored:
    """Choose around the best: as the exploration says, or the best itself."""
    if greedy:
        action = judge.greedy(worths)
        decider = jnp.full_like(action, exploration.Decider.GREEDY)
        return Explored(action, decider, jnp.ones(action.shape, jnp.float32))
    after = observation.afterstates
    loses = after.terminated if config.avoid_losses and after is not None else None
    return exploration.explore(
        key,
        worths,
        observation.legal,
        epsilon=explores.epsilon,
        boltzmann=explores.boltzmann,
        temperature=explores.temperature,
        loses=loses,
        truly_random=explores.truly_random,
    )
