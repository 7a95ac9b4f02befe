"""Action sets of the keyboard: one action is what is pressed in one tick."""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import engine
from tetrax.env.game.rules import Params, Rules, check_choice
from tetrax.env.game.state import Event, State, no_inputs
from tetrax.env.game.vector import traced_once

NOOP = "noop"
DIRECT_KEYS = (
    NOOP, "left", "right", "rotate_cw", "rotate_ccw", "soft_drop", "hard_drop", "hold",
)  # fmt: skip
HALF_TURN_KEY = "rotate_180"  # comes after the others, so that their indices are the same in all rules


def direct_keys(rules: Rules) -> tuple[str, ...]:
    """Return the eight keys in order, and a ninth for half turns where the rules have them."""
    return (*DIRECT_KEYS, HALF_TURN_KEY) if rules.half_turns else DIRECT_KEYS


class Direct(NamedTuple):
    """One key a tick. Every key is legal while the game runs."""

    rules: Rules

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the keys."""
        return direct_keys(self.rules)

    @traced_once
    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Press one key for one tick."""
        pressed = {name: action == index for index, name in enumerate(self.names) if name != NOOP}
        return engine.tick(self.rules, params, state, no_inputs().replace(**pressed))

    def candidates(self, state: State) -> None:
        """Return None: keys are not placements."""

    def legal(self, state: State, candidates: object) -> Bool[Array, "A"]:
        """Tell whether the game runs, once per key."""
        return jnp.broadcast_to(~state.game_over, (len(self.names),))


class Chords(NamedTuple):
    """Several keys in one tick: the declared chords or, when none are declared, every subset of the keys.

    With k keys (7, or 8 with half turns) there are 2^k subsets: bit i of the index is key i of
    `direct_keys` without its no-op, and index 0 presses nothing. Within a tick the order is the
    engine's (hold, turn, shift, drop); opposite keys cancel. Every chord is legal while the game runs.
    """

    rules: Rules
    chords: tuple[tuple[str, ...], ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys that a chord may hold, k of them."""
        return tuple(name for name in direct_keys(self.rules) if name != NOOP)

    @property
    def names(self) -> tuple[str, ...]:
        """Return a name per chord, such as 'left+rotate_cw', its keys in the order declared."""
        return tuple("+".join(chord) for chord in self.chords or _subsets(self.keys))

    @traced_once
    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Press the keys of a chord for one tick."""
        held = self._held(action)
        pressed = {name: (held >> np.uint32(bit)) & np.uint32(1) != 0 for bit, name in enumerate(self.keys)}
        return engine.tick(self.rules, params, state, no_inputs().replace(**pressed))

    def candidates(self, state: State) -> None:
        """Return None: keys are not placements."""

    def legal(self, state: State, candidates: object) -> Bool[Array, "A"]:
        """Tell whether the game runs, once per chord."""
        return jnp.broadcast_to(~state.game_over, (len(self.chords) or 2 ** len(self.keys),))

    def _held(self, action: Int32[Array, ""]) -> UInt32[Array, ""]:
        """Return the keys of a chord as bits."""
        if not self.chords:
            return action.astype(jnp.uint32)
        words = [sum(1 << self.keys.index(name) for name in chord if name != NOOP) for chord in self.chords]
        return jnp.asarray(np.array(words, np.uint32))[action]


def check_chords(rules: Rules, chords: tuple[tuple[str, ...], ...]) -> None:
    """Raise a ValueError that names what is wrong with declared chords; none declared is right."""
    if not isinstance(chords, tuple):
        raise ValueError(
            f"env.chords: given {chords!r}; allowed: a tuple or list of chords, each a tuple or list of key names"
        )
    allowed = direct_keys(rules)
    seen: dict[frozenset[str], int] = {}
    for index, chord in enumerate(chords):
        where = f"env.chords[{index}]"
        if not isinstance(chord, tuple) or not chord:
            raise ValueError(
                f"{where}: given {chord!r}; allowed: a tuple or list of key names, ('{NOOP}',) for no key"
            )
        for name in chord:
            check_choice(where, name, allowed)
        if len(set(chord)) < len(chord):
            raise ValueError(f"{where}: given {chord!r}; allowed: each key once")
        if NOOP in chord and len(chord) > 1:
            raise ValueError(f"{where}: given {chord!r}; allowed: '{NOOP}' by itself")
        if frozenset(chord) in seen:
            raise ValueError(
                f"{where}: given {chord!r}, the same keys as env.chords[{seen[frozenset(chord)]}]; "
                "allowed: each chord once"
            )
        seen[frozenset(chord)] = index


def _subsets(keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    """List every subset of the keys; bit i of an index is key i."""
    chosen = itertools.product((False, True), repeat=len(keys))  # the last key changes fastest
    subsets = [tuple(itertools.compress(keys, reversed(bits))) for bits in chosen]
    return [subset or (NOOP,) for subset in subsets]
