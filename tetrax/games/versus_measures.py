"""What a step of a game of several boards adds to its measures: of the whole game, or of one player."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int32

from tetrax.env.contract import DRAWS, LOSSES, WINS
from tetrax.games.versus_config import VersusConfig
from tetrax.games.versus_state import NOBODY, VersusEvent


def of_game(config: VersusConfig, event: VersusEvent) -> dict[str, Array]:
    """Return who won, by the first player, and the sums of what all players did, int32[] each."""
    boards = event.boards
    done = {
        "lines": jnp.sum(boards.lines, dtype=jnp.int32),
        "score": jnp.sum(boards.score, dtype=jnp.int32),
        "attack": jnp.sum(boards.attack, dtype=jnp.int32),
        "pieces": jnp.sum(boards.locked, dtype=jnp.int32),
    }
    return _ends(config, event, jnp.int32(0)) | done


def of_player(config: VersusConfig, event: VersusEvent, player: Int32[Array, ""]) -> dict[str, Array]:
    """Return whether one player won, and what he did, int32[] each."""
    board = jax.tree.map(lambda leaf: leaf[player], event.boards)
    done = {
        "lines": board.lines,
        "score": board.score,
        "attack": jnp.sum(board.attack, dtype=jnp.int32),
        "pieces": board.locked.astype(jnp.int32),
    }
    return _ends(config, event, player) | done


def _ends(config: VersusConfig, event: VersusEvent, player: Int32[Array, ""]) -> dict[str, Array]:
    """Return how the game ended for a player; nothing where all play together."""
    if config.cooperative:
        return {}
    ends = {
        WINS: event.winner == player,
        DRAWS: event.ended & (event.winner == NOBODY),
        LOSSES: (event.winner != player) & (event.winner != NOBODY),
    }
    return {name: value.astype(jnp.int32) for name, value in ends.items()}
