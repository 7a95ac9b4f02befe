"""The members of a sweep: whole trainings that differ in their seed and their point, in one program."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array

from tetrax.agents.agent import Agent
from tetrax.env.contract import Game
from tetrax.fields.errors import UserError, wrong
from tetrax.train.config import MAX_MEMBERS, TrainConfig
from tetrax.train.program import Members, Program
from tetrax.train.sweep import sweep_points
from tetrax.train.sweep.sweep_points import AGENT, ENV, Point


@dataclass(frozen=True)
class Sweep:
    """What is to be trained and compared."""

    config: TrainConfig  # of every member, but for its seed and its point; num_seeds seeds of each point
    points: tuple[Point, ...]
    metric: str  # the points are ranked by it; a name in sweep_results
    members_at_once: int = 0  # 0: as many as memory holds
    halving: bool = False
    command: tuple[str, ...] = ()  # words of a command line that give `config`

    def __post_init__(self) -> None:
        if self.num_members > MAX_MEMBERS:
            given = f"{len(self.points)} points with {self.config.num_seeds} seeds each"
            raise UserError(f"--num-seeds: given {given}; allowed: up to {MAX_MEMBERS} members")

    @property
    def seeds(self) -> range:
        """Return the seeds of every point."""
        return range(self.config.seed, self.config.seed + self.config.num_seeds)

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the measures of the game, the headline first."""
        return self.config.make_env().spec.measures

    @property
    def length(self) -> str:
        """Return the measure in which games are long, and by which evaluations are stopped."""
        return self.config.make_env().spec.length

    @property
    def num_members(self) -> int:
        """Return the trainings of the sweep: member i has point i // seeds, seed i % seeds."""
        return len(self.points) * self.config.num_seeds


def check_beginning(config: TrainConfig) -> None:
    """Raise UserError where a sweep would have to begin with another run's parameters."""
    if config.start_from is not None:
        allowed = "None in a sweep, whose members begin anew"
        raise wrong("--start-from", config.start_from, allowed)


def member_program(sweep: Sweep, env: Game, agent: Agent, members: Sequence[int]) -> Program:
    """Return the program that trains these members side by side, each from its seed and its values."""
    config = sweep.config

    def init(values: dict[str, Array]) -> Any:
        env_params = _env_params(env.default_params, values)
        state = agent.init(jax.random.key(values["seed"], impl="threefry2x32"), env_params, config.horizon)
        given = {name.removeprefix(AGENT): value for name, value in values.items() if name.startswith(AGENT)}
        return dataclasses.replace(state, tunables={**state.tunables, **given})

    values = sweep_points.arrays(config, sweep.points, sweep.seeds, members)
    program = Program(agent, chunk_iterations=config.chunk_iterations, members=Members(values, init))
    if any(name.startswith(ENV) for name in values) and not hasattr(program.template, "env_params"):
        raise UserError(
            f"--grid, --random: given {ENV}…, and algorithm {config.algorithm} keeps none; "
            f"allowed: names that begin with {AGENT}"
        )
    return program


def _env_params(params: Any, values: dict[str, Array]) -> Any:
    """Put the values that are given for the environment in place of its own."""

    def chosen(path: Any, leaf: Array) -> Array:
        return values.get(ENV + jax.tree_util.keystr(path, simple=True, separator="."), leaf)

    return jax.tree_util.tree_map_with_path(chosen, params)


def split(num_members: int, at_once: int) -> list[list[int]]:
    """Cut the members into as few groups as `at_once` allows, of one size; the last may lack some."""
    size = math.ceil(num_members / math.ceil(num_members / at_once))
    return [list(range(first, min(first + size, num_members))) for first in range(0, num_members, size)]
