"""`python -m benchmarks.dreamer_speed`: how fast Dreamer learns, beside the published agent, by turns in one run."""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import contestants, measure
from benchmarks.contestants import OFFICIAL_DREAMER, Absent, Contestant
from benchmarks.dreamer_updates import PARTS, example_sizes
from benchmarks.measure import check_positive, table, thousands
from benchmarks.workers.stopwatch import Learned
from tetrax.fields.errors import UserError, wrong, wrong_name

OFFICIAL = "official 1m"
OURS = ("1m", "mini", "small")  # rows of `dreamer_updates.ours`
BARS = {"1m": 1.5, "mini": 4.0, "small": 4.0}  # times as many updates that are asked for


@dataclass(frozen=True)
class Options:
    """Whom to compare, and for how long."""

    checkout: str | None = None
    """Folder of a checkout of github.com/danijar/dreamerv3; when not given, only tetrax is measured."""
    python: str | None = None
    """Python of an environment in which it runs; when not given, one is made."""
    ours: str = ",".join(OURS)
    """Which of tetrax's, with commas between: 1m, the published size and batch, or a preset of drop."""
    seconds: float = 10.0
    """Seconds that each learns when it is its turn."""
    rounds: int = 5
    """Turns of each; what is reported are medians over them."""
    environments: str | None = None
    """Folder of the peers' virtual environments; when not given, ~/.cache/tetrax/peers."""
    json: bool = False
    """End with one JSON object, on one line."""
    save: bool = False
    """Keep the result in benchmarks/results/performance, for the tables."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    description = "Time updates of Dreamer and of the published agent by turns."
    options = measure.options(Options(), argv, "dreamer_speed", description)
    if options is None:
        return
    names = check(options)
    result = compare(options, names)
    print(words(result))
    if options.save:
        keep(result, argv)
    if options.json:
        measure.print_json(result)


def check(options: Options) -> list[str]:
    """Return the names of ours; UserError for the first value that cannot be meant."""
    names = [name for name in options.ours.split(",") if name]
    for name in names or [options.ours]:
        if name not in OURS:
            raise wrong_name("--ours", name, OURS)
    check_positive("--seconds", options.seconds)
    check_positive("--rounds", options.rounds)
    if options.checkout is not None and not (Path(options.checkout) / "dreamerv3" / "agent.py").exists():
        raise wrong("--checkout", options.checkout, "a folder with dreamerv3/agent.py in it")
    return names


def compare(options: Options, names: Sequence[str]) -> dict[str, Any]:
    """Run everybody by turns; return the JSON object."""
    # All processes are there at once: on a GPU none may take all of its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with start_all(options, names) as (learning, about, absent):
        turns = learn_by_turns(learning, options.rounds, options.seconds)
    for name in turns:
        about[name] |= {"rates": medians(turns[name]), "turns": [one._asdict() for one in turns[name]]}
    return {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "contestants": about,
        "ratios": ratios(turns),
        "absent": absent,
        **measure.context(),
    }


@contextlib.contextmanager
def start_all(
    options: Options, names: Sequence[str]
) -> Iterator[tuple[dict[str, Contestant], dict[str, dict[str, Any]], dict[str, str]]]:
    """Start every process, one after the other; give those that can learn, what they say, and who is absent."""
    learning: dict[str, Contestant] = {}
    about: dict[str, dict[str, Any]] = {}
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for name in [OFFICIAL, *names]:
            try:
                contestant = _start(name, options)
                stack.callback(contestant.close)
                about[name] = dict(contestant.ready())
            except Absent as reason:
                if name in OURS:
                    raise UserError(f"{name}: cannot be measured: {reason}") from None
                absent[name] = str(reason)
                print(f"{name}: absent: {reason}", flush=True)
            else:
                learning[name] = contestant
                print(f"{name}: ready", flush=True)
        yield learning, about, absent


def _start(name: str, options: Options) -> Contestant:
    if name in OURS:
        return Contestant(name, Path(sys.executable), ["benchmarks.workers.dreamer_worker", name])
    if options.checkout is None:
        raise Absent("no --checkout was given")
    python = Path(options.python) if options.python else _environment(options)
    sizes = [str(size) for size in example_sizes("1m")]
    words = ["benchmarks.workers.official_worker", str(Path(options.checkout).resolve()), *sizes]
    return Contestant(name, python, words)


def _environment(options: Options) -> Path:
    import jax

    folder = Path(options.environments) if options.environments else contestants.default_environments()
    return contestants.environment(OFFICIAL_DREAMER, folder, jax.default_backend() == "gpu")


def learn_by_turns(learning: dict[str, Any], rounds: int, seconds: float) -> dict[str, list[Learned]]:
    """Let everybody learn a little to warm up, then all by turns."""
    for contestant in learning.values():
        contestant.learn(seconds / 10)
    turns: dict[str, list[Learned]] = {name: [] for name in learning}
    for number in range(rounds):
        for name, contestant in learning.items():
            turns[name].append(contestant.learn(seconds))
        print(f"round {number + 1} of {rounds} done", flush=True)
    return turns


def medians(turns: Sequence[Learned]) -> dict[str, float]:
    """Return the median of each rate."""
    rates = [one.rates() for one in turns]
    return {name: statistics.median(rate[name] for rate in rates) for name in rates[0]}


def ratios(turns: dict[str, list[Learned]]) -> dict[str, dict[str, float]]:
    """Return how many times as many updates as the published agent each of ours makes: medians over the rounds.

    Both turns of a round are compared with each other, so that what else the machine does falls on both.
    """
    if OFFICIAL not in turns:
        return {}
    theirs = [one.rates() for one in turns[OFFICIAL]]
    found = {}
    for name in turns.keys() - {OFFICIAL}:
        mine = [one.rates() for one in turns[name]]
        found[name] = {
            unit: statistics.median(
                a[f"updates_{unit}"] / b[f"updates_{unit}"] for a, b in zip(mine, theirs, strict=True)
            )
            for unit in ("per_second", "per_cpu_second")
        }
    return {name: found[name] for name in turns if name in found}


def words(result: dict[str, Any]) -> str:
    """Return the result as text for people."""
    units = ("updates_per_second", "updates_per_cpu_second", "moments_per_second")
    rows = [
        (
            name,
            f"{one['parameters']:,}",
            *(thousands(one["rates"][unit]) for unit in units),
            f"{one['compile_seconds']:.0f}",
        )
        for name, one in result["contestants"].items()
    ]
    head = ("", "parameters", "updates/s", "updates/CPU-s", "replayed steps/s", "compiling, s")
    lines = [f"medians of {result['rounds']} turns of {result['seconds']:g} s; {measure.machine()}"]
    lines += [table(head, rows), ""]
    for name, ratio in result["ratios"].items():
        lines.append(
            f"{name} / {OFFICIAL}: {ratio['per_second']:.3g} times the updates per second, "
            f"{ratio['per_cpu_second']:.3g} per CPU second; asked for {BARS[name]:g}"
        )
    lines += ["", "share of an update by the profiler:"]
    parts = {name: one["parts"] for name, one in result["contestants"].items() if one.get("parts")}
    if parts:
        shares = [
            (name, *(f"{found[part]:.1%}" for part in (*PARTS, "rest"))) for name, found in parts.items()
        ]
        lines.append(table(("", *PARTS, "rest"), shares))
    lines += [f"{name}: absent: {reason}" for name, reason in result["absent"].items()]
    return "\n".join(lines)


def keep(result: dict[str, Any], argv: Sequence[str]) -> None:
    """Save a result as data; its headline is the ratio of the published size."""
    if "1m" not in result["ratios"]:
        raise UserError("--save: given nothing to compare; allowed: --checkout, and 1m among --ours")
    measure.save(
        "dreamer",
        what="updates of Dreamer at size 1m against the published agent, in one run",
        value=result["ratios"]["1m"]["per_cpu_second"],
        unit="times as many per CPU second",
        module="dreamer_speed",
        argv=argv,
        data=result,
    )


if __name__ == "__main__":
    sys.exit(main())
