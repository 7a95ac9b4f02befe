"""Keep learning curves as data, and draw them.

    python benchmarks/curves.py keep NAME RUN_DIR [RUN_DIR ...] --title … --train … --random-lines …
                                                                  runs/… -> benchmarks/results/curves/NAME.json
    python benchmarks/curves.py draw                              every curve -> docs/curves.png

A file holds, for every seed, lines per training game (actions drawn, not greedy) over environment steps, with the
command, the machine and the commit. Runs with one seed each and one run with several seeds give the same kind of file.
Steps are all that the agent was given: those at random that a replay begins with count too. Files with the same
`panel` are drawn in one, each in a colour under its `label`, with its greedy evaluations dashed where it has some;
these were stopped at `max_pieces`.
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
COLOURS = ("#2a6fdb", "#d9822b", "#3a9d5d", "#8e4ec6", "#c43d4b", "#5f7a86")


def read_run(folder: Path, num_points: int = 16) -> list[dict[str, Any]]:
    """Return one curve per seed of a run: {"seed", "points": [[step, seconds, lines, games], …], "evaluations"}.

    A point is the mean over the training games that ended in its share of the run, and how many these were. A share
    in which none ended has no point. Evaluations while training are [[step, lines], …], of the greedy policy.
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
        played = [row for row in rows if row.get("eval/lines") is not None]
        evaluations = [
            [before + row["step"], row["per_seed"]["eval/lines"][index] if several else row["eval/lines"]]
            for row in played
        ]
        curves.append({"seed": config["seed"] + index, "points": points, "evaluations": evaluations})
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


def columns(points: Sequence[Sequence[float]], column: int) -> tuple[list[float], list[float]]:
    """Return thousands of steps, and what stands in a column of the points."""
    return [point[0] / 1e3 for point in points], [point[column] for point in points]


def by_time(curves: Sequence[Sequence[Sequence[float]]]) -> tuple[list[float], list[float]]:
    """Return mean minutes and mean lines, of the steps where every seed has a point."""
    seconds, lines = (mean_curve(curves, column) for column in (1, 2))
    return [second / 60 for _, second in seconds], [line for _, line in lines]


def keep(
    name: str,
    title: str,
    command: str,
    random_lines: float,
    runs: list[Path],
    panel: str | None = None,
    label: str | None = None,
) -> Path:
    """Write the curves of some runs, and what is needed to get them again."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    document = {
        "title": title,
        **{word: given for word, given in (("panel", panel), ("label", label)) if given is not None},
        "command": command,
        "machine": f"{os.cpu_count()} CPU cores ({platform.machine()})",
        "commit": commit.stdout.strip(),
        "random_lines": random_lines,
        "max_pieces": max(_cap(run) for run in runs),
        "curves": [curve for run in runs for curve in read_run(run)],
    }
    CURVES.mkdir(parents=True, exist_ok=True)
    path = CURVES / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def _cap(run: Path) -> int:
    """Return the pieces at which the evaluations of a run were stopped while it trained; 0 = never."""
    return int(json.loads((run / "config.json").read_text())["evaluation"]["max_pieces"])


def panels(documents: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the documents of each panel, by its title: without a name of a panel, a document has one of its own."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        grouped.setdefault(document.get("panel", document["title"]), []).append(document)
    return {of[0]["title"] if len(of) == 1 else name: of for name, of in grouped.items()}


def draw(documents: list[dict[str, Any]], picture: Path) -> None:
    """Draw every panel: seeds as thin lines, their mean as a thick one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = panels(documents)
    figure, axes = plt.subplots(2, len(drawn), figsize=(6 * len(drawn), 7.5), squeeze=False)
    for axis, (title, of) in zip(axes[0], drawn.items(), strict=True):
        if len(of) == 1:
            _draw_one(axis, of[0])
        else:
            _draw_several(axis, of)
        axis.set_title(title, loc="left", fontweight="bold")
        axis.set_xlabel("environment steps (thousands)")
    for axis, of in zip(axes[1], drawn.values(), strict=True):
        _draw_by_time(axis, of)
        axis.set_xlabel("minutes, evaluations and compiling included")
    for axis, of in zip([*axes[0], *axes[1]], [*drawn.values()] * 2, strict=True):
        for lines in dict.fromkeys(document["random_lines"] for document in of):
            axis.axhline(lines, color="#888888", linestyle=":", label="random play")
        axis.set_ylabel("lines per training game")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    plt.close(figure)


def _draw_one(axis: Any, document: dict[str, Any]) -> None:
    """Draw one algorithm, each seed with its name."""
    curves = document["curves"]
    for curve in curves:
        steps, lines = columns(curve["points"], 2)
        axis.plot(steps, lines, color="#9db8e8", linewidth=1.2, label=f"seed {curve['seed']}")
    steps, lines = columns(mean_curve([curve["points"] for curve in curves]), 1)
    axis.plot(steps, lines, color="#2a6fdb", linewidth=2.5, label="mean")


def _draw_several(axis: Any, documents: Sequence[dict[str, Any]]) -> None:
    """Draw several algorithms, each in its own colour; their greedy evaluations are dashed."""
    for index, document in enumerate(documents):
        colour, curves = COLOURS[index % len(COLOURS)], document["curves"]
        label = document.get("label", document["title"])
        for curve in curves:
            axis.plot(*columns(curve["points"], 2), color=colour, linewidth=0.9, alpha=0.35)
        mean = mean_curve([curve["points"] for curve in curves])
        axis.plot(*columns(mean, 1), color=colour, linewidth=2.5, label=label)
        greedy = mean_curve([curve.get("evaluations", []) for curve in curves], column=1)
        if greedy:
            stop = f" to {document['max_pieces']} pieces" if document.get("max_pieces") else ""
            words = {"label": f"{label}, greedy games{stop}", "marker": "o", "markersize": 4}
            axis.plot(*columns(greedy, 1), color=colour, linestyle="--", **words)


def _draw_by_time(axis: Any, documents: Sequence[dict[str, Any]]) -> None:
    """Draw the same means over the minutes that the runs took."""
    for index, document in enumerate(documents):
        curves = [curve["points"] for curve in document["curves"]]
        colour = COLOURS[index % len(COLOURS)]
        axis.plot(*by_time(curves), color=colour, linewidth=2.5, label=document.get("label", "mean"))


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
    keeping.add_argument("--panel", help="name of the panel to draw them in, with others that name it")
    keeping.add_argument("--label", help="what they are called there; when not given, the title")
    commands.add_parser("draw")
    arguments = parser.parse_args()
    if arguments.command == "keep":
        of = (arguments.title, arguments.train, arguments.random_lines, arguments.runs)
        print(keep(arguments.name, *of, panel=arguments.panel, label=arguments.label))
    else:
        draw([json.loads(path.read_text()) for path in sorted(CURVES.glob("*.json"))], PICTURE)
        print(PICTURE)


if __name__ == "__main__":
    main()
