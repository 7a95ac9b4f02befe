"""Run folders as training leaves them, made by hand."""

import json
from pathlib import Path
from typing import Any

CONFIG = {
    "format": 3,
    "algorithm": "ppo",
    "preset": "small",
    "game": "tetris",
    "env": {"preset": "guideline"},
    "agent": {"learning_rate": 0.001, "clip": 0.2},
    "seed": 0,
    "num_seeds": 1,
    "total_steps": 4000,
}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def make_run(folder: Path, rows: int = 4, **changes: Any) -> Path:
    """Make a run with a row for each thousand steps; every second has an evaluation."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    for number in range(rows):
        add_row(folder, 1000 * (number + 1), lines=float(number))
    return folder


def add_row(run: Path, step: int, **values: Any) -> None:
    row = {"step": step, "wall_time": step / 100, "steps_per_second": 50.0, **values}
    if step % 2000 == 0:
        row["eval/lines"] = 2.0 * step
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def add_evaluation(run: Path, mean: float) -> None:
    told = {"mean": mean, "std": 1.0, "min": mean - 1, "max": mean + 1, "ci95": [mean - 0.5, mean + 0.5]}
    document = {"step": 4000, "episodes": 64, "max_pieces": 500, "capped": 0, "lines": told}
    (run / "eval.json").write_text(json.dumps(document))


def make_sweep(folder: Path) -> Path:
    """Make a sweep that has ended: two points, two seeds each."""
    make_run(folder, rows=0)
    rows = [
        {
            "step": 1000,
            "members": [0, 1, 2, 3],
            "diverged": [3],
            "per_member": {"lines": [1.0, 2.0, 3.0, None]},
        }
    ]
    (folder / "sweep.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    points = [
        {
            "values": {"agent.clip": 0.2},
            "point": 1,
            "step": 1000,
            "diverged": 0,
            "lines": {"mean": 9.0, "std": 1.0},
        },
        {
            "values": {"agent.clip": 0.1},
            "point": 0,
            "step": 1000,
            "diverged": 1,
            "lines": {"mean": 3.0, "std": None},
        },
    ]
    document = {
        "format": 1,
        "status": "finished",
        "metric": "lines",
        "best": 1,
        "points": points,
        "command": "x",
    }
    (folder / "sweep.json").write_text(json.dumps(document))
    return folder
