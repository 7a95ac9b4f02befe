"""Who gets the rows that are sent: what each sends at each other, and how it comes to wait there."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, PRNGKeyArray

from tetrax.env.game import garbage, randomizer
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import draw_word

PLAYERS = -1  # axis of the players in every leaf of the boards of a game, as of the games in a batch


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
    others = range(1, sent.shape[0])
    reached = [
        stands & jnp.roll(stands, -ahead) for ahead in others
    ]  # whether who is so far ahead can be hit
    before, rank = jnp.zeros_like(sent), []  # of each among those who can
    for is_hit in reached:
        rank.append(before)
        before = before + is_hit.astype(jnp.int32)
    count = jnp.maximum(before, 1)
    if targets == "even":
        amounts = [sent // count + (place < sent % count).astype(jnp.int32) for place in rank]
    else:
        chosen = jnp.zeros_like(sent)
        if targets == "random" and len(rank) > 1:
            words = jax.vmap(draw_word, in_axes=(0, None))(luck, draw)
            chosen = randomizer.scale(words, count.astype(jnp.uint32)).astype(jnp.int32)
        amounts = [jnp.where(place == chosen, sent, 0) for place in rank]
    found = [jnp.where(hit, amount, 0) for hit, amount in zip(reached, amounts, strict=True)]
    by_distance = jnp.stack([jnp.zeros_like(sent), *found], axis=1)  # [P, seats ahead]
    return jnp.stack([jnp.roll(row, p) for p, row in enumerate(by_distance)])


def deliver(
    rules: Rules, params: Params, boards: State, exchanged: Int32[Array, "P P"], luck: PRNGKeyArray
) -> State:
    """Let the rows that are sent at each player wait on its board, a packet of each sender, the nearest one first.

    Holes are drawn from the luck of who gets them, so that players with the same pieces have holes of their own.
    """
    num_players = exchanged.shape[0]
    seat = np.arange(num_players)

    def receive(board: State, rows: Int32[Array, ""], key: PRNGKeyArray) -> State:
        assert board.garbage is not None
        hole = garbage.draw_hole(rules, key, board.garbage.received)
        return garbage.receive(rules, params, board, rows, hole)

    for behind in range(1, num_players):
        rows = exchanged[(seat - behind) % num_players, seat]
        boards = jax.vmap(receive, in_axes=(PLAYERS, 0, 0), out_axes=PLAYERS)(boards, rows, luck)
    return boards
