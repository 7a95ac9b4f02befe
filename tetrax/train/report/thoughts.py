"""What a policy makes of a recorded game, whoever played it: at each step what it would do, and what it expects."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tetrax.agents.agent import Sight
from tetrax.env.record import Replay
from tetrax.fields.errors import UserError
from tetrax.train.folder.policy_io import LoadedPolicy
from tetrax.train.report.decisions import Decisions, decision_data, lines_data, summarise
from tetrax.view.scene import read_moments

CHUNK = 512  # steps per compiled scan: any length of game runs the same program
SAME = (
    "rules",
    "actions",
    "chords",
    "orientation",
    "history",
)  # of both environments, for a policy to know the game


def think(loaded: LoadedPolicy, replayed: Replay) -> list[dict[str, Any]]:
    """Return what the policy holds of each decision of a game, as JSON values: see `decision_data`.

    Its own observation is made of the recorded states, and what it remembers follows what was played. "played" says
    whether it would have done the same. UserError for a policy that plays another game.
    """
    _check(loaded, replayed)
    actions = np.asarray(replayed.recording.actions)
    length = len(actions)
    run = jax.jit(
        lambda carry, states, played: jax.lax.scan(_step(loaded, replayed), carry, (states, played))
    )
    carry = (loaded.initial_memory((1,)), jnp.bool_(True), jnp.uint32(0))
    parts: list[Decisions] = []
    for start in range(0, length, CHUNK):
        places = np.minimum(np.arange(start, start + CHUNK), length - 1)  # the last one fills up
        states = jax.tree.map(lambda leaf, places=places: leaf[places], replayed.states)
        carry, decided = run(carry, states, jnp.asarray(actions[places], jnp.int32))
        parts.append(jax.device_get(decided))
    if not parts:
        return []
    decisions = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:length], *parts)
    names = loaded.env.action_names
    told = [decision_data(decisions, index, names) for index in range(length)]
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

    def step(carry: tuple[Any, Array, Array], now: tuple[Any, Array]) -> tuple[Any, Decisions]:
        memory, is_first, count = carry
        state, played = now
        observation = env.observe(state, params)
        sight = Sight(observation=observation, is_first=is_first, state=state)
        sight = jax.tree.map(lambda leaf: leaf[None], sight)  # a batch of one
        key = jax.random.fold_in(jax.random.key(0, impl="threefry2x32"), count)
        action, memory, told = agent.act(loaded.policy, sight, memory, key, True)
        memory = agent.acted(memory, played[None])
        return (memory, jnp.bool_(False), count + 1), summarise(action, sight.observation.legal, told)

    return step


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
