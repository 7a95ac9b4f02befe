"""Who gets the rows that are sent: what each sends at each other, and how it comes to wait there."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Int32, PRNGKeyArray

from tetrax.env.game import garbage, randomizer
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import draw_word, once


def share_out(
    targets: str,
    sent: Int32[Array, "P"],
    stands: Bool[Array, "P"],
    luck: PRNGKeyArray,
    draw: Int32[Array, ""],
) -> Int32[Array, "P P"]:
    """Return the rows that go from each player (first axis) to each other; who has fallen neither sends nor gets any.

    `targets` is as in `VersusConfig`. A random one is draw number `draw`, below 2**31, of the sender's `luck`.
    """
    count = sent.shape[0]
    rows = []
    for sender in range(count):
        others = [(sender + ahead) % count for ahead in range(1, count)]
        reached = [stands[sender] & stands[other] for other in others]
        word = None
        if targets == "random" and count > 2:
            word = draw_word(luck[sender], draw)
        amounts = dict(zip(others, _split(targets, sent[sender], reached, word), strict=True))
        rows.append(jnp.stack([amounts.get(player, jnp.int32(0)) for player in range(count)]))
    return jnp.stack(rows)


def _split(
    targets: str, sent: Int32[Array, ""], reached: Sequence[Bool[Array, ""]], word: Array | None
) -> list[Int32[Array, ""]]:
    """Split the rows of one sender over the others, the next one first, of whom some can be reached."""
    num_reached, ranks = jnp.int32(0), []  # rank: of each among those who can be
    for is_hit in reached:
        ranks.append(num_reached)
        num_reached = num_reached + is_hit.astype(jnp.int32)
    most = jnp.maximum(num_reached, 1)
    if targets == "even":
        share, rest = sent // most, sent % most
        amounts = [share + (rank < rest).astype(jnp.int32) for rank in ranks]
    else:
        chosen = jnp.int32(0)
        if word is not None:
            chosen = randomizer.scale(word, most.astype(jnp.uint32)).astype(jnp.int32)
        amounts = [jnp.where(rank == chosen, sent, 0) for rank in ranks]
    return [jnp.where(is_hit, amount, 0) for is_hit, amount in zip(reached, amounts, strict=True)]


def deliver(
    rules: Rules,
    params: Params,
    boards: Sequence[State],
    exchanged: Int32[Array, "P P"],
    luck: PRNGKeyArray,
) -> tuple[State, ...]:
    """Let the rows that are sent at each player wait on its board, a packet of each sender, the nearest one first.

    Holes are drawn from the luck of who gets them, so that players with the same pieces have holes of their own.
    """
    after, exchanged = [], once(exchanged)
    for player, board in enumerate(boards):
        board = board.replace(garbage=once(board.garbage))
        for behind in range(1, len(boards)):
            assert board.garbage is not None
            hole = garbage.draw_hole(rules, luck[player], board.garbage.received)
            rows = exchanged[(player - behind) % len(boards), player]
            board = garbage.receive(rules, params, board, rows, hole)
        after.append(board)
    return tuple(after)
