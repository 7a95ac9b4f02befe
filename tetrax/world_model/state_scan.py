"""Going from state to state in one compiled loop, with the state laid out as a CPU needs it."""

from collections.abc import Callable
from typing import Any

import jax

from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig

StateStep = Callable[[ModelState, Any], tuple[ModelState, Any]]


def scan_states(
    config: WorldModelConfig, step: StateStep, start: ModelState, inputs: Any, unroll: int = 1
) -> tuple[ModelState, Any]:
    """Take steps, one for each of the inputs, beginning at a state; return the state they end at and what they gave.

    Between the steps the deterministic state of one vector is carried as its blocks, [N, blocks, D / blocks]. Its cell
    computes by blocks, and where the result is carried flat, XLA merges the change of shape into the loop that computes
    it, in which a CPU then takes one number at a time: 8 ms a step of 1,024 states, instead of 1.5.
    """
    blocks = config.blocks if config.state == "vector" else 1

    def flat_step(carried: ModelState, given: Any) -> tuple[ModelState, Any]:
        after, found = step(_reshape(carried, (start.deter.shape[-1],)), given)
        return _reshape(after, shape), found

    shape = (blocks, start.deter.shape[-1] // blocks) if blocks > 1 else start.deter.shape[-1:]
    end, found = jax.lax.scan(flat_step, _reshape(start, shape), inputs, unroll=unroll)
    return _reshape(end, start.deter.shape[-1:]), found


def _reshape(state: ModelState, shape: tuple[int, ...]) -> ModelState:
    return state.replace(deter=state.deter.reshape(*state.stoch.shape[:-2], *shape))
