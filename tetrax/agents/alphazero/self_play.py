"""Playing by search: the agent against itself, or alone, and what is to be learned of each position."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import episodes
from tetrax.agents.alphazero import judging
from tetrax.agents.alphazero.judging import Judgement, Searcher, Slot
from tetrax.env import batch
from tetrax.env.batch import Batch
from tetrax.env.contract import Game, Observation, Sight
from tetrax.env.wrappers import AutoReset, EpisodeState, EpisodeStatistics
from tetrax.ops.distributions import MaskedCategorical
from tetrax.ops.normalise import RunningMoments
from tetrax.search.game_model import GameParams, Model, discount_to_next, game_model, reward_of_mover
from tetrax.search.tree import tree_search


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run."""

    params: Any  # of the network
    optimiser: Any  # Adam's moments
    value_moments: RunningMoments  # of the value targets, []
    env_state: EpisodeState  # of B games, on the last axis
    replay: Any  # of Slots
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES and "horizon" (iterations)
    env_params: Any  # of the environment
    iteration: Array  # int32[], iterations done
    key: Array  # key<fry>[]


class Looked(NamedTuple):
    """What a step keeps until it is known how the games went on: [T, B]."""

    seen: Any  # what the replay keeps, [T, B, ...]
    others: Array  # float32[T, B, others], what the search says of other afterstates that are kept
    weights: Array | None  # float32, [T, B, A]; None where they are not learned
    value: Array  # float32, of the search, to who moved
    next_value: Array | None  # float32, of the true last position; None where games are not truncated
    reward: Array  # float32, of who moved
    discount: Array  # float32, of the next value: 0 where the game ended, less where it is the other player's
    truncated: Array  # bool
    is_random: Array  # bool, the move was drawn among all


class Targets(NamedTuple):
    """What is to be learned of each step: float32[T, B]."""

    value: Array  # of the position, to who decides there
    after: Array  # of what the move left, to who decides next; 0 where the game ended


def make_envs(env: Game) -> Batch:
    """Return the games that are played; they keep the state in which one ended."""
    return Batch(EpisodeStatistics(AutoReset(env, keep_last=True)))


def make_model(searcher: Searcher, judgement: Judgement, env_params: Any) -> Model:
    """Return the true game as a planner looks at it, judged by the network."""

    def judge_position(judgement: Judgement, observation: Observation) -> tuple[Array, Array]:
        return judging.judge(searcher, judgement, observation)

    env_params = searcher.env.with_discount(env_params, judgement.discount)
    params = GameParams(judge=judgement, env=env_params, discount=judgement.discount)
    return game_model(searcher.env, judge_position, params)


def judgement_of(state: TrainState) -> Judgement:
    """Return the network as it is now."""
    return Judgement(state.params, state.value_moments, state.tunables["discount"])


