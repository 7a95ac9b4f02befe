"""Whole games for the tests of recordings and pictures, played by the reference's players."""

from __future__ import annotations

import dataclasses
import functools
import random

import jax
import jax.numpy as jnp
import numpy as np

from tests.reference.game import Game, Settings
from tests.reference.players import Player, best_place
from tetrax.env.actions import DIRECT_KEYS
from tetrax.env.game.randomizer import draw_word
from tetrax.env.game.rules import RULE_PRESETS
from tetrax.env.record import Recording, record
from tetrax.env.tetris import make

Letters = list[list[str]]  # of the reference's board, bottom row first; "" = empty


def reference_game(seed: int, **settings: int) -> Game:
    """Start the reference's game of key `seed`."""
    numbers = jnp.arange(4096, dtype=jnp.int32)
    words = np.asarray(jax.vmap(functools.partial(draw_word, jax.random.key(seed)))(numbers)).tolist()
    return Game(Settings(**settings), words.__getitem__)


@functools.cache
def played_by_keys(seed: int, ticks: int) -> tuple[Recording, list[Letters]]:
    """Play a guideline game of one key a tick; return it and the reference's board after every tick."""
    game, choose = reference_game(seed), random.Random(seed)
    player, actions, boards = Player(choose), [], [game.cells]
    while len(actions) < ticks and not game.over:
        key = choose.choice(sorted(player.keys(game)) or ["noop"])
        game.tick({key} - {"noop"})
        actions.append(DIRECT_KEYS.index(key))
        boards.append(game.cells)
    env = make("guideline", actions="direct")
    return record(env.config, env.default_params, jax.random.key(seed), actions), boards


@functools.cache
def played_by_placements(seed: int, pieces: int) -> tuple[Recording, list[Letters]]:
    """Play a guideline game of placements; return it and the reference's board after every piece."""
    game, choose = reference_game(seed), random.Random(seed)
    actions, boards = [], [game.cells]
    while len(actions) < pieces and not game.over:
        legal = game.placements()
        facing, x = best_place(game, keep_well=False)
        good = [index for index, found in legal.items() if found[:3] == (False, facing, x)]
        index = choose.choice(good if good and choose.random() < 0.97 else list(legal))
        game.place(legal[index])
        actions.append(index)
        boards.append(game.cells)
    env = make("guideline", actions="drop")
    return record(env.config, env.default_params, jax.random.key(seed), actions), boards


@functools.cache
def played_with_garbage(actions: str) -> Recording:
    """Play a game of three lives at random, in which garbage rises from below."""
    rules = dataclasses.replace(RULE_PRESETS["mini"], garbage=True, lives=3, hold=True)
    env = make("mini", rules=rules, actions=actions)
    params = env.default_params
    seed, interval = {"direct": (4, 12), "drop": (10, 6)}[actions]  # a game that clears garbage, by luck
    numbers = {"starting_garbage": 1, "garbage_interval": interval, "garbage_delay": 1, "garbage_rows": 1}
    game = params.game.replace(**{name: jnp.int32(value) for name, value in numbers.items()})
    chosen = np.random.default_rng(seed).integers(env.num_actions, size=500)
    return record(env.config, params.replace(game=game), jax.random.key(seed), chosen)
