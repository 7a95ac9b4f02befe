"""Whole games of a compiled environment, many side by side: blocks of one size that share one compiled program.

Between chunks a slot whose game is over is given the next game, and when none is left blocks that have become half
empty are joined.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Sight
from tetrax.env import batch
from tetrax.env.contract import Game, Observation, Spec
from tetrax.env.wrappers import Episode, count_step, no_episode
from tetrax.train.report.tally import ACTING, Asked, Tally

BLOCK_GAMES = {"cpu": 16}  # games of a block; on a CPU more are no faster, and fewer wait at the end
BLOCK_GAMES_ON_ACCELERATOR = 256
NUM_BLOCKS = {"cpu": 4}  # at most; blocks run next to each other where there are cores for them
NUM_BLOCKS_ON_ACCELERATOR = 1
CHUNK_STEPS = 64  # steps between two looks at which games are over
# A game that gets no longer for so many steps never will (infinite lock delay): it is capped.
STALL_STEPS = 10_000


class Games(NamedTuple):
    """Games in progress; every leaf has the games B first."""

    state: Any
    memory: Any
    acting_key: Array  # key<fry>[B]
    episode: Episode  # what each came to so far
    last_growth: Array  # int32[B], steps played when the game last got longer
    over: Array  # bool[B], ended or capped: nothing changes until the slot is given another game
    capped: Array  # bool[B], stopped by the cap, a time limit or a stall, not ended


class Programs(NamedTuple):
    """The compiled programs of an evaluation."""

    begin: Callable[..., Games]  # (params, seed_key, numbers: int32[B]) -> Games
    advance: Callable[
        ..., tuple[Games, Array]
    ]  # (policy, params, Games, cap) -> (Games, actions [T, B] or [T, B, P])


def play(asked: Asked, tally: Tally) -> None:
    """Play as many games as the tally has room for; see `tetrax.train.report.evaluation.evaluate`."""
    env, actor = asked.env, asked.actor
    programs = _programs(env, actor.initial_memory, actor.act, asked.greedy)
    params, largest = env.default_params, jnp.int32(asked.cap or np.iinfo(np.int32).max)
    begin = functools.partial(programs.begin, params, jax.random.key(asked.seed, impl="threefry2x32"))
    backend, episodes = jax.default_backend(), len(tally.steps)
    size = BLOCK_GAMES.get(backend, BLOCK_GAMES_ON_ACCELERATOR)
    num_blocks = min(NUM_BLOCKS.get(backend, NUM_BLOCKS_ON_ACCELERATOR), math.ceil(episodes / size))
    numbers = iter(range(episodes))
    blocks = [_Block.of(numbers, size, begin) for _ in range(num_blocks)]
    while blocks:
        for block in blocks:  # started one after another, they run next to each other
            block.games, block.actions = programs.advance(actor.policy, params, block.games, largest)
        for block in blocks:
            block.collect(tally)
            block.refill(numbers, begin)
        blocks = _join([block for block in blocks if block.running.any()])
        if asked.on_progress is not None:
            longest = max((block.longest(env.spec.length) for block in blocks), default=0)
            asked.on_progress(tally.num_over, longest)


def action_type(spec: Spec) -> Any:
    """Return the smallest type that holds an action: a recorded evaluation keeps every one of them."""
    return jnp.uint8 if spec.num_actions <= 256 else jnp.uint16


@dataclass
class _Block:
    """A block of games as the host sees it."""

    games: Games  # B of them
    numbers: np.ndarray  # int64[B], number of the game in each slot, -1 = none
    actions: Array | None = None  # [T, B], with several seats [T, B, P], of the last chunk
    tapes: list[bytearray] = field(default_factory=list)  # the actions of each slot's game, if recorded

    @classmethod
    def of(cls, numbers: Iterator[int], size: int, begin: Callable[[Array], Games]) -> _Block:
        """Start a block with the next games; slots for which there is none are over."""
        first = np.full(size, -1)
        given = list(itertools.islice(numbers, size))
        first[: len(given)] = given
        return cls(begin(jnp.asarray(first, jnp.int32)), first, tapes=[bytearray() for _ in first])

    @property
    def running(self) -> np.ndarray:
        """Tell which slots hold a game, bool[B]."""
        return self.numbers >= 0

    def longest(self, length: str) -> int:
        """Return the length of the longest running game, in the measure of that name."""
        lengths = self.games.episode.totals.get(length, self.games.episode.steps)
        return int(np.asarray(lengths)[self.running].max(initial=0))

    def collect(self, tally: Tally) -> None:
        """Wait for the chunk; hand over the games that it ended."""
        over = np.asarray(self.games.over)
        if tally.action_type is not None:
            actions = np.asarray(self.actions)
            for slot in np.flatnonzero(self.running):
                self.tapes[slot] += actions[:, slot].tobytes()
        finished = np.flatnonzero(over & self.running)
        if not finished.size:
            return
        episode, capped = jax.tree.map(np.asarray, (self.games.episode, self.games.capped))
        for slot in finished:
            came_to = {name: values[slot] for name, values in episode.totals.items()}
            tally.add(
                int(self.numbers[slot]),
                came_to,
                int(episode.steps[slot]),
                bool(capped[slot]),
                self.tapes[slot],
            )
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
        self.games = _replace(self.games, source, jnp.asarray(origin), jnp.asarray(chosen))
        for slot in slots:
            self.tapes[slot] = bytearray()


def _join(blocks: list[_Block]) -> list[_Block]:
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
def _replace(games: Games, source: Games, origin: Array, chosen: Array) -> Games:
    """Replace the chosen games by those of `source` at `origin`."""

    def one(here: Games, number: Array, use: Array) -> Games:
        other = jax.tree.map(lambda leaf: leaf[number], source)
        return jax.tree.map(lambda old, new: jnp.where(use, new, old), here, other)

    return jax.vmap(one)(games, origin, chosen)


@functools.lru_cache(maxsize=16)
def _programs(
    env: Game, initial_memory: Callable[..., Any], act: Callable[..., Any], greedy: bool
) -> Programs:
    """Compile the start of a block of games and a chunk of steps."""

    def begin(params: Any, seed_key: Array, number: Array) -> Games:
        key = jax.random.fold_in(seed_key, number.astype(jnp.uint32))
        return Games(
            state=env.init(key, params),
            memory=initial_memory((env.spec.num_seats,)),
            acting_key=jax.random.fold_in(key, ACTING),
            episode=no_episode(env.spec),
            last_growth=jnp.int32(0),
            over=number < 0,  # there is none: nothing is played in its slot
            capped=jnp.bool_(False),
        )

    def step(policy: Any, params: Any, game: Games, cap: Array) -> tuple[Games, Array]:
        # Observed here and not after the step: what observing and playing share is computed once.
        observation = env.observe(game.state, params)
        sight = look(env.spec, observation, game.episode.steps == 0, game.state)
        act_key = jax.random.fold_in(game.acting_key, game.episode.steps)
        actions, memory, _ = act(policy, sight, game.memory, act_key, greedy)
        action = batch.actions_of_one(actions, env.spec)
        state, reward, terminated, truncated, event = env.transition(game.state, action, params)
        episode = count_step(env.spec, game.episode, reward, env.measure(event))
        grown = _length(env.spec, episode) > _length(env.spec, game.episode)
        last_growth = jnp.where(grown, episode.steps, game.last_growth)
        stalled = episode.steps - last_growth >= STALL_STEPS
        stopped = (_length(env.spec, episode) >= cap) | truncated | stalled
        after = Games(
            state=state,
            memory=memory,
            acting_key=game.acting_key,
            episode=episode,
            last_growth=last_growth,
            over=terminated | stopped,
            capped=stopped & ~terminated,
        )
        frozen = jax.tree.map(lambda old, new: jnp.where(game.over, old, new), game, after)
        return frozen, action.astype(action_type(env.spec))

    def chunk(policy: Any, params: Any, games: Games, cap: Array) -> tuple[Games, Array]:
        def advance(carry: Games, _: None) -> tuple[Games, Array]:
            return jax.vmap(step, in_axes=(None, None, 0, None))(policy, params, carry, cap)

        return jax.lax.scan(advance, games, length=CHUNK_STEPS)

    return Programs(jax.jit(jax.vmap(begin, in_axes=(None, None, 0))), jax.jit(chunk))


def look(spec: Spec, observation: Observation, is_first: Array, state: Any) -> Sight:
    """Return what the policy of one game decides by, of all its seats; no game's state where several act together."""
    sight = Sight(
        observation=batch.seats_of_one(observation, spec), is_first=jnp.full(spec.num_seats, is_first)
    )
    return sight if spec.acts_together else sight.replace(state=batch.seats_of_one(state, spec))


def _length(spec: Spec, episode: Episode) -> Array:
    """Return how long a game is, in the measure that its game counts length in."""
    return episode.totals.get(spec.length, episode.steps)
