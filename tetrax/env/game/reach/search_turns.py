"""How pieces turn, for the search of `search`: which kinds turn alike, and what a turn does to columns of poses."""

import functools
from typing import NamedTuple

import numpy as np

from tetrax.env.game.pieces import NUM_ORIENTATIONS, TURNS
from tetrax.env.game.rules import Rules


class Turn(NamedTuple):
    """The kick tests that lead to one orientation from one or more others, which the same tests are made for."""

    before: tuple[int, ...]  # orientations
    after: int
    tests: tuple[tuple[tuple[int, int], ...], ...]  # for each test and each orientation before how far the
    # lower-left corner of the piece's bounding box moves, (dx, dy); of tests alike only the first


class Group(NamedTuple):
    """Kinds that turn alike."""

    kinds: tuple[int, ...]
    turns: tuple[Turn, ...]
    bottom: tuple[int, ...]  # row of the box of the lowest cell, by orientation
    left: tuple[int, ...]  # column of the box of the leftmost cell
    is_connected: bool  # from any pose over open ground every other of the same height can be reached
    rises: bool  # over open ground a turn may lead upwards


@functools.lru_cache(maxsize=64)
def groups_of(rules: Rules) -> tuple[Group, ...]:
    """Return the kinds in groups that turn alike."""
    tables = rules.tables
    members: dict[bytes, list[int]] = {}
    for k in range(rules.num_pieces):
        same = (tables.kicks[k], tables.left[k], tables.bottom[k], tables.width[k])
        members.setdefault(b"".join(part.tobytes() for part in same), []).append(k)
    groups = []
    for kinds in members.values():
        k = kinds[0]
        turns = _turns(rules, k)
        left, bottom = tuple(tables.left[k].tolist()), tuple(tables.bottom[k].tolist())
        groups.append(Group(tuple(kinds), turns, bottom, left, *_over_open_ground(rules, k, turns)))
    return tuple(groups)


def spreads(rules: Rules) -> np.ndarray:
    """Tell which kinds reach, over open ground, every pose of one height from every other, bool[K]."""
    connected = np.zeros(rules.num_pieces, bool)
    for group in groups_of(rules):
        connected[list(group.kinds)] = group.is_connected
    return connected


def _turns(rules: Rules, kind: int) -> tuple[Turn, ...]:
    """Return a kind's turns, those together that lead to one orientation by the same tests."""
    tables = rules.tables
    alike: dict[tuple[int, bytes], list[int]] = {}
    for u, turn in enumerate(TURNS[rules.kicks]):
        for o in range(NUM_ORIENTATIONS):
            name = (o + turn) % NUM_ORIENTATIONS, tables.kicks[kind, o, u].tobytes()
            alike.setdefault(name, []).append(o)
    corner = np.stack([tables.left[kind], tables.bottom[kind]], axis=1)  # [4, 2] in the piece's own box
    turns = []
    for (after, kicks), before in alike.items():
        tests = dict.fromkeys(map(tuple, np.frombuffer(kicks, np.int32).reshape(-1, 2).tolist()))
        moves = [[tuple((corner[after] - corner[o] + test).tolist()) for o in before] for test in tests]
        turns.append(Turn(tuple(before), after, tuple(map(tuple, moves))))
    return tuple(turns)


def _over_open_ground(rules: Rules, kind: int, turns: tuple[Turn, ...]) -> tuple[bool, bool]:
    """Tell whether all poses of one height are connected where only walls are in the way, and whether a turn rises."""
    tables = rules.tables
    bottom = tables.bottom[kind]
    places = {(o, x) for o in range(NUM_ORIENTATIONS) for x in range(rules.width + 1 - tables.width[kind, o])}
    leads = {(o, x): {(o, x + 1), (o, x - 1)} & places for o, x in places}
    rises = False
    sources = [(turn, i, o) for turn in turns for i, o in enumerate(turn.before)]
    for turn, i, o in sources:
        for x in [x for orientation, x in places if orientation == o]:
            ends = [(x + test[i][0], test[i][1]) for test in turn.tests]
            fitting = [end for end in ends if (turn.after, end[0]) in places]
            if fitting:
                rise = fitting[0][1] - (bottom[turn.after] - bottom[o])  # of the box
                rises |= bool(rise > 0)
                leads[o, x] |= {(turn.after, fitting[0][0])} if rise == 0 else set()

    def all_from(place: tuple[int, int]) -> bool:
        found, waiting = {place}, [place]
        while waiting:
            new = leads[waiting.pop()] - found
            found |= new
            waiting += new
        return found == places

    return all(map(all_from, places)), rises
