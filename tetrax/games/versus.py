"""Tetris for two to four who play at once, each on a board of its own: against each other, or for a common score.

Every board is a game of `tetrax.env.tetris.Tetris`. In a step each player plays one action of it; then what the
boards sent comes to wait on others, for all at the same time. Who stands last wins.
"""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.contract import DRAWS, LOSSES, STEPS, WINS, Game, Observation, Spec, TimeStep
from tetrax.env.game import garbage
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import Event, Record, State
from tetrax.env.game.vector import check_key, check_kind, describe, fold
from tetrax.env.tetris import Tetris
from tetrax.games import exchange, others, versus_measures
from tetrax.games.versus_config import VersusConfig, VersusParams, check_weight, default_params
from tetrax.games.versus_state import NOBODY, VersusEvent, VersusState

__all__ = ["NOBODY", "Versus", "VersusEvent", "VersusState"]

LUCK = np.uint32(2**31)  # folded into a game's key, with the seat added; the boards' keys are below


@dataclass(frozen=True)
class Versus:
    """The game of a configuration, as `tetrax.env.contract.TogetherGame` has it. Equal configurations are equal."""

    config: VersusConfig

    def __post_init__(self) -> None:
        check_kind("config", self.config, VersusConfig)

    @functools.cached_property
    def board(self) -> Tetris:
        """Return the game that is played on every board."""
        return Tetris(self.config.board)

    @property
    def rules(self) -> Rules:
        """Return the rules of every board."""
        return self.config.board.rules

    @property
    def num_players(self) -> int:
        """Return P."""
        return self.config.num_players

    @property
    def num_actions(self) -> int:
        """Return A."""
        return self.board.num_actions

    @property
    def action_names(self) -> tuple[str, ...]:
        """Return the names of the actions, which all players have."""
        return self.board.action_names

    @functools.cached_property
    def spec(self) -> Spec:
        """Return what learners ask."""
        config, alone = self.config, self.board.spec
        ends = () if config.cooperative else (WINS, DRAWS, LOSSES)
        kind = "together" if config.cooperative else "versus"
        shows = dataclasses.replace(alone.shows, foretells_reward=False)
        if config.shows_others:
            shows = dataclasses.replace(shows, num_pieces=shows.num_pieces * config.num_players)
        return Spec(
            name="versus",
            title=f"{kind}, {config.num_players} players, {alone.title}",
            num_actions=alone.num_actions,
            shows=shows,
            can_truncate=alone.can_truncate,
            measures=(*ends, "lines", "score", "attack", "pieces", STEPS),
            length="pieces",
            is_endless=alone.is_endless,
            num_players=config.num_players,
            acts_together=True,
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the names of `Observation.features`."""
        return others.feature_names(self.config, self.board.feature_names)

    @property
    def opponents(self) -> tuple[str, ...]:
        """Return no names: who plays against whom is said where policies are."""
        return ()

    def against(self, opponent: str) -> Game:
        """Raise ValueError: see `opponents`."""
        raise ValueError(
            f"opponent: given {opponent!r} in {self.spec.title}; allowed: none, policies play it"
        )

    @property
    def default_params(self) -> VersusParams:
        """Return the numbers of every board, and the weights of the rewards."""
        return default_params(self.config)

    def init(self, key: PRNGKeyArray, params: VersusParams) -> VersusState:
        """Return the first state of a game."""
        check_key(key)
        keys, luck = self._keys(key)
        return self.start(keys[:1] if self.config.same_pieces else keys, luck, params)

    def start(self, keys: PRNGKeyArray, luck: PRNGKeyArray, params: VersusParams) -> VersusState:
        """Return the first state with the given keys of the pieces, [P] or [1] for all, and of the players' luck."""
        _check_params(params)
        boards = tuple(self.board.init(keys[player], params.board) for player in range(keys.shape[0]))
        boards = boards * (self.num_players // len(boards))
        return VersusState(boards=boards, luck=luck, fallen=jnp.zeros(self.num_players, bool))

    def reset(self, key: PRNGKeyArray, params: VersusParams | None = None) -> tuple[VersusState, TimeStep]:
        """Start a game from one typed Threefry key."""
        params = self.default_params if params is None else params
        state = self.init(key, params)
        return state, self.first_step(state, params)

    def first_step(self, state: VersusState, params: VersusParams | None = None) -> TimeStep:
        """Return the TimeStep of a game that starts at `state`: no reward, nothing happened."""
        params = self.default_params if params is None else params
        no, players = jnp.bool_(False), self.num_players
        first = [self.board.first_step(board, params.board).event for board in state.boards]
        event = VersusEvent(
            boards=_stack(first),
            exchanged=jnp.zeros((players, players), jnp.int32),
            fell=jnp.zeros(players, bool),
            ended=no,
            winner=jnp.int32(NOBODY),
        )
        seen = self.observe(state, params)
        last = seen if self.spec.can_truncate else None
        return TimeStep(seen, jnp.zeros(players, jnp.float32), no, no, event, last)

    def step(
        self, state: VersusState, action: Int32[Array, "P"], params: VersusParams | None = None
    ) -> tuple[VersusState, TimeStep]:
        """Play one action, 0..A-1, of every player; of one who has fallen it does nothing, nor after the end."""
        params = self.default_params if params is None else params
        state, reward, terminated, truncated, event = self.transition(state, action, params)
        seen = self.observe(state, params)
        last = seen if self.spec.can_truncate else None
        return state, TimeStep(seen, reward, terminated, truncated, event, last)

    def transition(
        self, state: VersusState, action: Int32[Array, "P"], params: VersusParams
    ) -> tuple[VersusState, Float32[Array, "P"], Bool[Array, ""], Bool[Array, ""], VersusEvent]:
        """Step without observing: state, reward, terminated, truncated, event."""
        self._check(state, action, params)
        before = jnp.stack([board.game_over for board in state.boards])
        played = [
            self.board.transition(board, action[player], params.board)
            for player, board in enumerate(state.boards)
        ]
        boards = tuple(each[0] for each in played)
        own, lost, cut = (jnp.stack(parts) for parts in list(zip(*played, strict=True))[1:4])
        events = _stack([each[4] for each in played])
        fell = lost & ~before
        fallen = state.fallen | fell
        num_standing = jnp.sum(~fallen, dtype=jnp.int32)
        is_over = jnp.any(fallen) if self.config.cooperative else num_standing <= 1
        exchanged = jnp.zeros((self.num_players, self.num_players), jnp.int32)
        if not self.config.cooperative:
            boards, exchanged = self._exchange(state, boards, events, ~fallen & ~is_over, params)
        boards = tuple(board.replace(game_over=board.game_over | is_over) for board in boards)
        ended = is_over & ~jnp.all(before)
        wins = ended & (num_standing == 1) & (not self.config.cooperative)
        event = VersusEvent(
            boards=events,
            exchanged=exchanged,
            fell=fell,
            ended=ended,
            winner=jnp.where(wins, jnp.argmin(fallen), NOBODY).astype(jnp.int32),
        )
        state = state.replace(boards=boards, fallen=fallen)
        return state, self._reward(own, event, params), is_over, jnp.any(cut) & ~is_over, event

    def observe(self, state: VersusState, params: VersusParams | None = None) -> Observation:
        """Return what each player may know, [P, ...].

        Who has fallen while others play on has one legal action, the first, which does nothing.
        """
        params = self.default_params if params is None else params
        seen = [self.board.observe(board, params.board) for board in state.boards]
        if self.num_players > 2:  # of two, both are over at once
            seen = self._let_wait(seen, state.boards)
        return _stack(others.show(self.config, seen, state.boards, state.fallen, params.board))

    def measure(self, event: VersusEvent) -> dict[str, Array]:
        """Return who won, by the first player, and the sums of what all players did in a step, int32[] each."""
        return versus_measures.of_game(self.config, event)

    def measure_player(self, event: VersusEvent, player: Int32[Array, ""]) -> dict[str, Array]:
        """Return the same for one player alone."""
        return versus_measures.of_player(self.config, event, player)

    def board_of(self, state: VersusState, player: Int32[Array, ""]) -> State:
        """Return the board of one player, a state of `board`."""
        return jax.tree.map(lambda *leaves: jnp.stack(leaves)[player], *state.boards)

    def resample_future(self, state: VersusState, key: PRNGKeyArray) -> VersusState:
        """Return the state with all that no player can know drawn anew, for each board by itself.

        Where all get the same pieces, what somebody further ahead shows of one's own next ones is not kept.
        """
        piece_keys, luck = self._keys(key)
        boards = []
        for player, board in enumerate(state.boards):
            board = self.board.resample_future(board, piece_keys[player])
            if board.garbage is not None:  # whose holes are no more alike than the players' luck
                hole_key = fold(luck[player], jnp.uint32(0))
                board = board.replace(garbage=garbage.redraw_holes(self.rules, board.garbage, hole_key))
            boards.append(board)
        return state.replace(boards=tuple(boards), luck=luck)

    def with_discount(self, params: VersusParams, discount: Float32[Array, ""]) -> VersusParams:
        """Return parameters whose shaping, if the boards' own reward has any, has the agent's discount."""
        return params.replace(board=self.board.with_discount(params.board, discount))

    def check_param(self, name: str, value: float) -> None:
        """Raise ValueError for a number, named by its path in VersusParams, that is out of range."""
        if name.startswith("weights."):
            return check_weight(name, value)
        return self.board.check_param(name.removeprefix("board."), value)

    def with_height(self, height: int) -> "Versus":
        """Return the same game on boards of another height."""
        board = self.board.with_height(height).config
        return Versus(dataclasses.replace(self.config, board=board))

    def _keys(self, key: PRNGKeyArray) -> tuple[PRNGKeyArray, PRNGKeyArray]:
        """Return the keys of the players' pieces and of their luck, [P] each."""
        seats = np.arange(self.num_players, dtype=np.uint32)
        of_pieces = np.zeros_like(seats) if self.config.same_pieces else seats
        by_seat = jax.vmap(fold, in_axes=(None, 0))
        return by_seat(key, jnp.asarray(of_pieces)), by_seat(key, jnp.asarray(LUCK + seats))

    def _exchange(
        self,
        state: VersusState,
        boards: tuple[State, ...],
        events: Event,
        stands: Bool[Array, "P"],
        params: VersusParams,
    ) -> tuple[tuple[State, ...], Int32[Array, "P P"]]:
        """Let what was sent wait on the boards of others; return the rows from each to each."""
        sent = jnp.sum(events.sent, axis=1, dtype=jnp.int32)
        # The number of this step: boards that stand play a tick in each.
        step = functools.reduce(jnp.maximum, [board.ticks for board in boards])
        exchanged = exchange.share_out(self.config.targets, sent, stands, state.luck, step)
        return exchange.deliver(self.rules, params.board.game, boards, exchanged, state.luck), exchanged

    def _let_wait(self, seen: Sequence[Observation], boards: Sequence[State]) -> list[Observation]:
        """Leave those who have fallen one action, while others play on."""
        is_over = functools.reduce(jnp.logical_and, [board.game_over for board in boards])
        first = np.arange(self.num_actions) == 0
        return [
            each.replace(legal=each.legal | (board.game_over & ~is_over & first))
            for each, board in zip(seen, boards, strict=True)
        ]

    def _reward(
        self, own: Float32[Array, "P"], event: VersusEvent, params: VersusParams
    ) -> Float32[Array, "P"]:
        """Return what the step was worth to each player."""
        weights = params.weights
        if weights is None:
            return jnp.broadcast_to(jnp.sum(own), own.shape)
        won = event.winner == np.arange(self.num_players)
        lost = event.fell & ~(event.ended & (event.winner == NOBODY))
        difference = jnp.sum(event.exchanged, axis=1) - jnp.sum(event.exchanged, axis=0)
        end = won.astype(jnp.float32) - lost.astype(jnp.float32)
        return weights.win * end + weights.attack * difference.astype(jnp.float32) + weights.own * own

    def _check(self, state: object, action: Any, params: object) -> None:
        """Raise a TypeError for what is no state, no action of each player, or no numbers of this game."""
        if not isinstance(state, VersusState):
            raise TypeError(
                f"state: given {describe(state)}; allowed: a VersusState, as reset and step give it"
            )
        if np.shape(action) != (self.num_players,):
            raise TypeError(
                f"action: given {describe(action)}; allowed: one of each player, int32[{self.num_players}]"
            )
        _check_params(params)


def _check_params(params: object) -> None:
    check_kind("params", params, VersusParams)


def _stack(records: Sequence[Record]) -> Record:
    """Put the records of all players together, players first."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *records)
