"""Wrappers with the environment's own interface: automatic reset, and statistics of games."""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Int32, PRNGKeyArray

from tetrax.env.game.board import match_form
from tetrax.env.game.state import select
from tetrax.env.game.vector import fold, once
from tetrax.env.observe import Observation
from tetrax.env.tetris import TimeStep

Params = Any  # the environment's numbers that may change without recompiling, a pytree


class Environment(Protocol):
    """Anything with reset and step."""

    def reset(self, key: PRNGKeyArray, params: Params | None = None) -> tuple[Any, TimeStep]:
        """Start."""

    def step(
        self, state: Any, action: Int32[Array, ""], params: Params | None = None
    ) -> tuple[Any, TimeStep]:
        """Play one action."""

    def observe(self, state: Any, params: Params | None = None) -> Observation:
        """Return what a player may know of a state."""


class Game(Environment, Protocol):
    """An environment whose games end; `Tetris`, or another one in its place."""

    @property
    def num_actions(self) -> int:
        """Return A."""

    @property
    def can_truncate(self) -> bool:
        """Tell whether a step may be truncated, and so whether `last_observation` is there."""

    @property
    def default_params(self) -> Params:
        """Return the numbers that are meant when none are given."""

    def init(self, key: PRNGKeyArray, params: Params) -> Any:
        """Return the first state of a game."""

    def transition(
        self, state: Any, action: Int32[Array, ""], params: Params
    ) -> tuple[Any, Array, Array, Array, Any]:
        """Step without observing: state, reward, terminated, truncated, event (None if there is none)."""


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

    def reset(self, key: PRNGKeyArray, params: Params | None = None) -> tuple[AutoResetState, TimeStep]:
        """Start the first game; game n is played with the key folded with n."""
        game, timestep = self.env.reset(jax.random.fold_in(key, 0), params)
        last = game if self.keep_last else None
        return AutoResetState(game=game, key=key, num_games=jnp.int32(1), last=last), timestep

    def step(
        self, state: AutoResetState, action: Int32[Array, ""], params: Params | None = None
    ) -> tuple[AutoResetState, TimeStep]:
        """Play one action, and reset if it ended the game."""
        env = self.env
        params = env.default_params if params is None else params
        game, reward, terminated, truncated, event = env.transition(state.game, action, params)
        last_observation = env.observe(game, params) if env.can_truncate else None
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


class Episode(struct.PyTreeNode):
    """Totals of one game."""

    lines: Array  # int32[]
    pieces: Array  # int32[]
    score: Array  # int32[], points
    steps: Array  # int32[]
    episode_return: Array  # float32[], undiscounted


class EpisodeState(struct.PyTreeNode):
    """An environment's state with the totals of the running and of the last finished game."""

    env_state: Any
    running: Episode
    finished: Episode  # zeros until a game has ended


@dataclass(frozen=True)
class EpisodeStatistics:
    """Keep the totals of each game; `state.finished` is fresh where a step ended one.

    Lines, pieces and score stay at zero in a game without events, which is not Tetris.
    """

    env: Environment

    def reset(self, key: PRNGKeyArray, params: Params | None = None) -> tuple[EpisodeState, TimeStep]:
        """Start with all totals at zero."""
        env_state, timestep = self.env.reset(key, params)
        nothing = _no_episode()
        return EpisodeState(env_state=env_state, running=nothing, finished=nothing), timestep

    def step(
        self, state: EpisodeState, action: Int32[Array, ""], params: Params | None = None
    ) -> tuple[EpisodeState, TimeStep]:
        """Play one action and add it up."""
        env_state, timestep = self.env.step(state.env_state, action, params)
        event, running = timestep.event, state.running
        if event is not None:
            running = running.replace(
                lines=running.lines + event.lines,
                pieces=running.pieces + event.locked.astype(jnp.int32),
                score=running.score + event.score,
            )
        running = running.replace(
            steps=running.steps + 1, episode_return=running.episode_return + timestep.reward
        )
        done = timestep.terminated | timestep.truncated
        return EpisodeState(
            env_state=env_state,
            running=select(done, _no_episode(), running),
            finished=select(done, running, state.finished),
        ), timestep

    def observe(self, state: EpisodeState, params: Params | None = None) -> Observation:
        """Return what a player may know of the running game."""
        return self.env.observe(state.env_state, params)


def _no_episode() -> Episode:
    zero = jnp.int32(0)
    return Episode(lines=zero, pieces=zero, score=zero, steps=zero, episode_return=jnp.float32(0))
