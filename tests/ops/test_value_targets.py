import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops import value_targets
from tetrax.ops.returns import gae
from tetrax.ops.value_targets import best_action

n_step, q_lambda = jax.jit(value_targets.n_step), jax.jit(value_targets.q_lambda)
rescale, unrescale = jax.jit(value_targets.rescale), jax.jit(value_targets.unrescale)

# Discount 0.5 everywhere by hand. A column is one board.


def numbers(*rows):
    return jnp.asarray(rows, jnp.float32)


def flags(*rows):
    return jnp.asarray(rows, bool)


REWARD = numbers([1, 1, 1, 1], [2, 2, 2, 2], [4, 4, 4, 4])  # three steps of four boards
NEVER = flags([0] * 4, [0] * 4, [0] * 4)


def test_n_steps_and_their_ends():
    # Board 0 goes on: 1 + 0.5*2 + 0.25*4 = 3, then 0.125 times the value after step 2.
    # Board 1 terminates at step 1: 1 + 0.5*2 = 2, and nothing after it.
    # Board 2 is cut off at step 1: 2, then 0.25 times the value of what followed step 1.
    # Board 3 is cut off at step 0: 1, then 0.5 times; what terminates later is another game.
    terminated = flags([0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0])
    truncated = flags([0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0])
    gained, discount, last = n_step(REWARD, terminated, truncated, 0.5)
    np.testing.assert_array_equal(gained, [3, 2, 2, 1])
    np.testing.assert_array_equal(discount, [0.125, 0, 0.25, 0.5])
    np.testing.assert_array_equal(last, [2, 1, 1, 0])
    assert last.dtype == jnp.int32


def test_n_steps_with_an_end_at_the_last_one():
    # Boards 0 and 1 terminate and are cut off at step 2, board 2 both at once: terminated wins.
    terminated = flags([0] * 4, [0] * 4, [1, 0, 1, 0])
    truncated = flags([0] * 4, [0] * 4, [0, 1, 1, 0])
    gained, discount, last = n_step(REWARD, terminated, truncated, 0.5)
    np.testing.assert_array_equal(gained, [3, 3, 3, 3])
    np.testing.assert_array_equal(discount, [0, 0.125, 0, 0.125])
    np.testing.assert_array_equal(last, [2, 2, 2, 2])


def test_one_step_without_discount():
    gained, discount, last = n_step(REWARD[:1], NEVER[:1], NEVER[:1], jnp.float32(0))
    np.testing.assert_array_equal(gained, [1, 1, 1, 1])
    np.testing.assert_array_equal(discount, [0, 0, 0, 0])
    np.testing.assert_array_equal(last, [0, 0, 0, 0])


NEXT_VALUE = numbers([8, 8, 8, 8], [4, 4, 4, 4], [16, 16, 16, 16])


def test_lambda_returns():
    # Lambda 0.5. Board 0 goes on: 2: 4 + 0.5*16 = 12; 1: 2 + 0.5*(0.5*4 + 0.5*12) = 6;
    # 0: 1 + 0.5*(0.5*8 + 0.5*6) = 4.5.
    # Board 1 terminates at step 1: 2; 0: 1 + 0.5*(0.5*8 + 0.5*2) = 3.5.
    # Board 2 is cut off at step 1: 2 + 0.5*4 = 4; 0: 1 + 0.5*(0.5*8 + 0.5*4) = 4.
    # Board 3 terminates at step 2: 4; 1: 2 + 0.5*(0.5*4 + 0.5*4) = 4; 0: 4.
    terminated = flags([0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1])
    truncated = flags([0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1])
    returns = q_lambda(REWARD, terminated, truncated, NEXT_VALUE, None, 0.5, 0.5)
    np.testing.assert_array_equal(returns, [[4.5, 3.5, 4, 4], [6, 2, 4, 4], [12, 12, 12, 4]])


def test_lambda_returns_cut_where_another_action_was_taken():
    # Watkins: after step 0 board 1 did not take the best action, so that step 0 is worth 1 + 0.5*8 = 5.
    # Board 0 did: 4.5 as above. After the last step there is nothing to cut.
    follows = flags([1, 0], [1, 1], [0, 1])
    none = NEVER[:, :2]
    returns = q_lambda(REWARD[:, :2], none, none, NEXT_VALUE[:, :2], follows, 0.5, 0.5)
    np.testing.assert_array_equal(returns, [[4.5, 5], [6, 6], [12, 12]])


