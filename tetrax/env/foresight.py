"""What a placement would bring, before it is made: its afterstate, reward, and whether it loses.

Only what a player knows is used: a loss by a piece that is not visible yet, or by garbage that would
enter at the lock, is not foreseen.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32, UInt32

from tetrax.env import reward
from tetrax.env.contract import Afterstates, GhostOutcome
from tetrax.env.game import board, engine, measures, moves, scoring
from tetrax.env.game.measures import BoardFeatures
from tetrax.env.game.moves import Pose
from tetrax.env.game.reach import outcomes, placement_features
from tetrax.env.game.reach.outcomes import Candidates
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import State, active_rows, level
from tetrax.env.reward import Prospect, RewardChoice, RewardParams, RewardRule

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


class _Lock(NamedTuple):
    """A lock that is only imagined."""

    lines: Int32[Array, ""]
    spin: Int32[Array, ""]
    perfect_clear: Bool[Array, ""]
    hard_cells: Int32[Array, ""]


def afterstates(
    rules: Rules,
    choice: RewardChoice,
    params: Params,
    weights: RewardParams,
    state: State,
    placed: Candidates,
    view: str,
    foretells: bool,
) -> Afterstates:
    """Look one placement ahead along every action; a life lost that is not the last empties the board.

    `foretells` says whether the reward is known before the step.
    """
    boards = outcomes.after(rules, state, placed)
    lost = outcomes.ends_game(rules, state, placed, boards)
    locks = _locks(rules, state, placed, boards)
    if rules.lives > 1:
        goes_on = lost & (state.lives > 1)
        boards = boards._replace(columns=tuple(jnp.where(goes_on, 0, c) for c in boards.columns))
    after = measures.board_features(rules, boards.columns)
    shown = None
    if view == "afterstate_features":
        shown = _scale(rules, placed, boards, after)
    elif view == "afterstate_classic":
        shown = placement_features.classic_features(rules, placed, boards)
    elif view == "afterstate_extended":
        shown = placement_features.extended_features(rules, placed, boards)
    num_rows = min(rules.height + AFTERSTATE_ROWS, rules.total_height)
    made_of = reward.rule(choice) if foretells else None
    gained = None if made_of is None else _reward(rules, made_of, params, weights, state, locks, lost, after)
    return Afterstates(
        rows=measures.to_rows(boards.columns, num_rows) if view == "afterstate_boards" else None,
        features=shown,
        reward=gained,
        terminated=lost if rules.lives == 1 else lost & (state.lives <= 1),
    )


def attacks(rules: Rules, params: Params, state: State, placed: Candidates) -> Int32[Array, "A"]:
    """Return the rows that each placement would send, before they cancel any that wait, if it is no spin."""
    locks = _locks(rules, state, placed, outcomes.after(rules, state, placed))
    return jax.vmap(functools.partial(_worth, rules, params, state))(locks)[1]


def ghost_outcome(
    rules: Rules, choice: RewardChoice, params: Params, weights: RewardParams, state: State
) -> GhostOutcome:
    """Look at a hard drop of the active piece; after the end nothing is gained and nothing goes on."""
    walled, piece = board.add_walls(rules, state.rows), active_rows(rules, state)
    distance = jnp.maximum(board.drop_distance(walled, piece, state.x, state.y), 0)
    pose = Pose(state.orientation, state.x, state.y - distance)
    kick = jnp.where(distance > 0, -1, state.kick)
    settled = board.settle(rules, state.rows, piece, pose.x, pose.y)
    rows, lines = board.stack(settled.rows), settled.lines
    locked = _Lock(
        lines=lines,
        spin=scoring.spin(rules, walled, state.piece, pose, kick),
        perfect_clear=(lines > 0) & settled.is_empty,
        hard_cells=distance,
    )
    lost = _loses(rules, state, pose, rows, lines)
    gained = None
    if reward.can_foretell(choice, rules):
        made_of = reward.rule(choice)
        assert made_of is not None
        left = jnp.where(lost & (state.lives > 1), np.uint32(0), rows)
        after = measures.board_features(rules, tuple(board.columns(rules, left)))
        gained = _reward(rules, made_of, params, weights, state, locked, lost, after)
        gained = jnp.where(state.game_over, 0.0, gained)
    return GhostOutcome(
        reward=gained,
        lines=jnp.where(state.game_over, 0, lines),
        terminated=state.game_over | (lost & (state.lives <= 1)),
    )


def _locks(rules: Rules, state: State, placed: Candidates, boards: measures.Board) -> _Lock:
    """Return the locks, each [A], that leave the boards of placements; none is a spin."""
    return _Lock(
        lines=boards.lines,
        spin=jnp.zeros_like(boards.lines),
        perfect_clear=(boards.lines > 0) & (functools.reduce(jnp.bitwise_or, boards.columns) == 0),
        hard_cells=_hard_cells(rules, state, placed),
    )


def _loses(
    rules: Rules, state: State, pose: Pose, rows: UInt32[Array, "H"], lines: Int32[Array, ""]
) -> Bool[Array, ""]:
    """Tell whether a lock that leaves `rows` loses a life, by what is above and by the next piece."""
    if rules.top_out == "stack":
        return jnp.any(rows[rules.height :] != 0)
    lost = jnp.bool_(False)
    if rules.top_out == "guideline":
        lost = pose.y + jnp.asarray(rules.tables.bottom)[state.piece, pose.orientation] >= rules.height
    if rules.preview == 0:
        return lost
    _, fits = moves.spawn(rules, board.add_walls(rules, rows), state.queue[0], lines > 0)
    return lost | ~fits


def _reward(
    rules: Rules,
    made_of: RewardRule,
    params: Params,
    weights: RewardParams,
    state: State,
    locks: _Lock,  # each [*n]
    lost: Bool[Array, "*n"],
    after: BoardFeatures,
) -> Float32[Array, "*n"]:
    """Return the reward of imagined locks."""
    score = attack = None
    if made_of.score is not None or made_of.attack is not None:
        of_one = functools.partial(_worth, rules, params, state)
        score, attack = (jax.vmap(of_one) if lost.ndim else of_one)(locks)
    found = Prospect(lines=locks.lines, lost=lost, after=after, score=score, attack=attack)
    before = reward.features(rules, state) if made_of.reads_board else None
    return reward.total(reward.placement_terms(made_of, weights, state, before, found))


def _worth(
    rules: Rules, params: Params, state: State, locked: _Lock
) -> tuple[Int32[Array, ""], Int32[Array, ""]]:
    """Return the points and the rows sent of one lock."""
    lines, spin, perfect_clear, hard_cells = locked
    worth = scoring.clear_score(
        lines, spin, perfect_clear, level(params, state), state.combo, state.back_to_back
    )
    rows = scoring.attack(rules, params, lines, spin, perfect_clear, worth)
    return worth.points + scoring.HARD_DROP_POINTS * hard_cells, jnp.sum(rows, dtype=jnp.int32)


def _hard_cells(rules: Rules, state: State, placed: Candidates) -> Int32[Array, "A"]:
    """Return the cells from where each piece enters to where it rests."""
    height = jnp.broadcast_to(state.y, placed.pose.y.shape)
    if rules.hold:
        kind = engine.incoming(rules, state)
        pose, _ = moves.spawn(rules, board.add_walls(rules, state.rows), kind, state.combo >= 0)
        is_held = np.arange(height.shape[0]) >= height.shape[0] // 2
        height = jnp.where(is_held, pose.y, height)
    return jnp.maximum(height - placed.pose.y, 0)


def _scale(
    rules: Rules, placed: Candidates, boards: measures.Board, after: BoardFeatures
) -> Float32[Array, "A 12"]:
    values = {
        "landing_height": placement_features.landing_height(rules, placed),
        "eroded_cells": placement_features.eroded_cells(placed, boards),
        "lines": boards.lines,
        **vars(after),
    }
    columns = [
        jnp.asarray(values[name], jnp.float32) * np.float32(1 / scale)
        for name, scale in AFTERSTATE_FEATURES.items()
    ]
    return jnp.stack(columns, axis=-1)
