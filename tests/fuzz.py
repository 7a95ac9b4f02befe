"""Compare the engine with the reference game for as long as wanted.

    python -m tests.fuzz --ticks 10000000 --seed 7 --log fuzz.jsonl [--jobs 2]

Every run of games has its own random numbers (`Params`), every eighth new random `Rules`; about one Rules in
seven is played in whole pieces, of which one counts as a tick. Each run adds a line to the log; started again with
the same log and seed, it goes on where it stopped. The last line says what was met. Exit code 1 if the engine
differs anywhere: the first difference of each run is drawn.
"""

import argparse
import dataclasses
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

from tests.reference.cases import random_numbers, random_rules
from tests.reference.compare import play
from tests.reference.report import DifferenceError
from tests.reference.side import Case

BOARDS, TICKS, PIECES = 32, 1000, 250  # of a run: boards, and steps of each
RUNS = 8  # of the same Rules, which are compiled once
KINDS = {  # of what a tally counts, for the last lines
    "lines": lambda name: name[0].isdigit() and name.endswith(" lines"),
    "spins": lambda name: name.startswith(("mini", "full")) and name.endswith(" lines"),
    "kicks": lambda name: " kick " in name,
    "locks": lambda name: name.startswith("locked by"),
    "losses": lambda name: name.partition("-out")[0] in ("block", "lock", "garbage", "stack"),
    "garbage": lambda name: (
        name in ("attack", "cancelled", "garbage entered", "garbage cleared", "full queue")
    ),
}


def case_of(seed, number):
    """Return run `number` of a seed."""
    chance = random.Random(f"{seed} rules {number // RUNS}")
    whole_pieces = chance.random() < 0.15
    rules = random_rules(chance)
    if whole_pieces and rules.top_out != "stack":  # no placement may reach beyond row 32
        rules = dataclasses.replace(rules, spawn_row=min(rules.spawn_row, 28 - rules.height))
    settings = random_numbers(random.Random(f"{seed} numbers {number}"), rules)
    steps = PIECES if whole_pieces else TICKS
    return Case(f"run {number}", settings, BOARDS, steps, seed * 1_000_003 + number, whole_pieces)


def compare(case, number, log):
    """Play a run and write a line about it."""
    started = time.perf_counter()
    line = {"run": number, "seed": case.seed, "difference": None, "tally": {}}
    try:
        line["tally"] = dict(play(case))
    except DifferenceError as difference:
        line["difference"] = f"{difference}\n{case}"
        print(line["difference"], flush=True)
    line["seconds"] = round(time.perf_counter() - started, 2)
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")


def read(log):
    """Return what the log holds, one dict a run."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def ticks_of(lines):
    return sum(line["tally"].get("steps", 0) for line in lines)


def work(seed, ticks, log, job, jobs):
    """Compare this job's share of the runs until the log holds enough ticks."""
    for number in itertools.count():
        if number // RUNS % jobs != job:
            continue
        lines = read(log)
        if ticks_of(lines) >= ticks:
            return
        if number not in {line["run"] for line in lines}:
            if number % RUNS == 0:
                jax.clear_caches()  # of Rules that do not come again
            compare(case_of(seed, number), number, log)


def report(lines):
    """Say what was compared; return whether nothing differed."""
    tally = sum((Counter(line["tally"]) for line in lines), Counter())
    rules = len({line["run"] // RUNS for line in lines})
    print(f"{ticks_of(lines)} ticks of {tally['games']} games, {rules} Rules, {len(lines)} Params")
    for kind, belongs in KINDS.items():
        print(
            f"  {kind}: "
            + ", ".join(f"{count} {name}" for name, count in sorted(tally.items()) if belongs(name))
        )
    different = [line["run"] for line in lines if line["difference"] is not None]
    print(f"{len(different)} runs differ: {different}" if different else "no difference")
    return not different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ticks", type=int, default=1_000_000, help="ticks to compare, at least")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other games")
    parser.add_argument("--log", type=Path, default=Path("fuzz.jsonl"), help="one line for each run")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--job", type=int, default=None, help=argparse.SUPPRESS)  # one of those processes
    given = parser.parse_args()
    if given.ticks < 1 or given.seed < 0 or given.jobs < 1:
        parser.error("--ticks and --jobs must be 1 or more and --seed 0 or more")
    if given.job is not None:
        work(given.seed, given.ticks, given.log, given.job, given.jobs)
        return 0
    command = [sys.executable, "-m", "tests.fuzz", *sys.argv[1:], "--job"]
    jobs = [subprocess.Popen([*command, str(job)]) for job in range(given.jobs)]
    failed = max(job.wait() for job in jobs) > 0
    return 0 if report(read(given.log)) and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
