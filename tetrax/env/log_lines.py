"""The lines of the game's log as plain values: what happened in a step, and what a game or a piece has come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax import Array

from tetrax.env.contract import RETURN, STEPS
from tetrax.env.game.state import GAME_OVER_REASONS, LOCK_REASONS, SPINS, Event
from tetrax.env.game.vector import describe
from tetrax.env.log_steps import Steps
from tetrax.env.tetris import Tetris

Line = dict[str, Any]
# Of what is counted, what one piece brings; the rest of its line is in the event of the step that locked it.
OF_A_PIECE = (
    "score", "soft_cells", "hard_cells", "attack", "sent", "garbage_received", "garbage_cleared", "holds_refused",
)  # fmt: skip


@dataclass
class Totals:
    """Running sums of B games."""

    steps: np.ndarray  # int64[B]
    returns: np.ndarray  # float64[B]
    counts: dict[str, np.ndarray]  # int64[B] by name, once a step was counted

    @classmethod
    def start(cls, boards: int) -> Totals:
        """Begin at nothing."""
        return cls(np.zeros(boards, np.int64), np.zeros(boards), {})

    def add(self, steps: Steps, t: int, where: np.ndarray) -> None:
        """Add step t of some games."""
        self.steps += where
        self.returns += np.where(where, steps.rewards[t], 0.0)
        for name, column in steps.counts.items():
            self.counts.setdefault(name, np.zeros_like(self.steps))
            self.counts[name] += np.where(where, column[t], 0)

    def clear(self, where: np.ndarray) -> None:
        """Begin again in some games."""
        for column in (self.steps, self.returns, *self.counts.values()):
            column[where] = 0

    def of(self, board: int, names: Sequence[str] | None = None) -> Line:
        """Return the sums of one game, all or those named."""
        named = self.counts if names is None else {name: self.counts[name] for name in names}
        line = {STEPS: int(self.steps[board])} | {name: int(column[board]) for name, column in named.items()}
        return line | {RETURN: plain(self.returns[board])}


def tell_step(game: Any, steps: Steps, t: int, board: int, before: np.ndarray) -> Line:
    """Return the action of a step, its reward and what happened; `before` are the pieces shown before it."""
    name = name_action(game, int(steps.actions[t, board]))
    line = {"action": name, "reward": plain(steps.rewards[t, board])}
    event, at = steps.event, (t, board)
    if not isinstance(event, Event):
        return line | {measure: int(column[at]) for measure, column in steps.counts.items()}
    locked, lost, refused = bool(event.locked[at]), bool(event.life_lost[at]), bool(event.hold_refused[at])
    kind = _find_kind(game, name, refused, before) if locked else None
    return line | {
        "locked": locked,
        "piece": None if kind is None else game.rules.pieces[kind].name,
        "lock_reason": LOCK_REASONS[int(event.lock_reason[at])] if locked else None,
        "lines": int(event.lines[at]),
        "spin": SPINS[int(event.spin[at])],
        "combo": int(event.combo[at]),
        "back_to_back": bool(event.back_to_back[at]),
        "perfect_clear": bool(event.perfect_clear[at]),
        **{name: int(steps.counts[name][at]) for name in OF_A_PIECE if name != "holds_refused"},
        "hold_refused": refused,
        "life_lost": lost,
        "loss": GAME_OVER_REASONS[int(event.game_over[at])] if lost else None,
    }


def tell_piece(step: Line, number: int, totals: Line) -> Line:
    """Return the line of a piece from that of the step that locked it, and the sums since the piece before it."""
    names = ("piece", "action", "lock_reason", "lines", "spin", "combo", "back_to_back", "perfect_clear")
    return {"number": number} | {name: step[name] for name in names} | totals


def name_action(game: Any, action: int) -> str | int:
    """Return the name of an action, of one outside of 0..A-1 that of the action played in its place, or its number."""
    if not isinstance(game, Tetris):
        return action
    return game.action_names[min(max(action, 0), game.num_actions - 1)]


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: arrays as lists, null for what is no finite number. TypeError for others."""
    if isinstance(value, np.generic | np.ndarray | Array):
        value = np.asarray(value).tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    raise TypeError(
        f"extra: given {describe(value)}; allowed: numbers, words, arrays, lists and dicts of them"
    )


def _find_kind(game: Tetris, action: str | int, hold_refused: bool, before: np.ndarray) -> int | None:
    """Return the kind that locked in a step; None where no preview showed it before."""
    active, held, *queue = before.tolist()
    # "hold_drop_R_4" and "left+hold" hold first.
    holds = "hold" in str(action).replace("+", "_").split("_") and not hold_refused
    if not holds:
        return active
    if held < game.rules.num_pieces:
        return held
    return queue[0] if queue else None
