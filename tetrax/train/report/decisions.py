"""What a policy says of its decisions: on the device as arrays, for people and pages as JSON values."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from tetrax.agents.agent import PROBABILITIES, WORTHS
from tetrax.ops.exploration import Decider
from tetrax.search.lines import LINES, Lines
from tetrax.view import planned
from tetrax.view.scene import Moment

MOST_SCORES = 8  # actions whose scores are told
TD_ERROR = "td_error"  # by how much a step brought more than was expected of it
DIGITS = 5  # that are kept of a number


class Decisions(NamedTuple):
    """Decisions of one game; every leaf has the steps [T] first."""

    action: Array  # int32[T]
    num_legal: Array  # int32[T]
    told: dict[str, Array]  # float32[T] by name: the diagnostics of `act`
    # By what the scores of actions are, if there are any: int32[T, N], float32[T, N], those of the highest ones.
    best: dict[str, tuple[Array, Array]]
    best_lines: Lines | None = None  # of those who plan, [T, L, ...]


def summarise(action: Array, legal: Array, diagnostics: dict[str, Array]) -> Decisions:
    """Return what one decision comes to, from what `act` gave of a batch of one: [1], bool[1, A] and [1, ...]."""
    told = {name: value[0] for name, value in diagnostics.items() if name != LINES}
    best = {kind: _best(told.pop(kind), legal[0]) for kind in (PROBABILITIES, WORTHS) if kind in told}
    lines = jax.tree.map(lambda leaf: leaf[0], diagnostics.get(LINES))
    return Decisions(action[0], jnp.sum(legal[0]), told, best, lines)


def held_worth(action: Array, diagnostics: dict[str, Array]) -> Array:
    """Return what one decision was held to be worth, float32[]: the action if each has a worth, else the moment.

    `action`, int32[], need not be the one that `act` chose of its batch of one.
    """
    if WORTHS in diagnostics:
        return diagnostics[WORTHS][0][action]
    return diagnostics["value"][0]


def decision_data(decisions: Decisions, index: int, names: tuple[str, ...] | None) -> dict[str, Any]:
    """Return one decision as JSON values; `names` are those of the actions, where they have any."""
    action, told = int(decisions.action[index]), {name: each[index] for name, each in decisions.told.items()}
    return {
        "action": action,
        "did": names[action] if names is not None else str(action),
        "decider": _decider(told, decisions.best),
        **_scores(decisions.best, index),
        "legal": int(decisions.num_legal[index]),
        **{name: number(value) for name, value in told.items() if name != "decider"},
    }


def lines_data(decisions: Decisions, index: int, rules: Any, moment: Moment) -> dict[str, Any]:
    """Return the best lines of one decision as JSON values, the pieces as they come in the moment before it.

    Where a line goes on after its first placement is told of the board as that leaves it.
    """
    if decisions.best_lines is None:
        return {}
    lines = jax.tree.map(lambda leaf: leaf[index], decisions.best_lines)
    told = []
    for number, worth in enumerate(lines.worth.tolist()):
        if isfinite(worth):
            steps = planned.follow_line(rules, moment, line_steps(lines, number), after_first=True)
            told.append(planned.line_data(rules, steps, worth, int(lines.visits[number])))
    return {LINES: told}


def line_steps(lines: Lines, number: int) -> list[tuple[bool, int, int, int]]:
    """Return the placements of one line of one game: hold, orientation and lower-left corner of each."""
    columns = (lines.use_hold, lines.orientation, lines.x, lines.y)
    steps = zip(*(column[number].tolist() for column in columns), strict=True)
    return [step for step in steps if step[2] >= 0]


def number(value: Any) -> float | None:
    """Return a number as JSON holds it, rounded; None for what is none."""
    return float(f"{float(value):.{DIGITS}g}") if isfinite(value) else None


def _best(scores: Array, legal: Array) -> tuple[Array, Array]:
    """Return the legal actions of the highest scores, int32[N], and these, float32[N]; -inf where there are fewer."""
    values, actions = jax.lax.top_k(jnp.where(legal, scores, -jnp.inf), min(MOST_SCORES, scores.shape[0]))
    return actions, values


def _decider(told: dict[str, Any], best: dict[str, Any]) -> str:
    """Return who decided: as the agent says, else by what it weighs its actions."""
    if "decider" in told:
        return Decider(int(told["decider"])).name.lower()
    return "sampled" if PROBABILITIES in best else "greedy"


def _scores(best: dict[str, tuple[Any, Any]], index: int) -> dict[str, Any]:
    """Return what the scores of actions are, and the highest ones as pairs of action and score."""
    for kind, (actions, values) in best.items():
        pairs = zip(actions[index].tolist(), values[index].tolist(), strict=True)
        return {
            "kind": kind,
            "scores": [[action, number(value)] for action, value in pairs if isfinite(value)],
        }
    return {"kind": None, "scores": []}
