"""What a game is: `Rules` decide what is compiled, `Params` are numbers that may change.

Sources: Tetris Design Guideline (2009) as quoted by public implementations, for every default.
"""

import difflib
import functools
import math
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from tetrax.env.game.pieces import DOMINOES, MAX_BOX, TETROMINOES, Piece, PieceTables, piece_tables

GRAVITY_ONE = 1 << 16  # fixed point: one cell
MAX_GRAVITY_LEVEL = 20  # the speed curve stops here; its base turns negative at level 116
LOCK_DELAY_SECONDS = 0.5
LOCK_RESETS = 15  # moves and rotations that restart the lock delay ("extended placement")
SOFT_DROP_FACTOR = 20  # times the speed of gravity
LINES_PER_LEVEL = 10


@dataclass(frozen=True)
class Rules:
    """The rules of a game: static, hashable; another value means another compiled program."""

    width: int = 10
    """Columns of the matrix (cells, 1 to 22)."""
    height: int = 20
    """Visible rows of the matrix (cells, 2 to 28)."""
    buffer: int = 20
    """Hidden rows above the visible ones (cells, 4 or more)."""
    pieces: tuple[Piece, ...] = TETROMINOES
    """The piece kinds, as drawings."""
    randomizer: Literal["bag", "uniform"] = "bag"
    """How the next piece is drawn: from a bag of one of each kind, or each kind alike."""
    kicks: Literal["srs", "none"] = "srs"
    """Where a rotation that does not fit is tried instead."""
    hold: bool = True
    """Whether a piece may be held (once per lock)."""
    preview: int = 5
    """How many coming pieces are visible (0 to 6)."""
    gravity: Literal["level", "fixed"] = "level"
    """Whether pieces fall by the level's speed or by `params.gravity`."""
    ticks_per_second: int = 10
    """Ticks (inputs) in one second of the game: 10 for agents, 60 for people."""
    lock: Literal["extended", "infinite", "classic"] = "extended"
    """What restarts the lock delay: 15 moves, every move, or only falling to a new lowest row."""
    spawn_drop: bool = True
    """Whether a new piece falls one row at once if that row is free."""

    def __post_init__(self) -> None:
        _check_range("rules.width", self.width, 1, 22)
        _check_range("rules.height", self.height, 2, 28)
        _check_range("rules.buffer", self.buffer, MAX_BOX, 60)
        _check_range("rules.preview", self.preview, 0, 6)
        _check_range("rules.ticks_per_second", self.ticks_per_second, 1, 1000)
        check_choice("rules.randomizer", self.randomizer, ("bag", "uniform"))
        check_choice("rules.kicks", self.kicks, ("srs", "none"))
        check_choice("rules.gravity", self.gravity, ("level", "fixed"))
        check_choice("rules.lock", self.lock, ("extended", "infinite", "classic"))
        _check_pieces(self)

    @property
    def total_height(self) -> int:
        """Rows of the matrix with its buffer (H)."""
        return self.height + self.buffer

    @property
    def num_pieces(self) -> int:
        """Piece kinds (K)."""
        return len(self.pieces)

    @property
    def tables(self) -> PieceTables:
        """Look-up tables of the piece set."""
        return _tables(self.pieces, self.kicks)

    @property
    def spawn_x(self) -> np.ndarray:
        """Column of the box's left side at spawn, int32[K]: centred, rounded to the left."""
        return (self.width - self.tables.box) // 2

    @property
    def spawn_y(self) -> np.ndarray:
        """Row of the box's lower side at spawn, int32[K]: the lowest cell is in row `height`."""
        return self.height - self.tables.bottom[:, 0]


class Params(struct.PyTreeNode):
    """Numbers of a game that may change without recompiling, and may be vmapped."""

    start_level: Array  # int32[], level before the first line (1 or more)
    gravity: Array  # int32[], 1/65536 cells per tick, used when rules.gravity == "fixed"
    soft_drop_factor: Array  # int32[], times the speed of gravity
    lock_delay: Array  # int32[], ticks a piece may rest before it locks
    lock_resets: Array  # int32[], restarts of the lock delay until a new lowest row is reached


