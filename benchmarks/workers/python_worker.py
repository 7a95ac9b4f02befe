"""Peers that play one game in plain Python: `python -m benchmarks.workers.python_worker PEER`.

PEER is tetris-gymnasium-class (Tetris Gymnasium's gymnasium environment) or gym-simpletetris. One process, one
game, random keys from Python's generator, `reset` where a game ended. All keys are legal in both.
"""

import random
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.workers import protocol
from benchmarks.workers.stopwatch import Played, Stopwatch

STEPS_BETWEEN_LOOKS = 64  # at the clock


def tetris_gymnasium() -> tuple[Any, int, Callable[[], int]]:
    """Return step (action -> whether the game ended, and was reset), the number of keys, pieces locked."""
    from tetris_gymnasium.envs.tetris import Tetris

    class Counting(Tetris):
        """The environment, counting the pieces that lock."""

        pieces = 0

        def commit_active_tetromino(self) -> Any:
            self.pieces += 1
            return super().commit_active_tetromino()

    env = Counting()
    env.reset(seed=0)

    def step(action: int) -> bool:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
        return terminated or truncated

    return step, int(env.action_space.n), lambda: env.pieces


def simple_tetris() -> tuple[Any, int, Callable[[], int]]:
    """Return step, the number of keys, pieces entered (those of ended games are as good as locked)."""
    import numpy

    # Version 0.4.0 asks NumPy for a name that NumPy 1.24 removed; it meant this.
    numpy.float = float
    from gym_simpletetris.envs.tetris_env import TetrisEnv

    env = TetrisEnv()
    _, info = env.reset(return_info=True)

    def step(action: int) -> bool:
        _, _, done, _ = env.step(action)
        if done:
            env.reset()
        return done

    return step, int(env.action_space.n), lambda: sum(info["statistics"].values())


def player(peer: Callable[[], tuple[Any, int, Callable[[], int]]]) -> Callable[[float], Played]:
    """Return what plays a peer's game for some seconds."""
    step, num_actions, num_pieces = peer()
    draw = random.Random(0).random

    def play(seconds: float) -> Played:
        steps, games, pieces, began = 0, 0, num_pieces(), Stopwatch()
        while not steps or began.seconds < seconds:
            for _ in range(STEPS_BETWEEN_LOOKS):
                games += step(int(draw() * num_actions))
            steps += STEPS_BETWEEN_LOOKS
        return Played(steps, num_pieces() - pieces, games, began.seconds, began.cpu_seconds)

    return play


PEERS = {
    "tetris-gymnasium-class": (tetris_gymnasium, ("tetris-gymnasium", "gymnasium", "numpy")),
    "gym-simpletetris": (simple_tetris, ("gym-simpletetris", "gym", "numpy")),
}


def main(name: str) -> None:
    """Make the game and serve it."""
    peer, packages = PEERS[name]
    protocol.serve(
        {"batch": 1, "compile_seconds": 0.0, "versions": protocol.find_versions(*packages)}, player(peer)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
