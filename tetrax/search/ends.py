"""What boards at the end of a search are worth: by their scores, or by a learned value of them."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from tetrax.env.game.rules import Rules
from tetrax.search import board_value
from tetrax.search.attack_weights import Weights
from tetrax.search.beam import Found, Root, Size
from tetrax.search.board_value import BoardValue, Position
from tetrax.search.children import Lanes


def judge(
    rules: Rules, size: Size, weights: Weights, value: BoardValue | None, root: Root, found: Found
) -> Float32[Array, "G B"]:
    """Return what the boards at the end are worth, with the attack on the way, -inf where there is none."""
    lanes, num_games = found.lanes, root.hold.shape[0]
    if value is None:
        return lanes.score.reshape(num_games, -1)
    return by_value(rules, weights, value, lanes, positions(size, root, found))


def by_value(
    rules: Rules, weights: Weights, value: BoardValue, lanes: Lanes, position: Position
) -> Float32[Array, "G B"]:
    """Return what boards are worth to a learned value, with the attack on the way, -inf where there is none."""
    worth = lanes.sent + board_value.total(rules, weights, value, position)
    return jnp.where(jnp.isfinite(lanes.score), worth, -jnp.inf).reshape(weights.fade.shape[0], -1)


def positions(size: Size, root: Root, found: Found) -> Position:
    """Return where a search ended: what comes after the known pieces is open again."""
    lanes = found.lanes
    return Position(
        stack=lanes.stack,
        hold=lanes.hold,
        chain=lanes.chain,
        combo=lanes.combo,
        bag=jnp.repeat(root.bag, size.boards),
        left=jnp.repeat(root.left - found.placed, size.boards),
    )
