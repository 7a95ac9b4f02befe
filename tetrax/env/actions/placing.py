"""Action sets of whole pieces: one action is where a piece comes to rest."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.custom_batching
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board, engine, locking
from tetrax.env.game.board import Word
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.reach import at_cells, drops, placements, search, search_turns, twists
from tetrax.env.game.reach.drops import Candidates
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.reach.planes import WORD
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import (
    GAME_OVER_REASONS,
    Event,
    State,
    by_word,
    formed_like,
    no_event,
    piece_cells,
    where,
)
from tetrax.env.game.vector import lookup, once

Reached = UInt32[Array, "C 4W"]

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


class _Chosen(NamedTuple):
    """A place for a piece, as an action names it."""

    use_hold: Bool[Array, ""]
    orientation: Int32[Array, ""]
    x: Int32[Array, ""]  # column of the leftmost cell
    y: Int32[Array, ""]  # row of the lowest cell
    kind: Int32[Array, ""]
    start: Start  # where the piece is before


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

        Two rounds, so that the search is compiled once: in the first it is asked whether and how the place can be
        reached, where that is not plain, and in the second whether there is a place for what comes next. Both are
        asked of few boards; the others take no part in the search.
        """
        given, state = state, by_word(state)
        chosen = self._chosen(state, action)

        def look(number: Array, carry: tuple[State, Event]) -> tuple[State, Event]:
            state, event = carry
            kinds, starts = placements.starts(self.rules, state)
            is_asked = jax.lax.cond(
                number == 0, lambda: self._is_asked(state, chosen), lambda: self._may_be_stuck(state)
            )
            starts = tuple(
                start._replace(allowed=start.allowed & asked)
                for start, asked in zip(starts, is_asked, strict=True)
            )
            reached = search.reached(self.rules, state.rows, kinds, starts)

            def place() -> tuple[State, Event]:
                return self._placed(params, state, chosen, reached)

            def end() -> tuple[State, Event]:
                stuck = is_asked[0] & ~jnp.any(self._places(reached) != 0)
                lost = locking.lose(self.rules, state, event, jnp.asarray(NO_PLACEMENT))
                return where(stuck, lost, (state, event))

            return jax.lax.cond(number == 0, place, end)

        state, event = jax.lax.fori_loop(0, 2, look, (state, no_event(state)))
        return formed_like(given, state), event

    def candidates(self, state: State) -> Candidates:
        """Return the piece at every cell; where it chooses no orientation, in the first that can come to rest there."""
        rules = self.rules
        kinds, starts = placements.starts(rules, state)
        reached = search.reached(rules, board.words(state.rows), kinds, starts)
        legal = _expanded(rules.height)(self._places(reached)).reshape(-1)
        if self.chooses_orientation:
            return at_cells.candidates(rules, kinds, (at_cells.every_orientation(rules),) * len(kinds), legal)
        rests = _expanded(rules.height)(self._rests(reached))  # [C, 4, H, W]
        first = jnp.argmax(rests, axis=1, keepdims=True).astype(jnp.int32)
        return at_cells.candidates(rules, kinds, tuple(first[c] for c in range(len(kinds))), legal)

    def legal(self, state: State, candidates: Candidates | None) -> Bool[Array, "A"]:
        """Tell which places can be reached."""
        return self.candidates(state).legal if candidates is None else candidates.legal

    def _places(self, reached: Reached) -> UInt32[Array, "C O W"]:
        """Tell where pieces can come to rest (O = 4, or 1 for any orientation); bit 31 - y is row y, if visible."""
        found = self._rests(reached)
        if self.chooses_orientation:
            return found
        return functools.reduce(jnp.bitwise_or, [found[:, o] for o in range(NUM_ORIENTATIONS)])[:, None]

    def _rests(self, reached: Reached) -> UInt32[Array, "C 4 W"]:
        """Tell the same of each orientation."""
        visible = np.uint32(((1 << self.rules.height) - 1) << (WORD - self.rules.height))
        return (search.at_rest(reached) & visible).reshape(-1, NUM_ORIENTATIONS, self.rules.width)

    def _chosen(self, state: State, action: Int32[Array, ""]) -> _Chosen:
        """Return the place that an action stands for."""
        rules, number = self.rules, action.astype(jnp.uint32)
        cell, x = number // np.uint32(rules.width), (number % np.uint32(rules.width)).astype(jnp.int32)
        half, y = cell // np.uint32(rules.height), (cell % np.uint32(rules.height)).astype(jnp.int32)
        orientation = jnp.int32(0)
        if self.chooses_orientation:
            orientation = (half % np.uint32(NUM_ORIENTATIONS)).astype(jnp.int32)
            half = half // np.uint32(NUM_ORIENTATIONS)
        use_hold = half == 1
        kinds, starts = placements.starts(rules, state)
        kind, start = kinds[0], starts[0]
        if rules.hold:
            kind, start = where(use_hold, (kinds[1], starts[1]), (kind, start))
        return once(_Chosen(use_hold, orientation, x, y, kind, start))

    def _is_asked(self, state: State, chosen: _Chosen) -> tuple[Bool[Array, ""], ...]:
        """Tell for which piece, if any, it must be searched whether and how the chosen place can be reached."""
        asked = ~self._is_plain(state, chosen)
        if not self.rules.hold:
            return (asked,)
        return asked & ~chosen.use_hold, asked & chosen.use_hold

    def _is_plain(self, state: State, chosen: _Chosen) -> Bool[Array, ""]:
        """Tell whether a piece that begins over open ground just drops into its place, which no turn makes a spin."""
        if not self.chooses_orientation:
            return jnp.bool_(False)
        rules, start, tables = self.rules, chosen.start, self.rules.tables
        box = self._box(chosen)
        open_rows = [jnp.where(start.y <= y, row, np.uint32(0)) for y, row in enumerate(state.rows)]
        is_open = ~_any_bit(open_rows) & (start.y >= 0) & (start.y <= rules.total_height - MAX_BOX)
        is_inside = chosen.x + lookup(tables.width, chosen.kind, chosen.orientation) <= rules.width
        walled = board.walled(rules, state.rows)
        cells = piece_cells(rules, chosen.kind, chosen.orientation)
        rest = start.y - board.drop_distance(walled, cells, box.x, start.y)
        may_spin = lookup(tables.spins, chosen.kind) & twists.is_tight(walled, box)
        return (
            is_open
            & is_inside
            & lookup(search_turns.spreads(rules), chosen.kind)
            & (rest == box.y)
            & ~may_spin
        )

    def _box(self, chosen: _Chosen) -> Pose:
        left, bottom = (
            lookup(table, chosen.kind, chosen.orientation)
            for table in (self.rules.tables.left, self.rules.tables.bottom)
        )
        return once(Pose(chosen.orientation, chosen.x - left, chosen.y - bottom))

    def _placed(self, params: Params, state: State, chosen: _Chosen, reached: Reached) -> tuple[State, Event]:
        """Put a piece where it was chosen to be, if it can come to rest there."""
        rules = self.rules
        pieces = [tuple(reached[c, i] for i in range(reached.shape[1])) for c in range(reached.shape[0])]
        words = once(where(chosen.use_hold, pieces[1], pieces[0]) if rules.hold else pieces[0])
        rests = [self._rests_at(words, o, chosen.x, chosen.y) for o in range(NUM_ORIENTATIONS)]
        if not self.chooses_orientation:
            for o in reversed(range(NUM_ORIENTATIONS)):
                chosen = chosen._replace(orientation=jnp.where(rests[o], o, chosen.orientation))
        is_plain = self._is_plain(state, chosen)
        legal = once(chosen.start.allowed & (is_plain | _at(rests, chosen.orientation)))
        box = self._box(chosen)
        spin = twists.best_spin(rules, board.walled(rules, state.rows), words, chosen.kind, chosen.start, box)
        spin = once(jnp.where(legal & ~is_plain, spin, 0))
        return engine.place(rules, params, state, chosen.use_hold, box, legal, spin)

    def _rests_at(self, words: tuple[Word, ...], orientation: int, x: Array, y: Array) -> Bool[Array, ""]:
        """Tell whether a piece can come to rest at a cell in one orientation."""
        width = self.rules.width
        word = search.at_rest(_at(words[orientation * width : (orientation + 1) * width], x))
        return (word >> (WORD - 1 - y).astype(jnp.uint32)) & np.uint32(1) != 0

    def _may_be_stuck(self, state: State) -> tuple[Bool[Array, ""], ...]:
        """Tell, alike for each piece, whether the active one does not just move aside and drop into view."""
        stuck = ~state.game_over & ~drops.drops_into_view(self.rules, state)
        return (stuck,) * (2 if self.rules.hold else 1)


def _any_bit(words: Sequence[Word]) -> Bool[Array, ""]:
    return functools.reduce(jnp.bitwise_or, words) != 0


def _at(words: Sequence[Word], index: Int32[Array, ""]) -> Array:
    found = jnp.asarray(words[0])
    for i in range(1, len(words)):
        found = jnp.where(index == i, words[i], found)
    return found


@functools.lru_cache(maxsize=64)
def _expanded(height: int) -> Callable[[UInt32[Array, "C O W"]], Bool[Array, "C O height W"]]:
    """Return what makes one bool of each place, and keeps boards last under vmap."""

    @jax.custom_batching.custom_vmap
    def expand(words: Array) -> Array:
        y = np.arange(height, dtype=np.uint32).reshape(1, 1, -1, *(1,) * (words.ndim - 2))
        return (words[:, :, None] >> (np.uint32(WORD - 1) - y)) & np.uint32(1) != 0

    @expand.def_vmap
    def expand_many(axis_size: int, in_batched: list, words: Array) -> tuple[Array, bool]:
        del axis_size, in_batched  # there is one argument, so it is batched
        return jnp.moveaxis(expand(jnp.moveaxis(words, 0, -1)), -1, 0), True

    return expand
