"""The command line of a curriculum: that of training, and what each stage has of its own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetrax.fields.errors import UserError, wrong
from tetrax.train import presets
from tetrax.train.command import cli, flags
from tetrax.train.config import TrainConfig
from tetrax.train.curriculum import curriculum
from tetrax.train.curriculum.curriculum import Stage

PROGRAM = f"{cli.PROGRAM} {cli.CURRICULUM}"
EXAMPLE = "--stage '--env.rules.width 6 --evaluation.enough 5' --stage ''"


@dataclass(frozen=True)
class CommandLine(cli.Flags):
    """The flags of a curriculum."""

    stage: tuple[str, ...] = ()
    """Flags of one stage, as one word, over those that all stages share; given once for each, in order. A stage ends
    at its --evaluation.enough, or with its --total-steps."""
    run_dir: str | None = None
    """Folder for the curriculum, new or empty, with a run for each stage; when not given, a new one under runs/."""
    resume: str | None = None
    """Folder of a curriculum to go on with, alone."""
    config: str | None = None
    """A config.json to take the defaults from, instead of a preset."""


@dataclass(frozen=True)
class StageFlags(cli.Flags):
    """The flags of a stage, beside those of its configuration."""

    config: str | None = None


@dataclass(frozen=True)
class CurriculumRequest:
    """What the user asked for."""

    stages: tuple[Stage, ...]
    run_dir: Path
    resume: bool
    notices: tuple[str, ...]  # what the user should know before it starts, a line each


def parse(argv: Sequence[str]) -> CurriculumRequest | None:
    """Read the words after `curriculum`; return None after printing help. Raise UserError for a word that is wrong."""
    folder = _resumed(argv)
    if folder is not None:
        return CurriculumRequest(tuple(curriculum.read(folder)), folder, True, ())
    reading = cli.read(_attach(argv), CommandLine, repeatable=("stage",))
    words = reading.words
    if words.wants_help:
        _print_help(reading.source or cli.help_config(reading))
        return None
    if not words.given.get("stage"):
        raise UserError(f"--stage: given none; allowed: one for each stage, such as {EXAMPLE}")
    own = cli.own_types(CommandLine).keys() - {"config"}
    shared = {path: given for path, given in words.given.items() if path not in own}
    stages = []
    for number, given in enumerate(words.given["stage"], start=1):
        try:
            config = _read_stage([reading.algorithm, *flags.spell(shared, reading.types)], given)
            stages.append(Stage(given or "as given", config))
        except UserError as error:
            raise UserError(f"--stage {number}: {error}") from None
        shared.pop("start_from", None)  # the others begin with the stage before
    curriculum.check(stages)
    last = stages[-1].config
    return CurriculumRequest(tuple(stages), cli.run_dir(words, last, "curriculum-"), False, cli.sizes(last))


def _resumed(argv: Sequence[str]) -> Path | None:
    """Return the folder that --resume names, which is given alone."""
    given = [word for word in argv if word.partition("=")[0] == "--resume"]
    if not given:
        return None
    words = argv[0].split("=", 1) if len(argv) == 1 else list(argv)
    if len(words) != 2 or words[0] != "--resume" or not words[1]:
        raise wrong("--resume", " ".join(argv), "--resume FOLDER alone: a curriculum goes on as it began")
    return Path(words[1])


def _attach(argv: Sequence[str]) -> list[str]:
    """Join --stage and the word after it, which would be taken for a flag: "--stage=--env.rules.width 6"."""
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        words.append(f"{word}={rest.pop(0)}" if word == "--stage" and rest else word)
    return words


def _read_stage(shared: Sequence[str], given: str) -> TrainConfig:
    """Return the configuration of a stage: its own flags over those that all share."""
    try:
        own = shlex.split(given)
    except ValueError as error:
        raise wrong("flags", given, f"flags as on a command line ({error})") from None
    for word in own:
        if word.partition("=")[0] in ("--run-dir", "--resume", "--config"):
            raise wrong(word.partition("=")[0], given, "given once, for all stages")
    reading = cli.read([*shared, *own], StageFlags)
    if reading.words.wants_help:
        raise wrong("flags", given, f"flags that {PROGRAM} --help lists")
    config, _ = cli.defaults(reading)
    return cli.put_over(StageFlags(train=config), reading.words, reading.types).train


def _print_help(config: TrainConfig) -> None:
    flags.print_help(
        CommandLine,
        CommandLine(train=config),
        prog=f"{PROGRAM} [{'|'.join(presets.algorithms())}]",
        description=(
            "Train one agent in several games, one after another: each stage is a run that begins with the parameters "
            "of the one before, as far as they fit its networks, and ends as soon as its evaluations are good enough. "
            f"For example: {PROGRAM} dreamer --env.actions drop {EXAMPLE}. A stage may differ in anything: rules, "
            "numbers of the game (--env.params game.gravity=655), reward, settings of the agent. "
            f"--resume goes on with one. The defaults below are those of preset {config.preset}."
        ),
    )


def run(request: CurriculumRequest, make_display: Any) -> int:
    """Carry out what was asked for; print what each stage came to, and return the exit code."""
    if not request.resume:
        curriculum.create(request.stages, request.run_dir)
    ended = curriculum.run(request.stages, request.run_dir, make_display, on_stage=_say)
    _say(curriculum.table(request.stages, ended))
    if ended.exit_code:
        _say(f"go on with: {PROGRAM} --resume {shlex.quote(str(request.run_dir))}")
    return ended.exit_code


def _say(text: str) -> None:
    print(text, flush=True)
