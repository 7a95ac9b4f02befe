"""The ablation of Rainbow: the whole agent, it without each of its parts, and without all of them.

    python -m benchmarks.ablation run [--only NAME ...] [--steps N] [-- FLAGS OF THE TRAINING]
    python -m benchmarks.ablation draw      what was kept -> the table in docs/agents.md, docs/charts/ablation-*.svg

As in figures 3 and 4 of Hessel et al. 2018 (arXiv 1710.02298), every agent is trained alike but for the part that it
lacks. `run` trains one after another by the command that anybody would type, and keeps each as soon as it is done, as
benchmarks/results/ablation/ACTIONS-NAME.json. Stopped and started again, it goes on where it was.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ablation_page, curves, measure, tables
from benchmarks.ablation_results import POINTS, RESULTS, STEPS, Result, read, read_one, to_text, variants
from benchmarks.measure import ROOT, check_positive
from tetrax.fields.errors import UserError, wrong, wrong_name
from tetrax.train import presets
from tetrax.train.command import flags
from tetrax.train.folder import log
from tetrax.train.folder.run_folder import RunFolder

ALGORITHM, PRESET = "dqn", "rainbow"


@dataclass(frozen=True)
class Options:
    """What to train."""

    only: tuple[str, ...] = ()
    """Names of the variants to train; when not given, all."""
    actions: str = "drop"
    """Action set of the preset."""
    steps: int = STEPS
    """Environment steps of each variant and seed."""
    seeds: int = 3
    """Seeds of each variant, trained side by side."""
    folder: str = "runs/ablation"
    """Folder for the runs; one that was stopped goes on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_main, argv)


def _main(argv: list[str]) -> None:
    word, *given = argv or ["--help"]
    if word == "draw":
        if given:
            raise wrong("unexpected word", given[0], "nothing after draw")
        draw()
        return
    if word not in ("run", *flags.HELP_WORDS):
        raise wrong_name("command", word, ("run", "draw"))
    end = given.index("--") if "--" in given else len(given)
    own = given[:end] if word == "run" else [word]
    options = measure.options(Options(), own, "ablation run", "Train the agent without each of its parts.")
    if options is not None:
        run(options, given[end + 1 :])


def run(options: Options, more: Sequence[str] = ()) -> None:
    """Train and keep each variant that is not kept yet; `more` are further flags of every training."""
    for name in check(options):
        words = training_words(options, name, more)
        folder = RunFolder(Path(options.folder).absolute() / f"{options.actions}-{name}")
        path = RESULTS / f"{options.actions}-{name}.json"
        if path.exists() and read_one(path).command == command(words):
            print(f"{name}: kept already, in {path.name}", flush=True)
            continue
        print(f"\n== {name}: {command(words)}", flush=True)
        commit = measure.commit()
        train(words, folder)
        kept = result(name, options.actions, words, folder, commit)
        RESULTS.mkdir(parents=True, exist_ok=True)
        path.write_text(to_text(kept))
        print(f"{name}: kept in {path.name}", flush=True)


def check(options: Options) -> list[str]:
    """Return the names of what is to be trained; UserError for the first value that cannot be meant."""
    check_positive("--steps", options.steps)
    check_positive("--seeds", options.seeds)
    presets.find(ALGORITHM, PRESET, options.actions)
    names = list(variants(options.steps))
    for name in options.only:
        if name not in names:
            raise wrong_name("--only", name, names)
    return [name for name in names if name in options.only or not options.only]


def training_words(options: Options, name: str, more: Sequence[str] = ()) -> list[str]:
    """Return the words after `python -m tetrax.train` that train a variant."""
    settings = variants(options.steps)[name]
    values = {f"agent.{field}": (_word(value),) for field, value in settings.items()}
    types = flags.field_types(presets.find(ALGORITHM, PRESET, options.actions))
    words = [ALGORITHM, "--preset", PRESET, "--env.actions", options.actions]
    words += ["--num-seeds", str(options.seeds), "--total-steps", str(options.steps)]
    return [*words, *flags.spell(values, types), *more]


def command(words: Sequence[str]) -> str:
    """Return a training as one would type it."""
    return " ".join(["python -m tetrax.train", *words])


def train(words: Sequence[str], folder: RunFolder) -> None:
    """Train in a process of its own, going on with what that folder holds; UserError if it does not finish."""
    where = ["--run-dir", str(folder.root)]
    if folder.history.exists():
        began = json.loads(folder.history.read_text().splitlines()[0])["command"][1:]
        if began != [*words, *where]:
            given = f"{folder.root}, with a run of other settings"
            raise UserError(f"--folder: given {given}; allowed: a new folder, or that of the same command")
        words, where = ["--resume", str(folder.root)], []
    with subprocess.Popen([sys.executable, "-m", "tetrax.train", *words, *where], cwd=ROOT) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # Ctrl-C reaches the training too: it saves and stops
            process.wait()
            raise
    if code:
        raise UserError(f"{command(words)}: ended with exit code {code}, in {folder.root}")


def result(name: str, actions: str, words: Sequence[str], folder: RunFolder, commit: str) -> Result:
    """Return what a finished run came to."""
    evaluation = folder.final_evaluation()
    if evaluation is None:
        raise UserError(f"{folder.evaluation}: given none; allowed: a run that was evaluated at its end")
    config = json.loads(folder.config.read_text())
    evaluations = evaluation["per_seed"] if config["num_seeds"] > 1 else [evaluation]
    seeds = [
        {
            "seed": curve["seed"],
            "points": [[step, lines, games] for step, _, lines, games in curve["points"]],
            "evaluation": {
                "games": played["episodes"],
                "max_pieces": played["max_pieces"],
                "capped": played["capped"],
                "lines": played["lines"]["mean"],
            },
        }
        for curve, played in zip(curves.read_run(folder.root, POINTS), evaluations, strict=True)
    ]
    return Result(
        name=name,
        actions=actions,
        command=command(words),
        machine=_machine(),
        date=datetime.date.today().isoformat(),
        commit=commit,
        steps=evaluation["step"],
        warmup_steps=curves.warmup_steps(config),
        seconds=round(_seconds(log.read(folder.metrics), config["num_seeds"]), 1),
        seeds=seeds,
    )


def draw() -> None:
    """Write the table and the charts of what was kept."""
    found = read()
    for path in ablation_page.draw(found, ablation_page.FOLDER):
        print(path)
    tables.AGENTS.write_text(tables.make_texts()[tables.AGENTS])
    print(tables.AGENTS)


def _word(value: Any) -> str:
    """Write a setting as `flags.spell` takes it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _seconds(rows: Sequence[log.Row], num_seeds: int) -> float:
    """Add up the seconds that the chunks of a run took; the steps per second of a row are those of all seeds."""
    before = [0, *(row["step"] for row in rows)]
    chunks = zip(rows, before, strict=False)
    return sum((row["step"] - start) * num_seeds / row["steps_per_second"] for row, start in chunks)


def _machine() -> str:
    """Describe the machine, in a process of its own: this one must not take a GPU from the trainings."""
    program = "from benchmarks import measure; print(measure.machine())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
