"""The records of a game: where it stands, what is pressed, what happened. No logic."""

import functools
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.vector import choose, lookup


class State(struct.PyTreeNode):
    """A game between two ticks; it holds only what decides the future (and the running totals)."""

    key: Array  # key<fry>[], the key the game was reset with; draw n is a function of (key, n)
    rows: Any  # uint32[H], locked cells; row 0 at the bottom, bit x = column x (by word: a tuple)
    piece: Array  # int32[], kind of the active piece
    orientation: Array  # int32[], 0 spawn, 1 clockwise, 2 half turn, 3 counter-clockwise
    x: Array  # int32[], column of the left side of the active piece's box (may be negative)
    y: Array  # int32[], row of the lower side of the active piece's box (may be negative)
    hold: Array  # int32[], kind of the held piece, -1 = none
    hold_used: Array  # bool[], whether hold was used since the last lock
    queue: Any  # int32[P], kinds of the visible coming pieces, next first (by word: a tuple)
    draws: Array  # int32[], pieces drawn so far
    # Bit k = kind k is still in the bag; with "tetrio" 4 bits a piece, kind + 1, the next one lowest.
    bag: Array  # uint32[]
    random: Array | None  # uint32[], TETR.IO's generator, only with randomizer "tetrio"
    gravity_accumulator: Array  # int32[], 1/65536 cells fallen but not yet shown
    lock_timer: Array  # int32[], ticks rested since the last restart; -1 = not landed since then
    lock_resets: Array  # int32[], restarts of the lock timer since the newest lowest row
    lowest_y: Array  # int32[], the lowest y the active piece has reached
    kick: Array  # int32[], kick test of the last successful action (half turns: 8 more); -1 if no rotation
    score: Array  # int32[], points; stops at 2**31 - 1
    lines: Array  # int32[], lines cleared
    pieces: Array  # int32[], pieces locked
    combo: Array  # int32[], clearing locks in a row minus one; -1 = the last lock cleared nothing
    back_to_back: Array  # int32[], difficult clears in a row minus one; -1 = none
    ticks: Array  # int32[], ticks (inputs) played
    lives: Array  # int32[], lives left, the running one included; 0 after the end
    game_over: Array  # bool[], nothing changes any more
    garbage: "Garbage | None"  # only with rules.garbage
    history: Array | None = None  # uint32[n, H], the rows before each of the last n steps, newest first;
    # only where the environment observes it


class Garbage(struct.PyTreeNode):
    """Garbage that waits, as packets in order of arrival (Q of them), and what has entered."""

    rows: Array  # int32[Q], rows of each packet; 0 = none, and then none behind it
    hole: Array  # int32[Q], column of each packet's hole
    ready: Array  # int32[Q], the first tick at whose lock the packet may enter
    received: Array  # int32[], packets that ever arrived (draw n of a hole is a function of (key, n))
    height: Array  # int32[], rows of the matrix, from the floor, that are garbage


class Inputs(struct.PyTreeNode):
    """The keys pressed in one tick, each bool[]. Opposite keys cancel."""

    left: Array
    right: Array
    rotate_cw: Array
    rotate_ccw: Array
    rotate_180: Array  # where the rules have half turns; a quarter turn in the same tick goes before it
    soft_drop: Array
    hard_drop: Array
    hold: Array


Record = TypeVar("Record")  # any pytree

LOCK_REASONS = ("none", "hard_drop", "soft_drop", "lock_delay", "placed")
SPINS = ("none", "mini", "full")
GAME_OVER_REASONS = ("none", "block_out", "lock_out", "garbage_out", "stack_out", "no_placement")


class Event(struct.PyTreeNode):
    """What happened in one step."""

    locked: Array  # bool[], a piece locked
    lock_reason: Array  # int32[], index into LOCK_REASONS
    lines: Array  # int32[], lines cleared
    spin: Array  # int32[], index into SPINS
    combo: Array  # int32[], clearing locks immediately before this clearing lock; -1 = no clear
    back_to_back: Array  # bool[], this clear was paid as back-to-back
    perfect_clear: Array  # bool[], the clear left the matrix empty
    soft_cells: Array  # int32[], cells fallen by soft drop
    hard_cells: Array  # int32[], cells fallen by hard drop
    score: Array  # int32[], points gained
    pieces: Array  # int32[], pieces locked in the game so far
    attack: Array  # int32[2], rows sent at others, by the clear and by the perfect clear
    sent: Array  # int32[2], what is left of the attack after cancelling waiting garbage
    garbage_received: Array  # int32[], garbage rows that entered
    garbage_cleared: Array  # int32[], garbage rows among the lines
    hold_refused: Array  # bool[], hold was asked for and not allowed
    life_lost: Array  # bool[], the game was lost, the last time included
    game_over: Array  # int32[], index into GAME_OVER_REASONS, why a life was lost
    action_clipped: Array  # bool[], the action was outside 0..A-1 (set by the environment)
    reward_terms: struct.PyTreeNode | None = None  # set by the environment: float32[] per term


def no_event(state: State) -> Event:
    """Return the event of a step in which nothing happened."""
    false, zero, none = jnp.bool_(False), jnp.int32(0), jnp.zeros(2, jnp.int32)
    return Event(
        locked=false,
        lock_reason=zero,
        lines=zero,
        spin=zero,
        combo=jnp.int32(-1),
        back_to_back=false,
        perfect_clear=false,
        soft_cells=zero,
        hard_cells=zero,
        score=zero,
        pieces=state.pieces,
        attack=none,
        sent=none,
        garbage_received=zero,
        garbage_cleared=zero,
        hold_refused=false,
        life_lost=false,
        game_over=zero,
        action_clipped=false,
    )


def no_inputs() -> Inputs:
    """Return the inputs of a tick in which no key is pressed."""
    return Inputs(**dict.fromkeys(Inputs.__annotations__, jnp.bool_(False)))


def level(params: Params, state: State) -> Array:
    """Return the level, int32[]: the starting level and one more for every ten lines."""
    return params.start_level + state.lines // 10


def select(condition: Array, if_true: Record, if_false: Record) -> Record:
    """Return one of two records of the same structure, by one bool[]."""
    return jax.tree.map(lambda a, b: a if a is b else choose(condition, a, b), if_true, if_false)


def piece_cells(rules: Rules, kind: Array, orientation: Array) -> tuple[Array, ...]:
    """Return a piece's cells by row of its box, four words uint32[], bit dx of entry dy."""
    packed = lookup(_packed_cells(rules), kind, orientation)
    row = np.uint32((1 << MAX_BOX) - 1)
    return tuple((packed >> np.uint32(MAX_BOX * dy)) & row for dy in range(MAX_BOX))


def active_rows(rules: Rules, state: State) -> tuple[Array, ...]:
    """Return the active piece's cells by row of its box, four words uint32[], bit dx of entry dy."""
    return piece_cells(rules, state.piece, state.orientation)


@functools.lru_cache(maxsize=64)
def _packed_cells(rules: Rules) -> np.ndarray:
    """The cells of every piece as one number each, uint32[K, 4], MAX_BOX bits for each row of the box."""
    places = np.uint32(MAX_BOX) * np.arange(MAX_BOX, dtype=np.uint32)
    return (rules.tables.rows << places).sum(axis=-1, dtype=np.uint32)
