"""Play Tetris by a beam search: from games to actions."""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.env.game.rules import check_choice, check_whole
from tetrax.env.game.state import State
from tetrax.env.tetris import Tetris
from tetrax.search import beam, verdicts
from tetrax.search.attack_weights import ATTACK_WEIGHTS, unflatten
from tetrax.search.board_value import BoardValue
from tetrax.search.lines import LINES
from tetrax.search.verdicts import Plan

MOST_BOARDS = 256  # of a game's beams together: a placement's board is told in eight bits
MOST_PLACEMENTS = 32  # looked ahead
MOST_CANDIDATES = 64  # first placements that are compared by what may come next
MOST_CANDIDATE_BOARDS = 1024  # of all of them together


@dataclass(frozen=True)
class BeamSettings:
    """How a beam search plays."""

    width: int = 64
    """Boards that are kept at each step, the best by attack and evaluation."""
    clear_width: int = 64
    """Boards kept beside them for what may become a perfect clear."""
    depth: int = 7
    """Placements looked ahead, at most as many as pieces are known."""
    beyond: int = 0
    """Pieces beyond the visible ones that are drawn from what may come, and believed."""
    placements: int = 0
    """Placements of a game: what pays only after the last one is worth nothing; 0 = it goes on."""
    weights: Literal["tuned", "hand", "cold-clear-2"] = "tuned"
    """Weights of the evaluation: tuned for the attack of 50 placements, written by hand, or Cold Clear 2's."""

    def __post_init__(self) -> None:
        check_size("", self.width, self.clear_width, self.depth, self.beyond, self.placements)
        check_choice("weights", self.weights, tuple(ATTACK_WEIGHTS))

    @property
    def size(self) -> beam.Size:
        """Return how much is looked at."""
        return beam.Size(self.width, self.clear_width, self.depth, self.beyond)


def check_size(prefix: str, width: int, clear_width: int, depth: int, beyond: int, placements: int) -> None:
    """Raise a ValueError for the first setting, named with a prefix, that cannot work."""
    check_whole(f"{prefix}width", width, 1, MOST_BOARDS)
    check_whole(f"{prefix}clear_width", clear_width, 0, MOST_BOARDS - width)
    check_whole(f"{prefix}depth", depth, 1, MOST_PLACEMENTS)
    check_whole(f"{prefix}beyond", beyond, 0, MOST_PLACEMENTS)
    check_whole(f"{prefix}placements", placements, 0, 2**31 - 1)


def why_only_plays(placements: int) -> str:
    """Say why nothing can be learned from games without a last placement; nothing where there is one."""
    return "" if placements else "agent.placements: given 0; allowed: 1 or more, to learn from whole games"


def check_environment(env: Tetris) -> None:
    """Raise a ValueError for actions that the search does not choose among."""
    if env.config.actions != "locked_position" or env.config.orientation != "chosen":
        given = f"{env.config.actions!r} with orientation {env.config.orientation!r}"
        raise ValueError(
            f"env.actions: given {given} with policy beam, which chooses among all places; allowed: locked_position, "
            "with orientation 'chosen'"
        )


def choose(
    env: Tetris,
    size: beam.Size,
    placements: int,
    weights: Float32[Array, "B D"],
    states: State,
    key: PRNGKeyArray,
    value: BoardValue | None = None,
) -> Plan:
    """Plan the next placement of B games of so many placements (0 = they go on), knowing no more than their players."""
    keys = jax.random.split(key, weights.shape[0])

    def look(state: State, key: PRNGKeyArray) -> beam.Root:
        return beam.find_root(env.rules, size, env.resample_future(state, key), placements)

    return verdicts.planner(env.rules, size)(unflatten(weights), value, jax.vmap(look)(states, keys))


def action_of(env: Tetris, plan: Plan) -> Int32[Array, "B"]:
    """Return the action of `locked_position` that puts a piece where it is planned."""
    half = plan.use_hold.astype(jnp.int32) * 4 + plan.orientation
    return (half * env.rules.height + plan.y) * env.rules.width + plan.x


def act(
    env: Tetris,
    size: beam.Size,
    placements: int,
    weights: Float32[Array, "D"],
    states: State | None,
    key: PRNGKeyArray,
    value: BoardValue | None = None,
) -> tuple[Int32[Array, "B"], dict[str, Any]]:
    """Choose an action for each of B games by one row of weights; tell what was found, float32[B] each, and lines."""
    if states is None:
        raise ValueError("sight: given no states to policy beam, which plans; allowed: those of the games")
    every = jnp.broadcast_to(weights[None], (states.piece.shape[0], weights.shape[0]))
    plan = choose(env, size, placements, every, states, key, value)
    told = {"value": plan.value, "boards": plan.boards, "missed": plan.missed}
    numbers = {name: number.astype(jnp.float32) for name, number in told.items()}
    return action_of(env, plan), {**numbers, LINES: plan.lines}
