"""Every placement on every board of a beam, one after the other: a list without gaps, gone through in tiles.

Where pieces come to rest is told by words, 4 W of them for each piece and board. The n-th bit of all of them is
found by counting: the board, then the word, then the bit. So nothing is left out, however many places a column has, and
what is computed for a placement is computed for no place where there is none.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, Int32, UInt32

from tetrax.env.game import scoring
from tetrax.env.game.reach.planes import ONE, WORD, ZERO
from tetrax.env.game.rules import Params, Rules, default_params
from tetrax.env.game.scoring import ClearScore
from tetrax.env.game.vector import once
from tetrax.search import attack_features, stacks
from tetrax.search.attack_features import Placement, Situation
from tetrax.search.attack_weights import Weights
from tetrax.search.resting import Resting

TILE = 512  # placements that are scored side by side
MOST_PLACES = 20  # resting places of one orientation in one column, at most


class Lanes(NamedTuple):
    """Boards of a beam, [..., n] each, and how they came about."""

    stack: UInt32[Array, "W n"]
    hold: Int32[Array, "n"]  # kind, -1 = none
    position: Int32[Array, "n"]  # of the active piece in the list of pieces
    chain: Int32[
        Array, "n"
    ]  # difficult clears in a row minus one; -1 = none (0 where more make no difference)
    combo: Int32[Array, "n"]  # clears in a row
    sent: Float32[Array, "n"]  # attack so far
    gained: Float32[Array, "n"]  # that, and what placements are worth besides
    score: Float32[Array, "n"]  # that and the evaluation of the board; -inf where there is no board
    first: Int32[Array, "n"]  # the first placement, as `encode` writes it


class Choices(NamedTuple):
    """What may be placed on each board: C pieces, the active one and the one that hold brings."""

    kind: Int32[Array, "C n"]
    hold: Int32[Array, "C n"]  # held after it
    position: Int32[Array, "C n"]  # of the next active piece


class Step(NamedTuple):
    """Placements, each of one shape."""

    lane: Int32[Array, "*m"]
    choice: Int32[Array, "*m"]  # 0 the active piece, 1 the one that hold brings
    orientation: Int32[Array, "*m"]
    x: Int32[Array, "*m"]
    y: Int32[Array, "*m"]
    spin: Int32[Array, "*m"]


class Scored(NamedTuple):
    """Placements of G games, M of each at most, those beyond the found ones with a score of -inf."""

    step: Int32[Array, "G M"]  # as `encode` writes it, the lane counted in its game
    score: Float32[Array, "G M"]  # attack and evaluation
    clear_score: Float32[Array, "G M"]  # the same where perfect clears are looked for
    names: UInt32[Array, "2 G M"]  # of what follows from the board: equal for equal boards
    missed: Int32[Array, "G"]  # placements that were too many for M


def encode(step: Step) -> Int32[Array, "*m"]:
    """Write a placement as one number, its lane in the highest bits."""
    number = step.lane
    for field, bits in ((step.choice, 1), (step.orientation, 2), (step.x, 5), (step.y, 5), (step.spin, 2)):
        number = (number << bits) | field
    return number


def decode(number: Int32[Array, "*m"]) -> Step:
    """Read what `encode` wrote."""
    fields = []
    for bits in (2, 5, 5, 2, 1):
        fields.append(number & ((1 << bits) - 1))
        number = number >> bits
    spin, y, x, orientation, choice = fields
    return Step(number, choice, orientation, x, y, spin)


def advance(
    rules: Rules, params: Params, lanes: Lanes, choices: Choices, weights: Weights, fade: Array, step: Step
) -> Lanes:
    """Place pieces: the boards after each step, without their score; `step.lane` is an index of all lanes.

    `weights.placement` and `fade` have the steps' shape after their own.
    """

    def take(values: Array) -> Array:
        return values.at[step.lane].get(mode="promise_in_bounds")

    def take_choice(values: Int32[Array, "C n"]) -> Array:
        found = take(values[0])
        return found if len(values) == 1 else jnp.where(step.choice == 1, take(values[1]), found)

    kind, chain_before, combo = take_choice(choices.kind), take(lanes.chain), take(lanes.combo)
    board = [take(column) for column in lanes.stack]
    board = once(stacks.put(rules, board, kind * 4 + step.orientation, step.x, step.y))
    board, lines = stacks.clear(board)
    board = once(board)
    is_perfect = (lines > 0) & (functools.reduce(jnp.bitwise_or, board) == 0)
    worth, rows = _worth(rules, params)(lines, step.spin, is_perfect, combo, chain_before)
    chain = worth.back_to_back if rules.attack == "tetrio" else jnp.minimum(worth.back_to_back, 0)
    placed = Placement(kind, step.spin, lines, is_perfect, (chain_before >= 0) & (chain < 0))
    extra = sum(
        w * feature.astype(jnp.float32)
        for w, feature in zip(
            weights.placement, attack_features.placement_features(rules, placed), strict=True
        )
    )
    return Lanes(
        stack=jnp.stack(board),
        hold=take_choice(choices.hold),
        position=take_choice(choices.position),
        chain=chain,
        combo=worth.combo + 1,
        sent=take(lanes.sent) + rows.astype(jnp.float32),
        gained=take(lanes.gained) + rows.astype(jnp.float32) + fade * extra,
        score=take(lanes.score),
        first=take(lanes.first),
    )


def _worth(rules: Rules, params: Params) -> Callable[..., tuple[ClearScore, Array]]:
    """Return what scores locks side by side, as the engine does: what they are worth, and the rows that they send."""

    def worth(
        lines: Array, spin: Array, is_perfect: Array, combo: Array, chain: Array
    ) -> tuple[ClearScore, Array]:
        score = scoring.clear_score(lines, spin, is_perfect, jnp.int32(1), combo - 1, chain)
        return score, jnp.sum(scoring.attack(rules, params, lines, spin, is_perfect, score))

    return jax.vmap(worth)


def score_all(
    rules: Rules,
    lanes: Lanes,
    choices: Choices,
    resting: Resting,
    weights: Weights,
    fade: Float32[Array, "G"],
    capacity: int,
    tile: int = TILE,
) -> Scored:
    """Score every placement on n = G B boards, some side by side; the weights are those of G games."""
    num_games, num_lanes = fade.shape[0], lanes.hold.shape[0]
    per_game, params = num_lanes // num_games, default_params(rules)
    words = _by_lane(resting.rests, num_lanes)  # [n, C 4 W]
    mini, full = _by_lane(resting.mini, num_lanes), _by_lane(resting.full, num_lanes)
    in_words = jnp.cumsum(stacks.popcount(words), axis=1)
    in_lanes = jnp.cumsum(in_words[:, -1].reshape(num_games, per_game), axis=1)
    total = in_lanes[:, -1]
    most = -(-capacity // tile)
    ends = jnp.cumsum(jnp.minimum(-(-total // tile), most))  # of each game's tiles
    size = num_games * most * tile

    def score_tile(so_far: Any) -> Any:
        number, *arrays = so_far
        game = jnp.sum((ends <= number).astype(jnp.int32))
        place = number - jnp.where(game > 0, ends[game - 1], 0)
        rank = place * tile + jnp.arange(tile, dtype=jnp.int32)
        exists = rank < total[game]
        rank = jnp.minimum(rank, total[game] - 1)
        step = _find(rules, rank, game, in_lanes, in_words, words, mini, full)
        own = jax.tree.map(lambda weight: weight[game], weights)
        after = advance(rules, params, lanes, choices, own, fade[game], step)
        found = _judge(rules, after, own, fade[game])
        names = _name(after)
        in_beam = step._replace(lane=step.lane - game * per_game)
        values = (encode(in_beam), *(jnp.where(exists, value, -jnp.inf) for value in found), *names)
        at = ((game * most + place) * tile,)
        written = [
            jax.lax.dynamic_update_slice(array, value, at)
            for array, value in zip(arrays, values, strict=True)
        ]
        return (number + 1, *written)

    nothing = jnp.full(size, -jnp.inf, jnp.float32)
    numbers, zeros = jnp.zeros(size, jnp.int32), jnp.zeros(size, jnp.uint32)
    begun = (jnp.int32(0), numbers, nothing, nothing, zeros, zeros)
    _, *arrays = jax.lax.while_loop(lambda so_far: so_far[0] < ends[-1], score_tile, begun)
    steps, score, clear_score, *names = (array.reshape(num_games, -1) for array in arrays)
    return Scored(steps, score, clear_score, jnp.stack(names), jnp.maximum(total - most * tile, 0))


def _by_lane(words: UInt32[Array, "4 W m"], num_lanes: int) -> UInt32[Array, "n p"]:
    """Bring together the words of all pieces of a board."""
    pieces = words.reshape(-1, words.shape[2] // num_lanes, num_lanes)  # [4 W, C, n]
    return jnp.transpose(pieces, (2, 1, 0)).reshape(num_lanes, -1)


def _find(
    rules: Rules,
    rank: Int32[Array, "m"],
    game: Int32[Array, ""],
    in_lanes: Int32[Array, "G B"],
    in_words: Int32[Array, "n p"],
    words: UInt32[Array, "n p"],
    mini: UInt32[Array, "n p"],
    full: UInt32[Array, "n p"],
) -> Step:
    """Find placements of a game by their number."""
    per_game, num_words = in_lanes.shape[1], words.shape[1]
    ends = in_lanes[game]
    lane = _count_up_to(rank, per_game, lambda at: ends.at[at].get(mode="promise_in_bounds"))
    rank = rank - jnp.where(lane > 0, ends.at[jnp.maximum(lane - 1, 0)].get(mode="promise_in_bounds"), 0)
    lane = lane + game * per_game
    offset, flat = lane * num_words, in_words.reshape(-1)
    number = _count_up_to(rank, num_words, lambda at: flat.at[offset + at].get(mode="promise_in_bounds"))
    earlier = flat.at[offset + jnp.maximum(number - 1, 0)].get(mode="promise_in_bounds")
    rank = rank - jnp.where(number > 0, earlier, 0)
    word, mini_word, full_word = (
        field.reshape(-1).at[offset + number].get(mode="promise_in_bounds") for field in (words, mini, full)
    )
    for skipped in range(MOST_PLACES):
        word = jnp.where(rank > skipped, word & (word - ONE), word)
    bit = word & (ZERO - word)
    y = WORD - 1 - stacks.popcount(bit - ONE)
    spin = jnp.where(full_word & bit != 0, 2, jnp.where(mini_word & bit != 0, 1, 0))
    x, pose = number % rules.width, number // rules.width
    return Step(*once((lane, pose // 4, pose % 4, x, y, spin)))


def _count_up_to(rank: Int32[Array, "m"], size: int, look_up: Callable[[Array], Array]) -> Int32[Array, "m"]:
    """Count how many of `size` growing numbers are no more than `rank`, by halving."""
    found = jnp.zeros_like(rank)
    for bit in reversed(range(size.bit_length())):
        more = found + (1 << bit)
        fits = more <= size
        found = jnp.where(fits & (look_up(jnp.minimum(more, size) - 1) <= rank), more, found)
    return found


def _judge(rules: Rules, after: Lanes, weights: Weights, fade: Float32[Array, ""]) -> tuple[Array, Array]:
    """Return the scores of boards: as a rule, and where perfect clears are looked for."""
    situation = Situation(after.chain >= 0, after.combo, after.hold)
    features = once(attack_features.board_features(rules, list(after.stack), situation))
    numbers = [feature.astype(jnp.float32) for feature in features]
    plain = sum(weights.board[i] * number for i, number in enumerate(numbers))
    more = sum(weights.towards_clear[i] * number for i, number in enumerate(numbers))
    plain, more = once((plain, more))
    score = after.gained + fade * plain
    return score, score + fade * more


def _name(after: Lanes) -> tuple[UInt32[Array, "*m"], UInt32[Array, "*m"]]:
    """Name boards by two words, equal where all is equal that decides what can follow."""
    rest = (after.hold + 1) | (after.position << 5) | (after.combo << 10) | ((after.chain + 1) << 20)
    names = []
    for seed, factor in ((0x9E3779B9, 0x85EBCA6B), (0x7F4A7C15, 0xC2B2AE35)):
        name = jnp.full_like(after.stack[0], seed)
        for word in (*after.stack, rest.astype(jnp.uint32)):
            name = (name ^ word) * np.uint32(factor)
            name = name ^ (name >> np.uint32(15))
        names.append(name)
    return names[0], names[1]
