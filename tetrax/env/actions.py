"""Action sets: what an action index means to the engine, and which indices are legal."""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game import drops, engine
from tetrax.env.game.drops import Candidates
from tetrax.env.game.pieces import NUM_ORIENTATIONS
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import Event, State, no_inputs


class ActionSet(Protocol):
    """What an environment asks of an action set; each is a frozen record of its rules."""

    names: tuple[str, ...]  # one per action, A of them

    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Play one action in 0..A-1."""

    def candidates(self, state: State) -> Candidates | None:
        """Return the placements that the actions stand for; None when they are keys."""

    def legal(self, state: State, candidates: Candidates | None) -> Bool[Array, "A"]:
        """Tell which actions are legal (True); none is after the end."""


DIRECT_KEYS = (
    "noop", "left", "right", "rotate_cw", "rotate_ccw", "soft_drop", "hard_drop", "hold",
)  # fmt: skip


class Direct(NamedTuple):
    """The eight keys, one a tick. Every key is legal while the game runs."""

    rules: Rules

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the keys."""
        return DIRECT_KEYS

    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Press one key for one tick."""
        pressed = {name: action == index for index, name in enumerate(DIRECT_KEYS) if name != "noop"}
        return engine.tick(self.rules, params, state, no_inputs().replace(**pressed))

    def candidates(self, state: State) -> None:
        """Return None: keys are not placements."""

    def legal(self, state: State, candidates: Candidates | None) -> Bool[Array, "A"]:
        """Tell whether the game runs, once per key."""
        return jnp.broadcast_to(~state.game_over, (len(DIRECT_KEYS),))


class Drop(NamedTuple):
    """One step is one piece: orientation and leftmost column, straight down.

    With hold there are twice as many actions: the second half holds first. An illegal action
    leaves the game as it is; only a tick passes.
    """

    rules: Rules

    @property
    def names(self) -> tuple[str, ...]:
        """Return a name per action, such as 'drop_R_4' or 'hold_drop_0_3'."""
        halves = ("drop", "hold_drop") if self.rules.hold else ("drop",)
        return tuple(
            f"{half}_{'0R2L'[orientation]}_{column}"
            for half in halves
            for orientation in range(NUM_ORIENTATIONS)
            for column in range(self.rules.width)
        )

    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Place one piece."""
        candidates = drops.candidates(self.rules, state)
        pose = jax.tree.map(lambda field: field[action], candidates.pose)
        use_hold = action >= NUM_ORIENTATIONS * self.rules.width
        legal = candidates.legal[action]
        return engine.place(self.rules, params, state, use_hold, pose, legal, jnp.int32(0))

    def candidates(self, state: State) -> Candidates:
        """Return where each action puts its piece."""
        return drops.candidates(self.rules, state)

    def legal(self, state: State, candidates: Candidates | None) -> Bool[Array, "A"]:
        """Tell which placements can be reached."""
        found = self.candidates(state) if candidates is None else candidates
        return found.legal


ACTION_SETS: dict[str, type[Direct] | type[Drop]] = {"direct": Direct, "drop": Drop}


def action_set(name: str, rules: Rules) -> Direct | Drop:
    """Return an action set by its registered name."""
    return ACTION_SETS[name](rules)


def clip(action: Int32[Array, ""], num_actions: int) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
    """Bring an index into 0..A-1; return it and whether it had to be changed."""
    inside = jnp.clip(jnp.asarray(action, jnp.int32), 0, np.int32(num_actions - 1))
    return inside, inside != action
