import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops.returns import explained_variance, gae, lambda_returns, td_errors

# Discount 0.5 and lambda 0.5 everywhere by hand, so that the trace decays by 0.25 a step.


def column(*numbers):
    return jnp.asarray(numbers, jnp.float32)[:, None]  # [T, 1]


def flags(*numbers):
    return jnp.asarray(numbers, bool)[:, None]  # [T, 1]


def test_errors_of_steps():
    # 1 + 0.5*2 - 4 = -2     2 - 2 = 0, the 100 after the end counts nothing     3 + 0.5*8 - 6 = 1
    errors = td_errors(column(1, 2, 3), column(4, 2, 6), column(2, 100, 8), flags(0, 1, 0), 0.5)
    np.testing.assert_array_equal(errors, column(-2, 0, 1))


def test_without_an_end():
    rewards, values, next_values = column(1, 2, 3), column(4, 2, 6), column(2, 6, 8)
    nothing = flags(0, 0, 0)
    # errors:     2: 3 + 0.5*8 - 6 = 1     1: 2 + 0.5*6 - 2 = 3     0: 1 + 0.5*2 - 4 = -2
    # advantages: 2: 1     1: 3 + 0.25*1 = 3.25     0: -2 + 0.25*3.25 = -1.1875
    advantages = gae(rewards, values, next_values, nothing, nothing, 0.5, 0.5)
    np.testing.assert_array_equal(advantages, column(-1.1875, 3.25, 1))


def test_terminated_drops_the_bootstrap_and_stops_the_trace():
    rewards, values, next_values = column(1, 2, 3), column(4, 2, 6), column(2, 100, 8)
    # 2: 3 + 4 - 6 = 1     1: 2 + 0 - 2 = 0, the 100 and the 1 behind it are not seen     0: -2 + 0.25*0 = -2
    advantages = gae(rewards, values, next_values, flags(0, 1, 0), flags(0, 0, 0), 0.5, 0.5)
    np.testing.assert_array_equal(advantages, column(-2, 0, 1))


def test_truncated_keeps_the_bootstrap_and_stops_the_trace():
    rewards, values, next_values = column(1, 2, 3), column(4, 2, 6), column(2, 100, 8)
    # 2: 1     1: 2 + 0.5*100 - 2 = 50, the 1 behind it is not seen     0: -2 + 0.25*50 = 10.5
    advantages = gae(rewards, values, next_values, flags(0, 0, 0), flags(0, 1, 0), 0.5, 0.5)
    np.testing.assert_array_equal(advantages, column(10.5, 50, 1))


def test_terminated_wins_over_truncated():
    rewards, values, next_values = column(2), column(2), column(100)
    advantages = gae(rewards, values, next_values, flags(1), flags(1), 0.5, 0.5)
    np.testing.assert_array_equal(advantages, column(0))


def slow_lambda_returns(rewards, values, next_values, terminated, truncated, discount, lambda_):
    """Equation 12.18 step by step: r + discount * ((1 - lambda) * v' + lambda * G')."""
    num_steps, num_boards = rewards.shape
    returns = np.zeros((num_steps, num_boards))
    for board in range(num_boards):
        for t in reversed(range(num_steps)):
            after = float(next_values[t, board])
            if terminated[t, board]:
                after = 0.0
            elif not truncated[t, board] and t + 1 < num_steps:
                after = (1 - lambda_) * after + lambda_ * returns[t + 1, board]
            returns[t, board] = rewards[t, board] + discount * after
    return returns


@st.composite
def rollouts(draw):
    """Rollouts in which next_values[t] is values[t + 1] unless a game ended between them."""
    shape = draw(st.sampled_from([(1, 1), (6, 3)]))  # few shapes, few compilations
    numbers = hnp.arrays(np.float32, shape, elements=st.floats(-10, 10, width=32))
    ends = hnp.arrays(bool, shape)
    rewards, values, last_values = draw(numbers), draw(numbers), draw(numbers)
    terminated, truncated = draw(ends), draw(ends)
    next_values = last_values.copy()
    inside = ~(terminated | truncated)[:-1]
    next_values[:-1][inside] = values[1:][inside]
    unit = st.floats(0, 1, width=32)
    return rewards, values, next_values, terminated, truncated, draw(unit), draw(unit)


@given(rollouts())
def test_agrees_with_the_slow_recursion(rollout):
    *arrays, discount, lambda_ = rollout
    expected = slow_lambda_returns(*rollout)
    advantages = jax.jit(gae)(*arrays, discount, lambda_)
    np.testing.assert_allclose(advantages, expected - arrays[1], rtol=1e-4, atol=1e-4)


def test_discount_may_be_a_traced_number():
    rewards, values, next_values, nothing = column(1, 2), column(4, 2), column(2, 6), flags(0, 0)

    def advantages(discount):
        return gae(rewards, values, next_values, nothing, nothing, discount, jnp.float32(0.5))

    found = jax.jit(jax.vmap(advantages))(jnp.asarray([0.5, 0.0], jnp.float32))
    # 0.5: errors 1 + 1 - 4 = -2 and 2 + 3 - 2 = 3, so -2 + 0.25*3 = -1.25; 0: errors -3 and 0
    np.testing.assert_array_equal(found[:, :, 0], [[-1.25, 3], [-3, 0]])


def test_lambda_returns_by_hand():
    """From the end: 1.5 = -1 + 2.5; 2.7625 = 2 + .5 (.05 * 2 + .95 * 1.5); 2.699375 = .05 * 1.5 + .95 * 2.7625;
    3.3529654 = 1 + .9 (.05 * 1 + .95 * 2.699375).
    """
    rewards = jnp.array([9.0, 1.0, 0.0, 2.0, -1.0])
    values = jnp.array([0.5, 1.0, 1.5, 2.0, 2.5])
    continues = 1.0 - jnp.array([0.0, 0.1, 0.0, 0.5, 0.0])
    found = lambda_returns(rewards, continues, values, jnp.ones(5), 1.0, 0.95)
    np.testing.assert_allclose(found, [3.3529654, 2.699375, 2.7625, 1.5], rtol=1e-6)


def test_a_lambda_return_ends_where_another_game_begins():
    rewards = jnp.array([0.0, 1.0, 2.0, 100.0])
    values = jnp.array([5.0, 6.0, 7.0, 1000.0])
    goes_on = jnp.array([1.0, 1.0, 0.0, 1.0])  # moment 2 is the last of its game
    # Moment 2 is worth 7: 2 + .5 * 7 = 5.5, and 1 + .5 (.1 * 6 + .9 * 5.5) = 3.775.
    found = lambda_returns(rewards, jnp.ones(4), values, goes_on, 0.5, 0.9)
    np.testing.assert_allclose(found[:2], [3.775, 5.5], rtol=1e-6)


def test_explained_variance_by_hand():
    """Targets 1 and 3 vary by 1, what is left, 1 and 2, by 1/4; what does not count changes nothing."""
    targets, values = jnp.array([1.0, 3.0, 50.0]), jnp.array([0.0, 1.0, -7.0])
    np.testing.assert_allclose(explained_variance(targets[:2], values[:2]), 0.75)
    masked = explained_variance(targets, values, jnp.array([True, True, False]))
    np.testing.assert_allclose(masked, 0.75)
    assert explained_variance(jnp.ones(3), values) == 0