@jax.named_scope("acting")
def play(
    searcher: Searcher, state: TrainState, key: PRNGKeyArray
) -> tuple[TrainState, Slot, dict[str, Array], dict[str, Array]]:
    """Play `num_steps` of B games; return Slots [T, B], totals of the games that ended, and means.

    The network says what the positions are worth in which games go on after the last move.
    """
    config, env = searcher.config, searcher.env
    envs, discount = make_envs(env), state.tunables["discount"]
    params = env.with_discount(state.env_params, discount)
    model = make_model(searcher, judgement_of(state), state.env_params)
    plan = tree_search(config.search, config.num_simulations, explores=True)

    def step(env_state: EpisodeState, step_key: PRNGKeyArray) -> Any:
        plan_key, random_key = jax.random.split(step_key)
        observation = envs.observe(env_state, params)
        game = env_state.env_state.game
        before = batch.games_first(game)
        action, found = plan(model, Sight(observation=observation, is_first=None, state=before), plan_key)
        action, is_random = _stray(state.tunables["random_moves"], observation, action, random_key)
        after, timestep = envs.step(env_state, action, params)
        last = batch.games_first(after.env_state.last)
        going_on = discount_to_next(env, before, last, discount)
        entropy = MaskedCategorical.from_logits(jnp.log(found.weights + 1e-9), observation.legal).entropy()
        next_value = None
        if timestep.last_observation is not None:
            next_value = model.root(
                model.params, Sight(timestep.last_observation, None, last), plan_key
            ).value
        kept, others = judging.keep(searcher, game, observation, action, found.visits)
        looked = Looked(
            seen=kept,
            others=worth_after(observation, found.worths, others, discount),
            weights=None if searcher.learns_afterstates else found.weights,
            value=found.value,
            next_value=next_value,
            reward=reward_of_mover(env, timestep.reward, before),
            discount=jnp.where(timestep.terminated, 0.0, going_on),
            truncated=timestep.truncated,
            is_random=is_random,
        )
        told = {"search/value": jnp.mean(found.value), "search/entropy": jnp.mean(entropy)}
        return after, (looked, episodes.sum_finished(timestep, after), told)

    play_key, last_key = jax.random.split(key)
    env_state, (looked, ended, told) = jax.lax.scan(
        step, state.env_state, jax.random.split(play_key, config.num_steps)
    )
    bootstrap = _value_of(model, envs.observe(env_state, params), env_state, last_key)
    targets = find_targets(looked, bootstrap, state.tunables["trace_decay"])
    values = targets.value
    if searcher.learns_afterstates:
        values = jnp.concatenate([targets.after[..., None], looked.others], axis=-1)
    slots = Slot(looked.seen, looked.weights, values)
    totals, means = jax.tree.map(jnp.sum, ended), jax.tree.map(jnp.mean, told)
    return state.replace(env_state=env_state), slots, totals, means


def worth_after(seen: Observation, worths: Array, actions: Array, discount: Array) -> Array:
    """Return what is left of what placements are worth, [B, others], when they are made: without their own reward."""
    if not actions.shape[-1]:
        return jnp.zeros(actions.shape, jnp.float32)
    assert seen.afterstates is not None and seen.afterstates.reward is not None
    later = jnp.take_along_axis(worths - seen.afterstates.reward, actions, axis=-1)
    return jnp.where(discount > 0, later / jnp.maximum(discount, 1e-6), 0.0)


def _value_of(model: Model, observation: Observation, env_state: EpisodeState, key: PRNGKeyArray) -> Array:
    """Return what the network says of the positions in which an iteration leaves its games."""
    game = batch.games_first(env_state.env_state.game)
    return model.root(model.params, Sight(observation=observation, is_first=None, state=game), key).value


def _stray(share: Array, observation: Observation, action: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
    """Put random legal moves in the place of some."""
    whether_key, which_key = jax.random.split(key)
    legal = observation.legal
    anything = MaskedCategorical.from_logits(jnp.zeros(legal.shape, jnp.float32), legal).sample(which_key)
    is_random = jax.random.bernoulli(whether_key, share, action.shape)
    return jnp.where(is_random, anything, action).astype(jnp.int32), is_random


def find_targets(looked: Looked, bootstrap: Array, trace_decay: Array) -> Targets:
    """Return what is to be learned, by how games went on: lambda returns over the values of the search.

    The value of a position is to who decides there; a discount below 0 turns the other player's into this one's.
    Where a random move was made the search's own value stands, since the game went on from another choice; but what
    came after the move is what that move is worth.
    """

    def back(following: tuple[Array, Array], at: Looked) -> tuple[tuple[Array, Array], Targets]:
        target_after, value_after = following  # of the next position: its target and the search's value
        ahead = (1 - trace_decay) * value_after + trace_decay * target_after
        if at.next_value is not None:
            ahead = jnp.where(at.truncated, at.next_value, ahead)
        target = jnp.where(at.is_random, at.value, at.reward + at.discount * ahead)
        return (target, at.value), Targets(target, jnp.where(at.discount == 0, 0.0, ahead))

    return jax.lax.scan(back, (bootstrap, bootstrap), looked, reverse=True)[1]
