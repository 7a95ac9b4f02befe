"""Play whole games with a frozen policy and count what they come to.

All games go on side by side in compiled chunks; a game that is over waits, unchanged, for the others. Game i
is decided by `fold_in(key(seed), i)` alone: its pieces and its acting keys come from that key, and `act` sees
one game at a time (under vmap), so the number of games beside it changes nothing.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.env.record import Recording
from tetrax.env.record import record as record_game
from tetrax.env.tetris import Tetris

CHUNK_STEPS = 64  # steps between two looks at whether all games are over
STALL_STEPS = 10_000  # a game that locks no piece for so long never will (infinite lock delay): it is capped
ACTING = 2**32 - 1  # folded into a game's key for its acting keys; no piece has this number
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_97_5 = 1.959964  # standard deviations that hold 95% of a normal distribution


class Actor(Protocol):
    """Something that plays: an exported agent, or a baseline."""

    @property
    def policy(self) -> Any:
        """Parameters, given to `act` as an argument, so that new ones compile nothing."""

    @property
    def initial_memory(self) -> Callable[[tuple[int, ...]], Any]:
        """Make the memory of a batch of games that begin."""

    @property
    def act(self) -> Callable[..., tuple[Array, Any, Any]]:
        """Choose actions: (policy, observation, memory, is_first, key, greedy)."""


class Games(NamedTuple):
    """Games in progress; every leaf has the games B first."""

    state: Any
    observation: Any
    memory: Any
    acting_key: Array  # key<fry>[B]
    steps: Array  # int32[B], steps played
    last_lock: Array  # int32[B], steps played when the last piece locked
    returns: Array  # float32[B], sum of rewards
    over: Array  # bool[B], ended or capped: nothing changes any more
    capped: Array  # bool[B], stopped by max_pieces, a time limit or a stall, not lost


@dataclass(frozen=True, eq=False)
class EvalResult:
    """What each of E games came to, in the order of their numbers."""

    seed: int
    max_pieces: int  # 0 = no cap
    lines: np.ndarray  # int64[E]
    score: np.ndarray  # int64[E]
    pieces: np.ndarray  # int64[E]
    returns: np.ndarray  # float64[E], sum of rewards
    steps: np.ndarray  # int64[E]
    capped: np.ndarray  # bool[E]
    best_actions: np.ndarray | None  # int32[T], of game `best`, if recorded

    @property
    def best(self) -> int:
        """Number of the game with the most lines; among those, with the highest score."""
        return int(np.lexsort((-np.arange(len(self.lines)), self.score, self.lines))[-1])

    def summary(self) -> dict[str, Any]:
        """Return the statistics as JSON values."""
        return {
            "episodes": len(self.lines),
            "max_pieces": self.max_pieces,
            "capped": int(self.capped.sum()),
            "lines": statistics(self.lines),
            "score": statistics(self.score),
            "pieces": statistics(self.pieces),
            "return": statistics(self.returns),
        }


def evaluate(
    env: Tetris,
    actor: Actor,
    *,
    episodes: int,
    seed: int = 0,
    max_pieces: int = 0,
    greedy: bool = True,
    record: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvalResult:
    """Play `episodes` games to their end, or to `max_pieces` pieces (0 = no cap).

    `record` keeps the actions of the best game. `on_progress` is told, between chunks, how many games are
    over and how many pieces the longest has. A second call with the same environment, act function and number
    of games compiles nothing.
    """
    if episodes < 1 or max_pieces < 0:
        raise ValueError(f"episodes, max_pieces: given {episodes}, {max_pieces}; allowed: from 1, from 0")
    start, advance = _programs(env, actor.initial_memory, actor.act, greedy)
    cap = jnp.int32(max_pieces or np.iinfo(np.int32).max)
    params = env.default_params
    games = start(params, jax.random.key(seed), jnp.arange(episodes, dtype=jnp.uint32))
    actions: list[np.ndarray] = []
    while not np.asarray(games.over).all():
        games, chosen = advance(actor.policy, params, games, cap)
        if record:
            actions.append(np.asarray(chosen))
        if on_progress is not None:
            on_progress(int(games.over.sum()), int(games.state.pieces.max()))
    result = _result(seed, max_pieces, games)
    if not record:
        return result
    steps = result.steps[result.best]
    best_actions = np.concatenate([chunk[:, result.best] for chunk in actions])[:steps].astype(np.int32)
    return EvalResult(**{**vars(result), "best_actions": best_actions})


def game_key(seed: int, game: int) -> Array:
    """Return the key that game number `game` of an evaluation is reset with."""
    return jax.random.fold_in(jax.random.key(seed), game)


def recording_of_best(env: Tetris, result: EvalResult) -> Recording:
    """Make the recording of an evaluation's best game, playing it again."""
    if result.best_actions is None:
        raise ValueError("best_actions: given None; allowed: the result of evaluate(..., record=True)")
    return record_game(
        env.config, env.default_params, game_key(result.seed, result.best), result.best_actions
    )


