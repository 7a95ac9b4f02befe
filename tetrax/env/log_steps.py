"""Steps of games as the game's log reads them: arrays [T, B, ...] of a recording or of what environments gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.env import reward
from tetrax.env.batch import Batch
from tetrax.env.contract import RETURN, STEPS, Environment, Observation, TimeStep
from tetrax.env.game.state import SPINS, Event
from tetrax.env.game.vector import describe
from tetrax.env.record import Replay
from tetrax.env.tetris import Tetris
from tetrax.env.wrappers import AutoReset, EpisodeStatistics, LateReset

NOT_STEPPED = "allowed: those of games that were begun, {boards}, or T steps of them, [T{more}]"


class Moment(NamedTuple):
    """One step of one game, for who adds to its lines; leaves are NumPy arrays without leading axes."""

    action: int
    reward: float
    event: Any
    observation: Observation | None  # after the step, as it was handed to the log; None of a recording
    state: Any  # after the step; None unless it was handed to the log, as that of a recording is


@dataclass(frozen=True, eq=False)
class Steps:
    """T steps of B games."""

    actions: np.ndarray  # int64[T, B]
    rewards: np.ndarray  # float64[T, B]
    terminated: np.ndarray  # bool[T, B]
    truncated: np.ndarray  # bool[T, B]
    event: Any  # [T, B, ...]; None where the game has nothing to tell
    counts: dict[str, np.ndarray]  # int64[T, B] by name, what each step adds to the totals of its game
    pieces: np.ndarray  # int64[T, B, 2 + P], `Observation.pieces` after each step
    observation: Observation | None = None  # [T, B, ...]
    state: Any = None  # [T, B, ...]

    def moment(self, t: int, board: int) -> Moment:
        """Return one step of one game."""
        return Moment(
            action=int(self.actions[t, board]),
            reward=float(self.rewards[t, board]),
            event=_take(self.event, t, board),
            observation=_take(self.observation, t, board),
            state=_take(self.state, t, board),
        )


def slim(timestep: TimeStep) -> TimeStep:
    """Keep of a TimeStep what a log reads: a scan that stacks thousands of steps need not stack their boards."""
    seen = timestep.observation
    none = {name: None for name in Observation.__annotations__ if name not in ("pieces", "features", "legal")}
    return timestep.replace(observation=seen.replace(**none), last_observation=None)


def read_timesteps(
    env: Environment, pieces: np.ndarray, actions: Any, timesteps: TimeStep, states: Any
) -> Steps:
    """Read what `step` gave back, of one step or of T, of games that show pieces like `pieces`: [2 + P] or [B, 2 + P].

    ValueError where the axes are others.
    """
    shape, boards = np.shape(timesteps.terminated), pieces.shape[:-1]
    if shape[len(shape) - len(boards) :] != boards or len(shape) > len(boards) + 1:
        more = "".join(f", {size}" for size in boards)
        raise ValueError(
            f"timesteps: given {list(shape)}; " + NOT_STEPPED.format(boards=list(boards), more=more)
        )
    if np.shape(actions) != shape or np.asarray(actions).dtype.kind not in "iu":
        raise ValueError(f"actions: given {describe(np.asarray(actions))}; allowed: integers {list(shape)}")

    def as_two(leaf: Any) -> Any:
        """Give a leaf the axes [T, B]."""
        is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        leaf = leaf if is_key else np.asarray(leaf)
        leaf = leaf if len(shape) > len(boards) else leaf[None]
        return leaf if boards else leaf[:, None]

    timesteps, states, actions = jax.tree.map(as_two, (timesteps, states, np.asarray(actions)))
    event = timesteps.event
    return Steps(
        actions=actions.astype(np.int64),
        rewards=np.asarray(timesteps.reward, np.float64),
        terminated=np.asarray(timesteps.terminated),
        truncated=np.asarray(timesteps.truncated),
        event=event,
        counts=count(event) if isinstance(event, Event) else _measure(env, event),
        pieces=np.asarray(timesteps.observation.pieces, np.int64),
        observation=timesteps.observation,
        state=states,
    )


def read_replay(replayed: Replay) -> tuple[np.ndarray, Steps]:
    """Return the pieces that a recorded game shows at first, [1, 2 + P], and its steps as those of one board."""
    recording, states = replayed.recording, replayed.states
    env = Tetris(recording.config)
    held = np.where(states.hold < 0, env.rules.num_pieces, states.hold)
    pieces = np.stack([states.piece, held, *np.asarray(states.queue).T], axis=-1)[:, None].astype(np.int64)
    event, after = jax.tree.map(lambda leaf: leaf[:, None], (replayed.events, _drop_first(states)))
    over, limit = np.asarray(after.game_over), recording.config.time_limit
    truncated = (after.ticks >= limit) & ~over & bool(limit)
    truncated[:-1] = False  # a recording may go on beyond the limit, and is one game all the same
    return pieces[0], Steps(
        actions=recording.actions[:, None].astype(np.int64),
        rewards=np.asarray(reward.total(event.reward_terms), np.float64),
        terminated=over,
        truncated=truncated,
        event=event,
        counts=count(event),
        pieces=pieces[1:],
        state=after,
    )


def count(event: Event) -> dict[str, np.ndarray]:
    """Return what steps of Tetris add to the totals of a game, int64[*n] by name."""
    locked, lines = np.asarray(event.locked), np.asarray(event.lines)
    counted = {
        "pieces": locked,
        "lines": lines,
        "score": event.score,
        "singles": lines == 1,
        "doubles": lines == 2,
        "triples": lines == 3,
        "quadruples": lines == 4,
        "spins": locked & (event.spin == SPINS.index("full")),
        "mini_spins": locked & (event.spin == SPINS.index("mini")),
        "back_to_backs": event.back_to_back,
        "perfect_clears": event.perfect_clear,
        "soft_cells": event.soft_cells,
        "hard_cells": event.hard_cells,
        "attack": np.sum(event.attack, axis=-1),
        "sent": np.sum(event.sent, axis=-1),
        "garbage_received": event.garbage_received,
        "garbage_cleared": event.garbage_cleared,
        "holds_refused": event.hold_refused,
        "lives_lost": event.life_lost,
    }
    return {name: np.asarray(value).astype(np.int64) for name, value in counted.items()}


def find_game(env: Any) -> Any:
    """Return the game inside an environment and its wrappers."""
    while isinstance(env, AutoReset | LateReset | EpisodeStatistics | Batch):
        env = env.env
    return env


def find_reset(env: Any) -> type[AutoReset] | type[LateReset] | None:
    """Return which wrapper, if any, starts the games after the first."""
    while isinstance(env, EpisodeStatistics | Batch):
        env = env.env
    return type(env) if isinstance(env, AutoReset | LateReset) else None


def _measure(env: Environment, event: Any) -> dict[str, np.ndarray]:
    """Return what steps of another game add to its measures."""
    measured = {} if set(env.spec.measures) <= {RETURN, STEPS} else env.measure(event)
    return {name: np.asarray(value).astype(np.int64) for name, value in measured.items()}


def _drop_first(states: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[1:], states)


def _take(tree: Any, t: int, board: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[t, board], tree)
