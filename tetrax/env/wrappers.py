"""Wrappers with the environment's own interface: automatic reset, and statistics of games."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Int32, PRNGKeyArray

from tetrax.env.contract import (
    RETURN,
    STEPS,
    Environment,
    Game,
    Observation,
    Params,
    Spec,
    TimeStep,
    check_game,
)
from tetrax.env.game.board import match_form
from tetrax.env.game.state import select
from tetrax.env.game.vector import describe, fold, once


class AutoResetState(struct.PyTreeNode):
    """A game, and where the keys of the games after it come from."""

    game: Any  # State, where the game is Tetris
    key: Array  # key<fry>[], folded with the number of the game
    num_games: Array  # int32[], games started
    last: Any = None  # the game after the last action and before any reset, where it is kept


@dataclass(frozen=True)
class AutoReset:
    """Start a new game, from a fresh key, in the step that ends one.

    `observation` is then the new game's first one; reward, flags and event belong to the step
    just taken; `last_observation` is the end of the old game. The board is observed once (twice
    when the environment can truncate). `keep_last` keeps the state itself of that end, in `state.last`.
    """

    env: Game
    keep_last: bool = False

    def __post_init__(self) -> None:
        check_game(self.env)

    @property
    def spec(self) -> Spec:
        """Return that of the game."""
        return self.env.spec

    def measure(self, event: Any) -> dict[str, Array]:
        """Return what a step adds to the game's measures."""
        return self.env.measure(event)

    def reset(self, key: PRNGKeyArray, params: Params | None = None) -> tuple[AutoResetState, TimeStep]:
        """Start the first game; game n is played with the key folded with n."""
        _check_key(key)
        game, timestep = self.env.reset(jax.random.fold_in(key, 0), params)
        last = game if self.keep_last else None
        return AutoResetState(game=game, key=key, num_games=jnp.int32(1), last=last), timestep

    def step(
        self, state: AutoResetState, action: Int32[Array, ""], params: Params | None = None
    ) -> tuple[AutoResetState, TimeStep]:
        """Play one action, and reset if it ended the game."""
        if not isinstance(state, AutoResetState):
            raise TypeError(
                f"state: given {describe(state)}; allowed: an AutoResetState, as reset of AutoReset gives"
            )
        env = self.env
        params = env.default_params if params is None else params
        game, reward, terminated, truncated, event = env.transition(state.game, action, params)
        last_observation = env.observe(game, params) if env.spec.can_truncate else None
        done = terminated | truncated
        fresh = env.init(fold(state.key, state.num_games), params)
        last = game if self.keep_last else None
        game, done = once((select(done, match_form(game, fresh), game), done))
        state = state.replace(game=game, num_games=state.num_games + done.astype(jnp.int32), last=last)
        return state, TimeStep(
            observation=env.observe(game, params),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            event=event,
            last_observation=last_observation,
        )

    def observe(self, state: AutoResetState, params: Params | None = None) -> Observation:
        """Return what a player may know of the running game."""
        return self.env.observe(state.game, params)


class LateResetState(struct.PyTreeNode):
    """A game, where the keys of the games after it come from, and whether it is over."""

    game: Any  # State, where the game is Tetris
    key: Array  # key<fry>[], folded with the number of the game
    num_games: Array  # int32[], games started
    is_over: Array  # bool[], the next step starts a game


