"""Play whole games with a frozen policy and count what they come to.

Games go on side by side in blocks of one size, in compiled chunks; between chunks a slot whose game is over is
given the next game, and when none is left blocks that have become half empty are joined. Game i is decided by
`fold_in(key(seed), i)` alone: its pieces and its acting keys come from that key, and `act` sees one game at a time
(under vmap). So the same game comes out, bit for bit, among 8 games and among 1,000, and one compiled program,
that of a block, plays them all.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Actor
from tetrax.env.game.state import State
from tetrax.env.record import Recording, Replay, play
from tetrax.env.tetris import Tetris

BLOCK_GAMES = {"cpu": 16}  # games of a block; on a CPU more are no faster, and fewer wait at the end
BLOCK_GAMES_ON_ACCELERATOR = 256
NUM_BLOCKS = {"cpu": 4}  # at most; blocks run next to each other where there are cores for them
NUM_BLOCKS_ON_ACCELERATOR = 1
CHUNK_STEPS = 64  # steps between two looks at which games are over
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
    over: Array  # bool[B], ended or capped: nothing changes until the slot is given another game
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

    `record` keeps the actions of the best game, and until it is known those of all that run. `on_progress` is
    told, between chunks, how many games are over and how many pieces the longest running one has. A second call
    with the same environment and act function compiles nothing.
    """
    if episodes < 1 or max_pieces < 0:
        raise ValueError(f"episodes, max_pieces: given {episodes}, {max_pieces}; allowed: from 1, from 0")
    begin, advance = _programs(env, actor.initial_memory, actor.act, greedy)
    params, seed_key = env.default_params, jax.random.key(seed)
    cap = jnp.int32(max_pieces or np.iinfo(np.int32).max)
    backend = jax.default_backend()
    size = BLOCK_GAMES.get(backend, BLOCK_GAMES_ON_ACCELERATOR)
    num_blocks = min(NUM_BLOCKS.get(backend, NUM_BLOCKS_ON_ACCELERATOR), math.ceil(episodes / size))
    numbers = iter(range(episodes))
    begin_games = functools.partial(begin, params, seed_key)
    blocks = [_Block.of(numbers, size, begin_games) for _ in range(num_blocks)]
    tally = _Tally.of(episodes, _action_type(env) if record else None)
    while blocks:
        for block in blocks:  # started one after another, they run next to each other
            block.games, block.actions = advance(actor.policy, params, block.games, cap)
        for block in blocks:
            block.collect(tally)
            block.refill(numbers, begin_games)
        blocks = _joined([block for block in blocks if block.running.any()])
        if on_progress is not None:
            on_progress(tally.num_over, max((block.most_pieces for block in blocks), default=0))
    return tally.result(seed, max_pieces)


def game_key(seed: int, game: int) -> Array:
    """Return the key that game number `game` of an evaluation is reset with."""
    return jax.random.fold_in(jax.random.key(seed), game)


def recording_of_best(env: Tetris, result: EvalResult) -> Recording:
    """Make the recording of an evaluation's best game, playing it again."""
    return replay_of_best(env, result).recording


def replay_of_best(env: Tetris, result: EvalResult) -> Replay:
    """Play an evaluation's best game again: its recording, with every state for those who draw it."""
    if result.best_actions is None:
        raise ValueError("best_actions: given None; allowed: the result of evaluate(..., record=True)")
    return play(env.config, env.default_params, game_key(result.seed, result.best), result.best_actions)


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


@dataclass
class _Block:
    """A block of games as the host sees it."""

    games: Games  # B of them
    numbers: np.ndarray  # int64[B], number of the game in each slot, -1 = none
    actions: Array | None = None  # [T, B], of the last chunk
    tapes: list[bytearray] = field(
        default_factory=list
    )  # the actions of each slot's game so far, if recorded

    @classmethod
    def of(cls, numbers: Iterator[int], size: int, begin: Callable[[Array], Games]) -> _Block:
        """Start a block with the next games; slots for which there is none are over."""
        first = np.full(size, -1)
        taken = list(itertools.islice(numbers, size))
        first[: len(taken)] = taken
        return cls(begin(jnp.asarray(first, jnp.int32)), first, tapes=[bytearray() for _ in first])

    @property
    def running(self) -> np.ndarray:
        """Tell which slots hold a game, bool[B]."""
        return self.numbers >= 0

    @property
    def most_pieces(self) -> int:
        """Return the pieces of the longest running game."""
        return int(np.asarray(self.games.state.pieces)[self.running].max(initial=0))

    def collect(self, tally: _Tally) -> None:
        """Wait for the chunk; hand over the games that it ended."""
        over = np.asarray(self.games.over)
        if tally.action_type is not None:
            actions = np.asarray(self.actions)
            for slot in np.flatnonzero(self.running):
                self.tapes[slot] += actions[:, slot].tobytes()
        finished = np.flatnonzero(over & self.running)
        if finished.size:
            tally.add(self, finished)
            self.numbers[finished] = -1

    def refill(self, numbers: Iterator[int], begin: Callable[[Array], Games]) -> None:
        """Give free slots the next games, as far as there are any."""
        free = np.flatnonzero(~self.running)
        following = list(itertools.islice(numbers, free.size))
        if following:
            self.numbers[free[: len(following)]] = following
            fresh = begin(jnp.asarray(self.numbers, jnp.int32))
            self.put(fresh, free[: len(following)], free[: len(following)])

    def put(self, source: Games, slots: np.ndarray, source_slots: np.ndarray) -> None:
        """Take games of another block over into slots of this one."""
        origin = np.zeros(len(self.numbers), np.int32)
        origin[slots] = source_slots
        chosen = np.zeros(len(self.numbers), bool)
        chosen[slots] = True
        self.games = _taken_over(self.games, source, jnp.asarray(origin), jnp.asarray(chosen))
        for slot in slots:
            self.tapes[slot] = bytearray()


