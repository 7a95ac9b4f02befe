"""A world model and what is done with it, whatever its kind."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float32, Int32, PRNGKeyArray

from tetrax.env.contract import Game, Observation, example_observation
from tetrax.ops import two_hot
from tetrax.world_model import readings, rssm
from tetrax.world_model.cell_model import CellModel
from tetrax.world_model.column_model import ColumnModel
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.model_parts import Foretold, Sizes, Step
from tetrax.world_model.readings import Reading
from tetrax.world_model.state_scan import scan_states
from tetrax.world_model.vector_model import WorldModel

AnyModel = WorldModel | ColumnModel | CellModel
KINDS: dict[str, type[AnyModel]] = {"vector": WorldModel, "columns": ColumnModel, "cells": CellModel}


def world_model(env: Game, config: WorldModelConfig) -> AnyModel:
    """Return the model that fits what a game shows; ValueError where the settings do not fit it."""
    config.validate(env)
    reading = jax.eval_shape(lambda seen: readings.read(env.spec.shows, seen), example_observation(env))
    cells, pieces, numbers = (leaf.shape[-1] for leaf in (reading.cells, reading.pieces, reading.numbers))
    return KINDS[config.state](config, Sizes(env.spec.shows, cells, pieces, numbers, env.spec.num_actions))


def initial_state(world: AnyModel, batch_shape: tuple[int, ...]) -> ModelState:
    """Return the state before anything was seen: all zeros, the latents too."""
    deter, latents, classes = world.state_sizes
    return ModelState(
        deter=jnp.zeros((*batch_shape, deter), jnp.float32),
        stoch=jnp.zeros((*batch_shape, latents, classes), jnp.float32),
    )


def initial_params(model: AnyModel, key: PRNGKeyArray) -> Any:
    """Draw parameters."""
    sizes = model.sizes
    reading = Reading(
        cells=jnp.zeros((1, sizes.cells), jnp.float32),
        pieces=jnp.zeros((1, sizes.pieces), jnp.int32),
        numbers=jnp.zeros((1, sizes.numbers), jnp.float32),
    )
    uniform = jnp.zeros((1, model.state_sizes.latents), jnp.float32)
    return model.init(key, reading, initial_state(model, (1,)), jnp.zeros(1, jnp.int32), uniform)


def read(model: AnyModel, observation: Observation) -> Reading:
    """Read observations."""
    return readings.read(model.sizes.shown, observation)


def see_step(
    model: AnyModel,
    params: Any,
    state: ModelState,
    action_before: Int32[Array, "B"],
    observation: Observation,
    is_first: Bool[Array, "B"],
    key: PRNGKeyArray,
) -> ModelState:
    """Take one step of B games: from the state before and the action that was taken in it, by what is seen now."""
    uniform = jax.random.uniform(key, (*is_first.shape, model.state_sizes.latents))
    drive: Any = model.apply(params, jnp.where(is_first, -1, action_before), method=model.drive)
    hint: Any = model.apply(params, read(model, observation), method=model.hint)
    step: Any = model.apply(params, rssm.forget(state, is_first), drive, hint, uniform, method=model.see)
    return step.state


def see_all(
    model: AnyModel,
    params: Any,
    state: ModelState,
    actions_before: Int32[Array, "T N"],
    reading: Reading,
    is_first: Bool[Array, "T N"],
    key: PRNGKeyArray,
    unroll: int = 1,
) -> Step:
    """Go through T steps of N games by what was seen, `unroll` at a time; `state` is that before the first."""
    uniform = jax.random.uniform(key, (*is_first.shape, model.state_sizes.latents))
    drive: Any = model.apply(params, jnp.where(is_first, -1, actions_before), method=model.drive)
    hint: Any = model.apply(params, reading, method=model.hint)

    def step(state: ModelState, inputs: Any) -> tuple[ModelState, Step]:
        first, *driven = inputs
        seen: Any = model.apply(params, rssm.forget(state, first), *driven, method=model.see)
        return seen.state, seen

    return scan_states(model.config, step, state, (is_first, drive, hint, uniform), unroll)[1]


def mean_reward(model: AnyModel, foretold: Foretold) -> Float32[Array, "*n"]:
    """Return the rewards that the heads expect on the way to states."""
    return two_hot.mean(foretold.reward, bins(model.config))


def bins(config: WorldModelConfig) -> Any:
    """Return what the bins of rewards and returns stand for, float32[Z]."""
    return two_hot.symexp_bins(config.bins, config.largest_exponent)


def likely_legal(model: AnyModel, foretold: Foretold) -> Bool[Array, "*n A"]:
    """Return the actions that are likely to be legal: at least one, the likeliest."""
    if foretold.legal is None:
        return jnp.ones((*foretold.goes_on.shape, model.sizes.actions), bool)
    likeliest = foretold.legal >= jnp.max(foretold.legal, axis=-1, keepdims=True)
    return (foretold.legal > 0) | likeliest