def default_params(rules: Rules) -> Params:
    """Return the guideline's numbers at the pace of `rules.ticks_per_second`."""
    lock_delay = max(1, math.ceil(LOCK_DELAY_SECONDS * rules.ticks_per_second))
    return Params(
        start_level=jnp.int32(1),
        gravity=jnp.int32(gravity_by_level(rules)[1]),
        soft_drop_factor=jnp.int32(SOFT_DROP_FACTOR),
        lock_delay=jnp.int32(lock_delay),
        lock_resets=jnp.int32(LOCK_RESETS),
    )


def gravity_by_level(rules: Rules) -> np.ndarray:
    """Gravity in 1/65536 cells per tick, rounded up, int32[21], indexed by level (0 as 1).

    A row takes (0.8 - (L-1) 0.007)^(L-1) seconds at level L (guideline, marathon speed curve).
    """
    levels = np.clip(np.arange(MAX_GRAVITY_LEVEL + 1), 1, None) - 1
    seconds_per_row = (0.8 - levels * 0.007) ** levels
    return np.ceil(GRAVITY_ONE / seconds_per_row / rules.ticks_per_second).astype(np.int32)


@functools.lru_cache(maxsize=64)
def _tables(pieces: tuple[Piece, ...], kicks: Literal["srs", "none"]) -> PieceTables:
    return piece_tables(pieces, kicks)


def check_choice(name: str, given: object, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError that names the field, what was given, what is allowed and the nearest."""
    if given in allowed:
        return
    near = difflib.get_close_matches(str(given), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name}: given {given!r}; allowed: {', '.join(allowed)}{hint}")


def _check_range(name: str, given: int, low: int, high: int) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise ValueError(f"{name}: given {given!r}; allowed: a whole number from {low} to {high}")


def _check_pieces(rules: Rules) -> None:
    if not 1 <= len(rules.pieces) <= 16:
        raise ValueError(f"rules.pieces: given {len(rules.pieces)} pieces; allowed: 1 to 16")
    names = [piece.name for piece in rules.pieces]
    if len(set(names)) < len(names):
        raise ValueError(f"rules.pieces: given names {names}; allowed: each name once")
    for piece in rules.pieces:
        _check_piece(piece)
        side = len(piece.drawing)
        if side > rules.width:
            raise ValueError(
                f"rules.width: given {rules.width}; allowed: {side} or more, "
                f"the side of the box of piece {piece.name!r}"
            )
        if side > rules.height:
            raise ValueError(
                f"rules.height: given {rules.height}; allowed: {side} or more, "
                f"the side of the box of piece {piece.name!r}"
            )


def _check_piece(piece: Piece) -> None:
    side, marks = len(piece.drawing), "".join(piece.drawing)
    if not 1 <= side <= MAX_BOX or any(len(row) != side for row in piece.drawing):
        raise ValueError(
            f"rules.pieces: piece {piece.name!r} is drawn as {piece.drawing}; "
            f"allowed: a square of 1 to {MAX_BOX} rows"
        )
    if set(marks) - set("#.") or "#" not in marks:
        raise ValueError(
            f"rules.pieces: piece {piece.name!r} is drawn with {sorted(set(marks))}; "
            "allowed: '#' for a cell (at least one) and '.' for none"
        )
    check_choice(f"rules.pieces: kicks of {piece.name!r}", piece.kicks, ("jlstz", "i", "none"))
    if piece.spins and side != 3:
        raise ValueError(f"rules.pieces: piece {piece.name!r} spins in a box of {side}; allowed: a box of 3")


RULE_PRESETS: dict[str, Rules] = {
    "guideline": Rules(),
    "mini": Rules(width=4, height=6, buffer=4, pieces=DOMINOES, preview=1, hold=False),
}
