"""Action sets of whole pieces: one action is where a piece comes to rest."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board, engine, locking
from tetrax.env.game.board import Word
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.reach import at_cells, at_columns, drops, placements, search, search_turns, twists
from tetrax.env.game.reach.flood import Start
from tetrax.env.game.reach.outcomes import Candidates
from tetrax.env.game.reach.planes import WORD
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import (
    GAME_OVER_REASONS,
    Event,
    State,
    no_event,
    piece_cells,
    select,
)
from tetrax.env.game.vector import decision, keep_boards_last, lookup, of_each_board, once, traced_once

Reached = UInt32[Array, "C 4W"]  # of each piece that may be placed, as `search.reach` tells
Asks = tuple[Bool[Array, ""], ...]  # for each of these pieces, whether to search

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

    @traced_once
    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Place one piece."""
        use_hold, pose, legal = drops.find_landing(self.rules, state, action)
        return engine.place(self.rules, params, state, use_hold, pose, legal, jnp.int32(0))

    def candidates(self, state: State) -> Candidates:
        """Return where each action puts its piece."""
        return at_columns.candidates(self.rules, state)

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


class _Stage(NamedTuple):
    """A part of a step that needs to know what can be reached, on some boards."""

    ask: Callable[[State], Asks]
    play: Callable[[State, Event, Asks, Reached], tuple[State, Event]]


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

    @traced_once
    def apply(self, params: Params, state: State, action: Int32[Array, ""]) -> tuple[State, Event]:
        """Place one piece, and lose where the next one has no place.

        Both parts need to know what can be reached, but only on few boards: where the chosen place is not plain,
        and where the next piece may be stuck. The others take no part in the search.
        """
        chosen = self._read(state, action)

        def place(state: State, event: Event, asks: Asks, reached: Reached) -> tuple[State, Event]:
            return self._place(params, state, chosen, reached)

        placing = _Stage(ask=lambda state: self._ask_of_chosen(state, chosen), play=place)
        ending = _Stage(ask=self._ask_of_next, play=self._lose_where_stuck)
        return _play_both(self.rules, params, state, placing, ending)

    def candidates(self, state: State) -> Candidates:
        """Return the piece at every cell; where it chooses no orientation, in the first that can come to rest there."""
        rules = self.rules
        kinds, starts = placements.starts(rules, state)
        reached = search.reach(rules, board.words(state.rows), kinds, starts)
        legal = _expand(rules.height)(self._places(reached)).reshape(-1)
        if self.chooses_orientation:
            return at_cells.candidates(rules, kinds, (at_cells.every_orientation(rules),) * len(kinds), legal)
        rests = _expand(rules.height)(self._rests(reached))  # [C, 4, H, W]
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

    @decision
    def _read(self, state: State, action: Int32[Array, ""]) -> _Chosen:
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
            kind, start = select(use_hold, (kinds[1], starts[1]), (kind, start))
        return _Chosen(use_hold, orientation, x, y, kind, start)

    def _ask_of_chosen(self, state: State, chosen: _Chosen) -> Asks:
        """Ask for the chosen piece alone, and only where it is not plain whether and how it gets to its place."""
        asks = ~self._is_plain(state, chosen)
        if not self.rules.hold:
            return (asks,)
        return asks & ~chosen.use_hold, asks & chosen.use_hold

    def _is_plain(self, state: State, chosen: _Chosen) -> Bool[Array, ""]:
        """Tell whether a piece that begins over open ground just drops into its place, which no turn makes a spin."""
        if not self.chooses_orientation:
            return jnp.bool_(False)
        rules, start, tables = self.rules, chosen.start, self.rules.tables
        box = self._box(chosen)
        open_rows = [jnp.where(start.y <= y, row, np.uint32(0)) for y, row in enumerate(state.rows)]
        is_open = ~_any_bit(open_rows) & (start.y >= 0) & (start.y <= rules.total_height - MAX_BOX)
        is_inside = chosen.x + lookup(tables.width, chosen.kind, chosen.orientation) <= rules.width
        walled = board.add_walls(rules, state.rows)
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

    @decision
    def _box(self, chosen: _Chosen) -> Pose:
        """Return where the piece's own box is when it is in its place."""
        left, bottom = (
            lookup(table, chosen.kind, chosen.orientation)
            for table in (self.rules.tables.left, self.rules.tables.bottom)
        )
        return Pose(chosen.orientation, chosen.x - left, chosen.y - bottom)

    def _place(self, params: Params, state: State, chosen: _Chosen, reached: Reached) -> tuple[State, Event]:
        """Put a piece where it was chosen to be, if it can come to rest there."""
        rules = self.rules
        pieces = [tuple(reached[c, i] for i in range(reached.shape[1])) for c in range(reached.shape[0])]
        words = once(select(chosen.use_hold, pieces[1], pieces[0]) if rules.hold else pieces[0])
        rests = [self._rests_at(words, o, chosen.x, chosen.y) for o in range(NUM_ORIENTATIONS)]
        if not self.chooses_orientation:
            for o in reversed(range(NUM_ORIENTATIONS)):
                chosen = chosen._replace(orientation=jnp.where(rests[o], o, chosen.orientation))
        is_plain = self._is_plain(state, chosen)
        legal = once(chosen.start.allowed & (is_plain | _at(rests, chosen.orientation)))
        box = self._box(chosen)
        spin = twists.best_spin(
            rules, board.add_walls(rules, state.rows), words, chosen.kind, chosen.start, box
        )
        spin = once(jnp.where(legal & ~is_plain, spin, 0))
        return engine.place(rules, params, state, chosen.use_hold, box, legal, spin)

    def _rests_at(self, words: tuple[Word, ...], orientation: int, x: Array, y: Array) -> Bool[Array, ""]:
        """Tell whether a piece can come to rest at a cell in one orientation."""
        width = self.rules.width
        word = search.at_rest(_at(words[orientation * width : (orientation + 1) * width], x))
        return (word >> (WORD - 1 - y).astype(jnp.uint32)) & np.uint32(1) != 0

    def _ask_of_next(self, state: State) -> Asks:
        """Ask, alike for each piece, where the active one does not just move aside and drop into view."""
        may_be_stuck = ~state.game_over & ~drops.drops_into_view(self.rules, state)
        return (may_be_stuck,) * (2 if self.rules.hold else 1)

    def _lose_where_stuck(
        self, state: State, event: Event, asks: Asks, reached: Reached
    ) -> tuple[State, Event]:
        """Lose where it was asked for what comes next, and nothing can come to rest in view."""
        is_stuck = asks[0] & ~jnp.any(self._places(reached) != 0)
        lost = locking.lose(self.rules, state, event, jnp.asarray(NO_PLACEMENT))
        return select(is_stuck, lost, (state, event))


