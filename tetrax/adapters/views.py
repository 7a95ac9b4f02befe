"""What an adapter shows of an observation: one array with bounds, for learners that know no records."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import UInt8

from tetrax.env.contract import Observation
from tetrax.env.game.rules import check_choice
from tetrax.env.observe import CELLS
from tetrax.env.tetris import Tetris, make
from tetrax.system import compilation_cache

VIEWS = ("flat", "planes", "image", "compact")

FLAT_BOUND = 100.0  # numbers are of order one; learners and checkers ask for a bound that is finite
IMAGE_SIDE = 84  # pixels, that image policies want at least (Mnih et al. 2015)
WHITE = np.uint8(255)


@dataclass(frozen=True)
class View:
    """An environment and the one array that is shown of its observations; equal ones share programs."""

    env: Tetris
    name: str  # one of VIEWS

    def __call__(self, seen: Observation) -> Array:
        """Return what is shown.

        float32[N] (flat), uint8[height + 2, W, 3] (planes), int8[height + 2, W] (compact), or planes as an image,
        uint8[84 or more, 84 or more, 3], the highest row first, each cell a block of 255 or 0.
        """
        if self.name == "flat":
            return jnp.clip(jnp.asarray(seen.flat), -FLAT_BOUND, FLAT_BOUND)
        if self.name == "compact":
            return jnp.asarray(seen.cells)
        planes = jnp.asarray(seen.planes)
        return enlarge(planes) if self.name == "image" else planes

    @property
    def shown(self) -> jax.ShapeDtypeStruct:
        """Return the shape and dtype of what is shown."""
        return _find_shape(self)

    @property
    def bounds(self) -> tuple[float, float]:
        """Return what no number of the array is below or above."""
        bounds: dict[str, tuple[float, float]] = {
            "flat": (-FLAT_BOUND, FLAT_BOUND),
            "planes": (0, 1),
            "image": (0, int(WHITE)),
            "compact": (0, len(CELLS) - 1),
        }
        return bounds[self.name]


@functools.lru_cache(maxsize=16)  # as many as programs are kept: tracing a game takes a part of a second
def _find_shape(view: View) -> jax.ShapeDtypeStruct:
    key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
    return jax.eval_shape(lambda key: view(view.env.reset(key)[1].observation), key)


def enlarge(planes: UInt8[Array, "R W 3"]) -> UInt8[Array, "h w 3"]:
    """Draw planes of 0 and 1 as an image with IMAGE_SIDE pixels or more on both sides.

    The highest row comes first. A cell is a block of pixels, as high and as wide as its side of the image needs: cells
    are not squares, so that the image stays small.
    """
    high, wide = (-(-IMAGE_SIDE // side) for side in planes.shape[:2])  # pixels of a cell, rounded up
    return jnp.repeat(jnp.repeat(planes[::-1] * WHITE, high, axis=0), wide, axis=1)


def make_view(preset: str, observation: str, overrides: dict[str, object]) -> View:
    """Make an environment by preset and overrides, and what is shown of it; ValueError names what is wrong."""
    check_choice("observation", observation, VIEWS)
    compilation_cache.enable_for_slow_programs()
    shown = "planes" if observation == "image" else observation
    return View(make(preset, observation=shown, **overrides), observation)
