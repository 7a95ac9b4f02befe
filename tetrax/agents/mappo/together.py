"""Playing: a rollout of B games, in which P players act in every step."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import episodes
from tetrax.agents.agent import Rollout
from tetrax.agents.mappo import league
from tetrax.agents.mappo.league import League
from tetrax.agents.mappo.players import Players, Policy
from tetrax.env.batch import Batch
from tetrax.env.contract import Game
from tetrax.env.game.state import select
from tetrax.env.wrappers import AutoReset, EpisodeState, EpisodeStatistics
from tetrax.ops import normalise
from tetrax.ops.distributions import MaskedCategorical


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run; K sets of parameters."""

    params: Any  # of the network, [K, ...]
    optimiser: Any  # Adam's moments, [K, ...]
    value_moments: normalise.RunningMoments  # of the value targets, [K]
    env_state: EpisodeState  # of B games, on the last axis
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES and "horizon" (iterations)
    env_params: Any  # of the environment
    iteration: Array  # int32[], iterations done
    key: Array  # key<fry>[]
    league: League | None = None  # past selves; None where there is none


def make_envs(env: Game) -> Batch:
    """Return the games as they are trained on."""
    return Batch(EpisodeStatistics(AutoReset(env)))


def collect(
    players: Players, state: TrainState, key: PRNGKeyArray
) -> tuple[TrainState, Rollout, dict[str, Array], Any]:
    """Play `num_steps` of B games side by side; return the rollout [T, B, P] and totals of the games that ended.

    Last comes what the learner did at the league's tables, `league.results`; () without one. There the rollout has
    what the snapshots did in their seats.

    The scan looks once more than it plays, for the values after the last step. `terminated` and `truncated` are those
    of the games, [T, B].
    """
    config, env = players.config, players.env
    envs = make_envs(env)
    env_params = env.with_discount(state.env_params, state.tunables["discount"])
    policy, past = Policy(params=state.params, value_moments=state.value_moments), state.league

    def step(env_state: EpisodeState, step_input: tuple[PRNGKeyArray, Array]) -> Any:
        act_key, is_played = step_input
        observation = envs.observe(env_state, env_params)
        with jax.named_scope("acting"):
            logits, value = players.judge_seats(policy, observation)
            distribution = MaskedCategorical.from_logits(logits, observation.legal)
            if past is None:
                action = jnp.asarray(distribution.sample(act_key), jnp.int32)
            else:
                draw_key, reply_key = jax.random.split(act_key)
                action = jnp.asarray(distribution.sample(draw_key), jnp.int32)
                action = league.reply(players, past, observation, action, reply_key)
        after, timestep = envs.step(env_state, action, env_params)
        last = timestep.last_observation
        looked = Rollout(
            observation=observation,
            action=action,
            log_prob=distribution.log_prob(action),
            value=value,
            next_value=value if last is None else players.judge_seats(policy, last)[1],
            reward=timestep.reward,
            terminated=timestep.terminated,
            truncated=timestep.truncated,
            is_first=None,
            memory=(),
        )
        finished = episodes.sum_finished(timestep, after)
        done = timestep.terminated | timestep.truncated
        against = () if past is None else league.results(players, timestep.event, done)
        return select(is_played, after, env_state), (looked, finished, against)

    is_played = jnp.arange(config.num_steps + 1) < config.num_steps
    inputs = (jax.random.split(key, config.num_steps + 1), is_played)
    env_state, (looked, *ended) = jax.lax.scan(step, state.env_state, inputs)
    next_value = looked.value[1:]  # of [T + 1, B, P]
    rollout, ended = jax.tree.map(lambda leaf: leaf[:-1], (looked, ended))
    finished, against = jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0), ended)
    next_value = jnp.where(rollout.truncated[..., None], rollout.next_value, next_value)
    rollout = rollout.replace(next_value=next_value)
    return state.replace(env_state=env_state), rollout, finished, against
