"""The grid world: P agents who walk at once over a W x H grid and look for M targets, together or against each other.

Cells are (x, y), row 0 at the bottom. Agents do not stand in each other's way: any number of them may be in one
cell, and two may change places. A step into a wall stays where it is. Who is on a target after a step has found it,
so that several find one where they come to it in the same step.
"""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.contract import DRAWS, LOSSES, RETURN, STEPS, WINS, Observation, Shown, Spec, TimeStep
from tetrax.env.game.state import select
from tetrax.env.game.vector import check_key
from tetrax.games import grid_sight, grid_walkers
from tetrax.games.grid_config import STRIDES, GridState, GridWorldConfig, Opponent

FOUND, COMPLETED = "found", "completed"  # targets found, and games in which that were all
NOBODY = -1  # has won: a draw, or a game that goes on
SEAT, WALKS = np.uint32(2**32 - 1), np.uint32(2**32 - 2)  # folded into a game's key

STEP_REWARD = -0.1  # of everybody, in every step
FOUND_TOGETHER, ALL_FOUND = 10.0, 20.0  # cooperative: of everybody
FOUND_ALONE, MISSED = (
    20.0,
    -5.0,
)  # competitive: of those who find a target, in equal shares; of each of the others


class Walked(struct.PyTreeNode, kw_only=True):
    """What happened in a step."""

    finds: Array  # bool[P, M], who found what in it
    scores: Array  # int32[P], after it
    completed: Array  # bool[], the last target was found in it
    ended: Array  # bool[], the game ended in it
    counted: Array  # int32[], the agent whose wins are counted: the first, or who plays against the opponents


