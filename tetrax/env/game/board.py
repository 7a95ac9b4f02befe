"""Bitboard primitives: a board is one unsigned word per row, bit x = column x, row 0 lowest.

The rows of a board are words of their own (`Words`), so that for many boards side by side everything here is
arithmetic on whole vectors: no row is looked up by a number that differs from board to board. `State.rows`
may be an array or words; a state whose rows and queue are tuples of scalars is one by word, and the rules
compute on that form alone (`keep_form`).

`Walled` boards carry a frame in which everything outside the matrix (walls, floor, and the space
above the top row) is filled, so that a collision is one `and` and no index needs a bound check.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int32, UInt32

from tetrax.env.game.pieces import MAX_BOX
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import choose, describe, once

WALL = 5  # columns of frame on the left: a box may stand 3 outside and be kicked 2 further
BELOW = 5  # rows of frame under the floor, for the same reason
ABOVE = 8  # rows of frame over the top row: a box of 4 kicked 2 up, and the look-up's own length
FILLED = np.uint32(0xFFFFFFFF)
EMPTY = np.uint32(0)

Word = UInt32[Array, ""] | np.uint32
Words = tuple[Word, ...]  # H of a board, the lowest first
Walled = tuple[Word, ...]  # H + 13
Rows = UInt32[Array, "H"] | Words
Cells = UInt32[Array, "4"] | Words  # a piece by row of its box, bit dx of entry dy

Choice = TypeVar("Choice")  # params, whatever they are
Happening = TypeVar("Happening")
Record = TypeVar("Record")
Given = ParamSpec("Given")
Play = Callable[Concatenate[Rules, Choice, State, Given], tuple[State, Happening]]


def words(rows: Rows) -> Words:
    """Return the rows of a board as words."""
    return rows if isinstance(rows, tuple) else tuple(rows[y] for y in range(rows.shape[0]))


def stack(rows: Rows) -> UInt32[Array, "H"]:
    """Return the rows of a board as one array."""
    return jnp.stack(rows) if isinstance(rows, tuple) else rows


def by_word(state: State) -> State:
    """Return a state whose rows and queue are tuples of scalars: the form in which a step computes.

    A batch of many boards is kept in it too, so that nothing is put together and taken apart at every step.
    """
    return state.replace(rows=words(state.rows), queue=words(state.queue))


def by_array(state: State) -> State:
    """Return a state whose rows and queue are arrays."""
    queue = state.queue
    if isinstance(queue, tuple):
        queue = jnp.stack(queue) if queue else jnp.zeros(0, jnp.int32)
    return state.replace(rows=stack(state.rows), queue=queue)


def match_form(like: Any, state: Any) -> Any:
    """Return a state in the form, by word or by array, of another; also one that is part of something else."""

    def match(known: Any, part: Any) -> Any:
        if not isinstance(part, State) or not isinstance(known, State):
            return part
        return by_word(part) if isinstance(known.rows, tuple) else by_array(part)

    return jax.tree.map(match, like, state, is_leaf=lambda node: isinstance(node, State))


def keep_form(play: Play) -> Play:
    """Let a part of the rules work on a state by word, and give back the state in the form that it was given.

    A TypeError where it is given anything but one board, whose rows would pass for those of another.
    """

    @functools.wraps(play)
    def play_in_form(
        rules: Rules, params: Choice, state: State, *args: Given.args, **kwargs: Given.kwargs
    ) -> tuple[State, Happening]:
        check_one(rules, state)
        inside = by_word(state)
        after, event = play(rules, params, inside, *args, **kwargs)
        return match_form(state, after), event

    return play_in_form


def check_one(rules: Rules, state: State) -> None:
    """Raise a TypeError unless a state is of one board of the rules, as far as its shapes tell.

    A batch goes through vmap. Boards of another width or with other pieces have the same shapes.
    """
    if not isinstance(state, State):
        raise TypeError(
            f"state: given {describe(state)}; allowed: a State, the first result of reset and step"
        )
    has = _count_parts(
        _length(state, "rows"), _length(state, "queue"), state.random is not None, state.garbage is not None
    )
    wanted = _count_parts(rules.total_height, rules.preview, rules.randomizer == "tetrio", rules.garbage)
    for name, given in has.items():
        if given != wanted[name]:
            raise TypeError(
                f"state: given one of another environment, with {given} {name}; allowed: {wanted[name]} {name}"
            )


def _length(state: State, name: str) -> int:
    """Count the words of a state's rows or queue; TypeError where they are those of many boards."""
    given = state.rows if name == "rows" else state.queue
    is_one = all(np.ndim(word) == 0 for word in given) if isinstance(given, tuple) else np.ndim(given) == 1
    if not is_one or np.ndim(state.piece):
        raise TypeError(f"state.{name}: given many boards; allowed: one board (jax.vmap plays many)")
    return len(given)