@st.composite
def rollouts(draw):
    shape = (5, 3)
    number = hnp.arrays(np.float32, shape, elements=st.floats(-10, 10, width=32))
    ends = hnp.arrays(bool, shape, elements=st.sampled_from([False, False, True]))
    return draw(number), draw(ends), draw(ends), draw(number), draw(st.floats(0, 1, width=32))


@given(rollouts())
def test_n_steps_agree_with_a_walk(rollout):
    reward, terminated, truncated, value, discount = rollout
    gained, end_discount, last = n_step(reward, terminated, truncated, discount)
    for board in range(reward.shape[1]):
        total, power, step = 0.0, 1.0, 0
        while True:
            total += power * reward[step, board]
            power *= discount
            if terminated[step, board] or truncated[step, board] or step + 1 == len(reward):
                break
            step += 1
        target = total + (0 if terminated[step, board] else power * value[step, board])
        found = gained[board] + end_discount[board] * value[last[board], board]
        np.testing.assert_allclose(found, target, rtol=1e-4, atol=1e-4)
        assert last[board] == step


@given(rollouts(), st.floats(0, 1, width=32))
def test_lambda_returns_are_values_and_advantages(rollout, lambda_):
    """Where values are one policy's own, the return is the value and its generalised advantage."""
    reward, terminated, truncated, value, discount = rollout
    next_value = np.concatenate([value[1:], value[:1]])
    next_value[:-1][truncated[:-1]] += 1.0  # the true last observation is another one
    advantages = jax.jit(gae)(reward, value, next_value, terminated, truncated, discount, lambda_)
    returns = q_lambda(reward, terminated, truncated, next_value, None, discount, lambda_)
    np.testing.assert_allclose(returns, value + advantages, rtol=1e-4, atol=1e-3)


def test_the_ends_of_lambda():
    none = NEVER[:, :1]
    reward, value = REWARD[:, :1], NEXT_VALUE[:, :1]
    # 0: one step each, 1 + 4, 2 + 2, 4 + 8. 1: rewards to the end, then 12; 2 + 6 = 8; 1 + 4 = 5.
    np.testing.assert_array_equal(q_lambda(reward, none, none, value, None, 0.5, 0.0), [[5], [4], [12]])
    np.testing.assert_array_equal(q_lambda(reward, none, none, value, None, 0.5, 1.0), [[5], [8], [12]])


def test_the_best_action_is_legal_and_the_first_of_equals():
    online = numbers([1, 5, 3], [1, 5, 5], [1, 5, 9], [0, 0, 0])
    legal = flags([1, 1, 1], [1, 1, 1], [1, 1, 0], [0, 0, 0])
    # The best online: 1; 1 before its equal 2; 1 since 2 is illegal; 0 where nothing is legal.
    np.testing.assert_array_equal(best_action(online, legal), [1, 1, 1, 0])
    assert best_action(online, legal).dtype == jnp.int32


def test_rescaling_by_hand():
    # h(3) = sqrt(4) - 1 + 0.001*3 = 1.003; h(-8) = -(3 - 1) - 0.008; h(0) = 0; h(99) = 9 + 0.099.
    found = rescale(jnp.asarray([3.0, -8.0, 0.0, 99.0]))
    np.testing.assert_allclose(found, [1.003, -2.008, 0, 9.099], rtol=1e-6)
    # With epsilon 0.25, h(3) = 1.75, and back: s = 3, (sqrt(1 + 3) - 1) / 0.5 = 2, 2^2 - 1 = 3.
    np.testing.assert_array_equal(rescale(jnp.float32(3), 0.25), 1.75)
    np.testing.assert_array_equal(unrescale(jnp.float32(1.75), 0.25), 3)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-2])
def test_rescaling_is_undone_at_every_size(epsilon):
    value = np.concatenate([np.logspace(-4, 6, 101), [0]]).astype(np.float32)
    value = jnp.asarray(np.concatenate([-value, value]))
    np.testing.assert_allclose(unrescale(rescale(value, epsilon), epsilon), value, rtol=2e-6)
    # Both are smooth where the published forms have a sign: h'(0) = 1/2 + epsilon.
    assert jax.grad(rescale)(0.0, epsilon) == pytest.approx(0.5 + epsilon)
    assert jax.grad(unrescale)(0.0, epsilon) == pytest.approx(1 / (0.5 + epsilon))


def test_rescaling_is_what_was_published():
    value, epsilon = np.linspace(-300, 300, 41), 1e-3
    published = np.sign(value) * (np.sqrt(np.abs(value) + 1) - 1) + epsilon * value
    np.testing.assert_allclose(rescale(jnp.asarray(value, jnp.float32)), published, rtol=1e-6)
