"""A gymnax environment in the place of Tetris, so that our agents can learn it.

>>> env = from_gymnax("CartPole-v1")
>>> agent = tetrax.agents.ppo.make(tetrax.agents.ppo.PPOConfig(), env)
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.env.contract import RETURN, STEPS, Observation, Shown, Spec, TimeStep, vector_observation
from tetrax.fields.errors import hint, missing
from tetrax.games.configs import GymnaxConfig

try:
    import gymnax
    from gymnax.environments import spaces
    from gymnax.environments.environment import Environment
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(missing("gymnax")) from error


class GymnaxState(struct.PyTreeNode):
    """A running episode. What gymnax shows may depend on chance and on the action, so it is kept."""

    env_state: Any
    shown: Array  # float32[F], the observation, flat
    key: Array  # key<fry>[], folded with the number of the step
    num_steps: Array  # int32[]


@dataclass(frozen=True, eq=False)
class FromGymnax:
    """What `AutoReset` and the agents ask of an environment, answered by a gymnax one.

    Its observation is the vector `flat`; there are no pieces, every action is always legal, and no event tells
    more. A step that both ends an episode and reaches its limit terminates it.
    """

    env: Environment
    default_params: Any  # gymnax's own

    @functools.cached_property
    def spec(self) -> Spec:
        """Return what learners ask: the return is the headline, every gymnax environment has a limit of steps."""
        return Spec(
            name=self.env.name,
            title=f"{self.env.name} of gymnax",
            num_actions=int(self.env.action_space(self.default_params).n),
            shows=Shown("flat"),
            can_truncate=True,
            legal_varies=False,
            measures=(RETURN, STEPS),
        )

    def resample_future(self, state: GymnaxState, key: PRNGKeyArray) -> GymnaxState:
        """Return the state with other chances from here on: nothing that was drawn before is hidden."""
        return state.replace(key=key)

    def with_discount(self, params: Any, discount: Array) -> Any:
        """Return the numbers as they are: no reward is shaped."""
        del discount
        return params

    def check_param(self, name: str, value: float) -> None:
        """Accept every number: gymnax gives no ranges."""

    def with_height(self, height: int) -> "FromGymnax":
        """Raise ValueError: there is no board."""
        raise ValueError(f"height: given {height} for {self.spec.title}; allowed: a game with a board")

    def measure(self, event: None) -> dict[str, Array]:
        """Return nothing: no event tells more than the reward."""
        del event
        return {}

    def reset(self, key: PRNGKeyArray, params: Any | None = None) -> tuple[GymnaxState, TimeStep]:
        """Start an episode from one typed key."""
        params = self.default_params if params is None else params
        state, no = self.init(key, params), jnp.bool_(False)
        return state, self._timestep(state, jnp.float32(0), no, no)

    def init(self, key: PRNGKeyArray, params: Any) -> GymnaxState:
        """Return the first state of an episode."""
        start_key, key = jax.random.split(key)
        shown, env_state = self.env.reset_env(start_key, params)
        return GymnaxState(
            env_state=_strong(env_state), shown=self._flat(shown), key=key, num_steps=jnp.int32(0)
        )

    def step(
        self, state: GymnaxState, action: Int32[Array, ""], params: Any | None = None
    ) -> tuple[GymnaxState, TimeStep]:
        """Play one action of 0..A-1."""
        params = self.default_params if params is None else params
        state, reward, terminated, truncated, _ = self.transition(state, action, params)
        return state, self._timestep(state, reward, terminated, truncated)

    def transition(
        self, state: GymnaxState, action: Int32[Array, ""], params: Any
    ) -> tuple[GymnaxState, Float32[Array, ""], Array, Array, None]:
        """Step without observing: state, reward, terminated, truncated, and no event."""
        step_key = jax.random.fold_in(state.key, state.num_steps)
        shown, env_state, reward, terminated, _ = self.env.step_env(step_key, state.env_state, action, params)
        terminated = jnp.asarray(terminated, bool).reshape(())
        truncated = jnp.asarray(self.env.is_truncated(env_state, params), bool).reshape(()) & ~terminated
        state = state.replace(
            env_state=_strong(env_state), shown=self._flat(shown), num_steps=state.num_steps + 1
        )
        return state, jnp.asarray(reward, jnp.float32).reshape(()), terminated, truncated, None

    def observe(self, state: GymnaxState, params: Any | None = None) -> Observation:
        """Return what was shown last."""
        del params
        return vector_observation(state.shown, self.spec.num_actions)

    def _timestep(self, state: GymnaxState, reward: Array, terminated: Array, truncated: Array) -> TimeStep:
        observation = self.observe(state)
        return TimeStep(
            observation=observation,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            event=None,
            last_observation=observation,
        )

    def _flat(self, shown: Array) -> Float32[Array, "F"]:
        space = self.env.observation_space(self.default_params)
        if isinstance(space, spaces.Discrete):
            return jax.nn.one_hot(shown, space.n, dtype=jnp.float32)
        return jnp.asarray(shown, jnp.float32).reshape(math.prod(space.shape))


def from_gymnax(env: str | Environment, params: Any | None = None, **options: Any) -> FromGymnax:
    """Return a gymnax environment as ours: by its registered name, with options of its own, or as it is.

    `params` are gymnax's parameters (default: the environment's). ValueError when actions are not Discrete, or
    observations neither Box nor Discrete, or when `env` is a wrapper, which would reset by itself.
    """
    if isinstance(env, str):
        env, default_params = gymnax.make(env, **options)
    elif not isinstance(env, Environment) or options:
        given = f"options {sorted(options)} with an instance" if options else type(env).__name__
        raise ValueError(f"env: given {given}; allowed: a name with options, or a gymnax Environment alone")
    else:
        default_params = env.default_params
    params = default_params if params is None else params
    for name, space, allowed in (
        ("action_space", env.action_space(params), (spaces.Discrete,)),
        ("observation_space", env.observation_space(params), (spaces.Box, spaces.Discrete)),
    ):
        if not isinstance(space, allowed):
            names = " or ".join(each.__name__ for each in allowed)
            raise ValueError(f"{name}: given {space}; allowed: {names}")
    return FromGymnax(env, jax.tree.map(_as_array, params))


def make_gymnax(config: GymnaxConfig) -> FromGymnax:
    """Return gymnax's environment of a configuration; ValueError for one that it does not have or cannot make."""
    given = f"game: given gymnax:{config.id}"
    if config.id not in gymnax.registered_envs:
        raise ValueError(f"{given}; allowed: an id of gymnax's{hint(config.id, gymnax.registered_envs)}")
    try:
        env, params = gymnax.make(config.id)
    except Exception as error:  # some want data from the network, some packages of their own
        raise ValueError(
            f"{given}, which cannot be made ({type(error).__name__}: {error}); "
            "allowed: an environment that gymnax.make makes"
        ) from error
    if config.max_steps:
        params = params.replace(max_steps_in_episode=config.max_steps)
    try:
        return from_gymnax(env, params)
    except ValueError as error:
        raise ValueError(f"{given}: {error}") from error


def _as_array(number: Any) -> Any:
    """Give a number from Python the type that it has in a state, so that params keep their types when saved."""
    return np.asarray(number, jnp.result_type(number))


def _strong(tree: Any) -> Any:
    """Fix the types of numbers that came from Python, so that a state keeps its types from step to step."""

    def strong(leaf: Any) -> Array:
        dtype = jnp.result_type(leaf)
        is_key = jnp.issubdtype(dtype, jax.dtypes.prng_key)
        return leaf if is_key else jax.lax.convert_element_type(leaf, dtype)

    return jax.tree.map(strong, tree)
