"""Playing: moments of games for the replay."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, PRNGKeyArray

from tetrax.agents import episodes, kept_games
from tetrax.agents.agent import Metrics
from tetrax.agents.dreamer import dreamt_tree, planning
from tetrax.agents.dreamer.dreamer_config import DreamerConfig
from tetrax.agents.dreamer.dreamer_state import Arrival, Memory, Slot, TrainState
from tetrax.agents.dreamer.mind import Decision, Mind
from tetrax.env.batch import Batch
from tetrax.env.contract import Game, Observation
from tetrax.env.game.state import select
from tetrax.env.wrappers import EpisodeState, LateReset, count_step, no_episode
from tetrax.ops import online_queue, replay
from tetrax.ops.distributions import MaskedCategorical
from tetrax.world_model import judges, latents, model


class Running(NamedTuple):
    """What goes from step to step."""

    env_state: EpisodeState
    arrival: Arrival
    memory: Memory


def initial_memory(mind: Mind, batch_shape: tuple[int, ...]) -> Memory:
    """Return what is remembered before a game."""
    state = model.initial_state(mind.world, batch_shape)
    return Memory(state=state, action=jnp.zeros(batch_shape, jnp.int32))


def decide(
    mind: Mind,
    config: DreamerConfig,
    params: Any,
    observation: Observation,
    memory: Memory,
    is_first: Bool[Array, "B"],
    key: PRNGKeyArray,
    greedy: bool = False,
) -> Decision:
    """Look at B games and choose an action in each, after looking ahead where that is planned.

    Latents are drawn, greedy or not.
    """
    see_key, act_key = jax.random.split(key)
    state = model.see_step(
        mind.world, params["model"], memory.state, memory.action, observation, is_first, see_key
    )
    logits = judges.apply(mind.actor, params["actor"], state.features)
    chosen_from = judges.policy(logits, observation.legal, 0.0 if greedy else mind.world.config.mixture)
    if config.planned_simulations:
        plan_key, act_key = jax.random.split(act_key)
        chosen_from = dreamt_tree.search(mind, config, params, state, chosen_from, plan_key)
    elif config.planned_rollouts:
        plan_key, act_key = jax.random.split(act_key)
        outlook = planning.look_ahead(mind, config, params, state, chosen_from, plan_key)
        chosen_from = planning.improve(chosen_from, outlook, config.planned_temperature)
    if greedy:
        action = chosen_from.mode().astype(jnp.int32)
    else:
        action = judges.draw_action(chosen_from, jax.random.uniform(act_key, is_first.shape))
    return Decision(action, chosen_from, Memory(state=state, action=action))


def begin(env: Game, keys: PRNGKeyArray, env_params: Any) -> tuple[EpisodeState, Arrival]:
    """Start B games."""
    games, timestep = _games(env).reset(keys, env_params)
    nothing = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (keys.shape[0],)), no_episode(env.spec))
    arrival = Arrival(
        reward=timestep.reward,
        terminated=timestep.terminated,
        truncated=timestep.truncated,
        is_first=jnp.ones_like(timestep.terminated),
    )
    return EpisodeState(env_state=games, running=nothing, finished=nothing), arrival


def play(
    mind: Mind,
    config: DreamerConfig,
    env: Game,
    state: TrainState,
    key: PRNGKeyArray,
    *,
    at_random: bool = False,
) -> tuple[TrainState, Metrics]:
    """Play `num_steps` steps of B games into the replay; `at_random` takes any legal action."""
    env_params = env.with_discount(state.env_params, state.tunables["discount"])

    def step(before: Running, step_key: PRNGKeyArray) -> tuple[Running, tuple[Slot, Metrics]]:
        observation = _games(env).observe(before.env_state.env_state, env_params)
        with jax.named_scope("acting"):
            decided = _choose(mind, config, state.params, observation, before, step_key, at_random)
        after, metrics = _take(env, env_params, before, decided)
        return after, (_slot(config, before, decided), metrics)

    keys = jax.random.split(key, config.num_steps)
    before = Running(state.env_state, state.arrival, state.memory)
    after, (slots, metrics) = jax.lax.scan(step, before, keys)
    return state.replace(
        env_state=after.env_state,
        arrival=after.arrival,
        memory=after.memory,
        replay=replay.insert(state.replay, slots),
        queue=online_queue.insert(state.queue, state.replay),
    ), metrics.reduce()


def _games(env: Game) -> Batch:
    return Batch(LateReset(env))


def _choose(
    mind: Mind,
    config: DreamerConfig,
    params: Any,
    observation: Observation,
    before: Running,
    key: PRNGKeyArray,
    at_random: bool,
) -> Decision:
    memory, is_first = before.memory, before.arrival.is_first
    if not at_random:
        return decide(mind, config, params, observation, memory, is_first, key)
    decide_key, any_key = jax.random.split(key)
    config = dataclasses.replace(
        config, planned_rollouts=0, planned_simulations=0
    )  # it is only looked, to remember what was seen
    decided = decide(mind, config, params, observation, memory, is_first, decide_key)
    uniform = jax.random.uniform(any_key, decided.action.shape)
    anything = MaskedCategorical.from_logits(
        jnp.zeros(observation.legal.shape, jnp.float32), observation.legal
    )
    action = judges.draw_action(anything, uniform)
    return Decision(action, anything, decided.memory.replace(action=action))


def _take(env: Game, env_params: Any, before: Running, decided: Decision) -> tuple[Running, Metrics]:
    """Take the actions; where a game is over the next one begins."""
    was_over = before.env_state.env_state.is_over
    games, timestep = _games(env).step(before.env_state.env_state, decided.action, env_params)
    counted = jax.vmap(
        lambda episode, reward, event: count_step(env.spec, episode, reward, env.measure(event))
    )
    running = counted(before.env_state.running, timestep.reward, timestep.event)
    nothing = jax.tree.map(jnp.zeros_like, running)
    running = select(was_over, nothing, running)
    done = timestep.terminated | timestep.truncated
    env_state = EpisodeState(
        env_state=games, running=running, finished=select(done, running, before.env_state.finished)
    )
    arrival = Arrival(
        reward=timestep.reward,
        terminated=timestep.terminated,
        truncated=timestep.truncated,
        is_first=was_over,
    )
    means = {
        "entropy": jnp.mean(decided.chosen_from.entropy()),
        "starting": jnp.mean(jnp.asarray(was_over, jnp.float32)),
    }
    metrics = Metrics(totals=episodes.sum_finished(timestep, env_state), means=means)
    return Running(env_state, arrival, decided.memory), metrics


def _slot(config: DreamerConfig, before: Running, decided: Decision) -> Slot:
    """Return what the replay keeps of a moment."""
    return Slot(
        seen=kept_games.pack(before.env_state.env_state.game),
        action=decided.action,
        reward=before.arrival.reward,
        terminated=before.arrival.terminated,
        truncated=before.arrival.truncated,
        is_first=before.arrival.is_first,
        state=latents.keep(decided.memory.state),
        log_prob=decided.chosen_from.log_prob(decided.action) if config.real_play else None,
    )