def statistics(values: np.ndarray) -> dict[str, Any]:
    """Return mean, spread and the mean's 95% confidence interval (normal approximation)."""
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    half_width = NORMAL_97_5 * std / math.sqrt(len(values))
    return {
        "mean": mean,
        "std": std,
        "min": float(values.min()),
        "max": float(values.max()),
        "quantiles": {str(q): float(np.quantile(values, q)) for q in QUANTILES},
        "ci95": [mean - half_width, mean + half_width],
    }


def write_csv(result: EvalResult, path: str | Path) -> None:
    """Write one line per game."""
    columns = {
        "game": np.arange(len(result.lines)),
        "lines": result.lines,
        "score": result.score,
        "pieces": result.pieces,
        "return": result.returns,
        "steps": result.steps,
        "capped": result.capped.astype(int),
    }
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


@functools.lru_cache(maxsize=16)
def _programs(
    env: Tetris, initial_memory: Callable[..., Any], act: Callable[..., Any], greedy: bool
) -> tuple[Callable[..., Games], Callable[..., tuple[Games, Array]]]:
    """Compile the start of games and a chunk of steps; jit keeps one program per number of games."""

    def begin(params: Any, seed_key: Array, game: Array) -> Games:
        key = jax.random.fold_in(seed_key, game)
        state, time_step = env.reset(key, params)
        zero, false = jnp.int32(0), jnp.bool_(False)
        return Games(
            state=state,
            observation=time_step.observation,
            memory=initial_memory((1,)),
            acting_key=jax.random.fold_in(key, ACTING),
            steps=zero,
            last_lock=zero,
            returns=jnp.float32(0),
            over=false,
            capped=false,
        )

    def step(policy: Any, params: Any, game: Games, cap: Array) -> tuple[Games, Array]:
        act_key = jax.random.fold_in(game.acting_key, game.steps)
        observation = jax.tree.map(lambda leaf: leaf[None], game.observation)
        is_first = (game.steps == 0)[None]
        action, memory, _ = act(policy, observation, game.memory, is_first, act_key, greedy)
        state, time_step = env.step(game.state, action[0], params)
        steps = game.steps + 1
        last_lock = jnp.where(time_step.event.locked, steps, game.last_lock)
        stopped = (state.pieces >= cap) | time_step.truncated | (steps - last_lock >= STALL_STEPS)
        after = Games(
            state=state,
            observation=time_step.observation,
            memory=memory,
            acting_key=game.acting_key,
            steps=steps,
            last_lock=last_lock,
            returns=game.returns + time_step.reward,
            over=time_step.terminated | stopped,
            capped=stopped & ~time_step.terminated,
        )
        frozen = jax.tree.map(lambda old, new: jnp.where(game.over, old, new), game, after)
        return frozen, action[0].astype(_action_type(env))

    def chunk(policy: Any, params: Any, games: Games, cap: Array) -> tuple[Games, Array]:
        def scanned(carry: Games, _: None) -> tuple[Games, Array]:
            return jax.vmap(step, in_axes=(None, None, 0, None))(policy, params, carry, cap)

        return jax.lax.scan(scanned, games, length=CHUNK_STEPS)

    return jax.jit(jax.vmap(begin, in_axes=(None, None, 0))), jax.jit(chunk)


def _action_type(env: Tetris) -> Any:
    """Return the smallest type that holds an action: a recorded evaluation keeps every one of them."""
    return jnp.uint8 if env.num_actions <= 256 else jnp.uint16


def _result(seed: int, max_pieces: int, games: Games) -> EvalResult:
    return EvalResult(
        seed=seed,
        max_pieces=max_pieces,
        lines=np.asarray(games.state.lines, np.int64),
        score=np.asarray(games.state.score, np.int64),
        pieces=np.asarray(games.state.pieces, np.int64),
        returns=np.asarray(games.returns, np.float64),
        steps=np.asarray(games.steps, np.int64),
        capped=np.asarray(games.capped),
        best_actions=None,
    )
