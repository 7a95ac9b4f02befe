"""Features of placements: numbers that tell how good the board is that each of them leaves.

Two sets, for controllers that weigh them. CLASSIC_FEATURES are those of the literature's linear controllers (Thiery
and Scherrer 2009; Gabillon et al. 2013). EXTENDED_FEATURES are these and more about the surface: the tallest column,
the differences between neighbours and the heights of single columns, which Bertsekas and Ioffe (1996) weighed; what
of the differences and of the wells only an I fits; what is near the top; and squares, because a second hole may cost
more than the first. A mirrored board has the same features.
"""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.env.game import measures
from tetrax.env.game.measures import Board, BoardFeatures
from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.reach.outcomes import COLUMN_ROWS, Candidates
from tetrax.env.game.rules import Rules

CLASSIC_FEATURES = (
    "landing_height",
    "eroded_cells",
    "row_transitions",
    "column_transitions",
    "holes",
    "wells",  # covered ones too
    "hole_depth",
    "rows_with_holes",  # rows
    "pattern_diversity",  # different steps of at most 2 between neighbouring columns
)
# What each is divided by, so that weights are of one order.
MORE_FEATURES: Mapping[str, float] = {
    "max_height": 1.0,
    "bumpiness": 2.0,  # sum of the steps between neighbouring columns
    "steep_steps": 1.0,  # what of these is beyond 2
    "deep_wells": 1.0,  # what of the surface's wells is deeper than 2
    "high_cells": 3.0,  # rows that columns reach above six tenths of the visible ones, summed
    "holes_squared": 6.0,
    "wells_squared": 20.0,
    "hole_depth_squared": 20.0,
    "first_columns": 2.0,  # height of the two columns at the walls, summed
    "second_columns": 2.0,  # of those next to them
    "third_columns": 2.0,
}
EXTENDED_FEATURES = (*CLASSIC_FEATURES, *MORE_FEATURES)
STEEP = 2  # cells of a step or a well that pieces other than the I fill


def landing_height(rules: Rules, placed: Candidates) -> Float32[Array, "A"]:
    """Return the height of the middle of each resting piece: lowest row + (rows - 1) / 2."""
    tables = rules.tables
    middle = jnp.asarray(tables.bottom + (tables.height - 1) / 2, jnp.float32)
    return placed.pose.y.astype(jnp.float32) + middle[placed.kind, placed.pose.orientation]


def eroded_cells(placed: Candidates, boards: Board) -> Int32[Array, "A"]:
    """Return lines cleared times the piece's own cells that went with them."""
    return boards.lines * measures.total(measures.popcount(cells & boards.full) for cells in placed.cells)


def classic_features(rules: Rules, placed: Candidates, boards: Board) -> Float32[Array, "A 9"]:
    """Return CLASSIC_FEATURES of each placement in order, in cells unless said there, unscaled."""
    return _stack(_classic(rules, placed, boards, measures.board_features(rules, boards.columns)))


def extended_features(rules: Rules, placed: Candidates, boards: Board) -> Float32[Array, "A 20"]:
    """Return EXTENDED_FEATURES of each placement in order: the classic ones, and more, scaled."""
    after = measures.board_features(rules, boards.columns)
    classic = _classic(rules, placed, boards, after)
    more = _more(rules, boards, after, classic)
    scaled = {
        name: more[name].astype(jnp.float32) * np.float32(1 / scale) for name, scale in MORE_FEATURES.items()
    }
    return _stack(classic | scaled)


def _stack(values: dict[str, Array]) -> Float32[Array, "A F"]:
    return jnp.stack([value.astype(jnp.float32) for value in values.values()], axis=-1)


def _classic(rules: Rules, placed: Candidates, boards: Board, after: BoardFeatures) -> dict[str, Array]:
    # No cell lies higher: with top_out "stack" a piece comes to rest on at most `height` rows.
    num_rows = rules.height + MAX_BOX if rules.top_out == "stack" else min(rules.total_height, COLUMN_ROWS)
    values = {
        **vars(after),
        "landing_height": landing_height(rules, placed),
        "eroded_cells": eroded_cells(placed, boards),
        "wells": measures.covered_wells(boards.columns, num_rows),
        "pattern_diversity": measures.pattern_diversity(boards.columns),
    }
    return {name: values[name] for name in CLASSIC_FEATURES}


def _more(rules: Rules, boards: Board, after: BoardFeatures, classic: dict[str, Array]) -> dict[str, Array]:
    heights = [measures.height(column) for column in boards.columns]
    threshold = 6 * rules.height // 10
    return {
        "max_height": after.max_height,
        "bumpiness": after.bumpiness,
        "steep_steps": measures.beyond(measures.steps(heights), STEEP),
        "deep_wells": measures.beyond(measures.well_depths(heights), STEEP),
        "high_cells": measures.beyond(heights, threshold),
        "holes_squared": classic["holes"] ** 2,
        "wells_squared": classic["wells"] ** 2,
        "hole_depth_squared": classic["hole_depth"] ** 2,
        "first_columns": heights[0] + heights[-1],
        "second_columns": heights[1] + heights[-2],
        "third_columns": heights[2] + heights[-3],
    }
