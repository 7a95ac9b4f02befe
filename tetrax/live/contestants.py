"""Who plays a match: runs, exports and baselines by name, each put to the seat of a game that it knows."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from tetrax.agents import baselines
from tetrax.agents.agent import Actor
from tetrax.env.contract import Observation
from tetrax.env.game.rules import Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import lookup
from tetrax.env.tetris import Tetris
from tetrax.fields.errors import UserError, hint
from tetrax.games.versus import Versus
from tetrax.games.versus_config import VersusConfig
from tetrax.train.command import acting_words
from tetrax.train.report.match_game import PLAYERS, Contestant

DROP: Literal["drop"] = "drop"
ANYWHERE: Literal["locked_position"] = "locked_position"
RANDOM = "random"
# Rules of the single game that a policy need not share with the match: they are about what is sent and what counts.
FREE_RULES = ("garbage", "garbage_blocking", "attack", "spins", "sequence", "lives", "ticks_per_second")


@dataclass(frozen=True, eq=False)
class Known:
    """A policy by name, before it sits down: what it knows."""

    name: str
    env: Any  # the game that it plays; None where it plays any
    actor: Actor | None  # None: to be made for the game


def know(name: str) -> Known:
    """Load the policy of a run or of an export, or name a baseline; UserError where there is none of that name."""
    if name == RANDOM:
        return Known(name, None, None)
    if name in baselines.BASELINES:
        env = baselines.environment(name, "guideline")
        return Known(name, env, None)
    if not os.path.exists(name):
        names = ", ".join(baselines.BASELINES)
        raise UserError(
            f"--versus: given {name!r}; allowed: the folder of a run or of an exported policy, or {names}"
            f"{hint(name, baselines.BASELINES)}"
        )
    loaded = acting_words.load_endless(name, {})
    return Known(name, loaded.env, loaded.actor)


def find_game(known: Sequence[Known]) -> Any:
    """Return the game that two policies can play against each other; UserError where there is none.

    The game of those who were trained in one of two; for policies of single Tetris versus Tetris on the boards that
    they know. A piece goes straight down unless one of them puts it anywhere.
    """
    is_anywhere = any(_actions(each.env) == ANYWHERE for each in known)
    of_two = [each for each in known if each.env is not None and each.env.spec.num_players == PLAYERS]
    if of_two:
        first = _in_common(of_two[0].env, is_anywhere)
        for other in known:
            is_alone = other.env is None or (isinstance(first, Versus) and isinstance(other.env, Tetris))
            if not is_alone and _in_common(other.env, is_anywhere) != first:
                raise _no_game(known)
        return first
    boards = [each.env for each in known if isinstance(each.env, Tetris)]
    if not boards or any(each.env is not None and not isinstance(each.env, Tetris) for each in known):
        if all(each.env is None for each in known):
            return Versus(VersusConfig())
        raise _no_game(known)
    config = VersusConfig()
    rules = dataclasses.replace(boards[0].rules, **_kept(config.board.rules))
    board = dataclasses.replace(config.board, rules=rules, actions=ANYWHERE if is_anywhere else DROP)
    return Versus(dataclasses.replace(config, board=board))


def _kept(rules: Rules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in FREE_RULES}


def _no_game(known: Sequence[Known]) -> UserError:
    titles = " and ".join("any game" if each.env is None else each.env.spec.title for each in known)
    names = " ".join(each.name for each in known)
    return UserError(
        f"--versus: given {names}, which play {titles}; allowed: two policies of the same game of two"
    )


def _actions(env: Any) -> str | None:
    """Return the actions of a game of Tetris, None of any other."""
    if isinstance(env, Versus):
        return env.config.board.actions
    return env.config.actions if isinstance(env, Tetris) else None


def _in_common(env: Any, is_anywhere: bool) -> Any:
    """Return a game of two without what its players are shown, so that games that are alike are equal.

    Where pieces may be put anywhere, they may on its boards, too, if they went straight down.
    """
    if not isinstance(env, Versus):
        return env
    config = env.config
    board = dataclasses.replace(config.board, observation="auto", board_features=False, ghost_outcome=False)
    if is_anywhere and board.actions == DROP:
        board = dataclasses.replace(board, actions=ANYWHERE)
    return Versus(
        dataclasses.replace(
            config,
            board=dataclasses.replace(board, reward="lines_only"),
            shows_others=False,
            shows_attack=False,
        )
    )


def seat(known: Known, game: Any) -> Contestant:
    """Put a policy to a seat of a game of two; UserError where it does not know the game."""
    if known.env is None:
        return _whole(known.name, game, baselines.random(game), game)
    if known.env.spec.num_players == PLAYERS:
        assert known.actor is not None
        return _whole(known.name, known.env, known.actor, game)
    if not isinstance(game, Versus):
        raise _no_game([known])
    return _alone(known, game)


def _whole(name: str, env: Any, actor: Actor, game: Any) -> Contestant:
    """Seat a policy that knows the game of two as a whole."""
    together = env.spec.acts_together

    def move(state: Any, seat: Array, action: Array) -> Array:
        if not isinstance(env, Versus):
            return action
        return _move(env.board, game, env.board_of(state, seat), action)

    def observe(state: Any, seat: Array) -> Observation:
        seen = env.observe(state, env.default_params)
        return jax.tree.map(lambda leaf: leaf[seat], seen) if together else seen

    return Contestant(
        name=name,
        actor=actor,
        shows=env.spec.shows,
        num_actions=env.spec.num_actions,
        observe=observe,
        own_state=lambda state, seat: state,
        move=move,
    )


def _alone(known: Known, game: Versus) -> Contestant:
    """Seat a policy of single Tetris, which sees its own board and knows of nobody else."""
    env, actor = known.env, known.actor
    if actor is None:  # a baseline plays by any rules
        rules = dataclasses.replace(game.rules, garbage=False)
        env = Tetris(dataclasses.replace(env.config, rules=rules))
        actor = baselines.BASELINES[known.name](env)
    _check_rules(known.name, env, game)
    params = env.default_params

    def own_state(state: Any, seat: Array) -> State:
        board = game.board_of(state, seat)
        return board if env.rules.garbage else board.replace(garbage=None)

    return Contestant(
        name=known.name,
        actor=actor,
        shows=env.spec.shows,
        num_actions=env.spec.num_actions,
        observe=lambda state, seat: env.observe(own_state(state, seat), params),
        own_state=own_state,
        move=lambda state, seat, action: _move(env, game, own_state(state, seat), action),
    )


def _move(env: Tetris, game: Versus, board: State, action: Array) -> Array:
    """Return the game's action for one of the policy's own.

    Where pieces may be put anywhere in sight, a drop that would come to rest out of sight, which loses, is the first
    place that is left.
    """
    if env.config.actions == game.config.board.actions:
        return action
    place, is_in_sight = anywhere(env, board, action)
    left = game.board.action_set.legal(board, None)
    return jnp.where(is_in_sight, place, jnp.argmax(left)).astype(jnp.int32)


def anywhere(env: Tetris, state: State, action: Array) -> tuple[Array, Array]:
    """Return the action of "locked_position" that puts a piece where an action of "drop" does, and if there is one.

    int32[] and bool[]: none where the piece would rest above the rows that are seen.
    """
    rules = env.rules
    placed = env.action_set.candidates(state)
    assert placed is not None
    kind, (orientation, x, y) = placed.kind[action], (part[action] for part in placed.pose)
    left, bottom = (
        lookup(rules.tables.left, kind, orientation),
        lookup(rules.tables.bottom, kind, orientation),
    )
    holds = action >= env.num_actions // 2 if rules.hold else False
    half, row = jnp.where(holds, 4, 0) + orientation, y + bottom
    return ((half * rules.height + row) * rules.width + x + left).astype(jnp.int32), row < rules.height


def _check_rules(name: str, env: Tetris, game: Versus) -> None:
    """Raise a UserError that names the first thing in which the boards are not those that a policy knows."""
    played, own = game.config.board, env.config
    if own.actions != played.actions and (own.actions, played.actions) != (DROP, ANYWHERE):
        raise UserError(
            f"--versus: given {name}, which plays by actions {own.actions!r}, in {game.spec.title}; allowed: "
            f"{played.actions!r}"
        )
    if own.history:
        raise UserError(f"--versus: given {name}, which looks at {own.history} boards of before; allowed: 0")
    for field in dataclasses.fields(Rules):
        given, known = getattr(played.rules, field.name), getattr(own.rules, field.name)
        if field.name not in FREE_RULES and given != known:
            if field.name == "pieces":
                given, known = (" ".join(piece.name for piece in each) for each in (given, known))
            raise UserError(
                f"--versus: given {name} for a game with rules.{field.name} {given}; allowed: {known}, as it knows it"
            )
