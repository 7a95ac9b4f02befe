"""Games that begin where a search could see no further, many at once: what a value of boards is learned from.

From a board after which nothing is known of what comes, the next pieces are drawn, and a search is followed to its end:
another such board. So each board is judged by pieces that nobody knew when it was chosen, and the next one is one of
those that a search compares.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.game import randomizer
from tetrax.env.game.randomizer import Source
from tetrax.env.game.rules import Rules
from tetrax.search import beam, ends
from tetrax.search.attack_weights import Weights
from tetrax.search.beam import Root, Size
from tetrax.search.board_value import BoardValue, Position


class Player(NamedTuple):
    """Who plays: static sizes, weights of each of G games, one value."""

    rules: Rules
    size: Size
    weights: Weights
    value: BoardValue


class Stretch(NamedTuple):
    """What came of G games from one board with an open future to the next."""

    sent: Float32[Array, "G"]  # rows on the way to the best board
    best: Position  # where the last search ended best
    lost: Bool[Array, "G"]  # no piece could be placed any more
    sent_on: Float32[Array, "G"]  # rows on the way to where the game goes on
    on: Position  # the same, or, where it explores, one that was drawn


def begin(rules: Rules, placements: int, key: PRNGKeyArray, num: int) -> Position:
    """Return empty boards of games from which up to a bag of pieces are gone, so that bags begin at every number."""
    late_key, order_key = jax.random.split(key)
    late = jax.random.randint(late_key, (num,), 0, min(rules.num_pieces, placements))
    order = jnp.argsort(jax.random.uniform(order_key, (num, rules.num_pieces)), axis=1)
    is_left = jnp.arange(rules.num_pieces)[None] >= late[:, None]
    bits = jnp.uint32(1) << order.astype(jnp.uint32)
    zeros = jnp.zeros(num, jnp.int32)
    return Position(
        stack=jnp.zeros((rules.width, num), jnp.uint32),
        hold=zeros - 1,
        chain=zeros - 1,
        combo=zeros,
        bag=jnp.sum(jnp.where(is_left, bits, jnp.uint32(0)), axis=1, dtype=jnp.uint32),
        left=placements - late,
    )


def deal(rules: Rules, depth: int, position: Position, key: PRNGKeyArray) -> Root:
    """Draw the pieces that are seen next.

    Where nothing is held the next piece is: held or not, it can be placed before or after the one that follows.
    """

    def draw(bag: Array, hold: Array, key: PRNGKeyArray) -> tuple[Array, Array, Array]:
        left = Source(bag, None)
        if rules.hold:
            first, after = randomizer.next_piece(rules, key, jnp.int32(0), left)
            left = Source(jnp.where(hold < 0, after.bag, bag), None)
            hold = jnp.where(hold < 0, first, hold)
        kinds = []
        for number in range(1, rules.preview + 2):
            kind, left = randomizer.next_piece(rules, key, jnp.int32(number), left)
            kinds.append(kind)
        return jnp.stack(kinds + [jnp.int32(-1)] * beam.UNKNOWN), hold, left.bag

    keys = jax.random.split(key, position.left.shape[0])
    pieces, hold, bag = jax.vmap(draw)(position.bag, position.hold, keys)
    return _root(rules, depth, position._replace(hold=hold, bag=bag), pieces)


def play(
    player: Player, position: Position, temperature: Array, exploring: Array, key: PRNGKeyArray
) -> Stretch:
    """Search from each board, and follow the search to its end.

    `exploring` is the share of games that go on from a board drawn by its worth over `temperature`, in rows.
    """
    deal_key, noise_key, explore_key = jax.random.split(key, 3)
    num = position.left.shape[0]
    root = deal(player.rules, player.size.depth, position, deal_key)
    found, _ = beam.search(player.rules, player.size, player.weights, root)
    worth = ends.judge(player.rules, player.size, player.weights, player.value, root, found)
    best = jnp.argmax(worth, axis=1)
    noise = temperature * jax.random.gumbel(noise_key, worth.shape, jnp.float32)
    explores = jax.random.uniform(explore_key, (num,), jnp.float32) < exploring
    chosen = jnp.where(explores, jnp.argmax(worth + noise, axis=1), best)
    at_end = ends.positions(player.size, root, found)
    offset = jnp.arange(num, dtype=jnp.int32) * worth.shape[1]

    def take(number: Int32[Array, "G"]) -> tuple[Position, Array]:
        at = offset + number
        return jax.tree.map(lambda field: field[..., at], at_end), found.lanes.sent[at]

    (best_end, sent), (on, sent_on) = take(best), take(chosen)
    return Stretch(sent=sent, best=best_end, lost=found.placed == 0, sent_on=sent_on, on=on)


def _root(rules: Rules, depth: int, position: Position, pieces: Int32[Array, "G S"]) -> Root:
    """Return what is known of games whose pieces stand where they enter."""
    allowed = jnp.ones_like(position.left, bool)
    kinds = (pieces[:, 0], position.hold)[: 2 if rules.hold else 1]
    return Root(
        stack=position.stack.T,
        pieces=pieces,
        hold=position.hold,
        chain=position.chain,
        combo=position.combo,
        starts=tuple(beam.entering(rules, kind, allowed) for kind in kinds),
        bag=position.bag,
        left=position.left,
        steps=jnp.minimum(position.left, depth),
    )
