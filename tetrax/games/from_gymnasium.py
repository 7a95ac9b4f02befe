"""A gymnasium environment in the place of Tetris: it steps on the host, deciding and learning stay compiled.

Its observation is the vector `flat`; every action is always legal, and no event tells more. Episodes are started
again within the step that ends one (gymnasium's SAME_STEP autoreset), so that the true last observation is told.
"""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from tetrax.env.contract import RETURN, STEPS, Observation, Shown, Spec, vector_observation
from tetrax.fields.errors import install, missing
from tetrax.games.configs import GymnasiumConfig

try:
    import gymnasium
    from gymnasium import spaces
    from gymnasium.vector import AutoresetMode, SyncVectorEnv
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(missing("gymnasium")) from error


class HostStep(NamedTuple):
    """One step of B episodes."""

    seen: np.ndarray  # float32[B, F], what the next decision sees: of a new episode where one ended
    reward: np.ndarray  # float32[B]
    terminated: np.ndarray  # bool[B]
    truncated: np.ndarray  # bool[B], never with terminated
    last_seen: np.ndarray  # float32[B, F], after the action and before any reset


@dataclass(frozen=True)
class FromGymnasium:
    """What training asks of a game on the host, answered by gymnasium. Two with equal configurations are equal."""

    config: GymnasiumConfig

    @functools.cached_property
    def spec(self) -> Spec:
        """Return what learners ask; ValueError where actions are not Discrete or observations not a vector."""
        with self.open() as episode:
            action_space: Any = episode.env.action_space
            shown = episode.env.observation_space
            limit = episode.env.spec.max_episode_steps if episode.env.spec is not None else None
        _check_spaces(self.config.id, action_space, shown)
        return Spec(
            name=self.config.id,
            title=f"{self.config.id} of gymnasium",
            num_actions=int(action_space.n),
            shows=Shown("flat"),
            can_truncate=limit is not None,
            legal_varies=False,
            measures=(RETURN, STEPS),
            is_endless=limit is None,
            on_host=True,
        )

    @property
    def default_params(self) -> tuple[()]:
        """Return no numbers: nothing of it is compiled."""
        return ()

    @property
    def example(self) -> Observation:
        """Return an observation of the right shapes and types."""
        with self.open() as episode:
            size = _vector_size(episode.env.observation_space)
        return self.observation(jnp.zeros(size, jnp.float32))

    def observation(self, flat: Any) -> Observation:
        """Return vectors float32[*n, F] as what agents see."""
        return vector_observation(flat, self.spec.num_actions)

    def open(self) -> Episode:
        """Return one environment, which plays one episode at a time."""
        with _without_advice():
            return Episode(gymnasium.make(self.config.id, **self._options))

    def open_many(self, num_envs: int) -> Episodes:
        """Return `num_envs` environments that are stepped together."""
        return Episodes(self.config.id, num_envs, self._options)

    @property
    def _options(self) -> dict[str, Any]:
        return {"max_episode_steps": self.config.max_steps} if self.config.max_steps else {}


class Episode:
    """One environment."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env = env

    def __enter__(self) -> Episode:
        return self

    def __exit__(self, *error: object) -> None:
        self.env.close()

    def reset(self, seed: int) -> np.ndarray:
        """Start an episode; return what is seen, float32[F]."""
        return _flatten(self.env.observation_space, [self.env.reset(seed=seed)[0]])[0]

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        """Play one action; return what is seen, float32[F], the reward, and whether it terminated or truncated."""
        seen, reward, terminated, truncated, _ = self.env.step(action)
        flat = _flatten(self.env.observation_space, [seen])[0]
        return flat, float(reward), bool(terminated), bool(truncated) and not terminated


class Episodes:
    """Environments that are stepped together and start again by themselves."""

    def __init__(self, id: str, num_envs: int, options: dict[str, Any]) -> None:
        makers = [functools.partial(gymnasium.make, id, **options)] * num_envs
        with _without_advice():
            self._envs = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
        self._space = self._envs.single_observation_space

    def reset(self, seed: int) -> np.ndarray:
        """Start an episode everywhere; return what is seen, float32[B, F]."""
        return _flatten(self._space, self._envs.reset(seed=seed)[0])

    def step(self, actions: np.ndarray) -> HostStep:
        """Play one action everywhere, int[B]."""
        stepped: Any = self._envs.step(actions)
        seen, reward, terminated, truncated, info = stepped
        flat = _flatten(self._space, seen)
        last, done = flat, terminated | truncated
        if done.any():  # the true last observation is told apart from the first of the new episode
            last = flat.copy()
            last[done] = _flatten(self._space, [info["final_obs"][index] for index in np.flatnonzero(done)])
        return HostStep(flat, reward.astype(np.float32), terminated, truncated & ~terminated, last)

    def close(self) -> None:
        """Let go of the environments."""
        self._envs.close()


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Keep to ourselves what gymnasium says of names that are old or without a version, once for every environment."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(is out of date|Using the latest versioned)")
        yield


def _check_spaces(id: str, action_space: Any, shown: Any) -> None:
    if not isinstance(action_space, spaces.Discrete):
        raise ValueError(
            f"game: given gymnasium:{id}, whose actions are {action_space}; allowed: Discrete actions"
        )
    is_image = isinstance(shown, spaces.Box) and len(shown.shape) > 1
    if is_image or not isinstance(shown, spaces.Box | spaces.Discrete):
        raise ValueError(
            f"game: given gymnasium:{id}, which shows {shown}; allowed: vectors (Box of one axis) or Discrete"
        )
    if action_space.start:
        raise ValueError(
            f"game: given gymnasium:{id}, whose actions are {action_space}; allowed: actions from 0"
        )


def _vector_size(space: Any) -> int:
    return int(space.n) if isinstance(space, spaces.Discrete) else math.prod(space.shape)


def _flatten(space: Any, seen: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Return N observations as vectors, float32[N, F]: one-hot where they are Discrete."""
    values = np.asarray(seen)
    if isinstance(space, spaces.Discrete):
        return np.eye(int(space.n), dtype=np.float32)[values - space.start]
    return values.reshape(len(values), -1).astype(np.float32)


def make_gymnasium(config: GymnasiumConfig) -> FromGymnasium:
    """Return gymnasium's environment of a configuration as a game on the host.

    ValueError for a name that gymnasium does not have, a part it lacks, or actions that are not discrete.
    """
    game = FromGymnasium(config)
    try:
        game.spec  # noqa: B018 — made once, here, so that what is wrong is said here
    except gymnasium.error.DependencyNotInstalled as error:
        raise ModuleNotFoundError(
            f"game: given gymnasium:{config.id}, and {str(error).split('.')[0].strip()}; "
            f"it comes with: {install('box2d')} (LunarLander and others), or what gymnasium says"
        ) from error
    except gymnasium.error.Error as error:
        raise ValueError(
            f"game: given gymnasium:{config.id} ({error}); allowed: a name of gymnasium's"
        ) from error
    except ValueError as error:
        if str(error).startswith("game: "):
            raise
        raise _cannot_be_made(config, error) from error
    except Exception as error:  # whatever somebody else's constructor raises
        raise _cannot_be_made(config, error) from error
    return game


def _cannot_be_made(config: GymnasiumConfig, error: Exception) -> ValueError:
    return ValueError(
        f"game: given gymnasium:{config.id}, which cannot be made ({type(error).__name__}: {error}); "
        "allowed: an environment that gymnasium.make makes"
    )
