"""Being drawn to what the model does not know yet: see `tetrax.world_model.ensemble`."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.world_model import ensemble
from tetrax.world_model.ensemble import Ensemble
from tetrax.world_model.imagination import Imagined
from tetrax.world_model.model_parts import Step


class Curiosity(NamedTuple):
    """What the ensemble makes of an update's moments; as with rewards, on the way to each."""

    loss: Array  # float32[], nats that its members get wrong of what was seen next
    replayed: Array  # float32[T, N], disagreement about the moments of the replay
    imagined: Array  # float32[T + 1, N], and about those that were imagined


def look(
    members: Ensemble,
    params: Any,
    steps: Step,
    action_before: Int32[Array, "T N"],
    is_first: Bool[Array, "T N"],
    imagined: Imagined,
) -> Curiosity:
    """Compare what the members foretell with what was seen, and with each other.

    A game that begins follows from nothing: there is neither a loss nor a bonus on the way from the end of the last.
    """
    before, taken = steps.state.features[:-1], action_before[1:]
    same_game = 1.0 - is_first[1:].astype(jnp.float32)
    wrong = ensemble.loss(members, params, before, taken, steps.log_probs[1:])
    replayed = same_game * ensemble.disagreement(members, params, before, taken)
    foreseen = ensemble.disagreement(members, params, imagined.features, imagined.action)
    return Curiosity(
        loss=jnp.mean(same_game * wrong), replayed=_on_the_way(replayed), imagined=_on_the_way(foreseen)
    )


def _on_the_way(of_steps: Float32[Array, "T-1 N"]) -> Float32[Array, "T N"]:
    """Put what is told of steps to the moments that they lead to; nothing leads to the first."""
    return jnp.concatenate([jnp.zeros_like(of_steps[:1]), of_steps])
