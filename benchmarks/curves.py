"""Keep learning curves as data, and draw them.

    python benchmarks/curves.py keep NAME RUN_DIR [RUN_DIR ...]   runs/… -> benchmarks/results/curves/NAME.json
    python benchmarks/curves.py draw                              every curve -> docs/curves.png

A file holds, for every seed, lines per training game (actions drawn, not greedy) over environment steps, with the
command, the machine and the commit. Runs with one seed each and one run with several seeds give the same kind of file.
Steps are all that the agent was given: those at random that a replay begins with count too. Files with the same
`panel` are drawn in one, each under its own `label`.
"""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CURVES = ROOT / "benchmarks" / "results" / "curves"
PICTURE = ROOT / "docs" / "curves.png"


def read_run(folder: Path, num_points: int = 16) -> list[dict[str, Any]]:
    """Return one curve per seed of a run: {"seed", "points": [[step, seconds, lines, games], …]}.

    A point is the mean over the training games that ended in its share of the run, and how many these were. A share
    in which none ended has no point.
    """
    config = json.loads((folder / "config.json").read_text())
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    several = config["num_seeds"] > 1
    before = warmup_steps(config)
    curves = []
    for index in range(config["num_seeds"]):
        points = []
        for part in range(num_points):
            share = rows[part * len(rows) // num_points : (part + 1) * len(rows) // num_points]
            seen = [(row["per_seed"] if several else row) for row in share]
            lines = [one["lines"][index] if several else one["lines"] for one in seen]
            games = [one["games"][index] if several else one["games"] for one in seen]
            counted = [(mean or 0.0, count) for mean, count in zip(lines, games, strict=True) if count]
            if counted:
                total = sum(count for _, count in counted)
                mean = sum(mean * count for mean, count in counted) / total
                points.append([before + share[-1]["step"], share[-1]["wall_time"], mean, total])
        curves.append({"seed": config["seed"] + index, "points": points})
    return curves


def warmup_steps(config: dict[str, Any]) -> int:
    """Return the random environment steps, of one seed, that a run of this config.json began its replay with.

    They are played in whole rollouts, and neither `--total-steps` nor metrics.jsonl counts them.
    """
    agent = config["agent"]
    if not agent.get("replay_capacity"):
        return 0
    rollout = agent["num_envs"] * agent["num_steps"]
    return -(-agent["warmup_steps"] // rollout) * rollout


def mean_curve(curves: Sequence[Sequence[Sequence[float]]], column: int = 2) -> list[tuple[float, float]]:
    """Return [(step, mean over seeds)] where every seed has a point, of what stands in a column of the points."""
    seeds = [{point[0]: point[column] for point in points} for points in curves]
    steps = sorted(set.intersection(*(set(seed) for seed in seeds)))
    return [(step, sum(seed[step] for seed in seeds) / len(seeds)) for step in steps]


def keep(name: str, title: str, command: str, random_lines: float, runs: list[Path]) -> Path:
    """Write the curves of some runs, and what is needed to get them again."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    document = {
        "title": title,
        "command": command,
        "machine": f"{os.cpu_count()} CPU cores ({platform.machine()})",
        "commit": commit.stdout.strip(),
        "random_lines": random_lines,
        "curves": [curve for run in runs for curve in read_run(run)],
    }
    CURVES.mkdir(parents=True, exist_ok=True)
    path = CURVES / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def draw(documents: list[dict[str, Any]], picture: Path) -> None:
    """Draw each document as a panel: its seeds as thin lines, their mean as a thick one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(documents), figsize=(6 * len(documents), 4), squeeze=False)
    for axis, document in zip(axes[0], documents, strict=True):
        curves = document["curves"]
        steps = [point[0] / 1e6 for point in curves[0]["points"]]
        lines = [[point[2] for point in curve["points"]] for curve in curves]
        for curve, values in zip(curves, lines, strict=True):
            axis.plot(steps, values, color="#9db8e8", linewidth=1.2, label=f"seed {curve['seed']}")
        mean = [sum(values) / len(values) for values in zip(*lines, strict=True)]
        axis.plot(steps, mean, color="#2a6fdb", linewidth=2.5, label="mean")
        axis.axhline(document["random_lines"], color="#888888", linestyle=":", label="random play")
        axis.set_title(document["title"], loc="left", fontweight="bold")
        axis.set_xlabel("environment steps (millions)")
        axis.set_ylabel("lines per training game")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    keeping = commands.add_parser("keep")
    keeping.add_argument("name")
    keeping.add_argument("runs", nargs="+", type=Path)
    keeping.add_argument("--title", required=True)
    keeping.add_argument("--train", required=True, help="the command that trained the runs")
    keeping.add_argument("--random-lines", type=float, required=True, help="mean lines of random play")
    commands.add_parser("draw")
    arguments = parser.parse_args()
    if arguments.command == "keep":
        print(keep(arguments.name, arguments.title, arguments.train, arguments.random_lines, arguments.runs))
    else:
        draw([json.loads(path.read_text()) for path in sorted(CURVES.glob("*.json"))], PICTURE)
        print(PICTURE)


if __name__ == "__main__":
    main()
