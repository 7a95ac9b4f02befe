"""What a game of several boards is: its settings, and its numbers."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from flax import struct
from jax import Array

from tetrax.env.env_params import EnvParams
from tetrax.env.game.rules import RULE_PRESETS, check_choice, check_whole
from tetrax.env.tetris import EnvConfig, Tetris

MIN_PLAYERS, MAX_PLAYERS = 2, 4
TARGETS = ("next", "random", "even")

BOARD = EnvConfig(
    rules=dataclasses.replace(RULE_PRESETS["guideline"], garbage=True),
    actions="drop",
    params=(
        "game.garbage_delay=1",
    ),  # a tick is a piece: what comes can still be cancelled with the next one
)


@dataclass(frozen=True)
class VersusConfig:
    """Settings of Tetris for two to four, each with a board."""

    num_players: int = 2
    """Players, a board each (2 to 4)."""
    board: EnvConfig = BOARD
    """What every board is: rules, actions, observation, and the reward that it would have alone."""
    targets: Literal["next", "random", "even"] = "next"
    """Whom rows are sent at, among those who still stand: the next one, any one drawn anew each time, or all,
    shared out evenly (what is left over goes to the nearest in turn, a row each). With two players all are alike."""
    same_pieces: bool = True
    """Whether all players get the same pieces in the same order; the holes of their garbage differ all the same."""
    cooperative: bool = False
    """Whether the players help each other: all get the sum of what the boards' own rewards pay, nothing is sent,
    and the first who falls ends the game."""
    shows_others: bool = True
    """Whether a player sees the others' pieces, waiting garbage, heights and chains; else each sees its own board, as
    alone."""
    shows_attack: bool = False
    """Whether afterstates of actions "drop" tell the rows that each placement would send, in quarters, as one more
    feature."""
    win: float = 1.0
    """Weight of the end: 1 for who stands last, -1 for who falls before, 0 for those who fall last together."""
    attack: float = 0.0
    """Weight of a row that is sent at others, after cancelling; of one that comes from them, less as much."""
    own: float = 0.0
    """Weight of the reward that the board would have alone."""

    def __post_init__(self) -> None:
        check_whole("env.num_players", self.num_players, MIN_PLAYERS, MAX_PLAYERS)
        if not isinstance(self.board, EnvConfig):
            raise ValueError(f"env.board: given {self.board!r}; allowed: an EnvConfig")
        check_choice("env.targets", self.targets, TARGETS)
        for name in ("same_pieces", "cooperative", "shows_others", "shows_attack"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"env.{name}: given {getattr(self, name)!r}; allowed: True or False")
        for name in ("win", "attack", "own"):
            check_weight(f"env.{name}", getattr(self, name))
        self._check_kind()
        self._check_shown()

    def _check_kind(self) -> None:
        """Refuse what belongs to the other kind of game."""
        if not self.cooperative:
            if not self.board.rules.garbage:
                raise ValueError(
                    "env.board.rules.garbage: given False; allowed: True, for players who send each other garbage, "
                    "or env.cooperative"
                )
            return
        if self.board.rules.garbage:
            raise ValueError(
                "env.board.rules.garbage: given True with env.cooperative, where nobody sends any; allowed: False"
            )
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in ("targets", "win", "attack", "own"):
            if getattr(self, name) != defaults[name]:
                raise ValueError(
                    f"env.{name}: given {getattr(self, name)!r} with env.cooperative, where all get what the boards' "
                    f"own rewards pay; allowed: {defaults[name]}"
                )

    def _check_shown(self) -> None:
        board = self.board
        has_features = board.view.startswith("afterstate") and board.view != "afterstate_boards"
        if self.shows_attack and not (board.actions == "drop" and has_features):
            raise ValueError(
                f"env.shows_attack: given True with actions {board.actions!r} and observation {board.view!r}; allowed: "
                "with actions 'drop', whose placements are no spins, and afterstates that have features"
            )


class VersusWeights(struct.PyTreeNode):
    """Weights of the rewards of players who play against each other, each float32[]."""

    win: Array
    attack: Array
    own: Array


class VersusParams(struct.PyTreeNode):
    """Numbers of the game that may change without recompiling, and may be vmapped."""

    board: EnvParams  # of every board
    weights: VersusWeights | None  # None in a cooperative game


def default_params(config: VersusConfig) -> VersusParams:
    """Return the numbers that a configuration starts with."""
    weights = None
    if not config.cooperative:
        weights = VersusWeights(
            win=jnp.float32(config.win), attack=jnp.float32(config.attack), own=jnp.float32(config.own)
        )
    return VersusParams(board=Tetris(config.board).default_params, weights=weights)


def check_weight(name: str, given: object) -> None:
    """Raise a ValueError for a weight that is no finite number."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise ValueError(f"{name}: given {given!r}; allowed: a finite number")


# The smallest cooperative game there is.
TOGETHER = VersusConfig(board=EnvConfig(rules=RULE_PRESETS["guideline"], actions="drop"), cooperative=True)
