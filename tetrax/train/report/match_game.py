"""A game of two as a game of one: whoever is measured plays a seat, a policy has the other one.

So a match is evaluated like any game: game i has its own pieces, and its own draw of who sits where.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Int32, PRNGKeyArray

from tetrax.agents.agent import Actor, Memory, Sight
from tetrax.env.contract import LOSSES, WINS, Observation, Shown, Spec, TimeStep
from tetrax.env.game.state import select
from tetrax.env.game.vector import fold

PLAYERS = 2
SEAT, CHOICES = (
    np.uint32(2**32 - 3),
    np.uint32(2**32 - 4),
)  # folded into a game's key; no draw of a game has these


class Contestant(NamedTuple):
    """A policy, and how it takes part in a game of two."""

    name: str
    actor: Actor
    shows: Shown  # what it sees
    num_actions: int  # of its own
    observe: Callable[[Any, Array], Observation]  # (state of one game, its seat) -> what it sees
    own_state: Callable[[Any, Array], Any]  # the same -> the state that it looks ahead in, if it plans
    move: Callable[[Any, Array, Array], Array]  # (state, seat, its action) -> the game's action


class MatchState(struct.PyTreeNode):
    """A game, who sits where, and what decides what the opponent does."""

    game: Any
    seat: Array  # int32[], of whoever is measured
    memory: Memory  # of the opponent, [1, ...]
    key: Array  # key<fry>[], of the opponent's choices, folded with their number
    num_choices: Array  # int32[], that the opponent made


class MatchParams(struct.PyTreeNode):
    """The numbers of the game, and the opponent's policy."""

    env: Any
    policy: Any


class MatchEvent(struct.PyTreeNode):
    """What happened in a step: both at once, or where they take turns what each of the two did."""

    events: tuple[Any, ...]
    happened: tuple[Array, ...]  # bool[] each, whether it did
    seat: Array  # int32[], of whoever is measured


