"""`python -m tetrax.perft QUEUE`: count every sequence of placements, the standard exact test of movement."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tetrax.env.game.pieces import TETROMINOES, KickSystem
from tetrax.fields.errors import UserError, exit_code, wrong
from tetrax.system import streams
from tetrax.train.command import flags

if TYPE_CHECKING:
    from tetrax.env.game.rules import Rules

PROGRAM = "python -m tetrax.perft"
WIDTH = 10
LOWEST_SPAWN, HIGHEST_SPAWN = 4, 28  # rows that the game's rules allow
MAX_DEPTH = 12  # pieces; the counts of more are out of reach anyway


@dataclass(frozen=True)
class Options:
    """What to count."""

    depth: int | None = None
    """Pieces of the queue to place; all of them when not given."""
    kicks: KickSystem = "srs"
    """Where a rotation that does not fit is tried instead; srs180 and srs+ have half turns too."""
    spins: bool = False
    """Count the same cells once for each spin class that they can be reached with."""
    spawn_y: int = 20
    """Row in which the rotation centre of a new piece is (its column is 4)."""
    columns: str | None = None
    """The board to start on, columns from left to right as hexadecimal words, bit 0 the bottom row, with commas
    between; an empty one when not given."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, flags.field_types(Options()))
    if words.wants_help:
        description = "Count the sequences of placements of QUEUE, letters of pieces such as IOLJSZT."
        flags.print_help(Options, Options(), prog=f"{PROGRAM} QUEUE", description=description)
        return 0
    options = flags.put(Options(), words.values)
    queue = _queue(words.positionals, options)
    if not LOWEST_SPAWN <= options.spawn_y <= HIGHEST_SPAWN:
        raise wrong("--spawn-y", options.spawn_y, f"{LOWEST_SPAWN} to {HIGHEST_SPAWN}")
    columns = _columns(options)
    from tetrax.env.game.reach import counting
    from tetrax.system import compilation_cache

    if notice := compilation_cache.enable():
        print(notice, file=sys.stderr)
    height = max(column.bit_length() for column in columns)
    rules = counting.rules_for(options.kicks, options.spawn_y, height, len(queue))
    _count(rules, queue, _rows(rules, columns), options.spins)
    return 0


def _queue(positionals: Sequence[str], options: Options) -> tuple[int, ...]:
    """Return the kinds to place."""
    names = [piece.name for piece in TETROMINOES]
    if len(positionals) != 1:
        given = " and ".join(positionals) or "nothing"
        raise UserError(f"QUEUE: given {given}; allowed: one word of the letters {', '.join(names)}")
    letters = positionals[0].upper()
    if not letters or set(letters) - set(names):
        raise wrong("QUEUE", positionals[0], f"a word of the letters {', '.join(names)}")
    depth = len(letters) if options.depth is None else options.depth
    if not 1 <= depth <= min(len(letters), MAX_DEPTH):
        raise wrong("--depth", depth, f"1 to {min(len(letters), MAX_DEPTH)}, within the queue")
    return tuple(names.index(letter) for letter in letters[:depth])


def _columns(options: Options) -> list[int]:
    """Read the board to start on."""
    if options.columns is None:
        return [0] * WIDTH
    words = options.columns.split(",")
    allowed = f"{WIDTH} hexadecimal words of at most {HIGHEST_SPAWN} bits, with commas between"
    if len(words) != WIDTH or not all(re.fullmatch(r"(0[xX])?[0-9a-fA-F]{1,8}", word) for word in words):
        raise wrong("--columns", options.columns, allowed)
    columns = [int(word, 16) for word in words]
    if max(columns) >> HIGHEST_SPAWN:
        raise wrong("--columns", options.columns, allowed)
    if np.bitwise_and.reduce(columns):
        raise wrong("--columns", options.columns, "a board without full rows")
    return columns


def _rows(rules: Rules, columns: list[int]) -> np.ndarray:
    """Return the board by rows, uint32[H], bit x = column x."""
    rows = np.zeros(rules.total_height, np.uint32)
    for y in range(HIGHEST_SPAWN):
        rows[y] = sum((column >> y & 1) << x for x, column in enumerate(columns))
    return rows


def _count(rules: Rules, queue: tuple[int, ...], rows: np.ndarray, spins: bool) -> None:
    from tetrax.env.game.reach import counting
    from tetrax.env.game.state import SPINS

    started, placements = time.perf_counter(), 0
    for depth, counts in enumerate(counting.perft(rules, queue, rows, spins=spins), 1):
        placements = counts.placements
        classes = ", ".join(f"{name} {n}" for name, n in zip(SPINS, counts.by_spin, strict=False))
        apart = f" ({classes})" if spins else ""
        seconds = time.perf_counter() - started
        print(f"depth {depth}: {placements}{apart}; on {counts.boards} boards, {seconds:.1f} s", flush=True)
        streams.deliver()  # else a count that nobody reads goes on for hours
    print(placements)
    streams.deliver()


if __name__ == "__main__":
    sys.exit(main())
