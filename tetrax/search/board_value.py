"""A learned value of boards: the rows that will be sent from where a search can see no further.

A small network over the lowest rows cell by cell, the features of the linear evaluation, and what is known of what
comes: the held piece, what is left in the bag, the placements left. It corrects the linear evaluation, so that one of
zeros changes nothing.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray, UInt32

from tetrax.env.game.reach.planes import ONE, WORD
from tetrax.env.game.rules import Rules
from tetrax.search.attack_features import BOARD_FEATURES, Situation, board_features
from tetrax.search.attack_weights import Weights
from tetrax.search.stacks import below, popcount

ROWS = 8  # the lowest ones, whose cells are looked at one by one
MOST_LEFT = 64  # placements that are told apart
SOON = 16  # placements left that are told more exactly
SCALES = {
    "covers": 8.0, "row_transitions": 20.0, "column_transitions": 20.0, "bumpiness": 10.0, "wells": 8.0,
    "height": 8.0, "cells": 40.0, "pieces_to_clear": 8.0,
}  # fmt: skip
RATE = 1.0  # rows that a placement sends, about
USUAL_SCALE = 3.0  # what other features are divided by, so that the network sees numbers of order one


class Position(NamedTuple):
    """Boards with all that decides what they are worth, [n] each."""

    stack: UInt32[Array, "W n"]
    hold: Int32[Array, "n"]  # kind, -1 = none
    chain: Int32[Array, "n"]  # difficult clears in a row minus one; -1 = none
    combo: Int32[Array, "n"]  # clears in a row
    bag: UInt32[Array, "n"]  # bit k: kind k is left in it
    left: Int32[Array, "n"]  # placements until the last one


class Layer(struct.PyTreeNode):
    """A layer of a network."""

    kernel: Array  # float32[inputs, units]
    bias: Array  # float32[O]


class BoardValue(struct.PyTreeNode):
    """What the network has learned."""

    hidden: tuple[Layer, ...]
    last: Layer  # O = 1


def init(rules: Rules, sizes: tuple[int, ...], key: PRNGKeyArray) -> BoardValue:
    """Return a network with layers of these sizes whose value is 0 everywhere."""
    num_inputs, hidden = count_inputs(rules), []
    for size, layer_key in zip(sizes, jax.random.split(key, len(sizes)), strict=True):
        kernel = jax.random.normal(layer_key, (num_inputs, size), jnp.float32)
        hidden.append(Layer(kernel * np.float32(np.sqrt(2 / num_inputs)), jnp.zeros(size, jnp.float32)))
        num_inputs = size
    return BoardValue(
        tuple(hidden), Layer(jnp.zeros((num_inputs, 1), jnp.float32), jnp.zeros(1, jnp.float32))
    )


def count_inputs(rules: Rules) -> int:
    """Return how many numbers the network sees."""
    return rules.width * (min(ROWS, rules.height) + 1) + 2 * rules.num_pieces + len(BOARD_FEATURES) + 3


def describe(rules: Rules, position: Position) -> tuple[Float32[Array, "n inputs"], list[Array]]:
    """Return what the network sees of boards, and the features of the linear evaluation, [n] each."""
    situation = Situation(position.chain >= 0, position.combo, position.hold)
    columns = list(position.stack)
    features = [feature.astype(jnp.float32) for feature in board_features(rules, columns, situation)]
    cells = [
        (column >> np.uint32(WORD - 1 - y)) & ONE
        for column in columns
        for y in range(min(ROWS, rules.height))
    ]
    heights = [popcount(below(column)).astype(jnp.float32) / ROWS for column in columns]
    kinds = range(rules.num_pieces)
    held = [position.hold == kind for kind in kinds]
    in_bag = [(position.bag >> np.uint32(kind)) & ONE for kind in kinds]
    left = jnp.minimum(position.left, MOST_LEFT).astype(jnp.float32)
    soon = jnp.minimum(left, SOON) / SOON
    scaled = [
        feature / SCALES.get(name, USUAL_SCALE)
        for name, feature in zip(BOARD_FEATURES, features, strict=True)
    ]
    seen = [*cells, *heights, *held, *in_bag, *scaled, left / MOST_LEFT, soon, soon * soon]
    return jnp.stack([number.astype(jnp.float32) for number in seen], axis=-1), features


def apply(value: BoardValue, seen: Float32[Array, "n inputs"]) -> Float32[Array, "n"]:
    """Return what the network adds, in rows."""
    for layer in value.hidden:
        seen = jax.nn.relu(seen @ layer.kernel + layer.bias[None])
    return (seen @ value.last.kernel + value.last.bias[None])[..., 0]


def total(rules: Rules, weights: Weights, value: BoardValue, position: Position) -> Float32[Array, "n"]:
    """Return the rows that will be sent from boards: the linear evaluation, corrected; 0 after the last placement."""
    seen, features = describe(rules, position)
    left = jnp.minimum(position.left, MOST_LEFT).astype(jnp.float32)
    games = weights.fade.shape[0]
    per_game = left.shape[0] // games
    board = jnp.repeat(weights.board.T, per_game, axis=1)
    fade = jnp.clip(left / jnp.repeat(jnp.maximum(weights.fade, 1.0), per_game), 0.0, 1.0)
    linear = sum(board[i] * feature for i, feature in enumerate(features))
    worth = left * RATE + fade * linear + apply(value, seen)
    return jnp.where(position.left > 0, worth, 0.0)


def mirror(rules: Rules, position: Position) -> Position:
    """Return boards seen in a mirror, with the pieces that theirs become."""
    twins = mirrored_kinds(rules)
    bits = [
        ((position.bag >> np.uint32(kind)) & ONE) << np.uint32(twin)
        for kind, twin in enumerate(twins.tolist())
    ]
    hold = jnp.where(position.hold >= 0, jnp.asarray(twins)[jnp.maximum(position.hold, 0)], -1)
    return position._replace(
        stack=position.stack[::-1], hold=hold, bag=functools.reduce(jnp.bitwise_or, bits)
    )


def mirrored_kinds(rules: Rules) -> np.ndarray:
    """Return the kind that each is in a mirror, itself where no other is: int32[K]."""
    names = [piece.name for piece in rules.pieces]
    pairs = {"J": "L", "L": "J", "S": "Z", "Z": "S"}
    twins = [pairs.get(name, name) for name in names]
    return np.array(
        [names.index(twin if twin in names else name) for name, twin in zip(names, twins, strict=True)],
        np.int32,
    )