def _count_parts(rows: int, pieces: int, has_generator: bool, has_garbage: bool) -> dict[str, int]:
    """Return how many there are of the parts of a state that depend on the rules, by what they are called."""
    return {
        "rows": rows,
        "pieces in the queue": pieces,
        "generators of TETR.IO's pieces": int(has_generator),
        "records of garbage": int(has_garbage),
    }


def full_row(rules: Rules) -> np.uint32:
    """Return the word of a full row."""
    return np.uint32((1 << rules.width) - 1)


def add_walls(rules: Rules, rows: Rows) -> Walled:
    """Put the frame around a board."""
    walls = np.uint32(~(int(full_row(rules)) << WALL) & 0xFFFFFFFF)
    inside = tuple((row << np.uint32(WALL)) | walls for row in words(rows))
    return (FILLED,) * BELOW + inside + (FILLED,) * ABOVE


def shift_cells(cells: Cells, x: Int32[Array, ""]) -> Words:
    """Move a piece's rows to column x of a walled board."""
    amount = (x + WALL).astype(jnp.uint32)
    return tuple(cells[dy] << amount for dy in range(MAX_BOX))


def window(board: Walled, y: Int32[Array, ""], num_rows: int, below: int = 0) -> Words:
    """Return `num_rows` rows from row y - below on (at least -5); beyond the frame all is filled."""
    return _window(board, y + (BELOW - below), num_rows, beyond=FILLED)


def fits(board: Walled, cells: Cells, x: Int32[Array, ""], y: Int32[Array, ""]) -> Bool[Array, ""]:
    """Tell whether a piece with its box at (x, y) overlaps nothing."""
    return fits_in(window(board, y, MAX_BOX), cells, x)


def fits_in(rows: Words, cells: Cells, x: Int32[Array, ""]) -> Bool[Array, ""]:
    """Tell whether a piece in column x overlaps nothing of four rows of a walled board."""
    return _overlap(rows, shift_cells(cells, x)) == 0


def drop_distance(board: Walled, cells: Cells, x: Int32[Array, ""], y: Int32[Array, ""]) -> Int32[Array, ""]:
    """Return how many cells a fitting piece can fall straight down."""
    moved = shift_cells(cells, x)
    blocked_at = jnp.int32(-BELOW - 1)
    for place in range(-BELOW, len(board) - MAX_BOX - BELOW):
        hit = _overlap(board[place + BELOW : place + BELOW + MAX_BOX], moved) != 0
        blocked_at = choose(hit & (place < y), place, blocked_at)
    return y - 1 - blocked_at


def first_free_row(board: Walled, cells: Cells, x: Int32[Array, ""], y: Int32[Array, ""]) -> Int32[Array, ""]:
    """Return the lowest row from y on where a piece fits at column x, or y itself if there is none."""
    moved = shift_cells(cells, x)
    free_at = y
    for place in reversed(range(-BELOW, len(board) - MAX_BOX - BELOW)):
        hit = _overlap(board[place + BELOW : place + BELOW + MAX_BOX], moved) != 0
        free_at = choose(~hit & (place >= y), place, free_at)
    return free_at


def place(rows: Rows, cells: Cells, x: Int32[Array, ""], y: Int32[Array, ""]) -> Words:
    """Fill a fitting piece's cells."""
    moved = [word >> np.uint32(WALL) for word in shift_cells(cells, x)]
    given = words(rows)
    starts = {row: y == row for row in range(1 - MAX_BOX, len(given))}  # whether the box starts there
    return tuple(
        functools.reduce(
            operator.or_, (choose(starts[row - dy], moved[dy], EMPTY) for dy in range(MAX_BOX)), word
        )
        for row, word in enumerate(given)
    )


class Settled(NamedTuple):
    """A board in which a piece came to rest and from which full rows were removed."""

    rows: Words
    lines: Int32[Array, ""]  # rows removed
    full: tuple[Bool[Array, ""], ...]  # which of the rows y..y+3
    is_empty: Bool[Array, ""]  # nothing is left


def settle(rules: Rules, rows: Rows, cells: Cells, x: Int32[Array, ""], y: Int32[Array, ""]) -> Settled:
    """Fill a fitting piece's cells, and remove the full rows among y..y+3, the rows of its box.

    Rows above fall, and empty rows enter at the top.
    """
    given = words(rows)
    near = once(_window((EMPTY,) * BELOW + given, y + BELOW, 2 * MAX_BOX, beyond=EMPTY))
    num_used = once(_count(row != 0 for row in given))
    moved = [word >> np.uint32(WALL) for word in shift_cells(cells, x)]
    placed = [row | piece for row, piece in zip(near, moved, strict=False)]
    full = tuple(row == full_row(rules) for row in placed)
    left: list[Word] = [*placed, *near[MAX_BOX:]]
    for dy in reversed(range(MAX_BOX)):
        fallen: list[Word] = [choose(full[dy], above, row) for row, above in itertools.pairwise(left[dy:])]
        left = left[:dy] + fallen
    lines = _count(full)
    is_kept = [(row != 0) & ~is_full for row, is_full in zip(placed, full, strict=True)]
    elsewhere = num_used - _count(row != 0 for row in near[:MAX_BOX])
    is_empty = _count(is_kept) + elsewhere == 0
    y, left, lines, full, is_empty = once((y, left[:MAX_BOX], lines, full, is_empty))
    starts = {row: y == row for row in range(1 - MAX_BOX, len(given))}  # whether the box starts there
    settled = []
    for row, (below, above) in enumerate(zip(given, _fall(given, lines), strict=True)):
        word = choose(y <= row - MAX_BOX, above, below)
        for dy in range(MAX_BOX):
            word = choose(starts[row - dy], left[dy], word)
        settled.append(word)
    return Settled(tuple(settled), lines, full, is_empty)


