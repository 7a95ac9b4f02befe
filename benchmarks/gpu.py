"""`python -m benchmarks.gpu`: everything that is to be known on a data-centre GPU, by one command.

Each part runs in a process of its own, so that it has the device's memory to itself, and so that one which
fails leaves the others alone. At the end every bar is said to be met or not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measure, records
from benchmarks.contestants import PEERS
from benchmarks.measure import ROOT, table, thousands

STEPS_BAR = 1e9  # steps/s of `direct` at the best batch
ENVIRONMENT_BAR = 0.10  # greatest share of the environment in an iteration of PPO's large preset
TRAINING_BAR = 1e7  # environment steps/s of PPO with a network of about 100,000 parameters
# PPO with 93,577 parameters, from planes: one pass over short rollouts of many boards.
NETWORK = "--algorithm ppo --preset large --actions direct --num-steps 16 --num-epochs 1"
NETWORK += " --num-minibatches 4 --hidden 128 128 --channels 32 32"
NETWORK_SIZES = (
    (8_192, "float32"), (32_768, "float32"), (131_072, "float32"), (32_768, "bfloat16"), (131_072, "bfloat16"),
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What to leave out."""

    quick: bool = False
    """Run every part at the smallest size and keep nothing: a test of the programs, on any device."""
    peers: str = ",".join(PEERS)
    """Names of the peers, with commas between; "none" for none."""
    environments: str | None = None
    """Folder of the peers' virtual environments; when not given, ~/.cache/tetrax/peers."""
    output: str | None = None
    """Folder to copy the results, the charts and gpu.json to."""
    json: bool = False
    """End with one JSON object, on one line."""


@dataclass(frozen=True)
class Part:
    """A program to run, with its words."""

    name: str
    module: str
    words: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(
        Options(), argv, "gpu", "Measure everything on this device, and judge the bars."
    )
    if options is None:
        return
    results: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for part in parts(options):
        print(f"\n== {part.name}: python -m benchmarks.{part.module} {' '.join(part.words)}", flush=True)
        try:
            results[part.name] = run(part)
        except RuntimeError as error:
            absent[part.name] = str(error)
            print(f"absent: {error}", flush=True)
    judged = bars(results)
    document = {"bars": judged, "absent": absent, "results": results}
    if not options.quick:
        from benchmarks import tables

        tables.update()
    if options.output:
        copy(Path(options.output), document)
    print("\n" + words(judged, absent))
    if options.json:
        measure.print_json(document)


def parts(options: Options) -> list[Part]:
    """Return what to run, in this order."""
    quick = options.quick
    kept = () if quick else ("--save",)
    seconds = ("--seconds", "0.1" if quick else "3")
    sweep = ("--smallest", "8", "--largest", "16") if quick else ()
    features = ("--board-features",)
    found = [
        Part(actions, "env_throughput", ("--actions", actions, *more, *sweep, *seconds, *kept))
        for actions, more in (("direct", ()), ("drop", features), ("locked_position", features))
    ]
    if options.peers != "none":
        where = ("--environments", options.environments) if options.environments else ()
        few = ("--rounds", "1", "--batch", "8") if quick else ()
        found.append(Part("peers", "peers", ("--peers", options.peers, *where, *few, *seconds, *kept)))
    large = ("--num-envs", "64", "--num-steps", "4") if quick else ()
    for actions in ("drop", "direct"):
        given = ("--algorithm", "ppo", "--preset", "large", "--actions", actions, *large, *seconds, *kept)
        found.append(Part(f"large {actions}", "train_throughput", given))
    for num_envs, dtype in ((8, "bfloat16"),) if quick else NETWORK_SIZES:
        size = ("--num-envs", str(num_envs), "--compute-dtype", dtype)
        given = (*NETWORK.split(), *size, *seconds, *kept)
        found.append(Part(f"100k parameters, {num_envs} boards, {dtype}", "train_throughput", given))
    return found


def run(part: Part) -> dict[str, Any]:
    """Run a part and return its JSON object; RuntimeError with the reason where it failed."""
    command = [sys.executable, "-m", f"benchmarks.{part.module}", *part.words, "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        output, errors = done.communicate()
    lines = output.strip().splitlines()
    print("\n".join(lines[:-1]), flush=True)
    if done.returncode or not lines:
        said = errors.strip().splitlines() or ["no reason was given"]
        raise RuntimeError(said[-1])
    return json.loads(lines[-1])


def bars(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Judge every bar; `measured` is None, and it is not met, where its part is absent."""
    direct = results.get("direct")
    judged = [
        _bar("direct, steps/s at the best batch", STEPS_BAR, direct and direct["steps_per_second"], True)
    ]
    for actions in ("drop", "direct"):
        large = results.get(f"large {actions}")
        share = large and environment_share(large["agents"][0])
        name = f"environment's share of PPO's iteration, large, {actions}"
        judged.append(_bar(name, ENVIRONMENT_BAR, share, False))
    speeds = [one["steps_per_second"] for name, one in results.items() if name.startswith("100k")]
    name = "PPO with about 100,000 parameters, environment steps/s"
    judged.append(_bar(name, TRAINING_BAR, max(speeds, default=None), True))
    return judged


def environment_share(agent: dict[str, Any]) -> float:
    """Return the environment's share by the profiler, or, where that tells nothing, run alone."""
    return (agent["profile"] or agent["alone"])["environment"]


def _bar(name: str, bar: float, measured: float | None, more_is_better: bool) -> dict[str, Any]:
    met = measured is not None and (measured >= bar if more_is_better else measured <= bar)
    wanted = f"{'at least' if more_is_better else 'at most'} {thousands(bar)}"
    return {"name": name, "wanted": wanted, "measured": measured, "met": met}


def words(judged: Sequence[dict[str, Any]], absent: dict[str, str]) -> str:
    """Return the verdict as text for people."""
    rows = []
    for one in judged:
        measured = "not measured" if one["measured"] is None else thousands(one["measured"])
        rows.append((one["name"], one["wanted"], measured, "met" if one["met"] else "NOT MET"))
    lines = [table(("bar", "wanted", "measured", ""), rows)]
    return "\n".join([*lines, *(f"{name}: absent: {reason}" for name, reason in absent.items())])


def copy(folder: Path, document: dict[str, Any]) -> None:
    """Put everything that was found into a folder."""
    from benchmarks import charts

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.json").write_text(json.dumps(document, indent=1) + "\n")
    for path in [*records.PERFORMANCE.glob("*.json"), *charts.FOLDER.glob("*.svg")]:
        shutil.copy(path, folder)


if __name__ == "__main__":
    sys.exit(main())
