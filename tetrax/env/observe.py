"""State → Observation: views of the board, piece identities, scalars, and what lies ahead."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, Int8, Int32, UInt8, UInt32

from tetrax.env import reward
from tetrax.env.contract import Observation
from tetrax.env.foresight import AFTERSTATE_FEATURES
from tetrax.env.game import board, measures
from tetrax.env.game.rules import MAX_GRAVITY_LEVEL, Params, Rules
from tetrax.env.game.state import State, active_rows, level
from tetrax.env.game.vector import once
from tetrax.env.reward import RewardChoice

OBSERVATIONS = (
    "auto", "planes", "compact", "bitboards", "flat",
    "afterstate_features", "afterstate_boards", "afterstate_classic", "afterstate_extended",
)  # fmt: skip
BY_CELL = ("planes", "compact", "bitboards")  # those that show the board cell by cell
PLANES = ("locked", "active", "ghost")
CELLS = ("empty", "locked", "active", "ghost")  # of the compact view: a cell is an index into this
SPAWN_ROWS = 2  # rows above the visible ones that a new piece stands in; views of the board show them
MAX_HISTORY = 16

# What board features are divided by in the flat vector, besides heights (by the height of the board).
BOARD_SCALES = {name: AFTERSTATE_FEATURES[name] for name in measures.BoardFeatures.__annotations__}


class Show(NamedTuple):
    """What is shown of a game, as a configuration chooses it."""

    view: str  # one of OBSERVATIONS, "auto" resolved
    by_keys: bool  # whether actions are keys, so that where the piece is decides something
    reward: RewardChoice
    board_features: bool = False
    ghost_outcome: bool = False
    history: int = 0  # boards


def feature_names(rules: Rules, by_keys: bool) -> tuple[str, ...]:
    """Return the names of `Observation.features` in order; none is constant by construction."""
    names = ["level", "combo", "back_to_back"]
    if rules.lives > 1:
        names.append("lives")
    if rules.garbage:
        names.append("garbage_waiting")
    if not by_keys:
        return tuple(names)
    names += ["x", "y", *(f"orientation_{o}" for o in "0R2L"), "gravity_accumulator", "lock_timer"]
    if rules.lock == "extended":
        names.append("lock_resets")
    if rules.hold:
        names.append("hold_available")
    return tuple(names)


def features(rules: Rules, params: Params, state: State, by_keys: bool) -> Float32[Array, "F"]:
    """Return the scalars, each of order one."""
    orientation = [state.orientation == o for o in range(4)]
    waiting = jnp.int32(0) if state.garbage is None else jnp.sum(state.garbage.rows, dtype=jnp.int32)
    values = {
        "level": jnp.minimum(level(params, state), MAX_GRAVITY_LEVEL) / MAX_GRAVITY_LEVEL,
        "combo": jnp.minimum(state.combo + 1, 10) / 10,
        "back_to_back": state.back_to_back >= 0,
        "lives": state.lives / rules.lives,
        "garbage_waiting": jnp.minimum(waiting, rules.height) / rules.height,
        "x": state.x / rules.width,
        "y": state.y / rules.height,
        **{f"orientation_{name}": here for name, here in zip("0R2L", orientation, strict=True)},
        "gravity_accumulator": state.gravity_accumulator / 65536,
        "lock_timer": (state.lock_timer + 1) / (params.lock_delay + 1),
        "lock_resets": state.lock_resets / jnp.maximum(params.lock_resets, 1),
        "hold_available": ~state.hold_used,
    }
    names = feature_names(rules, by_keys)
    return jnp.stack([jnp.asarray(values[name], jnp.float32) for name in names])


def pieces(rules: Rules, state: State) -> Int32[Array, "2+P"]:
    """Return the kinds of the active piece, the held one (K = none) and the queue."""
    held = jnp.where(state.hold < 0, rules.num_pieces, state.hold)
    return jnp.concatenate([jnp.stack([state.piece, held]), state.queue])


def simplify_board(rules: Rules, state: State) -> UInt8[Array, "R W"]:
    """Return the board as 0 and 1 (1 = a locked cell), without the active piece."""
    return _show_rows(rules, state.rows)


def planes(rules: Rules, state: State) -> UInt8[Array, "R W 3"]:
    """Return locked cells, the active piece and its ghost (where it would land)."""
    return jnp.stack(_boards(rules, state), axis=-1)


def compact(rules: Rules, state: State) -> Int8[Array, "R W"]:
    """Return one small integer per cell, an index into CELLS; the active piece hides its ghost."""
    locked, active, ghost = _boards(rules, state)
    of_ghost = jnp.where(ghost != 0, np.int8(CELLS.index("ghost")), np.int8(0))
    of_locked = jnp.where(locked != 0, np.int8(CELLS.index("locked")), of_ghost)
    return jnp.where(active != 0, np.int8(CELLS.index("active")), of_locked)


def bitboards(rules: Rules, state: State) -> UInt32[Array, "2 R"]:
    """Return locked cells and the active piece as one word per row: the smallest view, to keep or to move."""
    nothing = (jnp.uint32(0),) * num_rows(rules)
    active = board.place(nothing, active_rows(rules, state), state.x, state.y)
    return jnp.stack([board.stack(state.rows)[: len(active)], jnp.stack(active)])


def history(rules: Rules, state: State) -> UInt8[Array, "n R W"]:
    """Return the boards before the last n steps, as `simplify_board` shows them, newest first.

    ValueError where the state has none: only an environment with a history starts one.
    """
    if state.history is None:
        raise ValueError(
            "state.history: given None; allowed: that of a game started by env.init or env.reset"
        )
    return jax.vmap(_show_rows, in_axes=(None, 0))(rules, state.history)


def with_history(state: State, length: int) -> State:
    """Start the history of a fresh game: as if its first board had stood there for ever."""
    return state.replace(history=jnp.tile(state.rows, (length, 1))) if length else state


def remember(before: State, after: State) -> State:
    """Put the board before a step in front of the history; after the end nothing changes."""
    if before.history is None:
        return after
    moved = jnp.concatenate([board.stack(before.rows)[None], before.history[:-1]])
    return after.replace(history=jnp.where(before.game_over, before.history, moved))


def board_feature_names(rules: Rules) -> tuple[str, ...]:
    """Return the names of `Observation.board_features` in order."""
    heights = tuple(f"height_{x}" for x in range(rules.width))
    return (*heights, *measures.BoardFeatures.__annotations__, "density")


def board_features(rules: Rules, state: State) -> Float32[Array, "W+10"]:
    """Measure the locked cells: heights by column, the fields of `measures.BoardFeatures`, and density.

    Density is the share of filled cells in the rows up to the highest filled one, 0 on an empty board.
    """
    columns = tuple(board.columns(rules, state.rows))
    measured = measures.board_features(rules, columns)
    filled = measures.total(map(measures.popcount, columns))
    density = filled / jnp.maximum(measured.max_height * rules.width, 1)
    values = [*map(measures.height, columns), *vars(measured).values(), density]
    return jnp.stack([jnp.asarray(value, jnp.float32) for value in values])


def flat_names(rules: Rules, show: Show) -> tuple[str, ...]:
    """Return a name for every number of `Observation.flat`, in order."""
    kinds = [piece.name for piece in rules.pieces]
    cells = [f"{y}_{x}" for y in range(num_rows(rules)) for x in range(rules.width)]
    names = [f"{plane}_{cell}" for plane in PLANES[:2] for cell in cells]
    names += [f"piece_{kind}" for kind in kinds]
    if rules.hold:
        names += [f"hold_{kind}" for kind in (*kinds, "none")]
    names += [f"next_{place}_{kind}" for place in range(rules.preview) for kind in kinds]
    names += feature_names(rules, show.by_keys)
    if show.board_features:
        names += [f"board_{name}" for name in board_feature_names(rules)]
    if show.ghost_outcome:
        foretold = reward.can_foretell(show.reward, rules)
        names += [*(["ghost_reward"] if foretold else []), "ghost_lines", "ghost_terminated"]
    names += [f"before_{step}_{cell}" for step in range(show.history) for cell in cells]
    return tuple(names)


def flat(rules: Rules, state: State, seen: Observation) -> Float32[Array, "N"]:
    """Return what is seen as one vector, named by `flat_names`; counts are scaled to order one.

    Locked and active cells, pieces one-hot, features, and then what else is chosen: board features
    (heights by the board's height, others by BOARD_SCALES), the outcome of dropping (lines / 4), history.
    """
    locked, active, _ = _boards(rules, state)
    num_kinds = rules.num_pieces
    parts = [locked, active, jax.nn.one_hot(seen.pieces[0], num_kinds, dtype=jnp.float32)]
    if rules.hold:
        parts.append(jax.nn.one_hot(seen.pieces[1], num_kinds + 1, dtype=jnp.float32))
    parts += [jax.nn.one_hot(seen.pieces[2:], num_kinds, dtype=jnp.float32), seen.features]
    if seen.board_features is not None:
        scales = [*([rules.height] * rules.width), *BOARD_SCALES.values(), 1.0]
        parts.append(seen.board_features * (1 / np.array(scales, np.float32)))
    if seen.ghost is not None:
        outcome = seen.ghost
        parts += [] if outcome.reward is None else [outcome.reward]
        parts += [outcome.lines.astype(jnp.float32) / 4, outcome.terminated]
    if seen.history is not None:
        parts.append(seen.history)
    return jnp.concatenate([jnp.ravel(part).astype(jnp.float32) for part in parts])


def _boards(rules: Rules, state: State) -> tuple[UInt8[Array, "R W"], ...]:
    """Return the PLANES: locked cells, the active piece, its ghost."""
    piece = active_rows(rules, state)
    walled = board.add_walls(rules, state.rows)
    distance = once(jnp.maximum(board.drop_distance(walled, piece, state.x, state.y), 0))
    nothing = (jnp.uint32(0),) * num_rows(rules)
    active = board.place(nothing, piece, state.x, state.y)
    ghost = board.place(nothing, piece, state.x, state.y - distance)
    views = (board.stack(state.rows)[: len(nothing)], jnp.stack(active), jnp.stack(ghost))
    return tuple(_show_rows(rules, rows) for rows in once(views))


def _show_rows(rules: Rules, rows: UInt32[Array, "H"]) -> UInt8[Array, "R W"]:
    return board.cells(rules, rows[: num_rows(rules)]).astype(jnp.uint8)


def num_rows(rules: Rules) -> int:
    """Return the rows of cells that are shown: those of the board, and some above it where pieces enter."""
    return min(rules.height + SPAWN_ROWS, rules.total_height)
