"""A curriculum: stages of one training, from one configuration to the next as soon as it goes well enough.

Each stage is a run in a folder of its own, which begins with the parameters of the one before, as far as they fit,
and ends by `evaluation.enough` or its steps. What differs from stage to stage is anything that a configuration has:
the rules, the numbers of the game, the reward, the agent's settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import UserError, wrong
from tetrax.system.disk import read_json
from tetrax.train import loop
from tetrax.train.config import TrainConfig, from_json, load_config, to_json
from tetrax.train.folder import checkpoint, files, run_folder
from tetrax.train.folder.run_folder import RunFolder
from tetrax.train.report.display import Display
from tetrax.train.run import FINISHED, Result

STAGES = "curriculum.json"  # in the folder of a curriculum: label and configuration of each stage
MAX_STAGES = 99


@dataclass(frozen=True)
class Stage:
    """One of the games to go through."""

    label: str  # what it is, for people
    config: TrainConfig


@dataclass(frozen=True)
class CurriculumResult:
    """How a curriculum ended."""

    stages: tuple[Result, ...]  # as far as it came
    num_stages: int  # that were asked for

    @property
    def status(self) -> str:
        """Return how the last stage that was begun ended."""
        return self.stages[-1].status

    @property
    def exit_code(self) -> int:
        """Return the exit code of the last stage that was begun."""
        return self.stages[-1].exit_code


def check(stages: Sequence[Stage]) -> None:
    """Raise UserError for stages that cannot follow each other."""
    if not 1 <= len(stages) <= MAX_STAGES:
        raise wrong("stages", len(stages), f"1 to {MAX_STAGES} of them")
    first = stages[0].config
    for number, stage in enumerate(stages, start=1):
        config, thing = stage.config, f"stage {number}"
        try:
            config.validate()
        except UserError as error:
            raise UserError(f"{thing}: {error}") from None
        for name in ("algorithm", "num_seeds"):
            if getattr(config, name) != getattr(first, name):
                allowed = f"{getattr(first, name)!r}, as in stage 1"
                raise wrong(f"{thing}: {name}", getattr(config, name), allowed)
        if number > 1 and config.start_from is not None:
            raise wrong(f"{thing}: start_from", config.start_from, "None: it begins with the stage before")


def create(stages: Sequence[Stage], root: Path) -> None:
    """Make the folder of a new curriculum; UserError where there is something already, or for stages as in `check`."""
    check(stages)
    run_folder.create(root)
    listed = [{"label": stage.label, "config": to_json(stage.config)} for stage in stages]
    files.write_json(root / STAGES, {"stages": listed})


def read(root: Path) -> list[Stage]:
    """Read the stages of a curriculum; UserError for a folder that holds none."""
    file = root / STAGES
    if not file.is_file():
        raise wrong("--resume", str(root), f"the folder of a curriculum (there is no {file})")
    try:
        listed = read_json(file)["stages"]
        given = [(str(each["label"]), each["config"]) for each in listed]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{file}: given no list of stages; allowed: what a curriculum wrote") from None
    return [
        Stage(label, from_json(config, f"{file}: stage {number}"))
        for number, (label, config) in enumerate(given, start=1)
    ]


def run(
    stages: Sequence[Stage],
    root: Path,
    make_display: Callable[[], Display],
    on_stage: Callable[[str], Any] = lambda said: None,
) -> CurriculumResult:
    """Train stage after stage in the folder of a curriculum, beginning with the first that has not finished.

    `on_stage` is told of each in a line.
    """
    results: list[Result] = []
    for number, stage in enumerate(stages, start=1):
        folder = RunFolder(stage_folder(root, number))
        on_stage(f"stage {number} of {len(stages)}: {stage.label}, in {folder.root}")
        resume = folder.config.is_file()
        config = stage.config
        if resume:
            network = None if isinstance(config.network, str) else config.network
            config = load_config(folder.config).with_network(network)
        if number > 1 and not checkpoint.steps(folder.checkpoints):  # the folders may have been moved since
            config = dataclasses.replace(config, start_from=str(stage_folder(root, number - 1)))
        result = loop.train(config, run_dir=folder.root, resume=resume, display=make_display())
        results.append(result)
        if result.status != FINISHED:
            break
    return CurriculumResult(tuple(results), len(stages))


def stage_folder(root: Path, number: int) -> Path:
    """Return the run folder of a stage, counted from 1."""
    return root / f"stage-{number:02d}"


def table(stages: Sequence[Stage], result: CurriculumResult) -> str:
    """Return what each stage came to, a line each."""
    return "\n".join(
        f"stage {number}: {stage.label}: {_in_words(stage, ended)}"
        for number, (stage, ended) in enumerate(zip(stages, result.stages, strict=False), start=1)
    )


def _in_words(stage: Stage, ended: Result) -> str:
    said = f"{ended.status} after {ended.step:,} steps"
    if ended.evaluation is None:
        return said
    measure = stage.config.make_env().spec.headline
    return f"{said}, {ended.evaluation[measure]['mean']:.1f} {measure} per game"
