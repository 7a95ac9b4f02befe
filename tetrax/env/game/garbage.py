"""Garbage: rows with one hole that wait in packets, are cancelled by attacks, and enter from below.

The order of things and the numbers are those of TETR.IO's versus game, as recorded games show them:
an attack cancels what waits, oldest first; what is left enters at a lock that clears nothing.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, PRNGKeyArray, UInt32

from tetrax.env.game import board, randomizer
from tetrax.env.game.board import Words, full_row
from tetrax.env.game.rules import MAX_GARBAGE_CAP, Params, Rules
from tetrax.env.game.state import Garbage, State
from tetrax.env.game.vector import draw_word

MAX_PACKETS = 16  # Q; rows that arrive when all are taken join the newest packet
FIRST_DRAW = np.uint32(2**31)  # pieces are drawn with smaller numbers


def start(rules: Rules, params: Params, key: PRNGKeyArray) -> tuple[UInt32[Array, "H"], Garbage | None]:
    """Return the rows a game starts with: `params.starting_garbage` of them garbage."""
    rows = jnp.zeros(rules.total_height, jnp.uint32)
    if not rules.garbage:
        return rows, None
    count = jnp.clip(params.starting_garbage, 0, rules.height)
    number = np.arange(rules.height, dtype=np.int32)
    holes = jax.vmap(draw_hole, in_axes=(None, None, 0))(rules, key, jnp.asarray(number))
    lowest = jnp.where(number < count, _row(rules, holes), np.uint32(0))
    empty = jnp.zeros(MAX_PACKETS, jnp.int32)
    waiting = Garbage(rows=empty, hole=empty, ready=empty, received=count, height=count)
    return rows.at[: rules.height].set(lowest), waiting


def draw_hole(rules: Rules, key: PRNGKeyArray, number: Int32[Array, ""]) -> Int32[Array, ""]:
    """Return the column of the hole of the packet that arrives as the given number, from 0."""
    word = draw_word(key, FIRST_DRAW + number.astype(jnp.uint32))
    return randomizer.scale(word, np.uint32(rules.width)).astype(jnp.int32)


def redraw_holes(rules: Rules, waiting: Garbage, key: PRNGKeyArray) -> Garbage:
    """Give every waiting packet any column for its hole, each as likely."""
    slot = np.arange(MAX_PACKETS, dtype=np.int32)
    holes = jax.vmap(draw_hole, in_axes=(None, None, 0))(rules, key, jnp.asarray(slot))
    return waiting.replace(hole=jnp.where(waiting.rows > 0, holes, 0))


def receive(
    rules: Rules,
    params: Params,
    state: State,
    rows: Int32[Array, ""],
    hole: Int32[Array, ""] | None = None,
) -> State:
    """Queue a packet of `rows` rows, which may enter `params.garbage_delay` ticks from now.

    Its hole is column `hole`, or drawn from the game's key. Fewer than one row changes nothing.
    ValueError when the rules have no garbage.
    """
    waiting = state.garbage
    if waiting is None:
        raise ValueError("rules.garbage: given False; allowed: True, for a game that receives garbage")
    if hole is None:
        hole = draw_hole(rules, state.key, waiting.received)
    arrives = (rows > 0) & ~state.game_over
    num_packets = jnp.sum(waiting.rows > 0, dtype=jnp.int32)
    full = num_packets == MAX_PACKETS
    slot = np.arange(MAX_PACKETS, dtype=np.int32)
    here = arrives & (slot == jnp.minimum(num_packets, MAX_PACKETS - 1))
    enters = here & ~full
    waiting = waiting.replace(
        rows=jnp.where(here, jnp.where(full, waiting.rows, 0) + rows, waiting.rows),
        hole=jnp.where(enters, hole, waiting.hole),
        ready=jnp.where(enters, state.ticks + params.garbage_delay, waiting.ready),
        received=waiting.received + arrives.astype(jnp.int32),
    )
    return state.replace(garbage=waiting)


def by_timer(rules: Rules, params: Params, state: State) -> State:
    """Queue the timer's packet at every `params.garbage_interval`-th tick."""
    if not rules.garbage:
        return state
    due = (params.garbage_interval > 0) & (state.ticks % jnp.maximum(params.garbage_interval, 1) == 0)
    return receive(rules, params, state, jnp.where(due, params.garbage_rows, 0))


