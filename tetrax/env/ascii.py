"""Boards as drawings: '#' is a locked cell, '.' an empty one, the last line is the bottom row."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.env import observe
from tetrax.env.game import board, engine, moves, randomizer
from tetrax.env.game.rules import Rules, default_params, tuple_of
from tetrax.env.game.state import State
from tetrax.env.game.vector import describe
from tetrax.env.tetris import Tetris

CELL, EMPTY = "#", "."


# One position is compiled once and then set up many times.
_init = jax.jit(engine.init, static_argnums=0)
_next_piece = jax.jit(randomizer.next_piece, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def _spawn(rules: Rules, rows: Array, kind: Array) -> tuple[moves.Pose, Array]:
    return moves.spawn(rules, board.add_walls(rules, rows), kind, jnp.bool_(False))


def state_from_ascii(
    env: Tetris | Rules,
    drawing: str,
    *,
    piece: str | None = None,
    hold: str | None = None,
    queue: Sequence[str] | None = None,
    key: Array | None = None,
) -> State:
    """Return a game that stands as drawn, its active piece at the spawn place and all counters at zero.

    The drawing may have any number of rows up to the whole matrix; those above it are empty. Pieces go by
    name; `queue` ("TIO" or a sequence of names) may be shorter than the preview. What is not given is
    drawn with `key` (default: key 0), from what the given pieces leave in the bag; a piece that the bag
    lacks starts a new bag. Sequences and TETR.IO's bags go on as if they had dealt the given pieces.
    ValueError names what does not fit.
    """
    rules = _rules_of(env)
    rows = _rows(rules, drawing)
    queue = tuple_of("queue", [] if queue is None else queue, "names of pieces")
    given = [None if piece is None else _kind(rules, "piece", piece)]
    given += [_kind(rules, f"queue[{index}]", name) for index, name in enumerate(queue)]
    if len(given) > 1 + rules.preview:
        raise ValueError(f"queue: given {len(given) - 1} pieces; allowed: at most {rules.preview}")
    if hold is not None and not rules.hold:
        raise ValueError(f"hold: given {hold!r}; allowed: None, these rules have no hold")
    state = _init(
        rules, default_params(rules), jax.random.key(0, impl="threefry2x32") if key is None else key
    )
    kinds, left = _deal(rules, state.key, given)
    pose, fits = _spawn(rules, jnp.asarray(rows), kinds[0])
    if not fits:
        name = rules.pieces[int(kinds[0])].name
        raise ValueError(f"drawing: given cells where piece {name!r} enters; allowed: its spawn place free")
    state = state.replace(
        rows=jnp.asarray(rows),
        piece=kinds[0],
        orientation=pose.orientation,
        x=pose.x,
        y=pose.y,
        lowest_y=pose.y,
        hold=jnp.int32(-1 if hold is None else _kind(rules, "hold", hold)),
        queue=jnp.stack(kinds[1:]) if kinds[1:] else state.queue,
        bag=left.bag,
        random=left.random,
    )
    return state if isinstance(env, Rules) else observe.with_history(state, env.config.history)


def board_to_ascii(env: Tetris | Rules, state: State) -> str:
    """Draw the locked cells: the visible rows, and the buffer up to its highest cell."""
    rules = _rules_of(env)
    if not isinstance(state, State):
        raise TypeError(
            f"state: given {describe(state)}; allowed: a State, the first result of reset and step"
        )
    rows = [int(row) for row in np.asarray(state.rows)]
    if len(rows) != rules.total_height:
        raise ValueError(f"state.rows: given {len(rows)} rows; allowed: {rules.total_height}, one board")
    top = max([rules.height] + [y + 1 for y, row in enumerate(rows) if row])
    lines = ["".join(CELL if row >> x & 1 else EMPTY for x in range(rules.width)) for row in rows[:top]]
    return "\n".join(reversed(lines))


def _rules_of(env: Tetris | Rules) -> Rules:
    if not isinstance(env, (Tetris, Rules)):
        raise TypeError(
            f"env: given {describe(env)}; allowed: an environment, as tetrax.make gives it, or its Rules"
        )
    return env if isinstance(env, Rules) else env.rules


def _rows(rules: Rules, drawing: str) -> np.ndarray:
    """Read a drawing into rows, uint32[H]."""
    if not isinstance(drawing, str):
        raise TypeError(f"drawing: given {describe(drawing)}; allowed: text, a line for each row")
    lines = [line.strip() for line in drawing.strip().splitlines()]
    if len(lines) > rules.total_height:
        raise ValueError(f"drawing: given {len(lines)} rows; allowed: at most {rules.total_height}")
    rows = np.zeros(rules.total_height, np.uint32)
    for y, line in enumerate(reversed(lines)):
        number = f"drawing: line {len(lines) - y}"
        unknown = sorted(set(line) - {CELL, EMPTY})
        if unknown:
            raise ValueError(f"{number}: given {unknown[0]!r}; allowed: {CELL!r} (cell) and {EMPTY!r} (none)")
        if len(line) != rules.width:
            raise ValueError(f"{number}: given {len(line)} columns; allowed: {rules.width}")
        if EMPTY not in line:
            raise ValueError(f"{number}: given a full row; allowed: rows with an empty cell")
        rows[y] = sum(1 << x for x, mark in enumerate(line) if mark == CELL)
    return rows


def _kind(rules: Rules, field: str, name: str) -> int:
    names = [piece.name for piece in rules.pieces]
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(str(name).upper(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{field}: given {name!r}; allowed: {', '.join(names)}{hint}")


def _deal(rules: Rules, key: Array, given: list[int | None]) -> tuple[list[Array], randomizer.Source]:
    """Return the active piece and the queue, drawing what is not given, and what is left to draw from."""
    kinds, left = [], randomizer.source(rules, key)
    for draw in range(1 + rules.preview):
        kind = given[draw] if draw < len(given) else None
        before = left
        drawn, left = _next_piece(rules, key, jnp.int32(draw), before)
        kinds.append(drawn if kind is None else jnp.int32(kind))
        if kind is not None and rules.randomizer == "bag":
            full = (1 << rules.num_pieces) - 1
            bag = int(before.bag) if int(before.bag) >> kind & 1 else full
            left = before._replace(bag=jnp.uint32(bag & ~(1 << kind)))
    return kinds, left
