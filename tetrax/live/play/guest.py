"""An agent that plays with people: loaded by the name of a run, an export or a baseline, and asked about their states.

Its environment differs from that of people in its actions, its observation and its pace, not in its game.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents import baselines
from tetrax.agents.agent import Actor, Sight
from tetrax.env.actions import KEY_ACTIONS
from tetrax.env.actions.keys import NOOP
from tetrax.env.finesse import Placement
from tetrax.env.game.reach.outcomes import Candidates
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import lookup
from tetrax.env.tetris import ENV_PRESETS, Tetris
from tetrax.fields.errors import UserError, hint, wrong
from tetrax.search.lines import LINES, Lines
from tetrax.train.command import acting_words

# Rules that an agent need not have been trained with: they are about time, and about what comes and what counts.
FREE_RULES = (
    "ticks_per_second", "rows_per_second", "gravity", "lock", "sequence", "lives", "spins", "attack",
    "garbage_blocking",
)  # fmt: skip


class Choice(NamedTuple):
    """What an agent would do: one of the two."""

    placement: Placement | None  # of the active piece, or the one that hold brings
    keys: frozenset[str]  # of one of its ticks
    lines: Lines | None = None  # of those who plan: the best ones, of one game


@dataclass(frozen=True, eq=False)
class Guest:
    """An agent and the environment that it knows."""

    name: str
    env: Tetris
    actor: Actor

    @property
    def by_keys(self) -> bool:
        """Tell whether it decides about keys, in each of its ticks, and not about whole pieces."""
        return self.env.config.actions in KEY_ACTIONS

    def first_memory(self) -> Any:
        """Return what it remembers before its first decision."""
        return self.actor.initial_memory((1,))

    def choose(
        self, state: State, earlier: list[Array], memory: Any, number: int, pace: int
    ) -> tuple[Choice, Any]:
        """Decide about one state, greedily; return the choice and the new memory.

        `earlier` are the rows at its decisions before, newest first, `number` how many these were, and `pace` the
        ticks of the game in one of its own.
        """
        action, memory, placed, lines = self._program(
            self.actor.policy, state, tuple(earlier), memory, np.int32(number), np.int32(pace)
        )
        if self.by_keys:
            names = self.env.action_names[int(action)].split("+")
            return Choice(None, frozenset(names) - {NOOP}), memory
        use_hold, orientation, x, y, spin = np.asarray(placed).tolist()
        lines = jax.tree.map(lambda leaf: np.asarray(leaf)[0], lines)
        return Choice(Placement(bool(use_hold), orientation, x, y, spin or None), frozenset(), lines), memory

    @cached_property
    def num_earlier(self) -> int:
        """Return how many boards before the present one it looks at."""
        return self.env.config.history

    @cached_property
    def _program(self) -> Callable[..., tuple[Array, Any, Array, Lines | None]]:
        env, act = self.env, self.actor.act
        params = env.default_params

        def choose(
            policy: Any, state: State, earlier: tuple[Array, ...], memory: Any, number: Array, pace: Array
        ) -> tuple[Array, Any, Array, Lines | None]:
            timer = jnp.where(state.lock_timer > 0, state.lock_timer // pace, state.lock_timer)
            state = state.replace(lock_timer=timer, history=jnp.stack(earlier) if earlier else None)
            sight = Sight(observation=env.observe(state, params), is_first=number == 0, state=state)
            sight = jax.tree.map(lambda leaf: leaf[None], sight)
            key = jax.random.fold_in(state.key, number)
            actions, memory, told = act(policy, sight, memory, key, True)
            candidates = env.action_set.candidates(state)
            placed = jnp.zeros(5, jnp.int32)
            if candidates is not None:
                placed = placement_of(env, params, state, candidates, actions[0])
            lines: Any = told.get(LINES)
            return actions[0], memory, placed, lines

        return jax.jit(choose)


def invite(name: str, rules: Rules | None, acting: Mapping[str, Any] | None = None) -> Guest:
    """Load the agent of a run, of an export, or a baseline, to play by `rules`, or by its own where there are none.

    `acting` says how it acts, by the paths of its settings ("policy.width"). UserError where there is none of that
    name, or where its game is another.
    """
    acting = acting or {}
    acting_words.check(name if name in baselines.BASELINES else None, acting)
    if name in baselines.BASELINES:
        env = baselines.environment(name, "guideline")
        rules = ENV_PRESETS["guideline"].rules if rules is None else rules
        try:
            env = Tetris(dataclasses.replace(env.config, rules=rules))
        except ValueError as error:
            raise UserError(f"--policy: given {name!r}, which cannot play by these rules: {error}") from None
        return Guest(name, env, acting_words.baseline(name, env, acting))
    if not os.path.exists(name):
        names = ", ".join(baselines.BASELINES)
        near = hint(name, baselines.BASELINES)
        raise UserError(
            f"--policy: given {name!r}; allowed: the folder of a run or of an exported policy, or {names}{near}"
        )
    loaded = acting_words.load_endless(name, acting)
    if not isinstance(loaded.env, Tetris):
        raise wrong("--policy", name, f"an agent that plays Tetris (this one plays {loaded.env.spec.title})")
    guest = Guest(name, loaded.env, loaded.actor)
    if rules is not None:
        check_rules(guest, rules)
    return guest


def check_rules(guest: Guest, rules: Rules) -> None:
    """Raise a UserError that names the first rule in which a game is not the agent's."""
    own = guest.env.rules
    is_tetrio = "tetrio" in (own.randomizer, rules.randomizer)  # its states hold more
    free = FREE_RULES if is_tetrio else (*FREE_RULES, "randomizer")
    for field in dataclasses.fields(Rules):
        given, known = getattr(rules, field.name), getattr(own, field.name)
        if field.name not in free and given != known:
            if field.name == "pieces":
                given, known = (" ".join(piece.name for piece in each) for each in (given, known))
            raise UserError(
                f"--policy: given {guest.name!r} for a game with rules.{field.name} {given}; "
                f"allowed: {known}, as it was trained (without --preset the game is the agent's)"
            )


def placement_of(env: Tetris, params: Any, state: State, candidates: Candidates, action: Array) -> Array:
    """Return what an action of placements means, int32[5]: hold, orientation, column, row, and the spin it earns."""
    tables, kind = env.rules.tables, candidates.kind[action]
    orientation, x, y = (part[action] for part in candidates.pose)
    left, bottom = lookup(tables.left, kind, orientation), lookup(tables.bottom, kind, orientation)
    event = env.transition(state, action, params)[-1]
    half = env.num_actions // 2 if env.rules.hold else env.num_actions
    parts = (action >= half, orientation, x + left, y + bottom, event.spin)
    return jnp.stack([jnp.asarray(part, jnp.int32) for part in parts])
