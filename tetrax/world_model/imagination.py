"""Playing in the model: from states that were seen, with closed eyes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int32, PRNGKeyArray

from tetrax.world_model import judges, model
from tetrax.world_model.judges import Judge
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model import AnyModel


class Imagined(NamedTuple):
    """T steps from N states, and the states where they end: T + 1 moments. No gradient flows out of them."""

    features: Array  # float32[T + 1, N, F], of the states
    action: Array  # int32[T + 1, N], that was taken there; after the last nothing came
    legal: Array  # bool[T + 1, N, A], that the model thinks are legal there
    reward: Array  # float32[T + 1, N], that the model expects on the way to each
    goes_on: (
        Array  # float32[T + 1, N], the probability that the game goes on there, times the target's discount
    )


def imagine(
    world: AnyModel,
    actor: Judge,
    params: Any,
    start: ModelState,
    horizon: int,
    key: PRNGKeyArray,
    first: Int32[Array, "N"] | None = None,
) -> Imagined:
    """Play `horizon` steps from N states by the actor; `params` are those of "model" and "actor".

    `first` are the actions to begin with; by default the actor begins too.
    """
    params, start = judges.hold((params, start))
    num = start.deter.shape[0]
    state_key, action_key = jax.random.split(key)
    of_states = jax.random.uniform(state_key, (horizon + 1, num, world.state_sizes.latents))
    of_actions = jax.random.uniform(action_key, (horizon + 1, num))
    given = None if first is None else jnp.full((horizon + 1, num), -1, jnp.int32).at[0].set(first)

    def step(state: ModelState, inputs: tuple[Array, Array, Array | None]) -> tuple[ModelState, Imagined]:
        of_state, of_action, asked = inputs
        features = state.features
        foretold: Any = world.apply(params["model"], features, method=world.foretell)
        legal = model.likely_legal(world, foretold)
        logits = judges.apply(actor, params["actor"], features)
        action = judges.draw_action(judges.policy(logits, legal, world.config.mixture), of_action)
        if asked is not None:
            action = jnp.where(asked >= 0, asked, action)
        drive: Any = world.apply(params["model"], action, method=world.drive)
        after: Any = world.apply(params["model"], state, drive, of_state, method=world.foresee)
        moment = Imagined(
            features=features,
            action=action,
            legal=legal,
            reward=model.mean_reward(world, foretold),
            goes_on=jax.nn.sigmoid(foretold.goes_on),
        )
        return after.state, moment

    return judges.hold(jax.lax.scan(step, start, (of_states, of_actions, given))[1])