@dataclass(frozen=True)
class GridWorld:
    """The grid world, as `tetrax.env.contract.TogetherGame` has it, or against opponents a game of one player.

    Actions are 0 to 4: stay, up, down, left, right; any other number stays. A game ends (terminated) when all is
    found, and is truncated after `max_steps`.
    """

    config: GridWorldConfig
    default_params = ()
    action_names = ("stay", "up", "down", "left", "right")

    @functools.cached_property
    def spec(self) -> Spec:
        """Return what learners ask."""
        config, alone = self.config, self.config.opponent == "self"
        who = f"{config.num_agents} agents {'' if alone else f'against {config.opponent} '}".strip()
        what = f"{config.num_targets} {'own ' if config.own_targets else ''}targets"
        measures = (WINS, DRAWS, LOSSES, FOUND) if config.is_competitive else (RETURN, FOUND, COMPLETED)
        return Spec(
            name="gridworld",
            title=f"grid world {config.width}x{config.height}, {who}, {what}, {config.rewards}",
            num_actions=len(STRIDES),
            shows=Shown("flat"),
            can_truncate=True,
            legal_varies=False,
            measures=(*measures, STEPS) if alone else (*measures, RETURN, STEPS),
            num_players=config.num_agents if alone else 1,
            acts_together=alone,
        )

    @property
    def opponents(self) -> tuple[str, ...]:
        """Return the names of those who play against somebody; () where agents help each other."""
        return ("greedy", "random") if self.config.is_competitive else ()

    def against(self, opponent: str) -> "GridWorld":
        """Return the game of one player against others of a kind, from every seat; ValueError for one there is not."""
        if opponent not in self.opponents:
            allowed = ", ".join(self.opponents) or "none, its agents help each other"
            raise ValueError(f"opponent: given {opponent!r} in {self.spec.title}; allowed: {allowed}")
        return GridWorld(dataclasses.replace(self.config, opponent=cast(Opponent, opponent)))

    def init(self, key: PRNGKeyArray, params: Any = ()) -> GridState:
        """Return a start: agents and targets in different cells, every placing as likely as any other."""
        del params
        check_key(key)
        config = self.config
        places = _draw_cells(key, config.num_agents + config.num_targets, config.width * config.height)
        cells = jnp.stack([places % config.width, places // config.width], axis=-1)  # [P + M, 2]
        state = GridState(
            agents=cells[: config.num_agents],
            targets=cells[config.num_agents :],
            found=jnp.zeros(config.num_targets, bool),
            scores=jnp.zeros(config.num_agents, jnp.int32),
            num_steps=jnp.int32(0),
            over=jnp.bool_(False),
        )
        if config.opponent == "self":
            return state
        seat = jax.random.randint(jax.random.fold_in(key, SEAT), (), 0, config.num_agents, jnp.int32)
        return state.replace(seat=seat, key=jax.random.fold_in(key, WALKS))

    def reset(self, key: PRNGKeyArray, params: Any = ()) -> tuple[GridState, TimeStep]:
        """Start a game from one typed key."""
        state, no, config = self.init(key, params), jnp.bool_(False), self.config
        nothing = jnp.zeros((config.num_agents, config.num_targets), bool)
        event = self._event(state, state, nothing, completed=no)
        observation = self.observe(state)
        reward = self._of_player(jnp.zeros(config.num_agents, jnp.float32), state)
        return state, TimeStep(observation, reward, no, no, event, observation)

    def step(
        self, state: GridState, action: Int32[Array, "*P"], params: Any = ()
    ) -> tuple[GridState, TimeStep]:
        """Take a step of each agent, int32[P]; against opponents of the one who plays, int32[]."""
        state, reward, terminated, truncated, event = self.transition(state, action, params)
        observation = self.observe(state)
        return state, TimeStep(observation, reward, terminated, truncated, event, observation)

    def transition(
        self, state: GridState, action: Int32[Array, "*P"], params: Any = ()
    ) -> tuple[GridState, Array, Array, Array, Walked]:
        """Step without observing: state, reward, terminated, truncated, event. After the end nothing changes."""
        del params
        config, going = self.config, ~state.over
        agents = _walk(config, state.agents, self._everybodys(state, action))
        finds = _find(config, agents, state) & going
        found = state.found | jnp.any(finds, axis=0)
        is_race = config.own_targets and config.is_competitive
        completed = going & (jnp.any(finds) if is_race else jnp.all(found))
        num_steps = state.num_steps + 1
        walked = state.replace(
            agents=agents,
            found=found,
            scores=state.scores + jnp.sum(finds, axis=1, dtype=jnp.int32),
            num_steps=num_steps,
            over=completed | (num_steps >= config.max_steps),
        )
        after = select(state.over, state, walked)
        terminated = jnp.all(found) | (is_race & jnp.any(found))
        reward = jnp.where(going, _reward(config, finds, completed), 0.0)
        event = self._event(state, after, finds, completed=completed)
        return after, self._of_player(reward, state), terminated, after.over & ~terminated, event

    def observe(self, state: GridState, params: Any = ()) -> Observation:
        """Return what each agent sees, every leaf [P, ...]; against opponents what the one who plays sees."""
        del params
        if state.seat is not None:
            return grid_sight.see(self.config, state, state.seat)
        seats = jnp.arange(self.config.num_agents, dtype=jnp.int32)
        return jax.vmap(functools.partial(grid_sight.see, self.config, state))(seats)

    def measure(self, event: Walked) -> dict[str, Array]:
        """Return what was found in a step and whether that was all, or how the game ended for the counted agent."""
        config = self.config
        if not config.is_competitive:
            num_found = jnp.sum(jnp.any(event.finds, axis=0), dtype=jnp.int32)
            return {FOUND: num_found, COMPLETED: event.completed.astype(jnp.int32)}
        winner = find_winner(event.scores)
        mine = jnp.arange(config.num_agents) == event.counted
        ends = {
            WINS: event.ended & (winner == event.counted),
            DRAWS: event.ended & (winner == NOBODY),
            LOSSES: event.ended & (winner != event.counted) & (winner != NOBODY),
        }
        ended = {name: value.astype(jnp.int32) for name, value in ends.items()}
        return {**ended, FOUND: jnp.sum(event.finds & mine[:, None], dtype=jnp.int32)}

    def measure_player(self, event: Walked, player: Int32[Array, ""]) -> dict[str, Array]:
        """Return the same as one agent has it."""
        return self.measure(event.replace(counted=jnp.asarray(player, jnp.int32)))

    def resample_future(self, state: GridState, key: PRNGKeyArray) -> GridState:
        """Return the state with other steps of the opponents to come: nothing else is hidden."""
        return state if state.key is None else state.replace(key=key)

    def with_discount(self, params: Any, discount: Array) -> Any:
        """Return the numbers as they are: no reward is shaped."""
        del discount
        return params

    def check_param(self, name: str, value: float) -> None:
        """Raise ValueError: there are no numbers."""
        raise ValueError(
            f"{name}: given {value!r} for {self.spec.title}; allowed: nothing, it has no numbers"
        )

    def with_height(self, height: int) -> "GridWorld":
        """Raise ValueError: a grid of another height is another game."""
        raise ValueError(
            f"height: given {height} for {self.spec.title}; allowed: a game whose board may have any height"
        )

    def _everybodys(self, state: GridState, action: Int32[Array, "*P"]) -> Int32[Array, "P"]:
        """Return an action of each agent: what is given, and what opponents choose."""
        if self.config.opponent == "self":
            return action
        assert state.key is not None and state.seat is not None
        theirs = grid_walkers.WALKERS[self.config.opponent](
            self.config, state, jax.random.fold_in(state.key, state.num_steps)
        )
        return jnp.where(jnp.arange(self.config.num_agents) == state.seat, action, theirs)

    def _of_player(self, each: Float32[Array, "P"], state: GridState) -> Float32[Array, "*P"]:
        """Return what each agent has; against opponents what the one who plays has."""
        return each if state.seat is None else jnp.take(each, state.seat, axis=0)

    def _event(self, before: GridState, after: GridState, finds: Array, *, completed: Array) -> Walked:
        counted = jnp.int32(0) if before.seat is None else before.seat
        return Walked(
            finds=finds,
            scores=after.scores,
            completed=completed,
            ended=after.over & ~before.over,
            counted=counted,
        )


def find_winner(scores: Int32[Array, "P"]) -> Int32[Array, ""]:
    """Return who has found more than anybody else; NOBODY where several have found most."""
    best = scores == jnp.max(scores)
    return jnp.where(jnp.sum(best) == 1, jnp.argmax(best), NOBODY).astype(jnp.int32)


def _walk(
    config: GridWorldConfig, agents: Int32[Array, "P 2"], actions: Int32[Array, "P"]
) -> Int32[Array, "P 2"]:
    taken = actions[:, None] == np.arange(len(STRIDES))[None]  # [P, 5]
    strides = jnp.sum(jnp.where(taken[..., None], STRIDES[None], 0), axis=1)
    return jnp.clip(agents + strides, 0, np.array([[config.width - 1, config.height - 1]], np.int32))


def _find(config: GridWorldConfig, agents: Int32[Array, "P 2"], state: GridState) -> Bool[Array, "P M"]:
    """Tell who is on which target that is left and counts for them."""
    there = jnp.all(agents[:, None] == state.targets[None], axis=-1) & ~state.found[None]
    return there & np.eye(config.num_agents, dtype=bool) if config.own_targets else there


def _reward(
    config: GridWorldConfig, finds: Bool[Array, "P M"], completed: Bool[Array, ""]
) -> Float32[Array, "P"]:
    finders = jnp.sum(finds, axis=0, dtype=jnp.float32)  # [M]
    if not config.is_competitive:
        gained = FOUND_TOGETHER * jnp.sum(jnp.minimum(finders, 1.0)) + jnp.where(completed, ALL_FOUND, 0.0)
        return jnp.full(config.num_agents, STEP_REWARD + gained, jnp.float32)
    missed = jnp.where(finders > 0, MISSED, 0.0)
    gained = jnp.where(finds, (FOUND_ALONE / jnp.maximum(finders, 1.0))[None], missed[None])
    return STEP_REWARD + jnp.sum(gained, axis=1)


def _draw_cells(key: PRNGKeyArray, count: int, num_cells: int) -> Int32[Array, "count"]:
    """Draw different cells of num_cells, in an order that is as likely as any other: a shuffle that stops early.

    Cell k changes places with one of those from k on. Only the cells that were moved are kept, for few are drawn.
    """
    drawn = jax.random.randint(key, (count,), np.arange(count), num_cells, jnp.int32)
    moved: list[tuple[Array, Array]] = []  # places, and the cells that lie there now

    def cell_at(place: Array) -> Array:
        cell = place
        for where, what in moved:
            cell = jnp.where(place == where, what, cell)
        return cell

    cells = []
    for k in range(count):
        cells.append(cell_at(drawn[k]))
        moved.append((drawn[k], cell_at(jnp.int32(k))))
    return jnp.stack(cells)