class Raised(NamedTuple):
    """A board into which rows came from below."""

    rows: Words
    pushed_out: Bool[Array, ""]  # a filled cell went over the top row


def raise_rows(rows: Rows, entering: UInt32[Array, "n"], num_rows: Int32[Array, ""]) -> Raised:
    """Move all rows up by `num_rows`, 0 to 31, and fill the lowest ones with `entering`, the lowest first.

    Entries of `entering` from `num_rows` on are empty.
    """
    raised = stack(rows)
    chex.assert_rank([raised, entering, num_rows], [1, 1, 0])
    pushed_out = jnp.bool_(False)
    for bit in range(5):
        step = min(1 << bit, raised.shape[0])
        moves = ((num_rows >> bit) & 1) != 0
        pushed_out |= moves & jnp.any(raised[-step:] != 0)
        moved = jnp.concatenate([np.zeros(step, np.uint32), raised[: raised.shape[0] - step]])
        raised = jnp.where(moves, moved, raised)
    size = min(*entering.shape, *raised.shape)
    raised = raised.at[:size].set(raised[:size] | entering[:size])
    return Raised(words(raised), pushed_out)


def reaches(rows: Rows, y: int) -> Bool[Array, ""]:
    """Tell whether a cell is filled in row y or above."""
    return jnp.any(stack(rows[y:]) != 0)


def clear_all(rows: Record) -> Record:
    """Return a board, in either form, with nothing in it."""
    return jax.tree.map(jnp.zeros_like, rows)


def columns(rules: Rules, rows: Rows) -> UInt32[Array, "W"]:
    """Return the board by column: bit y of word x is cell (x, y), for the lowest 32 rows."""
    rows = stack(rows)
    num_rows = min(rules.total_height, 32)
    x = np.arange(rules.width, dtype=np.uint32)[:, None]
    y = np.arange(num_rows, dtype=np.uint32)
    cells = (rows[None, :num_rows] >> x) & np.uint32(1)  # [W, rows]
    return jnp.sum(cells << y[None], axis=1, dtype=jnp.uint32)


def cells(rules: Rules, rows: Rows) -> Bool[Array, "R W"]:
    """Expand row words to cells."""
    x = np.arange(rules.width, dtype=np.uint32)[None]
    return ((stack(rows)[:, None] >> x) & np.uint32(1)) != 0


def _window(rows: Words, first: Int32[Array, ""], num_rows: int, beyond: np.uint32) -> Words:
    """Return the rows number `first`, `first` + 1 and so on; those that do not exist are `beyond`.

    They are brought to fixed places by a barrel shifter: one select for each bit of the number.
    """
    number = first.astype(jnp.uint32)
    moved: Sequence[Array | np.uint32] = rows
    for bit in reversed(range((len(rows) - 1).bit_length())):
        step = 1 << bit
        moves = (number >> np.uint32(bit)) & np.uint32(1) != 0
        padded = [*moved, *[beyond] * (num_rows + 2 * step)]
        pairs = zip(padded[: num_rows + step - 1], padded[step:], strict=False)
        moved = [row if row is above else choose(moves, above, row) for row, above in pairs]
    return tuple(jnp.asarray(row) for row in moved)


def _fall(rows: Words, lines: Int32[Array, ""]) -> Words:
    """Return the row that is `lines` rows above each row; above the top row all is empty."""
    for bit in range(MAX_BOX.bit_length()):
        step = 1 << bit
        moves = (lines >> bit) & 1 != 0
        above = (*rows[step:], *(EMPTY,) * step)[: len(rows)]
        rows = tuple(choose(moves, high, low) for high, low in zip(above, rows, strict=True))
    return rows


def _overlap(rows: Sequence[Word], moved: Sequence[Word]) -> Word:
    return functools.reduce(operator.or_, (row & cells for row, cells in zip(rows, moved, strict=True)))


def _count(conditions: Iterable[Bool[Array, ""]]) -> Int32[Array, ""]:
    return sum((condition.astype(jnp.int32) for condition in conditions), start=jnp.int32(0))
