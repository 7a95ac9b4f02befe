"""Tetris as a gymnasium vector environment: `gymnasium.make_vec("tetrax/Tetris-v1", num_envs=64)`."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tetrax.adapters.forks import check_not_forked
from tetrax.adapters.gymnasium import (
    FRAMES_PER_SECOND,
    NO_RENDER_MODE,
    NO_RESET,
    draw_key,
    frame,
    observation_space,
)
from tetrax.adapters.pickling import pack, unpack
from tetrax.adapters.programs import Board, programs
from tetrax.adapters.views import make_view
from tetrax.env.game.rules import check_choice, check_whole
from tetrax.env.tetris import MAX_STEPS

AUTORESET_MODES = (AutoresetMode.SAME_STEP.value, AutoresetMode.NEXT_STEP.value)
MAX_BOARDS = 1_000_000  # the host keeps a generator of each
NO_LIMIT = (None, -1)  # what gymnasium's `make` takes for it
Info = dict[str, Any]


class TetrisVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Many boards in one compiled step; it plays what `SyncVectorEnv` plays with as many single ones.

    `metadata` declares the mode of automatic reset. With "SameStep" a board that ends is started again in the
    same step; what was seen last is in `final_obs` and `final_info` of the infos. With "NextStep" the step after
    the end starts the game: it ignores the action and rewards nothing. With `episode_statistics` the infos have
    `episode` and `_episode`, as gymnasium's `RecordEpisodeStatistics` would add them (and refuses to find them).
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  the type that gymnasium gives it
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": FRAMES_PER_SECOND,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        preset: str = "guideline",
        *,
        observation: str = "flat",
        render_mode: str | None = None,
        episode_statistics: bool = False,
        autoreset_mode: str | AutoresetMode = AutoresetMode.SAME_STEP,
        max_episode_steps: int | None = None,
        **overrides: object,
    ) -> None:
        """Take what the single environment takes, the number of boards and the mode of their resets.

        `max_episode_steps` is gymnasium's name of our `time_limit`, as `make_vec` gives it (None or -1: no limit).
        """
        check_whole("num_envs", num_envs, 1, MAX_BOARDS)
        if render_mode is not None:
            check_choice("render_mode", render_mode, tuple(self.metadata["render_modes"]))
        mode = autoreset_mode.value if isinstance(autoreset_mode, AutoresetMode) else autoreset_mode
        check_choice("autoreset_mode", mode, AUTORESET_MODES)
        self.view = make_view(preset, observation, limit_steps(overrides, max_episode_steps))
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.episode_statistics = episode_statistics
        self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode(mode)}
        self.single_observation_space = observation_space(self.view)
        self.single_action_space = spaces.Discrete(self.view.env.num_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._same_step = AutoresetMode(mode) is AutoresetMode.SAME_STEP
        self._programs = programs(self.view)
        self._board: Board | None = None
        self._ended = np.zeros(num_envs, bool)  # by the step just taken
        self._generators: list[np.random.Generator] = []  # one a board, as if each had its own `np_random`
        self._next_keys = np.zeros((num_envs, 2), np.uint32)  # of the games after the running ones
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, int)
        self._started = np.zeros(num_envs)  # seconds, on the clock of `time.perf_counter`

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, Info]:
        """Start every board; board i has the seed `seed + i`, or the i-th of several. No options are known."""
        if options:
            raise ValueError(f"options: given {', '.join(sorted(options))}; allowed: none")
        check_not_forked()
        boards = range(self.num_envs)
        if seed is not None or not self._generators:
            self._generators = [seeding.np_random(each)[0] for each in seed_each(seed, self.num_envs)]
            self._draw_keys(boards)
        self._board = self._programs.reset_all(self._next_keys.copy())
        self._draw_keys(boards)
        self._ended = np.zeros(self.num_envs, bool)
        self._start_statistics(~self._ended)
        return np.array(self._board.shown), self._infos(self._board)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Play one action on every board; ValueError when one is none of 0..A-1."""
        if self._board is None:
            raise ResetNeeded(NO_RESET)
        actions, keys, was_ended = self._check_actions(actions), self._next_keys.copy(), self._ended
        if self._same_step:
            last, board = self._programs.step_then_reset(self._board.state, actions, keys)
        else:
            board = last = self._programs.reset_or_step(self._board.state, actions, keys, was_ended)
        rewards = np.array(last.reward, np.float64)
        terminated, truncated = np.array(last.terminated), np.array(last.truncated)
        ended = terminated | truncated
        infos = self._episodes(rewards, ended, started=was_ended & (not self._same_step))
        if self._same_step:
            infos = self._add_final(infos, last, ended)
            self._start_statistics(ended)
        self._draw_keys(np.flatnonzero(ended if self._same_step else was_ended))
        self._board, self._ended = board, ended
        return np.array(board.shown), rewards, terminated, truncated, {**infos, **self._infos(board)}

    def action_masks(self) -> np.ndarray:
        """Tell which actions are legal, bool[B, A]."""
        if self._board is None:
            raise ResetNeeded(NO_RESET)
        return np.array(self._board.action_mask, bool)

    def render(self) -> tuple[Any, ...] | None:
        """Return a frame of every board, text or uint8[height, width, 3]."""
        if self._board is None:
            raise ResetNeeded(NO_RESET)
        if self.render_mode is None:
            gymnasium.logger.warn(NO_RENDER_MODE)
            return None
        states = [self._programs.take(self._board.state, i) for i in range(self.num_envs)]
        return tuple(frame(self.view, state, self.render_mode) for state in states)

    def __getstate__(self) -> dict[str, Any]:
        return pack(vars(self))

    def __setstate__(self, packed: dict[str, Any]) -> None:
        check_not_forked()
        vars(self).update(unpack(packed))

    def _draw_keys(self, boards: Iterable[int]) -> None:
        for i in boards:
            self._next_keys[i] = draw_key(self._generators[i])

    def _check_actions(self, actions: Any) -> np.ndarray:
        given, num_actions = np.asarray(actions), self.view.env.num_actions
        if given.shape != (self.num_envs,) or not np.issubdtype(given.dtype, np.integer):
            raise ValueError(
                f"actions: given {given.dtype}{list(given.shape)}; allowed: whole numbers, [{self.num_envs}]"
            )
        wrong = np.flatnonzero((given < 0) | (given >= num_actions))
        if len(wrong):
            i = wrong[0]
            raise ValueError(f"actions[{i}]: given {given[i]}; allowed: from 0 to {num_actions - 1}")
        return given.astype(np.int32)

    def _start_statistics(self, boards: np.ndarray) -> None:
        self._returns[boards], self._lengths[boards] = 0.0, 0
        self._started[boards] = time.perf_counter()

    def _episodes(self, rewards: np.ndarray, ended: np.ndarray, started: np.ndarray) -> Info:
        """Count a step that only started the games of `started`; return the totals of those that ended."""
        self._start_statistics(started)
        self._returns += rewards
        self._lengths += ~started
        if not (self.episode_statistics and ended.any()):
            return {}
        seconds = np.round(time.perf_counter() - self._started, 6)
        totals = {"r": self._returns, "l": self._lengths, "t": seconds}
        return {
            "episode": {name: np.where(ended, each, 0) for name, each in totals.items()},
            "_episode": ended,
        }

    def _infos(self, board: Board) -> Info:
        """Return what is told of the running games, on every board."""
        infos: Info = {"action_mask": np.array(board.action_mask)}
        infos.update({name: np.asarray(getattr(board, name), int) for name in ("lines", "pieces", "score")})
        return infos | {f"_{name}": np.ones(self.num_envs, bool) for name in infos}

    def _add_final(self, infos: Info, last: Board, ended: np.ndarray) -> Info:
        """Add what was seen and told last of the games that ended, as `SyncVectorEnv` does."""
        if not ended.any():
            return infos
        shown, told = np.asarray(last.shown), self._infos(last)
        for i in np.flatnonzero(ended):
            final = {name: each[i] for name, each in told.items() if not name.startswith("_")}
            if "episode" in infos:
                final["episode"] = {name: each[i] for name, each in infos["episode"].items()}
            infos = self._add_info(infos, {"final_obs": shown[i].copy(), "final_info": final}, int(i))
        return infos


