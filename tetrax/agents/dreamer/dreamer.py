"""Putting the parts of Dreamer together."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import PartitionSpec
from jaxtyping import PRNGKeyArray

from tetrax.agents import checks, episodes, sizes
from tetrax.agents.agent import PROBABILITIES, Agent, Memory, Metrics, Sight
from tetrax.agents.dreamer import dreaming, living
from tetrax.agents.dreamer.dreamer_config import TUNABLE_RANGES, DreamerConfig
from tetrax.agents.dreamer.dreamer_state import Policy, Slot, TrainState
from tetrax.agents.dreamer.mind import Mind, make_mind
from tetrax.env import batch
from tetrax.env.contract import Game, Observation
from tetrax.env.game.vector import check_key
from tetrax.ops import laprop, online_queue, packing, replay, return_range
from tetrax.world_model import dreams, ensemble, judges, latents, model
from tetrax.world_model.dreams import Comparison, Dream, Plan

ACTS = ("model", "actor", "critic")  # the networks that acting needs


def make(config: DreamerConfig, env: Game) -> Agent:
    """Return an agent that learns a model of a game, and to play in what the model dreams.

    ValueError when the settings do not fit together, or do not fit what the game shows.
    """
    checks.check_kinds(config, DreamerConfig, env)
    config.validate(env)
    mind = make_mind(config, env)
    return Agent(
        name="dreamer",
        steps_per_iteration=config.num_envs * config.num_steps,
        init=lambda key, env_params=None, horizon=0: _init(mind, config, env, key, env_params),
        train=lambda state: _train(mind, config, env, state),
        policy=lambda state: Policy(params={name: state.params[name] for name in ACTS}),
        initial_memory=lambda batch_shape: living.initial_memory(mind, batch_shape),
        act=lambda *args: _act(mind, config, *args),
        games=lambda state: state.env_state.env_state.game,
        so_far=lambda state: episodes.mean_so_far(state.env_state),
        num_groups=config.num_groups,
        partition=_partition,
        replay_bytes=_replay_bytes(config, env),
        max_iterations=checks.LARGEST // config.num_updates,
        find_working_bytes=lambda: _find_working_bytes(config, env),
        take_over=_take_over,
        acted=lambda memory, action: memory.replace(action=action.astype(jnp.int32)),
        dream=jax.jit(functools.partial(_dream, mind, config, env), static_argnums=2),
    )


def _take_over(state: TrainState, policy: Policy) -> TrainState:
    slow = jax.tree.map(jnp.copy, policy.params["critic"])
    return state.replace(params={**state.params, **policy.params}, slow_critic=slow)


def _init(mind: Mind, config: DreamerConfig, env: Game, key: PRNGKeyArray, env_params: Any) -> TrainState:
    check_key(key)
    model_key, actor_key, critic_key, reset_key, warmup_key, key = jax.random.split(key, 6)
    env_params = env.default_params if env_params is None else env_params
    env_state, arrival = living.begin(env, jax.random.split(reset_key, config.num_envs), env_params)
    memory = living.initial_memory(mind, (config.num_envs,))
    features = memory.state.features
    params = {
        "model": model.initial_params(mind.world, model_key),
        "actor": mind.actor.init(actor_key, features),
        "critic": mind.critic.init(critic_key, features),
    }
    if mind.ensemble is not None:
        key, ensemble_key = jax.random.split(key)
        params["ensemble"] = ensemble.initial_params(mind.ensemble, mind.world, ensemble_key)
    kept = replay.empty(_slot(mind, config, env), **_replay_arguments(config))
    state = TrainState(
        params=params,
        slow_critic=jax.tree.map(jnp.copy, params["critic"]),
        optimiser=laprop.init(params),
        return_range=return_range.empty(),
        env_state=env_state,
        arrival=arrival,
        memory=memory,
        replay=kept,
        queue=online_queue.empty(),
        tunables={name: jnp.float32(getattr(config, name)) for name in config.tunables},
        env_params=env_params,
        iteration=jnp.int32(0),
        updates=jnp.int32(0),
        key=key,
    )
    return _warm_up(mind, config, env, state, warmup_key)


def _warm_up(
    mind: Mind, config: DreamerConfig, env: Game, state: TrainState, key: PRNGKeyArray
) -> TrainState:
    """Fill the start of the replay with games of random legal actions; windows of them do not wait in the queue."""
    num_rollouts = -(-config.warmup_steps // (config.num_envs * config.num_steps))

    def play(state: TrainState, play_key: PRNGKeyArray) -> tuple[TrainState, None]:
        return living.play(mind, config, env, state, play_key, at_random=True)[0], None

    state, _ = jax.lax.scan(play, state, jax.random.split(key, num_rollouts))
    return state.replace(queue=online_queue.skip(state.queue, state.replay))


def _train(mind: Mind, config: DreamerConfig, env: Game, state: TrainState) -> tuple[TrainState, Metrics]:
    """Play, and learn from what is kept."""
    play_key, learn_key, next_key = jax.random.split(state.key, 3)
    state, played = living.play(mind, config, env, state, play_key)
    state, measured = dreaming.learn(mind, config, env, state, learn_key)
    rate = laprop.warmed_up(
        state.tunables["learning_rate"], state.updates, state.tunables["learning_rate_warmup"]
    )
    state = state.replace(iteration=state.iteration + 1, key=next_key)
    return state, Metrics(totals=played.totals, means={**played.means, **measured, "learning_rate": rate})


def _act(
    mind: Mind,
    config: DreamerConfig,
    policy: Policy,
    sight: Sight,
    memory: Memory,
    key: PRNGKeyArray,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    """Choose actions for a batch: the most probable ones, or drawn ones; the latents are drawn in either case.

    With `planned_rollouts` by a policy that is improved by looking ahead.

    Diagnostics: "value" of what is seen, "entropy" of the policy and "log_prob" of the action.
    """
    is_first = sight.is_first
    if is_first is None:
        raise ValueError("sight.is_first: given None; allowed: bool[B], since this agent remembers")
    decided = living.decide(mind, config, policy.params, sight.observation, memory, is_first, key, greedy)
    logits = judges.apply(mind.critic, policy.params["critic"], decided.memory.state.features)
    diagnostics = {
        "value": judges.value(config.model, logits),
        "entropy": decided.chosen_from.entropy(),
        "log_prob": decided.chosen_from.log_prob(decided.action),
        PROBABILITIES: decided.chosen_from.probabilities,
    }
    return decided.action, decided.memory, diagnostics


def _dream(
    mind: Mind, config: DreamerConfig, env: Game, policy: Policy, key: PRNGKeyArray, plan: Plan
) -> tuple[Dream, Comparison]:
    """Let the policy play games, drawing its actions as in training, and compare what the model foresees with them."""

    def decide(
        seen: Observation, is_first: Array, memory: Memory, act_key: PRNGKeyArray
    ) -> tuple[Array, Memory]:
        decided = living.decide(mind, config, policy.params, seen, memory, is_first, act_key)
        return decided.action, decided.memory

    play_key, dream_key = jax.random.split(key)
    env_params = env.with_discount(env.default_params, jnp.float32(config.discount))
    memory = living.initial_memory(mind, (plan.games,))
    played = dreams.play(mind.world, env, env_params, decide, memory, plan, play_key)
    dream = dreams.foresee(
        mind.world, policy.params["model"], played, plan.context, config.discount, dream_key
    )
    return dream, dreams.compare(dream, env.spec.shows)


def _slot(mind: Mind, config: DreamerConfig, env: Game) -> Slot:
    """Return the shapes of what the replay keeps of one moment of one game."""

    def slot(key: PRNGKeyArray) -> Slot:
        flag = jnp.bool_(False)
        return Slot(
            seen=packing.pack(env.init(key, env.default_params)),
            action=jnp.int32(0),
            reward=jnp.float32(0),
            terminated=flag,
            truncated=flag,
            is_first=flag,
            state=latents.keep(living.initial_memory(mind, ()).state),
            log_prob=jnp.float32(0) if config.real_play else None,
        )

    return jax.eval_shape(slot, jax.random.key(0, impl="threefry2x32"))


def _replay_arguments(config: DreamerConfig) -> dict[str, Any]:
    return {
        "capacity": config.replay_capacity,
        "num_envs": config.num_envs,
        "length": config.window,
        "new_steps": config.num_steps,
        "num_groups": config.num_groups,
    }


def _replay_bytes(config: DreamerConfig, env: Game) -> int:
    defaults = DreamerConfig()
    decides = dataclasses.replace(config, **{name: getattr(defaults, name) for name in TUNABLE_RANGES})
    return _count_bytes(decides, env)  # alike for all points of a sweep


@functools.lru_cache(maxsize=16)
def _count_bytes(config: DreamerConfig, env: Game) -> int:
    return replay.memory_bytes(_slot(make_mind(config, env), config, env), **_replay_arguments(config))


def _find_working_bytes(config: DreamerConfig, env: Game) -> int:
    """Return the bytes of the moments of a batch, and of what is imagined from them."""
    deter, latent_count, classes = make_mind(config, env).world.state_sizes
    hidden_numbers = _count_hidden(config, env)
    each = sizes.FLOAT * (4 * deter + 12 * hidden_numbers + 3 * latent_count * classes)
    moments = config.batch_size * config.batch_length
    starts = config.imagined_starts or moments
    hidden = sizes.FLOAT * (deter + latent_count * classes + 4 * hidden_numbers + 4 * config.model.bins)
    told = config.ensemble * sizes.FLOAT * (2 * config.model.widths.units + 2 * latent_count * classes)
    guessing = (moments + config.imagined_steps * starts) * told
    return (
        guessing
        + moments * (each + sizes.observation_bytes(env))
        + (config.imagined_steps + 1) * starts * hidden
    )


def _count_hidden(config: DreamerConfig, env: Game) -> int:
    """Return the numbers of one hidden layer of the model, of all columns together; of cells, those of all rows too."""
    settings, shows = config.model, env.spec.shows
    if settings.state == "vector":
        return settings.widths.units
    numbers = shows.width * settings.widths.units
    if settings.state == "cells":
        numbers += shows.num_rows * (settings.row_units + shows.width * settings.cell_units)
    return numbers


def _partition(state: TrainState) -> Any:
    """Say how a TrainState is spread over devices: its games and its replay, by groups."""
    beside = state.iteration.ndim  # axes of several seeds
    return batch.everywhere(state).replace(
        env_state=batch.spread(state.env_state),
        arrival=batch.spread(state.arrival),
        memory=jax.tree.map(lambda leaf: PartitionSpec(*[None] * beside, batch.DEVICES), state.memory),
        replay=replay.partition(state.replay, batch.DEVICES),
    )
