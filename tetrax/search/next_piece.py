"""What first placements are worth when the next piece, which nobody knows yet, is whatever it may be.

The best board at the end of a search says what a first placement is worth if the game goes on to that board whatever
comes. But a player sees another piece after each placement, and may go another way then. So of a few first placements
the best boards are kept; each piece that may come is placed on them; and what the best board then is worth is averaged
over the pieces: expectimax (Michie 1966) with one node of chance behind each first placement.

Of all boards that a piece leads to as many are judged as the candidate has boards, the best by attack and linear
evaluation. Equal boards are merged in the search: of several first placements that lead to one only the first has it.

What may come is placed in the loop that places the known pieces: it takes the lanes of a game's beams, a group of them
for each piece and candidate. Most of the program is what places a piece, and so it is compiled once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32, UInt32

from tetrax.env.game.reach.flood import Start
from tetrax.env.game.rules import Rules
from tetrax.search import beam, children, ends
from tetrax.search.attack_weights import Weights
from tetrax.search.beam import Found, Root, Size
from tetrax.search.board_value import BoardValue, Position
from tetrax.search.children import Choices, Lanes, Scored

PLACES = 6  # of one piece in a column that there is room for, on average over the boards of a candidate


class Candidates(NamedTuple):
    """N first placements of each of G games, the best first, and the M best boards on ways from each."""

    first: Int32[Array, "G N"]
    boards: Int32[Array, "G N M"]  # their numbers in the game's beams
    worth: Float32[Array, "G N M"]  # the best first; -inf where there is none


class Groups(NamedTuple):
    """Lanes of a game that are taken at a time: M for each piece that may come on the boards of a candidate."""

    lanes: int  # M
    at_once: int
    rounds: int

    @classmethod
    def of(cls, rules: Rules, size: Size) -> "Groups":
        """Return as many groups as the lanes of a game's beams have room for."""
        lanes, in_all = min(size.candidate_boards, size.boards), size.candidates * rules.num_pieces
        at_once = min(size.boards // lanes, in_all)
        return cls(lanes, at_once, -(-in_all // at_once))


class Turn(NamedTuple):
    """A piece to place on each of n = G B lanes."""

    lanes: Lanes
    choices: Choices
    starts: tuple[Start, ...]
    left: Int32[Array, "G"]  # placements until the last one, this one among them
    bag: UInt32[Array, "n"]  # what is left in the bag after all known pieces, and this one


class SoFar(NamedTuple):
    """What was found of G games."""

    found: Found  # the boards after the known pieces
    worth: Float32[Array, "G B"]  # what they are worth
    candidates: Candidates
    following: Float32[
        Array, "G P"
    ]  # what each piece makes of each candidate, the pieces of the first one first


def search(
    rules: Rules, size: Size, weights: Weights, value: BoardValue, root: Root
) -> tuple[Found, Int32[Array, "D G B"], Float32[Array, "G B"]]:
    """Search as `beam.search` does, and return what its boards are worth by what may come next.

    That is what they are worth themselves, moved so that a candidate's best is worth the mean of what may follow. What
    may come next is in `root.bag`, as the "bag" randomizer has it. Boards of other first placements stay behind those
    of all candidates.
    """
    num_games, groups = root.hold.shape[0], Groups.of(rules, size)
    comes, bags = _what_comes(rules, root)

    def step(so_far: SoFar, number: Int32[Array, ""]) -> tuple[SoFar, Array]:
        is_known, found = number < size.depth, so_far.found
        pair = (number - size.depth) * groups.at_once

        def take_known() -> Turn:
            choices, starts = beam.find_choices(rules, root, found.lanes, size.boards, number)
            return Turn(found.lanes, choices, starts, root.left - number, jnp.repeat(root.bag, size.boards))

        def take_next() -> Turn:
            return _take_next(rules, size, groups, root, so_far, pair, comes, bags)

        turn = jax.lax.cond(is_known, take_known, take_next)
        scored, fade = beam.expand(rules, size, weights, turn.lanes, turn.choices, turn.starts, turn.left)
        choice = jax.lax.cond(
            is_known,
            lambda: beam.choose(size, scored),
            lambda: _choose_of_groups(rules, size, groups, scored),
        )
        placed, took = beam.place(rules, weights, turn.lanes, turn.choices, fade, scored, choice, number)
        known, took = beam.settle(root, found, scored, placed, took, number)
        fits = _fit(size, groups, turn, placed)
        after = beam.stay(is_known, known.lanes, beam.stay(fits, placed, turn.lanes))
        # Where there was a placement to make and no place for it the game is lost: what was sent is what it comes to.
        left = jnp.where(fits, jnp.repeat(turn.left - 1, size.boards), 0)
        left = jnp.where(is_known, jnp.repeat(root.left - known.placed, size.boards), left)
        position = Position(after.stack, after.hold, after.chain, after.combo, turn.bag, left)
        worth = jax.lax.cond(
            number >= size.depth - 1,
            lambda: ends.by_value(rules, weights, value, after, position),
            lambda: so_far.worth,
        )
        best = jnp.max(_by_group(groups, worth), axis=2)
        following = jax.lax.dynamic_update_slice(so_far.following, best, (0, jnp.maximum(pair, 0)))
        candidates = jax.lax.cond(
            number == size.depth - 1,
            lambda: find_candidates(size, known.lanes.first.reshape(worth.shape), worth),
            lambda: so_far.candidates,
        )
        ended = SoFar(known, worth, candidates, so_far.following)
        done = so_far._replace(following=following)
        return jax.tree.map(lambda a, b: jnp.where(is_known, a, b), ended, done), took

    begun = _begin(rules, size, groups, root)
    numbers = jnp.arange(size.depth + groups.rounds, dtype=jnp.int32)
    so_far, took = jax.lax.scan(step, begun, numbers)
    following = so_far.following[:, : size.candidates * rules.num_pieces]
    following = following.reshape(num_games, size.candidates, rules.num_pieces)
    mean = jnp.mean(following, axis=2, where=comes[:, None] & jnp.isfinite(following))
    return so_far.found, took[: size.depth], _move(root, so_far, mean)


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


def _begin(rules: Rules, size: Size, groups: Groups, root: Root) -> SoFar:
    """Begin with nothing found."""
    num_games = root.hold.shape[0]
    nothing = jnp.full((num_games, size.boards), -jnp.inf, jnp.float32)
    first = jnp.zeros((num_games, size.boards), jnp.int32)
    following = jnp.zeros((num_games, groups.rounds * groups.at_once), jnp.float32)
    return SoFar(beam.begin(size, root), nothing, find_candidates(size, first, nothing), following)


def _take_next(
    rules: Rules,
    size: Size,
    groups: Groups,
    root: Root,
    so_far: SoFar,
    pair: Int32[Array, ""],
    comes: Bool[Array, "G K"],
    bags: UInt32[Array, "G K"],
) -> Turn:
    """Bring the boards of candidates and pieces that may come on them, those from the number of a pair of both on."""
    found, candidates = so_far.found, so_far.candidates
    num_games, num_kinds = comes.shape
    pairs = pair + np.arange(groups.at_once, dtype=np.int32)
    candidate, kind = jnp.minimum(pairs // num_kinds, size.candidates - 1), pairs % num_kinds

    def by_lane(field: Array) -> Array:
        return _by_lane(size, groups, field).reshape(-1)

    number = candidates.boards + np.arange(num_games, dtype=np.int32)[:, None, None] * size.boards
    number = by_lane(number[:, candidate])
    exists = jnp.isfinite(candidates.worth[:, candidate]) & comes[:, kind][:, :, None]
    exists = by_lane(exists & (pairs < size.candidates * num_kinds)[None, :, None])
    left = root.left - found.placed
    lanes = jax.tree.map(lambda field: field[..., number], found.lanes)
    lanes = lanes._replace(
        position=jnp.zeros_like(number), score=jnp.where(exists, 0.0, -jnp.inf).astype(jnp.float32)
    )
    pieces = [by_lane(jnp.broadcast_to(kind[None], (num_games, groups.at_once)))]
    allowed = [exists & jnp.repeat(left > 0, size.boards)]
    # All known pieces are placed: none is held that could be placed instead.
    for _ in root.starts[1:]:
        pieces.append(jnp.zeros_like(number))
        allowed.append(jnp.zeros_like(exists))
    starts = [beam.entering(rules, *piece) for piece in zip(pieces, allowed, strict=True)]
    every = (len(pieces), len(number))
    choices = Choices(
        kind=jnp.stack(pieces),
        hold=jnp.broadcast_to(lanes.hold, every),
        position=jnp.ones(every, jnp.int32),
    )
    return Turn(lanes, choices, tuple(starts), left, by_lane(bags[:, kind]))


def _choose_of_groups(
    rules: Rules, size: Size, groups: Groups, scored: Scored
) -> tuple[Int32[Array, "G B"], Bool[Array, "G B"]]:
    """Choose the best placements of each group, as many as it has lanes; a group's stand one after the other."""
    num_games, num_placements = scored.score.shape
    lane, exists = children.decode(scored.step).lane, jnp.isfinite(scored.score)
    after = (np.arange(groups.at_once, dtype=np.int32) + 1) * groups.lanes
    stops = jnp.sum(
        exists[:, None] & (lane[:, None] < after[None, :, None]), axis=2, dtype=jnp.int32
    )  # [G, groups]
    begins = jnp.pad(stops[:, :-1], ((0, 0), (1, 0)))
    places = np.arange(groups.lanes * rules.width * PLACES, dtype=np.int32)
    index = begins[:, :, None] + places[None, None]
    is_there = (index < stops[:, :, None]).reshape(-1, len(places))
    index = jnp.minimum(index, num_placements - 1).reshape(num_games, -1)

    def of_groups(field: Array) -> Array:
        return jnp.take_along_axis(field, index, axis=1).reshape(-1, len(places))

    score = jnp.where(is_there, of_groups(scored.score), -jnp.inf)
    names = jnp.stack([of_groups(name) for name in scored.names])
    chosen, exist = beam.find_best(score, names, groups.lanes)
    chosen = begins[:, :, None] + chosen.reshape(*begins.shape, -1)
    return _by_lane(size, groups, chosen), _by_lane(size, groups, exist.reshape(chosen.shape))


def _fit(size: Size, groups: Groups, turn: Turn, placed: Lanes) -> Bool[Array, "n"]:
    """Tell of each lane whether its group had a placement to make and a place for it."""
    num_games = turn.left.shape[0]
    fits = jnp.any(jnp.isfinite(_by_group(groups, placed.score.reshape(num_games, -1))), axis=2)
    return _by_lane(size, groups, fits & (turn.left > 0)[:, None]).reshape(-1)


def _by_lane(size: Size, groups: Groups, field: Array) -> Array:
    """Return [G B] of what groups have, [G groups], or their lanes, [G groups M]; lanes of no group have 0."""
    field = field.reshape(*field.shape[:2], -1)
    field = jnp.broadcast_to(field, (*field.shape[:2], groups.lanes)).reshape(field.shape[0], -1)
    return jnp.pad(field, ((0, 0), (0, size.boards - field.shape[1])))


def _by_group(groups: Groups, field: Array) -> Array:
    """Return [G groups M] of [G B]."""
    used = groups.at_once * groups.lanes
    return field[:, :used].reshape(field.shape[0], groups.at_once, groups.lanes)


def _move(root: Root, so_far: SoFar, mean: Float32[Array, "G N"]) -> Float32[Array, "G B"]:
    """Return what boards are worth, moved so that each candidate's best one is worth a mean."""
    worth, candidates = so_far.worth, so_far.candidates
    first = so_far.found.lanes.first.reshape(worth.shape)
    best = candidates.worth[:, :, 0]
    exists = jnp.isfinite(best)
    change = jnp.where(exists, mean - jnp.where(exists, best, 0.0), jnp.inf)
    # The others have less than each candidate's best. Less the most that a candidate loses, they still do.
    least = jnp.min(change, axis=1, keepdims=True)
    moved = worth + jnp.where(jnp.isfinite(least), least, 0.0)
    for number in range(candidates.first.shape[1]):
        own, moves = candidates.first[:, number, None], change[:, number, None]
        moved = jnp.where((first == own) & exists[:, number, None], worth + moves, moved)
    # Where a known piece is not placed that one comes next, or nothing does.
    known = jnp.sum(root.pieces >= 0, axis=1) + (root.hold >= 0)
    return jnp.where((so_far.found.placed == known)[:, None], moved, worth)


def _what_comes(rules: Rules, root: Root) -> tuple[Bool[Array, "G K"], Array]:
    """Tell which kinds may come next, and what is then left in the bag, uint32[G, K]."""
    bits = np.uint32(1) << np.arange(rules.num_pieces, dtype=np.uint32)
    bag = jnp.where(root.bag == 0, np.uint32((1 << rules.num_pieces) - 1), root.bag)[:, None]
    return (bag & bits[None]) != 0, bag & ~bits[None]
