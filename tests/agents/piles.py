"""A game of placements with afterstates, in place of Tetris: pieces are put on three piles."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from tests.agents.tiny_game import TinyGame
from tetrax.env.contract import Afterstates, Observation, Shown
from tetrax.env.foresight import AFTERSTATE_FEATURES

PILES, TOP = 3, 4
SUM_OF_HEIGHTS = list(AFTERSTATE_FEATURES).index("aggregate_height")


class PilesState(struct.PyTreeNode):
    heights: jax.Array  # int32[3]
    piece: jax.Array  # int32[], 1 or 2, the height it adds
    time: jax.Array  # int32[], pieces placed
    lost: jax.Array  # bool[]


@dataclass(frozen=True)
class Piles(TinyGame):
    """An action is a pile; the highest one is illegal where the others are lower.

    A piece pays half its height on the first pile, its height on the second, and nothing on the third. Three equal
    piles are cleared and pay 2 more. A pile above 4 loses the game and costs 4. Games are cut off at the time limit.
    """

    time_limit: int = 0

    num_actions = PILES
    shows = Shown("afterstate_features", foretells_reward=True)

    @property
    def can_truncate(self):
        return self.time_limit > 0

    def init(self, key, params=()):
        del params
        drawn = (jax.random.bits(key, (PILES + 1,)) % (TOP - 1)).astype(jnp.int32)  # 0 to 2
        heights, piece = drawn[:PILES], 1 + drawn[PILES] % 2
        return PilesState(heights=heights, piece=piece, time=jnp.int32(0), lost=jnp.bool_(False))

    def _place(self, state, pile):
        heights = state.heights + state.piece * (np.arange(PILES) == pile)
        lost, cleared = heights.max() > TOP, heights.max() == heights.min()
        paid = state.piece * jnp.array([0.5, 1.0, 0.0])[pile] + 2.0 * cleared - 4.0 * lost
        return heights * ~cleared, paid, lost

    def transition(self, state, action, params=()):
        del params
        heights, paid, lost = self._place(state, action)
        time = state.time + 1
        truncated = (time >= self.time_limit) & ~lost if self.can_truncate else jnp.bool_(False)
        return (
            PilesState(heights=heights, piece=3 - state.piece, time=time, lost=lost),
            paid,
            lost,
            truncated,
            None,
        )

    def observe(self, state, params=()):
        del params
        heights, paid, lost = jax.vmap(lambda pile: self._place(state, pile))(jnp.arange(PILES))
        scale = AFTERSTATE_FEATURES["aggregate_height"]
        features = jnp.zeros((PILES, len(AFTERSTATE_FEATURES)))
        features = features.at[:, SUM_OF_HEIGHTS].set(heights.sum(-1) / scale)
        is_highest = (state.heights == state.heights.max()) & (state.heights.min() < state.heights.max())
        is_only = is_highest & (is_highest.sum() == 1)
        return Observation(
            pieces=state.piece[None],
            features=jnp.zeros(0, jnp.float32),
            legal=~is_only & ~state.lost,
            afterstates=Afterstates(rows=None, features=features, reward=paid, terminated=lost),
        )
