"""The caption of a step: what happened, in words for people: "T-spin double · back-to-back · +1,200"."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tetrax.env.game.rules import Rules
from tetrax.env.game.state import GAME_OVER_REASONS, LOCK_REASONS, SPINS, Event

LINE_NAMES = ("", "single", "double", "triple", "quadruple")
SEPARATOR = " · "


class Happening(NamedTuple):
    """The fields of one Event that a sentence needs, as Python numbers."""

    locked: bool
    lock_reason: int
    lines: int
    spin: int
    combo: int
    back_to_back: bool
    perfect_clear: bool
    score: int
    attack: list[int]
    garbage_received: int
    hold_refused: bool
    life_lost: bool
    game_over: int


def read_happenings(events: Event) -> list[Happening]:
    """Copy events with a leading time axis to the host."""
    columns = [np.asarray(getattr(events, name)).tolist() for name in Happening._fields]
    return [Happening(*values) for values in zip(*columns, strict=True)]


def tell(rules: Rules, happening: Happening, kind: int, *, over: bool) -> str:
    """Say what happened; "" when nothing worth a word did.

    `kind` is the piece that locked (-1 = none), `over` whether the game ended with this step.
    """
    words = []
    if happening.locked:
        words += _tell_lock(rules, happening, kind)
    if happening.hold_refused:
        words.append("hold refused")
    if happening.garbage_received:
        words.append(f"{_count(happening.garbage_received, 'garbage row')} entered")
    if happening.life_lost:
        reason = GAME_OVER_REASONS[happening.game_over].replace("_", "-")
        words.append(f"{'game over' if over else 'life lost'}: {reason}")
    return SEPARATOR.join(words)


def is_highlight(happening: Happening) -> bool:
    """Whether a player would want to find this step again: a spin or four lines, a perfect clear, a loss."""
    spin = happening.locked and happening.spin > 0 and happening.lines > 0
    return spin or happening.lines >= 4 or happening.perfect_clear or happening.life_lost


def _tell_lock(rules: Rules, happening: Happening, kind: int) -> list[str]:
    """Words for a lock and what it cleared."""
    name = rules.pieces[kind].name if 0 <= kind < rules.num_pieces else "piece"
    if happening.spin:
        mini = " mini" if SPINS[happening.spin] == "mini" else ""
        words = [f"{name}-spin{mini} {_line_name(happening.lines)}".rstrip()]
    elif happening.lines:
        words = [_count(happening.lines, "line")]
    else:
        reason = LOCK_REASONS[happening.lock_reason].replace("_", " ")
        words = [f"{name} {reason}" if reason == "placed" else f"{name} locked by {reason}"]
    if happening.back_to_back:
        words.append("back-to-back")
    if happening.combo > 0:
        words.append(f"combo {happening.combo}")
    if happening.perfect_clear:
        words.append("perfect clear")
    if happening.score:
        words.append(f"+{happening.score:,}")
    if sum(happening.attack):
        words.append(f"attack {sum(happening.attack)}")
    return words


def _line_name(lines: int) -> str:
    return LINE_NAMES[lines] if lines < len(LINE_NAMES) else _count(lines, "line")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("s" if number != 1 else "")
