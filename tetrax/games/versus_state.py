"""The records of a game of several boards: where it stands, what happened. No logic."""

from flax import struct
from jax import Array

from tetrax.env.game.state import Event, State

NOBODY = -1  # has won: a draw, or a game that goes on


class VersusState(struct.PyTreeNode, kw_only=True):
    """Where all players stand."""

    # Of each player, P of them; after the end of the game nothing changes on any of them: `game_over`.
    boards: tuple[State, ...]
    luck: Array  # key<fry>[P], of the holes of what each gets, and of whom it sends at
    fallen: Array  # bool[P], has lost its board


class VersusEvent(struct.PyTreeNode, kw_only=True):
    """What happened in one step."""

    boards: Event  # [P, ...], on each board
    exchanged: Array  # int32[P, P], rows from each player that came to wait on the board of each other
    fell: Array  # bool[P], lost its board in this step
    ended: Array  # bool[], the game ended in this step
    winner: Array  # int32[], who won in this step; NOBODY
