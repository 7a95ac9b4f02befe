"""What a policy makes of a recorded game, whoever played it: at each step what it would do, and what it expects."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Sight
from tetrax.env.record import Replay
from tetrax.fields.errors import UserError
from tetrax.ops.returns import td_errors
from tetrax.train.folder.policy_io import LoadedPolicy
from tetrax.train.report.decisions import (
    TD_ERROR,
    Decisions,
    decision_data,
    held_worth,
    lines_data,
    number,
    summarise,
)
from tetrax.view.scene import read_moments

CHUNK = 512  # steps per compiled scan: any length of game runs the same program
SAME = (
    "rules",
    "actions",
    "chords",
    "orientation",
    "history",
)  # of both environments, for a policy to know the game


class Expected(NamedTuple):
    """What the policy expected of a step, and what came: [T]."""

    worth: Array  # float32[T], of what was played; NaN where the policy may not play it
    value: Array  # float32[T], of the moment
    reward: Array  # float32[T]
    terminated: Array  # bool[T]


def think(loaded: LoadedPolicy, replayed: Replay) -> list[dict[str, Any]]:
    """Return what the policy holds of each decision of a game, as JSON values: see `decision_data`.

    Its own observation is made of the recorded states, and what it remembers follows what was played. "played" says
    whether it would have done the same; TD_ERROR is that of what was played, from agents that learn by it. UserError
    for a policy that plays another game.
    """
    _check(loaded, replayed)
    actions = np.asarray(replayed.recording.actions)
    length, learns_by_td = len(actions), loaded.agent.learns_by_td
    num_looks = length + (learns_by_td and length > 0)  # what the last step led to is a value too
    run = jax.jit(
        lambda carry, states, played: jax.lax.scan(_step(loaded, replayed), carry, (states, played))
    )
    carry = (loaded.initial_memory((1,)), jnp.bool_(True), jnp.uint32(0))
    parts: list[tuple[Decisions, Expected | None]] = []
    for start in range(0, num_looks, CHUNK):
        places = np.minimum(np.arange(start, start + CHUNK), num_looks - 1)  # the last one fills up
        states = jax.tree.map(lambda leaf, places=places: leaf[places], replayed.states)
        played = actions[np.minimum(places, length - 1)]
        carry, decided = run(carry, states, jnp.asarray(played, jnp.int32))
        parts.append(jax.device_get(decided))
    if not parts:
        return []
    decisions, expected = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:num_looks], *parts)
    names = loaded.env.action_names
    told = [decision_data(decisions, index, names) for index in range(length)]
    if expected is not None:
        errors = _td_errors(expected, loaded.config.agent.discount)
        told = [{**each, TD_ERROR: number(error)} for each, error in zip(told, errors, strict=True)]
    if decisions.best_lines is not None:
        moments = read_moments(jax.tree.map(lambda leaf: leaf[:length], replayed.states))
        lines = [lines_data(decisions, index, loaded.env.rules, moments[index]) for index in range(length)]
        told = [{**each, **line} for each, line in zip(told, lines, strict=True)]
    return [
        {**each, "played": each["action"] == int(action)} for each, action in zip(told, actions, strict=True)
    ]


def _step(loaded: LoadedPolicy, replayed: Replay) -> Any:
    env, agent = loaded.env, loaded.agent
    # The reward is the policy's own; the numbers of the game are those it was played with.
    params = env.default_params.replace(game=jax.tree.map(jnp.asarray, replayed.recording.params.game))
    if agent.learns_by_td:
        params = env.with_discount(params, jnp.float32(loaded.config.agent.discount))

    def step(carry: tuple[Any, Array, Array], now: tuple[Any, Array]) -> Any:
        memory, is_first, count = carry
        state, played = now
        observation = env.observe(state, params)
        sight = Sight(observation=observation, is_first=is_first, state=state)
        sight = jax.tree.map(lambda leaf: leaf[None], sight)  # a batch of one
        key = jax.random.fold_in(jax.random.key(0, impl="threefry2x32"), count)
        action, memory, told = agent.act(loaded.policy, sight, memory, key, True)
        memory = agent.acted(memory, played[None])
        expected = None
        if agent.learns_by_td:
            _, reward, terminated, _, _ = env.transition(state, played, params)
            # What is illegal to the policy has no worth.
            worth = jnp.where(observation.legal[played], held_worth(played, told), jnp.nan)
            expected = Expected(worth, told["value"][0], reward, terminated)
        decided = summarise(action, sight.observation.legal, told)
        return (memory, jnp.bool_(False), count + 1), (decided, expected)

    return step


def _td_errors(expected: Expected, discount: float) -> np.ndarray:
    """Return the errors of all steps but the last look, which was not followed by one: float32[T] from [T + 1]."""
    before: Expected = jax.tree.map(lambda leaf: leaf[:-1], expected)
    return np.asarray(
        td_errors(before.reward, before.worth, expected.value[1:], before.terminated, jnp.float32(discount))
    )


def _check(loaded: LoadedPolicy, replayed: Replay) -> None:
    """Refuse a policy that does not know the game that was recorded."""
    recorded, own = replayed.recording.config, getattr(loaded.env, "config", None)
    for name in SAME:
        played, known = getattr(recorded, name), getattr(own, name, None)
        if played != known:
            what = _first_difference(played, known) if name == "rules" and known is not None else name
            raise UserError(
                f"--policy: given one of {loaded.env.spec.title}, whose {what} differs from the recording's; "
                f"allowed: a policy of the same game ({recorded.preset}, {recorded.actions})"
            )


def _first_difference(rules: Any, others: Any) -> str:
    names = (field.name for field in dataclasses.fields(rules))
    return next(f"rules.{name}" for name in names if getattr(rules, name) != getattr(others, name))
