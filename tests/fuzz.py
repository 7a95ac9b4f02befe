"""Compare the engine with the reference game for as long as wanted.

    python -m tests.fuzz --ticks 1000000 --seed 7 [--rules random]

`--rules fixed` takes the games of the test in turn, `--rules random` new rules all the time (slower: each is
compiled). A step of the drop actions counts as one tick. Exit code 1 at the first difference, which is drawn.
"""

import argparse
import dataclasses
import itertools
import os
import random
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from tests.reference.cases import DROP_CASES, TICK_CASES, random_case
from tests.reference.compare import play
from tests.reference.report import DifferenceError


def fixed_cases(seed):
    """Yield the test's games again and again, each time with another seed."""
    for number in itertools.count():
        for case in TICK_CASES + DROP_CASES:
            steps = 400 if case.whole_pieces else 2000
            yield dataclasses.replace(case, seed=seed * 1_000_003 + number, boards=32, steps=steps)


def random_cases(seed):
    """Yield games of random rules, one in four played in whole pieces."""
    chance = random.Random(seed)
    for number in itertools.count():
        whole_pieces = chance.random() < 0.25
        yield random_case(
            chance,
            f"random rules {number}",
            whole_pieces,
            boards=32,
            steps=200 if whole_pieces else 1000,
            seed=seed * 1_000_003 + number,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ticks", type=int, default=1_000_000, help="ticks to compare, at least")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other games")
    parser.add_argument("--rules", choices=("fixed", "random"), default="fixed")
    arguments = parser.parse_args()
    if arguments.ticks < 1 or arguments.seed < 0:
        parser.error("--ticks must be 1 or more and --seed 0 or more")
    compared, started = 0, time.perf_counter()
    for case in (fixed_cases if arguments.rules == "fixed" else random_cases)(arguments.seed):
        try:
            tally = play(case)
        except DifferenceError as difference:
            print(f"{difference}\n{case}")
            print(f"{compared} ticks compared, then a difference")
            return 1
        compared += tally["steps"]
        print(f"{case.name}: {tally['steps']} ticks, {tally['games']} games agree")
        if compared >= arguments.ticks:
            break
    print(f"{compared} ticks compared in {time.perf_counter() - started:.0f} s, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
