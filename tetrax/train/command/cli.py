"""The training command line: words to a configuration and the folder to train in.

A preset, a `config.json` or the run to go on with gives the defaults, and the flags are put over them. Nothing is
written here, and the folder is only looked at.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import jax
import tyro

from tetrax import agents, games
from tetrax.fields.errors import UserError, wrong, wrong_name
from tetrax.games import Named
from tetrax.train import presets
from tetrax.train.command import flags
from tetrax.train.config import (
    CHANGEABLE_ON_RESUME,
    TrainConfig,
    load_config,
    may_change,
    to_json,
    whole_chunks,
)
from tetrax.train.folder.run_folder import check_can_be_made, differences, open_existing
from tetrax.train.machine import memory, processes
from tetrax.train.run import RECENT
from tetrax.train.sweep.sweep_points import SWEEP_LOG

PROGRAM = "python -m tetrax.train"
DEFAULT_ALGORITHM, DEFAULT_GAME = "ppo", "tetris"
SWEEP = "sweep"  # first word of the command that trains many members: see tetrax.train.sweep.sweep_cli
CURRICULUM = "curriculum"  # that of the one that trains in stages: see tetrax.train.curriculum.curriculum_cli

T = TypeVar("T", bound="Flags")


@dataclass(frozen=True)
class Flags:
    """The flags of a command that trains: a configuration, and those of its own in a subclass."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class CommandLine(Flags):
    """What is asked of this start alone."""

    run_dir: str | None = None
    """Folder for the run, new or empty; when not given, a new one under runs/."""
    resume: str | None = None
    """Folder of a run to go on with, by its own configuration; --total-steps, tunables, saving and evaluation
    may be changed."""
    config: str | None = None
    """A config.json to take the defaults from, instead of a preset."""
    distributed: bool = False
    """Train together with other processes, each started with this flag: one program over all their devices."""


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    config: TrainConfig
    run_dir: Path
    resume: bool
    notices: tuple[str, ...]  # what the user should know before it starts, a line each


class Reading(NamedTuple):
    """A command line that has been read, and the configuration that its flags change."""

    algorithm: str
    game: Named
    source: TrainConfig | None  # the configuration that --resume or --config names
    types: dict[str, Any]  # of every flag, by the field's path
    words: flags.Words


def parse(argv: Sequence[str]) -> Request | None:
    """Read the command line; return None after printing help. Raise UserError for a word that is wrong."""
    reading = read(argv, CommandLine)
    source, words, types = reading.source, reading.words, reading.types
    if words.wants_help:
        _print_help(source or help_config(reading))
        return None
    if words.values.get("distributed"):
        processes.join()  # before anything asks which devices there are
    if words.one("resume") is not None and source is not None:
        return _resume(source, words, types)
    config, notice = defaults(reading)
    parsed = put_over(CommandLine(train=config), words, types).train
    return Request(parsed, run_dir(words, parsed), resume=False, notices=(notice, *sizes(parsed)))


def read(argv: Sequence[str], command: type[Flags], repeatable: Collection[str] = ()) -> Reading:
    """Find the algorithm and the configuration that decide which flags there are; check every word against them."""
    given_algorithm, words_given = _split_algorithm(argv)
    source = _stored_config(words_given)
    if source is not None and given_algorithm not in (None, source.algorithm):
        raise wrong("algorithm", given_algorithm, f"{source.algorithm}, that of the configuration given")
    algorithm = source.algorithm if source is not None else given_algorithm or DEFAULT_ALGORITHM
    game = _find_game(words_given, source, algorithm)
    decides = source or presets.any_config(algorithm, game.game, game.config)
    types = {**flags.field_types(decides), **own_types(command)}
    words = flags.read_words(words_given, types, repeatable)
    for word in words.positionals:
        raise wrong("unexpected word", word, "flags, and the algorithm as the first word", types)
    _check_combination(words)
    words.values.pop("game", None)  # the configuration has it already, by its kind and its id
    return Reading(algorithm, game, source, types, words)


def own_types(command: type[Flags]) -> dict[str, Any]:
    """Return the flags of a command besides those of the configuration, and their types."""
    return {name: hint for name, hint in get_type_hints(command).items() if name != "train"}


