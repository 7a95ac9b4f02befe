"""Dreams beside the truth: what is counted, by hand, and that nothing of what is foreseen was seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tests.agents.chain import Chain
from tests.world_model.dreamed import CELLS, CONTEXT, SHOWN, dream
from tetrax.world_model import dreams, model
from tetrax.world_model.dreams import Plan
from tetrax.world_model.model_config import WorldModelConfig

ENV = tetrax.make(preset="mini", actions="drop", observation="bitboards")
PLAN = Plan(games=8, context=8, horizon=16)
TINY = WorldModelConfig(
    deter=8,
    units=8,
    classes=2,
    latents=2,
    blocks=2,
    encoder_layers=1,
    decoder_layers=1,
    prior_layers=1,
    bins=3,
)
compare = jax.jit(lambda made: dreams.compare(made, SHOWN))


def played(game):
    """Games of legal actions at random."""
    world = model.world_model(game, TINY)

    def decide(seen, is_first, memory, key):
        return jax.random.categorical(key, jnp.where(seen.legal, 0.0, -jnp.inf)).astype(jnp.int32), memory

    play = jax.jit(lambda key: dreams.play(world, game, game.default_params, decide, (), PLAN, key))
    return world, play(jax.random.key(0))


def test_the_truth_foreseen_is_all_right():
    found = compare(dream())
    assert found.number.tolist() == [2, 2, 2]
    for shares in (found.cells, found.boards):
        assert shares.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(found.told_lines, found.real_lines)
    np.testing.assert_allclose(found.numbers, 0.5, rtol=1e-6)
    summary = found.summary()
    assert float(summary["cells"]) == float(summary["boards_1"]) == 1 and float(summary["lines_error"]) == 0
    assert "numbers" not in summary


def test_cells_and_boards_by_hand():
    # Of 32 cells two are wrong, in the second foreseen step of the first game; what is seen is not counted.
    found = compare(dream(wrong=[(CONTEXT + 1, 0, 4), (CONTEXT + 1, 0, 9), (CONTEXT - 1, 1, 0)]))
    np.testing.assert_allclose(found.cells, [1, (30 / 32 + 1) / 2, 1])
    np.testing.assert_allclose(found.boards, [1, 0.5, 1])
    summary = found.summary()
    np.testing.assert_allclose(summary["cells"], 1 - 2 / (6 * 32), rtol=1e-6)
    np.testing.assert_allclose(summary["boards"], 5 / 6, rtol=1e-6)


def test_what_would_be_right_if_nothing_moved():
    made = dream()
    cells = np.asarray(made.played.reading.cells).astype(int)
    by_hand = [(cells[1] == cells[CONTEXT + step]).mean() for step in range(3)]
    np.testing.assert_allclose(compare(made).unmoved, by_hand)


def test_only_the_game_that_was_seen_counts():
    """The first game is over at the first foreseen moment, which still belongs to it; the next begins, all wrong."""
    wrong = [(moment, 0, cell) for moment in (CONTEXT + 1, CONTEXT + 2) for cell in range(CELLS)]
    made = dream(
        terminated=[(CONTEXT, 0)], is_first=[(CONTEXT + 1, 0)], gained=[(CONTEXT + 2, 0)], wrong=wrong
    )
    found = compare(made)
    assert found.number.tolist() == [2, 1, 1]
    assert found.cells.tolist() == [1, 1, 1]
    assert found.number_after.tolist() == [0, 0, 0] and np.isnan(found.cells_after).all()
    np.testing.assert_allclose(found.told_reward, [1, 3])
    np.testing.assert_allclose(found.real_reward, [0, 0])
    # Of four moments that count one is the end: all were said to go on with 0.9.
    assert found.calibration.number.tolist() == [0] * 9 + [4]
    np.testing.assert_allclose(found.calibration.real[-1], 3 / 4)
    np.testing.assert_allclose(found.calibration.error, 0.15, rtol=1e-5)


def test_a_game_that_was_over_when_it_was_last_seen_counts_for_nothing():
    found = compare(
        dream(terminated=[(CONTEXT - 1, 0), (CONTEXT - 1, 1)], is_first=[(CONTEXT, 0), (CONTEXT, 1)])
    )
    assert found.number.tolist() == [0, 0, 0]
    assert np.isnan(found.summary()["cells"]) and np.isnan(found.calibration.error)


def test_after_a_gain():
    found = compare(dream(gained=[(CONTEXT, 0), (CONTEXT + 2, 1)], wrong=[(CONTEXT + 2, 1, 0)]))
    assert found.number_after.tolist() == [1, 0, 1]
    np.testing.assert_allclose(found.cells_after, [1, np.nan, 31 / 32])
    np.testing.assert_allclose(found.boards_after, [1, np.nan, 0])
    np.testing.assert_allclose(found.summary()["boards_after"], 0.5)
    np.testing.assert_allclose(found.real_reward, [2, 2])
    np.testing.assert_allclose(found.summary()["reward_error"], 1)


def test_games_without_boards_have_their_numbers():
    found = compare(dream(cells=0))
    assert found.cells is None and found.told_lines is None
    np.testing.assert_allclose(found.summary()["numbers"], 0.5, rtol=1e-6)
    assert not any(name.startswith(("cells", "boards", "lines")) for name in found.summary())


def test_calibration_by_hand():
    told = jnp.array([0.05, 0.95, 0.92, 0.51, 1.0])
    went_on = jnp.array([False, True, False, True, True])
    found = dreams.calibrate(told, went_on, jnp.array([True, True, True, False, True]))
    assert found.number.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    np.testing.assert_allclose(found.told[jnp.array([0, 9])], [0.05, 2.87 / 3], rtol=1e-6)
    np.testing.assert_allclose(found.real[jnp.array([0, 9])], [0, 2 / 3], rtol=1e-6)
    # (1 * 0.05 + 3 * (2.87 - 2) / 3) / 4.
    np.testing.assert_allclose(found.error, 0.92 / 4, rtol=1e-5)


@pytest.mark.parametrize(
    ("locked", "falling", "left", "lines"),
    [
        (6, 2, 8, 0),  # it came to rest
        (6, 2, 4, 1),
        (6, 2, 0, 2),
        (6, 4, 6, 0),  # it is still falling
        (6, 2, 5, 1),  # one cell is wrong
        (2, 2, 9, 0),  # cells out of nowhere
    ],
)
def test_lines_are_counted_by_the_cells_that_are_gone(locked, falling, left, lines):
    boards = np.zeros((2, 1, 2, 3, 4), np.float32)  # lines of four cells
    for number, board in ((locked, boards[0, 0, 0]), (falling, boards[0, 0, 1]), (left, boards[1, 0, 0])):
        board.flat[:number] = 1
    assert dreams.count_lines(jnp.asarray(boards)).tolist() == [[lines]]


@pytest.mark.slow
def test_real_games_are_played_with_their_ends():
    _, games = played(ENV)
    over, first = (np.asarray(each) for each in (games.terminated, games.is_first))
    assert over[:-1].any(), "some game ends"
    assert first[0].all()
    np.testing.assert_array_equal(first[1:], over[:-1])  # no game of these is cut off
    reward, gained = np.asarray(games.reward), np.asarray(games.gained)
    assert gained.any() and not (gained[first].any() or reward[first].any())
    cells = dreams.as_boards(ENV.spec.shows, games.reading.cells)
    lines = np.asarray(dreams.count_lines(cells))
    within = ~first[1:] & ~over[1:]  # at the end no piece falls any more
    np.testing.assert_array_equal(lines[within], gained[1:][within])


@pytest.mark.slow
def test_a_dream_sees_the_context_and_nothing_after_it():
    world, games = played(Chain())
    params = jax.jit(lambda key: model.initial_params(world, key))(jax.random.key(1))
    foresee = jax.jit(
        lambda games, discount: dreams.foresee(
            world, params, games, PLAN.context, discount, jax.random.key(2)
        )
    )
    made = foresee(games, 0.9)
    assert made.told.numbers.shape == games.reading.numbers.shape
    assert (made.goes_on > 0).all() and (made.goes_on <= 1).all()
    taught = foresee(games, 0.5).goes_on
    np.testing.assert_allclose(taught, jnp.minimum(made.goes_on * 0.9 / 0.5, 1), rtol=1e-5)

    def find_changes(**other):
        """Return the moments of which something else is told, in some game."""
        again = foresee(games.replace(**other), 0.9)
        return np.flatnonzero((again.told.numbers != made.told.numbers).any(axis=(1, 2))).tolist()

    def look_at_something_else(moment):
        numbers = games.reading.numbers.at[moment].add(1.0)
        return find_changes(reading=games.reading.replace(numbers=numbers))

    last, end = PLAN.context - 1, PLAN.context + PLAN.horizon
    assert look_at_something_else(last + 1) == [], "what is foreseen is not looked at"
    assert look_at_something_else(last) == [*range(last, end)]
    other_way = games.action.at[last + 1].set(1 - games.action[last + 1])
    assert find_changes(action=other_way) == [*range(last + 2, end)]
