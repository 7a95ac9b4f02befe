"""How the active piece moves: spawn, shift, rotation with kicks. Each move returns a `Pose`."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game import board
from tetrax.env.game.board import Cells, Walled
from tetrax.env.game.pieces import MAX_BOX, MAX_KICK, NUM_ORIENTATIONS
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import piece_cells, select
from tetrax.env.game.vector import choose, decision, lookup

HALF_TURN_KICK = 8  # added to the kick test of a half turn
BYTE = 8  # bits of a row of a strip
SHIFT_BITS = 3  # of one coordinate of a kick test, packed


class Pose(NamedTuple):
    """Where a piece stands: orientation and the lower-left corner of its box, each int32[]."""

    orientation: Int32[Array, ""]
    x: Int32[Array, ""]
    y: Int32[Array, ""]


def spawn(
    rules: Rules, walled: Walled, kind: Int32[Array, ""], after_clear: Bool[Array, ""]
) -> tuple[Pose, Bool[Array, ""]]:
    """Return where a piece enters, and whether it fits there (else the game ends: block-out).

    With `rules.spawn_rise`, where it is blocked and the last lock was a line clear, it enters in the first
    free row above. With `rules.spawn_drop` it then falls one row at once if it can.
    """
    orientation = jnp.int32(0)
    cells = piece_cells(rules, kind, orientation)
    x, y = lookup(rules.spawn_x.astype(np.int32), kind), lookup(rules.spawn_y.astype(np.int32), kind)
    if rules.spawn_rise:
        y = choose(after_clear, board.first_free_row(walled, cells, x, y), y)
        near = board.window(walled, y, MAX_BOX + 1, below=1)
    else:
        near = _spawn_rows(rules, walled, y)
    fits = board.fits_in(near[1:], cells, x)
    if rules.spawn_drop:
        falls = fits & board.fits_in(near[:-1], cells, x)
        y -= falls.astype(jnp.int32)
    return Pose(orientation, x, y), fits


@decision
def turn_and_shift(
    rules: Rules,
    walled: Walled,
    kind: Int32[Array, ""],
    pose: Pose,
    turn: Int32[Array, ""],
    dx: Int32[Array, ""],
) -> tuple[Pose, Int32[Array, ""], Bool[Array, ""], board.Words]:
    """Rotate, then shift; return the pose, the kick test, whether it was shifted, and the four rows of the box."""
    near = _find_near(walled, pose.y)
    turned, kick = _turn(rules, near, kind, pose, turn)
    rows = near[MAX_KICK : MAX_KICK + MAX_BOX]
    for up in range(-MAX_KICK, MAX_KICK + 1):
        if up:
            kicked = near[MAX_KICK + up : MAX_KICK + up + MAX_BOX]
            rows = select(turned.y - pose.y == up, kicked, rows)
    cells = piece_cells(rules, kind, turned.orientation)
    shifted = (dx != 0) & board.fits_in(rows, cells, turned.x + dx)
    pose = turned._replace(x=turned.x + choose(shifted, dx, 0))
    return pose, kick, shifted, tuple(rows)


def shift(walled: Walled, cells: Cells, pose: Pose, dx: Int32[Array, ""]) -> tuple[Pose, Bool[Array, ""]]:
    """Move by dx in -1, 0, 1 columns if it fits; return the pose and whether it moved."""
    moved = (dx != 0) & board.fits(walled, cells, pose.x + dx, pose.y)
    return pose._replace(x=pose.x + choose(moved, dx, 0)), moved


def rotate(
    rules: Rules,
    walled: Walled,
    kind: Int32[Array, ""],
    pose: Pose,
    turn: Int32[Array, ""],
) -> tuple[Pose, Int32[Array, ""]]:
    """Turn clockwise (1), counter-clockwise (-1), half (2) or not (0), with the first kick test that fits.

    Returns the pose and the number of the test used (for half turns `HALF_TURN_KICK` more), -1 when
    nothing turned.
    """
    return _turn(rules, _find_near(walled, pose.y), kind, pose, turn)


@decision
def _find_near(walled: Walled, y: Int32[Array, ""]) -> board.Words:
    """Return the rows that a kicked piece may overlap, from y - MAX_KICK on."""
    return board.window(walled, y, MAX_BOX + 2 * MAX_KICK, below=MAX_KICK)


@decision
def _turn(
    rules: Rules, near: board.Words, kind: Int32[Array, ""], pose: Pose, turn: Int32[Array, ""]
) -> tuple[Pose, Int32[Array, ""]]:
    orientation = (pose.orientation + turn) & (NUM_ORIENTATIONS - 1)
    direction = choose(turn < 0, 1, 0)
    if rules.half_turns:
        direction = choose(turn == 2, 2, direction)
    piece = _pack(piece_cells(rules, kind, orientation))
    strips = _strips(near, pose.x)
    kick, x, y = jnp.int32(-1), pose.x, pose.y
    for test in reversed(range(rules.tables.kicks.shape[3])):  # the first that fits is written last
        packed = lookup(_packed_kicks(rules)[..., test], kind, pose.orientation, direction)
        dx, dy = packed & ((1 << SHIFT_BITS) - 1), packed >> SHIFT_BITS  # each MAX_KICK more than it is
        strip = strips[0]
        for up in range(1, len(strips)):
            strip = choose(dy == up, strips[up], strip)
        fits = (strip >> dx.astype(jnp.uint32)) & piece == 0
        kick = choose(fits, test, kick)
        x, y = choose(fits, pose.x - MAX_KICK + dx, x), choose(fits, pose.y - MAX_KICK + dy, y)
    did_turn = (kick >= 0) & (turn != 0)
    if rules.half_turns:
        kick += choose(turn == 2, HALF_TURN_KICK, 0)
    return select(did_turn, Pose(orientation, x, y), pose), choose(did_turn, kick, -1)


def _spawn_rows(rules: Rules, walled: Walled, y: Int32[Array, ""]) -> board.Words:
    """Return the rows y - 1 to y + 3, where y is one of the few rows that pieces enter at."""
    found: board.Words | None = None
    for row in np.unique(rules.spawn_y):
        first = int(row) + board.BELOW - 1
        rows = walled[first : first + MAX_BOX + 1]
        found = rows if found is None else tuple(select(y == int(row), rows, found))
    assert found is not None
    return found


def _pack(cells: Cells) -> board.Word:
    """Return a piece's rows as the bytes of one word."""
    word = cells[0]
    for dy in range(1, MAX_BOX):
        word = word | (cells[dy] << np.uint32(BYTE * dy))
    return word


def _strips(near: board.Words, x: Int32[Array, ""]) -> board.Words:
    """Return what a kicked piece may overlap: entry i has four rows from the i-th of `near` on, as bytes.

    Bit 0 of a byte is column x - MAX_KICK, so that a kicked piece is tested by one shift and one `and`.
    """
    left = (x + (board.WALL - MAX_KICK)).astype(jnp.uint32)
    rows = [(row >> left) & np.uint32((1 << BYTE) - 1) for row in near]
    return tuple(_pack(tuple(rows[up : up + MAX_BOX])) for up in range(2 * MAX_KICK + 1))


@functools.lru_cache(maxsize=64)
def _packed_kicks(rules: Rules) -> np.ndarray:
    """Kick tests as one number each, int32[K, 4, turns, tests]: dx in the lower bits, dy above, each plus MAX_KICK."""
    dx, dy = np.moveaxis(rules.tables.kicks, -1, 0) + MAX_KICK
    return (dx | dy << SHIFT_BITS).astype(np.int32)
