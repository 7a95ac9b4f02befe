"""The game's own log: JSON lines of episodes, pieces or ticks, to a file or to a function. It needs no agent.

`log_game` writes down a recording. A `GameLog` is for those who step environments themselves, one board or many: it is
handed what a step gave back, one step or a whole scan at a time, and knows which game of which board that was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tetrax.env.contract import Environment, TimeStep, check_game
from tetrax.env.game.rules import check_choice
from tetrax.env.game.vector import describe
from tetrax.env.log_lines import OF_A_PIECE, Line, Totals, plain, tell_piece, tell_step
from tetrax.env.log_steps import Moment, Steps, find_game, find_reset, read_replay, read_timesteps
from tetrax.env.record import Recording, Replay, replay
from tetrax.env.tetris import Tetris
from tetrax.env.wrappers import LateReset
from tetrax.system import disk

LEVELS = ("episodes", "pieces", "ticks")  # each writes what those before it write, too
To = str | Path | Callable[[Line], object]
Extra = Callable[[Line, Moment], Mapping[str, Any]]


def log_game(
    game: Recording | Replay, to: To, *, level: str = "episodes", extra: Extra | None = None
) -> None:
    """Write down a recorded game as a `GameLog` would have while it was played; its moments have their states."""
    replayed = replay(game)
    first, steps = read_replay(replayed)
    log = GameLog(Tetris(replayed.recording.config), to, level=level, extra=extra)
    log.begin_with(first)
    log.write_steps(steps)
    log.finish()


class GameLog:
    """Writes what happens in games that somebody steps, wrapped or not, as one JSON object a line.

    `to` is a file, which is appended to, or a function that is given each object. At level "episodes" there is a line
    for each game that ended, at "pieces" one for each piece that locked, too, at "ticks" one for each step, too.
    `extra` is given a line and its `Moment` and returns what to add. Where the environment starts the next game by
    itself (`AutoReset`, `LateReset`) the log follows; elsewhere a board's game is over until `begin` is called again.
    """

    def __init__(
        self, env: Environment, to: To, *, level: str = "episodes", extra: Extra | None = None
    ) -> None:
        check_game(find_game(env))
        check_choice("level", level, LEVELS)
        if extra is not None and not callable(extra):
            raise TypeError(f"extra: given {describe(extra)}; allowed: a function of a line and its moment")
        self._game, self._reset = find_game(env), find_reset(env)
        if level == "pieces" and not isinstance(self._game, Tetris):
            raise ValueError("level: given 'pieces' of a game that has none; allowed: episodes, ticks")
        self._file = None if callable(to) else _check_file(to)
        self._tell = to if callable(to) else None
        self._level, self._extra = LEVELS.index(level), extra
        self._pieces: np.ndarray | None = None  # shown before the next step, as `begin` was given them

    def begin(self, timesteps: TimeStep) -> None:
        """Start with what `reset` gave, of one board or of B; games that were running are finished first."""
        _check_timesteps(timesteps)
        self.finish()
        self.begin_with(np.asarray(timesteps.observation.pieces, np.int64))

    def begin_with(self, pieces: np.ndarray) -> None:
        """Start with the pieces that are shown at first, as `Observation.pieces` has them: [2 + P] or [B, 2 + P]."""
        self._pieces = pieces
        boards = int(np.prod(pieces.shape[:-1]))
        self._episode, self._piece = Totals.start(boards), Totals.start(boards)
        self._number = np.zeros(boards, np.int64)  # of the game on each board
        self._plays = np.ones(boards, bool)

    def write(self, actions: Any, timesteps: TimeStep, states: Any = None) -> None:
        """Write down steps: actions and what `step` gave back, of one step ([] or [B]) or of T ([T] or [T, B]).

        `states`, or anything else with these axes, is handed on to `extra`.
        """
        _check_timesteps(timesteps)
        if self._pieces is None:
            raise ValueError("write: given steps of games that nobody began; allowed: begin(timesteps) first")
        self.write_steps(read_timesteps(self._game, self._pieces, actions, timesteps, states))

    def write_steps(self, steps: Steps) -> None:
        """Write down steps that have been read."""
        assert self._pieces is not None
        before = self._pieces.reshape(len(self._plays), -1)
        lines: list[Line] = []
        for t in range(len(steps.actions)):
            lines += self._count(steps, t, before)
            before = steps.pieces[t]
        self._pieces = before.reshape(self._pieces.shape)
        self._put(lines)

    def finish(self) -> None:
        """Write down what the running games have come to so far, as "unfinished"; `begin` starts others."""
        if self._pieces is None:
            return
        self._pieces = None
        running = np.flatnonzero(self._plays & (self._episode.steps > 0)).tolist()
        self._put([self._tell_episode(board, "unfinished", {"loss": None}) for board in running])

    def _count(self, steps: Steps, t: int, before: np.ndarray) -> Iterator[Line]:
        """Count step t of every game that runs, and yield its lines, board by board."""
        plays = self._plays
        done = plays & (steps.terminated[t] | steps.truncated[t])
        is_tetris = isinstance(self._game, Tetris)
        locked = plays & (steps.counts["pieces"][t] > 0) if is_tetris else np.zeros_like(done)
        self._episode.add(steps, t, plays)
        self._piece.add(steps, t, plays)
        for board in np.flatnonzero((done, done | locked, plays)[self._level]).tolist():
            yield from self._lines(steps, t, board, before[board], bool(locked[board]), bool(done[board]))
        self._piece.clear(locked | done)
        self._episode.clear(done)
        self._number += done
        if self._reset is None:
            self._plays = plays & ~done
        elif self._reset is LateReset:
            self._plays = ~done  # the step after the end only starts a game

    def _lines(
        self, steps: Steps, t: int, board: int, before: np.ndarray, locked: bool, done: bool
    ) -> Iterator[Line]:
        """Yield the lines of one step of one game: of the tick, of the piece that locked, of the game that ended."""
        step, where = tell_step(self._game, steps, t, board, before), self._place(board)
        moment = None if self._extra is None else steps.moment(t, board)
        if self._level >= LEVELS.index("ticks"):
            number = int(self._episode.steps[board])
            yield self._add_extra({"kind": "tick", **where, "step": number, **step}, moment)
        if self._level >= LEVELS.index("pieces") and locked:
            number = int(self._episode.counts["pieces"][board])
            line = tell_piece(step, number, self._piece.of(board, OF_A_PIECE))
            yield self._add_extra({"kind": "piece", **where, **line}, moment)
        if done:
            end = "terminated" if steps.terminated[t, board] else "truncated"
            yield self._add_extra(self._tell_episode(board, end, step), moment)

    def _tell_episode(self, board: int, end: str, last: Line) -> Line:
        """Return the line of a game, whose last step was told as `last`."""
        loss = {"loss": last["loss"]} if isinstance(self._game, Tetris) else {}
        return {"kind": "episode", **self._place(board), "end": end, **loss, **self._episode.of(board)}

    def _place(self, board: int) -> Line:
        return {"board": board, "game": int(self._number[board])}

    def _add_extra(self, line: Line, moment: Moment | None) -> Line:
        if self._extra is None or moment is None:
            return line
        added = self._extra(dict(line), moment)
        if not isinstance(added, Mapping):
            raise TypeError(
                f"extra: given {describe(added)} back; allowed: a dict of what to add to the line"
            )
        taken = sorted({str(name) for name in added} & set(line))
        if taken:
            raise ValueError(f"extra: given {taken[0]!r}, which the line has; allowed: other names")
        return line | plain(added)

    def _put(self, lines: list[Line]) -> None:
        """Hand each line to the function, or append all of them to the file in one go."""
        if self._tell is not None:
            for line in lines:
                self._tell(line)
        elif self._file is not None and lines:
            disk.append(self._file, "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))


def _check_file(to: object) -> Path:
    """Return the path of a file to be appended to; ValueError where its folder is missing, or it is a folder."""
    path = disk.as_path(to, "to")
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"to: given {str(path)!r}; allowed: a file in a folder that exists, or a function")
    return path


def _check_timesteps(timesteps: object) -> None:
    if not isinstance(timesteps, TimeStep):
        raise TypeError(
            f"timesteps: given {describe(timesteps)}; allowed: a TimeStep, as reset and step give"
        )
