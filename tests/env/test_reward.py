"""Named rewards, worked by hand."""

import jax.numpy as jnp
import pytest

import tetrax

ALMOST = """
#########.
#########.
"""


def drop_i_on_the_right(reward: str, lines_before: int):
    """Fill the last column of two rows with an I, which clears them and leaves two cells."""
    env = tetrax.make(actions="drop", reward=reward)
    state = tetrax.state_from_ascii(env, ALMOST, piece="I").replace(lines=jnp.int32(lines_before))
    return env.step(state, env.action_names.index("drop_R_9"))[1]


@pytest.mark.parametrize(
    ("reward", "lines_before", "expected"),
    [
        ("lines_only", 0, 3.0),  # two lines are 3, times 0 // 10 + 1
        ("lines_only", 9, 3.0),
        ("lines_only", 25, 9.0),  # 3 x (25 // 10 + 1)
        ("survival", 25, 2.0),  # a line is a line
        # standard: 5 x (0 + 1). Heights before: nine columns of 2, one of 0: sum 18, one step of 2.
        # After: one column of 2: sum 2, one step of 2. No holes. -0.5 x (2 - 18 + 0 + 2 - 2) = 8.
        ("standard", 0, 13.0),
        ("standard", 10, 18.0),  # 5 x 2 + 8
    ],
)
def test_lines(reward, lines_before, expected):
    timestep = drop_i_on_the_right(reward, lines_before)
    assert timestep.event.lines == 2
    assert float(timestep.reward) == pytest.approx(expected)


def test_standard_counts_holes_and_steps():
    env = tetrax.make(actions="drop", reward="standard")
    state = tetrax.state_from_ascii(env, "#.........", piece="O")
    # O on the columns 0 and 1: heights 3 and 3, over one hole at (1, 0). Sum 6 (was 1), holes 1,
    # one step of 3 (was 1): -0.5 x (5 + 1 + 2) = -4.
    timestep = env.step(state, env.action_names.index("drop_0_0"))[1]
    assert float(timestep.reward) == pytest.approx(-4.0)
    terms = timestep.event.reward_terms
    assert (float(terms.aggregate_height), float(terms.holes), float(terms.bumpiness)) == (-2.5, -0.5, -1.0)


def test_stacking_pays_for_pieces():
    env = tetrax.make(actions="drop", reward="stacking")
    state = tetrax.state_from_ascii(env, "", piece="O")
    # O on the floor at the left: sum of heights +4, one step of 2: 3 - 0.5 x (4 + 2) = 0.
    assert float(env.step(state, env.action_names.index("drop_0_0"))[1].reward) == 0.0


@pytest.mark.parametrize(("reward", "expected"), [("lines_only", 0.0), ("survival", -10.0)])
def test_losing(reward, expected):
    env = tetrax.make(reward=reward)
    tower = "\n".join(["....##...."] * 20)
    state = tetrax.state_from_ascii(env, tower, piece="O")
    timestep = env.step(state, 6)[1]  # O locks in rows 20 and 21, all above the visible rows
    assert timestep.terminated
    assert float(timestep.reward) == expected


def test_weights_change_without_another_environment():
    env = tetrax.make(actions="drop", reward="survival")
    state = tetrax.state_from_ascii(env, ALMOST, piece="I")
    params = env.default_params
    params = params.replace(reward=params.reward.replace(lines=jnp.float32(7), piece=jnp.float32(0.5)))
    assert float(env.step(state, env.action_names.index("drop_R_9"), params)[1].reward) == 14.5
