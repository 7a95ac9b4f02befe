"""Weights of the linear evaluation for attack, by name."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from tetrax.search.attack_features import BOARD_FEATURES, PLACEMENT_FEATURES


class Weights(struct.PyTreeNode):
    """What the evaluation multiplies features with, in rows of attack."""

    board: Array | np.ndarray  # float32[F], of BOARD_FEATURES
    towards_clear: Array | np.ndarray  # float32[F], added to them where boards are kept for a perfect clear
    placement: Array | np.ndarray  # float32[P], of PLACEMENT_FEATURES, along the way
    fade: Array | np.float32  # float32[], placements before the last over which all of these fall to 0


HAND = {
    "holes": -1.5, "covers": -0.3, "row_transitions": -0.2, "column_transitions": -0.1, "bumpiness": -0.15,
    "steep_steps": -0.2, "wells": -0.05, "deep_wells": -0.1, "height": -0.3, "upper_half": -1.5,
    "upper_quarter": -5.0, "ready_rows": 0.2, "t_slots": 0.1, "t_singles": 0.6, "t_doubles": 2.0,
    "t_slots_of_three": 0.6, "t_triples": 3.0, "may_clear": 0.3, "back_to_back": 0.8, "combo": 0.2,
    "holds_t": 0.4, "holds_i": 0.3, "wasted_t": -1.0, "wasted_i": -0.3, "single": -0.5, "double": -0.4,
    "triple": -0.2, "chain_broken": -0.5,
}  # fmt: skip
HAND_CLEAR = {
    "may_clear": 6.0,
    "pieces_to_clear": -0.5,
    "parted_wrongly": -2.0,
    "height": -0.5,
    "holes": -1.0,
}
# Found by the cross-entropy method from those written by hand, with 8 boards and 8 more: 52 generations of 192
# candidates with two games of 50 placements each, the last 15 with half the spread; the mean of the means of the last
# eight generations.
TUNED = {
    "holes": -0.587, "covers": -0.122, "row_transitions": -0.420, "column_transitions": -0.047,
    "bumpiness": -0.007, "steep_steps": 0.120, "wells": -0.236, "deep_wells": -0.094, "height": 0.114,
    "upper_half": -1.971, "upper_quarter": -3.263, "cells": 0.025, "ready_rows": 0.485, "t_slots": 0.250,
    "t_singles": 1.288, "t_doubles": 3.313, "t_slots_of_three": 0.197, "t_triples": 2.426,
    "may_clear": 1.230, "pieces_to_clear": -0.116, "parted_wrongly": -0.657, "back_to_back": -0.102,
    "combo": 0.370, "holds_t": 1.038, "holds_i": 0.798, "holds_o": -0.091, "wasted_t": -0.923,
    "wasted_i": 0.009, "single": -0.408, "double": -0.497, "triple": -0.988, "perfect_clear": 0.012,
    "chain_broken": -0.518,
}  # fmt: skip
TUNED_CLEAR = {
    "holes": -0.245, "covers": 0.101, "row_transitions": 0.001, "column_transitions": -0.027,
    "bumpiness": 0.022, "steep_steps": 0.115, "wells": -0.152, "deep_wells": 0.281, "height": 0.487,
    "upper_half": 0.337, "upper_quarter": 1.135, "cells": 0.007, "ready_rows": -0.069, "t_slots": -0.395,
    "t_singles": 0.709, "t_doubles": -0.491, "t_slots_of_three": 0.307, "t_triples": 0.579,
    "may_clear": 6.234, "pieces_to_clear": -0.701, "parted_wrongly": -1.706, "back_to_back": -0.343,
    "combo": -0.387, "holds_t": 0.320, "holds_i": 0.070, "holds_o": -0.021,
}  # fmt: skip
TUNED_FADE = 3.228
# Of Cold Clear 2's configuration as published, as far as it has the same features; its values of clears (a T-spin
# double 4, a triple 6, a perfect clear 15, a clear in back-to-back 1) are Jstris's rows, but for the perfect one, which
# gets five more.
COLD_CLEAR = {
    "holes": -1.5, "row_transitions": -0.2, "height": -0.4, "upper_half": -1.5, "upper_quarter": -5.0,
    "t_slots": 0.1, "t_singles": 1.5, "t_doubles": 2.0, "t_triples": 4.0, "wasted_t": -1.5,
    "perfect_clear": 5.0,
}  # fmt: skip

# What a weight is worth trying by, in rows: large where a feature is small.
SPREADS = {
    "holes": 0.21, "covers": 0.105, "row_transitions": 0.035, "column_transitions": 0.056,
    "bumpiness": 0.07, "steep_steps": 0.14, "wells": 0.105, "deep_wells": 0.14, "height": 0.105,
    "upper_half": 0.21, "upper_quarter": 0.7, "cells": 0.021, "ready_rows": 0.21, "t_slots": 0.28,
    "t_singles": 0.35, "t_doubles": 0.42, "t_slots_of_three": 0.35, "t_triples": 0.56, "may_clear": 0.42,
    "pieces_to_clear": 0.084, "parted_wrongly": 0.28, "back_to_back": 0.35, "combo": 0.21, "holds_t": 0.28,
    "holds_i": 0.28, "holds_o": 0.21, "wasted_t": 0.28, "wasted_i": 0.28, "single": 0.28, "double": 0.28,
    "triple": 0.35, "perfect_clear": 0.7, "chain_broken": 0.35,
}  # fmt: skip
FADE_SPREAD = 2.0  # placements


def build(board: Mapping[str, float], towards_clear: Mapping[str, float], fade: float) -> Weights:
    """Return weights given by name, 0 where a feature is not named."""
    given = {**board}
    return Weights(
        board=np.array([given.pop(name, 0.0) for name in BOARD_FEATURES], np.float32),
        placement=np.array([given.pop(name, 0.0) for name in PLACEMENT_FEATURES], np.float32),
        towards_clear=np.array([towards_clear.get(name, 0.0) for name in BOARD_FEATURES], np.float32),
        fade=np.float32(fade),
    )


ATTACK_WEIGHTS: dict[str, Weights] = {
    "tuned": build(TUNED, TUNED_CLEAR, TUNED_FADE),
    "hand": build(HAND, HAND_CLEAR, 8.0),
    "cold-clear-2": build(COLD_CLEAR, HAND_CLEAR, 8.0),
}


def flatten(weights: Weights) -> Array:
    """Return all weights in a row, float32[D]."""
    parts = (
        weights.board,
        weights.towards_clear,
        weights.placement,
        jnp.atleast_1d(jnp.asarray(weights.fade)),
    )
    return jnp.concatenate([jnp.asarray(part) for part in parts])


def unflatten(row: Array) -> Weights:
    """Return the weights that a row, float32[..., D], holds."""
    ends = np.cumsum([len(BOARD_FEATURES), len(BOARD_FEATURES), len(PLACEMENT_FEATURES)]).tolist()
    return Weights(
        board=row[..., : ends[0]],
        towards_clear=row[..., ends[0] : ends[1]],
        placement=row[..., ends[1] : ends[2]],
        fade=row[..., ends[2]],
    )


def initial_spread(row: Array) -> Array:
    """Return how far weights in a row may be off, in standard deviations: a quarter of each, and SPREADS
    beside.
    """
    board = [SPREADS[name] for name in BOARD_FEATURES]
    usual = np.array(
        [*board, *board, *(SPREADS[name] for name in PLACEMENT_FEATURES), FADE_SPREAD], np.float32
    )
    return 0.25 * jnp.abs(row) + usual
