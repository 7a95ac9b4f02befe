"""A gymnasium environment that can be worked out by hand: it counts, and ends when it is told to or at a limit."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

ID, FAILING = "tests/Counting-v0", "tests/Failing-v0"
GO_ON, END = 0, 1


class Counting(gymnasium.Env[np.ndarray, int]):
    """What is seen is (steps so far, seed of the episode modulo 100); a step pays the steps before it.

    END terminates. The limit of steps, 4, is gymnasium's own wrapper's.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.count, self.drawn = 0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.count, self.drawn = 0, int(self.np_random.integers(100))
        return self._seen(), {}

    def step(self, action: int) -> Any:
        paid, self.count = float(self.count), self.count + 1
        return self._seen(), paid, action == END, False, {}

    def _seen(self) -> np.ndarray:
        return np.array([self.count, self.drawn], np.float32)


class Failing(Counting):
    """Fails in its fiftieth step, counted over episodes."""

    steps = 0

    def step(self, action: int) -> Any:
        self.steps += 1
        if self.steps == 50:
            raise OSError("no such simulator")
        return super().step(action)


def register() -> None:
    """Enter it among gymnasium's; a second call changes nothing."""
    if ID not in gymnasium.registry:
        gymnasium.register(ID, entry_point=Counting, max_episode_steps=4)
        gymnasium.register(FAILING, entry_point=Failing, max_episode_steps=4)
