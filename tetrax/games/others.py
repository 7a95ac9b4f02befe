"""What a player sees of the others: their pieces, what waits on their boards, how high these are, chains, and cells.

It is put where networks read the player's own: behind `features`, `pieces`, `planes`, `bitboards` and `flat`.
Others come in the order of their seats, the next one first.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float32, Int32

from tetrax.env import foresight, observe
from tetrax.env.contract import Observation
from tetrax.env.env_params import EnvParams
from tetrax.env.game.board import Rows, by_array, words
from tetrax.env.game.rules import Params, Rules
from tetrax.env.game.state import State
from tetrax.env.game.vector import once
from tetrax.env.tetris import Tetris
from tetrax.games.versus_config import VersusConfig

DUE = "garbage_due"  # rows on one's own board that enter at the next lock, unless they are cancelled
MAX_HEIGHT = 31  # rows that heights are told of
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
    config: VersusConfig,
    seen: Sequence[Observation],
    boards: Sequence[State],
    fallen: Bool[Array, "P"],
    params: EnvParams,
) -> list[Observation]:
    """Add to what each player sees of its own board what it sees of the others'."""
    shown = list(seen)
    if config.shows_attack:
        shown = [
            _show_attack(config, own, board, params.game) for own, board in zip(seen, boards, strict=True)
        ]
    if not config.shows_others:
        return shown
    rules, count = config.board.rules, config.num_players
    summaries = [_summary(rules, board) for board in boards]
    if count > 2:
        stands = (~fallen).astype(jnp.float32)
        summaries = [jnp.append(each, stands[player]) for player, each in enumerate(summaries)]
    cells = [_cells(rules, own, board) for own, board in zip(seen, boards, strict=True)]
    with_others = []
    for player, own in enumerate(shown):
        ahead = [(player + places) % count for places in range(1, count)]
        added = [summaries[other] for other in ahead]
        if rules.garbage:
            added = [_rows_due(rules, params.game, boards[player])[None], *added]
        if own.afterstates is not None:  # what comes from others is not foretold
            own = own.replace(afterstates=own.afterstates.replace(reward=None))
        own = own.replace(
            features=jnp.concatenate([own.features, *added]),
            pieces=jnp.concatenate([own.pieces, *(seen[other].pieces for other in ahead)]),
        )
        with_others.append(_add_cells(own, added, [cells[other] for other in ahead]))
    return with_others


def _cells(rules: Rules, seen: Observation, board: State) -> Array | None:
    """Return what others see of a board's cells: as planes, words or numbers, whatever the view is made of."""
    if seen.planes is not None:
        return observe.simplify_board(rules, board)[..., None]
    if seen.bitboards is not None:
        return seen.bitboards[:1]
    if seen.flat is None:
        return None
    locked = observe.simplify_board(rules, board).reshape(-1).astype(jnp.float32)
    return jnp.concatenate([locked, _one_hot(rules, seen.pieces)])


def _add_cells(own: Observation, added: list[Array], cells: list[Any]) -> Observation:
    """Add the others' cells where the view shows cells as planes, words or numbers."""
    if own.planes is not None:
        return own.replace(planes=jnp.concatenate([own.planes, *cells], axis=-1))
    if own.bitboards is not None:
        return own.replace(bitboards=jnp.concatenate([own.bitboards, *cells]))
    if own.flat is not None:
        return own.replace(flat=jnp.concatenate([own.flat, *added, *cells]))
    return own


def _one_hot(rules: Rules, pieces: Int32[Array, "N"]) -> Float32[Array, "n"]:
    """Write pieces as the flat view has them: active, held (or none), next ones."""
    kinds = rules.num_pieces
    parts = [jax.nn.one_hot(pieces[0], kinds, dtype=jnp.float32)]
    if rules.hold:
        parts.append(jax.nn.one_hot(pieces[1], kinds + 1, dtype=jnp.float32))
    return jnp.concatenate([*parts, jax.nn.one_hot(pieces[2:], kinds, dtype=jnp.float32).reshape(-1)])


def _summary(rules: Rules, state: State) -> Float32[Array, "n"]:
    """Return what others see of a board as numbers of order one."""
    values: list[Any] = []
    if state.garbage is not None:
        waiting = jnp.sum(state.garbage.rows, dtype=jnp.int32)
        values.append(jnp.minimum(waiting, rules.height) / rules.height)
    values += [jnp.minimum(state.combo + 1, 10) / 10, state.back_to_back >= 0]
    values += [height / rules.height for height in column_heights(rules, state.rows)]
    return jnp.stack([jnp.asarray(value, jnp.float32) for value in values])


def column_heights(rules: Rules, rows: Rows) -> list[Int32[Array, ""]]:
    """Return the row above the highest filled cell of each column, 31 at most.

    All columns are searched at once, a bit of their heights after the other: each row is one word.
    """
    given = words(rows)
    highest = functools.reduce(jnp.bitwise_or, given[MAX_HEIGHT:], jnp.uint32(0))
    covered = [jnp.uint32(0)] * MAX_HEIGHT  # bit x of entry y: column x is filled in row y or above
    for y in reversed(range(min(MAX_HEIGHT, len(given)))):
        covered[y] = highest = highest | given[y]
    planes = list(reversed(once(_count_bits(covered))))
    return [
        sum(
            (
                ((plane >> np.uint32(x)) & np.uint32(1)).astype(jnp.int32) << k
                for k, plane in enumerate(planes)
            ),
            start=jnp.int32(0),
        )
        for x in range(rules.width)
    ]


def _count_bits(covered: list[Array]) -> list[Array]:
    """Count in how many of 2^n - 1 words, each within the one before, each bit is: n words, the highest first."""
    if not covered:
        return []
    middle = len(covered) // 2
    here, low, high = covered[middle], _count_bits(covered[:middle]), _count_bits(covered[middle + 1 :])
    return [here, *((here & above) | (~here & below) for below, above in zip(low, high, strict=True))]


def _rows_due(rules: Rules, params: Params, state: State) -> Float32[Array, ""]:
    """Return the rows that enter at a lock in the next step, if none is cancelled, by the board's height."""
    waiting = state.garbage
    assert waiting is not None
    ready = (waiting.rows > 0) & (waiting.ready <= state.ticks + 1)
    in_turn = jnp.cumprod(ready.astype(jnp.int32))
    rows = jnp.minimum(jnp.sum(waiting.rows * in_turn, dtype=jnp.int32), params.garbage_cap)
    return (jnp.minimum(rows, rules.height) / rules.height).astype(jnp.float32)


def _show_attack(config: VersusConfig, seen: Observation, board: State, params: Params) -> Observation:
    """Add to each afterstate's features the rows that its placement would send, before cancelling."""
    env, afterstates, board = Tetris(config.board), seen.afterstates, by_array(board)
    candidates = env.action_set.candidates(board)
    assert candidates is not None and afterstates is not None and afterstates.features is not None
    rows = foresight.attacks(env.rules, params, board, candidates)
    column = rows.astype(jnp.float32)[:, None] * np.float32(1 / ATTACK_SCALE)
    features = jnp.concatenate([afterstates.features, column], axis=-1)
    return seen.replace(afterstates=afterstates.replace(features=features))
