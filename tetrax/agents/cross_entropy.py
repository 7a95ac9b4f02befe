"""The cross-entropy method over the weights of a linear controller, and its noisy variant.

A generation draws weights from a Gaussian, plays with each of them, and refits mean and variance to the best
(Rubinstein 1999; de Boer et al. 2005, "A Tutorial on the Cross-Entropy Method"). The noisy variant adds to the
variance, so that it does not vanish too early: Szita and Lőrincz 2006, "Learning Tetris Using the Noisy
Cross-Entropy Method", on features of afterstates as Thiery and Scherrer 2009, "Building Controllers for Tetris".

All play side by side for the same number of steps, with a new game where one is lost, so that nobody waits for
the longest game; what they are judged by is an estimate of what a game comes to, see `fitness`. Good controllers
lose so rarely that it takes long to tell them apart; on a board with fewer rows they do so sooner (`fewer_rows`).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.agents import checks, sizes
from tetrax.agents.agent import WORTHS, Agent, Memory, Metrics, Sight, no_memory
from tetrax.agents.episodes import mean_so_far, sum_finished
from tetrax.env import batch
from tetrax.env.batch import Batch
from tetrax.env.contract import Game
from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.vector import check_key
from tetrax.env.wrappers import AutoReset, EpisodeState, EpisodeStatistics
from tetrax.networks import linear
from tetrax.ops import schedules


@dataclass(frozen=True)
class CrossEntropyConfig:
    """Settings of the cross-entropy method. Those marked (tunable) may change when a run is resumed."""

    num_candidates: int = 64
    """Controllers played in a generation: the policy, to see how good it is, and others drawn anew."""
    num_boards: int = 16
    """Boards that each of them plays on; every one gets the same pieces on its first, on its second, …."""
    num_steps: int = 256
    """Steps played on each board in a generation, from a new game on."""
    fewer_rows: int = 0
    """Rows that the board lacks while learning: the same player loses sooner there, and fewer steps tell more."""
    initial_spread: float = 1.0
    """Standard deviation of each weight in the first generation, around 0."""
    elite_fraction: float = 0.1
    """Share of the drawn controllers, the best ones, that the Gaussian is fitted to (tunable)."""
    step_size: float = 1.0
    """How far mean and variance move towards those of the best ones; 1 = all the way (tunable)."""
    noise: float = 0.0
    """Variance added to each weight's in the first generation, where the mean has length 1 (tunable)."""
    noise_generations: float = 0.0
    """Generations over which that falls to 0, linearly; 0 = it stays (tunable)."""
    averaging: float = 1.0
    """How far the policy moves towards the mean after a generation: with a small share it is an average over many,
    less noisy than the last; 1 = it is the last (tunable)."""

    def validate(self, env: Game) -> None:
        """Raise ValueError naming the first setting that cannot work."""
        for name in ("num_boards", "num_steps"):
            checks.check_count(name, getattr(self, name))
        checks.check_count("num_candidates", self.num_candidates, lowest=2)
        checks.check_product(
            num_candidates=self.num_candidates, num_boards=self.num_boards, num_steps=self.num_steps
        )
        checks.check_range("initial_spread", self.initial_spread, (1e-6, 1e6))
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)
        _num_features(env)
        _practice(self, env)


TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "elite_fraction": (0.0, 1.0),
    "step_size": (0.0, 1.0),
    "noise": (0.0, 1e6),
    "noise_generations": (0.0, 1e9),
    "averaging": (0.0, 1.0),
}


