"""`python -m benchmarks.peers`: tetrax and other implementations of Tetris, timed by turns in one run."""

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
from benchmarks.contestants import PEERS, Absent, Contestant
from benchmarks.measure import check_positive, table, thousands
from benchmarks.workers.stopwatch import Played
from tetrax.fields.errors import UserError, wrong_name

# tetrax's own entries: action set, observation, whether board features are observed too. Each shows at least
# what the peers show: the whole board with the active piece, the coming pieces, the mask.
OURS: dict[str, tuple[str, str, bool]] = {
    "tetrax direct": ("direct", "bitboards", False),
    "tetrax drop": ("drop", "bitboards", True),
    "tetrax locked_position": ("locked_position", "bitboards", True),
}
PLACING = (
    "tetrax drop",
    "tetrax locked_position",
)  # compared with peers whose step is a placement, by pieces
CPU_BATCH = {"direct": 4096, "drop": 2048, "locked_position": 256}
ACCELERATOR_BATCH = {"direct": 2**18, "drop": 2**16, "locked_position": 2**14}


@dataclass(frozen=True)
class Options:
    """Whom to compare, and for how long."""

    peers: str = ",".join(PEERS)
    """Names of the peers, with commas between."""
    seconds: float = 3.0
    """Seconds that each plays when it is its turn."""
    rounds: int = 5
    """Turns of each; what is reported are medians over them."""
    batch: int | None = None
    """Boards of tetrax's `direct`; when not given, 1024 on CPUs and 262144 on others."""
    vector_width: int | None = None
    """Bits of the vectors that XLA is to use on a CPU, for tetrax and peers alike: 128, 256 or 512."""
    environments: str | None = None
    """Folder of the peers' virtual environments; when not given, ~/.cache/tetrax/peers."""
    json: bool = False
    """End with one JSON object, on one line."""
    save: bool = False
    """Keep the result in benchmarks/results/performance, for the tables and charts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(
        Options(), argv, "peers", "Time tetrax and other implementations of Tetris by turns."
    )
    if options is None:
        return
    names = check(options)
    measure.use_vector_width(options.vector_width)
    result = compare(options, names)
    print(words(result))
    if options.save:
        keep(result, argv)
    if options.json:
        measure.print_json(result)


def check(options: Options) -> list[str]:
    """Return the names of the peers; UserError for the first value that cannot be meant."""
    names = [name for name in options.peers.split(",") if name]
    if not names:
        raise UserError(f"--peers: given none; allowed: {', '.join(PEERS)}, with commas between")
    for name in names:
        if name not in PEERS:
            raise wrong_name("--peers", name, PEERS)
    check_positive("--seconds", options.seconds)
    check_positive("--rounds", options.rounds)
    check_positive("--batch", options.batch)
    return names


def compare(options: Options, names: Sequence[str]) -> dict[str, Any]:
    """Run everybody by turns; return the JSON object."""
    # All processes are there at once: on a GPU none may take all of its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    backend = jax.default_backend()
    with start_all(options, names, backend) as (playing, about, absent):
        turns = play_by_turns(playing, options.rounds, options.seconds)
    for name in turns:
        about[name] |= {"rates": medians(turns[name]), "turns": [one._asdict() for one in turns[name]]}
    peers = [name for name in turns if name not in OURS]
    return {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "contestants": about,
        "ratios": [ratio for name in peers for ratio in ratios(name, turns)],
        "absent": absent,
        **measure.context(),
    }


@contextlib.contextmanager
def start_all(
    options: Options, names: Sequence[str], backend: str
) -> Iterator[tuple[dict[str, Contestant], dict[str, dict[str, Any]], dict[str, str]]]:
    """Start every process, one after the other; give those that can play, what they say, and who is absent."""
    environments = Path(options.environments) if options.environments else contestants.default_environments()
    playing: dict[str, Contestant] = {}
    about: dict[str, dict[str, Any]] = {}
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for name in [*OURS, *peer_names(names, backend)]:
            try:
                contestant = _start(name, options, environments, backend)
                stack.callback(contestant.close)
                about[name] = {**contestant.ready(), **_describe(name)}
            except Absent as reason:
                if name in OURS:
                    raise UserError(f"{name}: cannot be measured: {reason}") from None
                absent[name] = str(reason)
                print(f"{name}: absent: {reason}", flush=True)
            else:
                playing[name] = contestant
                print(f"{name}: ready", flush=True)
        yield playing, about, absent


def peer_names(names: Sequence[str], backend: str) -> list[str]:
    """Return the entries of the peers: NAME, or NAME@BATCH for each batch tried on an accelerator."""
    entries = []
    for name in names:
        several = backend != "cpu" and PEERS[name].batch is not None
        entries += [f"{name}@{batch}" for batch in contestants.ACCELERATOR_BATCHES] if several else [name]
    return entries


def _start(name: str, options: Options, environments: Path, backend: str) -> Contestant:
    if name in OURS:
        actions, observation, features = OURS[name]
        usual = (CPU_BATCH if backend == "cpu" else ACCELERATOR_BATCH)[actions]
        batch = options.batch if options.batch is not None and actions == "direct" else usual
        words = ["benchmarks.workers.tetrax_worker", actions, str(batch), observation, str(features)]
        return Contestant(name, Path(sys.executable), words)
    peer_name, _, batch_word = name.partition("@")
    peer = PEERS[peer_name]
    python = contestants.environment(peer.installation, environments, backend == "gpu")
    batches = [] if peer.batch is None else [batch_word or str(peer.batch)]
    return Contestant(name, python, [f"benchmarks.workers.{peer.module}", *batches, *peer.words])


def _describe(name: str) -> dict[str, Any]:
    if name in OURS:
        actions, observation, features = OURS[name]
        step = "a key, then gravity" if actions == "direct" else "a placement"
        return {
            "plays": step,
            "observation": observation + (" and board features" if features else ""),
            "places": name in PLACING,
        }
    peer = PEERS[name.partition("@")[0]]
    return {"plays": peer.plays, "observation": "its own", "places": peer.places}


def play_by_turns(playing: dict[str, Contestant], rounds: int, seconds: float) -> dict[str, list[Played]]:
    """Let everybody play a short turn to warm up, then all by turns, tetrax before every peer."""
    ours = [name for name in playing if name in OURS]
    order: list[str] = []
    for peer in [name for name in playing if name not in OURS] or [""]:
        compared = ours if not peer or _describe(peer)["places"] else ours[:1]
        order += [*compared, *([peer] if peer else [])]
    for contestant in playing.values():
        contestant.play(seconds / 10)
    turns: dict[str, list[Played]] = {name: [] for name in playing}
    for number in range(rounds):
        for name in order:
            turns[name].append(playing[name].play(seconds))
        print(f"round {number + 1} of {rounds} done", flush=True)
    return turns


def medians(turns: Sequence[Played]) -> dict[str, float]:
    """Return the median of each rate."""
    rates = [one.rates() for one in turns]
    return {name: statistics.median(rate[name] for rate in rates) for name in rates[0]}


def ratios(peer: str, turns: dict[str, list[Played]]) -> list[dict[str, Any]]:
    """Return how many times a peer tetrax is: steps by `direct`; pieces too, where the peer places pieces."""
    theirs = medians(turns[peer])
    found = []
    pairs = [("tetrax direct", "steps", "steps")]
    if _describe(peer)["places"]:
        pairs += [(ours, "pieces", "placements") for ours in PLACING if ours in turns]
    for ours, counted, word in pairs:
        mine = medians(turns[ours])
        cpu, wall = f"{counted}_per_cpu_second", f"{counted}_per_second"
        found.append(
            {
                "ours": ours,
                "peer": peer,
                "counted": f"{counted} against {word}" if counted != word else counted,
                "per_cpu_second": mine[cpu] / theirs[cpu],
                "per_second": mine[wall] / theirs[wall],
            }
        )
    return found


def words(result: dict[str, Any]) -> str:
    """Return the result as text for people."""
    rows = []
    for name, one in result["contestants"].items():
        rates = one["rates"]
        numbers = ("steps_per_second", "steps_per_cpu_second", "pieces_per_cpu_second")
        rows.append(
            (name, str(one["batch"]), *(thousands(rates[number]) for number in numbers), one["plays"])
        )
    head = ("", "batch", "steps/s", "steps/CPU-s", "pieces/CPU-s", "a step is")
    lines = [f"medians of {result['rounds']} turns of {result['seconds']:g} s; {measure.machine()}"]
    lines += [table(head, rows), ""]
    for ratio in result["ratios"]:
        lines.append(
            f"{ratio['ours']} / {ratio['peer']}, {ratio['counted']}: "
            f"{ratio['per_cpu_second']:.3g} per CPU second, {ratio['per_second']:.3g} per second"
        )
    lines += [f"{name}: absent: {reason}" for name, reason in result["absent"].items()]
    return "\n".join(lines)


def keep(result: dict[str, Any], argv: Sequence[str]) -> None:
    """Save a result as data; its headline is the ratio to the first peer."""
    if not result["ratios"]:
        raise UserError("--save: given nothing to save; allowed: at least one peer that can be installed")
    first = result["ratios"][0]
    measure.save(
        "peers",
        what=f"{first['ours']} against {first['peer']}, {first['counted']}, in one run",
        value=first["per_cpu_second"],
        unit="times as many per CPU second",
        module="peers",
        argv=argv,
        data=result,
    )


if __name__ == "__main__":
    sys.exit(main())
