"""A game of Tetris shown while it is played, step by step: its cells coloured by their pieces, and what happened."""

from __future__ import annotations

from typing import Any, NamedTuple

from tetrax.env.game.state import LOCK_REASONS
from tetrax.env.tetris import Tetris
from tetrax.view.as_data import scene_data
from tetrax.view.captions import Happening, tell
from tetrax.view.origins import Action, explain_step, first_board
from tetrax.view.scene import Moment, Scene, show_moment


class Shown(NamedTuple):
    """A step as people see it."""

    scene: Scene  # after it
    said: str  # what it did, "" = nothing worth a word
    locked: str | None  # name of the piece that locked; None where none did, or nobody saw which
    why: str | None  # it locked: one of LOCK_REASONS
    lines: int  # that were cleared
    placed: tuple[tuple[int, int], ...]  # cells of the piece that locked, (x, y), before rows were cleared


class Following:
    """Follows one game from a state on; whoever begins elsewhere than at a reset does not know its cells' pieces."""

    def __init__(self, env: Tetris, start: Moment, *, start_level: int = 1) -> None:
        self._env, self._start_level = env, start_level
        self._before, self._steps = start, 0
        self._cells = first_board(env.rules, start)

    @property
    def scene(self) -> Scene:
        """Return the game as it stands."""
        return show_moment(self._env.rules, self._before, self._cells, self._start_level)

    def step(self, after: Moment, happening: Happening, action: int) -> Shown:
        """Go on to the moment after an action; ValueError where no such step leads there."""
        rules = self._env.rules
        acted = Action(self._steps, action, happening.garbage_received, happening.life_lost)
        explained = explain_step(self._env.config, self._cells, self._before, after, acted)
        self._before, self._cells, self._steps = after, explained.cells, self._steps + 1
        kind = explained.kind
        return Shown(
            scene=self.scene,
            said=tell(rules, happening, kind, over=after.game_over),
            locked=rules.pieces[kind].name if 0 <= kind < rules.num_pieces else None,
            why=LOCK_REASONS[happening.lock_reason] if happening.locked else None,
            lines=happening.lines,
            placed=explained.placed,
        )


def step_data(shown: Shown) -> dict[str, Any]:
    """Return a step as JSON values."""
    return {
        "said": shown.said,
        "locked": shown.locked,
        "why": shown.why,
        "lines": shown.lines,
        "scene": scene_data(shown.scene),
    }
