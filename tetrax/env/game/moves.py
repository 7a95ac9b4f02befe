"""How the active piece moves: spawn, shift, rotation with kicks. Each move returns a `Pose`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board
from tetrax.env.game.pieces import NUM_ORIENTATIONS
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import where

HALF_TURN_KICK = 8  # added to the kick test of a half turn


class Pose(NamedTuple):
    """Where a piece stands: orientation and the lower-left corner of its box, each int32[]."""

    orientation: Int32[Array, ""]
    x: Int32[Array, ""]
    y: Int32[Array, ""]


def spawn(
    rules: Rules,
    walled: UInt32[Array, "H+13"],
    kind: Int32[Array, ""],
    after_clear: Bool[Array, ""],
) -> tuple[Pose, Bool[Array, ""]]:
    """Return where a piece enters, and whether it fits there (else the game ends: block-out).

    With `rules.spawn_rise`, where it is blocked and the last lock was a line clear, it enters in the first
    free row above. With `rules.spawn_drop` it then falls one row at once if it can.
    """
    rows = jnp.asarray(rules.tables.rows[:, 0])[kind]
    x = jnp.asarray(rules.spawn_x, jnp.int32)[kind]
    y = jnp.asarray(rules.spawn_y, jnp.int32)[kind]
    if rules.spawn_rise:
        y = jnp.where(after_clear, board.first_free_row(walled, rows, x, y), y)
    fits = board.fits(walled, rows, x, y)
    if rules.spawn_drop:
        falls = fits & board.fits(walled, rows, x, y - 1)
        y -= falls.astype(jnp.int32)
    return Pose(jnp.int32(0), x, y), fits


def shift(
    walled: UInt32[Array, "H+13"],
    piece_rows: UInt32[Array, "4"],
    pose: Pose,
    dx: Int32[Array, ""],
) -> tuple[Pose, Bool[Array, ""]]:
    """Move by dx in -1, 0, 1 columns if it fits; return the pose and whether it moved."""
    moved = (dx != 0) & board.fits(walled, piece_rows, pose.x + dx, pose.y)
    return pose._replace(x=pose.x + jnp.where(moved, dx, 0)), moved


def rotate(
    rules: Rules,
    walled: UInt32[Array, "H+13"],
    kind: Int32[Array, ""],
    pose: Pose,
    turn: Int32[Array, ""],
) -> tuple[Pose, Int32[Array, ""]]:
    """Turn clockwise (1), counter-clockwise (-1), half (2) or not (0), with the first kick test that fits.

    Returns the pose and the number of the test used (for half turns `HALF_TURN_KICK` more), -1 when
    nothing turned.
    """
    orientation = (pose.orientation + turn) % NUM_ORIENTATIONS
    piece_rows = jnp.asarray(rules.tables.rows)[kind, orientation]
    direction = jnp.where(turn < 0, 1, 0)
    if rules.half_turns:
        direction = jnp.where(turn == 2, 2, direction)
    tests = jnp.asarray(rules.tables.kicks)[kind, pose.orientation, direction]  # [T, 2]
    xs, ys = pose.x + tests[:, 0], pose.y + tests[:, 1]
    fits = jax.vmap(board.fits, in_axes=(None, None, 0, 0))(walled, piece_rows, xs, ys)
    num_tests = rules.tables.kicks.shape[3]
    index = np.arange(num_tests, dtype=np.int32)
    kick = jnp.min(jnp.where(fits & (turn != 0), index, num_tests))
    chosen = index == kick
    turned = Pose(
        orientation,
        jnp.sum(jnp.where(chosen, xs, 0), dtype=jnp.int32),
        jnp.sum(jnp.where(chosen, ys, 0), dtype=jnp.int32),
    )
    did_turn = kick < num_tests
    if rules.half_turns:
        kick += jnp.where(turn == 2, HALF_TURN_KICK, 0)
    return where(did_turn, turned, pose), jnp.where(did_turn, kick, -1)
