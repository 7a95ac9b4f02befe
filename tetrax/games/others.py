"""What a player sees of the others: their pieces, what waits on their boards, how high these are, chains, and cells.

It is put where networks read the player's own: behind `features`, `pieces`, `planes`, `bitboards` and `flat`.
Others come in the order of their seats, the next one first.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.env import foresight, observe
from tetrax.env.contract import Observation
from tetrax.env.env_params import EnvParams
from tetrax.env.game import board, measures
from tetrax.env.game.board import by_array
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import State
from tetrax.env.tetris import Tetris
from tetrax.games.exchange import PLAYERS
from tetrax.games.versus_config import VersusConfig

DUE = "garbage_due"  # rows on one's own board that enter at the next lock, unless they are cancelled
ATTACK_SCALE = 4.0  # rows; what the attack of an afterstate is divided by


def feature_names(config: VersusConfig, own: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of `Observation.features`, after those that the board alone has."""
    if not config.shows_others:
        return own
    rules = config.board.rules
    names = ["garbage_waiting"] if rules.garbage else []
    names += ["combo", "back_to_back", *(f"height_{x}" for x in range(rules.width))]
    names += ["stands"] if config.num_players > 2 else []
    ahead = range(1, config.num_players)
    return (*own, *([DUE] if rules.garbage else []), *(f"ahead_{k}_{name}" for k in ahead for name in names))


def flat_names(config: VersusConfig) -> tuple[str, ...]:
    """Return a name for every number of `Observation.flat`, in order."""
    env, rules = Tetris(config.board), config.board.rules
    if not config.shows_others:
        return env.flat_names
    kinds = [piece.name for piece in rules.pieces]
    names = feature_names(config, env.feature_names)[len(env.feature_names) :]
    for k in range(1, config.num_players):
        names += tuple(
            f"ahead_{k}_locked_{y}_{x}" for y in range(observe.num_rows(rules)) for x in range(rules.width)
        )
        names += tuple(f"ahead_{k}_piece_{kind}" for kind in kinds)
        if rules.hold:
            names += tuple(f"ahead_{k}_hold_{kind}" for kind in (*kinds, "none"))
        names += tuple(f"ahead_{k}_next_{place}_{kind}" for place in range(rules.preview) for kind in kinds)
    return (*env.flat_names, *names)


def show(
    config: VersusConfig, seen: Observation, boards: State, fallen: Bool[Array, "P"], params: EnvParams
) -> Observation:
    """Add to what each player sees of its own board, [P, ...], what it sees of the others'."""
    if config.shows_attack:
        seen = _show_attack(config, seen, boards, params.game)
    if not config.shows_others:
        return seen
    if seen.afterstates is not None:  # what comes from others is not foretold
        seen = seen.replace(afterstates=seen.afterstates.replace(reward=None))
    rules, count = config.board.rules, config.num_players
    each = jax.vmap(lambda state: _summary(rules, state), in_axes=PLAYERS)(boards)
    if count > 2:
        each = jnp.concatenate([each, (~fallen)[:, None].astype(jnp.float32)], axis=1)
    added = [_ahead(each, k) for k in range(1, count)]
    if rules.garbage:
        due = jax.vmap(lambda state: _rows_due(rules, params.game, state), in_axes=PLAYERS)(boards)
        added = [due[:, None], *added]
    own = seen.pieces
    seen = seen.replace(
        features=jnp.concatenate([seen.features, *added], axis=1),
        pieces=jnp.concatenate([own, *(_ahead(own, k) for k in range(1, count))], axis=1),
    )
    return _show_cells(config, seen, boards, own, added)


