"""What learners ask of Tetris: its spec before a game, and what a step adds to each measure."""

import jax
import jax.numpy as jnp
import pytest

import tetrax
from tetrax.env.ascii import state_from_ascii
from tetrax.env.contract import Shown


def test_the_spec_says_what_a_game_comes_to_and_what_is_seen():
    guideline = tetrax.make("guideline").spec
    assert (guideline.name, guideline.title) == ("tetris", "guideline, direct")
    assert guideline.measures == ("lines", "score", "attack", "pieces", "return")
    assert (guideline.headline, guideline.length) == ("lines", "pieces")
    assert (guideline.num_actions, guideline.num_players, guideline.on_host) == (8, 1, False)
    assert guideline.shows == Shown(
        "planes", height=20, width=10, num_kinds=7, foretells_reward=True, num_pieces=7, num_rows=22
    )
    assert not guideline.shows.by_action and not guideline.can_truncate
    classic = tetrax.make("classic-10x10", time_limit=9).spec
    assert classic.title == "classic-10x10, drop"
    assert (classic.measures, classic.length) == (guideline.measures, "pieces")
    assert classic.num_actions == 40 and classic.can_truncate
    assert classic.shows == Shown(
        "afterstate_features", 10, 10, 7, foretells_reward=True, num_pieces=2, acts_by_column=True
    )
    # Action a of `drop` is choice a // 10 in column a % 10, as its name says.
    names = tetrax.make("classic-10x10").action_names
    assert all(name.endswith(f"_{action % 10}") for action, name in enumerate(names))
    assert classic.shows.by_action
    assert hash(classic) == hash(tetrax.make("classic-10x10", time_limit=9).spec) != hash(guideline)


@pytest.mark.parametrize(
    ("preset", "is_endless"), [("guideline", True), ("classic-10x20", False), ("classic-10x10", False)]
)
def test_good_play_goes_on_for_ever_in_the_guideline_and_not_in_the_classic_game(preset, is_endless):
    assert tetrax.make(preset).spec.is_endless == is_endless


def test_only_rewards_that_a_placement_fixes_are_foretold():
    assert tetrax.make(actions="drop", reward="survival").spec.shows.foretells_reward
    unknown = tetrax.make(actions="drop", reward=lambda rules, params, before, after, event: jnp.float32(0))
    assert not unknown.spec.shows.foretells_reward


@pytest.mark.slow
def test_a_step_measures_lines_points_and_pieces():
    env = tetrax.make("guideline")
    drawing = """
    ########..
    ########..
    """
    step = jax.jit(env.step)
    state = state_from_ascii(env, drawing, piece="O")
    names = env.action_names
    for _ in range(4):  # an O enters on columns 4 and 5
        state, timestep = step(state, jnp.int32(names.index("right")))
        assert measured(env, timestep) == {"lines": 0, "score": 0, "attack": 0, "pieces": 0}
    before = int(state.y)
    state, timestep = step(state, jnp.int32(names.index("hard_drop")))
    # Two lines pay 300 at level 1, every cell fallen 2; the board is empty then: a perfect clear of two pays 1,200.
    # A double sends 1, the perfect clear 10 more.
    expected = {"lines": 2, "score": 300 + 2 * before + 1_200, "attack": 11, "pieces": 1}
    assert measured(env, timestep) == expected
    assert not any(int(row) for row in state.rows)


def measured(env, timestep):
    found = env.measure(timestep.event)
    assert {each.dtype for each in found.values()} == {jnp.dtype("int32")}
    return {name: int(value) for name, value in found.items()}
