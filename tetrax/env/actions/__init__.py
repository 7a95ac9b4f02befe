"""Action sets: what an action index means to the engine, and which indices are legal."""

from typing import Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.actions.keys import DIRECT_KEYS, HALF_TURN_KEY, Chords, Direct, check_chords, direct_keys
from tetrax.env.actions.placing import Drop, LockedPosition
from tetrax.env.game.reach.outcomes import Candidates
from tetrax.env.game.rules import Params, Rules, check_choice
from tetrax.env.game.state import Event, State
from tetrax.env.game.vector import describe

__all__ = [
    "ACTION_SETS", "DIRECT_KEYS", "HALF_TURN_KEY", "KEY_ACTIONS", "ActionSet", "Chords", "Direct", "Drop",
    "LockedPosition", "action_set", "check", "clip", "direct_keys",
]  # fmt: skip


class ActionSet(Protocol):
    """What an environment asks of an action set; each is a frozen record of its rules."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return a name per action, A of them."""

    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Play one action in 0..A-1."""

    def candidates(self, state: State) -> Candidates | None:
        """Return the placements that afterstates are made of; None where there are none."""

    def legal(self, state: State, candidates: Candidates | None) -> Bool[Array, "A"]:
        """Tell which actions are legal (True); none is after the end."""


ACTION_SETS = ("direct", "chords", "drop", "locked_position")
KEY_ACTIONS = ("direct", "chords")  # sets in which an action is a tick of keys, not a whole placement
ORIENTATIONS = ("chosen", "first")


def action_set(
    name: str, rules: Rules, chords: tuple[tuple[str, ...], ...] = (), orientation: str = "chosen"
) -> ActionSet:
    """Return an action set by its name; `chords` and `orientation` are for the sets that have them."""
    if name == "direct":
        return Direct(rules)
    if name == "chords":
        return Chords(rules, chords)
    if name == "drop":
        return Drop(rules)
    return LockedPosition(rules, orientation == "chosen")


def check(name: str, rules: Rules, chords: tuple[tuple[str, ...], ...], orientation: str) -> None:
    """Raise a ValueError where the fields of an action set are not allowed, or belong to another one."""
    check_choice("env.actions", name, ACTION_SETS)
    check_choice("env.orientation", orientation, ORIENTATIONS)
    check_chords(rules, chords)
    if chords and name != "chords":
        raise ValueError(f"env.chords: given {len(chords)} chords with actions {name!r}; allowed: none")
    if orientation != "chosen" and name != "locked_position":
        raise ValueError(f"env.orientation: given {orientation!r} with actions {name!r}; allowed: chosen")


def clip(action: Int32[Array, ""] | int, num_actions: int) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
    """Bring an index into 0..A-1; return it and whether it had to be changed. TypeError unless it is one integer."""
    is_number = isinstance(action, int | Array | np.ndarray | np.generic) and not isinstance(action, bool)
    # One board plays one action; more would quietly become more boards, and a fraction would become an index.
    if not is_number or np.ndim(action) or not jnp.issubdtype(jnp.result_type(action), jnp.integer):
        raise TypeError(
            f"action: given {describe(action)}; allowed: one integer, int32[], from 0 to {num_actions - 1} "
            "(under vmap, one per board)"
        )
    # What has more bits than fit is brought into the range before it would wrap around.
    if not isinstance(action, Array):
        action = jnp.int32(min(max(int(action), -(2**31)), 2**31 - 1))
    elif action.dtype.itemsize < 4:
        action = action.astype(jnp.int32)
    inside = jnp.clip(action, 0, num_actions - 1)
    return inside.astype(jnp.int32), inside != action
