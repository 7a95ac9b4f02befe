"""Dreams beside the truth: real games are seen for a while, then foreseen with closed eyes, and compared.

What is foreseen follows the actions that were really taken, so that only the model is judged, and not the policy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, PRNGKeyArray

from tetrax.env.batch import Batch
from tetrax.env.contract import RETURN, Game, Observation, Shown, TimeStep
from tetrax.env.wrappers import LateReset
from tetrax.world_model import model
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model import AnyModel
from tetrax.world_model.readings import Reading, Told

BINS = 10  # of probabilities, as wide as each other
SMALLEST_DISCOUNT = 1e-6  # below it the model tells nothing of how games go on

# (observation of B games, is_first: bool[B], memory, key) -> (action: int32[B], memory)
Decide = Callable[[Observation, Array, Any, PRNGKeyArray], tuple[Array, Any]]


class Plan(NamedTuple):
    """How much is dreamed: the defaults are those of training."""

    games: int = 16  # N
    context: int = 16  # moments that are seen
    horizon: int = 15  # moments that are foreseen: as many as the actor and the critic learn from


class Played(struct.PyTreeNode):
    """T moments of N games. The end of a game is a moment too, whose action leads to nothing."""

    reading: Reading  # [T, N, ...], what is seen there
    action: Array  # int32[T, N], taken there
    reward: Array  # float32[T, N], gained on the way there
    gained: Array  # float32[T, N], of the game's headline measure, on the way there
    terminated: Array  # bool[T, N], the game is over there
    is_first: Array  # bool[T, N], it begins there


class Dream(struct.PyTreeNode):
    """What was played, and what the model makes of it: of the first moments by what is seen, then with closed eyes."""

    played: Played  # [T, N, ...]
    told: Told  # [T, N, ...]
    reward: Array  # float32[T, N], expected on the way there
    goes_on: Array  # float32[T, N], probability that the game is not over there
    context: int = struct.field(pytree_node=False)  # moments that are seen

    @property
    def counted(self) -> Bool[Array, "horizon N"]:
        """Tell which foreseen moments belong to the game that was seen last, its end included."""
        return jnp.cumsum(self.played.is_first[self.context :], axis=0) == 0


class Calibration(struct.PyTreeNode):
    """Foreseen moments by the probability with which their game was said to go on: bins [0, 0.1), …, [0.9, 1]."""

    number: Array  # int32[bins]
    told: Array  # float32[bins], mean of the probabilities; NaN in an empty bin
    real: Array  # float32[bins], share that did go on; NaN in an empty bin

    @property
    def error(self) -> Float32[Array, ""]:
        """Return how far probabilities are from shares, on average over moments."""
        apart = jnp.where(self.number > 0, jnp.abs(self.told - self.real), 0.0)
        return _divide(jnp.sum(apart * self.number), jnp.sum(self.number))


class Comparison(struct.PyTreeNode):
    """How near a dream comes to the truth. Shares of foreseen moments that count, NaN where none does."""

    number: Array  # int32[horizon], games that count
    cells: Array | None  # float32[horizon], share of cells that are right; None where no board is shown
    boards: Array | None  # float32[horizon], share of boards that are right in every cell
    unmoved: (
        Array | None
    )  # float32[horizon], share of cells that would be right if nothing moved after the context
    numbers: Array  # float32[horizon], mean error of numbers, symlog; NaN where none are shown
    number_after: Array  # int32[horizon], of the games that count those that have just gained
    cells_after: Array | None  # float32[horizon], `cells` of these
    boards_after: Array | None  # float32[horizon], `boards` of these
    calibration: Calibration
    told_reward: Array  # float32[N], expected of the foreseen moments that count, together
    real_reward: Array  # float32[N], gained in them
    told_lines: (
        Array | None
    )  # float32[N], cleared from foreseen board to foreseen board; None where none is shown
    real_lines: Array | None  # float32[N], cleared from board to board

    def by_step(self) -> dict[str, Array]:
        """Return what is told of each foreseen step, [horizon] by name; boards only where they are shown."""
        told = {
            "number": self.number,
            "cells": self.cells,
            "boards": self.boards,
            "unmoved": self.unmoved,
            "numbers": self.numbers,
            "number_after": self.number_after,
            "cells_after": self.cells_after,
            "boards_after": self.boards_after,
        }
        return {name: values for name, values in told.items() if values is not None}

    def by_game(self) -> dict[str, tuple[Array, Array]]:
        """Return sums over the foreseen moments of each game that count, by name: what is told, and what came."""
        told = {"reward": (self.told_reward, self.real_reward)}
        if self.told_lines is not None and self.real_lines is not None:
            told["lines"] = (self.told_lines, self.real_lines)
        return told

    def summary(self) -> dict[str, Array]:
        """Return the comparison in few numbers, float32[] by name: means over all moments that count."""
        told: dict[str, Array] = {}
        if self.cells is not None and self.boards is not None:
            told["cells"] = average(self.cells, self.number)
            told["boards"] = average(self.boards, self.number)
            told["boards_1"] = self.boards[0]
        else:
            told["numbers"] = average(self.numbers, self.number)
        if self.cells_after is not None and self.boards_after is not None:
            told["cells_after"] = average(self.cells_after, self.number_after)
            told["boards_after"] = average(self.boards_after, self.number_after)
        told["continue_error"] = self.calibration.error
        errors = {
            f"{name}_error": jnp.mean(jnp.abs(foreseen - real))
            for name, (foreseen, real) in self.by_game().items()
        }
        return told | errors


class _Now(NamedTuple):
    """What goes from moment to moment of play."""

    games: Any  # LateResetState of N games, on the last axis
    seen: Observation
    memory: Any
    reward: Array
    gained: Array
    terminated: Array
    is_first: Array


def play(
    world: AnyModel,
    env: Game,
    env_params: Any,
    decide: Decide,
    memory: Any,
    plan: Plan,
    key: PRNGKeyArray,
) -> Played:
    """Play N games for all moments of a plan; where one is over the next begins in the step after."""
    reset_key, play_key = jax.random.split(key)
    games = Batch(LateReset(env))
    state, timestep = games.reset(jax.random.split(reset_key, plan.games), env_params)

    def gain(reward: Array, event: Any) -> Array:
        """Return what a step adds to the headline measure."""
        measured = {**env.measure(event), RETURN: reward}
        return jnp.asarray(measured.get(env.spec.headline, 0.0), jnp.float32)

    def step(now: _Now, step_key: PRNGKeyArray) -> tuple[_Now, Played]:
        action, memory = decide(now.seen, now.is_first, now.memory, step_key)
        moment = Played(
            reading=model.read(world, now.seen),
            action=action,
            reward=now.reward,
            gained=now.gained,
            terminated=now.terminated,
            is_first=now.is_first,
        )
        state, timestep = games.step(now.games, action, env_params)
        gained = jax.vmap(gain)(timestep.reward, timestep.event)
        return _arrive(state, timestep, memory, gained, is_first=now.games.is_over), moment

    nothing, yes = jnp.zeros_like(timestep.reward), jnp.ones_like(timestep.terminated)
    first = _arrive(state, timestep, memory, nothing, is_first=yes)
    return jax.lax.scan(step, first, jax.random.split(play_key, plan.context + plan.horizon))[1]


def _arrive(games: Any, timestep: TimeStep, memory: Any, gained: Array, is_first: Array) -> _Now:
    return _Now(
        games=games,
        seen=timestep.observation,
        memory=memory,
        reward=timestep.reward,
        gained=gained,
        terminated=timestep.terminated,
        is_first=is_first,
    )


def foresee(
    world: AnyModel,
    params: Any,
    played: Played,
    context: int,
    discount: float | Float32[Array, ""],
    key: PRNGKeyArray,
) -> Dream:
    """See the first `context` moments of games and foresee the others by the actions that were taken.

    `discount` is the one that the model was taught: what it tells of how games go on is the probability times it.
    """
    num_moments, num_games = played.action.shape
    see_key, dream_key = jax.random.split(key)
    before = jnp.concatenate([jnp.zeros_like(played.action[:1]), played.action[:-1]])
    seen = jax.tree.map(lambda leaf: leaf[:context], played)
    start = model.initial_state(world, (num_games,))
    context_states = model.see_all(
        world, params, start, before[:context], seen.reading, seen.is_first, see_key
    ).state
    drive: Any = world.apply(params, before[context:], method=world.drive)
    uniform = jax.random.uniform(dream_key, (num_moments - context, num_games, world.state_sizes.latents))

    def step(state: ModelState, inputs: tuple[Array, Array]) -> tuple[ModelState, ModelState]:
        after: Any = world.apply(params, state, *inputs, method=world.foresee)
        return after.state, after.state

    last = jax.tree.map(lambda leaf: leaf[-1], context_states)
    foreseen = jax.lax.scan(step, last, (drive, uniform))[1]
    states = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), context_states, foreseen)
    told: Any = world.apply(params, states.features, method=world.tell)
    foretold: Any = world.apply(params, states.features, method=world.foretell)
    taught = jnp.maximum(discount, SMALLEST_DISCOUNT)
    return Dream(
        played=played,
        told=told,
        reward=model.mean_reward(world, foretold),
        goes_on=jnp.minimum(jax.nn.sigmoid(foretold.goes_on) / taught, 1.0),
        context=context,
    )


def compare(dream: Dream, shown: Shown) -> Comparison:
    """Compare what was foreseen with what came, moment by moment after the context."""
    counted, context = dream.counted, dream.context
    played = jax.tree.map(lambda leaf: leaf[context:], dream.played)
    told: Reading = jax.tree.map(lambda leaf: leaf[context:], dream.told).likeliest()
    after = counted & (played.gained > 0)
    number, number_after = (jnp.sum(each, axis=1, dtype=jnp.int32) for each in (counted, after))
    cells = boards = unmoved = cells_after = boards_after = told_lines = real_lines = None
    if told.cells.shape[-1]:
        right = told.cells == played.reading.cells
        of_cells, of_board = jnp.mean(right, axis=-1, dtype=jnp.float32), jnp.all(right, axis=-1)
        last = dream.played.reading.cells[context - 1 : context]
        still = jnp.mean(last == played.reading.cells, axis=-1, dtype=jnp.float32)
        cells, boards, unmoved = (_share(each, counted) for each in (of_cells, of_board, still))
        cells_after, boards_after = _share(of_cells, after), _share(of_board, after)
        sides = (dream.told.likeliest().cells, dream.played.reading.cells)
        of_step = (count_lines(as_boards(shown, each[context - 1 :])) for each in sides)
        told_lines, real_lines = (jnp.sum(jnp.where(counted, each, 0.0), axis=0) for each in of_step)
    apart = jnp.mean(jnp.abs(told.numbers - played.reading.numbers), axis=-1)
    return Comparison(
        number=number,
        cells=cells,
        boards=boards,
        unmoved=unmoved,
        numbers=_share(apart, counted),
        number_after=number_after,
        cells_after=cells_after,
        boards_after=boards_after,
        calibration=calibrate(dream.goes_on[context:], ~played.terminated, counted),
        told_reward=jnp.sum(jnp.where(counted, dream.reward[context:], 0.0), axis=0),
        real_reward=jnp.sum(jnp.where(counted, played.reward, 0.0), axis=0),
        told_lines=told_lines,
        real_lines=real_lines,
    )


def calibrate(
    told: Float32[Array, "*n"], happened: Bool[Array, "*n"], counted: Bool[Array, "*n"]
) -> Calibration:
    """Compare probabilities with how often what they are of happened, bin by bin, where `counted`."""
    edges = jnp.arange(BINS).reshape((BINS,) + (1,) * told.ndim)
    place = jnp.clip(jnp.floor(told * BINS), 0, BINS - 1).astype(jnp.int32)
    within = (place[None] == edges) & counted[None]  # [bins, *n]

    def add(values: Array) -> Array:
        return jnp.sum(jnp.where(within, values[None], 0), axis=range(1, within.ndim))

    number = add(jnp.ones_like(place))
    return Calibration(
        number=number,
        told=_divide(add(told), number),
        real=_divide(add(happened.astype(jnp.float32)), number),
    )


def average(means: Any, number: Any) -> Float32[Array, ""]:
    """Return the mean over all moments, of means by step and how many moments each is of; NaN where there are none."""
    return _divide(jnp.sum(jnp.where(number > 0, means * number, 0.0)), jnp.sum(number))


def as_boards(shown: Shown, cells: Array) -> Float32[Array, "*n planes R W"]:
    """Return cells of readings [*n, C] as boards, row 0 at the bottom: locked cells, the falling piece, its ghost."""
    return cells.reshape(*cells.shape[:-1], -1, shown.num_rows, shown.width)


def count_lines(boards: Float32[Array, "T N planes R W"]) -> Float32[Array, "T-1 N"]:
    """Return the lines cleared from each board to the next, by how many cells are gone, to the nearest whole line.

    Where as many cells are locked as before, no piece has come to rest. Rows of garbage are taken for cells that stay.
    """
    locked, falling = (jnp.sum(boards[:, :, plane], axis=(-2, -1)) for plane in (0, 1))
    gone = locked[:-1] + falling[:-1] - locked[1:]
    lines = jnp.maximum(jnp.round(gone / boards.shape[-1]), 0.0)
    return jnp.where(locked[1:] == locked[:-1], 0.0, lines)


def _share(values: Array, counted: Bool[Array, "horizon N"]) -> Float32[Array, "horizon"]:
    """Return the mean over the games that count."""
    summed = jnp.sum(jnp.where(counted, values.astype(jnp.float32), 0.0), axis=1)
    return _divide(summed, jnp.sum(counted, axis=1))


def _divide(total: Array, number: Array) -> Array:
    return jnp.where(number > 0, total / jnp.maximum(number, 1), jnp.nan)
