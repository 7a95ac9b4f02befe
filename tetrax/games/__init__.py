"""The games there are: `GAMES` is the only place that maps a name to one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from tetrax.env.contract import Game, HostGame
from tetrax.env.tetris import ENV_PRESETS, EnvConfig, Tetris
from tetrax.games.configs import GymnasiumConfig, GymnaxConfig
from tetrax.games.grid_config import GridWorldConfig
from tetrax.games.grid_world import GridWorld
from tetrax.games.in_a_row import ConnectFourConfig, TicTacToeConfig, make_connect_four, make_tic_tac_toe
from tetrax.games.versus import Versus
from tetrax.games.versus_config import TOGETHER, VersusConfig


class GameEntry(NamedTuple):
    """A kind of game: the type of its configuration, how it is made from one, and configurations by name."""

    config: type
    make: Callable[[Any], Game | HostGame]  # ValueError or ModuleNotFoundError where it cannot
    presets: dict[str, Any]
    takes_id: bool = False  # whether the configuration is no more than the name of somebody else's game, `id`


@functools.lru_cache(maxsize=16)
def _make_gymnax(config: GymnaxConfig) -> Game:
    from tetrax.games.from_gymnax import make_gymnax  # an extra

    return make_gymnax(config)


@functools.lru_cache(maxsize=16)
def _make_gymnasium(config: GymnasiumConfig) -> HostGame:
    from tetrax.games.from_gymnasium import make_gymnasium  # an extra

    return make_gymnasium(config)


GAMES: dict[str, GameEntry] = {
    "tetris": GameEntry(EnvConfig, Tetris, ENV_PRESETS),
    "gymnax": GameEntry(GymnaxConfig, _make_gymnax, {"cartpole": GymnaxConfig("CartPole-v1")}, takes_id=True),
    "gymnasium": GameEntry(GymnasiumConfig, _make_gymnasium, {}, takes_id=True),
    "tictactoe": GameEntry(TicTacToeConfig, make_tic_tac_toe, {}),
    "connect4": GameEntry(ConnectFourConfig, make_connect_four, {}),
    "versus": GameEntry(VersusConfig, Versus, {"versus": VersusConfig(), "together": TOGETHER}),
    "gridworld": GameEntry(GridWorldConfig, GridWorld, {}),
}


class Named(NamedTuple):
    """What a word such as "cartpole" or "gymnasium:LunarLander-v3" names."""

    game: str  # a key of GAMES
    config: Any  # of it; None: the presets of an algorithm say which


def find(word: str) -> Named:
    """Return the game that a word names: a key of GAMES, a preset of one, or KIND:ID of other people's.

    ValueError for any other word.
    """
    if not isinstance(word, str):
        raise TypeError(f"game: given {word!r}; allowed: {', '.join(names())}")
    kind, colon, id = word.partition(":")
    if not colon and word in GAMES:
        return Named(word, None)
    if colon and id and kind in GAMES and GAMES[kind].takes_id:
        return Named(kind, GAMES[kind].config(id=id))
    for name, entry in GAMES.items():
        if entry.takes_id and word in entry.presets:
            return Named(name, entry.presets[word])
    raise ValueError(f"game: given {word!r}; allowed: {', '.join(names())}")


def word_for(game: str, config: Any) -> str:
    """Return the word that names a game again: "tetris", "gymnax:CartPole-v1"."""
    return f"{game}:{config.id}" if GAMES[game].takes_id and config is not None else game


def names() -> list[str]:
    """Return the words that name a game."""
    return [
        "tetris", "cartpole", "gymnax:ID", "gymnasium:ID", "tictactoe", "connect4", "gridworld", "versus",
    ]  # fmt: skip


def make(game: str, config: Any) -> Any:
    """Return the game of a configuration; ValueError or ModuleNotFoundError where it cannot be made."""
    if game not in GAMES:
        raise ValueError(f"game: given {game!r}; allowed: {', '.join(GAMES)}")
    return GAMES[game].make(config)
