"""`resample_future`: what a player sees and may count stays, the rest is as likely as the rules make it."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.env.game.by_hand import params, start
from tetrax.env.actions.placing import Drop
from tetrax.env.game import garbage, measures, randomizer
from tetrax.env.game.board import columns
from tetrax.env.game.future import resample_future
from tetrax.env.game.randomizer import Source
from tetrax.env.game.rules import RULE_PRESETS, Rules

QUICKLY_COMPILED = {"xla_backend_optimization_level": 0}
BAG = Rules(preview=2, hold=False)  # so that what is left in the bag is known by the pieces played
UNIFORM = Rules(preview=2, randomizer="uniform")
TETRIO = Rules(preview=2, hold=False, randomizer="tetrio", garbage=True)
EACH = pytest.mark.parametrize("rules", [BAG, UNIFORM, TETRIO], ids=["bag", "uniform", "tetrio"])
HIDDEN = {"bag": {"key"}, "uniform": {"key"}, "tetrio": {"key", "bag", "random", "garbage"}}
NUM_KEYS = 24_000
MOST = 21  # pieces that are drawn ahead
VIEWS = ("planes", "compact", "bitboards", "flat")
AFTERSTATE_VIEWS = ("afterstate_features", "afterstate_boards", "afterstate_classic", "afterstate_extended")
PRESETS = pytest.mark.parametrize("preset", ["guideline", pytest.param("tetrio", marks=pytest.mark.slow)])


@functools.cache
def play(rules: Rules):
    """Return what drops one piece by any legal placement: (state, key) to (state, the piece)."""

    def one(state, key):
        legal = Drop(rules).legal(state, None)
        action = jax.random.categorical(key, jnp.where(legal, 0.0, -1e9)).astype(jnp.int32)
        return Drop(rules).apply(params(rules), state, action)[0]

    return jax.jit(one, compiler_options=QUICKLY_COMPILED)


def game(rules: Rules, num_pieces: int, seed: int = 0):
    """Return a game after some pieces, dropped anywhere; where there is garbage, two packets wait."""
    state = start(rules, params(rules), jax.random.key(seed))
    for key in jax.random.split(jax.random.key(seed + 1), num_pieces):
        state = play(rules)(state, key)
    if rules.garbage:
        for rows, hole in ((2, 3), (1, 7)):
            state = garbage.receive(
                rules, params(rules, garbage_delay=99), state, jnp.int32(rows), jnp.int32(hole)
            )
    assert not state.game_over
    return state


@functools.cache
def resample(rules: Rules):
    """Return the compiled function of (state, keys) that resamples one state by each key."""
    return jax.jit(jax.vmap(functools.partial(resample_future, rules), in_axes=(None, 0)))


def resampled(rules: Rules, state, num_keys: int = NUM_KEYS, seed: int = 9):
    return resample(rules)(state, jax.random.split(jax.random.key(seed), num_keys))


def left_in_bag(rules: Rules, bag: int) -> list[int]:
    """Return the kinds in a bag, sorted."""
    if rules.randomizer == "tetrio":
        return sorted((bag >> (4 * i) & 15) - 1 for i in range(7) if bag >> (4 * i) & 15)
    return [kind for kind in range(rules.num_pieces) if bag >> kind & 1]


@functools.partial(jax.jit, static_argnums=0)
def draw_next(rules: Rules, states):
    """Draw MOST more pieces of each game, int32[N, MOST]."""

    def one(state):
        def draw(left, number):
            kind, left = randomizer.next_piece(rules, state.key, number, left)
            return left, kind

        numbers = state.draws + jnp.arange(MOST, dtype=jnp.int32)
        return jax.lax.scan(draw, Source(state.bag, state.random), numbers)[1]

    return jax.vmap(one)(states)


def coming(rules: Rules, states, num_pieces: int):
    """Return the pieces that each game draws next, int32[N, num_pieces]."""
    assert num_pieces <= MOST
    return np.asarray(draw_next(rules, states))[:, :num_pieces]


def assert_evenly(found, possible) -> None:
    """Compare counts with equal ones by Pearson's chi-square, at about one in 10,000 by chance (Wilson, Hilferty)."""
    possible = [tuple(outcome) for outcome in possible]
    found = [tuple(outcome) for outcome in np.asarray(found).tolist()]
    assert set(found) <= set(possible)
    expected, freedom = len(found) / len(possible), len(possible) - 1
    assert expected > 50
    counts = [found.count(outcome) for outcome in possible]
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    spread = 2 / (9 * freedom)
    assert chi_square < freedom * (1 - spread + 3.72 * math.sqrt(spread)) ** 3


