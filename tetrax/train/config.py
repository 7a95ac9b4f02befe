"""The configuration of a training run, and its JSON.

One tree of frozen dataclasses is the single source: the command line, `--help`, `config.json` and the
compiled programs are all made from it. The JSON is strict: a field unknown, missing or of the wrong type is
named and refused, so that a file that loads means exactly what it says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import types
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro.conf

from tetrax import games
from tetrax.agents import AGENTS
from tetrax.agents.agent import Agent
from tetrax.env.game.vector import describe, name_kind
from tetrax.fields import as_json
from tetrax.fields.errors import UserError, wrong, wrong_name
from tetrax.networks import own_network
from tetrax.system.disk import as_path, read_json
from tetrax.train import config_format
from tetrax.train.alerts import read_rule
from tetrax.train.report.tally import MAX_EPISODES, MAX_LENGTH
from tetrax.train.watch_config import WatchConfig

MAX_STEPS = 2**53  # which every reader of JSON can count
MAX_MEMBERS = 10_000  # trainings of one command: each is logged and evaluated by itself
MAX_CHUNK_ITERATIONS = 1_000_000  # nothing is said, saved or obeyed before a chunk ends

# What may change when a run is resumed, besides the agent's tunables: how long, how often saved and looked at.
CHANGEABLE_ON_RESUME = (
    "total_steps", "checkpoint_seconds", "keep_checkpoints", "tensorboard", "wandb", "evaluation", "watch",
)  # fmt: skip


def may_change(path: str, of_agent: Collection[str]) -> bool:
    """Return whether a field may change after a run has begun, where `of_agent` are the agent's settings that may."""
    names = (*CHANGEABLE_ON_RESUME, *(f"agent.{name}" for name in of_agent))
    return any(path == name or path.startswith(f"{name}.") for name in names)


