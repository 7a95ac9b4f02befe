"""Games of several players as PettingZoo environments.

>>> env = parallel_env("gridworld")  # all act at once
>>> env = env("tictactoe")           # one after the other; games in which all act at once as well
"""

from typing import Any

import numpy as np

from tetrax.adapters.gymnasium import check_action
from tetrax.adapters.one_game import NO_RESET, OneGame
from tetrax.adapters.several import Players, find_players
from tetrax.env.game.rules import check_choice
from tetrax.fields.errors import missing

try:
    from gymnasium import spaces
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils.conversions import parallel_to_aec
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(missing("pettingzoo")) from error

RENDER_MODES = ("ansi", "rgb_array")
FRAMES_PER_SECOND = 10  # of whoever makes a film of it
GAME_OVER = "step() was called after the end of the game; allowed: reset()"

Space = spaces.Space[Any]


def parallel_env(game: Any, *, render_mode: str | None = None, **overrides: object) -> "TogetherEnv":
    """Return a game whose players act at once.

    `game` is a word as `python -m tetrax.train --game` takes it, with fields of its configuration as overrides, or a
    game itself. ValueError names what is not allowed.
    """
    players = find_players(game, overrides)
    if not players.game.spec.acts_together:
        raise ValueError(
            f"parallel_env(): given {players.game.spec.title}, where players take turns; allowed: env()"
        )
    return TogetherEnv(players, render_mode)


def env(game: Any, *, render_mode: str | None = None, **overrides: object) -> AECEnv[str, Any, Any]:
    """Return a game whose players act one after the other.

    Takes what `parallel_env` takes. Where players act at once, nothing happens before the last of them has acted.
    """
    players = find_players(game, overrides)
    if players.game.spec.acts_together:
        return parallel_to_aec(TogetherEnv(players, render_mode))
    return TurnEnv(players, render_mode)


class TogetherEnv(ParallelEnv[str, Any, Any]):
    """A game whose players act at once, and all end in the same step.

    What a player sees is an array; where legal actions vary a dict of `observation` and `action_mask` (int8[A], 1 =
    legal). An illegal action does what the rules say of it. `infos` hold the measures of the game so far. After the end
    there are no agents, and a step gives five empty dicts.
    """

    def __init__(self, players: Players, render_mode: str | None = None) -> None:
        _check_render_mode(render_mode)
        self.render_mode = render_mode
        self.metadata = _metadata(players)
        self.possible_agents = list(players.names)
        self.agents: list[str] = []
        self.observation_spaces = _observation_spaces(players)
        self.action_spaces = _action_spaces(players)
        self._game = OneGame(players)

    def observation_space(self, agent: str) -> Space:
        """Return where what a player sees lies: the same object at each call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space:
        """Return 0..A-1: the same object at each call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start a game; `seed` starts its chance anew. No options are known."""
        del options
        self._game.begin(seed)
        self.agents = list(self.possible_agents)
        return self._observations(), self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play one action of each player; ValueError where one is missing or none of 0..A-1."""
        if not self.agents and self._game.has_begun:
            return {}, {}, {}, {}, {}
        self._game.play(self._read(actions))
        terminated, truncated = self._game.terminated, self._game.truncated
        rewards = {name: self._game.reward(seat) for seat, name in enumerate(self.possible_agents)}
        if terminated or truncated:
            self.agents = []
        terminations, truncations = (
            dict.fromkeys(self.possible_agents, it) for it in (terminated, truncated)
        )
        return self._observations(), rewards, terminations, truncations, self._infos()

    def render(self) -> Any:
        """Return a frame, text or uint8[height, width, 3]."""
        return _draw(self._game, self.render_mode)

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _read(self, actions: dict[str, Any]) -> np.ndarray:
        if set(actions) != set(self.possible_agents):
            given, allowed = ", ".join(map(str, actions)) or "none", ", ".join(self.possible_agents)
            raise ValueError(f"actions: given those of {given}; allowed: one of each of {allowed}")
        num_actions = self._game.players.game.spec.num_actions
        return np.array([check_action(actions[name], num_actions) for name in self.possible_agents])

    def _observations(self) -> dict[str, Any]:
        return {name: self._game.observation(seat) for seat, name in enumerate(self.possible_agents)}

    def _infos(self) -> dict[str, dict[str, Any]]:
        return {name: self._game.measures() for name in self.possible_agents}


