"""Tetris as gymnasium environments.

`import tetrax` registers them: `gymnasium.make("tetrax/Tetris-v1", preset="mini")`, and
`gymnasium.make_vec("tetrax/Tetris-v1", num_envs=64)` for many boards in one compiled step. gymnasium can do
the import itself: `gymnasium.make("tetrax:tetrax/Tetris-v1")`.
"""

import operator
import sys
import time
from typing import Any

import numpy as np

from tetrax.adapters.forks import check_not_forked
from tetrax.adapters.pickling import pack, unpack
from tetrax.adapters.programs import Board, programs
from tetrax.adapters.views import View, make_view
from tetrax.env.game.rules import check_choice
from tetrax.env.game.state import State
from tetrax.fields.errors import missing
from tetrax.view.render import render, render_rgb

try:
    import gymnasium
    from gymnasium import spaces
    from gymnasium.error import ResetNeeded
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(missing("gymnasium")) from error

FRAMES_PER_SECOND = 10  # the ticks that agents are given in a second
CLEAR_SCREEN = "\x1b[H\x1b[2J"
NO_RESET = "step(), render() and action_masks() need reset() first"
NO_RENDER_MODE = "render() was called without a render mode; give one to make(): render_mode='ansi'"
GAME_OVER = "step() was called after the end of the game; nothing happens before reset()"


class TetrisEnv(gymnasium.Env[np.ndarray, np.int64]):
    """One board.

    `info` holds `action_mask` (int8[A], 1 = legal, as `action_space.sample(mask)` wants it), and `lines`,
    `pieces` and `score` of the game so far. With `episode_statistics` it holds at the end of a game what gymnasium's
    `RecordEpisodeStatistics` would add, and refuses to find there: `episode`, of the return `r`, the steps `l` and the
    seconds `t`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  the type that gymnasium gives it
        "render_modes": ["human", "ansi", "rgb_array"],
        "render_fps": FRAMES_PER_SECOND,
    }

    def __init__(
        self,
        preset: str = "guideline",
        *,
        observation: str = "flat",
        render_mode: str | None = None,
        episode_statistics: bool = False,
        **overrides: object,
    ) -> None:
        """Take what `tetrax.make` takes; `observation` is flat, planes, image or compact.

        `render_mode` is "ansi" (text), "rgb_array" (uint8[height, width, 3]) or "human" (text, printed at
        every step). ValueError names what is not allowed.
        """
        if render_mode is not None:
            check_choice("render_mode", render_mode, tuple(self.metadata["render_modes"]))
        self.view = make_view(preset, observation, overrides)
        self.render_mode = render_mode
        self.episode_statistics = episode_statistics
        self.observation_space = observation_space(self.view)
        self.action_space = spaces.Discrete(self.view.env.num_actions)
        self._programs = programs(self.view)
        self._board: Board | None = None
        self._ended = False
        self._return, self._num_steps, self._started = 0.0, 0, 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a game; its key is drawn from `np_random`, which `seed` starts anew. No options are known."""
        check_not_forked()
        super().reset(seed=seed)
        self._board = self._programs.reset(draw_key(self.np_random))
        self._ended = False
        self._return, self._num_steps, self._started = 0.0, 0, time.perf_counter()
        self._print_if_human()
        return np.array(self._board.shown), info_of(self._board)

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play one action; ValueError when it is none of 0..A-1.

        After the end of a game nothing happens any more, and gymnasium's logger warns.
        """
        if self._board is None:
            raise ResetNeeded(NO_RESET)
        board = self._programs.step(self._board.state, check_action(action, self.view.env.num_actions))
        reward, terminated, truncated = float(board.reward), bool(board.terminated), bool(board.truncated)
        info = info_of(board)
        if self._ended:
            gymnasium.logger.warn(GAME_OVER)
        else:
            self._return += reward
            self._num_steps += 1
            if self.episode_statistics and (terminated or truncated):
                seconds = round(time.perf_counter() - self._started, 6)
                info["episode"] = {"r": self._return, "l": self._num_steps, "t": seconds}
        self._board, self._ended = board, terminated or truncated
        self._print_if_human()
        return np.array(board.shown), reward, terminated, truncated, info

    def action_masks(self) -> np.ndarray:
        """Tell which actions are legal, bool[A]: the name by which masked learners ask. After the end none is."""
        if self._board is None:
            raise ResetNeeded(NO_RESET)
        return np.array(self._board.action_mask, bool)

    def render(self) -> Any:
        """Return a frame, text or uint8[height, width, 3]; None in the mode "human", which prints."""
        if self._board is None:
            raise ResetNeeded(NO_RESET)
        if self.render_mode is None:
            gymnasium.logger.warn(NO_RENDER_MODE)
            return None
        return frame(self.view, self._board.state, self.render_mode)

    def __getstate__(self) -> dict[str, Any]:
        return pack(vars(self))

    def __setstate__(self, packed: dict[str, Any]) -> None:
        check_not_forked()
        vars(self).update(unpack(packed))

    def _print_if_human(self) -> None:
        if self.render_mode == "human" and self._board is not None:
            in_terminal = sys.stdout.isatty()
            text = render(self.view.env, self._board.state, colour=in_terminal)
            sys.stdout.write((CLEAR_SCREEN if in_terminal else "") + text + "\n")
            sys.stdout.flush()


def observation_space(view: View) -> spaces.Box:
    """Return the bounds, shape and dtype of what is shown."""
    low, high = view.bounds
    return spaces.Box(low, high, view.shown.shape, view.shown.dtype)


def draw_key(generator: np.random.Generator) -> np.ndarray:
    """Draw the two words of a game's key, uint32[2]."""
    return generator.integers(0, 2**32, size=2, dtype=np.uint32)


def info_of(board: Board) -> dict[str, Any]:
    """Return what is told of one running game."""
    return {
        "action_mask": np.array(board.action_mask),
        "lines": int(board.lines),
        "pieces": int(board.pieces),
        "score": int(board.score),
    }


def check_action(action: Any, num_actions: int) -> np.int32:
    """Return an action as the programs want it; ValueError when it is none of 0..A-1."""
    try:
        index = operator.index(action.item() if hasattr(action, "item") else action)
    except (TypeError, ValueError):
        index = -1
    if not 0 <= index < num_actions:
        raise ValueError(f"action: given {action!r}; allowed: a whole number from 0 to {num_actions - 1}")
    return np.int32(index)


def frame(view: View, state: State, render_mode: str) -> str | np.ndarray | None:
    """Draw one board in a render mode; None for "human"."""
    if render_mode == "ansi":
        return render(view.env, state)
    return render_rgb(view.env, state) if render_mode == "rgb_array" else None
