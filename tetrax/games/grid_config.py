"""A grid world's settings and its state."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from flax import struct
from jax import Array

from tetrax.env.game.rules import check_choice, check_whole

MAX_AGENTS, MAX_TARGETS, MAX_SIDE, MAX_STEPS = 8, 16, 64, 2**20
STAY, UP, DOWN, LEFT, RIGHT = range(5)
STRIDES = np.array([(0, 0), (0, 1), (0, -1), (-1, 0), (1, 0)], np.int32)  # (x, y) of each action

Opponent = Literal["self", "greedy", "random"]


@dataclass(frozen=True)
class GridWorldConfig:
    """Settings of the grid world."""

    width: int = 10
    """Columns."""
    height: int = 10
    """Rows."""
    num_agents: int = 2
    """Who walk at once."""
    num_targets: int = 2
    """Targets; with own-targets as many as agents."""
    rewards: Literal["cooperative", "competitive"] = "cooperative"
    """cooperative: +10 for everybody for each target found, +20 when all are; competitive: +20 for who finds one, -5
    for the others. Each step costs 0.1."""
    own_targets: bool = False
    """Whether target i counts only when agent i is there; competitive games are then won by who is first at its own."""
    opponent: Opponent = "self"
    """Who has the other seats: self leaves all to whoever learns or plays; greedy walks to the nearest target left."""
    max_steps: int = 100
    """Steps after which a game is truncated."""

    def __post_init__(self) -> None:
        for name, high in (("width", MAX_SIDE), ("height", MAX_SIDE)):
            check_whole(f"env.{name}", getattr(self, name), 1, high)
        check_whole("env.num_agents", self.num_agents, 2, MAX_AGENTS)
        check_whole("env.num_targets", self.num_targets, 1, MAX_TARGETS)
        check_whole("env.max_steps", self.max_steps, 1, MAX_STEPS)
        check_choice("env.rewards", self.rewards, ("cooperative", "competitive"))
        check_choice("env.opponent", self.opponent, ("self", "greedy", "random"))
        self._check_together()

    def _check_together(self) -> None:
        if self.own_targets and self.num_targets != self.num_agents:
            raise ValueError(
                f"env.num_targets: given {self.num_targets} with own-targets; allowed: {self.num_agents}, one an agent"
            )
        if self.opponent != "self" and not self.is_competitive:
            raise ValueError(
                f"env.opponent: given {self.opponent!r} with cooperative rewards; allowed: self, or rewards competitive"
            )
        if self.num_agents + self.num_targets > self.width * self.height:
            raise ValueError(
                f"env.width: given {self.width} by {self.height} cells; allowed: one for each of "
                f"{self.num_agents} agents and {self.num_targets} targets"
            )

    @property
    def is_competitive(self) -> bool:
        """Tell whether agents play against each other."""
        return self.rewards == "competitive"


class GridState(struct.PyTreeNode, kw_only=True):
    """Where everybody is, and in a game against opponents what decides their steps."""

    agents: Array  # int32[P, 2], (x, y)
    targets: Array  # int32[M, 2]
    found: Array  # bool[M], no longer there
    scores: Array  # int32[P], targets that each has found
    num_steps: Array  # int32[], taken
    over: Array  # bool[], nothing changes any more
    seat: Array | None = None  # int32[], whom the opponents play against; None where there are none
    key: Array | None = None  # key<fry>[], of the opponents' steps, folded with their number
