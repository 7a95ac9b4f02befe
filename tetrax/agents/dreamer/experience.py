"""What is learned from: sequences of moments that the replay kept, shown again."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.agents import kept_games
from tetrax.agents.dreamer.dreamer_config import CONTEXT
from tetrax.agents.dreamer.dreamer_state import Slot, TrainState
from tetrax.env.contract import Game, MirrorGame
from tetrax.world_model import latents, model
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model import AnyModel
from tetrax.world_model.readings import Reading

MIRRORED_SHARE = 0.5  # of the windows that can be: each is seen as often as its mirror image


class Experience(NamedTuple):
    """N sequences of T moments of games, and what came before them."""

    reading: Reading  # [T, N, ...]
    legal: Array  # bool[T, N, A]
    action_before: Array  # int32[T, N], that led to each moment
    reward: Array  # float32[T, N], gained on the way
    terminated: Array  # bool[T, N]
    truncated: Array  # bool[T, N]
    is_first: Array  # bool[T, N]
    before: ModelState  # [N, ...]
    action: Array  # int32[T, N], taken at each
    log_prob: Array | None  # float32[T, N], of that action when it was taken
    is_mirrored: Array | None = None  # bool[N], whether it is shown in a mirror; None where none is


def recall(world: AnyModel, env: Game, state: TrainState, slots: Slot) -> Experience:
    """Read windows [CONTEXT + T, N] of the replay; of the context the model's state and the action are taken."""
    seen = kept_games.show(env, state.env_params, state.tunables["discount"], slots.seen[CONTEXT:])
    before = jax.tree.map(lambda leaf: leaf[CONTEXT - 1], slots.state)
    return Experience(
        reading=model.read(world, seen),
        legal=seen.legal,
        action_before=slots.action[CONTEXT - 1 : -1],
        reward=slots.reward[CONTEXT:],
        terminated=slots.terminated[CONTEXT:],
        truncated=slots.truncated[CONTEXT:],
        is_first=slots.is_first[CONTEXT:],
        before=latents.recall(before, world.config.widths.classes),
        action=slots.action[CONTEXT:],
        log_prob=None if slots.log_prob is None else slots.log_prob[CONTEXT:],
    )


def recall_mirrored(
    world: AnyModel, env: MirrorGame, state: TrainState, slots: Slot, key: PRNGKeyArray
) -> Experience:
    """Read windows as `recall` does, about half of them in a mirror.

    Left as they are, too, are windows through which the mirrored game would not go on as the game did. What the
    replay keeps of the model's states is not of mirrored games: these begin from what the model makes of the context
    alone, seen as the first moment of a game.
    """
    choose_key, see_key = jax.random.split(key)
    words, action, is_exact = kept_games.mirror(env, state.env_params, slots.seen, slots.action)
    is_mirrored = jax.random.bernoulli(choose_key, MIRRORED_SHARE, is_exact.shape) & is_exact
    slots = slots.replace(
        seen=jnp.where(is_mirrored[:, None], words, slots.seen),
        action=jnp.where(is_mirrored, action, slots.action),
    )
    experience = recall(world, env, state, slots)
    context = kept_games.show(env, state.env_params, state.tunables["discount"], slots.seen[CONTEXT - 1])
    is_first = jnp.ones_like(is_mirrored)
    afresh = model.see_step(
        world, state.params["model"], experience.before, slots.action[CONTEXT - 1], context, is_first, see_key
    )
    before = jax.tree.map(
        lambda new, kept: jnp.where(is_mirrored.reshape(-1, *[1] * (new.ndim - 1)), new, kept),
        afresh,
        experience.before,
    )
    return experience._replace(before=before, is_mirrored=is_mirrored)
