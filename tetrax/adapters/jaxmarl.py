"""Games whose players act at once with JaxMARL's interface, compiled: dicts by agent, and a new game where one ended.

>>> env = JaxMARLGame("gridworld")
>>> observations, state = env.reset(jax.random.key(0))

JaxMARL itself is not needed; its wrappers and learners take such an environment.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import PRNGKeyArray

from tetrax.adapters.programs import KEY_KIND
from tetrax.adapters.several import find_players
from tetrax.env.game.state import select
from tetrax.fields.errors import missing

try:
    from gymnax.environments import spaces
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(missing("gymnax")) from error

EVERYBODY = "__all__"

Results = tuple[dict[str, Array], Any, dict[str, Array], dict[str, Array], dict[str, Array]]


class JaxMARLGame:
    """A game of players who act at once, "agent_0" and so on. Its state is the game's own.

    Chance comes from the key that a game was reset with. The spaces are gymnax's, which JaxMARL takes for its own.
    """

    def __init__(self, game: Any, **overrides: object) -> None:
        """Take a word as `--game` takes it, and fields of its configuration, or a game; ValueError for another kind."""
        self.players = find_players(game, overrides)
        self._game, spec = self.players.game, self.players.game.spec
        if not spec.acts_together:
            raise ValueError(
                f"game: given {spec.title}, where players take turns; allowed: one where all act at once"
            )
        self.name = spec.name
        self.num_agents = spec.num_players
        self.agents = [f"agent_{seat}" for seat in range(spec.num_players)]
        low, high = self.players.bounds
        shown = self.players.shown
        self.observation_spaces = {
            agent: spaces.Box(low, high, shown.shape, shown.dtype) for agent in self.agents
        }
        self.action_spaces = {agent: spaces.Discrete(spec.num_actions) for agent in self.agents}
        self.agent_classes = {"players": list(self.agents)}

    def __eq__(self, other: object) -> bool:
        """Tell whether programs compiled for one serve the other."""
        return isinstance(other, JaxMARLGame) and self.players == other.players

    def __hash__(self) -> int:
        return hash(self.players)

    def observation_space(self, agent: str) -> spaces.Box:
        """Return the bounds, shape and dtype of what an agent sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        """Return 0..A-1."""
        return self.action_spaces[agent]

    @functools.partial(jax.jit, static_argnums=0)
    def reset(self, key: PRNGKeyArray) -> tuple[dict[str, Array], Any]:
        """Start a game from a key, typed or not."""
        if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
            key = jax.random.wrap_key_data(key, impl=KEY_KIND)
        state = self._game.init(key, self._game.default_params)
        return self.get_obs(state), state

    @functools.partial(jax.jit, static_argnums=0)
    def step(
        self, key: PRNGKeyArray, state: Any, actions: dict[str, Array], reset_state: Any = None
    ) -> Results:
        """Play one action of each agent, and begin anew where the game ended: from `reset_state`, else from the key.

        Observations and state are then the new game's. An action outside 0..A-1 does what the game says.
        """
        observations, after, rewards, dones, infos = self.step_env(key, state, actions)
        begun = self.reset(key) if reset_state is None else (self.get_obs(reset_state), reset_state)
        observations, after = select(dones[EVERYBODY], begun, (observations, after))
        return observations, after, rewards, dones, infos

    @functools.partial(jax.jit, static_argnums=0)
    def step_env(self, key: PRNGKeyArray, state: Any, actions: dict[str, Array]) -> Results:
        """Play one action of each agent; the key is not needed. `infos` say whether the limit of steps was reached."""
        del key
        action = jnp.stack([jnp.asarray(actions[agent], jnp.int32) for agent in self.agents])
        params = self._game.default_params
        state, reward, terminated, truncated, _ = self._game.transition(state, action, params)
        done = terminated | truncated
        infos = {
            "truncated": jnp.broadcast_to(truncated, (self.num_agents,))
        }  # as JaxMARL's wrappers have theirs
        dones = {**dict.fromkeys(self.agents, done), EVERYBODY: done}
        return self.get_obs(state), state, self._by_agent(reward), dones, infos

    @functools.partial(jax.jit, static_argnums=0)
    def get_obs(self, state: Any) -> dict[str, Array]:
        """Return what each agent sees."""
        return self._by_agent(self.players.look(state)[0])

    @functools.partial(jax.jit, static_argnums=0)
    def get_avail_actions(self, state: Any) -> dict[str, Array]:
        """Return which actions are legal for each agent, bool[A]."""
        return self._by_agent(self.players.look(state)[1].astype(bool))

    def _by_agent(self, values: Array) -> dict[str, Array]:
        return {agent: values[seat] for seat, agent in enumerate(self.agents)}
