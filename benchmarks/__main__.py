"""`python -m benchmarks`: measure everything for this machine, keep it, and draw the tables and charts.

    python -m benchmarks [--vector-width BITS] [--environments DIR]

Every program runs in a process of its own; one that fails is named, and the others go on.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from benchmarks import measure
from benchmarks.measure import ROOT


@dataclass(frozen=True)
class Options:
    """What all programs are told."""

    vector_width: int | None = None
    """Bits of the vectors that XLA is to use on a CPU, for tetrax and peers alike: 128, 256 or 512."""
    environments: str | None = None
    """Folder of the peers' virtual environments; when not given, ~/.cache/tetrax/peers."""


def main(argv: list[str]) -> None:
    """Run every program with --save, then draw."""
    options = measure.options(Options(), argv, "__main__", "Measure everything, keep it, and draw it.")
    if options is None:
        return
    measure.check_vector_width(options.vector_width)
    width = [] if options.vector_width is None else ["--vector-width", str(options.vector_width)]
    where = [] if options.environments is None else ["--environments", options.environments]
    placing = ["--board-features", *width]
    programs = [
        ["env_throughput", "--actions", "direct", *width],
        ["env_throughput", "--actions", "drop", *placing],
        ["env_throughput", "--actions", "locked_position", *placing],
        ["peers", *where, *width],
        ["train_throughput", *width],
        ["train_throughput", "--actions", "direct", *width],
        ["startup"],
    ]
    failed = []
    for program in programs:
        words = ["-m", f"benchmarks.{program[0]}", *program[1:], "--save"]
        print(f"\n== python {' '.join(words)}", flush=True)
        if subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode:
            failed.append(" ".join(program))
    from benchmarks import tables

    tables.update()
    print("\n".join(f"failed: {one}" for one in failed) or "all measured and drawn")


if __name__ == "__main__":
    sys.exit(measure.run(main, None))
