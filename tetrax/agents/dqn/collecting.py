"""Playing: steps for the replay, or whole rollouts to learn from at once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import episodes
from tetrax.agents.agent import Metrics
from tetrax.agents.dqn import acting, judge
from tetrax.agents.dqn.acting import Decision, Exploration, Player
from tetrax.agents.dqn.dqn_config import DQNConfig
from tetrax.agents.dqn.train_state import Policy, Sample, Slot, TrainState
from tetrax.env.batch import Batch
from tetrax.env.game.state import select
from tetrax.env.observe import Observation
from tetrax.env.tetris import TimeStep, with_discount
from tetrax.env.wrappers import AutoReset, EpisodeState, EpisodeStatistics, Game
from tetrax.ops import packing, value_targets
from tetrax.ops.exploration import Decider


class Running(NamedTuple):
    """What goes from step to step."""

    env_state: EpisodeState
    memory: Any
    is_first: Array  # bool[B]


class Step(NamedTuple):
    """One step of B boards."""

    observation: Observation
    decision: Decision
    timestep: TimeStep


def boards(config: DQNConfig, env: Game) -> Batch:
    """Return the boards that are played; those for a replay keep the state in which a game was truncated."""
    keep_last = config.replay_capacity > 0 and env.can_truncate
    return Batch(EpisodeStatistics(AutoReset(env, keep_last=keep_last)))


def running(state: TrainState) -> Running:
    """Return where the boards stand."""
    return Running(state.env_state, state.memory, state.is_first)


def for_replay(
    player: Player, env: Game, state: TrainState, explores: Exploration, key: PRNGKeyArray
) -> tuple[TrainState, Slot, Metrics]:
    """Play `num_steps` on every board; return Slots [T, B] and metrics."""
    played = boards(player.config, env)
    params = with_discount(state.env_params, state.tunables["discount"])
    policy = acting.policy_of(state, explores)

    def step(before: Running, step_key: PRNGKeyArray) -> tuple[Running, tuple[Slot, Metrics]]:
        after, stepped = _play(player, played, policy, params, before, step_key)
        timestep = stepped.timestep
        last = after.env_state.env_state.last
        slot = Slot(
            seen=_packed(before.env_state.env_state.game),
            action=stepped.decision.explored.action,
            reward=timestep.reward,
            terminated=timestep.terminated,
            truncated=timestep.truncated,
            is_first=before.is_first,
            last=None if last is None else _packed(last),
            memory=before.memory,
        )
        return after, (slot, _metrics(stepped, after.env_state))

    keys = jax.random.split(key, player.config.num_steps)
    after, (slots, metrics) = jax.lax.scan(step, running(state), keys)
    state = state.replace(env_state=after.env_state, memory=after.memory, is_first=after.is_first)
    return state, slots, _reduced(metrics)


def for_returns(
    player: Player, env: Game, state: TrainState, explores: Exploration, key: PRNGKeyArray
) -> tuple[TrainState, Sample, Metrics]:
    """Play `num_steps` on every board; return Samples [T, B] whose targets are lambda returns, and metrics.

    The scan looks once more than it plays, for the value after the last step.
    """
    config, played = player.config, boards(player.config, env)
    params = with_discount(state.env_params, state.tunables["discount"])
    policy = acting.policy_of(state, explores)

    def step(before: Running, step_input: tuple[PRNGKeyArray, Array]) -> Any:
        step_key, is_played = step_input
        play_key, end_key = jax.random.split(step_key)
        after, stepped = _play(player, played, policy, params, before, play_key)
        decision, timestep = stepped.decision, stepped.timestep
        action, best = decision.explored.action, judge.greedy(decision.worths)
        value = judge.of_action(decision.worths, best)
        cut_off_value = _value_at_the_end(player, policy, timestep, end_key)
        frame = judge.Frame(*(judge.of_action(part, action) for part in decision.frame))
        shown = _shown(player, stepped.observation, action)
        follows = action == best
        outcome = timestep.reward, timestep.terminated, timestep.truncated
        found = (
            shown,
            action,
            frame,
            value,
            cut_off_value,
            follows,
            outcome,
            _metrics(stepped, after.env_state),
        )
        return select(is_played, after, before), found

    is_played = np.arange(config.num_steps + 1) < config.num_steps
    inputs = (jax.random.split(key, config.num_steps + 1), jnp.asarray(is_played))
    after, found = jax.lax.scan(step, running(state), inputs)
    shown, action, frame, _, cut_off_value, follows, outcome, metrics = jax.tree.map(
        lambda leaf: leaf[:-1], found
    )
    next_value = found[3][1:]
    if cut_off_value is not None:
        next_value = jnp.where(outcome[2], cut_off_value, next_value)
    next_follows = jnp.concatenate([follows[1:], jnp.ones_like(follows[:1])])
    tunables = state.tunables
    reward, terminated, truncated = outcome
    target = value_targets.q_lambda(
        reward, terminated, truncated, next_value, next_follows, tunables["discount"], tunables["trace_decay"]
    )
    action = jnp.zeros_like(action) if player.learns_afterstates else action
    samples = Sample(shown, action, frame.offset, frame.scale, target)
    state = state.replace(env_state=after.env_state, memory=after.memory, is_first=after.is_first)
    return state, samples, _reduced(metrics)


@jax.named_scope("acting")
def _decided(
    player: Player, policy: Policy, observation: Observation, before: Running, key: PRNGKeyArray
) -> Decision:
    return acting.decide(player, policy, observation, before.memory, before.is_first, key)


def _play(
    player: Player, played: Batch, policy: Policy, params: Any, before: Running, key: PRNGKeyArray
) -> tuple[Running, Step]:
    """Play one step; boards are observed at its start, so that what observing and playing share is computed once."""
    observation = played.observe(before.env_state, params)
    decision = _decided(player, policy, observation, before, key)
    env_state, timestep = played.step(before.env_state, decision.explored.action, params)
    done = timestep.terminated | timestep.truncated
    return Running(env_state, decision.memory, done), Step(observation, decision, timestep)


def _value_at_the_end(player: Player, policy: Policy, timestep: TimeStep, key: PRNGKeyArray) -> Array | None:
    """Return the value of the true last observation, where a game can be truncated."""
    last = timestep.last_observation
    if last is None:
        return None
    is_first = jnp.zeros(timestep.reward.shape, bool)
    worths = acting.decide(player, policy, last, (), is_first, key).worths
    return jnp.max(worths, axis=-1)


def _shown(player: Player, observation: Observation, action: Array) -> Observation:
    """Keep of an observation what judging the chosen action takes."""
    if not player.learns_afterstates:
        return observation
    return of_placement(observation, action)


def of_placement(observation: Observation, action: Array) -> Observation:
    """Keep one placement of each board, as the only one: A = 1."""
    after = jax.tree.map(lambda leaf: judge.of_action(leaf, action)[:, None], observation.afterstates)
    legal = judge.of_action(observation.legal, action)[:, None]
    return observation.replace(afterstates=after, legal=legal)


def _packed(games: Any) -> Array:
    """Pack a batch of states, boards last: uint32[B, N]."""
    return jax.vmap(packing.pack, in_axes=-1)(games)


def _metrics(stepped: Step, env_state: EpisodeState) -> Metrics:
    explored = stepped.decision.explored
    shares = {
        f"explore/{kind.name.lower()}": jnp.mean(explored.decider == kind, dtype=jnp.float32)
        for kind in Decider
    }
    return {
        **episodes.finished_games(stepped.timestep, env_state),
        **shares,
        "explore/probability": jnp.mean(explored.probability),
    }


def _reduced(metrics: Metrics) -> Metrics:
    """Sum what is a sum over games, average the rest over the steps."""
    return {
        name: jnp.sum(value) if name.startswith("episodes/") else jnp.mean(value)
        for name, value in metrics.items()
    }
