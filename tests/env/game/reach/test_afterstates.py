"""Boards after each placement, and their features, equal those of the reference game."""

import copy
import functools
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.reference import starts
from tests.reference.compare import rules_of
from tests.reference.game import LOCK_OUT, STACK_OUT, Game
from tests.reference.measures import measures as measured
from tests.reference.players import best_place
from tests.reference.settings import Settings
from tests.reference.side import STATE_FIELDS, Case, Side
from tests.reference.tables import SHAPES
from tetrax.env.game import measures
from tetrax.env.game.reach import at_columns, outcomes, placement_features
from tetrax.env.game.state import State

SETTINGS = {
    "guideline": Settings(),
    "6x8": Settings(width=6, height=8, buffer=4, preview=1),
    "no hold, no preview": Settings(width=8, height=10, hold=False, preview=0, pieces="MVXFYTDI"),
    "from above": Settings(width=7, height=9, buffer=5, hold=False, preview=1, top_out="stack"),
    "no lock-out": Settings(width=6, height=8, buffer=8, hold=False, preview=1, top_out="block_out"),
}
DECISIONS = 120


def decisions(settings, seed):
    """Yield reference games that wait for a placement."""
    chance = random.Random(seed)
    for number in range(DECISIONS // 6):
        words = [chance.getrandbits(32) for _ in range(64)]
        game = Game(settings, words.__getitem__, number)
        high = starts.Start(tuple(starts.tower(chance, game)))  # where most placements lose
        starts.apply(starts.random_start(chance, game) if number % 4 else high, game)
        for _ in range(6):
            yield copy_of(game)
            legal = game.placements()
            facing, x = best_place(game, keep_well=True)
            good = [placement for placement in legal.values() if placement[:3] == (False, facing, x)]
            if not legal:
                break
            game.place(good[0] if good and chance.random() < 0.5 else chance.choice(list(legal.values())))


def copy_of(game):
    """Copy a game whose board is replaced, never changed."""
    twin = copy.copy(game)
    twin.queue, twin.bag = list(game.queue), list(game.bag)
    return twin


def expected(game):
    """Play each legal placement on a copy; return {index: what the engine should say}."""
    found = {}
    for index, (hold_first, facing, x, y) in game.placements().items():
        twin = copy_of(game)
        event = twin.place((hold_first, facing, x, y))
        shape = SHAPES[(game.held or game.queue[0]) if hold_first else game.name][facing]
        low, high = (pick(y + dy for _, dy in shape) for pick in (min, max))
        found[index] = {
            "rows": [sum(1 << x for x, cell in enumerate(row) if cell) for row in twin.cells],
            "lines": event["lines"],
            "landing_height": low + (high - low) / 2,
            "eroded_cells": event["lines"] * eroded(game, x, y, shape),
            "ends_game": ends_visibly(game, hold_first, event),
            **measured(twin),
        }
    return found


def eroded(game, x, y, shape):
    """Count the cells of a placed piece that lie in rows it fills."""
    cells = {(x + dx, y + dy) for dx, dy in shape}
    full = {
        row for _, row in cells if all((x, row) in cells or game.filled(x, row) for x in range(game.width))
    }
    return sum(row in full for _, row in cells)


def ends_visibly(game, hold_first, event):
    """Whether a placement loses, as far as the queue shows which piece comes next."""
    used = 1 if hold_first and not game.held else 0
    known = len(game.queue) > used
    return event["game_over"] in (LOCK_OUT, STACK_OUT) or (known and event["game_over"] != 0)


@functools.cache
def engine(rules):
    """Compile everything the engine says about the placements of a batch of states."""

    def everything(state):
        placed = at_columns.candidates(rules, state)
        boards = outcomes.after(rules, state, placed)
        return {
            "legal": placed.legal,
            "rows": measures.to_rows(boards.columns, min(32, rules.total_height)),
            "lines": boards.lines,
            "landing_height": placement_features.landing_height(rules, placed),
            "eroded_cells": placement_features.eroded_cells(placed, boards),
            "ends_game": outcomes.ends_game(rules, state, placed, boards),
            **measures.board_features(rules, boards.columns).__dict__,
        }

    return jax.jit(jax.vmap(everything), compiler_options={"xla_backend_optimization_level": 0})


def states_of(settings, games):
    """Return the engine's states, one batch, that stand as the reference games do."""
    side = Side(Case("states", settings), None, None)
    columns = zip(*(side.snapshot(None, game) for game in games), strict=True)
    dtypes = dict.fromkeys(STATE_FIELDS, np.int32)
    dtypes |= {"rows": np.uint32, "bag": np.uint32, "hold_used": bool, "game_over": bool}
    fields = {
        field: jnp.asarray(np.array(column, dtypes[field]))
        for field, column in zip(STATE_FIELDS, columns, strict=True)
        if not field.startswith("garbage.") and column[0] is not None
    }
    fields |= {"random": None, "garbage": None}
    return State(key=jax.random.split(jax.random.key(0), len(games)), **fields)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.slow
def test_afterstates(name):
    settings = SETTINGS[name]
    games = list(decisions(settings, seed=3))
    answers = jax.device_get(engine(rules_of(settings))(states_of(settings, games)))
    compared, endings, cleared = 0, 0, 0
    for number, game in enumerate(games):
        wanted = expected(game)
        assert np.flatnonzero(answers["legal"][number]).tolist() == sorted(wanted)
        for index, values in wanted.items():
            values["rows"] = values["rows"][: answers["rows"].shape[-1]]
            said = {field: answers[field][number, index].tolist() for field in values}
            assert said == values, f"game {number}, placement {index}"
            compared, cleared = compared + 1, cleared + (values["lines"] > 0)
            endings += values["ends_game"]
    assert compared > 700 and cleared > 15 and endings > 5