@board.keep_form
def _play_both(
    rules: Rules, params: Params, state: State, first: _Stage, second: _Stage
) -> tuple[State, Event]:
    """Play two stages, one after the other, each told what can be reached by the pieces that it asks for.

    They are two rounds of one loop because the search is most of what there is to compile: so it is in the
    program once. For a batch, vmap goes through a loop and its branches several times over: what is traced by itself
    it goes through once, and a loop that begins with what each board has is through sooner.
    """
    del params  # the stages know them

    def play(number: Array, so_far: tuple[State, Event]) -> tuple[State, Event]:
        state, event = so_far
        is_first = number == 0
        kinds, starts = placements.starts(rules, state)
        asks = jax.lax.cond(is_first, first.ask, second.ask, state)
        starts = tuple(
            start._replace(allowed=start.allowed & asks_for)
            for start, asks_for in zip(starts, asks, strict=True)
        )
        reached = search.reach(rules, state.rows, kinds, starts)
        return jax.lax.cond(is_first, jax.jit(first.play), jax.jit(second.play), state, event, asks, reached)

    return jax.lax.fori_loop(0, 2, play, (state, of_each_board(no_event(state), state.piece)))


def _any_bit(words: Sequence[Word]) -> Bool[Array, ""]:
    return functools.reduce(jnp.bitwise_or, words) != 0


def _at(words: Sequence[Word], index: Int32[Array, ""]) -> Array:
    found = jnp.asarray(words[0])
    for i in range(1, len(words)):
        found = jnp.where(index == i, words[i], found)
    return found


@functools.lru_cache(maxsize=64)
def _expand(height: int) -> Callable[[UInt32[Array, "C O W"]], Bool[Array, "C O height W"]]:
    """Return what makes one bool of each place."""

    @keep_boards_last
    def expand(words: Array) -> Array:
        y = np.arange(height, dtype=np.uint32).reshape(1, 1, -1, *(1,) * (words.ndim - 2))
        return (words[:, :, None] >> (np.uint32(WORD - 1) - y)) & np.uint32(1) != 0

    return expand
