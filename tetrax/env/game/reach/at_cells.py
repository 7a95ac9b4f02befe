"""Placements by the cell they are at, for their afterstates: the lower-left corner of the resting piece's box."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game.moves import Pose
from tetrax.env.game.pieces import NUM_ORIENTATIONS
from tetrax.env.game.reach.outcomes import Candidates
from tetrax.env.game.rules import Rules

Orientation = Int32[Array, "O H W"] | np.ndarray


def candidates(
    rules: Rules,
    kinds: tuple[Int32[Array, ""], ...],
    orientation: tuple[Orientation, ...],
    legal: Bool[Array, "A"],
) -> Candidates:
    """Put each of C kinds at every visible cell: A = C O H W placements in that order.

    `orientation` is, for each kind, that of its placements, int32[O, H, W]; O is 4 where it is part of the action.
    """
    parts = [_of_kind(rules, kind, turned) for kind, turned in zip(kinds, orientation, strict=True)]
    placed = jax.tree.map(lambda *pieces: jnp.concatenate(pieces), *parts)
    return Candidates(legal, *placed)


def every_orientation(rules: Rules) -> np.ndarray:
    """Return the orientations of placements that choose it, int32[4, H, W]."""
    orientation = np.arange(NUM_ORIENTATIONS, dtype=np.int32).reshape(-1, 1, 1)
    return np.broadcast_to(orientation, (NUM_ORIENTATIONS, rules.height, rules.width))


def _of_kind(rules: Rules, kind: Int32[Array, ""], orientation: Orientation) -> tuple[Any, ...]:
    """Return `Candidates` of one kind without legal."""
    y, x = np.mgrid[: rules.height, : rules.width].astype(np.int32)
    tables = rules.tables
    left = jnp.asarray(tables.left)[kind][orientation]
    bottom = jnp.asarray(tables.bottom)[kind][orientation]
    shapes = jnp.asarray(_columns(rules))[kind][:, orientation]  # [4, O, H, W]
    columns = shapes << y.astype(np.uint32)[None, None]
    pose = Pose(jnp.asarray(orientation), x[None] - left, y[None] - bottom)
    flat = jax.tree.map(jnp.ravel, pose)
    return flat, jnp.broadcast_to(kind, flat.x.shape), tuple(jnp.ravel(column) for column in columns)


@functools.lru_cache(maxsize=64)
def _columns(rules: Rules) -> np.ndarray:
    """Return each kind's columns from its left, by orientation, its lowest row first: uint32[K, 4, 4]."""
    tables = rules.tables
    return (tables.columns >> tables.bottom[:, :, None].astype(np.uint32)).swapaxes(1, 2)