class TurnEnv(AECEnv[str, Any, Any]):
    """A game whose players take turns.

    What a player sees, and `infos`, are those of `TogetherEnv`; nothing is legal for whoever is not to move. An illegal
    action does what the rules say of it: in tic-tac-toe and connect four it loses.
    """

    def __init__(self, players: Players, render_mode: str | None = None) -> None:
        super().__init__()
        _check_render_mode(render_mode)
        self.render_mode = render_mode
        self.metadata = {**_metadata(players), "is_parallelizable": False}
        self.possible_agents = list(players.names)
        self.agents: list[str] = []
        self.observation_spaces = _observation_spaces(players)
        self.action_spaces = _action_spaces(players)
        self._game = OneGame(players)

    def observation_space(self, agent: str) -> Space:
        """Return where what a player sees lies: the same object at each call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space:
        """Return 0..A-1: the same object at each call."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start a game; `seed` starts its chance anew. No options are known."""
        del options
        self._game.begin(seed)
        self.agents = list(self.possible_agents)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self._skip_agent_selection = (
            None  # of the game before, whose ended agents may not all have been stepped
        )
        self._tell(dict.fromkeys(self.agents, 0.0))

    def step(self, action: Any) -> None:
        """Play an action of the player to move; ValueError where it is none of 0..A-1.

        Who has ended takes None, and is then no agent any more. RuntimeError before a game and after all have ended.
        """
        if not self.agents:
            raise RuntimeError(GAME_OVER if self._game.has_begun else NO_RESET)
        player = self.agent_selection
        if self.terminations[player] or self.truncations[player]:
            self._was_dead_step(action)
            return
        self._game.play(check_action(action, self._game.players.game.spec.num_actions))
        self._cumulative_rewards[player] = 0.0
        self._tell({name: self._game.reward(seat) for seat, name in enumerate(self.possible_agents)})
        self._accumulate_rewards()

    def observe(self, agent: str) -> Any:
        """Return what a player sees."""
        return self._game.observation(self.possible_agents.index(agent))

    def render(self) -> Any:
        """Return a frame, text or uint8[height, width, 3]."""
        return _draw(self._game, self.render_mode)

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _tell(self, rewards: dict[str, float]) -> None:
        self.rewards = rewards
        self.terminations = dict.fromkeys(self.agents, self._game.terminated)
        self.truncations = dict.fromkeys(self.agents, self._game.truncated)
        self.infos = {name: self._game.measures() for name in self.agents}
        self.agent_selection = self.possible_agents[self._game.to_move]


def _observation_spaces(players: Players) -> dict[str, Space]:
    (low, high), shown, spec = players.bounds, players.shown, players.game.spec

    def make() -> Space:
        seen = spaces.Box(low, high, shown.shape, shown.dtype)
        if not spec.legal_varies:
            return seen
        mask = spaces.Box(0, 1, (spec.num_actions,), np.int8)
        return spaces.Dict({"observation": seen, "action_mask": mask})

    return {name: make() for name in players.names}


def _action_spaces(players: Players) -> dict[str, Space]:
    return {name: spaces.Discrete(players.game.spec.num_actions) for name in players.names}


def _metadata(players: Players) -> dict[str, Any]:
    return {
        "name": f"tetrax/{players.game.spec.name}",
        "render_modes": list(RENDER_MODES),
        "render_fps": FRAMES_PER_SECOND,
        "is_parallelizable": True,
    }


def _check_render_mode(render_mode: str | None) -> None:
    if render_mode is not None:
        check_choice("render_mode", render_mode, RENDER_MODES)


def _draw(game: OneGame, render_mode: str | None) -> Any:
    if render_mode is None:
        raise ValueError(
            f"render_mode: given None; allowed: {', '.join(RENDER_MODES)}, where the game is made"
        )
    return game.draw(render_mode)