@dataclass(frozen=True, eq=False)
class Match:
    """A game of two players against a policy, as `tetrax.env.contract.Game` has it; its headline is who won."""

    env: Any  # a TogetherGame or a TurnGame of two
    player: Contestant
    opponent: Contestant
    greedy: bool = True  # whether the opponent takes its best action instead of drawing one

    @functools.cached_property
    def spec(self) -> Spec:
        """Return what may be asked."""
        of_game = self.env.spec
        return replace(
            of_game,
            name="match",
            title=f"{of_game.title}, against {self.opponent.name}",
            num_actions=self.player.num_actions,
            shows=self.player.shows,
            num_players=1,
            acts_together=False,
        )

    @property
    def default_params(self) -> MatchParams:
        """Return the numbers of the game, and the opponent's policy."""
        return MatchParams(env=self.env.default_params, policy=self.opponent.actor.policy)

    def init(self, key: PRNGKeyArray, params: MatchParams) -> MatchState:
        """Return the start of a game in which the seat is drawn; who begins may have moved already."""
        state = MatchState(
            game=self.env.init(key, params.env),
            seat=jax.random.randint(fold(key, SEAT), (), 0, PLAYERS, jnp.int32),
            memory=self.opponent.actor.initial_memory((1,)),
            key=fold(key, CHOICES),
            num_choices=jnp.int32(0),
        )
        return state if self.env.spec.acts_together else self._answer(state, jnp.bool_(False), params)[0]

    def reset(self, key: PRNGKeyArray, params: MatchParams | None = None) -> tuple[MatchState, TimeStep]:
        """Start a game."""
        params = self.default_params if params is None else params
        state, no = self.init(key, params), jnp.bool_(False)
        seen = self.observe(state, params)
        last = seen if self.spec.can_truncate else None
        return state, TimeStep(seen, jnp.float32(0), no, no, None, last)

    def step(
        self, state: MatchState, action: Int32[Array, ""], params: MatchParams | None = None
    ) -> tuple[MatchState, TimeStep]:
        """Play one action, and what the opponent does."""
        params = self.default_params if params is None else params
        state, reward, terminated, truncated, event = self.transition(state, action, params)
        seen = self.observe(state, params)
        last = seen if self.spec.can_truncate else None
        return state, TimeStep(seen, reward, terminated, truncated, event, last)

    def transition(
        self, state: MatchState, action: Int32[Array, ""], params: MatchParams
    ) -> tuple[MatchState, Array, Array, Array, MatchEvent]:
        """Step without observing: state, reward, terminated, truncated, event."""
        mine = self.player.move(state.game, state.seat, action)
        if not self.env.spec.acts_together:
            game, reward, over, truncated, event = self.env.transition(state.game, mine, params.env)
            state, is_his, answer = self._answer(state.replace(game=game), over | truncated, params)
            reward += jnp.where(is_his, answer[0], 0.0)
            over, truncated = over | (is_his & answer[1]), truncated | (is_his & answer[2])
            event = MatchEvent((event, answer[3]), (jnp.bool_(True), is_his), state.seat)
            return state, reward[state.seat], over, truncated, event
        his, state = self._choose(state, params)
        both = jnp.where(np.arange(PLAYERS) == state.seat, mine, his).astype(jnp.int32)
        game, reward, over, truncated, event = self.env.transition(state.game, both, params.env)
        after = state.replace(game=game)
        return (
            after,
            reward[state.seat],
            over,
            truncated,
            MatchEvent((event,), (jnp.bool_(True),), state.seat),
        )

    def observe(self, state: MatchState, params: Any = None) -> Observation:
        """Return what whoever is measured sees."""
        del params
        return self.player.observe(state.game, state.seat)

    def measure(self, event: MatchEvent) -> dict[str, Array]:
        """Return what a step adds to the measures of the game, as seen from the seat that is measured."""
        parts = [
            jax.tree.map(
                lambda number, counts=counts: jnp.where(counts, number, 0), self._measure(each, event.seat)
            )
            for each, counts in zip(event.events, event.happened, strict=True)
        ]
        return jax.tree.map(lambda *numbers: functools.reduce(jnp.add, numbers), *parts)

    def _measure(self, event: Any, seat: Array) -> dict[str, Array]:
        if self.env.spec.acts_together:
            return self.env.measure_player(event, seat)
        told = dict(self.env.measure(event))  # of who began
        turned = seat == 1
        told[WINS], told[LOSSES] = (
            jnp.where(turned, told[other], told[own]) for own, other in ((WINS, LOSSES), (LOSSES, WINS))
        )
        return told

    def _answer(self, state: MatchState, over: Array, params: MatchParams) -> tuple[MatchState, Array, Any]:
        """Let the opponent move where it is his turn: the state, whether it was, and what came of the move."""
        is_his = (state.game.player != state.seat) & ~over
        action, chosen = self._choose(state, params)
        game, *told = self.env.transition(state.game, action, params.env)
        return select(is_his, chosen.replace(game=game), state), is_his, told

    def _choose(self, state: MatchState, params: MatchParams) -> tuple[Array, MatchState]:
        """Let the opponent choose, int32[]."""
        other, seat = self.opponent, 1 - state.seat
        sight = Sight(
            observation=other.observe(state.game, seat),
            is_first=state.num_choices == 0,
            state=other.own_state(state.game, seat),
        )
        sight = jax.tree.map(lambda leaf: leaf[None], sight)  # a batch of one
        key = fold(state.key, state.num_choices)
        actions, memory, _ = other.actor.act(params.policy, sight, state.memory, key, self.greedy)
        after = state.replace(memory=memory, num_choices=state.num_choices + 1)
        return other.move(state.game, seat, actions[0]), after

    def resample_future(self, state: MatchState, key: PRNGKeyArray) -> MatchState:
        """Raise ValueError: whoever plans here plans by its own state of the game."""
        del state, key
        raise ValueError(f"resample_future: given {self.spec.title}; allowed: the game itself")

    def with_discount(self, params: MatchParams, discount: Array) -> MatchParams:
        """Return the numbers with a learner's discount in them."""
        return params.replace(env=self.env.with_discount(params.env, discount))

    def check_param(self, name: str, value: float) -> None:
        """Raise ValueError for a number of the game that is out of range."""
        self.env.check_param(name, value)

    def with_height(self, height: int) -> Match:
        """Raise ValueError: the policies know their board."""
        raise ValueError(f"height: given {height} for {self.spec.title}; allowed: the board as it is")


def actor_of(player: Contestant) -> Actor:
    """Return a contestant's actor as one that plays a `Match`, whose states are not those that it plans by."""
    act = player.actor.act

    def act_in_match(policy: Any, sight: Sight, memory: Memory, key: Array, greedy: bool) -> Any:
        state: MatchState = sight.state
        own = jax.vmap(player.own_state)(state.game, state.seat)
        return act(policy, sight.replace(state=own), memory, key, greedy)

    return Actor(player.actor.policy, player.actor.initial_memory, act_in_match)
