import itertools

import hypothesis.extra.numpy as hnp
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax.ops import exploration
from tetrax.ops.exploration import Decider

explore = jax.jit(exploration.explore)
NUM = 20_000
FIVE_ERRORS = 5 * 0.5 / NUM**0.5  # of any share found among NUM decisions: 0.018


def many(value, legal, loses=None, *, epsilon, boltzmann=0.0, temperature=1.0, truly_random=0.0):
    """Decide NUM times among four actions, as one program does; return actions, deciders and probabilities."""
    rows = [np.asarray(value, np.float32), np.asarray(legal, bool)]
    rows += [] if loses is None else [np.asarray(loses, bool)]
    rows = [np.broadcast_to(row, (NUM, 4)) for row in rows]
    how = {"boltzmann": boltzmann, "temperature": temperature, "truly_random": truly_random}
    how = {name: np.float32(share) for name, share in how.items()}
    epsilon = np.broadcast_to(np.float32(epsilon), (NUM,))
    found = explore(
        jax.random.key(0), *rows[:2], epsilon=epsilon, loses=None if loses is None else rows[2], **how
    )
    return [np.asarray(part) for part in found]


def assert_mixture(found, expected):
    """`expected`: {(decider, action): probability}, all that can happen."""
    action, decider, probability = found
    assert sum(expected.values()) == pytest.approx(1)
    pairs = set(zip(decider.tolist(), action.tolist(), strict=True))
    assert pairs <= expected.keys()
    for (who, what), share in expected.items():
        assert np.mean((decider == who) & (action == what)) == pytest.approx(share, abs=FIVE_ERRORS)
    for what in np.unique(action):
        total = sum(share for (_, other), share in expected.items() if other == what)
        np.testing.assert_allclose(probability[action == what], total, rtol=1e-5)


G, B, R = Decider.GREEDY, Decider.BOLTZMANN, Decider.RANDOM


def test_the_mixture_by_hand():
    # Values 0, log 3, 9, 0 of which 9 is illegal: greedy takes 1; the softmax is 1/5, 3/5, 0, 1/5.
    # Epsilon 0.3: each of three legal ones 0.1. Of the rest 0.4: Boltzmann 0.28 = 0.056 + 0.168 + 0.056, greedy 0.42.
    found = many([0, np.log(3), 9, 0], [1, 1, 0, 1], epsilon=0.3, boltzmann=0.4)
    expected = {
        (R, 0): 0.1,
        (R, 1): 0.1,
        (R, 3): 0.1,
        (B, 0): 0.056,
        (B, 1): 0.168,
        (B, 3): 0.056,
        (G, 1): 0.42,
    }
    assert_mixture(found, expected)
    assert [part.dtype for part in found] == [np.int32, np.int32, np.float32]


def test_temperature_flattens():
    # Values 0 and 4 log 3 at temperature 2: weights 1 and 9.
    found = many([0, 4 * np.log(3), 9, 9], [1, 1, 0, 0], epsilon=0.0, boltzmann=1.0, temperature=2.0)
    assert_mixture(found, {(B, 0): 0.1, (B, 1): 0.9})


def test_losing_actions_are_avoided():
    # Values 0, log 3, log 9, 0 and the best loses. Epsilon 0.5, Boltzmann 0.6 of the rest, a tenth truly random:
    # greedy 0.2, takes 2 all the same; Boltzmann 0.27 over weights 1, 3, 1; random 0.45 over three;
    # truly random 0.1 * (0.5 + 0.3) = 0.08 over all four.
    how = {"epsilon": 0.5, "boltzmann": 0.6, "truly_random": 0.1}
    found = many([0, np.log(3), np.log(9), 0], [1, 1, 1, 1], loses=[0, 0, 1, 0], **how)
    expected = {(B, 0): 0.054, (B, 1): 0.162, (B, 3): 0.054, (G, 2): 0.2, (R, 2): 0.02}
    expected |= {(R, action): 0.15 + 0.02 for action in (0, 1, 3)}
    assert_mixture(found, expected)


def test_where_all_lose_there_is_nothing_to_avoid():
    # Action 2 would be safe and is illegal.
    how = {"epsilon": 0.5, "boltzmann": 0.5, "truly_random": 0.2}
    found = many([0, 0, 0, 0], [1, 1, 0, 0], loses=[1, 1, 0, 0], **how)
    # Greedy 0.25; Boltzmann 0.25 * 0.8 = 0.2 halved; random 0.4 and truly random 0.2 * 0.75 = 0.15, halved.
    assert_mixture(found, {(G, 0): 0.25, (B, 0): 0.1, (B, 1): 0.1, (R, 0): 0.275, (R, 1): 0.275})


