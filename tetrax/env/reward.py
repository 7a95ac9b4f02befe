"""Rewards: what a step was worth, as a sum of weighted terms; by name, as a record, or as a function."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.env.game import board, measures
from tetrax.env.game.measures import BoardFeatures
from tetrax.env.game.pieces import as_tuple
from tetrax.env.game.rules import LINES_PER_LEVEL, Rules, check_choice
from tetrax.env.game.state import Event, State

RewardName = Literal[
    "lines_only",
    "standard",
    "survival",
    "stacking",
    "score",
    "attack",
    "potential",
    "shaped_lines",
    "penalties",
]
RewardFunction = Callable[..., Array]  # (rules, params: EnvParams, before, after, event) -> float32[]

CHANGES = ("aggregate_height", "holes", "bumpiness")  # of the board, as terms of their own
POTENTIALS = tuple(f"potential_{name}" for name in CHANGES)


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name}: given {value!r}; allowed: a finite number")


@dataclass(frozen=True)
class RewardRule:
    """What a reward is made of. A number is the weight that a term starts with; None leaves it out.

    What is left out is not compiled and has no weight in `RewardParams`. ValueError names a field that
    cannot be.
    """

    line_values: tuple[float, ...] = (0, 1, 2, 3, 4)
    """Value of a lock by the lines it clears, from none; more lines count as the last."""
    by_level: bool = False
    """Whether that value is multiplied by lines // 10 + 1, from the lines before the clear."""
    lines: float = 0.0
    """Weight of the value of the lines cleared."""
    piece: float = 0.0
    """Weight of a piece that locks."""
    game_over: float = 0.0
    """Weight of a loss, of each life."""
    hold_refused: float | None = None
    """Weight of a hold that is asked for and not allowed."""
    early_loss: float | None = None
    """Weight of max(0, 1 - pieces / early_loss_pieces) at a loss: nothing is paid for playing on."""
    early_loss_pieces: float = 100.0
    """Pieces after which a loss is not early."""
    score: float | None = None
    """Weight of a point of the score."""
    attack: float | None = None
    """Weight of a row sent, before it cancels any that wait."""
    aggregate_height: float | None = None
    """Weight of the change of the sum of the column heights (cells)."""
    holes: float | None = None
    """Weight of the change of the number of holes (cells)."""
    bumpiness: float | None = None
    """Weight of the change of the sum of the steps between neighbouring columns (cells)."""
    potential_aggregate_height: float | None = None
    """Weight of the sum of the column heights in the potential (cells)."""
    potential_holes: float | None = None
    """Weight of the number of holes in the potential (cells)."""
    potential_bumpiness: float | None = None
    """Weight of the sum of the steps between neighbouring columns in the potential (cells)."""
    discount: float = 0.99
    """Discount of the shaping by that potential: it must be the agent's."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "line_values", as_tuple(self.line_values))
        if not isinstance(self.line_values, tuple) or not self.line_values:
            raise ValueError(
                f"line_values: given {self.line_values!r}; allowed: a tuple of one number or more"
            )
        for value in self.line_values:
            _check_number("line_values", value)
        if not isinstance(self.by_level, bool):
            raise ValueError(f"by_level: given {self.by_level!r}; allowed: True or False")
        for field in dataclasses.fields(self)[2:]:
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                _check_number(field.name, value)
        if not 0 <= self.discount <= 1:
            raise ValueError(f"discount: given {self.discount}; allowed: a number from 0 to 1")
        if self.early_loss_pieces <= 0:
            raise ValueError(
                f"early_loss_pieces: given {self.early_loss_pieces}; allowed: more than 0 pieces"
            )

    @property
    def shaped(self) -> bool:
        """Return whether there is shaping by a potential."""
        return any(getattr(self, name) is not None for name in POTENTIALS)

    @property
    def reads_board(self) -> bool:
        """Return whether the board's height, holes and bumpiness count."""
        return self.shaped or any(getattr(self, name) is not None for name in CHANGES)

    @property
    def weights(self) -> dict[str, float]:
        """Return the numbers that may change without recompiling, by name: the fields of `RewardParams`."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[2:]}
        if not self.shaped:
            del values["discount"]
        if self.early_loss is None:
            del values["early_loss_pieces"]
        return {name: float(value) for name, value in values.items() if value is not None}


RewardChoice = RewardName | RewardRule | RewardFunction  # what a configuration may name

REWARDS: dict[str, RewardRule] = {
    "lines_only": RewardRule(line_values=(0, 1, 3, 5, 8), by_level=True, lines=1.0),
    "standard": RewardRule(
        line_values=(0, 3, 5, 8, 12),
        by_level=True,
        lines=1.0,
        game_over=-100.0,
        aggregate_height=-0.5,
        holes=-0.5,
        bumpiness=-0.5,
    ),
    # Lines at one point each and a loss worth ten lines: the same at every level, so that a value
    # learned early in a game holds late in it.
    "survival": RewardRule(lines=1.0, game_over=-10.0),
    # Every piece raises the stack by four cells, which `standard` counts as a loss: an agent on keys then
    # learns to wait. Here a piece laid flat is worth one point, so that playing on is worth more.
    "stacking": RewardRule(
        line_values=(0, 3, 5, 8, 12),
        lines=1.0,
        piece=3.0,
        game_over=-10.0,
        aggregate_height=-0.5,
        holes=-0.5,
        bumpiness=-0.5,
    ),
    # A single line on level 1 is worth one.
    "score": RewardRule(score=0.01),
    "attack": RewardRule(attack=1.0),
    # `survival`, and the way to it shown by a potential that changes no policy. The weights are in the
    # proportion of those of `standard`; a new hole costs as much as a tenth of a line.
    "potential": RewardRule(
        lines=1.0,
        game_over=-10.0,
        potential_aggregate_height=-0.02,
        potential_holes=-0.1,
        potential_bumpiness=-0.02,
    ),
    # Lines, and the way to them: a piece is worth as much as random play loses by it in height, holes and bumpiness, so
    # that it does not pay to lose early. A potential would give back at a loss what a bad board had cost, which agents
    # that clear no line yet learn sooner than anything else.
    "shaped_lines": RewardRule(
        line_values=(0, 1, 3, 5, 8),
        lines=1.0,
        piece=0.3,
        aggregate_height=-0.01,
        holes=-0.05,
        bumpiness=-0.01,
    ),
    # Lines alone are worth something; a loss costs the more the earlier it comes, and nothing once a
    # hundred pieces are placed, so that it never pays to wait.
    "penalties": RewardRule(lines=1.0, hold_refused=-0.1, early_loss=-10.0),
}


class RewardTerms(struct.PyTreeNode):
    """The weighted terms of a reward, each float32[*n], None where it is left out; their sum is the reward."""

    lines: Array | None = None  # lines cleared, by the rule's table and level factor
    piece: Array | None = None  # a piece was placed
    game_over: Array | None = None  # a life was lost
    hold_refused: Array | None = None  # hold was asked for and not allowed
    early_loss: Array | None = None  # a life was lost before many pieces were placed
    score: Array | None = None  # points gained
    attack: Array | None = None  # rows sent, before cancelling
    aggregate_height: Array | None = None  # change of the sum of column heights
    holes: Array | None = None  # change of the number of holes
    bumpiness: Array | None = None  # change of the sum of steps between neighbouring columns
    shaping: Array | None = None  # discount x the potential after - the potential before
    injected: Array | None = None  # what a function gave


class RewardParams(struct.PyTreeNode):
    """Weights of the terms, each float32[], None where the term is left out; they may change any time."""

    lines: Array | None = None
    piece: Array | None = None
    game_over: Array | None = None
    hold_refused: Array | None = None
    early_loss: Array | None = None
    early_loss_pieces: Array | None = None  # pieces
    score: Array | None = None
    attack: Array | None = None
    aggregate_height: Array | None = None
    holes: Array | None = None
    bumpiness: Array | None = None
    potential_aggregate_height: Array | None = None
    potential_holes: Array | None = None
    potential_bumpiness: Array | None = None
    discount: Array | None = None  # of the shaping; the agent's
    injected: Array | None = None  # of what a function gives


class Prospect(NamedTuple):
    """What can be known of a placement before it is made; `score` and `attack` only if the rule asks."""

    lines: Int32[Array, "*n"]
    lost: Bool[Array, "*n"]  # a life is lost
    after: BoardFeatures  # each int32[*n], of the board it leaves, empty where play goes on after a loss
    score: Int32[Array, "*n"] | None
    attack: Int32[Array, "*n"] | None


def check(choice: object) -> None:
    """Raise a ValueError unless a reward is one that `EnvConfig.reward` may name."""
    if not isinstance(choice, RewardRule) and not callable(choice):
        check_choice("env.reward", choice, tuple(REWARDS))


def rule(choice: RewardChoice) -> RewardRule | None:
    """Return what a reward is made of; None for a function."""
    if isinstance(choice, str):
        return REWARDS[choice]
    return choice if isinstance(choice, RewardRule) else None


def can_foretell(choice: RewardChoice, rules: Rules, spins: bool = False) -> bool:
    """Tell whether the reward of a placement is known before it is made.

    That of a function is not, nor what depends on the board where garbage may enter under it, nor, where placements
    may be `spins`, what a spin scores or sends.
    """
    made_of = rule(choice)
    if made_of is None or (rules.garbage and made_of.reads_board):
        return False
    return not spins or (made_of.score is None and made_of.attack is None)


def default_params(choice: RewardChoice) -> RewardParams:
    """Return the weights that a reward starts with."""
    made_of = rule(choice)
    weights = {"injected": 1.0} if made_of is None else made_of.weights
    return RewardParams(**{name: jnp.float32(weight) for name, weight in weights.items()})


def total(terms: RewardTerms) -> Array:
    """Return the reward, float32[*n]: the sum of its terms."""
    return sum(jax.tree.leaves(terms), start=jnp.float32(0))


def terms(
    made_of: RewardRule, rules: Rules, params: RewardParams, before: State, after: State, event: Event
) -> RewardTerms:
    """Return the terms of the step that led from one state to the next."""
    boards = (features(rules, before), features(rules, after)) if made_of.reads_board else None
    happened = _Step(
        lines=event.lines,
        placed=event.locked,
        lost=event.life_lost,
        pieces=after.pieces,
        hold_refused=event.hold_refused,
        score=event.score,
        attack=jnp.sum(event.attack, axis=-1, dtype=jnp.int32),
    )
    return _terms(made_of, params, before, happened, boards, after.game_over)


def placement_terms(
    made_of: RewardRule, params: RewardParams, state: State, before: BoardFeatures | None, found: Prospect
) -> RewardTerms:
    """Return the terms that each placement would bring, [*n]; `before` only if the rule reads the board."""
    happened = _Step(
        lines=found.lines,
        placed=jnp.ones_like(found.lost),
        lost=found.lost,
        pieces=state.pieces + 1,
        hold_refused=jnp.zeros_like(found.lost),
        score=found.score,
        attack=found.attack,
    )
    boards = None if before is None else (before, found.after)
    return _terms(made_of, params, state, happened, boards, found.lost & (state.lives <= 1))


def injected_terms(params: RewardParams, before: State, given: Any) -> RewardTerms:
    """Return what a reward function gave as the only term; nothing after the end."""
    shape = jnp.shape(given)
    if shape:
        raise ValueError(f"env.reward: given a function that returns shape {shape}; allowed: one float32[]")
    value = jnp.where(before.game_over, jnp.float32(0), jnp.asarray(given).astype(jnp.float32))
    return RewardTerms(injected=_weight(params, "injected") * value)


def features(rules: Rules, state: State) -> BoardFeatures:
    """Measure the locked cells of a state."""
    return measures.board_features(rules, tuple(board.columns(rules, state.rows)))


class _Step(NamedTuple):
    lines: Int32[Array, "*n"]
    placed: Bool[Array, "*n"]
    lost: Bool[Array, "*n"]
    pieces: Int32[Array, ""]  # locked so far, this one included
    hold_refused: Bool[Array, "*n"]
    score: Int32[Array, "*n"] | None
    attack: Int32[Array, "*n"] | None


def _terms(
    made_of: RewardRule,
    params: RewardParams,
    before: State,
    step: _Step,
    boards: tuple[BoardFeatures, BoardFeatures] | None,
    ended: Bool[Array, "*n"],
) -> RewardTerms:
    values = np.array(made_of.line_values, np.float32)
    worth = jnp.asarray(values)[jnp.minimum(step.lines, len(values) - 1)]
    if made_of.by_level:
        worth *= (before.lines // LINES_PER_LEVEL + 1).astype(jnp.float32)
    lost = step.lost.astype(jnp.float32)
    amounts: dict[str, Array | None] = {
        "lines": worth,
        "piece": step.placed,
        "game_over": lost,
        "hold_refused": step.hold_refused,
        "score": step.score,
        "attack": step.attack,
    }
    if made_of.early_loss is not None:
        played = step.pieces.astype(jnp.float32) / jnp.maximum(_weight(params, "early_loss_pieces"), 1e-6)
        amounts["early_loss"] = lost * jnp.maximum(0.0, 1.0 - played)
    if boards is not None:
        amounts |= {name: getattr(boards[1], name) - getattr(boards[0], name) for name in CHANGES}
    weighted = {
        name: _weight(params, name) * amount.astype(jnp.float32)
        for name, amount in amounts.items()
        if amount is not None and getattr(made_of, name) is not None
    }
    if made_of.shaped and boards is not None:
        phi_before = _potential(params, boards[0], before.game_over)
        weighted["shaping"] = _weight(params, "discount") * _potential(params, boards[1], ended) - phi_before
    return RewardTerms(**weighted)


def _potential(
    params: RewardParams, measured: BoardFeatures, ended: Bool[Array, "*n"]
) -> Float32[Array, "*n"]:
    """Return the potential of a board; 0 after the end, or else shaping would change what is best.

    Ng, Harada and Russell (1999), theorem 1: any function of the state leaves the best policy as it is
    if it is 0 where nothing follows.
    """
    parts = [
        weight * getattr(measured, name).astype(jnp.float32)
        for name, weight in ((name, getattr(params, f"potential_{name}")) for name in CHANGES)
        if weight is not None
    ]
    return jnp.where(ended, 0.0, sum(parts[1:], start=parts[0]))


def _weight(params: RewardParams, name: str) -> Array:
    """Return a weight; ValueError where the params were made for another reward."""
    weight = getattr(params, name)
    if weight is None:
        raise ValueError(
            f"params.reward.{name}: given None; allowed: a weight, as in this environment's default_params"
        )
    return jnp.asarray(weight)
