"""tetrax as a contestant: `python -m benchmarks.workers.tetrax_worker ACTIONS BATCH OBSERVATION BOARD_FEATURES`."""

import sys

from benchmarks.random_play import random_play
from benchmarks.workers import protocol
from tetrax.env.tetris import make


def main(actions: str, batch: str, observation: str, board_features: str) -> None:
    """Compile random play and serve it."""
    env = make(actions=actions, observation=observation, board_features=board_features == "True")
    play = random_play(env, int(batch))
    compile_seconds = play.compile()
    about = {
        "batch": int(batch),
        "compile_seconds": compile_seconds,
        "versions": protocol.find_versions("jax", "jaxlib"),
    }
    protocol.serve(about, play.run)


if __name__ == "__main__":
    main(*sys.argv[1:])
