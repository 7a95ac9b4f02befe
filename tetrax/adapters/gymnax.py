"""Tetris as a gymnax 1.0 environment.

>>> env, params = GymnaxTetris("mini"), GymnaxTetris("mini").default_params

Importing this module registers it: `gymnax.make("tetrax/Tetris-v1", preset="mini")`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Int32, PRNGKeyArray

from tetrax.adapters.registration import ENV_ID
from tetrax.adapters.views import make_view
from tetrax.env.game.rules import check_whole
from tetrax.env.game.state import State
from tetrax.env.tetris import MAX_STEPS as HIGHEST_LIMIT
from tetrax.env.tetris import EnvParams as TetrisParams
from tetrax.fields.errors import missing

try:
    import gymnax
    from gymnax.environments import environment, spaces
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(missing("gymnax")) from error

MAX_STEPS = 10_000  # gymnax wants a limit, and its rollouts are as long: 10,000 pieces or 17 minutes of keys


@struct.dataclass
class EnvState(environment.EnvState):
    """A game. gymnax's reset gives no info, so what is legal is found here as well."""

    game: State
    action_mask: Bool[Array, "A"]  # True = legal; all False after the end


@struct.dataclass(kw_only=True)
class EnvParams(environment.EnvParams):
    """Numbers that may change without recompiling."""

    tetris: TetrisParams
    max_steps_in_episode: int = MAX_STEPS


class GymnaxTetris(environment.Environment[EnvState, EnvParams]):
    """Tetris with gymnax's interface: six results a step, and a new game in the step that ends one.

    `info` holds `action_mask` (bool[A], of the observation returned), `lines` and `score` (of this step), and
    gymnax's own `final_observation`, `terminated`, `truncated`, `discount`. Chance comes from the key that a
    game was reset with. The two flags are never set together: what ends a game terminates it.
    """

    def __init__(
        self,
        preset: str = "guideline",
        *,
        observation: str = "flat",
        max_steps_in_episode: int = MAX_STEPS,
        **overrides: object,
    ) -> None:
        """Take what `tetrax.make` takes; `observation` is flat, planes, image or compact.

        ValueError when something given is not allowed; `time_limit` is called `max_steps_in_episode` here.
        """
        super().__init__()
        if "time_limit" in overrides:
            raise ValueError(
                f"time_limit: given {overrides['time_limit']}; allowed: max_steps_in_episode, its name in gymnax"
            )
        check_whole("max_steps_in_episode", max_steps_in_episode, 1, HIGHEST_LIMIT)
        self.view = make_view(preset, observation, overrides)
        self.max_steps_in_episode = max_steps_in_episode

    def __eq__(self, other: object) -> bool:
        """Tell whether programs compiled for one serve the other."""
        return isinstance(other, GymnaxTetris) and (self.view, self.max_steps_in_episode) == (
            other.view,
            other.max_steps_in_episode,
        )

    def __hash__(self) -> int:
        return hash((self.view, self.max_steps_in_episode))

    @property
    def default_params(self) -> EnvParams:
        """Return the numbers of the rules and of the named reward, and the limit of steps."""
        return EnvParams(tetris=self.view.env.default_params, max_steps_in_episode=self.max_steps_in_episode)

    @functools.partial(jax.jit, static_argnames=("self",))
    def step(
        self, key: PRNGKeyArray, state: EnvState, action: Int32[Array, ""], params: EnvParams | None = None
    ) -> tuple[Array, EnvState, Array, Array, Array, dict[str, Any]]:
        """Play one action; observation, state and `action_mask` are a new game's where this one ended."""
        observation, state, reward, terminated, truncated, info = super().step(key, state, action, params)
        info = {**info, "action_mask": state.action_mask}
        return observation, state, reward, terminated, truncated, info

    def step_env(
        self, key: PRNGKeyArray, state: EnvState, action: Int32[Array, ""], params: EnvParams
    ) -> tuple[Array, EnvState, Array, Array, dict[str, Any]]:
        """Play one action; an index outside 0..A-1 is clipped. The key is not needed."""
        del key
        game, timestep = self.view.env.step(state.game, action, params.tetris)
        legal, event = timestep.observation.legal, timestep.event
        assert event is not None  # it is Tetris
        state = EnvState(time=state.time + 1, game=game, action_mask=legal)
        info = {
            "action_mask": legal,
            "discount": 1.0 - timestep.terminated.astype(jnp.float32),
            "lines": event.lines,
            "score": event.score,
        }
        return self.view(timestep.observation), state, timestep.reward, timestep.terminated, info

    def reset_env(self, key: PRNGKeyArray, params: EnvParams) -> tuple[Array, EnvState]:
        """Start a game from a key, typed or not."""
        is_array = isinstance(key, Array | np.ndarray)
        if is_array and not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
            key = jax.random.wrap_key_data(key, impl="threefry2x32")
        game, timestep = self.view.env.reset(key, params.tetris)
        state = EnvState(time=jnp.int32(0), game=game, action_mask=timestep.observation.legal)
        return self.view(timestep.observation), state

    def get_obs(
        self, state: EnvState, params: EnvParams | None = None, key: PRNGKeyArray | None = None
    ) -> Array:
        """Return what is shown of a state."""
        del key
        params = self.default_params if params is None else params
        return self.view(self.view.env.observe(state.game, params.tetris))

    def is_terminated(self, state: EnvState, params: EnvParams) -> Array:
        """Tell whether the game is lost."""
        return state.game.game_over

    def is_truncated(self, state: EnvState, params: EnvParams) -> Array:
        """Tell whether a game that is not lost has reached its limit of steps."""
        return (state.time >= params.max_steps_in_episode) & ~state.game.game_over

    @property
    def name(self) -> str:
        """Return the name that it is registered by."""
        return ENV_ID

    @property
    def num_actions(self) -> int:
        """Return A."""
        return self.view.env.num_actions

    def action_space(self, params: EnvParams | None = None) -> spaces.Discrete:
        """Return 0..A-1."""
        return spaces.Discrete(self.num_actions)

    def observation_space(self, params: EnvParams | None = None) -> spaces.Box:
        """Return the bounds, shape and dtype of what is shown."""
        low, high = self.view.bounds
        return spaces.Box(low, high, self.view.shown.shape, self.view.shown.dtype)

    def state_space(self, params: EnvParams | None = None) -> spaces.Dict:
        """Return the ranges of those fields of a state that are plain numbers."""
        params = self.default_params if params is None else params
        return spaces.Dict({"time": spaces.Discrete(params.max_steps_in_episode + 1)})


if ENV_ID not in gymnax.registered_envs:
    gymnax.register(ENV_ID, GymnaxTetris)
