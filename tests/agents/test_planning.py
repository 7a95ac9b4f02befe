"""Looking ahead in a model that is the game itself: what is best is found where the actor does not know it."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import CELLS, LEFT, RIGHT, best_values
from tetrax.agents import dreamer
from tetrax.agents.dreamer import dreamt_tree, planning
from tetrax.agents.dreamer.mind import Mind
from tetrax.env.contract import Shown
from tetrax.ops.distributions import MaskedCategorical
from tetrax.world_model import imagination, model
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.model_parts import Foretold, Sizes, StateSizes, Step

DISCOUNT = 0.9
SETTINGS = WorldModelConfig(bins=41, largest_exponent=2.0, mixture=0.0, blocks=1)
CERTAIN = 30.0  # log-odds


class PerfectChain(NamedTuple):
    """A model of the ending chain that knows it: the state is the cell, one-hot, and the last one ends the game."""

    config: WorldModelConfig = SETTINGS
    sizes: Sizes = Sizes(Shown("flat"), 0, 0, CELLS, 2)
    state_sizes: StateSizes = StateSizes(CELLS, 1, 2)

    def apply(self, params, *args, method):
        del params
        return method(*args)

    def drive(self, action):
        return action

    def foresee(self, state, drive, uniform):
        del uniform
        cell = jnp.clip(state.deter.argmax(axis=-1) + jnp.where(drive == RIGHT, 1, -1), 0, CELLS - 1)
        return Step(state.replace(deter=jax.nn.one_hot(cell, CELLS)), None)

    def foretell(self, features):
        at_end = features[:, CELLS - 1]
        bins = model.bins(self.config)
        # Two neighbouring bins whose mean is the prize of 1.
        high = int(np.searchsorted(bins, 1.0))
        share = (1.0 - bins[high - 1]) / (bins[high] - bins[high - 1])
        hot = jnp.zeros(len(bins)).at[high].set(share).at[high - 1].set(1 - share)
        nothing = jax.nn.one_hot(len(bins) // 2, len(bins))
        reward = jnp.log(jnp.where(at_end[:, None] > 0, hot[None], nothing[None]) + 1e-12)
        goes_on = jnp.where(at_end > 0, -CERTAIN, jnp.log(DISCOUNT / (1 - DISCOUNT)))
        return Foretold(reward=reward, goes_on=goes_on, legal=None)


class Leaning(NamedTuple):
    """An actor that rather goes to the left; a critic that expects nothing."""

    logits: tuple[float, ...]

    def apply(self, params, features):
        del params
        return jnp.broadcast_to(jnp.array(self.logits), (*features.shape[:-1], len(self.logits)))


MIND = Mind(PerfectChain(), Leaning((0.3, 0.0)), Leaning((0.0,) * 41))
CONFIG = dreamer.DreamerConfig(model=SETTINGS, planned_rollouts=128, planned_steps=30, return_lambda=1.0)
PARAMS = {"model": (), "actor": (), "critic": ()}
CELL = jnp.arange(CELLS - 1)
STATE = ModelState(deter=jax.nn.one_hot(CELL, CELLS), stoch=jnp.ones((CELLS - 1, 1, 2)) / 2)


def prior(logits, legal=None):
    logits = jnp.broadcast_to(jnp.array(logits), (CELLS - 1, len(logits)))
    return MaskedCategorical.from_logits(logits, jnp.ones(logits.shape, bool) if legal is None else legal)


def look(config=CONFIG, mind=MIND, legal=None, seed=0):
    chosen = prior((0.3, 0.0), legal)
    key = jax.random.key(seed)
    return jax.jit(
        lambda state: planning.look_ahead(mind, config, PARAMS, state, chosen, key),
    )(STATE)


def better(outlook, temperature=0.1, legal=None):
    return planning.improve(prior((0.3, 0.0), legal), outlook, temperature)


def test_the_best_action_is_found_that_the_actor_misses():
    outlook = look()
    assert prior((0.3, 0.0)).mode().tolist() == [LEFT] * 4
    assert outlook.action.tolist() == [[LEFT, RIGHT]] * 4, "the actor's favourite first"
    assert better(outlook).mode().tolist() == [RIGHT] * 4
    # As far as the temperature lets values decide.
    assert better(outlook, 100.0).mode().tolist() == [LEFT] * 4
    # A step before the end there is nothing left to chance: the prize of 1, at once.
    np.testing.assert_allclose(outlook.value[3, 1], 1.0, atol=1e-3)


def test_values_are_those_of_playing_on_by_the_actor():
    """With an actor that always goes to the right they are those of the best play."""
    config = dataclasses.replace(CONFIG, planned_rollouts=1)
    outlook = look(config, MIND._replace(actor=Leaning((0.0, CERTAIN))))
    # Cell 3 to the left and back: the prize comes two steps later.
    np.testing.assert_allclose(outlook.value, best_values(DISCOUNT), atol=1e-3)


def test_the_critic_says_what_the_end_is_worth():
    bins = model.bins(SETTINGS)
    sure = int(np.argmin(abs(bins - 2.0)))  # of about 2 lines to come, wherever it is
    critic = Leaning(tuple(np.where(np.arange(41) == sure, CERTAIN, 0.0).tolist()))
    config = dataclasses.replace(CONFIG, planned_rollouts=1, planned_steps=1)
    outlook = look(config, MIND._replace(critic=critic))
    expected = np.full((4, 2), DISCOUNT * bins[sure])
    expected[3, 1] = 1.0  # over: the prize, and nothing after it
    np.testing.assert_allclose(outlook.value, expected, atol=1e-3)


@pytest.mark.slow
def test_only_legal_candidates_are_chosen():
    only_left = jnp.array([[True, False]] * 3 + [[True, True]])
    outlook = look(legal=only_left)
    found = better(outlook, legal=only_left)
    assert found.mode().tolist() == [LEFT] * 3 + [RIGHT]
    assert found.probabilities[:3].tolist() == [[1.0, 0.0]] * 3
    favourite = look(dataclasses.replace(CONFIG, planned_candidates=1))
    assert favourite.action.tolist() == [[LEFT]] * 4
    assert better(favourite).probabilities.tolist() == [[1.0, 0.0]] * 4
    nothing = jnp.zeros((4, 2), bool)
    over = better(look(legal=nothing), legal=nothing)
    assert over.mode().tolist() == [0] * 4
    assert over.log_prob(jnp.zeros(4, jnp.int32)).tolist() == [0.0] * 4


def test_a_policy_is_improved_by_hand():
    """A prior of 3/4 and 1/4; the second is better by ln 3 temperatures: both 1/2. Actions have their own order."""
    temperature = 0.2
    chosen = prior((np.log(0.25), np.log(0.75)))
    outlook = planning.Outlook(
        action=jnp.array([[1, 0]] * 4),
        legal=jnp.ones((4, 2), bool),
        value=jnp.array([[1.0, 1.0 + temperature * np.log(3)]] * 4),
    )
    found = planning.improve(chosen, outlook, temperature)
    np.testing.assert_allclose(found.probabilities, [[0.5, 0.5]] * 4, atol=1e-6)


def test_the_first_action_may_be_given_and_changes_nothing_else():
    key = jax.random.key(5)

    def play(first):
        return jax.jit(
            lambda: imagination.imagine(MIND.world, MIND.actor, PARAMS, STATE, 6, key, first=first)
        )()

    free = play(None)
    given = play(free.action[0])
    jax.tree.map(np.testing.assert_array_equal, given, free)
    turned = play(1 - free.action[0])
    np.testing.assert_array_equal(turned.action[0], 1 - free.action[0])
    # Whatever it leads to, the actor then draws by the same chances: this one does not look where it is.
    np.testing.assert_array_equal(turned.action[1:], free.action[1:])
    assert (turned.features[1] != free.features[1]).any()


class NumbChain(PerfectChain):
    """The same, in which every first step goes to the right, whatever is done."""

    def foresee(self, state, drive, uniform):
        fresh = state.stoch[:, 0, 0] > 0.4  # as in STATE; 0 from then on
        after = PerfectChain.foresee(self, state, jnp.where(fresh, RIGHT, drive), uniform)
        return Step(after.state.replace(stoch=jnp.zeros_like(state.stoch)), None)


@pytest.mark.slow
def test_all_candidates_meet_the_same_chances():
    """Of two actions that lead to the same state neither is better, however few games are imagined."""
    config, mind = dataclasses.replace(CONFIG, planned_rollouts=2), MIND._replace(world=NumbChain())
    found, other = look(config, mind, seed=7), look(config, mind, seed=8)
    np.testing.assert_array_equal(found.value[:, 0], found.value[:, 1])
    assert (found.value != other.value).any(), "they are chances"


def search(simulations, legal=None, trees=1, mind=MIND, seed=0, logits=(0.3, 0.0), state=STATE):
    config = dataclasses.replace(
        CONFIG, planned_simulations=simulations, planned_rollouts=trees, planned_candidates=0
    )
    chosen, key = prior(logits, legal), jax.random.key(seed)
    return jax.jit(lambda state: dreamt_tree.search(mind, config, PARAMS, state, chosen, key))(state)


def test_a_tree_finds_the_best_action_that_the_actor_misses():
    """The prize is four steps away at most; the critic expects nothing, so that only what is reached counts."""
    assert search(48).mode().tolist() == [RIGHT] * 4
    # One position alone tells nothing but beside the end: the actor's favourite is all there is to go by.
    assert search(2).mode().tolist() == [LEFT] * 3 + [RIGHT]


def test_trees_look_at_legal_actions_alone():
    legal = jnp.array([[True, False]] * 3 + [[True, True]])
    found = search(48, legal, trees=2)
    assert found.mode().tolist() == [LEFT] * 3 + [RIGHT]
    assert found.probabilities[:3].tolist() == [[1.0, 0.0]] * 3


@pytest.mark.slow
def test_each_tree_meets_its_own_chances_and_what_they_find_is_averaged():
    """A world in which chance alone decides whether a step goes to the right."""

    class Drifting(PerfectChain):
        def foresee(self, state, drive, uniform):
            return PerfectChain.foresee(self, state, jnp.where(uniform[:, 0] < 0.5, RIGHT, LEFT), uniform)

    mind = MIND._replace(world=Drifting())
    single = [search(8, mind=mind, seed=seed).probabilities for seed in range(6)]
    assert any((each != single[0]).any() for each in single), "they are chances"
    # The actions differ by chance alone: over many trees neither is better, and the actor's leaning stays.
    many = search(8, mind=mind, trees=256).probabilities
    np.testing.assert_allclose(many, np.broadcast_to(prior((0.3, 0.0)).probabilities, (4, 2)), atol=0.12)
