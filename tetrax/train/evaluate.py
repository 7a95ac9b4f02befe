"""Play whole games with a frozen policy and count what they come to.

Games go on side by side, a group at a time, in compiled chunks; a game that is over waits, unchanged, for the
others of its group. Game i is decided by `fold_in(key(seed), i)` alone: its pieces and its acting keys come from
that key, `act` sees one game at a time (under vmap), and a group has one size whatever the number of games. So
the same game comes out, bit for bit, among 8 games and among 1,000, and one compiled program plays them all.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Actor
from tetrax.env.game.state import State
from tetrax.env.record import Recording
from tetrax.env.record import record as record_game
from tetrax.env.tetris import Tetris

GAMES_AT_ONCE = {"cpu": 64}  # two cores are about as fast with 64 games as with more
GAMES_AT_ONCE_ON_ACCELERATOR = 256
CHUNK_STEPS = 64  # steps between two looks at whether all games are over
STALL_STEPS = 10_000  # a game that locks no piece for so long never will (infinite lock delay): it is capped
ACTING = 2**32 - 1  # folded into a game's key for its acting keys; no piece has this number
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_97_5 = 1.959964  # standard deviations that hold 95% of a normal distribution


class Games(NamedTuple):
    """Games in progress; every leaf has the games B first."""

    state: State
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
    over and how many pieces the longest running one has. A second call with the same environment and act
    function compiles nothing.
    """
    if episodes < 1 or max_pieces < 0:
        raise ValueError(f"episodes, max_pieces: given {episodes}, {max_pieces}; allowed: from 1, from 0")
    start, advance = _programs(env, actor.initial_memory, actor.act, greedy)
    params, seed_key = env.default_params, jax.random.key(seed)
    cap = jnp.int32(max_pieces or np.iinfo(np.int32).max)
    size = GAMES_AT_ONCE.get(jax.default_backend(), GAMES_AT_ONCE_ON_ACCELERATOR)
    groups: list[EvalResult] = []
    for first in range(0, episodes, size):
        numbers = jnp.arange(first, first + size, dtype=jnp.uint32)
        games = start(params, seed_key, numbers, jnp.uint32(episodes))
        chunks: list[np.ndarray] = []
        while not np.asarray(games.over).all():
            games, actions = advance(actor.policy, params, games, cap)
            if record:
                chunks.append(np.asarray(actions))
            if on_progress is not None:
                on_progress(*_progress(games, first, episodes))
        groups.append(_group_result(games, min(size, episodes - first), chunks, seed, max_pieces))
    return _joined(groups)


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
    """Compile the start of a group of games and a chunk of steps."""

    def begin(params: Any, seed_key: Array, number: Array, episodes: Array) -> Games:
        key = jax.random.fold_in(seed_key, number)
        zero = jnp.int32(0)
        return Games(
            state=env.reset(key, params)[0],
            memory=initial_memory((1,)),
            acting_key=jax.random.fold_in(key, ACTING),
            steps=zero,
            last_lock=zero,
            returns=jnp.float32(0),
            over=number >= episodes,  # fills the last group up; never looked at
            capped=jnp.bool_(False),
        )

    def step(policy: Any, params: Any, game: Games, cap: Array) -> tuple[Games, Array]:
        # Observed here and not after the step: what observing and playing share is computed once.
        observation = jax.tree.map(lambda leaf: leaf[None], env.observe(game.state, params))
        act_key = jax.random.fold_in(game.acting_key, game.steps)
        is_first = (game.steps == 0)[None]
        actions, memory, _ = act(policy, observation, game.memory, is_first, act_key, greedy)
        state, reward, terminated, truncated, event = env.transition(game.state, actions[0], params)
        steps = game.steps + 1
        last_lock = jnp.where(event.locked, steps, game.last_lock)
        stopped = (state.pieces >= cap) | truncated | (steps - last_lock >= STALL_STEPS)
        after = Games(
            state=state,
            memory=memory,
            acting_key=game.acting_key,
            steps=steps,
            last_lock=last_lock,
            returns=game.returns + reward,
            over=terminated | stopped,
            capped=stopped & ~terminated,
        )
        frozen = jax.tree.map(lambda old, new: jnp.where(game.over, old, new), game, after)
        return frozen, actions[0].astype(_action_type(env))

    def chunk(policy: Any, params: Any, games: Games, cap: Array) -> tuple[Games, Array]:
        def scanned(carry: Games, _: None) -> tuple[Games, Array]:
            return jax.vmap(step, in_axes=(None, None, 0, None))(policy, params, carry, cap)

        return jax.lax.scan(scanned, games, length=CHUNK_STEPS)

    return jax.jit(jax.vmap(begin, in_axes=(None, None, 0, None))), jax.jit(chunk)


def _action_type(env: Tetris) -> Any:
    """Return the smallest type that holds an action: a recorded evaluation keeps every one of them."""
    return jnp.uint8 if env.num_actions <= 256 else jnp.uint16


def _progress(games: Games, first: int, episodes: int) -> tuple[int, int]:
    """Return how many of all games are over, and the pieces of the longest one that is not."""
    over = np.asarray(games.over)[: episodes - first]
    running = np.asarray(games.state.pieces)[~np.asarray(games.over)]
    return first + int(over.sum()), int(running.max(initial=0))


def _group_result(
    games: Games, count: int, chunks: list[np.ndarray], seed: int, max_pieces: int
) -> EvalResult:
    """Take the totals of a group's first `count` games off the device; chunks are its actions, [T, B]."""
    result = EvalResult(
        seed=seed,
        max_pieces=max_pieces,
        lines=np.asarray(games.state.lines, np.int64)[:count],
        score=np.asarray(games.state.score, np.int64)[:count],
        pieces=np.asarray(games.state.pieces, np.int64)[:count],
        returns=np.asarray(games.returns, np.float64)[:count],
        steps=np.asarray(games.steps, np.int64)[:count],
        capped=np.asarray(games.capped)[:count],
        best_actions=None,
    )
    if not chunks:
        return result
    actions = np.concatenate([chunk[:, result.best] for chunk in chunks])[: result.steps[result.best]]
    return dataclasses.replace(result, best_actions=actions.astype(np.int32))


def _joined(groups: list[EvalResult]) -> EvalResult:
    """Put groups one after another; the best game of all keeps its actions."""
    names = ("lines", "score", "pieces", "returns", "steps", "capped")
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(group, name) for group in groups]) for name in names
    }
    joined = dataclasses.replace(groups[0], **arrays)
    group = groups[joined.best // len(groups[0].lines)]
    return dataclasses.replace(joined, best_actions=group.best_actions)