@EACH
@pytest.mark.parametrize("num_pieces", [0, 3, 6, 11])
@pytest.mark.slow
def test_what_is_seen_and_counted_stays(rules, num_pieces):
    state = game(rules, num_pieces)
    after = resampled(rules, state, 20)
    for name in set(vars(state)) - HIDDEN[rules.randomizer]:
        for old, new in zip(
            jax.tree.leaves(getattr(state, name)), jax.tree.leaves(getattr(after, name)), strict=True
        ):
            np.testing.assert_array_equal(np.broadcast_to(old, new.shape), new, err_msg=name)
    for bag in np.asarray(after.bag).tolist():
        assert left_in_bag(rules, bag) == left_in_bag(rules, int(state.bag))
    if rules.garbage:
        for name in ("rows", "ready", "received", "height"):
            np.testing.assert_array_equal(
                np.broadcast_to(getattr(state.garbage, name), getattr(after.garbage, name).shape),
                getattr(after.garbage, name),
            )
        assert not np.asarray(after.garbage.hole)[:, 2:].any()  # no packet, no hole


@EACH
def test_a_key_draws_one_future_and_others_draw_others(rules):
    state = game(rules, 3)
    first, second = resampled(rules, state, 50), resampled(rules, state, 50)
    np.testing.assert_array_equal(coming(rules, first, 12), coming(rules, second, 12))
    assert len({tuple(future) for future in coming(rules, first, 12).tolist()}) == 50


@pytest.mark.parametrize("rules", [BAG, TETRIO], ids=["bag", "tetrio"])
@pytest.mark.parametrize("num_pieces", [0, 4, 7])
def test_the_next_pieces_complete_the_bag_and_then_come_whole_bags(rules, num_pieces):
    state = game(rules, num_pieces)
    left = left_in_bag(rules, int(state.bag))
    assert len(left) == -(1 + rules.preview + num_pieces) % 7
    for future in coming(rules, resampled(rules, state, 300), len(left) + 14).tolist():
        assert sorted(future[: len(left)]) == left
        assert sorted(future[len(left) : len(left) + 7]) == list(range(7))
        assert sorted(future[len(left) + 7 :]) == list(range(7))


@pytest.mark.parametrize("rules", [BAG, TETRIO], ids=["bag", "tetrio"])
def test_every_order_of_what_is_left_is_as_likely(rules):
    """7 pieces are played and 3 are seen: of the second bag 4 are left, in 24 orders."""
    state = game(rules, 7)
    left = left_in_bag(rules, int(state.bag))
    assert len(left) == 4
    futures = coming(rules, resampled(rules, state), 6)
    assert_evenly(futures[:, :4], itertools.permutations(left))
    # The bag after it does not depend on how this one ended.
    assert_evenly(futures[:, [3, 4]], itertools.product(left, range(7)))
    assert_evenly(futures[:, 4:], itertools.permutations(range(7), 2))


def test_uniform_pieces_are_as_likely():
    futures = coming(UNIFORM, resampled(UNIFORM, game(UNIFORM, 5)), 3)
    assert_evenly(futures, itertools.product(range(7), repeat=3))


def test_holes_of_garbage_are_as_likely():
    """Those of the two packets that wait, and that of one that is still to come."""
    after = resampled(TETRIO, game(TETRIO, 5))
    arrive = jax.jit(
        jax.vmap(lambda state: garbage.receive(TETRIO, params(TETRIO), state, jnp.int32(1)).garbage.hole)
    )
    holes = np.asarray(arrive(after))
    assert not holes[:, 3:].any()
    for pair in ([0, 1], [1, 2], [0, 2]):
        assert_evenly(holes[:, pair], itertools.product(range(10), repeat=2))
    # A hole tells nothing of the pieces.
    assert_evenly(
        np.stack([holes[:, 0], coming(TETRIO, after, 7)[:, 6]], axis=1),
        itertools.product(range(10), range(7)),
    )


