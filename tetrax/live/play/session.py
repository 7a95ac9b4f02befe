"""A game that is being played: tick by tick, with its colours, its recording, and the way back to earlier pieces."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tetrax.env import record
from tetrax.env.record import Recording
from tetrax.live.play.one_board import OneBoard, Played
from tetrax.view.captions import tell
from tetrax.view.origins import Action, explain_step, first_board
from tetrax.view.scene import Scene, show_moment

UNDO_DEPTH = 500  # pieces that can be taken back


class Mark(NamedTuple):
    """How a game stood when a piece entered."""

    played: Played
    cells: np.ndarray
    length: int  # actions so far
    keys: int


class Session:
    """A game in progress. What it shows and saves is that of its actions, of which undoing takes some back."""

    def __init__(self, board: OneBoard, key_data: np.ndarray, *, can_undo: bool = False) -> None:
        self.board, self.key_data = board, np.asarray(key_data, np.uint32)
        key = jax.random.wrap_key_data(jnp.asarray(self.key_data), impl="threefry2x32")
        self.played = board.first(key)
        self.cells = first_board(board.rules, self.played.moment)
        self.actions: list[int] = []
        self.rows = [self.played.rows]
        self.keys = 0  # pressed so far
        self.caption = ""  # what happened last
        self.marks: deque[Mark] = deque(maxlen=UNDO_DEPTH)
        self.can_undo = can_undo
        self._mark()

    @property
    def ticks(self) -> int:
        """Return how many ticks were played."""
        return len(self.actions)

    @property
    def lost(self) -> bool:
        """Tell whether the game is lost."""
        return self.played.moment.game_over

    def play(self, keys: frozenset[str], presses: int = 0) -> str:
        """Play a tick with these keys; return the caption of what happened, "" for nothing worth a word."""
        if self.lost:
            return ""
        before, action = self.played, self.board.action(keys)
        played = self.board.step(before.state, action)
        after, happening = played.moment, played.happening
        cells, kind = self.cells, -1
        if happening.locked or happening.garbage_received or happening.life_lost:
            did = Action(len(self.actions), action, happening.garbage_received, happening.life_lost)
            step = explain_step(self.board.env.config, cells, before.moment, after, did)
            cells, kind = step.cells, step.kind
        self.played, self.cells = played, cells  # together: somebody else may be drawing them
        self.actions.append(action)
        self.rows.append(self.played.rows)
        self.keys += presses
        said = tell(self.board.rules, happening, kind, over=after.game_over)
        self.caption = said or self.caption
        if happening.locked and not after.game_over:
            self._mark()
        return said

    def undo(self) -> bool:
        """Take the last locked piece back; return whether there was one. The recording ends there, too."""
        if not self.can_undo:
            return False
        if not self.lost and len(self.marks) > 1:
            self.marks.pop()  # that of the piece that is active now
        mark = self.marks[-1]
        if mark.length == len(self.actions):
            return False
        self.played, self.cells, self.keys = mark.played, mark.cells, mark.keys
        del self.actions[mark.length :], self.rows[mark.length + 1 :]
        self.caption = ""
        return True

    def scene(self) -> Scene:
        """Show the game as it stands."""
        return show_moment(self.board.rules, self.played.moment, self.cells, self.board.start_level)

    def recording(self) -> Recording:
        """Return the game so far; nothing is played again for it."""
        rows = np.frombuffer(b"".join(self.rows), "<u4").reshape(len(self.rows), -1)
        env, params = self.board.env, self.board.params
        return record.keep(env.config, params, self.key_data, self.actions, rows, self.played.state)

    def _mark(self) -> None:
        if self.can_undo or not self.marks:
            self.marks.append(Mark(self.played, self.cells, len(self.actions), self.keys))