def _split_algorithm(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """Take the algorithm off the command line: the first word, or the value of --algorithm."""
    first = argv[0] if argv and not argv[0].startswith("-") else None
    by_flag = _value_of("--algorithm", argv)
    if first in (SWEEP, CURRICULUM):
        raise wrong("algorithm", first, f"{', '.join(presets.algorithms())} ({first} is said once)")
    for name, others in ((first, [SWEEP, CURRICULUM]), (by_flag, [])):
        if name is not None and name not in presets.algorithms():
            raise wrong_name("algorithm", name, [*presets.algorithms(), *others])
    if first is not None and by_flag not in (None, first):
        raise wrong("--algorithm", by_flag, f"{first}, the first word")
    return first or by_flag, list(argv if first is None else argv[1:])


def _find_game(argv: Sequence[str], source: TrainConfig | None, algorithm: str) -> Named:
    """Return the game that --game names: it decides which flags there are, and which presets."""
    word = _value_of("--game", argv)
    if word is None:
        return (
            Named(presets.first_game(algorithm), None) if source is None else Named(source.game, source.env)
        )
    try:
        named = games.find(word)
    except ValueError as error:
        raise UserError(f"--{error}") from None
    if source is not None and named not in (Named(source.game, None), Named(source.game, source.env)):
        allowed = f"{games.word_for(source.game, source.env)}, that of the configuration given"
        raise wrong("--game", word, allowed)
    return named


def _stored_config(argv: Sequence[str]) -> TrainConfig | None:
    """Load the configuration that --resume or --config names: it decides which flags there are."""
    resume, config = _value_of("--resume", argv), _value_of("--config", argv)
    if "" in (resume, config):
        return None  # refused with all the words
    if resume is not None:
        if (Path(resume) / SWEEP_LOG).exists():
            raise wrong("--resume", resume, "the folder of a run (this is a sweep: start it anew)")
        return load_config(open_existing(Path(resume)).config)
    return load_config(config) if config is not None else None


def _value_of(flag: str, argv: Sequence[str]) -> str | None:
    """Return the value of a flag that decides which flags there are; of several the last, as of every flag."""
    value = None
    for index, word in enumerate(argv):
        if word.startswith(f"{flag}="):
            value = word.removeprefix(f"{flag}=")
        if word == flag and index + 1 < len(argv) and not argv[index + 1].startswith("-"):
            value = argv[index + 1]
    return value


def _check_combination(words: flags.Words) -> None:
    """Refuse a folder or file without a name, and two flags that name two sources of the same thing."""
    for path in ("run_dir", "resume", "config"):
        if words.one(path) == "":
            raise wrong(flags.flag_name(path), "", "a name")
    for first, second in (("resume", "config"), ("resume", "run_dir"), ("config", "preset")):
        if first in words.given and second in words.given:
            raise wrong(flags.flag_name(second), words.one(second), f"nothing, with {flags.flag_name(first)}")


def help_config(reading: Reading) -> TrainConfig:
    """Return the configuration whose values --help shows as defaults."""
    return _preset(reading, reading.words.one("preset") or presets.CPU_PRESET)


def defaults(reading: Reading) -> tuple[TrainConfig, str]:
    """Choose the configuration that the flags are put over, and say which."""
    source, words = reading.source, reading.words
    if source is not None:
        return _with_rules(source, words), f"configuration: {words.one('config')}"
    name = words.one("preset")
    if name is not None:
        return _preset(reading, name), f"preset: {name}"
    device = _device()
    name = presets.CPU_PRESET if device == "cpu" else presets.ACCELERATOR_PRESET
    return _preset(reading, name), f"preset: {name} (the default on {device}; --preset changes it)"


def _device() -> str:
    """Return the kind of device that JAX will use; this starts its backend."""
    return jax.default_backend()


def _preset(reading: Reading, name: str) -> TrainConfig:
    words, game = reading.words, reading.game
    config = presets.find(
        reading.algorithm,
        name,
        actions=words.one("env.actions"),
        observation=words.one("env.observation"),
        game=game.game,
        env=game.config,
    )
    return _with_rules(config, words)


def _with_rules(config: TrainConfig, words: flags.Words) -> TrainConfig:
    """Put the rules that --env.preset names in place of the configuration's own."""
    name = words.one("env.preset")
    if name is None or name == config.env.preset:
        return config
    return dataclasses.replace(config, env=presets.with_rules(config.env, name))


def put_over(default: T, words: flags.Words, types: Mapping[str, Any]) -> T:
    """Put the flags over the defaults of a command line, and check its configuration."""
    own = {name: words.values[name] for name in own_types(type(default)) if name in words.values}
    settings = {path: value for path, value in words.values.items() if path not in own}
    try:
        config = flags.put(default.train, settings)
        config.validate()
    except (UserError, ValueError) as error:
        raise UserError(name_flags(str(error), types)) from None
    return dataclasses.replace(default, train=config, **own)


def name_flags(message: str, types: Iterable[str]) -> str:
    """Name the flag where a check named a field: "rules.width: …" is "--env.rules.width: …"."""
    match = re.match(r"([\w.]+)(\[\d+\])?: ", message)
    if match is None:
        return message
    field = match[1]
    owners = [path for path in types if path == field or path.endswith(f".{field}")]
    return flags.flag_name(owners[0]) + message[len(field) :] if owners else message


def _resume(stored: TrainConfig, words: flags.Words, types: Mapping[str, Any]) -> Request:
    """Put the flags over a run's own configuration; refuse those that would make it another run."""
    config = put_over(CommandLine(train=stored), words, types).train
    changeable = (*CHANGEABLE_ON_RESUME, *(f"agent.{name}" for name in agents.changeable(stored.algorithm)))
    for path, (before, after) in differences(to_json(stored), to_json(config)).items():
        if not may_change(path, agents.changeable(stored.algorithm)):
            listed = ", ".join(flags.flag_name(name) for name in changeable)
            raise UserError(
                f"{flags.flag_name(path)}: given {after!r} with --resume; allowed: {before!r}, as the run "
                f"began (changeable are {listed})"
            )
    folder = Path(words.values["resume"])
    notice = f"configuration: {folder / 'config.json'}"
    return Request(config, folder, resume=True, notices=(notice, *sizes(config)))


def sizes(config: TrainConfig) -> tuple[str, ...]:
    """Say to how many steps --total-steps is rounded up, if it is, and how much memory a replay takes."""
    agent, notices = config.make_agent(), []
    size = agent.steps_per_iteration * config.chunk_iterations
    total = whole_chunks(config.total_steps, size) * size
    if total != config.total_steps:
        notices.append(
            f"total steps: {total:,} ({config.total_steps:,} rounded up to whole chunks of {size:,})"
        )
    evaluation = config.evaluation
    if evaluation.enough is not None and total < RECENT * whole_chunks(evaluation.every, size) * size:
        notices.append(
            f"--evaluation.enough: fewer than {RECENT} evaluations fit into {total:,} steps, so that it ends nothing"
        )
    if agent.replay_bytes:
        each = f" for each of {config.num_seeds} seeds" if config.num_seeds > 1 else ""
        notices.append(f"replay: {memory.readable(agent.replay_bytes)}{each}")
    return tuple(notices)


def run_dir(words: flags.Words, config: TrainConfig, prefix: str = "") -> Path:
    """Return the folder that is named, if it can be made, or a new one under runs/."""
    given = words.one("run_dir")
    folder = Path(given) if given is not None else Path("runs") / _default_name(config, prefix)
    if not words.values.get("distributed"):  # of several processes, only the first needs the folder
        check_can_be_made(folder)
    return folder


def _default_name(config: TrainConfig, prefix: str) -> str:
    """Return the name of a run that was given none: what is trained, and when."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    game = re.sub(r"\W+", "-", config.make_env().spec.title)
    return f"{prefix}{config.algorithm}-{game}-{config.preset}-seed{config.seed}-{now}"


def _print_help(config: TrainConfig) -> None:
    algorithms = "|".join(presets.algorithms())
    rules = (
        f"Rules (--env.preset): {', '.join(presets.rule_names())}. " if config.game == DEFAULT_GAME else ""
    )
    sets = {
        name: sorted(presets.action_sets(config.algorithm, name)) for name in presets.names(config.algorithm)
    }
    listed = "; ".join(f"{name}: {', '.join(found)}" for name, found in sets.items())
    actions = f"Action sets that each preset has settings for (--env.actions): {listed}. " if rules else ""
    flags.print_help(
        CommandLine,
        CommandLine(train=config),
        prog=f"{PROGRAM} [{algorithms}]",
        description=(
            "Train an agent; with no argument, ppo on Tetris with the preset for this machine. "
            f"The game here is {games.word_for(config.game, config.env)}; others (--game): {', '.join(games.names())}. "
            f"The defaults below are those of preset {config.preset}. "
            f"Presets (--preset): {', '.join(presets.names(config.algorithm))}; without one, "
            f"{presets.CPU_PRESET} on a CPU and {presets.ACCELERATOR_PRESET} on an accelerator. {rules}{actions}"
            f"Many seeds and settings as one program: {PROGRAM} {SWEEP} --help. One agent through several games: "
            f"{PROGRAM} {CURRICULUM} --help."
        ),
    )