class Gaussian(struct.PyTreeNode):
    """Where weights are drawn from, each on its own."""

    mean: Array  # float32[F], of length 1 after the first generation: only the direction of weights matters
    variance: Array  # float32[F]


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run, and the games as the last generation left them, to look at."""

    weights: Gaussian
    average: Array  # float32[F], of the means so far: the policy's weights
    games: Any  # EpisodeState of B = N * num_boards games, on the last axis; each generation starts new ones
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES
    env_params: Any  # of the environment
    iteration: Array  # int32[], generations done
    key: Array  # key<fry>[]


class Played(NamedTuple):
    """What a stretch of play came to, by board or by candidate."""

    gained: Array  # int32[N], in the headline measure of the game
    losses: Array  # int32[N], games lost


class Policy(struct.PyTreeNode):
    """What acting needs."""

    weights: Array  # float32[F]


def make(config: CrossEntropyConfig, env: Game) -> Agent:
    """Return an agent that learns by the cross-entropy method; ValueError when the settings do not fit together.

    `horizon` of its `init` decides nothing: no schedule goes over the whole run.
    """
    checks.check_kinds(config, CrossEntropyConfig, env)
    config.validate(env)
    env = _practice(config, env)
    num_games = config.num_candidates * config.num_boards
    return Agent(
        name="cross-entropy",
        steps_per_iteration=num_games * config.num_steps,
        init=lambda key, env_params=None, horizon=0: _init(config, env, key, env_params),
        train=lambda state: _train(config, env, state),
        policy=lambda state: Policy(weights=state.average),
        initial_memory=no_memory,
        act=_act,
        # Games on a smaller board are none of the run's own, to be looked at.
        games=lambda state: None if config.fewer_rows else state.games.env_state.game,
        so_far=lambda state: mean_so_far(state.games),
        num_groups=num_games,  # boards have nothing to do with each other
        partition=lambda state: batch.everywhere(state).replace(games=batch.spread(state.games)),
        find_working_bytes=lambda: num_games * sizes.observation_bytes(env),
        take_over=lambda state, policy: state.replace(
            weights=state.weights.replace(mean=policy.weights), average=jnp.copy(policy.weights)
        ),
    )


def _num_features(env: Game) -> int:
    """Return F; ValueError where the observation shows no features of placements."""
    view = env.spec.shows.view
    if view not in linear.FEATURES:
        raise ValueError(
            f"env.observation: given {view!r} with cross-entropy, which looks at features of placements; "
            f"allowed: {', '.join(linear.FEATURES)}"
        )
    return len(linear.FEATURES[view])


def _practice(config: CrossEntropyConfig, env: Game) -> Game:
    """Return the environment that is learned in; ValueError where the board has too few rows."""
    if not config.fewer_rows:
        return env
    height = env.spec.shows.height
    if not 0 <= config.fewer_rows <= height - MAX_BOX:
        allowed = f"from 0 to {height - MAX_BOX}, so that {MAX_BOX} rows are left"
        raise checks.wrong("fewer_rows", config.fewer_rows, allowed)
    return env.with_height(height - config.fewer_rows)


def _make_envs(env: Game) -> Batch:
    return Batch(EpisodeStatistics(AutoReset(env)))


def _init(config: CrossEntropyConfig, env: Game, key: PRNGKeyArray, env_params: Any) -> TrainState:
    check_key(key)
    games_key, key = jax.random.split(key)
    num_features = _num_features(env)
    env_params = env.default_params if env_params is None else env_params
    return TrainState(
        weights=Gaussian(
            mean=jnp.zeros(num_features, jnp.float32),
            variance=jnp.full(num_features, config.initial_spread**2, jnp.float32),
        ),
        average=jnp.zeros(num_features, jnp.float32),
        games=_new_games(config, env, env_params, games_key),
        tunables={name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES},
        env_params=env_params,
        iteration=jnp.int32(0),
        key=key,
    )


def _new_games(config: CrossEntropyConfig, env: Game, env_params: Any, key: PRNGKeyArray) -> EpisodeState:
    """Start the games of all candidates, B = N * num_boards, those of a candidate in a row.

    On the same board every candidate gets the same pieces, in the first game and in the later ones. Luck with the
    pieces is then shared, and differences between candidates are less noisy.
    """
    keys = jax.random.split(key, config.num_boards)
    every = jnp.broadcast_to(keys[None], (config.num_candidates, config.num_boards))
    return _make_envs(env).reset(every.reshape(-1), env_params)[0]


def _act(
    policy: Policy, sight: Sight, memory: Memory, key: PRNGKeyArray, greedy: bool
) -> tuple[Array, Memory, dict[str, Array]]:
    """Choose the placement that is worth most (greedy or not)."""
    del key, greedy
    num_games = sight.observation.legal.shape[0]
    weights = jnp.broadcast_to(policy.weights[None], (num_games, policy.weights.shape[0]))
    worths = {WORTHS: linear.placement_worths(weights, sight.observation)}
    return linear.best_placement(weights, sight.observation), memory, worths


def _train(config: CrossEntropyConfig, env: Game, state: TrainState) -> tuple[TrainState, Metrics]:
    """Play one generation and refit."""
    draw_key, games_key, next_key = jax.random.split(state.key, 3)
    drawn = draw(state.weights, config.num_candidates - 1, draw_key)  # [N - 1, F]
    candidates = jnp.concatenate([state.average[None], drawn])
    games, played, totals = _play(config, env, state.env_params, candidates, games_key)
    judged = fitness(played.gained, played.losses)  # [N]
    noise = _noise(state)
    weights, is_elite = refit(state.weights, drawn, judged[1:], state.tunables, noise)
    average = state.average + state.tunables["averaging"] * (weights.mean - state.average)
    means = {
        "fitness/current": judged[0],
        "fitness/mean": jnp.mean(judged[1:]),
        "fitness/elite": jnp.mean(judged[1:], where=is_elite),
        "fitness/best": jnp.max(judged[1:]),
        "spread": jnp.sqrt(jnp.mean(weights.variance)),
        "noise": noise,
    }
    iteration = state.iteration + 1
    state = state.replace(weights=weights, average=average, games=games, iteration=iteration, key=next_key)
    return state, Metrics(totals=totals, means=means)


def draw(weights: Gaussian, number: int, key: PRNGKeyArray) -> Float32[Array, "N F"]:
    """Draw weights."""
    standard = jax.random.normal(key, (number, weights.mean.shape[0]), jnp.float32)
    return weights.mean[None] + jnp.sqrt(weights.variance)[None] * standard


def _play(
    config: CrossEntropyConfig, env: Game, env_params: Any, candidates: Array, key: PRNGKeyArray
) -> tuple[EpisodeState, Played, dict[str, Array]]:
    """Play `num_steps` on every board; return the games, what each candidate came to, and totals of ended games."""
    envs, headline = _make_envs(env), env.spec.headline
    games = _new_games(config, env, env_params, key)
    of_board = jnp.repeat(candidates, config.num_boards, axis=0)  # [B, F]

    def step(carry: tuple[EpisodeState, Played], _: None) -> Any:
        games, played = carry
        observation = envs.observe(games, env_params)
        with jax.named_scope("acting"):
            action = linear.best_placement(of_board, observation)
        games, timestep = envs.step(games, action, env_params)
        played = Played(
            gained=played.gained + env.measure(timestep.event)[headline],
            losses=played.losses + timestep.terminated.astype(jnp.int32),
        )
        return (games, played), sum_finished(timestep, games)

    none = jnp.zeros(of_board.shape[0], jnp.int32)
    (games, played), ended = jax.lax.scan(step, (games, Played(none, none)), length=config.num_steps)
    each = (config.num_candidates, config.num_boards)
    played = jax.tree.map(lambda leaf: jnp.sum(leaf.reshape(each), axis=1), played)
    return games, played, jax.tree.map(jnp.sum, ended)


def fitness(gained: Int32[Array, "*N"], losses: Int32[Array, "*N"]) -> Float32[Array, "*N"]:
    """Estimate what a game comes to, in the headline measure of the game, from a stretch of play.

    `gained` is what the stretch brought, `losses` the games lost in it.
    Of games whose length is about geometric (play soon forgets how it began, and may be lost at any time)
    gained / losses is the estimate of maximum likelihood, unfinished games counted as they should be. It is
    infinite without a loss and too high on average with few. With m gained a game the losses while L is gained
    are about Poisson, of mean L / m, so that L / (losses + 1) has the mean m (1 - exp(-L / m)): it falls short
    only where a loss is not to be expected at all, and is then what was gained. What remains is that games start
    on an empty board, which is safe for some pieces: the same for all, and little next to long games.
    """
    return gained.astype(jnp.float32) / (losses + 1).astype(jnp.float32)


def refit(
    weights: Gaussian,
    drawn: Float32[Array, "N F"],
    judged: Float32[Array, "N"],
    tunables: dict[str, Array],
    noise: Float32[Array, ""],
) -> tuple[Gaussian, Array]:
    """Fit the Gaussian to the best ones, of equals the first; return it and which they were, bool[N].

    At least one is taken. Lengths are then measured in that of the mean, and `noise` is added to the variance.
    """
    number = judged.shape[0]
    count = jnp.clip(jnp.round(tunables["elite_fraction"] * number), 1, number)
    rank = jnp.argsort(jnp.argsort(-judged))  # 0 = best; sorting is stable
    is_elite = rank.astype(jnp.float32) < count
    share = jnp.where(is_elite, 1.0 / count, 0.0)[:, None]
    mean = jnp.sum(share * drawn, axis=0)
    variance = jnp.sum(share * (drawn - mean[None]) ** 2, axis=0)
    mean = weights.mean + tunables["step_size"] * (mean - weights.mean)
    variance = weights.variance + tunables["step_size"] * (variance - weights.variance)
    length = jnp.sqrt(jnp.sum(mean**2))
    length = jnp.where(length > 0, length, 1.0)
    return Gaussian(mean=mean / length, variance=variance / length**2 + noise), is_elite


def _noise(state: TrainState) -> Array:
    """Return the variance to add: linear from the start to 0, or constant."""
    return schedules.linear(
        state.iteration, state.tunables["noise_generations"], state.tunables["noise"], 0.0
    )
