"""tetrax's Dreamer as a contestant: `python -m benchmarks.workers.dreamer_worker NAME`.

NAME is a row of `benchmarks.dreamer_updates.OURS`. An update is what training compiles: windows are drawn from the
replay and shown anew, the model, actor and critic take their step, and the states are written back.
"""

import sys

from benchmarks.dreamer_updates import Updates
from benchmarks.workers import protocol


def main(name: str) -> None:
    """Compile the update and serve it."""
    updates = Updates(name)
    about = {
        "compile_seconds": updates.compile(),
        "parameters": updates.num_parameters,
        "parts": updates.parts(),
        "versions": protocol.find_versions("jax", "jaxlib"),
    }
    protocol.serve(about, updates.learn)


if __name__ == "__main__":
    main(*sys.argv[1:])
