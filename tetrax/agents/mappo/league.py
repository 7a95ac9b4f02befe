"""A league: past selves that are played against, so that what was once learned to beat is not forgotten.

In a share of the games one seat is the learner's, and snapshots of its parameters play the others. Such games stand at
tables, each with one snapshot; which one is drawn by how seldom the learner beats it (prioritised fictitious self-play,
Vinyals et al. 2019, "Grandmaster level in StarCraft II", equation of "hard" opponents with p = 2). All of it is part of
the TrainState, so that a run that is resumed goes on with the same opponents.
"""

import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.agents.mappo.mappo_config import LeagueConfig
from tetrax.agents.mappo.players import Players
from tetrax.env.contract import LOSSES, WINS, Observation, TogetherGame
from tetrax.env.game.state import select
from tetrax.ops.distributions import MaskedCategorical

DECAY = 0.98  # of what is remembered of games against a snapshot, an iteration
HARDNESS = 2.0  # p: how much more often those are drawn that are seldom beaten
ALWAYS = 0.01  # of that weight, what every snapshot has
DOUBT = 1.0  # games that count as won by half before the first


class League(struct.PyTreeNode):
    """S snapshots, and what the learner did against them; T tables."""

    params: Any  # [S, ...]
    points: Array  # float32[S], of the learner against each: 1 a win, 1/2 a draw, fading
    games: Array  # float32[S], that these are of, fading
    taken_at: Array  # int32[S], the iteration of each; -1 = there is none yet
    tables: Array  # int32[T], the snapshot that plays at each


@functools.lru_cache(maxsize=16)
def find_games(config: LeagueConfig, num_envs: int, num_groups: int) -> np.ndarray:
    """Return the numbers of the games against snapshots, int[M], table by table."""
    group = num_envs // num_groups
    first = group - config.games_of(group)
    return np.flatnonzero(np.arange(num_envs) % group >= first)


def seats(config: LeagueConfig, num_envs: int, num_groups: int, num_players: int) -> Bool[np.ndarray, "B P"]:
    """Tell which seats are the learner's: all, and in games against snapshots one, from game to game another one."""
    learned = np.ones((num_envs, num_players), bool)
    games = find_games(config, num_envs, num_groups)
    learned[games] = np.arange(num_players) == (np.arange(len(games)) % num_players)[:, None]
    return learned


def begin(config: LeagueConfig, params: Any) -> League | None:
    """Return a league of one snapshot, the parameters [1, ...] that learning begins with; None without one."""
    if not config.size:
        return None
    return League(
        params=jax.tree.map(
            lambda leaf: jnp.copy(jnp.broadcast_to(leaf, (config.size, *leaf.shape[1:]))), params
        ),
        points=jnp.zeros(config.size, jnp.float32),
        games=jnp.zeros(config.size, jnp.float32),
        taken_at=jnp.full(config.size, -1, jnp.int32).at[0].set(0),
        tables=jnp.zeros(config.tables, jnp.int32),
    )


def reply(
    players: Players,
    league: League,
    observation: Observation,
    action: Int32[Array, "B P"],
    key: PRNGKeyArray,
) -> Int32[Array, "B P"]:
    """Return the actions, in games against snapshots with those that the snapshots draw in their seats."""
    config = players.config
    games = find_games(config.league, config.num_envs, config.num_groups)
    learned = seats(config.league, config.num_envs, config.num_groups, players.count)[games]
    tables = config.league.tables

    def at_tables(leaf: Array) -> Array:
        return leaf[games].reshape(tables, learned.size // tables, *leaf.shape[2:])  # [T, M * P / T, ...]

    params = jax.tree.map(lambda leaf: leaf[league.tables], league.params)
    seen = jax.tree.map(at_tables, observation)
    logits = jax.vmap(players.logits)(params, seen)
    drawn = MaskedCategorical.from_logits(logits, seen.legal).sample(key)
    theirs = jnp.asarray(drawn, jnp.int32).reshape(learned.shape)
    return action.at[games].set(jnp.where(learned, action[games], theirs))


def results(players: Players, event: Any, done: Bool[Array, "B"]) -> tuple[Array, Array]:
    """Return the points that the learner made at each table in a step, and the games that ended, float32[T] each."""
    config = players.config
    games = find_games(config.league, config.num_envs, config.num_groups)
    learner = np.asarray(np.arange(len(games)) % players.count, np.int32)
    events = jax.tree.map(lambda leaf: leaf[games], event)
    told = jax.vmap(cast(TogetherGame, players.env).measure_player)(events, jnp.asarray(learner))
    won, lost = told[WINS] > 0, told[LOSSES] > 0
    points = jnp.where(done[games], jnp.where(won, 1.0, jnp.where(lost, 0.0, 0.5)), 0.0)
    by_table = points.reshape(config.league.tables, -1), done[games].reshape(config.league.tables, -1)
    return jnp.sum(by_table[0], axis=1), jnp.sum(by_table[1], axis=1).astype(jnp.float32)


def move_on(
    config: LeagueConfig,
    league: League,
    params: Any,
    against: tuple[Float32[Array, "T"], Float32[Array, "T"]],
    iteration: Int32[Array, ""],
    key: PRNGKeyArray,
) -> League:
    """Count points and games; where it is time take a snapshot of the parameters [1, ...] and draw the tables anew.

    A snapshot takes a free place, or that of the one that the learner beats most often. Games go on where a table gets
    another snapshot: what they come to counts for the one that ends them.
    """
    at, (points, games) = league.tables, against
    league = league.replace(
        points=(DECAY * league.points).at[at].add(points), games=(DECAY * league.games).at[at].add(games)
    )
    is_free = league.taken_at < 0
    place = jnp.argmax(jnp.where(is_free, 2.0, score(league)))
    taken = league.replace(
        params=jax.tree.map(lambda old, new: old.at[place].set(new[0]), league.params, params),
        points=league.points.at[place].set(0.0),
        games=league.games.at[place].set(0.0),
        taken_at=league.taken_at.at[place].set(iteration),
    )
    is_time = iteration % config.every == 0
    league = select(is_time, taken, league)
    weights = jnp.where(league.taken_at >= 0, (1.0 - score(league)) ** HARDNESS + ALWAYS, 0.0)
    drawn = jax.random.categorical(key, jnp.log(weights), shape=(config.tables,)).astype(jnp.int32)
    return league.replace(tables=jnp.where(is_time, drawn, league.tables))


def score(league: League) -> Float32[Array, "S"]:
    """Return the share of the points that the learner makes against each snapshot, 1/2 before the first game."""
    return (league.points + 0.5 * DOUBT) / (league.games + DOUBT)


def mean_score(league: League) -> Float32[Array, ""]:
    """Return the mean of these over the snapshots that there are."""
    there = league.taken_at >= 0
    return jnp.sum(jnp.where(there, score(league), 0.0)) / jnp.sum(there)
