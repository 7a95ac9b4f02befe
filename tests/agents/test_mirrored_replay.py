"""Dreamer's sequences in a mirror: which are, what is seen of them, what they begin from, and what is kept."""

import dataclasses

import jax
import numpy as np
import pytest

import tetrax
from tests.agents.test_dreamer import CONFIG
from tetrax.agents import dreamer
from tetrax.agents.dreamer import experience
from tetrax.agents.dreamer.experience import recall, recall_mirrored
from tetrax.agents.dreamer.mind import make_mind
from tetrax.ops import replay

GAME = tetrax.make("mini", actions="drop", observation="bitboards")
MIRRORED = dataclasses.replace(CONFIG, mirrored=True)


@pytest.mark.slow
def test_half_of_the_sequences_are_mirrored_and_begin_afresh() -> None:
    mind, agent = make_mind(MIRRORED, GAME), dreamer.make(MIRRORED, GAME)
    state = jax.jit(agent.init)(jax.random.key(0))

    def look(state, key):
        windows = replay.windows(state.replay, replay.draw(state.replay, key, 64))
        return recall(mind.world, GAME, state, windows), recall_mirrored(
            mind.world, GAME, state, windows, key
        )

    plain, shown = jax.device_get(jax.jit(look)(state, jax.random.key(1)))
    mirrored = shown.is_mirrored
    assert 16 < mirrored.sum() < 48  # of 64; dominoes have an exact mirror image everywhere
    rows = GAME.spec.shows.num_rows
    boards = [one.reading.cells.reshape(-1, 64, 2, rows, 4) for one in (plain, shown)]
    np.testing.assert_array_equal(boards[1][:, ~mirrored], boards[0][:, ~mirrored])
    np.testing.assert_array_equal(boards[1][:, mirrored, 0], boards[0][:, mirrored, 0, :, ::-1])
    # A domino lying down in column x, 3 legal columns of 4, is in column 2 - x of the mirrored game.
    flat = (plain.action < 3) & ~plain.terminated
    moved = np.where(mirrored, 2 - plain.action, plain.action)
    np.testing.assert_array_equal(shown.action[flat], moved[flat])
    np.testing.assert_array_equal(shown.reward, plain.reward)
    before = [np.asarray(one.before.deter) for one in (plain, shown)]
    np.testing.assert_array_equal(before[0][~mirrored], before[1][~mirrored])
    # Those whose context is the first moment of a game begin so in any case.
    assert (before[0][mirrored] != before[1][mirrored]).any(axis=-1).mean() > 0.3


@pytest.mark.slow
def test_what_is_found_of_mirrored_sequences_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update writes the states of its sequences back; where all are in the mirror, it writes nothing."""
    monkeypatch.setattr(experience, "MIRRORED_SHARE", 1.0)
    agent = dreamer.make(MIRRORED, GAME)
    state = jax.jit(agent.init)(jax.random.key(0))
    kept = slice(None), slice(int(state.replay.filled))
    before = jax.tree.map(lambda leaf: np.array(leaf[kept]), state.replay.data)
    after, measured = jax.jit(agent.train)(state)
    assert np.isfinite(float(measured.means["loss/total"])) and int(after.updates) == 1
    for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(after.replay.data), strict=True):
        np.testing.assert_array_equal(one, np.array(other[kept]))


def test_games_without_a_mirror_image_are_refused() -> None:
    keys = tetrax.make("mini", actions="direct", observation="planes")
    with pytest.raises(
        ValueError, match=r"agent\.mirrored: given True; allowed: False in mini, direct: .*kicks"
    ):
        MIRRORED.validate(keys)
    with pytest.raises(ValueError, match=r"agent\.mirrored: given 1; allowed: True or False"):
        dataclasses.replace(CONFIG, mirrored=1).validate(GAME)
    MIRRORED.validate(GAME)