@dataclass(frozen=True)
class LateReset:
    """Show the end of each game, and start a new one in the step after it, whatever the action.

    For learners that have to see how games end. The step that starts a game has no reward and no flag, and its event
    is all zeros.
    """

    env: Game

    def __post_init__(self) -> None:
        check_game(self.env)

    @property
    def spec(self) -> Spec:
        """Return that of the game."""
        return self.env.spec

    def measure(self, event: Any) -> dict[str, Array]:
        """Return what a step adds to the game's measures."""
        return self.env.measure(event)

    def reset(self, key: PRNGKeyArray, params: Params | None = None) -> tuple[LateResetState, TimeStep]:
        """Start the first game; game n is played with the key folded with n, as `AutoReset` has it."""
        _check_key(key)
        game, timestep = self.env.reset(jax.random.fold_in(key, 0), params)
        no = jnp.bool_(False)
        return LateResetState(game=game, key=key, num_games=jnp.int32(1), is_over=no), timestep

    def step(
        self, state: LateResetState, action: Int32[Array, ""], params: Params | None = None
    ) -> tuple[LateResetState, TimeStep]:
        """Play one action, or start a game where the last one is over."""
        if not isinstance(state, LateResetState):
            raise TypeError(
                f"state: given {describe(state)}; allowed: a LateResetState, as reset of LateReset gives"
            )
        env, starts = self.env, state.is_over
        params = env.default_params if params is None else params
        game, reward, terminated, truncated, event = env.transition(state.game, action, params)
        fresh = env.init(fold(state.key, state.num_games), params)
        terminated, truncated = terminated & ~starts, truncated & ~starts
        game, is_over = once((select(starts, match_form(game, fresh), game), terminated | truncated))
        after = state.replace(
            game=game, num_games=state.num_games + starts.astype(jnp.int32), is_over=is_over
        )
        observation = env.observe(game, params)
        return after, TimeStep(
            observation=observation,
            reward=jnp.where(starts, 0.0, reward),
            terminated=terminated,
            truncated=truncated,
            event=select(starts, jax.tree.map(jnp.zeros_like, event), event),
            last_observation=observation if env.spec.can_truncate else None,
        )

    def observe(self, state: LateResetState, params: Params | None = None) -> Observation:
        """Return what a player may know of the game, or of its end."""
        return self.env.observe(state.game, params)


class Episode(struct.PyTreeNode):
    """Totals of one game."""

    steps: Array  # int32[]
    # By name of `Spec.measures`.
    totals: dict[str, Array]  # float32[] of RETURN, undiscounted; int32[] of the others


class EpisodeState(struct.PyTreeNode):
    """An environment's state with the totals of the running and of the last finished game."""

    env_state: Any
    running: Episode
    finished: Episode  # zeros until a game has ended


@dataclass(frozen=True)
class EpisodeStatistics:
    """Keep the totals of each game; `state.finished` is fresh where a step ended one."""

    env: Environment

    def __post_init__(self) -> None:
        check_game(self.env)

    @property
    def spec(self) -> Spec:
        """Return that of the game."""
        return self.env.spec

    def measure(self, event: Any) -> dict[str, Array]:
        """Return what a step adds to the game's measures."""
        return self.env.measure(event)

    def reset(self, key: PRNGKeyArray, params: Params | None = None) -> tuple[EpisodeState, TimeStep]:
        """Start with all totals at zero."""
        env_state, timestep = self.env.reset(key, params)
        nothing = no_episode(self.spec)
        return EpisodeState(env_state=env_state, running=nothing, finished=nothing), timestep

    def step(
        self, state: EpisodeState, action: Int32[Array, ""], params: Params | None = None
    ) -> tuple[EpisodeState, TimeStep]:
        """Play one action and add it up."""
        if not isinstance(state, EpisodeState):
            raise TypeError(
                f"state: given {describe(state)}; allowed: an EpisodeState, as reset of EpisodeStatistics gives"
            )
        env_state, timestep = self.env.step(state.env_state, action, params)
        running = count_step(self.spec, state.running, timestep.reward, self.measure(timestep.event))
        done = timestep.terminated | timestep.truncated
        return EpisodeState(
            env_state=env_state,
            running=select(done, no_episode(self.spec), running),
            finished=select(done, running, state.finished),
        ), timestep

    def observe(self, state: EpisodeState, params: Params | None = None) -> Observation:
        """Return what a player may know of the running game."""
        return self.env.observe(state.env_state, params)


def no_episode(spec: Spec) -> Episode:
    """Return the totals of a game that has just begun."""
    zeros = {name: jnp.float32(0) if name == RETURN else jnp.int32(0) for name in spec.measures}
    return Episode(steps=jnp.int32(0), totals=zeros)


def count_step(spec: Spec, episode: Episode, reward: Array, measured: dict[str, Array]) -> Episode:
    """Add one step to the totals of its game: its reward, and what the game measured in it.

    The return of several who act together is the mean of theirs.
    """
    gained = {**measured, RETURN: jnp.mean(reward) if spec.acts_together else reward, STEPS: jnp.int32(1)}
    totals = {name: episode.totals[name] + gained[name] for name in spec.measures}
    return Episode(steps=episode.steps + 1, totals=totals)


def _check_key(key: object) -> None:
    """Raise a TypeError for what is not a typed key."""
    if not isinstance(key, Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise TypeError(f"key: given {describe(key)}; allowed: one typed key, as jax.random.key(seed) makes")
