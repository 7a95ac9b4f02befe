"""Recorded rounds of TETR.IO as arrays, and the engine's own course of the same games.

One record is one lock. What the records do not hold is when garbage was sent and confirmed (that went through
the network), so the packets that a lock cancels or lets in are taken from the record itself and queued just
before it: first what the attack lost to cancelling, then one packet for each run of equal holes.
"""

import functools
import gzip
import itertools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.env.game import engine, garbage
from tetrax.env.game.moves import Pose
from tetrax.env.game.reach import placements
from tetrax.env.game.rules import MULTIPLIER_ONE, RULE_PRESETS, default_params
from tetrax.env.game.state import no_inputs, select

PATH = Path(__file__).parents[2] / "data" / "tetrio_locks.jsonl.gz"
RULES = RULE_PRESETS["tetrio"]
LETTERS = [piece.name.lower() for piece in RULES.pieces]
SPINS = {"none": 0, "mini": 1, "normal": 2}
MARGIN_FRAMES = 10_800  # after three minutes an attack grows ...
GROWTH_PER_FRAME = 0.008 / 60  # ... by this share of itself (a default of the game's rooms)
MAX_PACKETS = 9
ROUNDS_AT_ONCE = 32
LOCKS_AT_ONCE = 16


def rounds(count=None):
    """Read the first `count` player-rounds: (header, records) pairs."""
    found = []
    with gzip.open(PATH, "rt") as file:
        for line in file:
            record = json.loads(line)
            if "seed" in record:
                if len(found) == count:
                    break
                found.append((record, []))
            else:
                found[-1][1].append(record)
    return found


def _packets(record):
    """What a record says of garbage, as (rows, hole): cancelled rows, then what entered."""
    cancelled = sum(record["a"]) - sum(record["o"])
    entered = [(len(list(run)), hole) for hole, run in itertools.groupby(record["g"])]
    return ([(cancelled, 0)] if cancelled else []) + entered


def _fields(record):
    """One record as numbers."""
    board = record["b"]
    rows = [int(board[i : i + 3], 16) for i in range(0, len(board), 3)]
    packets = _packets(record)
    clear = list(record["a"])
    has_perfect = record["l"] > 0 and not any(rows)
    perfect = clear.pop() if has_perfect else 0
    return {
        "kind": LETTERS.index(record["p"]),
        "orientation": record["r"],
        "x": min(x for x, _ in record["c"]),
        "y": min(y for _, y in record["c"]),
        "spin": SPINS[record["s"]],
        "multiplier": MULTIPLIER_ONE
        + int(max(record["f"] - MARGIN_FRAMES, 0) * GROWTH_PER_FRAME * MULTIPLIER_ONE),
        "lines": record["l"],
        "garbage_cleared": record["gc"],
        "combo": record["cb"],
        "back_to_back": record["bb"],
        "attack": [sum(clear), perfect],
        "sent": sum(record["o"]),
        "entered": len(record["g"]),
        "rows": rows + [0] * (RULES.total_height - len(rows)),
        "hold": -1 if record["h"] is None else LETTERS.index(record["h"]),
        "queue": [LETTERS.index(letter) for letter in record["q"]],
        "packet_rows": [rows for rows, _ in packets] + [0] * (MAX_PACKETS - len(packets)),
        "packet_hole": [hole for _, hole in packets] + [0] * (MAX_PACKETS - len(packets)),
    }


def replay(found):
    """Play recorded rounds; return by field one array per round, in the order given, an entry per lock.

    The engine plays them in groups of like length, by compiled chunks, so that little is played in vain.
    """
    by_length = sorted(range(len(found)), key=lambda index: len(found[index][1]))
    outcome = [{} for _ in found]
    for first in range(0, len(found), ROUNDS_AT_ONCE):
        group = by_length[first : first + ROUNDS_AT_ONCE]
        group += group[-1:] * (ROUNDS_AT_ONCE - len(group))
        results, ends = _play([found[index] for index in group])
        for place, index in enumerate(group):
            length = len(found[index][1])
            outcome[index] = {name: values[:length, place] for name, values in results.items()}
            outcome[index]["over_by_hold"] = ends[place]
    return outcome


