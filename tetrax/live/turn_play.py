"""A person in the terminal against a policy, or against another person, in a game of two who take turns."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.agents.agent import Act, Actor, Sight
from tetrax.games.in_a_row import InARow, InARowState
from tetrax.view import stones

QUIT = ("q", "quit")


class Played(NamedTuple):
    """How a game ended."""

    state: InARowState
    is_over: bool  # False where a person left it


def play(
    env: InARow,
    players: tuple[Actor | None, Actor | None],
    seed: int,
    ask: Callable[[str], str],
    tell: Callable[[str], None],
) -> Played:
    """Play one game; a player is a policy, or None for a person, who is asked for every move.

    `ask` shows a prompt and returns the line that was written, or raises EOFError where there will be none.
    """
    key = jax.random.key(seed, impl="threefry2x32")
    state, _ = env.reset(key)
    memories = [None if player is None else player.initial_memory((1,)) for player in players]
    observe, move = jax.jit(env.observe), jax.jit(env.move)
    number = 0
    tell(stones.draw_text(env, state))
    while not bool(state.over):
        side = int(state.player)
        player, observation = players[side], observe(state)
        if player is None:
            action = _ask(stones.MARKS[side], np.asarray(observation.legal), ask, tell)
            if action is None:
                return Played(state, is_over=False)
        else:
            sight = Sight(observation=observation, is_first=jnp.bool_(number < 2), state=state)
            sight = jax.tree.map(lambda leaf: leaf[None], sight)
            act_key = jax.random.fold_in(key, number)
            actions, memories[side], _ = _compile(player.act)(player.policy, sight, memories[side], act_key)
            action = int(actions[0])
            tell(f"{stones.MARKS[side]} plays {action}")
        state, _ = move(state, jnp.int32(action))
        number += 1
        tell(stones.draw_text(env, state))
    return Played(state, is_over=True)


@functools.lru_cache(maxsize=4)
def _compile(act: Act) -> Callable[..., Any]:
    """Return what a policy decides by, greedily and compiled."""
    return jax.jit(lambda policy, sight, memory, key: act(policy, sight, memory, key, True))


def _ask(mark: str, legal: np.ndarray, ask: Callable[[str], str], tell: Callable[[str], None]) -> int | None:
    """Ask a person for a legal move until there is one; None where the person leaves."""
    allowed = [int(action) for action in np.flatnonzero(legal)]
    while True:
        try:
            word = ask(f"{mark}: ").strip()
        except EOFError:
            return None
        if word.lower() in QUIT:
            return None
        if word.isascii() and word.isdigit() and int(word) in allowed:
            return int(word)
        tell(f"move: given {word!r}; allowed: {', '.join(map(str, allowed))}, or q to leave")