@dataclass
class _Tally:
    """What the games that are over came to."""

    columns: dict[str, np.ndarray]  # by field of EvalResult, [E]
    action_type: Any  # of a recorded action; None = nothing is recorded
    num_over: int = 0
    best: tuple[int, int, int] = (-1, 0, 0)  # lines, score, -number
    best_tape: bytearray = field(default_factory=bytearray)

    @classmethod
    def of(cls, episodes: int, action_type: Any) -> _Tally:
        """Return a tally of no games, with room for `episodes`."""
        columns: dict[str, np.ndarray] = {
            name: np.zeros(episodes, np.int64) for name in ("lines", "score", "pieces", "steps")
        }
        columns |= {"returns": np.zeros(episodes), "capped": np.zeros(episodes, bool)}
        return cls(columns, action_type)

    def add(self, block: _Block, slots: np.ndarray) -> None:
        """Count the games in some slots of a block; keep the actions of the best."""
        games, numbers = block.games, block.numbers[slots]
        totals = {name: getattr(games.state, name) for name in ("lines", "score", "pieces")}
        totals |= {name: getattr(games, name) for name in ("steps", "returns", "capped")}
        for name, values in totals.items():
            self.columns[name][numbers] = np.asarray(values)[slots]
        self.num_over += len(slots)
        for slot, number in zip(slots, numbers, strict=True):
            rank = (int(self.columns["lines"][number]), int(self.columns["score"][number]), -int(number))
            if rank > self.best:
                self.best, self.best_tape = rank, block.tapes[slot]

    def result(self, seed: int, max_pieces: int) -> EvalResult:
        """Return the result of all games."""
        result = EvalResult(seed=seed, max_pieces=max_pieces, best_actions=None, **self.columns)
        if self.action_type is None:
            return result
        actions = np.frombuffer(self.best_tape, self.action_type)[: result.steps[result.best]]
        return dataclasses.replace(result, best_actions=actions.astype(np.int32))


def _joined(blocks: list[_Block]) -> list[_Block]:
    """Move the games of the emptiest block over to the next one, as long as they have room there."""
    blocks = sorted(blocks, key=lambda block: int(block.running.sum()))
    while len(blocks) > 1:
        source, target = blocks[:2]
        moved, free = np.flatnonzero(source.running), np.flatnonzero(~target.running)
        if moved.size > free.size:
            break
        slots = free[: moved.size]
        target.put(source.games, slots, moved)
        target.numbers[slots] = source.numbers[moved]
        for slot, from_slot in zip(slots, moved, strict=True):
            target.tapes[slot] = source.tapes[from_slot]
        blocks = sorted(blocks[1:], key=lambda block: int(block.running.sum()))
    return blocks


@jax.jit
def _taken_over(games: Games, source: Games, origin: Array, chosen: Array) -> Games:
    """Replace the chosen games by those of `source` at `origin`."""

    def one(here: Games, number: Array, use: Array) -> Games:
        other = jax.tree.map(lambda leaf: leaf[number], source)
        return jax.tree.map(lambda old, new: jnp.where(use, new, old), here, other)

    return jax.vmap(one)(games, origin, chosen)


@functools.lru_cache(maxsize=16)
def _programs(
    env: Tetris, initial_memory: Callable[..., Any], act: Callable[..., Any], greedy: bool
) -> tuple[Callable[..., Games], Callable[..., tuple[Games, Array]]]:
    """Compile the start of a block of games and a chunk of steps."""

    def begin(params: Any, seed_key: Array, number: Array) -> Games:
        key = jax.random.fold_in(seed_key, number.astype(jnp.uint32))
        zero = jnp.int32(0)
        return Games(
            state=env.reset(key, params)[0],
            memory=initial_memory((1,)),
            acting_key=jax.random.fold_in(key, ACTING),
            steps=zero,
            last_lock=zero,
            returns=jnp.float32(0),
            over=number < 0,  # there is none: nothing is played in its slot
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

    return jax.jit(jax.vmap(begin, in_axes=(None, None, 0))), jax.jit(chunk)


def _action_type(env: Tetris) -> Any:
    """Return the smallest type that holds an action: a recorded evaluation keeps every one of them."""
    return jnp.uint8 if env.num_actions <= 256 else jnp.uint16
