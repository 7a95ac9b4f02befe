"""A game of memory: what is shown at first says which action is right at the end."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from tests.agents.tiny_game import TinyGame
from tetrax.env.contract import vector_observation


class RecallState(struct.PyTreeNode):
    cue: Array  # int32[], 0 or 1: the action that brings the point
    time: Array  # int32[], steps taken


@dataclass(frozen=True)
class Recall(TinyGame):
    """Games of `length` steps; the last brings 1 for the action shown before the first, all else brings 0.

    Who remembers gets 1 a game, who does not half a point. `is_cut`: games are truncated at the end, instead of
    terminated.
    """

    length: int = 3
    is_cut: bool = False

    num_actions = 2

    @property
    def can_truncate(self):
        return self.is_cut

    def init(self, key, params):
        del params
        return RecallState(cue=jax.random.bernoulli(key).astype(jnp.int32), time=jnp.int32(0))

    def transition(self, state, action, params):
        del params
        ends = state.time == self.length - 1
        reward = jnp.where(ends & (action == state.cue), 1.0, 0.0)
        terminated, truncated = (ends & jnp.bool_(self.is_cut is cut) for cut in (False, True))
        return state.replace(time=state.time + 1), reward, terminated, truncated, None

    def observe(self, state, params=None):
        del params
        shown = jnp.where(state.time == 0, jax.nn.one_hot(state.cue, 2), 0.0)
        flat = jnp.concatenate([shown, jax.nn.one_hot(state.time, self.length + 1)])
        return vector_observation(flat, self.num_actions)
