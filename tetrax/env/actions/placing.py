"""Action sets of whole pieces: one action is where a piece comes to rest."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game import board, drops, engine, locking, placements
from tetrax.env.game.drops import Candidates
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import NUM_ORIENTATIONS
from tetrax.env.game.placements import Reach
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import GAME_OVER_REASONS, SPINS, Event, State, active_rows, no_event, where

NO_PLACEMENT = np.int32(GAME_OVER_REASONS.index("no_placement"))


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
        use_hold, pose, legal = drops.landing(self.rules, state, action)
        return engine.place(self.rules, params, state, use_hold, pose, legal, jnp.int32(0))

    def candidates(self, state: State) -> Candidates:
        """Return where each action puts its piece."""
        return drops.candidates(self.rules, state)

    def legal(self, state: State, candidates: Candidates | None) -> Bool[Array, "A"]:
        """Tell which placements can be reached."""
        return drops.legal(self.rules, state) if candidates is None else candidates.legal


class LockedPosition(NamedTuple):
    """One step is one piece: any place where it can come to rest, by tucks, spins and kicks too.

    The cell (x, y) is the lower-left corner of the resting piece's bounding box, in the visible rows. With
    `chooses_orientation` the index is orientation height W + y W + x (800 on 10x20); without it is y W + x
    (200), and the orientation is the first of 0, R, 2, L that can come to rest there. With hold there are
    twice as many actions: the second half holds first, and is illegal when hold would reveal a hidden piece.

    The mask is exact: a place is legal when that very orientation can reach it by single moves and turns from
    where the piece is, however fast it would fall. The lock earns the best spin class among the ways there. An
    illegal action leaves the game as it is; only a tick passes. A step after which nothing can come to rest
    in the visible rows loses the game (or a life), for the reason "no_placement".
    """

    rules: Rules
    chooses_orientation: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Return a name per action, such as 'place_R_4_0' or 'hold_place_4_0': orientation, x, y."""
        halves = ("place", "hold_place") if self.rules.hold else ("place",)
        orientations = [f"_{name}" for name in "0R2L"] if self.chooses_orientation else [""]
        return tuple(
            f"{half}{orientation}_{x}_{y}"
            for half in halves
            for orientation in orientations
            for y in range(self.rules.height)
            for x in range(self.rules.width)
        )

    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Place one piece, and lose where the next one has no place.

        Both rounds of the loop look for places: the first to put the piece into one, the second whether one is
        left. Nearly always the next piece has one straight below, and there is no second round (under vmap:
        there is one when any board needs it). As a loop the search is compiled once.
        """

        def look(carry: tuple[State, Event, Array, Array]) -> tuple[State, Event, Array, Array]:
            state, event, _, is_first = carry
            reach = placements.reachable(self.rules, state)
            placed = self._placed(params, state, action, reach)
            lost = locking.lose(self.rules, state, event, jnp.asarray(NO_PLACEMENT))
            none = ~jnp.any(self._places(reach))
            state, event = where(is_first, placed, where(none, lost, (state, event)))
            return state, event, is_first & self._may_be_stuck(state), jnp.bool_(False)

        start = state, no_event(state), jnp.bool_(True), jnp.bool_(True)
        state, event, _, _ = jax.lax.while_loop(lambda carry: carry[2], look, start)
        return state, event

    def candidates(self, state: State) -> None:
        """Return None: afterstates are those of straight drops."""

    def legal(self, state: State, candidates: Candidates | None) -> Bool[Array, "A"]:
        """Tell which places can be reached."""
        return self._places(placements.reachable(self.rules, state)).reshape(-1)

    def _places(self, reach: Reach) -> Bool[Array, "C O height W"]:
        """Tell where pieces can come to rest in the visible rows (O = 4, or 1 for any orientation)."""
        found = placements.mask(self.rules, reach)[:, :, : self.rules.height]
        return found if self.chooses_orientation else jnp.any(found, axis=1, keepdims=True)

    def _placed(
        self, params: Params, state: State, action: Int32[Array, ""], reach: Reach
    ) -> tuple[State, Event]:
        """Put a piece where the action says, if it can come to rest there."""
        width, tables = self.rules.width, self.rules.tables
        cell, x = action // width, action % width
        cell, y = cell // self.rules.height, cell % self.rules.height
        there = (reach.rows[..., y] >> x.astype(jnp.uint32)) & np.uint32(1) != 0  # [C, spin, orientation]
        if self.chooses_orientation:
            half, orientation = cell // NUM_ORIENTATIONS, cell % NUM_ORIENTATIONS
        else:
            half = cell
            orientation = jnp.argmax(jnp.any(there[half], axis=0)).astype(jnp.int32)
        classes = there[half, :, orientation]  # [spin]
        spin = jnp.max(jnp.where(classes, np.arange(len(SPINS), dtype=np.int32), 0))
        kind = reach.kind[half]
        left, bottom = (
            jnp.asarray(tables.left)[kind, orientation],
            jnp.asarray(tables.bottom)[kind, orientation],
        )
        pose = Pose(orientation, x - left, y - bottom)
        return engine.place(self.rules, params, state, half == 1, pose, jnp.any(classes), spin)

    def _may_be_stuck(self, state: State) -> Bool[Array, ""]:
        """Tell whether the active piece cannot simply drop into the visible rows."""
        rules, rows = self.rules, active_rows(self.rules, state)
        walled = board.walled(rules, state.rows)
        rest = state.y - board.drop_distance(walled, rows, state.x, state.y)
        bottom = jnp.asarray(rules.tables.bottom)[state.piece, state.orientation]
        drops = board.fits(walled, rows, state.x, state.y) & (rest + bottom < rules.height)
        return ~state.game_over & ~drops
