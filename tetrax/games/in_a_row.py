"""Games of two players who take turns to set stones: tic-tac-toe, connect four. Who has K in a row wins.

A board is a word a row for each player, bit x = column x, row 0 at the bottom. With opponent "self" it is a game of
two players; with another one a game of one player, whose opponent answers within the same step.
"""

import functools
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Int32, PRNGKeyArray, UInt32

from tetrax.env.contract import DRAWS, LOSSES, RETURN, STEPS, WINS, Observation, Shown, Spec, TimeStep
from tetrax.env.game.state import select
from tetrax.env.game.vector import check_key
from tetrax.games import perfect_play

NOBODY = -1  # has won: a draw, or a game that goes on
SEAT, FIRST_MOVE = (
    np.uint32(2**32 - 1),
    np.uint32(2**32 - 2),
)  # folded into a game's key; no move has such a number

Opponent = Literal["self", "random", "perfect"]
Seat = Literal["both", "first", "second"]


@dataclass(frozen=True)
class TicTacToeConfig:
    """Settings of tic-tac-toe."""

    opponent: Opponent = "self"
    """Who has the other side: self leaves both to whoever learns or plays; random; perfect never loses."""
    seat: Seat = "both"
    """Which side is played against an opponent: first begins, both draws one for each game."""

    def __post_init__(self) -> None:
        _check_config(self, ("self", "random", "perfect"))


@dataclass(frozen=True)
class ConnectFourConfig:
    """Settings of connect four."""

    opponent: Literal["self", "random"] = "self"
    """Who has the other side: self leaves both to whoever learns or plays; random."""
    seat: Seat = "both"
    """Which side is played against an opponent: first begins, both draws one for each game."""

    def __post_init__(self) -> None:
        _check_config(self, ("self", "random"))


@dataclass(frozen=True)
class Table:
    """The rules of one game."""

    name: str
    title: str
    width: int
    height: int
    in_a_row: int  # stones that win
    falls: (
        bool  # a stone falls to the lowest free cell of its column, which is the action; else that is a cell
    )
    opponents: tuple[str, ...]  # that there are

    @property
    def num_actions(self) -> int:
        """Return A: columns, or cells row by row from the lower left."""
        return self.width if self.falls else self.width * self.height


TIC_TAC_TOE = Table("tictactoe", "tic-tac-toe", 3, 3, 3, falls=False, opponents=("random", "perfect"))
CONNECT_FOUR = Table("connect4", "connect four", 7, 6, 4, falls=True, opponents=("random",))


class InARowState(struct.PyTreeNode, kw_only=True):
    """A position, and in a game against an opponent what decides that one's moves."""

    rows: Array  # uint32[2, H], the stones of who began and of the other
    player: Array  # int32[], who moves next: 0 or 1
    over: Array  # bool[], nothing changes any more
    seat: Array | None = None  # int32[], whom the opponent plays against; None where there is no opponent
    key: Array | None = None  # key<fry>[], of the opponent's moves, folded with the number of the stones


class Moved(struct.PyTreeNode, kw_only=True):
    """What happened in a step."""

    player: Array  # int32[], who moved
    winner: Array  # int32[], who won in this step; NOBODY
    ended: Array  # bool[], the game ended in this step
    counted: Array  # int32[], the player whose wins are counted: who began, or who plays against the opponent


