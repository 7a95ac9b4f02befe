"""What a game is: `Rules` decide what is compiled, `Params` are numbers that may change.

Sources: Tetris Design Guideline (2009) as quoted by public implementations, for every default; recorded
games of TETR.IO for the preset `tetrio`; Thiery and Scherrer (2009) for the `classic` presets.
"""

import dataclasses
import difflib
import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from tetrax.env.game.pieces import (
    DOMINOES,
    KICK_TABLES,
    MAX_BOX,
    TETROMINOES,
    TURNS,
    KickSystem,
    Piece,
    PieceTables,
    piece_tables,
)

GRAVITY_ONE = 1 << 16  # fixed point: one cell
MAX_GRAVITY_LEVEL = 20  # the speed curve stops here; its base turns negative at level 116
LOCK_DELAY_SECONDS = 0.5
LOCK_RESETS = 15  # moves and rotations that restart the lock delay ("extended placement")
SOFT_DROP_FACTOR = 20  # times the speed of gravity
LINES_PER_LEVEL = 10
GARBAGE_DELAY_SECONDS = 1 / 3  # from being sent to being able to enter (TETR.IO: 20 frames of 60)
GARBAGE_CAP = 8  # rows that enter at one lock (TETR.IO)
MAX_GARBAGE_CAP = 20  # the largest cap that may be asked for
MULTIPLIER_ONE = 1 << 8  # fixed point: attack times one
MAX_LIVES = 99
TETRIO_ORDER = "ZLOSIJT"  # every bag of TETR.IO before it is shuffled

RANDOMIZERS = ("bag", "uniform", "tetrio", "list")
LOCKS = ("extended", "infinite", "classic", "step_count")
TOP_OUTS = ("guideline", "block_out", "stack")
ATTACKS = ("guideline", "guideline_modern", "tetrio", "jstris")
SPIN_RULES = ("guideline", "tetrio", "jstris")


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
    """The piece kinds, as drawings; those of our presets may be given by their names (["I", "O"])."""
    randomizer: Literal["bag", "uniform", "tetrio", "list"] = "bag"
    """How the next piece is drawn: from a bag of one of each kind, each kind alike, from TETR.IO's seeded
    bags, or by `sequence`."""
    sequence: tuple[str, ...] = ()
    """Names of the pieces of randomizer "list", in order; after the last comes the first again."""
    kicks: KickSystem = "srs"
    """Where a rotation that does not fit is tried instead; srs180 and srs+ have half turns too."""
    hold: bool = True
    """Whether a piece may be held (once per lock)."""
    preview: int = 5
    """How many coming pieces are visible (0 to 6)."""
    gravity: Literal["level", "fixed"] = "level"
    """Whether pieces fall by the level's speed or by `params.gravity`."""
    rows_per_second: float = 1.0
    """Speed that `params.gravity` starts from (rows per second of the game; 1 is the guideline's level 1)."""
    ticks_per_second: int = 10
    """Ticks (inputs) in one second of the game: 10 for agents, 60 for people."""
    lock: Literal["extended", "infinite", "classic", "step_count"] = "extended"
    """What restarts the lock delay: 15 moves, every move, only falling to a new lowest row, or nothing."""
    spawn_row: int = 0
    """Rows between the visible matrix and the lowest cell of a new piece (cells)."""
    spawn_drop: bool = True
    """Whether a new piece falls one row at once if that row is free."""
    spawn_rise: bool = False
    """Whether a piece blocked at its spawn, if the last lock cleared lines, enters in the first free row above."""
    top_out: Literal["guideline", "block_out", "stack"] = "guideline"
    """How a game is lost: guideline is block-out (no room to enter), lock-out (a whole piece above the visible
    rows) and garbage pushing a block out; block_out is the same without lock-out; stack is a stack higher than
    the visible rows after clearing, with placements from above whatever is in the way."""
    spins: Literal["guideline", "tetrio", "jstris"] = "guideline"
    """Which last kick makes a spin full: the fifth test always, or (tetrio) only on the way from 0 or 2 to R or L.
    With jstris, which is the guideline's else, the piece must also be blocked upwards."""
    lives: int = 1
    """Times the game may be lost; after all but the last the matrix is emptied and play goes on."""
    garbage: bool = False
    """Whether there is garbage: rows with a hole that come from below."""
    garbage_blocking: bool = True
    """Whether a lock that clears lines keeps waiting garbage out."""
    attack: Literal["guideline", "guideline_modern", "tetrio", "jstris"] = "guideline"
    """Table of the rows that a clear sends at others."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pieces", _pieces_of(self.pieces))
        object.__setattr__(self, "sequence", tuple_of("rules.sequence", self.sequence, "names of pieces"))
        check_whole("rules.width", self.width, 1, 22)
        check_whole("rules.height", self.height, 2, 28)
        check_whole("rules.buffer", self.buffer, MAX_BOX, 60)
        check_whole("rules.preview", self.preview, 0, 6)
        check_whole("rules.ticks_per_second", self.ticks_per_second, 1, 1000)
        check_whole("rules.lives", self.lives, 1, MAX_LIVES)
        check_choice("rules.randomizer", self.randomizer, RANDOMIZERS)
        check_choice("rules.kicks", self.kicks, tuple(KICK_TABLES))
        check_choice("rules.gravity", self.gravity, ("level", "fixed"))
        check_choice("rules.lock", self.lock, LOCKS)
        check_choice("rules.top_out", self.top_out, TOP_OUTS)
        check_choice("rules.spins", self.spins, SPIN_RULES)
        check_choice("rules.attack", self.attack, ATTACKS)
        for name in ("hold", "spawn_drop", "spawn_rise", "garbage", "garbage_blocking"):
            _check_bool(f"rules.{name}", getattr(self, name))
        _check_pieces(self)
        _check_sequence(self)
        _check_spawn(self)

    @property
    def total_height(self) -> int:
        """Rows of the matrix with its buffer (H)."""
        return self.height + self.buffer

    @property
    def num_pieces(self) -> int:
        """Piece kinds (K)."""
        return len(self.pieces)

    @property
    def half_turns(self) -> bool:
        """Whether there is a key for half turns."""
        return 2 in TURNS[self.kicks]

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
        """Row of the box's lower side at spawn, int32[K]: the lowest cell is `spawn_row` above `height`."""
        return self.height + self.spawn_row - self.tables.bottom[:, 0]


