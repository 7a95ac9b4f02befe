"""How keys that are down become the keys of a tick: delayed auto shift (DAS), auto repeat (ARR), and several at once.

A tick is one action, so that whatever is pressed is in the recording. Within a tick the engine holds, turns, shifts and
drops, in this order. What was pressed in another order waits for the next tick, so that no piece drops before the
shift that was meant for the one after it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

LEFT, RIGHT, SOFT_DROP, HARD_DROP, HOLD = "left", "right", "soft_drop", "hard_drop", "hold"
SHIFTS = (LEFT, RIGHT)
# When in a tick the engine does it; keys of one number exclude each other.
PHASES = {HOLD: 0, "rotate_cw": 1, "rotate_ccw": 1, "rotate_180": 1, LEFT: 2, RIGHT: 2, HARD_DROP: 3}
TAP_MILLISECONDS = 100  # a key whose release nobody reports drops softly for so long


@dataclass(frozen=True)
class Handling:
    """How long a shift waits until it repeats, and how fast it repeats then."""

    delay: int  # ticks from the press to the first repeat
    interval: int  # ticks between repeats; 0 or 1 = one in every tick, which is as fast as the engine shifts
    tap: int  # ticks that a soft drop lasts whose release is not reported


@dataclass(frozen=True)
class Hands:
    """What a player's fingers do, between two ticks."""

    held: tuple[str, ...] = ()  # keys that are down, in the order of their presses
    waiting: tuple[str, ...] = ()  # presses that no tick has played yet
    shift: str = ""  # the direction that repeats: the last one pressed of those that are down
    charge: int = 0  # ticks since that direction was pressed, or was the only one again
    tapped: int = 0  # ticks that a tapped soft drop still lasts


class Chord(NamedTuple):
    """The keys of one tick."""

    keys: frozenset[str]
    presses: int  # how many of them were pressed, and not repeated or held


def handling(das: float, arr: float, ticks_per_second: int) -> Handling:
    """Return the handling for a DAS and an ARR in milliseconds, rounded to ticks."""
    delay, interval, tap = (round(ms * ticks_per_second / 1000) for ms in (das, arr, TAP_MILLISECONDS))
    return Handling(delay=delay, interval=interval, tap=tap)


def press(hands: Hands, key: str) -> Hands:
    """Put a key down; one that is down already is only repeated by the keyboard, and counts once."""
    if key in hands.held:
        return hands
    return dataclasses.replace(hands, held=(*hands.held, key), waiting=(*hands.waiting, key))


def release(hands: Hands, key: str) -> Hands:
    """Let a key go; its press is played even if no tick has passed since."""
    return dataclasses.replace(hands, held=tuple(name for name in hands.held if name != key))


def tap(how: Handling, hands: Hands, key: str) -> Hands:
    """Press and let go at once: from keyboards that report no release, whose own repeats are taps too."""
    if key == SOFT_DROP:
        waiting = hands.waiting if hands.tapped else (*hands.waiting, key)
        return dataclasses.replace(hands, waiting=waiting, tapped=how.tap)
    return release(press(release(hands, key), key), key)


def next_chord(how: Handling, hands: Hands) -> tuple[Chord, Hands]:
    """Return the keys of the next tick, and the hands after it."""
    played = _take_presses(hands.waiting)
    waiting = hands.waiting[len(played) :]
    keys = set(played)
    shift = next((key for key in reversed(hands.held) if key in SHIFTS), "")
    charge = hands.charge + 1
    if shift != hands.shift or shift in played or shift in waiting:
        charge = 0
    elif shift and not keys & {*SHIFTS} and _repeats(how, charge):
        keys.add(shift)
    if SOFT_DROP in hands.held or hands.tapped:
        keys.add(SOFT_DROP)
    after = Hands(hands.held, waiting, shift, charge, max(0, hands.tapped - 1))
    return Chord(frozenset(keys), len(played)), after


def _repeats(how: Handling, charge: int) -> bool:
    """Tell whether a shift is repeated so many ticks after its press."""
    beyond = charge - how.delay
    return beyond >= 0 and beyond % max(1, how.interval) == 0


def _take_presses(waiting: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first presses that one tick can play in their order."""
    phase = -1
    for number, key in enumerate(waiting):
        if key == SOFT_DROP:  # goes with whatever falls in the tick
            if phase == PHASES[HARD_DROP]:
                return waiting[:number]
            continue
        if PHASES[key] <= phase:
            return waiting[:number]
        phase = PHASES[key]
    return waiting
