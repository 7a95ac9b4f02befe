"""The networks of Dreamer, and what comes of asking them what to do."""

from typing import NamedTuple

from jax import Array

from tetrax.agents.dreamer.dreamer_config import DreamerConfig
from tetrax.agents.dreamer.dreamer_state import Memory
from tetrax.env.contract import Game
from tetrax.ops.distributions import MaskedCategorical
from tetrax.world_model import ensemble, judges, model
from tetrax.world_model.ensemble import Ensemble
from tetrax.world_model.judges import Judge
from tetrax.world_model.model import AnyModel


class Mind(NamedTuple):
    """The networks, which never change while an agent learns."""

    world: AnyModel
    actor: Judge
    critic: Judge
    ensemble: Ensemble | None = None  # None: the agent does not explore by disagreement


class Decision(NamedTuple):
    """What was decided in B games."""

    action: Array  # int32[B]
    chosen_from: MaskedCategorical  # [B, A]
    memory: Memory  # after it


def make_mind(config: DreamerConfig, env: Game) -> Mind:
    """Return the networks that fit the settings and the game."""
    shown, world = env.spec.shows, model.world_model(env, config.model)
    return Mind(
        world=world,
        actor=judges.actor(config.model, shown, env.spec.num_actions),
        critic=judges.critic(config.model, shown),
        ensemble=ensemble.ensemble(world, config.ensemble) if config.ensemble else None,
    )
