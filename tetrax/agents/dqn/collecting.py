"""Playing: steps for the replay, or whole rollouts to learn from at once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import episodes, kept_games
from tetrax.agents.agent import Metrics
from tetrax.agents.dqn import acting, judge
from tetrax.agents.dqn.acting import Decision, Exploration, Player
from tetrax.agents.dqn.dqn_config import DQNConfig
from tetrax.agents.dqn.train_state import Policy, Sample, Slot, TrainState
from tetrax.env.batch import Batch
from tetrax.env.contract import Game, Observation, TimeStep
from tetrax.env.game.state import select
from tetrax.env.wrappers import AutoReset, EpisodeState, EpisodeStatistics
from tetrax.ops import value_targets
from tetrax.ops.exploration import Decider


class Collector(NamedTuple):
    """What never changes while an iteration plays."""

    player: Player
    envs: Batch
    policy: Policy
    params: Any  # of the environment


class Running(NamedTuple):
    """What goes from step to step."""

    env_state: EpisodeState
    memory: Any
    is_first: Array  # bool[B]


class Played(NamedTuple):
    """One step of B games."""

    observation: Observation
    decision: Decision
    timestep: TimeStep


class Decided(NamedTuple):
    """What a rollout keeps of a step until its returns are known: [T, B]."""

    shown: Observation  # what judging the chosen action takes
    action: Array  # int32
    frame: judge.Frame  # of the action
    value: Array  # float32, of the best action
    cut_off_value: Array | None  # float32, of the true last observation; None where games are not truncated
    is_best: Array  # bool, the best action was taken
    reward: Array  # float32
    terminated: Array  # bool
    truncated: Array  # bool


def make_envs(config: DQNConfig, env: Game) -> Batch:
    """Return the games that are played; those for a replay keep the state in which one was truncated."""
    keep_last = config.replay_capacity > 0 and env.spec.can_truncate
    return Batch(EpisodeStatistics(AutoReset(env, keep_last=keep_last)))


def collect_slots(
    player: Player, env: Game, state: TrainState, explores: Exploration, key: PRNGKeyArray
) -> tuple[TrainState, Slot, Metrics]:
    """Play `num_steps` of B games side by side; return Slots [T, B] and metrics."""
    collector = _collector(player, env, state, explores)

    def step(before: Running, step_key: PRNGKeyArray) -> tuple[Running, tuple[Slot, Metrics]]:
        after, played = _play(collector, before, step_key)
        return after, (_slot(before, after, played), _metrics(played, after.env_state))

    keys = jax.random.split(key, player.config.num_steps)
    after, (slots, metrics) = jax.lax.scan(step, _take_games(state), keys)
    return _put_back(state, after), slots, metrics.reduce()


def collect_samples(
    player: Player, env: Game, state: TrainState, explores: Exploration, key: PRNGKeyArray
) -> tuple[TrainState, Sample, Metrics]:
    """Play `num_steps` of B games; return Samples [T, B] whose targets are lambda returns, and metrics.

    The scan looks once more than it plays, for the value after the last step.
    """
    num_steps, collector = player.config.num_steps, _collector(player, env, state, explores)

    def step(before: Running, step_input: tuple[PRNGKeyArray, Array]) -> Any:
        step_key, is_played = step_input
        play_key, end_key = jax.random.split(step_key)
        after, played = _play(collector, before, play_key)
        decided = _keep_decision(collector, played, end_key)
        return select(is_played, after, before), (decided, _metrics(played, after.env_state))

    is_played = np.arange(num_steps + 1) < num_steps
    inputs = (jax.random.split(key, num_steps + 1), jnp.asarray(is_played))
    after, (decided, metrics) = jax.lax.scan(step, _take_games(state), inputs)
    metrics = jax.tree.map(lambda leaf: leaf[:-1], metrics)
    return _put_back(state, after), _samples(player, state, decided), metrics.reduce()


def _collector(player: Player, env: Game, state: TrainState, explores: Exploration) -> Collector:
    return Collector(
        player=player,
        envs=make_envs(player.config, env),
        policy=acting.make_policy(state, explores),
        params=env.with_discount(state.env_params, state.tunables["discount"]),
    )


def _take_games(state: TrainState) -> Running:
    """Take the games out of the state, where they stand."""
    return Running(state.env_state, state.memory, state.is_first)


def _put_back(state: TrainState, after: Running) -> TrainState:
    """Put the games back, where they stand now."""
    return state.replace(env_state=after.env_state, memory=after.memory, is_first=after.is_first)


@jax.named_scope("acting")
def _decide(collector: Collector, observation: Observation, before: Running, key: PRNGKeyArray) -> Decision:
    return acting.decide(collector.player, collector.policy, observation, before.memory, before.is_first, key)


def _play(collector: Collector, before: Running, key: PRNGKeyArray) -> tuple[Running, Played]:
    """Play one step; games are observed at its start, so that what observing and playing share is computed once."""
    envs, params = collector.envs, collector.params
    observation = envs.observe(before.env_state, params)
    decision = _decide(collector, observation, before, key)
    env_state, timestep = envs.step(before.env_state, decision.explored.action, params)
    done = timestep.terminated | timestep.truncated
    return Running(env_state, decision.memory, done), Played(observation, decision, timestep)


def _slot(before: Running, after: Running, played: Played) -> Slot:
    """Return what the replay keeps of a step."""
    timestep, last = played.timestep, after.env_state.env_state.last
    return Slot(
        seen=kept_games.pack(before.env_state.env_state.game),
        action=played.decision.explored.action,
        reward=timestep.reward,
        terminated=timestep.terminated,
        truncated=timestep.truncated,
        is_first=before.is_first,
        last=None if last is None else kept_games.pack(last),
        memory=before.memory,
    )


def _keep_decision(collector: Collector, played: Played, end_key: PRNGKeyArray) -> Decided:
    """Return what a rollout keeps of a step."""
    player, decision, timestep = collector.player, played.decision, played.timestep
    action, best = decision.explored.action, judge.greedy(decision.worths)
    observation = played.observation
    return Decided(
        shown=kept_games.keep_placement(observation, action) if player.learns_afterstates else observation,
        action=action,
        frame=decision.frame.of_action(action),
        value=judge.of_action(decision.worths, best),
        cut_off_value=_value_at_the_end(collector, timestep, end_key),
        is_best=action == best,
        reward=timestep.reward,
        terminated=timestep.terminated,
        truncated=timestep.truncated,
    )


def _value_at_the_end(collector: Collector, timestep: TimeStep, key: PRNGKeyArray) -> Array | None:
    """Return the value of the true last observation, where a game can be truncated."""
    last = timestep.last_observation
    if last is None:
        return None
    is_first = jnp.zeros(timestep.reward.shape, bool)
    worths = acting.decide(collector.player, collector.policy, last, (), is_first, key).worths
    return jnp.max(worths, axis=-1)


def _samples(player: Player, state: TrainState, looked: Decided) -> Sample:
    """Find the returns of T steps from T + 1 looks at the games."""
    next_value = looked.value[1:]
    decided: Decided = jax.tree.map(lambda leaf: leaf[:-1], looked)
    if decided.cut_off_value is not None:
        next_value = jnp.where(decided.truncated, decided.cut_off_value, next_value)
    next_is_best = jnp.concatenate([decided.is_best[1:], jnp.ones_like(decided.is_best[:1])])
    target = value_targets.q_lambda(
        decided.reward,
        decided.terminated,
        decided.truncated,
        next_value,
        next_is_best,
        state.tunables["discount"],
        state.tunables["trace_decay"],
    )
    action = jnp.zeros_like(decided.action) if player.learns_afterstates else decided.action
    return Sample(decided.shown, action, decided.frame.offset, decided.frame.scale, target)


def _metrics(played: Played, env_state: EpisodeState) -> Metrics:
    explored = played.decision.explored
    shares = {
        f"explore/{kind.name.lower()}": jnp.mean(explored.decider == kind, dtype=jnp.float32)
        for kind in Decider
    }
    return Metrics(
        totals=episodes.sum_finished(played.timestep, env_state),
        means={**shares, "explore/probability": jnp.mean(explored.probability)},
    )
