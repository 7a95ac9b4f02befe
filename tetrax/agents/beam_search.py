"""A beam search over placements, and the cross-entropy method that tunes its evaluation on the attack of whole games.

A generation draws weights around a mean, in pairs that lie opposite each other, lets each play games of a fixed number
of placements, and moves mean and spread towards the best, the better the more (Rubinstein 1999; the weights of ranks
are those of Hansen's CMA-ES, "The CMA Evolution Strategy: A Tutorial", 2016).
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float32, PRNGKeyArray

from tetrax.agents import checks
from tetrax.agents.agent import Agent, Memory, Metrics, Sight, no_memory
from tetrax.agents.episodes import GAMES
from tetrax.env.contract import RETURN
from tetrax.env.env_params import EnvParams
from tetrax.env.game.vector import check_key
from tetrax.env.tetris import Tetris
from tetrax.search import beam, playing
from tetrax.search.attack_weights import ATTACK_WEIGHTS, flatten, initial_spread

MEASURE = "attack"  # of the game, that weights are judged by


@dataclass(frozen=True)
class BeamConfig:
    """Settings of the beam search. Those marked (acting) decide how it plays, the others how it is tuned."""

    width: int = 64
    """Boards that are kept at each step, the best by attack and evaluation (acting)."""
    clear_width: int = 64
    """Boards kept beside them for what may become a perfect clear (acting)."""
    depth: int = 7
    """Placements looked ahead, at most as many as pieces are known (acting)."""
    beyond: int = 0
    """Pieces beyond the visible ones that are drawn from what may come, and believed (acting)."""
    placements: int = 50
    """Placements of a game: what pays only after the last one is worth nothing; 0 = it goes on, and nothing can be
    learned (acting)."""
    weights: Literal["hand", "tuned", "cold-clear-2"] = "hand"
    """Weights of the evaluation that tuning begins with."""
    num_candidates: int = 192
    """Weights that are tried in a generation."""
    num_games: int = 2
    """Games that each of them plays, on the same pieces."""
    elite_fraction: float = 0.25
    """Share of the candidates, the best ones, that mean and spread move towards (tunable)."""
    step_size: float = 0.8
    """How far the mean moves; 1 = all the way (tunable)."""
    spread_step_size: float = 0.3
    """How far the variance of each weight moves (tunable)."""
    averaging: float = 0.2
    """How far the policy moves towards the mean after a generation: it is an average over some (tunable)."""
    initial_spread: float = 1.0
    """Times the usual spread of each weight in the first generation."""

    def validate(self, env: Tetris) -> None:
        """Raise ValueError naming the first setting that cannot work."""
        size = (self.width, self.clear_width, self.depth, self.beyond, self.placements)
        playing.check_size("agent.", *size)
        checks.check_count("num_candidates", self.num_candidates, lowest=4)
        checks.check_count("num_games", self.num_games)
        checks.check_product(
            num_candidates=self.num_candidates, num_games=self.num_games, placements=max(self.placements, 1)
        )
        if self.weights not in ATTACK_WEIGHTS:
            raise checks.wrong("weights", repr(self.weights), ", ".join(ATTACK_WEIGHTS))
        for name, between in {**TUNABLE_RANGES, "initial_spread": (0.0, 1e3)}.items():
            checks.check_range(name, getattr(self, name), between)
        _check_game(env)

    @property
    def size(self) -> beam.Size:
        """Return how much is looked at."""
        return beam.Size(self.width, self.clear_width, self.depth, self.beyond)


TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "elite_fraction": (0.0, 1.0),
    "step_size": (0.0, 1.0),
    "spread_step_size": (0.0, 1.0),
    "averaging": (0.0, 1.0),
}
ACTING = ("width", "clear_width", "depth", "beyond", "placements")


class TrainState(struct.PyTreeNode):
    """Everything that decides the rest of a run."""

    mean: Array  # float32[D], of weights in a row
    spread: Array  # float32[D], standard deviations
    average: Array  # float32[D], of the means so far: the policy's weights
    tunables: dict[str, Array]  # float32[], names of TUNABLE_RANGES
    env_params: EnvParams
    iteration: Array  # int32[], generations done
    key: Array  # key<fry>[]


class Policy(struct.PyTreeNode):
    """What acting needs."""

    weights: Array  # float32[D]


def make(config: BeamConfig, env: Tetris) -> Agent:
    """Return an agent that plans; ValueError when the settings do not fit together.

    `horizon` of its `init` decides nothing. Its `act` needs `Sight.state`.
    """
    checks.check_kinds(config, BeamConfig, env)
    config.validate(env)
    steps = config.num_candidates * config.num_games * config.placements
    return Agent(
        name="beam",
        steps_per_iteration=max(steps, 1),
        init=lambda key, env_params=None, horizon=0: _init(config, env, key, env_params),
        train=lambda state: _train(config, env, state),
        policy=lambda state: Policy(weights=state.average),
        initial_memory=no_memory,
        act=functools.partial(_act, config, env),
        games=lambda state: None,
        why_only_plays=playing.why_only_plays(config.placements),
        take_over=lambda state, policy: state.replace(mean=policy.weights, average=jnp.copy(policy.weights)),
    )


def _check_game(env: Tetris) -> None:
    """Raise ValueError for a game that the search cannot play."""
    if MEASURE not in env.spec.measures:
        raise ValueError(f"game: given {env.spec.title} with beam, which plays for attack; allowed: tetris")
    playing.check_environment(env)


def _act(
    config: BeamConfig,
    env: Tetris,
    policy: Policy,
    sight: Sight,
    memory: Memory,
    key: PRNGKeyArray,
    greedy: bool,
) -> tuple[Array, Memory, dict[str, Array]]:
    """Choose the first placement on the way to the best board (greedy or not)."""
    del greedy
    actions, told = playing.act(env, config.size, config.placements, policy.weights, sight.state, key)
    return actions, memory, told


def _init(config: BeamConfig, env: Tetris, key: PRNGKeyArray, env_params: EnvParams | None) -> TrainState:
    check_key(key)
    mean = flatten(ATTACK_WEIGHTS[config.weights])
    return TrainState(
        mean=mean,
        spread=config.initial_spread * initial_spread(mean),
        average=jnp.copy(mean),
        tunables={name: jnp.float32(getattr(config, name)) for name in TUNABLE_RANGES},
        env_params=env.default_params if env_params is None else env_params,
        iteration=jnp.int32(0),
        key=key,
    )


def _train(config: BeamConfig, env: Tetris, state: TrainState) -> tuple[TrainState, Metrics]:
    """Play one generation and move towards its best."""
    draw_key, games_key, next_key = jax.random.split(state.key, 3)
    half = jax.random.normal(draw_key, (config.num_candidates // 2, state.mean.shape[0]), jnp.float32)
    drawn = state.mean[None] + state.spread[None] * jnp.concatenate([half, -half])
    totals, judged = _play(config, env, state.env_params, drawn, games_key)
    mean, spread, is_elite = refit(state.mean, state.spread, drawn, judged, state.tunables)
    means = {
        "fitness/mean": jnp.mean(judged),
        "fitness/elite": jnp.mean(judged, where=is_elite),
        "fitness/best": jnp.max(judged),
        "spread": jnp.mean(spread / initial_spread(state.mean)),
    }
    average = state.average + state.tunables["averaging"] * (mean - state.average)
    state = state.replace(mean=mean, spread=spread, average=average, iteration=state.iteration + 1)
    return state.replace(key=next_key), Metrics(totals=totals, means=means)


def _play(
    config: BeamConfig, env: Tetris, env_params: EnvParams, candidates: Array, key: PRNGKeyArray
) -> tuple[dict[str, Array], Float32[Array, "N"]]:
    """Play the games of all candidates; return what they came to in all, and each one's mean attack."""
    num = candidates.shape[0]
    weights = jnp.repeat(candidates, config.num_games, axis=0)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(config.num_games, dtype=jnp.uint32))
    keys = jnp.tile(keys, num)
    states = jax.vmap(lambda key: env.init(key, env_params))(keys)
    nothing = {name: jnp.zeros(weights.shape[0], jnp.float32) for name in env.spec.measures}

    def step(carry: tuple, number: Array) -> tuple[tuple, None]:
        states, totals = carry
        step_key = jax.random.fold_in(key, config.num_games + number)
        plan = playing.choose(env, config.size, config.placements, weights, states, step_key)
        states, reward, _, _, event = jax.vmap(
            lambda state, action: env.transition(state, action, env_params)
        )(states, playing.action_of(env, plan))
        gained = {RETURN: reward, **jax.vmap(env.measure)(event)}
        return (states, {name: totals[name] + gained[name].astype(jnp.float32) for name in totals}), None

    (_, totals), _ = jax.lax.scan(step, (states, nothing), jnp.arange(config.placements, dtype=jnp.uint32))
    judged = jnp.mean(totals[MEASURE].reshape(num, config.num_games), axis=1)
    games = {GAMES: jnp.float32(weights.shape[0]), **{name: jnp.sum(value) for name, value in totals.items()}}
    return games, judged


def refit(
    mean: Float32[Array, "D"],
    spread: Float32[Array, "D"],
    drawn: Float32[Array, "N D"],
    judged: Float32[Array, "N"],
    tunables: dict[str, Array],
) -> tuple[Array, Array, Array]:
    """Move mean and spread towards the best, of equals the first; return them and which these were, bool[N].

    The i-th best counts log(n + 1/2) - log(i), the first n of them taken, at least one.
    """
    number = judged.shape[0]
    count = jnp.clip(jnp.round(tunables["elite_fraction"] * number), 1, number)
    rank = jnp.argsort(jnp.argsort(-judged)).astype(jnp.float32) + 1
    is_elite = rank <= count
    share = jnp.where(is_elite, jnp.log(count + 0.5) - jnp.log(rank), 0.0)
    share = (share / jnp.sum(share))[:, None]
    best = jnp.sum(share * drawn, axis=0)
    variance = jnp.sum(share * (drawn - mean[None]) ** 2, axis=0)
    moved = mean + tunables["step_size"] * (best - mean)
    return moved, jnp.sqrt(spread**2 + tunables["spread_step_size"] * (variance - spread**2)), is_elite