@dataclass(frozen=True)
class EvalConfig:
    """Games played by the greedy policy, on seeds that never change, to see how good it is."""

    every: int = 1_000_000
    """Environment steps between evaluations while training, rounded up to whole chunks; 0 = none."""
    episodes: int = 32
    """Games per evaluation while training."""
    max_pieces: int = 1_000
    """Pieces (in games without them: steps) after which a game of an evaluation while training is stopped; 0 = no
    cap."""
    final_episodes: int = 256
    """Games in the evaluation at the end; 0 = no evaluation at the end."""
    final_max_pieces: int = 2_000
    """Pieces (or steps) after which a game of the evaluation at the end is stopped; 0 = no cap."""
    record_every: int = 1
    """Of every so many evaluations while training the best, the median and the worst game are kept as recordings; 0 =
    of none."""
    enough: float | None = None
    """Training ends, before --total-steps, as soon as the last three evaluations come to this much on average, in the
    game's first measure (lines; elsewhere the return); None = never."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run: two runs with equal configurations on one machine are equal."""

    algorithm: str
    """The learning algorithm, a name in `tetrax.agents.AGENTS`."""
    preset: str
    """The whole configuration that this one started from, a name in `tetrax.train.presets`."""
    env: Any
    """The environment: the frozen dataclass of the game's entry in `tetrax.games.GAMES`."""
    agent: Any
    """The algorithm's own settings: the frozen dataclass of its entry in `tetrax.agents.AGENTS`."""
    game: str = "tetris"
    """The kind of game, a name in `tetrax.games.GAMES`; on the command line also cartpole, gymnax:ID,
    gymnasium:ID."""
    evaluation: EvalConfig = EvalConfig()
    """Evaluation while training and at the end."""
    watch: WatchConfig = WatchConfig()
    """What is left of the run for people to look at."""
    total_steps: int = 1_000_000
    """Environment steps to train for, of all games of one seed together, rounded up to whole chunks (of
    --chunk-iterations)."""
    seed: int = 0
    """Seed of the run's first agent; equal seeds give equal runs."""
    num_seeds: int = 1
    """Agents trained side by side in one program, with seeds seed, seed + 1, …."""
    chunk_iterations: int = 8
    """Training iterations in one chunk, a compiled program; logging, evaluating and saving happen between chunks."""
    checkpoint_seconds: float = 60.0
    """Seconds between checkpoints, looked at after each chunk; one is always saved at the end."""
    keep_checkpoints: int = 2
    """Newest checkpoints kept on disk; at least 2, so that a damaged one can be stepped over."""
    tensorboard: bool = False
    """Write TensorBoard events too (in a checkout: pip install -e '.[tensorboard]')."""
    wandb: str | None = None
    """Name of a project of Weights & Biases that gets the metrics too (in a checkout: pip install -e '.[wandb]'; with
    WANDB_MODE=offline they stay in the run's folder); None = none."""
    start_from: str | None = None
    """Folder of another run, or of an exported policy, with whose parameters this one begins, as far as they fit its
    networks; None = none."""
    network: Annotated[Any, tyro.conf.Suppress] = None
    """In Python alone: a flax module of one's own in place of agent.network (see `ppo.make`, `dqn.make`). Files have
    its description, which is what `from_json` gives: text with which nothing can be made."""

    def validate(self) -> None:
        """Raise UserError for the first value that cannot work, alone or together with another."""
        check_config(self)
        _at_least("total_steps", self.total_steps, 1, MAX_STEPS)
        minima = {"seed": 0, "keep_checkpoints": 2, "checkpoint_seconds": 0}
        for name, minimum in minima.items():
            _at_least(name, getattr(self, name), minimum)
        _at_least("num_seeds", self.num_seeds, 1, MAX_MEMBERS)
        _at_least("chunk_iterations", self.chunk_iterations, 1, MAX_CHUNK_ITERATIONS)
        _check_evaluation(self.evaluation)
        _check_watching(self.watch)
        if self.wandb == "":
            raise wrong(flag("wandb"), self.wandb, "the name of a project, or None")
        if self.seed + self.num_seeds > 2**31:
            raise wrong(
                flag("seed"), self.seed, f"seeds below {2**31}, with --num-seeds {self.num_seeds} added"
            )
        try:
            agent = self.make_agent()  # the environment and the agent check what is theirs
        except (ValueError, ModuleNotFoundError) as error:
            raise UserError(str(error)) from None
        if agent.why_only_plays:
            raise UserError(agent.why_only_plays)
        self._check_length(agent)
        spec = self.make_env().spec
        if spec.on_host and self.num_seeds > 1:
            raise wrong(flag("num_seeds"), self.num_seeds, "1 for a game that steps on the host")
        if spec.on_host and spec.is_endless:
            self._check_that_evaluations_end(spec.title)

    def _check_length(self, agent: Agent) -> None:
        """Refuse more iterations than the agent can count."""
        if self.horizon > agent.max_iterations:
            longest = agent.max_iterations // self.chunk_iterations * self.steps_per_chunk()
            counted = f"{agent.max_iterations} iterations of {agent.steps_per_iteration} steps"
            raise wrong(flag("total_steps"), self.total_steps, f"1 or more, up to {longest} ({counted})")

    def _check_that_evaluations_end(self, title: str) -> None:
        """Refuse evaluations without a cap of a game that may go on for ever and has no limit of its own."""
        settings = self.evaluation
        for name, is_played in (
            ("max_pieces", settings.every),
            ("final_max_pieces", settings.final_episodes),
        ):
            if is_played and not getattr(settings, name):
                allowed = f"1 or more steps, or a limit by --env.max-steps: {title} has none"
                raise wrong(flag(f"evaluation.{name}"), 0, allowed)

    def make_env(self) -> Any:
        """Return the game; ValueError or ModuleNotFoundError where it cannot be made."""
        return games.make(self.game, self.env)

    def make_agent(self) -> Agent:
        """Return the agent; ValueError where its settings or the game's cannot work.

        It is made once: equal settings give the same agent, whose functions are then compiled once.
        """
        if self.network is not None:
            own_network.check_module(self._own_network())
        return _make_agent(self.algorithm, self.agent, self.game, self.env, self.network)

    def with_network(self, network: Any) -> TrainConfig:
        """Return the configuration with its own network, given again where a file has described it.

        ValueError for another network than the one described; None leaves everything as it is.
        """
        if network is None:
            return self
        own_network.check_module(network)
        given = own_network.describe(network)
        if self.network is None or (isinstance(self.network, str) and self.network != given):
            allowed = (
                f"{self.network}, with which this was trained" if self.network else "none, as in training"
            )
            raise ValueError(f"network: given {given}; allowed: {allowed}")
        return dataclasses.replace(self, network=network)

    def _own_network(self) -> Any:
        """Return the own network; ValueError where there is no more than its description, or nobody to take it."""
        if isinstance(self.network, str):
            raise ValueError(
                f"network: given none; allowed: {self.network}, the network of one's own with which this was trained, "
                "given in Python: tetrax.load(folder, network=…), tetrax.resume_agent(folder, network=…)"
            )
        if not AGENTS[self.algorithm].takes_network:
            able = ", ".join(name for name, spec in AGENTS.items() if spec.takes_network)
            raise ValueError(
                f"network: given one with algorithm {self.algorithm}; allowed: none, or one of {able}"
            )
        return self.network

    def steps_per_chunk(self) -> int:
        """Return the environment steps of one chunk, all games of one seed together."""
        return self.make_agent().steps_per_iteration * self.chunk_iterations

    @property
    def target_chunks(self) -> int:
        """Return the chunks that make the steps asked for."""
        return whole_chunks(self.total_steps, self.steps_per_chunk())

    @property
    def horizon(self) -> int:
        """Return the iterations of the whole run, over which schedules go."""
        return self.target_chunks * self.chunk_iterations

    @property
    def title(self) -> str:
        """Return what is trained on what, for people."""
        return f"{self.algorithm} · {self.preset} · {self.make_env().spec.title}"


