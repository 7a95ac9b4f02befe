"""Which games people are shown while they are played, and how: scenes of boards, or a drawing in characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from tetrax.env.tetris import Tetris
from tetrax.view import grid_pictures, side_by_side, stones
from tetrax.view.captions import Happening, read_happenings
from tetrax.view.scene import Moment, Scene, read_moments, scene


class Picture(NamedTuple):
    """A game at one moment: a scene of each board; of a game that has no such boards, a drawing in characters."""

    scenes: tuple[Scene, ...] = ()
    drawing: str = ""


class Track(NamedTuple):
    """One board over T steps, as a game of its own."""

    env: Tetris
    before: list[Moment]
    after: list[Moment]
    happenings: list[Happening]
    actions: list[int]
    headings: list[str]  # what is said above it after each step, "" = nothing


def _picture_of_one(env: Any, state: Any) -> Picture:
    return Picture((scene(env.rules, state),))


def _picture_of_several(env: Any, state: Any) -> Picture:
    return Picture(tuple(side_by_side.scenes_of(env, state)))


def _track_of_one(env: Any, before: Any, after: Any, event: Any, actions: np.ndarray) -> list[Track]:
    said = [""] * len(actions)
    return [
        Track(env, read_moments(before), read_moments(after), read_happenings(event), actions.tolist(), said)
    ]


def _tracks_of_several(env: Any, before: Any, after: Any, event: Any, actions: np.ndarray) -> list[Track]:
    began, played = side_by_side.each_board(before), side_by_side.each_board(after)
    said = [
        side_by_side.headings(env, jax.tree.map(lambda leaf, step=step: leaf[step], after))
        for step in range(len(actions))
    ]
    return [
        Track(
            env.board,
            read_moments(began[player]),
            read_moments(played[player]),
            read_happenings(jax.tree.map(lambda leaf, player=player: leaf[:, player], event.boards)),
            actions[:, player].tolist(),
            [words[player] for words in said],
        )
        for player in range(env.num_players)
    ]


# By `Spec.name`: (env, state of one game) -> Picture.
PICTURES: dict[str, Callable[[Any, Any], Picture]] = {
    "tetris": _picture_of_one,
    "versus": _picture_of_several,
    "gridworld": lambda env, state: Picture(drawing=grid_pictures.draw_text(env, state)),
    "tictactoe": lambda env, state: Picture(drawing=stones.draw_text(env, state)),
    "connect4": lambda env, state: Picture(drawing=stones.draw_text(env, state)),
}
# Of games of such boards: (env, states before T steps, after them, events, actions) -> the boards, each by itself.
TRACKS: dict[str, Callable[[Any, Any, Any, Any, np.ndarray], list[Track]]] = {
    "tetris": _track_of_one,
    "versus": _tracks_of_several,
}


def picture_of(env: Any, state: Any) -> Picture | None:
    """Show one state of any game; None where the game has no pictures."""
    return PICTURES[env.spec.name](env, state) if env.spec.name in PICTURES else None


def has_boards(env: Any) -> bool:
    """Tell whether a game is shown as boards of Tetris, which `env.rules` draws."""
    return env.spec.name in TRACKS


def tracks_of(env: Any, before: Any, after: Any, event: Any, actions: np.ndarray) -> list[Track]:
    """Return each board of a game over T steps; leaves of all have the steps first, actions are int32[T] or [T, P]."""
    return TRACKS[env.spec.name](env, before, after, event, actions)