def _show_cells(
    config: VersusConfig,
    seen: Observation,
    boards: State,
    pieces: Int32[Array, "P N"],
    added: list[Float32[Array, "P n"]],
) -> Observation:
    """Add the others' locked cells where the view shows cells as planes, words or numbers."""
    rules, ahead = config.board.rules, range(1, config.num_players)
    if seen.planes is not None:
        cells = _each(lambda state: observe.simplify_board(rules, state), boards)[..., None]
        return seen.replace(
            planes=jnp.concatenate([seen.planes, *(_ahead(cells, k) for k in ahead)], axis=-1)
        )
    if seen.bitboards is not None:
        words = seen.bitboards[:, :1]
        return seen.replace(
            bitboards=jnp.concatenate([seen.bitboards, *(_ahead(words, k) for k in ahead)], axis=1)
        )
    if seen.flat is not None:
        cells = _each(lambda state: observe.simplify_board(rules, state), boards)
        shown = jnp.concatenate([cells.reshape(len(cells), -1), _one_hot(rules, pieces)], axis=1)
        parts = [seen.flat, *added, *(_ahead(shown, k) for k in ahead)]
        return seen.replace(flat=jnp.concatenate(parts, axis=1))
    return seen


def _one_hot(rules: Rules, pieces: Int32[Array, "P N"]) -> Float32[Array, "P n"]:
    """Write pieces as the flat view has them: active, held (or none), next ones."""
    kinds = rules.num_pieces
    parts = [jax.nn.one_hot(pieces[:, 0], kinds, dtype=jnp.float32)]
    if rules.hold:
        parts.append(jax.nn.one_hot(pieces[:, 1], kinds + 1, dtype=jnp.float32))
    following = jax.nn.one_hot(pieces[:, 2:], kinds, dtype=jnp.float32)
    return jnp.concatenate([*parts, following.reshape(len(pieces), -1)], axis=1)


def _summary(rules: Rules, state: State) -> Float32[Array, "n"]:
    """Return what others see of a board as numbers of order one."""
    heights = [measures.height(column) for column in board.columns(rules, state.rows)]
    values: list[Any] = []
    if state.garbage is not None:
        waiting = jnp.sum(state.garbage.rows, dtype=jnp.int32)
        values.append(jnp.minimum(waiting, rules.height) / rules.height)
    values += [jnp.minimum(state.combo + 1, 10) / 10, state.back_to_back >= 0]
    values += [height / rules.height for height in heights]
    return jnp.stack([jnp.asarray(value, jnp.float32) for value in values])


def _rows_due(rules: Rules, params: Params, state: State) -> Float32[Array, ""]:
    """Return the rows that enter at a lock in the next step, if none is cancelled, by the board's height."""
    waiting = state.garbage
    assert waiting is not None
    ready = (waiting.rows > 0) & (waiting.ready <= state.ticks + 1)
    in_turn = jnp.cumprod(ready.astype(jnp.int32))
    rows = jnp.minimum(jnp.sum(waiting.rows * in_turn, dtype=jnp.int32), params.garbage_cap)
    return (jnp.minimum(rows, rules.height) / rules.height).astype(jnp.float32)


def _show_attack(config: VersusConfig, seen: Observation, boards: State, params: Params) -> Observation:
    """Add to each afterstate's features the rows that its placement would send, before cancelling."""
    env, afterstates = Tetris(config.board), seen.afterstates
    assert afterstates is not None and afterstates.features is not None

    def foresee(state: State) -> Int32[Array, "A"]:
        state = by_array(state)
        candidates = env.action_set.candidates(state)
        assert candidates is not None
        return foresight.attacks(env.rules, params, state, candidates)

    rows = _each(foresee, boards).astype(jnp.float32) * np.float32(1 / ATTACK_SCALE)
    features = jnp.concatenate([afterstates.features, rows[..., None]], axis=-1)
    return seen.replace(afterstates=afterstates.replace(features=features))


def _each(look: Callable[[State], Array], boards: State) -> Array:
    """Look at the board of every player: [P, ...]."""
    return jax.vmap(look, in_axes=PLAYERS)(boards)


def _ahead(values: Array, places: int) -> Array:
    """Give each player the value of who sits so many places ahead of it."""
    return jnp.roll(values, -places, axis=0)
