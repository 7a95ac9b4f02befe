"""What an adapter shows of an observation: one array with bounds, for learners that know no records."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from tetrax.env.contract import Observation
from tetrax.env.game.rules import check_choice
from tetrax.env.observe import CELLS
from tetrax.env.tetris import Tetris, make

VIEWS = ("flat", "planes", "compact")

FLAT_BOUND = 100.0  # numbers are of order one; learners and checkers ask for a bound that is finite


@dataclass(frozen=True)
class View:
    """An environment and the one array that is shown of its observations; equal ones share programs."""

    env: Tetris

    def __call__(self, seen: Observation) -> Array:
        """Return float32[N] (flat), uint8[height + 2, W, 3] (planes) or int8[height + 2, W] (compact)."""
        if self.env.config.view == "flat":
            return jnp.clip(jnp.asarray(seen.flat), -FLAT_BOUND, FLAT_BOUND)
        return jnp.asarray(seen.planes if self.env.config.view == "planes" else seen.cells)

    @functools.cached_property
    def shown(self) -> jax.ShapeDtypeStruct:
        """Return the shape and dtype of what is shown."""
        key = jax.eval_shape(lambda: jax.random.key(0))
        return jax.eval_shape(lambda key: self(self.env.reset(key)[1].observation), key)

    @property
    def bounds(self) -> tuple[float, float]:
        """Return what no number of the array is below or above."""
        bounds = {"flat": (-FLAT_BOUND, FLAT_BOUND), "planes": (0, 1), "compact": (0, len(CELLS) - 1)}
        return bounds[self.env.config.view]


def make_view(preset: str, observation: str, overrides: dict[str, object]) -> View:
    """Make an environment by preset and overrides, and what is shown of it; ValueError names what is wrong."""
    check_choice("observation", observation, VIEWS)
    return View(make(preset, observation=observation, **overrides))
