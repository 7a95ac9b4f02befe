"""Rewards by name: what a step was worth, as a sum of weighted terms."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Int32

from tetrax.env.game import board, measures
from tetrax.env.game.measures import BoardFeatures
from tetrax.env.game.rules import LINES_PER_LEVEL, Rules
from tetrax.env.game.state import Event, State


class RewardTerms(struct.PyTreeNode):
    """The weighted terms of a reward, each float32[*n]; their sum is the reward."""

    lines: Array  # lines cleared, by the name's table and level factor
    piece: Array  # a piece was placed
    game_over: Array  # the game was lost
    aggregate_height: Array  # change of the sum of column heights
    holes: Array  # change of the number of holes
    bumpiness: Array  # change of the sum of steps between neighbouring columns


class RewardParams(struct.PyTreeNode):
    """Weights of the terms, each float32[]; they may change without recompiling."""

    lines: Array
    piece: Array
    game_over: Array
    aggregate_height: Array
    holes: Array
    bumpiness: Array


class RewardRule(NamedTuple):
    """What is static in a named reward, and the default weights."""

    line_values: tuple[float, ...]  # by lines cleared at once, 0 to 4
    by_level: bool  # times (lines // 10 + 1), from the lines before the clear
    shaped: bool  # whether the board's height, holes and bumpiness count
    weights: dict[str, float]  # of RewardParams; what is missing is 0


REWARDS: dict[str, RewardRule] = {
    "lines_only": RewardRule((0, 1, 3, 5, 8), True, False, {"lines": 1.0}),
    "standard": RewardRule(
        (0, 3, 5, 8, 12),
        True,
        True,
        {
            "lines": 1.0,
            "game_over": -100.0,
            "aggregate_height": -0.5,
            "holes": -0.5,
            "bumpiness": -0.5,
        },
    ),
    # Lines at one point each and a loss worth ten lines: the same at every level, so that a value
    # learned early in a game holds late in it.
    "survival": RewardRule((0, 1, 2, 3, 4), False, False, {"lines": 1.0, "game_over": -10.0}),
    # Every piece raises the stack by four cells, which `standard` counts as a loss: an agent on keys then
    # learns to wait. Here a piece laid flat is worth one point, so that playing on is worth more.
    "stacking": RewardRule(
        (0, 3, 5, 8, 12),
        False,
        True,
        {
            "lines": 1.0,
            "piece": 3.0,
            "game_over": -10.0,
            "aggregate_height": -0.5,
            "holes": -0.5,
            "bumpiness": -0.5,
        },
    ),
}


def default_params(name: str) -> RewardParams:
    """Return the weights of a named reward."""
    weights = REWARDS[name].weights
    return RewardParams(
        **{field: jnp.float32(weights.get(field, 0.0)) for field in RewardParams.__annotations__}
    )


def total(terms: RewardTerms) -> Array:
    """Return the reward, float32[*n]: the sum of its terms."""
    return sum(jax.tree.leaves(terms), start=jnp.float32(0))


def terms(
    name: str, rules: Rules, params: RewardParams, before: State, after: State, event: Event
) -> RewardTerms:
    """Return the terms of the step that led from one state to the next."""
    boards = None
    if REWARDS[name].shaped:
        boards = (features(rules, before), features(rules, after))
    ended = after.game_over & ~before.game_over
    return _terms(name, params, before.lines, event.lines, event.locked, ended, boards)


def placement_terms(
    name: str,
    params: RewardParams,
    state: State,
    lines: Int32[Array, "A"],
    ended: Bool[Array, "A"],
    before: BoardFeatures,
    after: BoardFeatures,
) -> RewardTerms:
    """Return the terms that each placement would bring, [A]."""
    placed = jnp.ones_like(ended)
    boards = (before, after) if REWARDS[name].shaped else None
    return _terms(name, params, state.lines, lines, placed, ended, boards)


def features(rules: Rules, state: State) -> BoardFeatures:
    """Measure the locked cells of a state."""
    return measures.board_features(rules, tuple(board.columns(rules, state.rows)))


def _terms(
    name: str,
    params: RewardParams,
    lines_before: Int32[Array, ""],
    lines: Int32[Array, "*n"],
    placed: Bool[Array, "*n"],
    ended: Bool[Array, "*n"],
    boards: tuple[BoardFeatures, BoardFeatures] | None,
) -> RewardTerms:
    rule = REWARDS[name]
    values = np.array(rule.line_values, np.float32)
    cleared = jnp.asarray(values)[jnp.minimum(lines, len(values) - 1)]
    if rule.by_level:
        cleared *= (lines_before // LINES_PER_LEVEL + 1).astype(jnp.float32)
    change = {"aggregate_height": 0.0, "holes": 0.0, "bumpiness": 0.0}
    if boards is not None:
        before, after = boards
        change = {
            field: (getattr(after, field) - getattr(before, field)).astype(jnp.float32) for field in change
        }
    nothing = jnp.zeros_like(cleared)
    return RewardTerms(
        lines=params.lines * cleared,
        piece=params.piece * placed.astype(jnp.float32),
        game_over=params.game_over * ended.astype(jnp.float32),
        aggregate_height=nothing + params.aggregate_height * change["aggregate_height"],
        holes=nothing + params.holes * change["holes"],
        bumpiness=nothing + params.bumpiness * change["bumpiness"],
    )
