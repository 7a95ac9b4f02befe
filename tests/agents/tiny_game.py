"""What the tests' own games have in common: the contract of `Game`, told by a few attributes."""

import jax.numpy as jnp

from tetrax.env.contract import RETURN, Shown, Spec, TimeStep


class TinyGame:
    """A game without numbers of its own; a subclass gives `num_actions`, `init`, `transition` and `observe`.

    It shows `shows`, and with `can_truncate` the true last observation. It comes to its return alone.
    """

    shows = Shown("flat")
    can_truncate = False
    default_params = ()

    @property
    def spec(self):
        name = type(self).__name__.lower()
        return Spec(
            name=name,
            title=name,
            num_actions=self.num_actions,
            shows=self.shows,
            can_truncate=self.can_truncate,
            measures=(RETURN,),
        )

    def measure(self, event):
        del event
        return {}

    def with_discount(self, params, discount):
        del discount
        return params

    def with_height(self, height):
        raise ValueError(f"height: given {height}; allowed: a game with a board")

    def reset(self, key, params=()):
        state, no = self.init(key, params), jnp.bool_(False)
        return state, self._timestep(state, jnp.float32(0), no, no, None)

    def step(self, state, action, params=()):
        state, *outcome = self.transition(state, action, params)
        return state, self._timestep(state, *outcome)

    def _timestep(self, state, reward, terminated, truncated, event):
        seen = self.observe(state)
        return TimeStep(
            observation=seen,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            event=event,
            last_observation=seen if self.can_truncate else None,
        )
