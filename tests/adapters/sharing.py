"""A game of players who act at once that can be worked out by hand: they take coins from a pot."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct

from tetrax.env.contract import RETURN, STEPS, Observation, Shown, Spec, TimeStep

TAKEN = "taken"
LIMIT = 4  # steps


class Pot(struct.PyTreeNode):
    """A game."""

    left: jax.Array  # int32[], coins
    taken: jax.Array  # int32[P], by each player
    steps: jax.Array  # int32[]
    key: jax.Array


@dataclass(frozen=True)
class Sharing:
    """Each of P players takes 0, 1 or 2 coins, player 0 first; who wants more than there is gets none and pays one.

    A pot has 5 to 8 coins, drawn from the key. The game ends when it is empty, and is cut off after LIMIT steps. Shown
    are what is left, the player's own coins and those of the next player.
    """

    num_players: int = 2
    legal_varies: bool = True
    default_params = ()

    @property
    def spec(self):
        return Spec(
            name="sharing",
            title="sharing",
            num_actions=3,
            shows=Shown("flat"),
            can_truncate=True,
            measures=(TAKEN, RETURN, STEPS),
            num_players=self.num_players,
            acts_together=True,
            legal_varies=self.legal_varies,
        )

    def init(self, key, params=()):
        left = jax.random.randint(key, (), 5, 9, jnp.int32)
        return Pot(left=left, taken=jnp.zeros(self.num_players, jnp.int32), steps=jnp.int32(0), key=key)

    def observe(self, state, params=()):
        others = jnp.roll(state.taken, -1)
        pot = jnp.broadcast_to(state.left, (self.num_players,))
        legal = jnp.arange(3)[None] <= jnp.broadcast_to(state.left, (self.num_players, 1))
        return Observation(
            pieces=jnp.zeros((self.num_players, 0), jnp.int32),
            features=jnp.zeros((self.num_players, 0), jnp.float32),
            legal=legal & (state.left > 0),
            flat=jnp.stack([pot, state.taken, others], axis=1).astype(jnp.float32),
        )

    def reset(self, key, params=()):
        state, no = self.init(key), jnp.bool_(False)
        seen = self.observe(state)
        return state, TimeStep(seen, jnp.zeros(self.num_players, jnp.float32), no, no, jnp.int32(0), seen)

    def step(self, state, action, params=()):
        after, rewards, terminated, truncated, event = self.transition(state, action)
        seen = self.observe(after)
        return after, TimeStep(seen, rewards, terminated, truncated, event, seen)

    def transition(self, state, action, params=()):
        left, rewards, taken = state.left, [], []
        for player in range(self.num_players):
            wanted = action[player]
            got = jnp.where(wanted <= left, wanted, 0)
            left = left - got
            taken.append(state.taken[player] + got)
            rewards.append(jnp.where(got < wanted, -1, got).astype(jnp.float32))
        steps = state.steps + 1
        after = state.replace(left=left, taken=jnp.stack(taken), steps=steps)
        terminated = left == 0
        truncated = (steps >= LIMIT) & ~terminated
        return after, jnp.stack(rewards), terminated, truncated, state.left - left

    def measure(self, event):
        return {TAKEN: event}
