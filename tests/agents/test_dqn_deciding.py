"""Deciding: who avoids losses, and who hears noise. And the words that settings may be."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import Chain
from tests.agents.test_dqn import MOMENTS, PLAIN
from tetrax.agents import dqn
from tetrax.agents.agent import Sight
from tetrax.agents.dqn import acting
from tetrax.agents.dqn.train_state import Policy
from tetrax.env.contract import Afterstates, Observation
from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.q_network import q_network

BOARDS = 200


class Indifferent:
    """A network that says 0 of every placement, so that all are worth as much."""

    def apply(self, params, observation, memory, is_first, rngs=None):
        del params, is_first, rngs
        return jnp.zeros((*observation.legal.shape, 1)), memory


def exploring(**shares):
    nothing = {"epsilon": 0.0, "boltzmann": 0.0, "temperature": 1.0, "truly_random": 0.0}
    return acting.Exploration(**jax.tree.map(np.float32, {**nothing, **shares}))


@functools.partial(jax.jit, static_argnames="config")
def taken(config, loses, explores):
    """Decide on boards of four placements of which the last is illegal, and mark which were taken."""
    rows = (BOARDS, 4)
    observation = Observation(
        pieces=jnp.zeros((BOARDS, 0), jnp.int32),
        features=jnp.zeros((BOARDS, 0)),
        legal=jnp.broadcast_to(jnp.array([True, True, True, False])[None], rows),
        afterstates=Afterstates(
            rows=None,
            features=None,
            reward=jnp.zeros(rows),
            terminated=jnp.broadcast_to(loses[None], rows),
        ),
    )
    player = acting.Player(config, Indifferent(), True)
    policy = Policy(params=(), value_moments=MOMENTS, discount=jnp.float32(0.5), exploration=explores)
    is_first = jnp.zeros(BOARDS, bool)
    explored = acting.decide(player, policy, observation, (), is_first, jax.random.key(0)).explored
    return (explored.action[:, None] == jnp.arange(4)[None]).any(axis=0)


@pytest.mark.parametrize(
    ("explores", "loses", "avoids", "expected"),
    [
        # Placement 0 loses at once: who explores does not take it, the best play does (here all are worth as much).
        (exploring(epsilon=1.0), [1, 0, 0, 0], True, [0, 1, 1, 0]),
        (exploring(boltzmann=1.0), [1, 0, 0, 0], True, [0, 1, 1, 0]),
        (exploring(), [1, 0, 0, 0], True, [1, 0, 0, 0]),
        (exploring(epsilon=1.0), [1, 1, 1, 0], True, [1, 1, 1, 0]),  # there are no others
        # A share of the explorers, and the games before anything is learned, avoid nothing; nor does who is told to.
        (exploring(epsilon=1.0, truly_random=0.5), [1, 0, 0, 0], True, [1, 1, 1, 0]),
        (acting.at_random(), [1, 0, 0, 0], True, [1, 1, 1, 0]),
        (exploring(epsilon=1.0), [1, 0, 0, 0], False, [1, 1, 1, 0]),
    ],
)
def test_exploring_avoids_what_is_seen_to_lose(explores, loses, avoids, expected):
    config = dataclasses.replace(PLAIN, form="afterstates", avoid_losses=avoids)
    assert taken(config, np.array(loses, bool), explores).tolist() == [bool(each) for each in expected]


def test_greedy_play_hears_no_noise():
    config = dataclasses.replace(PLAIN, noisy=True, network=NetworkConfig(hidden=(8,)))
    env, explores = Chain(), exploring()
    agent, network = dqn.make(config, env), q_network(Chain(), config.network, noisy=True)

    @jax.jit
    def values(params_key, play_keys):
        seen = jax.tree.map(lambda leaf: leaf[None], env.observe(env.init(jax.random.key(0))))
        is_first = jnp.ones(1, bool)
        params = network.init(params_key, seen, (), is_first)
        policy = Policy(params=params, value_moments=MOMENTS, discount=jnp.float32(0.5), exploration=explores)

        def values_of(greedy):
            sight = Sight(observation=seen, is_first=is_first)
            act = jax.vmap(lambda key: agent.act(policy, sight, (), key, greedy))
            return act(play_keys)[2]["value"][:, 0]

        quiet = network.apply(params, seen, (), is_first)[0].max()
        return quiet, values_of(True), values_of(False)

    quiet, greedy, noisy = values(jax.random.key(1), jax.random.split(jax.random.key(2), 4))
    np.testing.assert_allclose(greedy, quiet, rtol=1e-6)
    assert len(set(noisy.tolist())) == 4


WORDS = {
    "form": ("auto", "actions", "afterstates"),
    "target_network": ("none", "periodic", "soft"),
    "distribution": ("none", "categorical", "quantile"),
    "value_scale": ("none", "rescaled", "normalised"),
    "loss": ("huber", "squared"),
    "epsilon_schedule": ("linear", "exponential"),
    "temperature_schedule": ("linear", "exponential"),
}


def refusal(**changes):
    with pytest.raises(ValueError) as error:
        dqn.make(dataclasses.replace(PLAIN, **changes), Chain())
    return str(error.value)


@pytest.mark.parametrize("name", WORDS)
def test_words_that_are_no_choice_are_refused(name):
    assert refusal(**{name: "c51"}) == f"agent.{name}: given 'c51'; allowed: {', '.join(WORDS[name])}"
    near = WORDS[name][-1][:-1]
    assert refusal(**{name: near}).endswith(f"; did you mean {WORDS[name][-1]!r}?")


def test_every_setting_that_is_a_word_is_checked():
    words = {each.name for each in dataclasses.fields(PLAIN) if isinstance(getattr(PLAIN, each.name), str)}
    assert words == set(WORDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"highest_value": float("inf")}, "agent.highest_value: given inf; allowed: from -1e+06 to 1e+06"),
        ({"lowest_value": float("nan")}, "agent.lowest_value: given nan; allowed: from -1e+06 to 1e+06"),
        (
            {"replay_capacity": 2**32},
            "agent.replay_capacity: given 4294967296; allowed: 0 or more, up to 2147483647",
        ),
    ],
)
def test_numbers_beyond_what_can_be_kept_are_refused(change, message):
    assert refusal(**change) == message