def test_nothing_is_truly_random_where_nothing_is_avoided():
    found = many([0, 1, 9, 9], [1, 1, 0, 0], epsilon=0.0, boltzmann=0.0, truly_random=1.0)
    assert_mixture(found, {(G, 1): 1.0})
    found = many([0, 0, -60, -60], [1, 1, 1, 1], epsilon=0.0, boltzmann=1.0, truly_random=1.0)
    assert_mixture(found, {(B, 0): 0.5, (B, 1): 0.5})


def test_greedy_takes_the_lowest_of_equals_at_any_temperature():
    for temperature in (0.0, 1.0):
        found = many([7, 5, 5, 1], [0, 1, 1, 1], epsilon=0.0, boltzmann=0.0, temperature=temperature)
        assert_mixture(found, {(G, 1): 1.0})


def test_a_temperature_of_nothing_leaves_the_best():
    found = many([1, 2, 2, 9], [1, 1, 1, 0], epsilon=0.0, boltzmann=1.0, temperature=0.0)
    assert_mixture(found, {(B, 1): 0.5, (B, 2): 0.5})


def test_each_board_may_explore_by_its_own_measure():
    epsilon = np.repeat(np.asarray([0.0, 0.5], np.float32), NUM // 2)
    action, decider, probability = many([0, 1, 0, 0], [1, 1, 1, 1], epsilon=epsilon)
    careful, curious = np.split(decider, 2)
    assert (careful == G).all() and np.mean(curious == R) == pytest.approx(0.5, abs=2 * FIVE_ERRORS)
    expected = np.where(action == 1, 1 - 0.75 * epsilon, 0.25 * epsilon)
    np.testing.assert_allclose(probability, expected, rtol=1e-6)


def test_nothing_legal_is_action_0():
    action, _, probability = many([1, 2, 3, 4], [0, 0, 0, 0], epsilon=0.5, boltzmann=0.5)
    assert (action == 0).all()
    assert np.isfinite(probability).all()


NUM_ACTIONS = 4
masks = hnp.arrays(bool, NUM_ACTIONS)
shares = st.floats(0, 1, width=32, allow_subnormal=False)


def enumerated(value, legal, loses, epsilon, boltzmann, temperature, truly_random):
    """Go through every way to decide; return the probability of each action."""
    probability = np.zeros(NUM_ACTIONS)
    legal_ones = [action for action in range(NUM_ACTIONS) if legal[action]]
    safe_ones = [action for action in legal_ones if not loses[action]] or legal_ones
    highest = max(value[action] for action in safe_ones)
    softmax = {action: np.exp((value[action] - highest) / temperature) for action in safe_ones}
    for is_random, is_boltzmann, is_reckless in itertools.product((True, False), repeat=3):
        share = (epsilon if is_random else 1 - epsilon) * (boltzmann if is_boltzmann else 1 - boltzmann)
        share *= truly_random if is_reckless else 1 - truly_random
        if not is_random and not is_boltzmann:
            probability[max(legal_ones, key=lambda action: (value[action], -action))] += share
        elif is_reckless:
            probability[legal_ones] += share / len(legal_ones)
        elif is_random:
            probability[safe_ones] += share / len(safe_ones)
        else:
            for action, weight in softmax.items():
                probability[action] += share * weight / sum(softmax.values())
    return probability


@given(
    hnp.arrays(np.float32, NUM_ACTIONS, elements=st.floats(-5, 5, width=32, allow_subnormal=False)),
    masks.filter(np.any),
    masks,
    st.tuples(shares, shares, st.floats(0.125, 4, width=32), shares),
)
@pytest.mark.slow
def test_probabilities_are_those_of_an_enumeration(value, legal, loses, how):
    expected = enumerated(value, legal, loses, *how)
    assert expected.sum() == pytest.approx(1)
    names = ("epsilon", "boltzmann", "temperature", "truly_random")
    action, _, probability = many(value, legal, loses, **dict(zip(names, how, strict=True)))
    np.testing.assert_allclose(probability, expected[action], rtol=1e-4, atol=1e-6)
    assert legal[action].all()
    assert (expected[action] > 0).all()
