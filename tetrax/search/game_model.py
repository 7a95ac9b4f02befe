"""What a planner looks ahead in: a record of functions in mctx's sense, made here from any game of the house."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.contract import Game, Observation, Sight
from tetrax.ops.distributions import ILLEGAL

Judge = Callable[[Any, Observation], tuple[Array, Array]]
"""judge(params, observation of B games) -> (logits float32[B, A], value float32[B] to who decides, in rewards)."""


class Model(NamedTuple):
    """Where planning looks ahead: the true game, or what a world model imagines."""

    params: Any  # what both functions take first
    # (params, sight of B games, key) -> the roots: logits ILLEGAL where illegal, value, embedding [B, ...]
    root: Callable[[Any, Sight, PRNGKeyArray], mctx.RootFnOutput]
    # (params, key, action int32[B], embedding) -> (reward, discount, logits, value; each to who decides), embedding
    recurrent: Callable[[Any, PRNGKeyArray, Array, Any], tuple[mctx.RecurrentFnOutput, Any]]


class GameParams(struct.PyTreeNode):
    """What the model of a game depends on."""

    judge: Any  # parameters of the judge
    env: Any  # of the game
    discount: Array  # float32[], per decision


def game_model(env: Game, judge: Judge, params: GameParams) -> Model:
    """Return a game as a model, in which the states themselves are the embeddings; `Sight.state` gives the roots.

    What a player cannot know is drawn anew before anything is looked at. Where players take turns, what the next
    one gains is lost to this one.
    """

    def root(params: GameParams, sight: Sight, key: PRNGKeyArray) -> mctx.RootFnOutput:
        keys = jax.random.split(key, sight.observation.legal.shape[0])
        state = jax.vmap(env.resample_future)(sight.state, keys)
        logits, value = judge(params.judge, sight.observation)
        return mctx.RootFnOutput(
            prior_logits=only_legal(logits, sight.observation.legal), value=value, embedding=state
        )

    def recurrent(
        params: GameParams, key: PRNGKeyArray, action: Int32[Array, "B"], state: Any
    ) -> tuple[mctx.RecurrentFnOutput, Any]:
        del key  # the future was drawn at the root
        after, reward, terminated, truncated, _ = jax.vmap(env.transition, in_axes=(0, 0, None))(
            state, action, params.env
        )
        seen = jax.vmap(env.observe, in_axes=(0, None))(after, params.env)
        logits, value = judge(params.judge, seen)
        over = terminated | truncated
        return mctx.RecurrentFnOutput(
            reward=reward_of_mover(env, reward, state),
            discount=jnp.where(over, 0.0, discount_to_next(env, state, after, params.discount)),
            prior_logits=only_legal(logits, seen.legal),
            value=jnp.where(terminated, 0.0, value),
        ), after

    return Model(params, root, recurrent)


def reward_of_mover(env: Game, reward: Array, state: Any) -> Float32[Array, "*n"]:
    """Return the rewards of those who moved, from float32[*n], or float32[*n, P] with P players; of all the first's."""
    if env.spec.acts_together:
        return reward[..., 0]
    if env.spec.num_players == 1:
        return reward
    return jnp.take_along_axis(reward, state.player[..., None], axis=-1)[..., 0]


def discount_to_next(env: Game, before: Any, after: Any, discount: Array) -> Float32[Array, "B"]:
    """Return what a value of the next decision is worth at this one: less than nothing where the other player's."""
    if env.spec.num_players == 1:
        return jnp.broadcast_to(discount, jax.tree.leaves(before)[0].shape[:1])
    return jnp.where(before.player == after.player, discount, -discount)


def only_legal(logits: Float32[Array, "B A"], legal: Bool[Array, "B A"]) -> Float32[Array, "B A"]:
    """Return logits that are ILLEGAL where an action is illegal, as mctx tells them."""
    return jnp.where(legal, logits, ILLEGAL)


def even_judge(params: Any, observation: Observation) -> tuple[Array, Array]:
    """Judge nothing: every action alike, every position worth 0. With it the search alone decides."""
    del params
    legal = observation.legal
    return jnp.zeros(legal.shape, jnp.float32), jnp.zeros(legal.shape[0], jnp.float32)
