"""The command line of a sweep: that of training, and which numbers to vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tetrax import games
from tetrax.fields.errors import UserError, wrong, wrong_name
from tetrax.train import presets
from tetrax.train.command import cli, flags
from tetrax.train.config import MAX_MEMBERS, TrainConfig
from tetrax.train.report.rows import EVALUATION
from tetrax.train.sweep import sweep_members, sweep_points
from tetrax.train.sweep.sweep_members import Sweep

AUTO = "auto"
PROGRAM = f"{cli.PROGRAM} {cli.SWEEP}"
# Settings that a sweep has no use for: it saves no checkpoints and evaluates at the end alone.
UNUSED = (
    "checkpoint_seconds",
    "keep_checkpoints",
    "tensorboard",
    "wandb",
    "watch.steps",
    "watch.alerts",
    "watch.alert_command",
    "evaluation.every",
    "evaluation.record_every",
    "evaluation.episodes",
    "evaluation.max_pieces",
    "evaluation.enough",
)


@dataclass(frozen=True)
class CommandLine(cli.Flags):
    """The flags of a sweep."""

    grid: tuple[str, ...] = ()
    """NAME=VALUE,VALUE,…: values of a tunable; given for several names, every combination is a point."""
    random: tuple[str, ...] = ()
    """NAME=LOW:HIGH or NAME=LOW:HIGH:log: a tunable drawn uniformly, or uniformly in its logarithm. Every draw is
    combined with every point of the grid."""
    samples: int = 8
    """Draws of the random names, decided by --seed."""
    metric: str = AUTO
    """What points are ranked by, higher being better: a measure of the game, such as return, or with eval/ before it
    that of the evaluation at the end; auto is the first that there is. Those without eval/ are means over the games
    that end in the last quarter of the training."""
    halving: bool = False
    """Successive halving: only the better half of the points, by the training metric, goes on after 1/4 and again
    after 1/2 of the steps."""
    members_at_once: int = 0
    """Members trained side by side; 0 = as many as memory holds. More are trained in equal groups, one after
    another."""
    run_dir: str | None = None
    """Folder for the sweep, new or empty; when not given, a new one under runs/."""
    config: str | None = None
    """A config.json to take the defaults from, instead of a preset."""


REPEATABLE = ("grid", "random")


@dataclass(frozen=True)
class SweepRequest:
    """What the user asked for."""

    sweep: Sweep
    run_dir: Path
    notices: tuple[str, ...]  # what the user should know before it starts, a line each


def parse(argv: Sequence[str]) -> SweepRequest | None:
    """Read the words after `sweep`; return None after printing help. Raise UserError for a word that is wrong."""
    if any(word.partition("=")[0] == "--resume" for word in argv):
        raise UserError(
            "--resume: given to a sweep; allowed: to a run (a sweep is not gone on with: start it anew)"
        )
    reading = cli.read(argv, CommandLine, REPEATABLE)
    words, types = reading.words, reading.types
    if words.wants_help:
        _print_help(_with_less_evaluation(reading.source or cli.help_config(reading)))
        return None
    for path in UNUSED:
        if path in words.given:
            raise wrong(flags.flag_name(path), words.one(path), "nothing in a sweep, which has no use for it")
    defaults, notice = cli.defaults(reading)
    asked = cli.put_over(CommandLine(train=_with_less_evaluation(defaults)), words, types)
    if asked.train.make_env().spec.on_host:
        given = games.word_for(asked.train.game, asked.train.env)
        raise wrong("--game", given, "a game that is compiled: many members are one program")
    _check(asked)
    sweep_members.check_beginning(asked.train)
    sweep = Sweep(
        config=asked.train,
        points=_points(asked, words, types),
        metric=_metric(asked),
        members_at_once=asked.members_at_once,
        halving=asked.halving,
        command=_command(words, types, asked.train),
    )
    if sweep.halving and 0 < sweep.members_at_once < sweep.num_members:
        raise wrong("--members-at-once", sweep.members_at_once, f"{sweep.num_members}, all, with --halving")
    folder = cli.run_dir(words, asked.train, "sweep-")
    return SweepRequest(sweep, folder, (notice, *cli.sizes(asked.train)))


def _with_less_evaluation(config: TrainConfig) -> TrainConfig:
    """Evaluate every member like a run while it trains: many members would wait long for the larger one."""
    few = config.evaluation
    if few.final_episodes == 0:
        return config
    evaluation = replace(few, final_episodes=few.episodes, final_max_pieces=few.max_pieces)
    return replace(config, evaluation=evaluation)


def _check(asked: CommandLine) -> None:
    for name, minimum in (("samples", 1), ("members_at_once", 0)):
        if not minimum <= getattr(asked, name) <= MAX_MEMBERS:
            allowed = f"{minimum} or more, up to {MAX_MEMBERS}"
            raise wrong(flags.flag_name(name), getattr(asked, name), allowed)
    if not asked.grid and not asked.random:
        raise UserError(
            "--grid, --random: given neither; allowed: one or both, such as --grid agent.learning_rate=1e-4,1e-3"
        )
    names = _metrics(asked.train)
    if asked.metric not in names:
        raise wrong_name("--metric", asked.metric, names)
    if asked.metric.startswith(EVALUATION) and asked.train.evaluation.final_episodes == 0:
        trained = [name for name in names if not name.startswith(EVALUATION)]
        raise wrong("--metric with --evaluation.final-episodes 0", asked.metric, ", ".join(trained))


def _points(asked: CommandLine, words: flags.Words, types: dict[str, Any]) -> tuple[sweep_points.Point, ...]:
    config = asked.train
    try:
        points = sweep_points.read(config, asked.grid, asked.random, asked.samples, config.seed)
    except UserError as error:
        raise UserError(cli.name_flags(str(error), types)) from None
    if "samples" in words.given and not asked.random:
        raise wrong("--samples", asked.samples, "with --random alone")
    for name in points[0]:
        if name in words.given:
            raise wrong(flags.flag_name(name), words.one(name), "nothing, where --grid or --random gives it")
    return points


def _metrics(config: TrainConfig) -> list[str]:
    """Return the names that --metric takes."""
    measures = config.make_env().spec.measures
    return [AUTO, *(EVALUATION + name for name in measures), *measures]


def _metric(asked: CommandLine) -> str:
    if asked.metric != AUTO:
        return asked.metric
    headline = asked.train.make_env().spec.headline
    return EVALUATION + headline if asked.train.evaluation.final_episodes else headline


def _command(words: flags.Words, types: dict[str, Any], config: TrainConfig) -> tuple[str, ...]:
    """Return the words that give the configuration, without those of the sweep; the preset is always named."""
    own = cli.own_types(CommandLine).keys() - {"config"}
    given = {path: given for path, given in words.given.items() if path not in own}
    if "config" not in given:
        given = {"preset": (config.preset,), **given}
    return tuple(flags.spell(given, types))


def _print_help(config: TrainConfig) -> None:
    tunable = ", ".join(sweep_points.names(config))
    flags.print_help(
        CommandLine,
        CommandLine(train=config),
        prog=f"{PROGRAM} [{'|'.join(presets.algorithms())}]",
        description=(
            "Train --num-seeds seeds of every point of a grid, or of points drawn at random, as one compiled "
            "program, and compare them. For example: "
            f"{PROGRAM} --num-seeds 16 --grid agent.learning_rate=1e-4,3e-4,1e-3 --grid agent.entropy=0,0.003. "
            f"Tunables, with the rules and the reward as they are: {tunable}. "
            "Every member comes out like a single run with its seed and its values. The sweep leaves sweep.json, "
            "sweep.jsonl, a plot and the policy of the best point. It saves no checkpoints and cannot be resumed; "
            f"Ctrl-C keeps what was measured. Without effect here: {', '.join(map(flags.flag_name, UNUSED))}. "
            f"The defaults below are those of preset {config.preset}."
        ),
    )