class Params(struct.PyTreeNode):
    """Numbers of a game that may change without recompiling, and may be vmapped."""

    start_level: Array  # int32[], level before the first line (1 or more)
    gravity: Array  # int32[], 1/65536 cells per tick, used when rules.gravity == "fixed"
    soft_drop_factor: Array  # int32[], times the speed of gravity
    lock_delay: Array  # int32[], ticks a piece may rest before it locks
    lock_resets: Array  # int32[], restarts of the lock delay until a new lowest row is reached
    starting_garbage: Array  # int32[], garbage rows at the start, a hole in each (0 to height)
    garbage_interval: Array  # int32[], ticks between two packets of the timer (0 = never)
    garbage_rows: Array  # int32[], rows in a packet of the timer
    garbage_delay: Array  # int32[], ticks from being sent to being able to enter
    garbage_cap: Array  # int32[], rows that enter at one lock (0 to 20)
    garbage_multiplier: Array  # int32[], 1/256, what an attack is multiplied by before rounding down


def default_params(rules: Rules) -> Params:
    """Return the guideline's numbers at the pace of `rules.ticks_per_second`, and no garbage."""
    lock_delay = max(1, math.ceil(LOCK_DELAY_SECONDS * rules.ticks_per_second))
    gravity = math.ceil(GRAVITY_ONE * rules.rows_per_second / rules.ticks_per_second)
    return Params(
        start_level=jnp.int32(1),
        gravity=jnp.int32(gravity),
        soft_drop_factor=jnp.int32(SOFT_DROP_FACTOR),
        lock_delay=jnp.int32(lock_delay),
        lock_resets=jnp.int32(LOCK_RESETS),
        starting_garbage=jnp.int32(0),
        garbage_interval=jnp.int32(0),
        garbage_rows=jnp.int32(1),
        garbage_delay=jnp.int32(round(GARBAGE_DELAY_SECONDS * rules.ticks_per_second)),
        garbage_cap=jnp.int32(GARBAGE_CAP),
        garbage_multiplier=jnp.int32(MULTIPLIER_ONE),
    )


def gravity_by_level(rules: Rules) -> np.ndarray:
    """Gravity in 1/65536 cells per tick, rounded up, int32[21], indexed by level (0 as 1).

    A row takes (0.8 - (L-1) 0.007)^(L-1) seconds at level L (guideline, marathon speed curve).
    """
    levels = np.clip(np.arange(MAX_GRAVITY_LEVEL + 1), 1, None) - 1
    seconds_per_row = (0.8 - levels * 0.007) ** levels
    return np.ceil(GRAVITY_ONE / seconds_per_row / rules.ticks_per_second).astype(np.int32)


@functools.lru_cache(maxsize=64)
def _tables(pieces: tuple[Piece, ...], kicks: KickSystem) -> PieceTables:
    return piece_tables(pieces, kicks)


