"""Every place where the active piece, or the one hold brings, can come to rest: tucks, spins and kicks.

A place is an orientation and the lower-left corner (x, y) of the piece's bounding box there. Found by
flood fill (`flood`): left, right, one down and every turn with its kicks, from where the piece is now.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board, measures, moves
from tetrax.env.game.engine import incoming
from tetrax.env.game.measures import BoardFeatures
from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import NUM_ORIENTATIONS
from tetrax.env.game.reach import flood, planes
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import SPINS, State
from tetrax.env.game.vector import keep_boards_last

NUM_SPINS = len(SPINS)


class Reach(struct.PyTreeNode):
    """Every resting place of the active piece and, with hold, of the one that hold brings."""

    # By piece (0 active, 1 hold's; C = 2 with rules.hold, else 1), spin class (index into SPINS), orientation and
    # lowest row; bit x = leftmost column.
    rows: Array  # uint32[C, 3, 4, H]
    kind: Array  # int32[C], the pieces' kinds


class Placements(struct.PyTreeNode):
    """Places in a list of fixed length, in the order of `Reach.rows`; those beyond the found ones are not valid."""

    use_hold: Array  # bool[N], whether hold comes first
    kind: Array  # int32[N], the piece
    orientation: Array  # int32[N]
    x: Array  # int32[N], leftmost column of the piece
    y: Array  # int32[N], its lowest row
    spin: Array  # int32[N], index into SPINS
    valid: Array  # bool[N]
    found: Array  # int32[], places there are; more than N when the list was too short for all


def reachable(rules: Rules, state: State) -> Reach:
    """Find the resting places of the active piece from where it is, and of hold's from its spawn place.

    A place is in the class of every way there: by a move (or a turn without three filled corners) none, by
    a turn mini or full. Nothing can be reached after the end. Nothing can be reached with hold when it was
    used, when it would reveal a hidden piece, or when its piece does not fit.
    """
    kinds, places = starts(rules, state)
    kind, start = jnp.stack(kinds), jax.tree.map(lambda *fields: jnp.stack(fields), *places)
    rows = jnp.broadcast_to(state.rows[:, None], (rules.total_height, *kind.shape))
    return Reach(rows=jnp.moveaxis(_search(rules)(rows, kind, start), -1, 0), kind=kind)


def mask(rules: Rules, reach: Reach) -> Bool[Array, "C 4 H W"]:
    """Tell where each orientation can come to rest, by any way; orientations that look alike stay apart."""
    none, mini, full = (reach.rows[:, spin] for spin in range(NUM_SPINS))
    return _cells(rules, none | mini | full)


def spin_at(rules: Rules, reach: Reach) -> Int32[Array, "C 4 H W"]:
    """Return the best spin class of each resting place (index into SPINS), 0 where there is none."""
    cells = _cells(rules, reach.rows)
    return jnp.where(cells[:, 2], 2, jnp.where(cells[:, 1], 1, 0)).astype(jnp.int32)


def keep_distinct(rules: Rules, reach: Reach) -> Reach:
    """Keep each set of cells once in each spin class, under the lowest orientation that fills it."""
    twin = jnp.asarray(rules.tables.twin)[reach.kind]  # [C, 4]
    merged = []
    for orientation in range(NUM_ORIENTATIONS):
        rows = jnp.zeros_like(reach.rows[:, :, 0])
        for other in range(orientation, NUM_ORIENTATIONS):
            same = (twin[:, other] == orientation)[:, None, None]
            rows |= jnp.where(same, reach.rows[:, :, other], np.uint32(0))
        merged.append(rows)
    return reach.replace(rows=jnp.stack(merged, axis=2))


def list_places(rules: Rules, reach: Reach, capacity: int) -> Placements:
    """List the distinct places, at most `capacity` of them, in the order of `Reach.rows`."""
    cells = _cells(rules, keep_distinct(rules, reach).rows)
    places = jnp.nonzero(cells, size=capacity, fill_value=0)
    piece, spin, orientation, y, x = (place.astype(jnp.int32) for place in places)
    found = jnp.sum(cells, dtype=jnp.int32)
    return Placements(
        use_hold=piece == 1,
        kind=reach.kind[piece],
        orientation=orientation,
        x=x,
        y=y,
        spin=spin,
        valid=jnp.arange(capacity, dtype=jnp.int32) < found,
        found=found,
    )


def pose(rules: Rules, placements: Placements) -> Pose:
    """Return where the boxes of listed pieces are, each int32[N]."""
    kind, orientation = placements.kind, placements.orientation
    left = jnp.asarray(rules.tables.left)[kind, orientation]
    bottom = jnp.asarray(rules.tables.bottom)[kind, orientation]
    return Pose(orientation, placements.x - left, placements.y - bottom)


def after(
    rules: Rules, state: State, placements: Placements
) -> tuple[UInt32[Array, "N H"], Int32[Array, "N"]]:
    """Return the board after each placement and its line clears, and the lines; as it is where not valid."""

    def one(kind: Array, box: Pose, valid: Array) -> tuple[Array, Array]:
        piece_rows = jnp.asarray(rules.tables.rows)[kind, box.orientation]
        settled = board.settle(rules, state.rows, jnp.where(valid, piece_rows, np.uint32(0)), box.x, box.y)
        return board.stack(settled.rows), settled.lines

    return jax.vmap(one)(placements.kind, pose(rules, placements), placements.valid)


def features(rules: Rules, rows: UInt32[Array, "N H"]) -> BoardFeatures:
    """Measure the boards of `after` (their lowest 32 rows), each feature int32[N]."""
    columns = jax.vmap(lambda one: board.columns(rules, one))(rows)
    return measures.board_features(rules, tuple(columns[:, x] for x in range(rules.width)))


@functools.lru_cache(maxsize=64)
def _search(rules: Rules) -> Callable[[Array, Array, flood.Start], Array]:
    """Return the flood fill, rows uint32[H, *n] to uint32[3, 4, H, *n]."""

    @keep_boards_last
    def search(rows: Array, kind: Array, start: flood.Start) -> Array:
        classes = flood.find_resting(rules, rows, kind, start)
        return jnp.stack([planes.to_rows(rules, poses) for poses in classes])

    return search


def starts(rules: Rules, state: State) -> tuple[tuple[Int32[Array, ""], ...], tuple[flood.Start, ...]]:
    """Return the kinds that may be placed, C of them, and where each begins."""
    playing = ~state.game_over
    active = flood.Start(state.orientation, state.x, state.y, state.kick, playing)
    if not rules.hold:
        return (state.piece,), (active,)
    kind = incoming(rules, state)
    box, fits = moves.spawn(rules, board.add_walls(rules, state.rows), kind, state.combo >= 0)
    allowed = playing & ~state.hold_used & fits
    if rules.preview == 0:
        allowed &= state.hold >= 0
    held = flood.Start(*box, kick=jnp.int32(-1), allowed=allowed)
    return (state.piece, kind), (active, held)


def _cells(rules: Rules, rows: UInt32[Array, "*n H"]) -> Bool[Array, "*n H W"]:
    """Expand words to one bool per column."""
    x = np.arange(rules.width, dtype=np.uint32).reshape((1,) * rows.ndim + (-1,))
    return ((rows[..., None] >> x) & np.uint32(1)) != 0
