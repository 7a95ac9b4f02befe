"""What an adapter shows of an observation: one array with bounds, for learners that know no records."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32

from tetrax.env.game.rules import Rules, check_choice
from tetrax.env.observe import Observation
from tetrax.env.tetris import Tetris, make

VIEWS = ("flat", "planes")

FLAT_BOUND = 10.0  # scalars are of order one; learners and checkers ask for a bound that is finite


def flat(rules: Rules, seen: Observation) -> Float32[Array, "N"]:
    """Return planes, one-hot pieces (none held is a kind of its own) and scalars as one vector."""
    pieces = jax.nn.one_hot(seen.pieces, rules.num_pieces + 1, dtype=jnp.float32)
    planes = () if seen.planes is None else (jnp.ravel(seen.planes).astype(jnp.float32),)
    return jnp.concatenate([*planes, jnp.ravel(pieces), jnp.clip(seen.features, -FLAT_BOUND, FLAT_BOUND)])


@dataclass(frozen=True)
class View:
    """An environment and the array that is shown of its observations; equal ones share programs."""

    env: Tetris
    name: str  # one of VIEWS

    def __call__(self, seen: Observation) -> Array:
        """Return the array: float32[N] when flat, else uint8[height + 2, W, 3]."""
        return flat(self.env.rules, seen) if self.name == "flat" else jnp.asarray(seen.planes)

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Return the array's shape."""
        key = jax.eval_shape(lambda: jax.random.key(0))
        shown = jax.eval_shape(lambda key: self(self.env.reset(key)[1].observation), key)
        return tuple(shown.shape)

    @property
    def dtype(self) -> type[np.generic]:
        """Return the array's dtype."""
        return np.float32 if self.name == "flat" else np.uint8

    @property
    def bounds(self) -> tuple[float, float]:
        """Return what no number of the array is below or above."""
        return (-FLAT_BOUND, FLAT_BOUND) if self.name == "flat" else (0, 1)


def make_view(preset: str, observation: str, overrides: dict[str, object]) -> View:
    """Make an environment by preset and overrides, and what is shown of it; ValueError names what is wrong."""
    check_choice("observation", observation, VIEWS)
    return View(make(preset, observation="planes", **overrides), observation)
