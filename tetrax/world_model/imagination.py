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
from tetrax.world_model.state_scan import scan_states


class Imagined(NamedTuple):
    """T steps from N states. No gradient flows out of them."""

    features: Array  # float32[T, N, F], of the states that the steps begin at
    action: Array  # int32[T, N], that the actor took there
    legal: Array  # bool[T, N, A], that the model thinks are legal there
    last_features: Array  # float32[N, F], of the states where the steps end
    reward: Array  # float32[T + 1, N], that the model expects on the way to each of all these states
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
    unroll: int = 1,
    first: Int32[Array, "N"] | None = None,
) -> Imagined:
    """Play `horizon` steps from N states by the actor, `unroll` at a time; `params` are of "model" and "actor".

    `first` are the actions to begin with; by default the actor begins too.
    """
    params, start = judges.hold((params, start))
    num = start.deter.shape[0]
    state_key, action_key = jax.random.split(key)
    of_states = jax.random.uniform(state_key, (horizon, num, world.state_sizes.latents))
    of_actions = jax.random.uniform(action_key, (horizon, num))
    given = None if first is None else jnp.full((horizon, num), -1, jnp.int32).at[0].set(first)

    # There are fewer actions than states to take them in.
    drives: Any = world.apply(params["model"], jnp.arange(world.sizes.actions), method=world.drive)

    def judge(features: Array) -> tuple[Any, tuple[Array, Array]]:
        foretold: Any = world.apply(params["model"], features, method=world.foretell)
        return foretold, (model.mean_reward(world, foretold), jax.nn.sigmoid(foretold.goes_on))

    def step(state: ModelState, inputs: tuple[Array, Array, Array | None]) -> tuple[ModelState, Any]:
        of_state, of_action, asked = inputs
        features = state.features
        foretold, gained = judge(features)
        legal = model.likely_legal(world, foretold)
        logits = judges.apply(actor, params["actor"], features)
        action = judges.draw_legal(logits, legal, world.config.mixture, of_action)
        if asked is not None:
            action = jnp.where(asked >= 0, asked, action)
        drive = jax.tree.map(lambda leaf: leaf[action], drives)
        after: Any = world.apply(params["model"], state, drive, of_state, method=world.foresee)
        return after.state, (features, action, legal, gained)

    end, (features, action, legal, gained) = scan_states(
        world.config, step, start, (of_states, of_actions, given), unroll
    )
    last = judge(end.features)[1]
    reward, goes_on = (
        jnp.concatenate([of_all, of_last[None]]) for of_all, of_last in zip(gained, last, strict=True)
    )
    return judges.hold(Imagined(features, action, legal, end.features, reward, goes_on))