@dataclass(frozen=True)
class InARow:
    """A game of K in a row, as `tetrax.env.contract.Game` has it.

    Rewards are 1 for who wins, -1 for who loses, else 0: float32[2] where two take turns, float32[] against an
    opponent. An illegal move (a full column, a taken cell, no action at all) loses the game at once.
    """

    table: Table
    config: Any  # TicTacToeConfig or ConnectFourConfig
    default_params = ()

    @functools.cached_property
    def spec(self) -> Spec:
        """Return what learners ask."""
        table, opponent = self.table, self.config.opponent
        alone = opponent == "self"
        measures = (WINS, DRAWS, LOSSES)
        return Spec(
            name=table.name,
            title=table.title if alone else f"{table.title}, {self.config.seat} against {opponent}",
            num_actions=table.num_actions,
            shows=Shown("bitboards", height=table.height, width=table.width, num_rows=table.height),
            can_truncate=False,
            measures=(*measures, STEPS) if alone else (*measures, RETURN, STEPS),
            num_players=2 if alone else 1,
        )

    @property
    def opponents(self) -> tuple[str, ...]:
        """Return the names of those who play against somebody."""
        return self.table.opponents

    def against(self, opponent: str) -> "InARow":
        """Return the game of one player against an opponent, from both sides; ValueError for one there is not."""
        if opponent not in self.opponents:
            raise ValueError(
                f"opponent: given {opponent!r} in {self.table.title}; allowed: {', '.join(self.opponents)}"
            )
        return InARow(self.table, type(self.config)(opponent=opponent))

    def init(self, key: PRNGKeyArray, params: Any = ()) -> InARowState:
        """Return the empty board, or the one after the opponent's first move."""
        del params
        check_key(key)
        state = InARowState(
            rows=jnp.zeros((2, self.table.height), jnp.uint32), player=jnp.int32(0), over=jnp.bool_(False)
        )
        if self.config.opponent == "self":
            return state
        seats = {"first": 0, "second": 1}
        if self.config.seat == "both":
            seat = jax.random.bernoulli(jax.random.fold_in(key, SEAT)).astype(jnp.int32)
        else:
            seat = jnp.int32(seats[self.config.seat])
        state = state.replace(seat=seat, key=jax.random.fold_in(key, FIRST_MOVE))
        answered, _ = self._answer(state, jnp.int32(NOBODY))
        return answered

    def reset(self, key: PRNGKeyArray, params: Any = ()) -> tuple[InARowState, TimeStep]:
        """Start a game from one typed key."""
        state, no = self.init(key, params), jnp.bool_(False)
        nothing = jnp.zeros(2 if self.config.opponent == "self" else (), jnp.float32)
        event = self._event(state, jnp.int32(NOBODY), ended=no)
        return state, TimeStep(self.observe(state), nothing, no, no, event, None)

    def step(
        self, state: InARowState, action: Int32[Array, ""], params: Any = ()
    ) -> tuple[InARowState, TimeStep]:
        """Play one action of 0..A-1."""
        state, reward, terminated, truncated, event = self.transition(state, action, params)
        return state, TimeStep(self.observe(state), reward, terminated, truncated, event, None)

    def transition(
        self, state: InARowState, action: Int32[Array, ""], params: Any = ()
    ) -> tuple[InARowState, Array, Array, Array, Moved]:
        """Step without observing: state, reward, terminated, truncated, event. After the end nothing changes."""
        del params
        before = state
        state, winner = self.move(state, action)
        if self.config.opponent != "self":
            state, winner = self._answer(state, winner)
        event = self._event(before, winner, ended=state.over & ~before.over)
        if self.config.opponent == "self":
            reward = _worth(winner, jnp.arange(2, dtype=jnp.int32))
        else:
            reward = _worth(winner, event.counted)
        return state, reward, state.over, jnp.bool_(False), event

    def move(self, state: InARowState, action: Int32[Array, ""]) -> tuple[InARowState, Int32[Array, ""]]:
        """Set a stone of the player to move; return the position and who won by it."""
        legal = self.legal(state)
        is_legal = jnp.any(legal & (jnp.arange(legal.shape[0]) == action))
        mine = state.rows[state.player] | self._stone(state, action)
        rows = jnp.where(jnp.arange(2)[:, None] == state.player, mine[None], state.rows)
        wins = self.has_row(mine)
        full = jnp.sum(jax.lax.population_count(rows)) == self.table.width * self.table.height
        moved = state.replace(rows=rows, player=1 - state.player, over=wins | full)
        moved = select(is_legal, moved, state.replace(over=jnp.bool_(True)))
        winner = jnp.where(is_legal, jnp.where(wins, state.player, NOBODY), 1 - state.player)
        return select(state.over, state, moved), jnp.where(state.over, NOBODY, winner)

    def legal(self, state: InARowState) -> Bool[Array, "A"]:
        """Tell where a stone may be set; nowhere after the end."""
        taken = state.rows[0] | state.rows[1]
        rows = taken[-1:] if self.table.falls else taken  # a column is full when its highest cell is taken
        free = (rows[:, None] >> np.arange(self.table.width, dtype=np.uint32)[None]) & np.uint32(1) == 0
        return free.reshape(-1) & ~state.over

    def observe(self, state: InARowState, params: Any = ()) -> Observation:
        """Return the stones of the player to move and those of the other."""
        del params
        return Observation(
            pieces=jnp.zeros(0, jnp.int32),
            features=jnp.zeros(0, jnp.float32),
            legal=self.legal(state),
            bitboards=jnp.where(state.player == 0, state.rows, state.rows[::-1]),
            player=state.player,
        )

    def measure(self, event: Moved) -> dict[str, Array]:
        """Return whether a step won, drew or lost the game, int32[] each: for who began, or plays an opponent."""
        others = 1 - event.counted
        ends = {
            WINS: event.winner == event.counted,
            DRAWS: event.ended & (event.winner == NOBODY),
            LOSSES: event.winner == others,
        }
        return {name: value.astype(jnp.int32) for name, value in ends.items()}

    def resample_future(self, state: InARowState, key: PRNGKeyArray) -> InARowState:
        """Return the state with other moves of the opponent to come: nothing else is hidden."""
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

    def with_height(self, height: int) -> "InARow":
        """Raise ValueError: the board is as it is."""
        raise ValueError(
            f"height: given {height} for {self.spec.title}; allowed: a game whose board may have any height"
        )

    def _answer(self, state: InARowState, winner: Int32[Array, ""]) -> tuple[InARowState, Int32[Array, ""]]:
        """Let the opponent move, where it is his turn."""
        assert state.key is not None
        stones = jnp.sum(jax.lax.population_count(state.rows))
        logits = jnp.where(self._choices(state), 0.0, -jnp.inf)
        action = jax.random.categorical(jax.random.fold_in(state.key, stones), logits)
        answered, won = self.move(state, action.astype(jnp.int32))
        is_his = (state.player != state.seat) & ~state.over
        return select(is_his, answered, state), jnp.where(is_his, won, winner)

    def _choices(self, state: InARowState) -> Bool[Array, "A"]:
        """Tell among which actions the opponent draws one."""
        legal = self.legal(state)
        if self.config.opponent == "random":
            return legal
        return perfect_play.best_moves(state.rows[state.player], state.rows[1 - state.player]) & legal

    def _stone(self, state: InARowState, action: Int32[Array, ""]) -> UInt32[Array, "H"]:
        """Return the board of the one stone that an action sets; anything for an illegal one."""
        width, height = self.table.width, self.table.height
        column = action % width
        if self.table.falls:
            taken = (state.rows[0] | state.rows[1]) >> column.astype(jnp.uint32)
            row = jnp.sum(taken & np.uint32(1)).astype(jnp.int32)
        else:
            row = action // width
        bit = np.uint32(1) << column.astype(jnp.uint32)
        return jnp.where(jnp.arange(height) == row, bit, np.uint32(0))

    def has_row(self, rows: UInt32[Array, "H"]) -> Bool[Array, ""]:
        """Tell whether there are K stones in a row, column or diagonal."""
        count, height = self.table.in_a_row, self.table.height
        sideways = found = rows
        for shift in range(1, count):
            sideways = sideways & (rows >> np.uint32(shift))
        found = jnp.any(sideways != 0)
        starts = height - count + 1
        for slope in (-1, 0, 1):
            upwards = rows[:starts]
            for step in range(1, count):
                row, across = rows[step : step + starts], np.uint32(step)
                upwards = upwards & (row if slope == 0 else row << across if slope < 0 else row >> across)
            found = found | jnp.any(upwards != 0)
        return found

    def _event(self, before: InARowState, winner: Array, *, ended: Array) -> Moved:
        counted = jnp.int32(0) if before.seat is None else before.seat
        return Moved(player=before.player, winner=winner, ended=ended, counted=counted)


def _worth(winner: Int32[Array, ""], player: Int32[Array, "*P"]) -> Array:
    """Return what the end is worth to a player, float32[*P]."""
    sign = jnp.where(player == winner, 1.0, -1.0)
    return jnp.where(winner == NOBODY, 0.0, sign).astype(jnp.float32)


def _check_config(config: Any, opponents: tuple[str, ...]) -> None:
    for name, allowed in (("opponent", opponents), ("seat", ("both", "first", "second"))):
        given = getattr(config, name)
        if given not in allowed:
            raise ValueError(f"env.{name}: given {given!r}; allowed: {', '.join(allowed)}")


def make_tic_tac_toe(config: TicTacToeConfig) -> InARow:
    """Return tic-tac-toe."""
    return InARow(TIC_TAC_TOE, config)


def make_connect_four(config: ConnectFourConfig) -> InARow:
    """Return connect four."""
    return InARow(CONNECT_FOUR, config)