def check_choice(name: str, given: object, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError that names the field, what was given, what is allowed and the nearest."""
    if given in allowed:
        return
    near = difflib.get_close_matches(str(given), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name}: given {given!r}; allowed: {', '.join(allowed)}{hint}")


def check_whole(name: str, given: object, low: int, high: int) -> None:
    """Raise a ValueError unless a whole number from `low` to `high` is given."""
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise ValueError(f"{name}: given {given!r}; allowed: a whole number from {low} to {high}")


def tuple_of(name: str, given: object, items: str) -> tuple[Any, ...]:
    """Return a list as the tuple that is meant, or a text as its letters; ValueError when it is none of these."""
    if not isinstance(given, (tuple, list, str)):
        raise ValueError(f"{name}: given {given!r}; allowed: a tuple or list of {items}")
    return tuple(given)


def _pieces_of(given: object) -> tuple[Piece, ...]:
    """Return pieces that are given as records or by name; what is neither a record nor a known name is refused."""
    by_name = {piece.name: piece for piece in (*TETROMINOES, *DOMINOES)}
    pieces = []
    for each in tuple_of("rules.pieces", given, "Piece records, or names of our presets' pieces"):
        if not isinstance(each, Piece):
            check_choice("rules.pieces", each, tuple(by_name))
        pieces.append(each if isinstance(each, Piece) else by_name[each])
    return tuple(pieces)


def _check_bool(name: str, given: object) -> None:
    if not isinstance(given, bool):
        raise ValueError(f"{name}: given {given!r}; allowed: True or False")


def _check_sequence(rules: Rules) -> None:
    names = tuple(piece.name for piece in rules.pieces)
    if rules.randomizer == "list" and not rules.sequence:
        raise ValueError("rules.sequence: given none with randomizer 'list'; allowed: one piece name or more")
    if rules.randomizer != "list" and rules.sequence:
        raise ValueError(
            f"rules.sequence: given {len(rules.sequence)} pieces with randomizer {rules.randomizer!r}; "
            "allowed: none (randomizer 'list' plays a sequence)"
        )
    for name in rules.sequence:
        check_choice("rules.sequence", name, names)
    if rules.randomizer == "tetrio" and sorted(names) != sorted(TETRIO_ORDER):
        raise ValueError(
            f"rules.randomizer: given 'tetrio' with pieces {', '.join(names)}; "
            "allowed: the seven tetrominoes, which TETR.IO's bags are made of"
        )


def _check_spawn(rules: Rules) -> None:
    check_whole("rules.spawn_row", rules.spawn_row, 0, rules.buffer - MAX_BOX)
    speed = rules.rows_per_second
    if isinstance(speed, bool) or not isinstance(speed, (int, float)) or not 0 <= speed <= 10_000:
        raise ValueError(f"rules.rows_per_second: given {speed!r}; allowed: a number from 0 to 10000")
    if rules.top_out == "stack" and rules.spawn_rise:
        raise ValueError(
            "rules.spawn_rise: given True with top_out 'stack', where nothing blocks a new piece; allowed: False"
        )


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
    if not isinstance(piece.name, str) or not piece.name:
        raise ValueError(f"rules.pieces: given a piece of name {piece.name!r}; allowed: a letter or a word")
    if not isinstance(piece.drawing, tuple) or not all(isinstance(row, str) for row in piece.drawing):
        raise ValueError(
            f"rules.pieces: piece {piece.name!r} is drawn as {piece.drawing!r}; allowed: a tuple or list of rows"
        )
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


_CLASSIC = Rules(
    buffer=8,
    randomizer="uniform",
    kicks="none",
    hold=False,
    preview=0,
    spawn_drop=False,
    top_out="stack",
)

RULE_PRESETS: dict[str, Rules] = {
    "guideline": Rules(),
    "tetrio": Rules(
        randomizer="tetrio",
        kicks="srs+",
        gravity="fixed",
        rows_per_second=1.2,  # 0.02 cells in each of 60 frames
        ticks_per_second=60,
        spawn_row=1,
        spawn_drop=False,
        spawn_rise=True,
        top_out="block_out",
        spins="tetrio",
        garbage=True,
        attack="tetrio",
    ),
    "classic-10x20": _CLASSIC,
    "classic-10x10": dataclasses.replace(_CLASSIC, height=10),
    # The setting of published attack records; 32 rows, which are one word of every column.
    "attack-50": Rules(
        buffer=12,
        gravity="fixed",
        rows_per_second=0,
        lock="infinite",
        top_out="block_out",
        spins="jstris",
        attack="jstris",
    ),
    "mini": Rules(width=4, height=6, buffer=4, pieces=DOMINOES, preview=1, hold=False),
}
