"""Recorded rounds of two players of TETR.IO: what one sends comes to the other.

Both players of a round are in the records (tests/data/README.md), with the frame of every lock. Their locks are
played in that order; what the engine says was sent goes through versus's own exchange to the other's board. How long
it was on its way, and when it could enter, went through the network and is not recorded: so what waits stays apart
until the lock that met it, by the record, and must be there by then. Not checked: these delays, and holes, which in
the records do not follow the packets that were sent.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.game.tetrio_rounds import RULES, _fields, _lock, rounds
from tetrax.env.game import engine, garbage
from tetrax.env.game.rules import default_params
from tetrax.env.game.state import select
from tetrax.games.exchange import deliver, share_out

PAIRS = 6
CHECKED = ("piece", "hold", "queue", "rows", "lines", "combo", "back_to_back", "attack", "sent", "entered")
PARAMS = default_params(RULES).replace(garbage_delay=jnp.int32(0))


def pair_up(found):
    """Return the rounds by twos, both of the same file, number and seed."""
    pairs = list(zip(found[::2], found[1::2], strict=True))
    for (first, _), (second, _) in pairs:
        assert all(first[name] == second[name] for name in ("file", "round", "seed"))
        assert first["user"] != second["user"]
    return pairs


def merge(pair, length):
    """Return the locks of both players in the order of their frames, as arrays [T]; player -1 is none."""
    locks = [
        (record["f"], player, number, _fields(record) | {"player": player, "met": met(record)})
        for player, (_, records) in enumerate(pair)
        for number, record in enumerate(records)
    ]
    fields = [lock[3] for lock in sorted(locks, key=lambda lock: lock[:3])]
    fields += [fields[-1] | {"player": -1}] * (length - len(fields))
    return {name: np.array([each[name] for each in fields], np.int32) for name in fields[0]}


def met(record):
    """Return the rows of the other's that a lock met: those that it cancelled, and those that entered."""
    return sum(record["a"]) - sum(record["o"]) + len(record["g"])


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, 0))
def play(seed, locks):
    """Play a round; return what agrees at each lock, and what has been sent and not been met at the end."""
    key = jax.random.key(seed)
    board = engine.init(RULES, PARAMS, key)
    luck, both = jax.random.split(key, 2), jnp.ones(2, bool)

    def one(carry, record):
        boards, ways = carry
        player, is_lock = record["player"], record["player"] >= 0
        is_first = player == 0
        here, on_its_way = select(is_first, (boards[0], ways[0]), (boards[1], ways[1]))
        waiting, missing = garbage.cancel(on_its_way.garbage, jnp.stack([record["met"], jnp.int32(0)]))
        on_its_way = on_its_way.replace(garbage=waiting)
        here, agrees = _lock(PARAMS, here, record)
        agrees = {name: agrees[name] for name in CHECKED} | {"was sent before": jnp.sum(missing) == 0}
        sent = jnp.where(jnp.arange(2) == player, record["sent"], 0)  # which `agrees` holds the engine's to
        after = (select(is_first, here, boards[0]), select(is_first, boards[1], here))
        ways = (select(is_first, on_its_way, ways[0]), select(is_first, ways[1], on_its_way))
        exchanged = share_out("next", sent, both, luck, jnp.int32(0))
        ways = deliver(RULES, PARAMS, ways, exchanged, luck)
        return select(is_lock, (after, ways), carry), agrees

    (_, ways), agrees = jax.lax.scan(one, ((board, board), (board, board)), locks)
    return agrees, jnp.stack([jnp.sum(way.garbage.rows) for way in ways])


@pytest.mark.slow
def test_what_one_sends_comes_to_the_other():
    pairs = pair_up(rounds(2 * PAIRS))
    lengths = [sum(len(records) for _, records in pair) for pair in pairs]
    merged = [merge(pair, max(lengths)) for pair in pairs]
    locks = {name: np.stack([each[name] for each in merged]) for name in merged[0]}
    seeds = jnp.array([pair[0][0]["seed"] for pair in pairs], jnp.uint32)
    agrees, left = jax.device_get(play(seeds, locks))
    for number, (pair, length) in enumerate(zip(pairs, lengths, strict=True)):
        for name, values in agrees.items():
            assert values[number, :length].all(), (pair[0][0]["file"], pair[0][0]["round"], name)
        for player in (0, 1):
            sent = sum(sum(record["o"]) for record in pair[1 - player][1])
            assert left[number, player] == sent - sum(met(record) for record in pair[player][1])
    assert sum(lengths) > 500
