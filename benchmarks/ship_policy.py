"""Ship the policy of a run: pretrained/NAME, with what it was trained and evaluated by, as data and as its page.

    python -m benchmarks.ship_policy --run-dir RUN_DIR --name guideline --number 17

The run's policy is copied, evaluated, and its numbers are kept: benchmarks/results/NUMBER-NAME.json for the table of
results, benchmarks/results/NAME/training.json (the learning curve) and evaluation.json, and pretrained/NAME/README.md,
which is made of these two and nothing else. Then: python -m benchmarks.tables
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measure, records
from tetrax.train.folder import log, policy_io
from tetrax.train.folder.run_folder import RunFolder, open_existing
from tetrax.train.in_python import evaluate_policy

PRETRAINED = measure.ROOT / "pretrained"
COLUMNS = ("step", "wall_time", "lines", "games", "eval/lines")
PAGE = """# {name}

A policy of the game `{title}`, learned by {algorithm} (preset {preset}, seed {seed}) in {seconds:,.0f} seconds.

```sh
{evaluation_command}
```

Mean of {episodes} games of at most {cap:,} pieces: {mean:,.1f} lines (95% interval {low:,.1f} to {high:,.1f}).
{lost}

```python
import tetrax

policy = tetrax.load("pretrained/{name}")
tetrax.show(policy.play(seed=1, max_pieces=200))
```

## Training

```sh
{training_command}
```

{step:,} steps on {machine}.

The learning curve is in `benchmarks/results/{name}/training.json`, the evaluation beside it.
`python -m benchmarks.ship_policy` puts such a run here.
"""


@dataclass(frozen=True)
class Options:
    """Which run to ship, and how to evaluate it."""

    run_dir: str = ""
    """The folder of the run."""
    name: str = ""
    """The folder in pretrained/, named like the environment's preset."""
    number: int = 0
    """The place in the table of results: first part of the file's name."""
    episodes: int = 256
    """Games of the evaluation."""
    seed: int = 1
    """Seed of the games: training evaluates with 0."""
    max_pieces: int = 10_000
    """Pieces after which a game is stopped."""
    note: str = ""
    """What else a reader should know of the machine, such as other work on it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_ship, argv)


def _ship(argv: list[str]) -> None:
    options = measure.options(Options(), argv, "ship_policy", (__doc__ or "").splitlines()[0])
    if options is None:
        return
    run, folder = open_existing(Path(options.run_dir)), PRETRAINED / options.name
    folder.mkdir(parents=True, exist_ok=True)
    for file in (policy_io.CONFIG, policy_io.PARAMETERS):
        shutil.copyfile(run.policy / file, folder / file)
    results = records.RESULTS / options.name
    results.mkdir(exist_ok=True)
    policy = policy_io.load(folder)
    played = evaluate_policy(
        policy, episodes=options.episodes, seed=options.seed, max_pieces=options.max_pieces
    )
    training = read_training(run, options.note)
    evaluation = describe_evaluation(options, policy.env.spec.title, played.summary())
    for file, document in (("training", training), ("evaluation", evaluation)):
        _write(results / f"{file}.json", document)
    measured = {field.name: evaluation[field.name] for field in dataclasses.fields(records.Measurement)}
    _write(records.RESULTS / f"{options.number:02}-{options.name}.json", measured)
    (folder / "README.md").write_text(page(options.name, training, evaluation))


def read_training(run: RunFolder, note: str = "") -> dict[str, Any]:
    """Return what a run was, and its curve: a point for each evaluation and for the last chunk."""
    config = json.loads(run.config.read_text())
    started = json.loads(run.history.read_text().splitlines()[0])
    rows = log.read(run.metrics)
    points = [row for row in rows if "eval/lines" in row or row is rows[-1]]
    return {
        "title": f"{config['algorithm']} on {config['env']['preset']}: lines per game, in training and greedy",
        "algorithm": {"ppo": "PPO", "dqn": "DQN"}.get(config["algorithm"], config["algorithm"]),
        "preset": config["preset"],
        "seed": config["seed"],
        "command": _command(started["command"]),
        "machine": _machine(note),
        "commit": measure.commit(),
        "date": started["time"][:10],
        "columns": list(COLUMNS),
        "points": [[row.get(name) for name in COLUMNS] for row in points],
    }


def page(name: str, training: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """Return the README of a policy."""
    result = evaluation["result"]
    lost, cap = result["episodes"] - result["capped"], result["max_pieces"]
    low, high = evaluation["interval"]
    last = training["points"][-1]
    return PAGE.format(
        name=name,
        title=evaluation["title"],
        algorithm=training["algorithm"],
        preset=training["preset"],
        seed=training["seed"],
        seconds=last[1],
        evaluation_command=evaluation["command"],
        episodes=result["episodes"],
        cap=cap,
        mean=evaluation["value"],
        low=low,
        high=high,
        lost=f"{lost} of them were lost before that." if lost else "None of them was lost before that.",
        training_command=training["command"],
        step=last[0],
        machine=training["machine"],
    )


def describe_evaluation(options: Options, title: str, played: dict[str, Any]) -> dict[str, Any]:
    """Return a measurement of the games that were played, and all that they came to."""
    kept = played["capped"]
    return {
        "what": (
            f"`pretrained/{options.name}`: {options.episodes} games of at most {options.max_pieces:,} pieces, greedy; "
            f"{kept} of them were not lost"
        ),
        "title": title,
        "value": played["lines"]["mean"],
        "unit": "lines per game",
        "interval": played["lines"]["ci95"],
        "machine": _machine(options.note),
        "command": (
            f"python -m tetrax.evaluate pretrained/{options.name} --episodes {options.episodes} "
            f"--seed {options.seed} --max-pieces {options.max_pieces} --json"
        ),
        "commit": measure.commit(),
        "date": datetime.date.today().isoformat(),
        "result": played,
    }


def _machine(note: str) -> str:
    return f"{measure.machine()}; {note}" if note else measure.machine()


def _command(words: Sequence[str]) -> str:
    """Return the command that a run was started by, without its folder."""
    kept = list(words[1:])
    if "--run-dir" in kept:
        place = kept.index("--run-dir")
        del kept[place : place + 2]
    return shlex.join(["python", "-m", "tetrax.train", *kept])


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
