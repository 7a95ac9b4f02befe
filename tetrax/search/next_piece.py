"""What first placements are worth when the next piece, which nobody knows yet, is whatever it may be.

The best board at the end of a search says what a first placement is worth if the game goes on to that board whatever
comes. But a player sees another piece after each placement, and may go another way then. So of a few first placements
the best boards are kept; each piece that may come is placed on them; and what the best board then is worth is averaged
over the pieces: expectimax (Michie 1966) with one node of chance behind each first placement.

Of all boards that a piece leads to as many are judged as the candidate has boards, the best by attack and linear
evaluation. Equal boards are merged in the search: of several first placements that lead to one only the first has it.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.env.game.rules import Rules
from tetrax.search import beam, ends
from tetrax.search.attack_weights import Weights
from tetrax.search.beam import Found, Root, Size
from tetrax.search.board_value import BoardValue
from tetrax.search.children import Lanes

PLACES = 6  # of one piece in a column that there is room for, on average over the boards of a candidate


class Candidates(NamedTuple):
    """N first placements of each of G games, the best first, and the M best boards on ways from each."""

    first: Int32[Array, "G N"]
    boards: Int32[Array, "G N M"]  # their numbers in the game's beams
    worth: Float32[Array, "G N M"]  # the best first; -inf where there is none


def weigh(
    rules: Rules,
    size: Size,
    weights: Weights,
    value: BoardValue,
    root: Root,
    found: Found,
    worth: Float32[Array, "G B"],
) -> Float32[Array, "G B"]:
    """Return what boards at the end are worth, moved so that a candidate's best is worth the mean of what may follow.

    What may come next is in `root.bag`, as the "bag" randomizer has it. Boards of other first placements stay
    behind those of all candidates.
    """
    first = found.lanes.first.reshape(worth.shape)
    candidates = find_candidates(size, first, worth)
    best = candidates.worth[:, :, 0]
    exists = jnp.isfinite(best)
    mean = _mean_of_next(rules, weights, value, root, found, candidates)
    change = jnp.where(exists, mean - jnp.where(exists, best, 0.0), jnp.inf)
    # The others have less than each candidate's best. Less the most that a candidate loses, they still do.
    least = jnp.min(change, axis=1, keepdims=True)
    moved = worth + jnp.where(jnp.isfinite(least), least, 0.0)
    for number in range(size.candidates):
        own, moves = candidates.first[:, number, None], change[:, number, None]
        moved = jnp.where((first == own) & exists[:, number, None], worth + moves, moved)
    # Where a known piece is not placed that one comes next, or nothing does.
    known = jnp.sum(root.pieces >= 0, axis=1) + (root.hold >= 0)
    return jnp.where((found.placed == known)[:, None], moved, worth)


def find_candidates(size: Size, first: Int32[Array, "G B"], worth: Float32[Array, "G B"]) -> Candidates:
    """Return the first placements on the way to the best boards, each with its own best boards."""
    found, rest = [], worth
    for _ in range(size.candidates):
        best = jnp.take_along_axis(first, jnp.argmax(rest, axis=1)[:, None], axis=1)
        own = jnp.where(first == best, rest, -jnp.inf)
        rest = jnp.where(first == best, -jnp.inf, rest)
        highest, boards = jax.lax.top_k(own, min(size.candidate_boards, worth.shape[1]))
        found.append(Candidates(best[:, 0], boards, highest))
    return jax.tree.map(lambda *each: jnp.stack(each, axis=1), *found)


def _mean_of_next(
    rules: Rules,
    weights: Weights,
    value: BoardValue,
    root: Root,
    found: Found,
    candidates: Candidates,
) -> Float32[Array, "G N"]:
    """Place each piece that may come on the candidates' boards: what the best board then is worth, on average."""
    num_games, num_candidates, num_boards = candidates.boards.shape
    groups = (num_games, num_candidates, rules.num_pieces)
    comes, bags = _what_comes(rules, root)  # [G, K]

    def spread(field: Array) -> Array:
        """Bring what each game (and kind) has to all groups."""
        field = field[:, None] if field.ndim > 1 else field[:, None, None]
        return jnp.broadcast_to(field, groups).reshape(-1)

    kind = spread(jnp.broadcast_to(jnp.arange(rules.num_pieces, dtype=jnp.int32), comes.shape))
    left = spread(root.left - found.placed)
    nothing = jnp.full_like(kind, -1)
    begun = Root(
        stack=jnp.zeros((len(kind), rules.width), jnp.uint32),  # begun from the candidates' boards
        pieces=jnp.stack([kind] + [nothing] * beam.UNKNOWN, axis=1),
        hold=nothing,
        chain=nothing,
        combo=nothing,
        starts=(beam.entering(rules, kind, kind >= 0),),
        bag=spread(bags),
        left=left,
        steps=jnp.minimum(left, 1),
    )
    lanes = _spread_boards(found, candidates, comes)
    few = Size(width=num_boards, clear_width=0, depth=1)
    own = jax.tree.map(lambda field: jnp.repeat(field, num_candidates * rules.num_pieces, axis=0), weights)
    zeros = jnp.zeros_like(kind)
    # All known pieces are placed: none is held that could be placed instead.
    after, _ = beam.look_ahead(
        dataclasses.replace(rules, hold=False), few, own, begun, num_boards * rules.width * PLACES,
        Found(lanes, zeros, zeros, zeros), jnp.int32(0),
    )  # fmt: skip
    worth = jnp.max(ends.judge(rules, few, own, value, begun, after), axis=1)
    # Where there was a placement to make and no place for it the game is lost: what was sent is what it comes to.
    sent = jnp.where(jnp.isfinite(after.lanes.score), after.lanes.sent, -jnp.inf)
    is_lost = (after.placed == 0) & (begun.steps > 0)
    worth = jnp.where(is_lost, jnp.max(sent.reshape(len(kind), -1), axis=1), worth).reshape(groups)
    return jnp.mean(worth, axis=2, where=comes[:, None] & jnp.isfinite(worth))


def _what_comes(rules: Rules, root: Root) -> tuple[Bool[Array, "G K"], Array]:
    """Tell which kinds may come next, and what is then left in the bag, uint32[G, K]."""
    bits = np.uint32(1) << np.arange(rules.num_pieces, dtype=np.uint32)
    bag = jnp.where(root.bag == 0, np.uint32((1 << rules.num_pieces) - 1), root.bag)[:, None]
    return (bag & bits[None]) != 0, bag & ~bits[None]


def _spread_boards(found: Found, candidates: Candidates, comes: Bool[Array, "G K"]) -> Lanes:
    """Return the candidates' boards once for each piece that may come."""
    num_games, num_kinds = comes.shape
    beam_size = found.lanes.first.shape[0] // num_games
    number = candidates.boards + np.arange(num_games, dtype=np.int32)[:, None, None] * beam_size
    shape = (*number.shape[:2], num_kinds, number.shape[2])
    number = jnp.broadcast_to(number[:, :, None], shape).reshape(-1)
    exists = jnp.isfinite(candidates.worth)[:, :, None] & comes[:, None, :, None]
    lanes = jax.tree.map(lambda field: field[..., number], found.lanes)
    score = jnp.where(exists, 0.0, -jnp.inf).astype(jnp.float32).reshape(-1)
    return lanes._replace(position=jnp.zeros_like(lanes.position), score=score)
