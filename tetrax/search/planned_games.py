"""Games played by the beam search, many at once, and what they say of the boards at the end of each search.

A placement is made with an end in view, a board after which nothing is known of what comes. What that board is worth
is what came of having it in view: the rows that were really sent since, and what the search a few placements later
holds of the rest, less the rows on the way to it. What is seen meanwhile was hidden when the board was chosen, so that
it is not held to be worth too much; and that better ends may come in view counts.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.game import randomizer
from tetrax.env.game.randomizer import Source
from tetrax.env.game.rules import Rules
from tetrax.search import beam, decisions
from tetrax.search.attack_weights import Weights
from tetrax.search.beam import Root, Size
from tetrax.search.board_value import BoardValue, Position


class Player(NamedTuple):
    """Who plays."""

    rules: Rules
    size: Size
    placements: int  # of a game
    weights: Weights  # of G games
    value: BoardValue
    exploring: Array  # share of placements made with another end in view than the best
    temperature: Array  # rows by which an end is worse that is drawn e times less often


class Move(NamedTuple):
    """A placement in each game, and the ends of the search before it; [T, G] each."""

    view: Position  # the end in view: the best after the placement that was made
    on_way: Float32[Array, "T G"]  # rows on the way there
    best: Position  # the best end of all
    to_best: Float32[Array, "T G"]  # rows on the way there
    sent: Float32[Array, "T G"]  # rows that the placement sent
    lost: Bool[Array, "T G"]  # nothing could be placed any more; the game begins anew
    ended: Bool[Array, "T G"]  # by that, or by its last placement


class Judged(NamedTuple):
    """Ends that were in view, and what came of them: [T, G] each."""

    view: Position
    sent: Float32[Array, "T G"]  # rows since then, less those on the way to it
    after: Position  # the best end of a later search; what it is worth is to be added
    lost: Bool[Array, "T G"]  # nothing is to be added


def begin(rules: Rules, placements: int, late: Int32[Array, "G"], key: PRNGKeyArray) -> Root:
    """Begin games on empty boards as if so many pieces were placed already."""
    order_key, deal_key = jax.random.split(key)
    num, kinds = late.shape[0], rules.num_pieces
    order = jnp.argsort(jax.random.uniform(order_key, (num, kinds), jnp.float32), axis=1)
    is_left = jnp.arange(kinds)[None] >= (late % kinds)[:, None]
    bits = jnp.uint32(1) << order.astype(jnp.uint32)
    bag = jnp.sum(jnp.where(is_left, bits, jnp.uint32(0)), axis=1, dtype=jnp.uint32)

    def deal(bag: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        pieces, left = [], Source(bag, None)
        for number in range(rules.preview + 2):
            kind, left = randomizer.next_piece(rules, key, jnp.int32(number), left)
            pieces.append(kind)
        return jnp.stack(pieces), left.bag

    dealt, bag = jax.vmap(deal)(bag, jax.random.split(deal_key, num))
    zeros = jnp.zeros(num, jnp.int32)
    stack = jnp.zeros((rules.width, num), jnp.uint32)
    # The first piece is held: so it can be placed before or after the others, as where nothing is held yet.
    position = Position(stack, dealt[:, 0], zeros - 1, zeros, bag, placements - late)
    return _root(rules, position, dealt[:, 1:])


def play(player: Player, root: Root, moves: int, key: PRNGKeyArray) -> tuple[Root, Move]:
    """Make so many placements in each game; games that end begin anew."""
    step = functools.partial(_move, player)
    return jax.lax.scan(step, root, jax.random.split(key, moves))


def judge(moves: Move, steps: int) -> Judged:
    """Tell what came of every end in view but the last ones, within so many placements."""
    num = moves.sent.shape[0]
    ends, sent, lost = [], [], []
    for first in range(num - 1):
        last = min(first + steps, num - 1)
        gained, goes_on = -moves.on_way[first], ~moves.lost[first]
        for number in range(first, last):
            gained = gained + jnp.where(goes_on, moves.sent[number], 0.0)
            goes_on = goes_on & ~moves.lost[number + 1]
        ends.append(last)
        sent.append(gained + jnp.where(goes_on, moves.to_best[last], 0.0))
        lost.append(~goes_on)

    def take(field: Array) -> Array:
        return field[jnp.asarray(ends)]

    view = jax.tree.map(lambda field: field[: num - 1], moves.view)
    # Where a game was over in between, the search before already saw its end: there the value is none anyway.
    return Judged(view, jnp.stack(sent), jax.tree.map(take, moves.best), jnp.stack(lost))


def _move(player: Player, root: Root, key: PRNGKeyArray) -> tuple[Root, Move]:
    """Make one placement in each game, and let one more piece be seen."""
    noise_key, explore_key, draw_key, late_key, begin_key = jax.random.split(key, 5)
    rules, num = player.rules, root.left.shape[0]
    found = beam.search(rules, player.size, player.weights, root)
    worth = decisions.judge(rules, player.size, player.weights, player.value, root, found)
    noise = player.temperature * jax.random.gumbel(noise_key, worth.shape, jnp.float32)
    explores = jax.random.uniform(explore_key, (num,), jnp.float32) < player.exploring
    first = found.lanes.first.reshape(worth.shape)
    best = jnp.argmax(worth, axis=1)
    drawn = jnp.where(explores, jnp.argmax(worth + noise, axis=1), best)
    made = jnp.take_along_axis(first, drawn[:, None], axis=1)
    view = jnp.argmax(jnp.where(first == made, worth, -jnp.inf), axis=1)
    ends = decisions.positions(player.size, root, found)
    offset = jnp.arange(num, dtype=jnp.int32) * worth.shape[1]

    def take(number: Int32[Array, "G"]) -> tuple[Position, Array]:
        # Boards in front of what each has, as they are kept.
        at = offset + number
        taken = jax.tree.map(lambda field: field[..., at], ends)
        return taken._replace(stack=taken.stack.T), found.lanes.sent[at]

    (view_end, on_way), (best_end, to_best) = take(view), take(best)
    after = beam.follow(rules, player.weights, root, made[:, 0])
    lost = found.placed == 0
    ended = lost | (root.left <= 1)
    late = jax.random.randint(late_key, (num,), 0, min(rules.num_pieces, player.placements))
    following = _let_see(rules, root, after, draw_key)
    new = begin(rules, player.placements, late, begin_key)

    def pick(fresh: Array, on: Array) -> Array:
        return jnp.where(ended.reshape(-1, *[1] * (on.ndim - 1)), fresh, on)

    move = Move(view_end, on_way, best_end, to_best, jnp.where(lost, 0.0, after.sent), lost, ended)
    return jax.tree.map(pick, new, following), move


def _let_see(rules: Rules, root: Root, after: beam.Lanes, key: PRNGKeyArray) -> Root:
    """Return the games after a placement, with one more piece that is seen."""

    def draw(bag: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        kind, left = randomizer.next_piece(rules, key, jnp.int32(0), Source(bag, None))
        return kind, left.bag

    seen, bag = jax.vmap(draw)(root.bag, jax.random.split(key, root.left.shape[0]))
    pieces = jnp.concatenate([root.pieces[:, 1 : rules.preview + 1], seen[:, None]], axis=1)
    position = Position(after.stack, after.hold, after.chain, after.combo, bag, root.left - 1)
    return _root(rules, position, pieces)


def _root(rules: Rules, position: Position, pieces: Int32[Array, "G S"]) -> Root:
    """Return what is known of games whose pieces stand where they enter."""
    allowed = jnp.ones_like(position.left, bool)
    unknown = jnp.full((pieces.shape[0], beam.UNKNOWN), -1, jnp.int32)
    return Root(
        stack=position.stack.T,
        pieces=jnp.concatenate([pieces, unknown], axis=1),
        hold=position.hold,
        chain=position.chain,
        combo=position.combo,
        starts=tuple(beam.entering(rules, kind, allowed) for kind in (pieces[:, 0], position.hold)),
        bag=position.bag,
        left=position.left,
        steps=jnp.minimum(position.left, rules.preview + 2),
    )
