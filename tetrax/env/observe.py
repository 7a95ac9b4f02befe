"""State → Observation: the board as planes, piece identities, scalars, and afterstates."""

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32, UInt8

from tetrax.env import reward
from tetrax.env.game import board, drops, measures
from tetrax.env.game.drops import Candidates
from tetrax.env.game.measures import BoardFeatures
from tetrax.env.game.rules import MAX_GRAVITY_LEVEL, Params, Rules
from tetrax.env.game.state import State, active_rows, level

OBSERVATIONS = ("auto", "planes", "afterstate_features", "afterstate_boards", "afterstate_classic")
PLANES = ("locked", "active", "ghost")
SPAWN_ROWS = 2  # rows above the visible ones that a new piece stands in; planes show them
AFTERSTATE_ROWS = 4  # rows above the visible ones that a placement can reach

# What each afterstate feature is divided by, so that a network sees numbers of order one.
AFTERSTATE_FEATURES = {
    "landing_height": 10.0,
    "eroded_cells": 4.0,
    "lines": 4.0,
    "aggregate_height": 100.0,
    "max_height": 10.0,
    "bumpiness": 20.0,
    "holes": 10.0,
    "rows_with_holes": 5.0,
    "hole_depth": 10.0,
    "wells": 10.0,
    "row_transitions": 50.0,
    "column_transitions": 20.0,
}


class Afterstates(struct.PyTreeNode):
    """What each action of a placement set would leave behind, before the next piece is placed."""

    rows: Array | None  # uint32[A, height + 4], locked cells after the clear, row 0 at the bottom
    features: Array | None  # float32[A, 12], AFTERSTATE_FEATURES in order, scaled; with view
    # "afterstate_classic" float32[A, 9], drops.CLASSIC_FEATURES in order, unscaled
    reward: Array  # float32[A], the reward of the step (a block-out by a hidden piece not counted)
    terminated: Array  # bool[A], the game ends, as far as the visible queue tells


class Observation(struct.PyTreeNode):
    """What a player may know when the next decision is due."""

    planes: Array | None  # uint8[height + 2, W, 3], locked, active, ghost; row 0 at the bottom
    pieces: Array  # int32[2 + P], active, held (K = none), then the queue, next first
    features: Array  # float32[F], scalars named by `feature_names`
    legal: Array  # bool[A], True = legal; all False after the end
    afterstates: Afterstates | None


def feature_names(rules: Rules, actions: str) -> tuple[str, ...]:
    """Return the names of `Observation.features` in order; none is constant by construction."""
    names = ["level", "combo", "back_to_back"]
    if actions != "direct":
        return tuple(names)
    names += ["x", "y", *(f"orientation_{o}" for o in "0R2L"), "gravity_accumulator", "lock_timer"]
    if rules.lock == "extended":
        names.append("lock_resets")
    if rules.hold:
        names.append("hold_available")
    return tuple(names)


def features(rules: Rules, params: Params, state: State, actions: str) -> Float32[Array, "F"]:
    """Return the scalars, each of order one."""
    orientation = [state.orientation == o for o in range(4)]
    values = {
        "level": jnp.minimum(level(params, state), MAX_GRAVITY_LEVEL) / MAX_GRAVITY_LEVEL,
        "combo": jnp.minimum(state.combo + 1, 10) / 10,
        "back_to_back": state.back_to_back >= 0,
        "x": state.x / rules.width,
        "y": state.y / rules.height,
        **{f"orientation_{name}": here for name, here in zip("0R2L", orientation, strict=True)},
        "gravity_accumulator": state.gravity_accumulator / 65536,
        "lock_timer": (state.lock_timer + 1) / (params.lock_delay + 1),
        "lock_resets": state.lock_resets / jnp.maximum(params.lock_resets, 1),
        "hold_available": ~state.hold_used,
    }
    names = feature_names(rules, actions)
    return jnp.stack([jnp.asarray(values[name], jnp.float32) for name in names])


def pieces(rules: Rules, state: State) -> Int32[Array, "2+P"]:
    """Return the kinds of the active piece, the held one (K = none) and the queue."""
    held = jnp.where(state.hold < 0, rules.num_pieces, state.hold)
    return jnp.concatenate([jnp.stack([state.piece, held]), state.queue])


def planes(rules: Rules, state: State) -> UInt8[Array, "rows W 3"]:
    """Return locked cells, the active piece and its ghost (where it would land)."""
    num_rows = min(rules.height + SPAWN_ROWS, rules.total_height)
    piece = active_rows(rules, state)
    walled = board.walled(rules, state.rows)
    landing = state.y - jnp.maximum(board.drop_distance(walled, piece, state.x, state.y), 0)
    empty = jnp.zeros_like(state.rows)
    views = (
        state.rows,
        board.place(rules, empty, piece, state.x, state.y),
        board.place(rules, empty, piece, state.x, landing),
    )
    cells = [board.cells(rules, rows[:num_rows]) for rows in views]
    return jnp.stack(cells, axis=-1).astype(jnp.uint8)


def afterstates(
    rules: Rules,
    reward_name: str,
    reward_params: reward.RewardParams,
    state: State,
    placed: Candidates,
    view: str,
) -> Afterstates:
    """Look one placement ahead along every action."""
    boards = drops.after(rules, state, placed)
    ended = drops.ends_game(rules, state, placed, boards)
    after = measures.board_features(rules, boards.columns)
    terms = reward.placement_terms(
        reward_name,
        reward_params,
        state,
        boards.lines,
        ended,
        reward.features(rules, state),
        after,
    )
    num_rows = min(rules.height + AFTERSTATE_ROWS, rules.total_height)
    shown = None
    if view == "afterstate_features":
        shown = _scaled(rules, placed, boards, after)
    elif view == "afterstate_classic":
        shown = drops.classic_features(rules, placed, boards)
    return Afterstates(
        rows=measures.to_rows(boards.columns, num_rows) if view == "afterstate_boards" else None,
        features=shown,
        reward=reward.total(terms),
        terminated=ended,
    )


def _scaled(
    rules: Rules, placed: Candidates, boards: measures.Board, after: BoardFeatures
) -> Float32[Array, "A 12"]:
    values = {
        "landing_height": drops.landing_height(rules, placed),
        "eroded_cells": drops.eroded_cells(placed, boards),
        "lines": boards.lines,
        **vars(after),
    }
    columns = [
        jnp.asarray(values[name], jnp.float32) * np.float32(1 / scale)
        for name, scale in AFTERSTATE_FEATURES.items()
    ]
    return jnp.stack(columns, axis=-1)
