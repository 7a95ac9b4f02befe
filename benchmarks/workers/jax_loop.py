"""One compiled loop for everybody: what tetrax and its peers play in, so that both are timed alike.

This runs in the virtual environments of the peers too: it imports JAX and NumPy alone, and runs with old ones.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.workers.stopwatch import Played, Stopwatch

BOARD_STEPS = 2**14  # aimed at for one call of the compiled loop: calling it costs nothing beside them
LEAST_LENGTH, GREATEST_LENGTH = 16, 1024  # steps of the loop
WORD = 32  # bits


class Step(NamedTuple):
    """What one step of B boards gives."""

    carry: Any  # what the next step starts from
    seen: Any  # all that a learner would be given: observation, reward, flags; arrays [B, ...]
    pieces: Array  # [B], pieces locked in this step (bool or int32)
    games: Array  # bool[B], the step ended a game


class Loop:
    """B games, and the compiled loop that plays `length` steps of each; the games' state is donated.

    `start(key)` returns the carry of the first step. `step(carry, bits: uint32[B])` plays one step of every
    board, with one random word a board from a counter-based key a step, and resets boards whose game ended.
    Everything in `Step.seen` is added to a checksum that is returned, so that nothing of it can be left out.
    """

    def __init__(
        self, start: Callable[[Array], Any], step: Callable[[Any, Array], Step], batch: int, seed: int = 0
    ) -> None:
        self.batch, self.length, self.carry = batch, loop_length(batch), None
        self._start, self._step, self._seed, self._calls = start, step, seed, 0
        self._compiled: Any = None

    def compile(self) -> float:
        """Compile the loop and start the games; return the seconds that compiling the loop took."""
        self.carry = jax.jit(lambda seed: self._start(jax.random.key(seed)))(jnp.uint32(self._seed))
        began = Stopwatch()
        lowered = jax.jit(self._play, donate_argnums=0).lower(self.carry, jnp.uint32(0))
        self._compiled = lowered.compile()
        return began.seconds

    def run(self, seconds: float) -> Played:
        """Play for about so many seconds (whole calls, one at least), and count."""
        pieces, games, calls = 0, 0, 0
        began, waiting = Stopwatch(), []
        while not calls or began.seconds < seconds:
            self.carry, totals = self._compiled(self.carry, jnp.uint32(self._calls))
            self._calls = (self._calls + 1) % 2**20
            calls += 1
            waiting.append(totals)
            if calls > 1:  # the device has its next call before the last one is looked at
                pieces, games = _add(pieces, games, waiting.pop(0))
        for totals in waiting:
            pieces, games = _add(pieces, games, totals)
        steps = calls * self.batch * self.length
        return Played(steps, pieces, games, began.seconds, began.cpu_seconds)

    def _play(self, carry: Any, call: Array) -> tuple[Any, dict[str, Array]]:
        key = jax.random.key(self._seed + 1)

        def step(carry: Any, index: Array) -> tuple[Any, None]:
            inner, checksum, pieces, games = carry
            step_key = jax.random.fold_in(key, call * np.uint32(self.length) + index)
            done = self._step(inner, jax.random.bits(step_key, (self.batch,), jnp.uint32))
            checksum = add_up(checksum, done.seen)
            counted = (pieces + done.pieces.astype(jnp.int32), games + done.games.astype(jnp.int32))
            return (done.carry, checksum, *counted), None

        nothing = jnp.zeros(self.batch, jnp.int32)
        started = (carry, jnp.zeros(self.batch, jnp.uint32), nothing, nothing)
        indices = jnp.arange(self.length, dtype=jnp.uint32)
        (carry, checksum, pieces, games), _ = jax.lax.scan(step, started, indices)
        return carry, {"checksum": jnp.sum(checksum), "pieces": jnp.sum(pieces), "games": jnp.sum(games)}


def _add(pieces: int, games: int, totals: dict[str, Array]) -> tuple[int, int]:
    found = jax.device_get(totals)
    return pieces + int(found["pieces"]), games + int(found["games"])


def loop_length(batch: int) -> int:
    """Return the steps of one call: fixed for a batch, a power of two."""
    wanted = max(BOARD_STEPS // batch, 1)
    return min(max(2 ** int(math.log2(wanted)), LEAST_LENGTH), GREATEST_LENGTH)


def add_up(checksum: Array, seen: Any) -> Array:
    """Add every number of a tree of arrays [B, ...] to a checksum uint32[B], floats by their bits.

    Integers, because sums of floats may not be reordered, which would make adding up the slowest part;
    and per board, so that boards are added up side by side.
    """
    for leaf in jax.tree.leaves(seen):
        is_float = jnp.issubdtype(leaf.dtype, jnp.floating)
        words = jax.lax.bitcast_convert_type(leaf, jnp.uint32) if is_float else leaf.astype(jnp.uint32)
        boards_last = jnp.moveaxis(words, 0, -1)
        checksum = checksum + jnp.sum(boards_last, axis=tuple(range(leaf.ndim - 1)), dtype=jnp.uint32)
    return checksum


def below(bits: Array, limit: Array) -> Array:
    """Return floor(bits * limit / 2**32): a number below `limit` (at most 65535) from 32 random bits.

    Each number has a probability within limit / 2**32 (relative) of its share: exact for powers of two,
    and within a millionth for 800 (Lemire 2019, "Fast random integer generation in an interval").
    """
    half = np.uint32(16)
    low = ((bits & np.uint32(0xFFFF)) * limit) >> half
    return ((bits >> half) * limit + low) >> half


def random_legal(bits: Array, legal: Array) -> Array:
    """Draw one of the legal actions of each board (bits uint32[B], legal bool[B, A] -> int32[B]), all alike.

    The mask becomes words of 32 bits; counts of their bits lead to the word, and then within it, by halves,
    to the place of the r-th legal action. That is A + 5 small operations a board, and one random word.
    A board without a legal action gets action 0.
    """
    num_boards, num_actions = legal.shape
    num_words = -(-num_actions // WORD)
    padded = jnp.pad(jnp.moveaxis(legal, 0, -1), ((0, num_words * WORD - num_actions), (0, 0)))
    bit = padded.reshape(num_words, WORD, num_boards)  # boards last: a vector of boards for each bit
    words = functools.reduce(
        jnp.bitwise_or, [bit[:, i].astype(jnp.uint32) << np.uint32(i) for i in range(WORD)]
    )
    counts = jax.lax.population_count(words)
    ends = list(itertools.accumulate(counts[i] for i in range(num_words)))
    rank = below(bits, ends[-1])  # [B], 0 is the first legal action
    index, before, word = jnp.zeros_like(rank), jnp.zeros_like(rank), words[0]
    for i in range(num_words - 1):
        is_later = ends[i] <= rank
        index = jnp.where(is_later, np.uint32(i + 1), index)
        before = jnp.where(is_later, ends[i], before)
        word = jnp.where(is_later, words[i + 1], word)
    action = index * np.uint32(WORD) + _place_of_bit(word, rank - before)
    return jnp.where(ends[-1] > 0, action, np.uint32(0)).astype(jnp.int32)


def _place_of_bit(word: Array, rank: Array) -> Array:
    """Return the place of the set bit that has `rank` set bits below it."""
    place = jnp.zeros_like(word)
    for width in (16, 8, 4, 2, 1):
        low = word & np.uint32(2**width - 1)
        count = jax.lax.population_count(low)
        is_higher = rank >= count
        rank = jnp.where(is_higher, rank - count, rank)
        word = jnp.where(is_higher, word >> np.uint32(width), low)
        place = place + jnp.where(is_higher, np.uint32(width), np.uint32(0))
    return place