def seed_each(seed: Any, num_envs: int) -> list[int | None]:
    """Return a seed for each board: those given, or from the one given on; ValueError when there are others."""
    if seed is None:
        return [None] * num_envs
    is_one = isinstance(seed, (int, np.integer))
    seeds = (
        list(range(int(seed), int(seed) + num_envs))
        if is_one
        else list(seed)
        if np.ndim(seed) == 1
        else [seed]
    )
    for each in seeds:
        is_whole = isinstance(each, (int, np.integer)) and not isinstance(each, bool)
        if each is not None and (not is_whole or each < 0):
            raise ValueError(
                f"seed: given {each!r}; allowed: None, a whole number of 0 or more, or one for each board"
            )
    if len(seeds) != num_envs:
        raise ValueError(f"seed: given {len(seeds)} numbers; allowed: {num_envs}, one a board")
    return [None if each is None else int(each) for each in seeds]


def limit_steps(overrides: dict[str, object], max_episode_steps: int | None) -> dict[str, object]:
    """Return overrides of `tetrax.make` with gymnasium's limit of steps in them, where it is the shorter one."""
    if max_episode_steps in NO_LIMIT:
        return overrides
    check_whole("max_episode_steps", max_episode_steps, 1, MAX_STEPS)
    own = overrides.get("time_limit", 0)
    if own and isinstance(own, int) and own < max_episode_steps:
        return overrides
    return {**overrides, "time_limit": max_episode_steps}