@pytest.mark.parametrize("rules", [BAG, TETRIO], ids=["bag", "tetrio"])
def test_a_game_resampled_before_every_piece_deals_whole_bags(rules):
    resample_one = jax.jit(functools.partial(resample_future, rules))
    state = start(rules, params(rules), jax.random.key(5))
    dealt = [int(state.piece), *state.queue.tolist()]
    for number in range(32):
        piece_key, future_key = jax.random.split(jax.random.fold_in(jax.random.key(6), number))
        empty = state.replace(rows=jnp.zeros_like(state.rows))
        state = play(rules)(resample_one(empty, future_key), piece_key)
        dealt.append(int(state.queue[-1]))
    assert len(dealt) == 35 and not state.game_over
    assert all(sorted(dealt[first : first + 7]) == list(range(7)) for first in range(0, 35, 7))


def test_a_list_is_refused_by_name():
    rules = Rules(randomizer="list", sequence=("T", "I"), preview=1)
    state = start(rules, params(rules), jax.random.key(0))
    with pytest.raises(
        ValueError, match=r"rules.randomizer: given 'list'.*allowed: 'bag', 'uniform' or 'tetrio'"
    ):
        resample_future(rules, state, jax.random.key(1))


def test_a_key_without_a_type_is_refused():
    with pytest.raises(TypeError, match="allowed: one typed Threefry key"):
        resample_future(BAG, game(BAG, 0), jnp.zeros(2, jnp.uint32))


def resampled_games(preset: str):
    """Return games of a preset's rules, and each of them again with other futures, [games, futures]."""
    rules = RULE_PRESETS[preset]
    games = [game(rules, num_pieces, seed=num_pieces) for num_pieces in (0, 4, 9, 13)]
    return rules, games, [resampled(rules, state, 6) for state in games]


@pytest.mark.slow
@PRESETS
def test_what_is_observed_stays(preset):
    rules, games, others = resampled_games(preset)
    envs = [
        tetrax.make(preset, observation=view, board_features=True, ghost_outcome=view == "flat")
        for view in VIEWS
    ]
    envs += [tetrax.make(preset, actions="drop", observation=view) for view in AFTERSTATE_VIEWS]
    assert all(env.rules == rules for env in envs)

    @functools.partial(jax.jit, compiler_options=QUICKLY_COMPILED)
    def look(states):
        return jax.vmap(lambda state: [env.observe(state) for env in envs])(states)

    for state, futures in zip(games, others, strict=True):
        assert len({tuple(future) for future in coming(rules, futures, 14).tolist()}) == 6
        both = jax.tree.map(lambda one, many: jnp.concatenate([one[None], many]), state, futures)
        for seen in map(np.asarray, jax.tree.leaves(look(both))):
            np.testing.assert_array_equal(seen, np.broadcast_to(seen[:1], seen.shape))


@pytest.mark.slow
@PRESETS
def test_a_planner_that_looks_one_piece_ahead_decides_alike(preset):
    """It tries every legal placement in the game that it is given, which draws a piece, and judges the board."""
    rules, games, others = resampled_games(preset)
    given, placing = params(rules), Drop(rules)

    @functools.partial(jax.jit, compiler_options=QUICKLY_COMPILED)
    @jax.vmap
    def decide(state):
        def judge(action):
            after, event = placing.apply(given, state, action)
            measured = measures.board_features(rules, tuple(columns(rules, after.rows)))
            cost = measured.aggregate_height + 4 * measured.holes + 2 * measured.bumpiness - 9 * event.lines
            return jnp.where(after.game_over, 9999, cost), after

        costs, after = jax.vmap(judge)(jnp.arange(len(placing.names), dtype=jnp.int32))
        costs = jnp.where(placing.legal(state, None), costs, 99999)
        return jnp.argmin(costs), costs, after.queue

    for state, futures in zip(games, others, strict=True):
        both = jax.tree.map(lambda one, many: jnp.concatenate([one[None], many]), state, futures)
        actions, costs, queues = map(np.asarray, decide(both))
        assert len(set(actions.tolist())) == 1
        np.testing.assert_array_equal(costs, np.broadcast_to(costs[:1], costs.shape))
        # It did draw hidden pieces, and different ones where the bag has more than one left.
        assert len(set(queues[:, 0, -1].tolist())) > 1 or len(left_in_bag(rules, int(state.bag))) == 1
