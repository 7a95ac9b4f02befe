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
from tetrax.env.wrappers import AutoReset, AutoResetState
from tetrax.search.game_model import reward_of_mover
from tetrax.train.report.blocks import look
from tetrax.train.report.decisions import Decisions, decision_data, lines_data, number, summarise
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


class WatchedGame:
    """Plays on and on; compiled once, while training goes on."""

    def __init__(self, env: Any, agent: Agent, policy: Any) -> None:
        self._env, self._agent = env, agent
        self._auto = AutoReset(env, keep_last=True)
        # Traced here: two threads must not trace at once. Compiled beside the training.
        begin = jax.jit(self._begin)
        self._standing: Any = begin(jax.random.key(0, impl="threefry2x32"))
        lowered = jax.jit(self._play).lower(policy, self._standing)
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

    def play(self, policy: Any, step: int) -> list[dict[str, Any]]:
        """Play some steps; return the facts of each as JSON values. `step` is that of the training."""
        self._standing, burst = self._program.result()(policy, self._standing)
        burst = jax.device_get(burst)
        shown = self._show(burst)
        return [{"step": step, **self._facts(burst, index), **shown[index]} for index in range(STEPS)]

    def _begin(self, key: Array) -> Standing:
        games, _ = self._auto.reset(key, self._env.default_params)
        return Standing(
            games, self._agent.initial_memory((self._env.spec.num_seats,)), jnp.bool_(True), jnp.uint32(0)
        )

    def _play(self, policy: Any, standing: Standing) -> tuple[Standing, Burst]:
        return jax.lax.scan(lambda carry, _: self._step(policy, carry), standing, length=STEPS)

    def _step(self, policy: Any, standing: Standing) -> tuple[Standing, Burst]:
        env, params, games = self._env, self._env.default_params, standing.games
        observation = env.observe(games.game, params)
        sight = look(env.spec, observation, standing.is_first, games.game)
        act_key = jax.random.fold_in(games.key, ~standing.num_acted)  # games are numbered from below
        action, memory, told = self._agent.act(policy, sight, standing.memory, act_key, False)
        actions = batch.actions_of_one(action, env.spec)
        after, timestep = self._auto.step(games, actions, params)
        is_over = timestep.terminated | timestep.truncated
        burst = Burst(
            before=_without_keys(games.game),
            after=_without_keys(after.last),
            is_first=standing.is_first,
            actions=actions,
            decisions=summarise(action, sight.observation.legal, told),
            reward=reward_of_mover(env, timestep.reward, games.game),
            is_over=is_over,
            event=timestep.event,
        )
        return Standing(after, memory, is_over, standing.num_acted + 1), burst

    def _facts(self, burst: Burst, index: int) -> dict[str, Any]:
        """Return what was decided in a step, and what it brought."""
        if burst.is_first[index]:
            self._game, self._move = self._game + 1, 0
        self._move += 1
        terms = getattr(burst.event, "reward_terms", None)
        return {
            "game": self._game,
            "move": self._move,
            **decision_data(burst.decisions, index, getattr(self._env, "action_names", None)),
            "reward": number(burst.reward[index]),
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
