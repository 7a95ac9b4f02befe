"""Whole games that step on the host: a few side by side, the policy deciding for each of them in one compiled call.

The seed of game i is drawn from `fold_in(key(seed), i)`, and its acting keys too, so that the same game comes out
whatever the number of games.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Sight
from tetrax.env.contract import RETURN, STEPS
from tetrax.train.report.tally import ACTING, Asked, Tally

NUM_SLOTS = 16  # games that are decided together


@dataclass
class _Slot:
    """A game in progress."""

    episode: Any  # one environment: see `tetrax.games.from_gymnasium.Episode`
    number: int  # of the game; -1 = none
    seen: np.ndarray  # float32[F]
    steps: int = 0
    gained: float = 0.0


def play(asked: Asked, tally: Tally) -> None:
    """Play as many games as the tally has room for; see `tetrax.train.report.evaluation.evaluate`."""
    env, actor, episodes = asked.env, asked.actor, len(tally.steps)
    decide = _decide(env, actor.act, asked.greedy)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.key(asked.seed, impl="threefry2x32"), jnp.arange(episodes)
    )
    seeds = np.asarray(jax.vmap(jax.random.bits)(keys))
    numbers = iter(range(episodes))
    with contextlib.ExitStack() as stack:
        slots = []
        for number in itertools.islice(numbers, NUM_SLOTS):
            episode = stack.enter_context(env.open())
            slots.append(_Slot(episode, number, episode.reset(_seed(seeds, number))))
        memory = actor.initial_memory((len(slots),))
        while any(slot.number >= 0 for slot in slots):
            actions, memory = _choose(decide, actor.policy, slots, memory, keys)
            for slot, action in zip(slots, actions.tolist(), strict=True):
                if slot.number >= 0 and _step(slot, action, asked.cap, tally):
                    _begin(slot, next(numbers, -1), seeds)
            if asked.on_progress is not None:
                longest = max((slot.steps for slot in slots if slot.number >= 0), default=0)
                asked.on_progress(tally.num_over, longest)


def _choose(
    decide: Callable[..., Any], policy: Any, slots: list[_Slot], memory: Any, keys: Array
) -> tuple[np.ndarray, Any]:
    """Choose an action for every slot, int32[B]."""
    numbers = np.asarray([max(slot.number, 0) for slot in slots], np.int32)
    steps = np.asarray([slot.steps for slot in slots], np.int32)
    actions, memory = decide(policy, np.stack([slot.seen for slot in slots]), memory, steps, keys[numbers])
    return np.asarray(actions), memory


def _step(slot: _Slot, action: int, cap: int, tally: Tally) -> bool:
    """Play one action; count the game if it is over, and say so."""
    slot.seen, reward, terminated, truncated = slot.episode.step(action)
    slot.steps, slot.gained = slot.steps + 1, slot.gained + reward
    capped = not terminated and (truncated or (cap > 0 and slot.steps >= cap))
    if terminated or capped:
        tally.add(slot.number, {RETURN: slot.gained, STEPS: slot.steps}, slot.steps, capped)
    return terminated or capped


def _begin(slot: _Slot, number: int, seeds: np.ndarray) -> None:
    """Give a slot another game, or none."""
    slot.number, slot.steps, slot.gained = number, 0, 0.0
    if number >= 0:
        slot.seen = slot.episode.reset(_seed(seeds, number))


def _seed(seeds: np.ndarray, number: int) -> int:
    return int(seeds[number]) % 2**31


@functools.lru_cache(maxsize=16)
def _decide(env: Any, act: Callable[..., Any], greedy: bool) -> Callable[..., Any]:
    """Compile deciding for B games, each by itself."""

    def one(policy: Any, seen: Array, memory: Any, steps: Array, key: Array) -> tuple[Array, Any]:
        sight = Sight(observation=env.observation(seen), is_first=steps == 0)
        sight, memory = jax.tree.map(lambda leaf: leaf[None], (sight, memory))  # a batch of one
        act_key = jax.random.fold_in(jax.random.fold_in(key, ACTING), steps)
        action, memory, _ = act(policy, sight, memory, act_key, greedy)
        return action[0], jax.tree.map(lambda leaf: leaf[0], memory)

    return jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0, 0)))