@functools.lru_cache(maxsize=8)
def _make_agent(algorithm: str, agent: Any, game: str, env: Any, network: Any) -> Agent:
    make, made = AGENTS[algorithm].make, games.make(game, env)
    return make(agent, made) if network is None else make(agent, made, network)


def check_config(config: object) -> None:
    """Raise TypeError or UserError for what is no configuration, or holds records of another kind than it names."""
    if not isinstance(config, TrainConfig):
        raise TypeError(
            f"config: given {describe(config)}; allowed: a TrainConfig, as presets.find gives one"
        )
    for name, kind in (
        ("agent", agent_config_type(config.algorithm)),
        ("env", game_config_type(config.game)),
        ("evaluation", EvalConfig),
        ("watch", WatchConfig),
    ):
        if not isinstance(getattr(config, name), kind):
            allowed = f"{name_kind(kind)} (algorithm {config.algorithm}, game {config.game})"
            raise UserError(f"{flag(name)}: given {describe(getattr(config, name))}; allowed: {allowed}")


def flag(path: str) -> str:
    """Return the command line's flag for a field: `agent.num_envs` is `--agent.num-envs`."""
    return "--" + path.replace("_", "-")


def whole_chunks(steps: int, steps_per_chunk: int) -> int:
    """Return the number of chunks that make at least `steps` environment steps."""
    return -(-steps // steps_per_chunk)


def _check_evaluation(settings: EvalConfig) -> None:
    """Raise UserError for the first number of an evaluation that cannot work."""
    _at_least("evaluation.every", settings.every, 0)
    _at_least("evaluation.record_every", settings.record_every, 0)
    _at_least("evaluation.episodes", settings.episodes, 1, MAX_EPISODES)
    _at_least("evaluation.final_episodes", settings.final_episodes, 0, MAX_EPISODES)
    for name in ("max_pieces", "final_max_pieces"):
        _at_least(f"evaluation.{name}", getattr(settings, name), 0, MAX_LENGTH)
    enough = settings.enough
    if enough is None:
        return
    if isinstance(enough, bool) or not isinstance(enough, int | float) or not math.isfinite(enough):
        raise wrong(flag("evaluation.enough"), enough, "a finite number, or None")
    if not settings.every:
        allowed = "None, or evaluations while training (--evaluation.every)"
        raise wrong(flag("evaluation.enough"), enough, allowed)


def _check_watching(settings: WatchConfig) -> None:
    """Raise UserError for the first of the settings that cannot work."""
    for text in settings.alerts:
        read_rule(text)
    command = settings.alert_command
    if command is not None and not _is_command_line(command):
        raise wrong(flag("watch.alert_command"), command, "a command line, or None")


def _is_command_line(text: str) -> bool:
    """Return whether a shell can be given a text: any but an empty one, one with zeros, and what is no text."""
    with contextlib.suppress(UnicodeEncodeError):
        return bool(text.strip()) and b"\0" not in os.fsencode(text)
    return False


def _at_least(path: str, value: float, minimum: int, maximum: int | None = None) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and path != "checkpoint_seconds"):
        raise wrong(flag(path), value, "a number" if path == "checkpoint_seconds" else "a whole number")
    if not value >= minimum or value == math.inf or (maximum is not None and value > maximum):
        allowed = f"{minimum} or more" if maximum is None else f"{minimum} or more, up to {maximum}"
        raise wrong(flag(path), value, allowed)