def cancel(waiting: Garbage, attack: Int32[Array, "2"]) -> tuple[Garbage, Int32[Array, "2"]]:
    """Take an attack off the waiting rows, oldest packet first; return what is left of its two parts."""
    removed = _share_out(waiting.rows, jnp.sum(attack, dtype=jnp.int32))
    total = jnp.sum(removed, dtype=jnp.int32)
    from_first = jnp.minimum(attack[0], total)
    sent = attack - jnp.stack([from_first, total - from_first])
    return _take_off(waiting, removed), sent


class Entered(NamedTuple):
    """What came of letting garbage in."""

    rows: Words
    waiting: Garbage
    num_rows: Int32[Array, ""]
    pushed_out: Bool[Array, ""]  # a filled cell went over the top row


def enter(rules: Rules, params: Params, state: State, allowed: Bool[Array, ""]) -> Entered:
    """Let ready packets in, oldest first, up to `params.garbage_cap` rows; each pushes all rows up."""
    waiting = state.garbage
    assert waiting is not None
    ready = (waiting.rows > 0) & (state.ticks >= waiting.ready)
    in_turn = jnp.cumprod(ready.astype(jnp.int32)) > 0
    cap = jnp.where(allowed, jnp.clip(params.garbage_cap, 0, MAX_GARBAGE_CAP), 0)
    taken = _share_out(jnp.where(in_turn, waiting.rows, 0), cap)
    num_rows = jnp.sum(taken, dtype=jnp.int32)
    last = jnp.cumsum(taken, dtype=jnp.int32)  # number of the row after each packet's last, from 0

    number = num_rows - 1 - np.arange(MAX_GARBAGE_CAP, dtype=np.int32)  # row 0 entered last
    from_packet = ((last - taken)[None] <= number[:, None]) & (number[:, None] < last[None])  # [cap, Q]
    holes = jnp.sum(jnp.where(from_packet, waiting.hole[None], 0), axis=1, dtype=jnp.int32)
    entering = jnp.where(number >= 0, _row(rules, holes), np.uint32(0))

    raised, pushed_out = board.raise_rows(state.rows, entering, num_rows)
    if rules.width > 1:  # a garbage row of one column is all hole
        pushed_out |= num_rows > rules.total_height  # garbage pushed out by garbage
    waiting = _take_off(waiting, taken)
    return Entered(raised, waiting.replace(height=waiting.height + num_rows), num_rows, pushed_out)


def empty(waiting: Garbage) -> Garbage:
    """Return garbage with nothing waiting and nothing in the matrix."""
    nothing = jnp.zeros_like(waiting.rows)
    return waiting.replace(rows=nothing, hole=nothing, ready=nothing, height=jnp.int32(0))


def _row(rules: Rules, hole: Int32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """Return garbage rows by the columns of their holes."""
    return full_row(rules) & ~(np.uint32(1) << hole.astype(jnp.uint32))


def _share_out(rows: Int32[Array, "Q"], amount: Int32[Array, ""]) -> Int32[Array, "Q"]:
    """Share an amount out over packets, the oldest first, at most the rows of each."""
    before = jnp.cumsum(rows, dtype=jnp.int32) - rows
    return jnp.clip(amount - before, 0, rows)


def _take_off(waiting: Garbage, taken: Int32[Array, "Q"]) -> Garbage:
    """Take rows off packets from the front, and move the packets that are left up to it."""
    rows = waiting.rows - taken
    gone = jnp.sum((waiting.rows > 0) & (rows == 0), dtype=jnp.int32)
    source = np.arange(MAX_PACKETS, dtype=np.int32) + gone
    there = source < MAX_PACKETS
    at = jnp.minimum(source, MAX_PACKETS - 1)
    rows = jnp.where(there, rows[at], 0)
    kept = rows > 0
    return waiting.replace(
        rows=rows,
        hole=jnp.where(kept, waiting.hole[at], 0),
        ready=jnp.where(kept, waiting.ready[at], 0),
    )
