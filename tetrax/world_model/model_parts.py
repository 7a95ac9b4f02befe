"""What every kind of model is told and tells."""

from typing import NamedTuple

from jax import Array

from tetrax.env.contract import Shown
from tetrax.world_model.latents import ModelState


class Sizes(NamedTuple):
    """How much of everything a game shows."""

    shown: Shown
    cells: int
    pieces: int
    numbers: int
    actions: int


class StateSizes(NamedTuple):
    """How large a state of a model is."""

    deter: int
    latents: int
    classes: int


class Step(NamedTuple):
    """One step of a model."""

    state: ModelState
    log_probs: Array  # float32[*n, latents, classes], that the latents were drawn from


class Foretold(NamedTuple):
    """What the heads say of a state."""

    reward: Array  # float32[*n, Z], logits over the bins
    goes_on: Array  # float32[*n], log-odds of the discount: that the game goes on and is worth it
    legal: Array | None  # float32[*n, A], log-odds that an action is legal; None where every action always is
