"""A game played by the policy as it is, for people to watch: what was decided at each step, and what came of it.

It is a game of its own, played between two chunks as the policy explores. Of several who act together
the first is told, and all boards are shown. What is trained is the same, bit for bit, whether somebody watches or not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Agent
from tetrax.env import batch
from tetrax.env.game.state import select
from tetrax.env.wrappers import AutoReset, AutoResetState
from tetrax.ops.returns import td_errors
from tetrax.search.game_model import reward_of_mover
from tetrax.train.report.blocks import look
from tetrax.train.report.decisions import (
    TD_ERROR,
    Decisions,
    decision_data,
    held_worth,
    lines_data,
    number,
    summarise,
)
from tetrax.view.as_data import rules_data
from tetrax.view.following import Following, Shown, step_data
from tetrax.view.shown_games import Track, has_boards, picture_of, tracks_of

STEPS = 32  # of a burst


class Standing(NamedTuple):
    """Where the watched game stands."""

    games: AutoResetState
    memory: Any  # of the policy, [1, ...], or of P seats
    is_first: Array  # bool[], nothing is played yet
    num_acted: Array  # uint32[], decisions so far, over all games


class Burst(NamedTuple):
    """What the device tells of T steps; every leaf has the steps first."""

    before: Any  # the game before the step
    after: Any  # and after it
    is_first: Array  # bool[T], the game began with this step
    actions: Array  # int32[T], of several who act together [T, P]
    decisions: Decisions  # of the first
    reward: Array  # float32[T], of who moved
    is_over: Array  # bool[T], by a loss or a limit
    event: Any
    td_error: Array | None = None  # float32[T]; None from agents that do not learn by it


class Expected(NamedTuple):
    """What the policy expected, to be held against what came, [T]."""

    worth: Array  # float32[T], of what was done
    value: Array  # float32[T], of the moment
    value_at_end: (
        Array | None
    )  # float32[T], of the moment after the step, before any reset; None: none is truncated
    terminated: Array  # bool[T]
    truncated: Array  # bool[T]


class Decided(NamedTuple):
    """One decision, of a batch of one or of all P seats."""

    action: Array  # int32[1]
    memory: Any  # after it
    told: dict[str, Array]  # the diagnostics of `act`
    legal: Array  # bool[1, A]


class WatchedGame:
    """Plays on and on; compiled once, while training goes on."""

    def __init__(self, env: Any, agent: Agent, policy: Any, discount: Array | None = None) -> None:
        self._env, self._agent = env, agent
        self._auto = AutoReset(env, keep_last=True)
        # Traced here: two threads must not trace at once. Compiled beside the training.
        begin = jax.jit(self._begin)
        self._standing: Any = begin(jax.random.key(0, impl="threefry2x32"))
        lowered = jax.jit(self._play).lower(policy, discount, self._standing)
        with_end = ThreadPoolExecutor(1)
        self._program: Future[Callable[..., tuple[Standing, Burst]]] = with_end.submit(lowered.compile)
        with_end.shutdown(wait=False)
        self._following: list[Following] = []  # each board
        self._game, self._move = -1, 0  # numbers of the game and of the step in it

    @property
    def is_ready(self) -> bool:
        """Whether its program is compiled."""
        return self._program.done()

    def header(self) -> dict[str, Any]:
        """Return what all steps have in common, as JSON values: the rules to draw scenes by, names of the actions."""
        names = getattr(self._env, "action_names", None)
        return {
            "rules": rules_data(self._env.rules) if has_boards(self._env) else None,
            "actions": list(names) if names is not None else None,
            "game": self._env.spec.title,
        }

    def play(self, policy: Any, step: int, discount: Array | None = None) -> list[dict[str, Any]]:
        """Play some steps; return the facts of each as JSON values. `step` is that of the training.

        With the `discount`, float32[], of an agent that learns by temporal differences their errors are told too; it
        is given always, if it was when this was made.
        """
        self._standing, burst = self._program.result()(policy, discount, self._standing)
        burst = jax.device_get(burst)
        shown = self._show(burst)
        return [{"step": step, **self._facts(burst, index), **shown[index]} for index in range(STEPS)]

    def _begin(self, key: Array) -> Standing:
        games, _ = self._auto.reset(key, self._env.default_params)
        return Standing(
            games, self._agent.initial_memory((self._env.spec.num_seats,)), jnp.bool_(True), jnp.uint32(0)
        )

    def _play(self, policy: Any, discount: Array | None, standing: Standing) -> tuple[Standing, Burst]:
        """Play STEPS; for the errors look once more, as it will when it goes on."""
        num_looks = STEPS if discount is None else STEPS + 1

        def step(before: Standing, is_played: Array) -> Any:
            after, told = self._step(policy, discount, before)
            return (after if discount is None else select(is_played, after, before)), told

        is_played = jnp.asarray(np.arange(num_looks) < STEPS)
        after, (burst, expected) = jax.lax.scan(step, standing, is_played)
        if discount is None:
            return after, burst
        assert expected is not None
        burst, now = jax.tree.map(lambda leaf: leaf[:-1], (burst, expected))
        next_value = expected.value[1:]
        if now.value_at_end is not None:
            next_value = jnp.where(now.truncated, now.value_at_end, next_value)
        error = td_errors(burst.reward, now.worth, next_value, now.terminated, discount)
        return after, burst._replace(td_error=error)

    def _step(
        self, policy: Any, discount: Array | None, standing: Standing
    ) -> tuple[Standing, tuple[Burst, Expected | None]]:
        env, games = self._env, standing.games
        decided = self._decide(policy, discount, standing, games.game)
        actions = batch.actions_of_one(decided.action, env.spec)
        after, timestep = self._auto.step(games, actions, self._params(discount))
        is_over = timestep.terminated | timestep.truncated
        burst = Burst(
            before=_without_keys(games.game),
            after=_without_keys(after.last),
            is_first=standing.is_first,
            actions=actions,
            decisions=summarise(decided.action, decided.legal, decided.told),
            reward=reward_of_mover(env, timestep.reward, games.game),
            is_over=is_over,
            event=timestep.event,
        )
        stands = Standing(after, decided.memory, is_over, standing.num_acted + 1)
        if discount is None:
            return stands, (burst, None)
        value_at_end = None
        if env.spec.can_truncate:
            at_end = stands._replace(is_first=jnp.bool_(False))
            value_at_end = self._decide(policy, discount, at_end, after.last).told["value"][0]
        expected = Expected(
            worth=held_worth(decided.action[0], decided.told),
            value=decided.told["value"][0],
            value_at_end=value_at_end,
            terminated=timestep.terminated,
            truncated=timestep.truncated,
        )
        return stands, (burst, expected)

    def _decide(self, policy: Any, discount: Array | None, standing: Standing, game: Any) -> Decided:
        """Let the policy decide in a game."""
        spec = self._env.spec
        sight = look(spec, self._env.observe(game, self._params(discount)), standing.is_first, game)
        act_key = jax.random.fold_in(standing.games.key, ~standing.num_acted)  # games are numbered from below
        acted = self._agent.act(policy, sight, standing.memory, act_key, False)
        return Decided(*acted, legal=sight.observation.legal)

    def _params(self, discount: Array | None) -> Any:
        """Return the numbers of the game, where rewards are shaped by the discount with this in them."""
        params = self._env.default_params
        return params if discount is None else self._env.with_discount(params, discount)

    def _facts(self, burst: Burst, index: int) -> dict[str, Any]:
        """Return what was decided in a step, and what it brought."""
        if burst.is_first[index]:
            self._game, self._move = self._game + 1, 0
        self._move += 1
        terms = getattr(burst.event, "reward_terms", None)
        error = {} if burst.td_error is None else {TD_ERROR: number(burst.td_error[index])}
        return {
            "game": self._game,
            "move": self._move,
            **decision_data(burst.decisions, index, getattr(self._env, "action_names", None)),
            "reward": number(burst.reward[index]),
            **error,
            "terms": None if terms is None else _terms(terms, index),
            "over": bool(burst.is_over[index]),
        }

    def _show(self, burst: Burst) -> list[dict[str, Any]]:
        """Return how each step looks: a scene, those of several boards, or a drawing; nothing of other games."""
        env = self._env
        if not has_boards(env):
            states = [
                jax.tree.map(lambda leaf, index=index: leaf[index], burst.after) for index in range(STEPS)
            ]
            pictures = [picture_of(env, state) for state in states]
            return [
                {"scene": None, **({"drawing": picture.drawing} if picture else {})} for picture in pictures
            ]
        tracks = tracks_of(env, burst.before, burst.after, burst.event, np.asarray(burst.actions))
        shown = []
        for index in range(STEPS):
            if not self._following or burst.is_first[index]:
                self._following = [Following(track.env, track.before[index]) for track in tracks]
            steps = [
                follows.step(track.after[index], track.happenings[index], track.actions[index])
                for follows, track in zip(self._following, tracks, strict=True)
            ]
            lines = lines_data(burst.decisions, index, env.rules, tracks[0].before[index])
            placed = {"placed": [list(cell) for cell in steps[0].placed]} if lines else {}
            shown.append({**_steps_data(steps, tracks, index), **lines, **placed})
        return shown


def _steps_data(steps: list[Shown], tracks: list[Track], index: int) -> dict[str, Any]:
    """Return a step as JSON values: what the first player did, and all boards where there are several."""
    told = [step_data(step) for step in steps]
    if len(told) == 1:
        return told[0]
    boards = [
        {"heading": track.headings[index], "said": each["said"], "scene": each["scene"]}
        for track, each in zip(tracks, told, strict=True)
    ]
    return {**told[0], "scene": None, "boards": boards}


def _without_keys(tree: Any) -> Any:
    """Return a tree with the data of its keys in their place, so that it can be brought to the host."""
    is_key = lambda leaf: jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)  # noqa: E731
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if is_key(leaf) else leaf, tree)


def _terms(terms: Any, index: int) -> dict[str, float | None]:
    """Return the terms of a reward that are not zero, by name."""
    leaves = jax.tree_util.tree_leaves_with_path(terms)
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf[index] for path, leaf in leaves}
    return {name: number(value) for name, value in named.items() if value != 0}
