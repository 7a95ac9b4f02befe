"""Games as a mirror shows them: columns reversed, and each piece in place of the one that is its mirror image.

Only for placements straight down. By keys, and where pieces slide and turn into their place, the kicks of I and
the columns at which pieces enter have no mirror image: see `why_not`.

A game of placements has one nearly everywhere. A piece whose box leaves an odd number of columns enters left of the
middle, and so does its mirror image. Where the stack reaches the rows in which pieces enter, that decides what can be
reached, and whether the next piece fits; `mirror` tells whether a moment and an action are such that the mirrored game
goes on as the game itself does.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game import board, moves
from tetrax.env.game.engine import incoming
from tetrax.env.game.pieces import MAX_BOX, NUM_ORIENTATIONS
from tetrax.env.game.randomizer import BITS_PER_PIECE
from tetrax.env.game.reach import drops
from tetrax.env.game.rules import TETRIO_ORDER, Rules
from tetrax.env.game.state import State


class Mirrored(struct.PyTreeNode):
    """A moment of a game and what was done in it, as a mirror shows them."""

    state: (
        State  # with the piece where it enters in the mirrored game; the key, and so its future, is the same
    )
    action: Int32[Array, ""]  # that fills the mirrored cells
    is_exact: Bool[Array, ""]  # whether the mirrored game allows that, and its piece fits if this one's does


def why_not(rules: Rules, actions: str) -> str:
    """Return in a few words why games have no mirror image; nothing where they have one."""
    if actions != "drop":
        return f"actions {actions!r} have no exact mirror image (kicks, columns where pieces enter)"
    lonely = [piece.name for piece, image in zip(rules.pieces, _images(rules), strict=True) if image < 0]
    if lonely:
        return f"there is no mirror image of piece {lonely[0]!r}"
    return "the list of pieces has no mirror image" if rules.randomizer == "list" else ""


def mirror(rules: Rules, state: State, action: Int32[Array, ""]) -> Mirrored:
    """Mirror one game of `drop` and one placement in it; of an illegal placement the action means nothing."""
    mirrored = _mirror_state(rules, state)
    pose, fits = _enter(rules, mirrored)
    mirrored = mirrored.replace(x=pose.x)
    _, fitted = _enter(rules, state)
    as_before = (pose.y == state.y) & (fits == fitted)
    action, is_legal = _mirror_placement(rules, state, mirrored, action)
    return Mirrored(mirrored, action, as_before & (is_legal | state.game_over))


def _mirror_state(rules: Rules, state: State) -> State:
    """Mirror all but the columns of the active piece."""
    images = np.array(_images(rules), np.int32)
    waiting = state.garbage
    if waiting is not None:
        waiting = waiting.replace(hole=rules.width - 1 - waiting.hole)
    return state.replace(
        rows=_reverse(rules, state.rows),
        piece=jnp.asarray(images)[state.piece],
        hold=jnp.where(state.hold < 0, state.hold, jnp.asarray(images)[state.hold]),
        queue=jnp.asarray(images)[state.queue],
        bag=_mirror_bag(rules, state.bag),
        garbage=waiting,
        history=None if state.history is None else _reverse(rules, state.history),
    )


def _enter(rules: Rules, state: State) -> tuple[moves.Pose, Bool[Array, ""]]:
    """Return where the active piece has entered, and whether it fitted."""
    return moves.spawn(rules, board.add_walls(rules, state.rows), state.piece, state.combo >= 0)


def _mirror_placement(
    rules: Rules, state: State, mirrored: State, action: Int32[Array, ""]
) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
    """Return the action that fills the mirrored cells, and whether it is legal.

    Of orientations that fill the same cells the lowest that can be reached is legal: it need not be the mirrored one.
    """
    width, tables = rules.width, rules.tables
    half, orientation, x = (
        action // (NUM_ORIENTATIONS * width),
        action // width % NUM_ORIENTATIONS,
        action % width,
    )
    kind = jnp.where(half == 1, incoming(rules, state), state.piece) if rules.hold else state.piece
    image = jnp.asarray(np.array(_images(rules), np.int32))[kind]
    turned = -orientation % NUM_ORIENTATIONS
    column = jnp.maximum(width - x - jnp.asarray(tables.width)[kind, orientation], 0)
    twin = jnp.asarray(tables.twin)[image]  # [4]
    words = jnp.stack(drops.legal_words(rules, mirrored)).reshape(-1, NUM_ORIENTATIONS)[half]
    reached = ((words >> column.astype(jnp.uint32)) & np.uint32(1) != 0) & (twin == twin[turned])
    is_legal = jnp.any(reached)
    chosen = jnp.where(is_legal, jnp.argmax(reached), turned)
    return ((half * NUM_ORIENTATIONS + chosen) * width + column).astype(jnp.int32), is_legal


def _reverse(rules: Rules, rows: UInt32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """Reverse the columns of rows."""
    last, one = rules.width - 1, np.uint32(1)
    bits = [((rows >> np.uint32(x)) & one) << np.uint32(last - x) for x in range(rules.width)]
    return functools.reduce(jnp.bitwise_or, bits)


def _mirror_bag(rules: Rules, bag: UInt32[Array, ""]) -> UInt32[Array, ""]:
    """Put into a bag the mirror images of the pieces that are left in it."""
    if rules.randomizer == "tetrio":
        mask = np.uint32((1 << BITS_PER_PIECE) - 1)
        images = jnp.asarray(np.array([0, *(image + 1 for image in _images(rules))], np.uint32))
        places = [np.uint32(BITS_PER_PIECE * place) for place in range(len(TETRIO_ORDER))]
        left = [images[((bag >> place) & mask).astype(jnp.int32)] << place for place in places]
        return functools.reduce(jnp.bitwise_or, left)
    in_bag = [
        ((bag >> np.uint32(kind)) & np.uint32(1)) << np.uint32(image)
        for kind, image in enumerate(_images(rules))
    ]
    return functools.reduce(jnp.bitwise_or, in_bag)


@functools.lru_cache(maxsize=64)
def _images(rules: Rules) -> tuple[int, ...]:
    """Return for each kind that of its mirror image, -1 where there is none: in their boxes, in every orientation."""
    tables = rules.tables
    bits = (tables.rows[..., None] >> np.arange(MAX_BOX, dtype=np.uint32)) & np.uint32(1)  # [K, 4, dy, dx]
    orientations = -np.arange(NUM_ORIENTATIONS) % NUM_ORIENTATIONS

    def is_image(kind: int, other: int) -> bool:
        box = int(tables.box[kind])
        reversed_cells = bits[kind, :, :, :box][..., ::-1]
        return box == tables.box[other] and np.array_equal(reversed_cells, bits[other, orientations, :, :box])

    kinds = range(rules.num_pieces)
    return tuple(next((other for other in kinds if is_image(kind, other)), -1) for kind in kinds)