def _play(group):
    """Play a group of rounds: results by field [T, B], and whether hold then ends each game."""
    chunks = -(-max(len(records) for _, records in group) // LOCKS_AT_ONCE)
    length = chunks * LOCKS_AT_ONCE
    filled = [
        [*map(_fields, records), *[_fields(records[-1])] * (length - len(records))] for _, records in group
    ]
    record = {
        name: np.array([[numbers[name] for numbers in fields] for fields in filled], np.int32).swapaxes(0, 1)
        for name in filled[0][0]
    }
    start, chunk, hold = _programs()
    states = start(jnp.array([header["seed"] for header, _ in group], jnp.uint32))
    lengths = jnp.array([len(records) for _, records in group])
    results, last = [], states
    for number in range(chunks):
        part = {name: values[number * LOCKS_AT_ONCE :][:LOCKS_AT_ONCE] for name, values in record.items()}
        states, last, result = chunk(states, last, part, lengths, jnp.int32(number * LOCKS_AT_ONCE))
        results.append(jax.tree.map(np.asarray, result))
    joined = {name: np.concatenate([result[name] for result in results]) for name in results[0]}
    return joined, np.asarray(hold(last))


@functools.lru_cache(maxsize=1)
def _programs():
    """Compile the start of games by seed, a chunk of locks, and a press of hold."""
    params = default_params(RULES).replace(garbage_delay=jnp.int32(0))

    def chunk(states, last, part, lengths, first):
        def one(carry, item):
            states, last = carry
            number, record = item
            states, result = jax.vmap(functools.partial(_lock, params))(states, record)
            ends = lengths == number + 1
            last = jax.vmap(select)(ends, states, last)
            return (states, last), result

        numbers = first + jnp.arange(LOCKS_AT_ONCE)
        (states, last), result = jax.lax.scan(one, (states, last), (numbers, part))
        return states, last, result

    def hold(state):
        _, event = engine.tick(RULES, params, state, no_inputs().replace(hold=jnp.bool_(True)))
        return event.game_over

    start = jax.vmap(lambda seed: engine.init(RULES, params, jax.random.key(seed)))
    return jax.jit(start), jax.jit(chunk), jax.jit(jax.vmap(hold))


def _lock(params, state, record):
    packets = (record["packet_rows"], record["packet_hole"])
    state, _ = jax.lax.scan(
        lambda to, packet: (garbage.receive(RULES, params, to, *packet), None), state, packets
    )
    params = params.replace(garbage_multiplier=record["multiplier"])
    before = state
    use_hold = (record["hold"] != state.hold) | (record["kind"] != state.piece)
    kind = jnp.where(use_hold, engine.incoming(RULES, state), state.piece)
    reach = placements.reachable(RULES, state).rows[use_hold.astype(jnp.int32)]  # [3, 4, H]
    row = reach[record["spin"], record["orientation"], record["y"]]
    tables = RULES.tables
    pose = Pose(
        record["orientation"],
        record["x"] - jnp.asarray(tables.left)[kind, record["orientation"]],
        record["y"] - jnp.asarray(tables.bottom)[kind, record["orientation"]],
    )
    state, event = engine.place(RULES, params, state, use_hold, pose, jnp.bool_(True), record["spin"])
    return state, {
        "piece": kind == record["kind"],
        "reachable": ((row >> record["x"].astype(jnp.uint32)) & 1) != 0,
        "hold": state.hold == record["hold"],
        "queue": jnp.all(jnp.concatenate([state.piece[None], state.queue]) == record["queue"]),
        "rows": jnp.all(state.rows == record["rows"].astype(jnp.uint32)),
        "lines": event.lines == record["lines"],
        "garbage_cleared": event.garbage_cleared == record["garbage_cleared"],
        "combo": state.combo == record["combo"],
        "back_to_back": state.back_to_back == record["back_to_back"],
        "attack": jnp.all(event.attack == record["attack"]),
        "sent": jnp.sum(event.sent) == record["sent"],
        "entered": event.garbage_received == record["entered"],
        "game_over": event.game_over,
        "goes_on": ~before.game_over,
    }