def to_json(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as JSON values, the format's version first; of an own network its description."""
    document = {"format": config_format.VERSION, **as_json.to_json(dataclasses.replace(config, network=None))}
    if config.network is None:
        del document["network"]
    else:
        is_described = isinstance(config.network, str)
        document["network"] = config.network if is_described else own_network.describe(config.network)
    return document


def from_json(document: Any, source: str = "config") -> TrainConfig:
    """Read what `to_json` wrote; `source` names the file in errors."""
    if not isinstance(document, dict) or "format" not in document:
        raise UserError(f"{source}: given no configuration; allowed a config.json written by a run")
    content = dict(document)
    version = content.pop("format")
    if version not in (config_format.VERSION, *config_format.ADDED_SINCE):
        raise wrong(
            f"{source}: format",
            version,
            f"{config_format.VERSION}, or an older one: {', '.join(map(str, config_format.ADDED_SINCE))}",
        )
    content = {"network": None, **config_format.with_added(content, version)}
    choices = {
        "agent": agent_config_type(content.get("algorithm"), f"{source}: algorithm"),
        "env": game_config_type(content.get("game"), f"{source}: game"),
        "network": types.NoneType if content.get("network") is None else str,
    }
    try:
        return as_json.from_json(TrainConfig, content, choices=choices)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None


def load_config(path: str | Path) -> TrainConfig:
    """Read a `config.json`; raise UserError naming what is wrong with it."""
    path = as_path(path)
    if not path.exists():
        raise UserError(f"{path}: given a file that does not exist; allowed a config.json written by a run")
    if path.is_dir():
        raise wrong(str(path), "a folder", "a file, such as a run's config.json")
    try:
        document = read_json(path)
    except (ValueError, OSError) as error:
        raise UserError(
            f"{path}: given a file that is not JSON ({error}); allowed a config.json written by a run"
        ) from None
    return from_json(document, str(path))


def agent_config_type(algorithm: Any, thing: str = "algorithm") -> type:
    """Return the configuration dataclass of an algorithm; `thing` says where the user named it."""
    if not isinstance(algorithm, str) or algorithm not in AGENTS:
        raise wrong_name(thing, algorithm, AGENTS)
    return AGENTS[algorithm].config


def game_config_type(game: Any, thing: str = "game") -> type:
    """Return the configuration dataclass of a kind of game; `thing` says where the user named it."""
    if not isinstance(game, str) or game not in games.GAMES:
        raise wrong_name(thing, game, games.GAMES)
    return games.GAMES[game].config
