"""Parts of Dreamer that are off by default, all on at once: one program, whose tunables show what each does."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.chain import CELLS, RIGHT, Chain
from tests.agents.test_dreamer import CONFIG, GAME, copy, show
from tetrax.agents import dreamer
from tetrax.agents.agent import Sight

pytestmark = pytest.mark.slow
ALL = dataclasses.replace(
    CONFIG, ensemble=3, real_play=True, planned_rollouts=2, planned_steps=3, planned_temperature=0.5
)


@functools.lru_cache
def parts(config=ALL, game=GAME):
    agent = dreamer.make(config, game)
    return agent, jax.jit(agent.init)(jax.random.key(0)), jax.jit(agent.train)


def train(**tunables):
    """Train one iteration, a single update, with other tunables."""
    _, state, train = parts()
    assert tunables.keys() <= state.tunables.keys()
    given = {name: jnp.float32(value) for name, value in tunables.items()}
    return train(copy(state).replace(tunables={**copy(state.tunables), **given}))


def moved(after, name):
    before = parts()[1].params[name]
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after.params[name]), strict=True)
    return any((np.asarray(one) != np.asarray(other)).any() for one, other in pairs)


def test_the_actor_learns_from_imagination_once_the_model_is_good_and_from_real_play_always():
    late = 1e6
    neither, measured = train(real_play_loss=0.0, imagination_after=late)
    assert not moved(neither, "actor")
    assert moved(neither, "model") and moved(neither, "critic"), (
        "the critic learns from what was really gained"
    )
    assert measured.means["loss/policy"] == measured.means["loss/value"] == 0
    assert moved(train(real_play_loss=1.0, imagination_after=late)[0], "actor")
    both, measured = train(real_play_loss=0.0, imagination_after=0.0)
    assert moved(both, "actor")
    assert measured.means["loss/value"] > 0
    # Counted in updates: the first is number 0.
    assert not moved(train(real_play_loss=0.0, imagination_after=1.0)[0], "actor")


def test_disagreement_is_worth_its_weight():
    """At first neither model nor critic expects anything: a return is what the members disagree about."""
    returns = [train(exploration=weight)[1].means["imagined/return"] for weight in (0.0, 1.0, 2.0)]
    assert returns[0] == 0 < returns[1]
    np.testing.assert_allclose(returns[2], 2 * returns[1], rtol=1e-5)
    after, measured = train()
    assert moved(after, "ensemble")
    assert 0 < measured.means["disagreement/replayed"] < 1
    # What is foretold is compared with latents of 4 classes each; it is not yet as good as knowing nothing of them all.
    assert 0 < measured.means["loss/ensemble"] < 2 * 4 * np.log(4)


def test_it_is_kept_how_probable_an_action_was():
    agent, state, _ = parts()
    after, _ = train()
    kept = jax.tree.map(lambda leaf: np.asarray(leaf[0]), after.replay.data)
    expected = np.where(kept.terminated[:16], 0.0, -np.log(2))  # of two legal actions
    np.testing.assert_allclose(kept.log_prob[:16], expected, atol=1e-6)
    keys = jax.random.split(jax.random.split(state.key, 3)[0], ALL.num_steps)
    memory, act = state.memory, jax.jit(agent.act, static_argnums=4)
    for t in range(3):
        sight = Sight(observation=show(state, kept.seen[16 + t]), is_first=jnp.asarray(kept.is_first[16 + t]))
        action, memory, told = act(agent.policy(state), sight, memory, keys[t], False)
        np.testing.assert_array_equal(action, kept.action[16 + t])
        np.testing.assert_allclose(told["log_prob"], kept.log_prob[16 + t], atol=1e-5)
    assert act._cache_size() == 1


def test_nothing_is_kept_for_parts_that_are_off():
    agent, state, _ = parts()
    off = jax.eval_shape(dreamer.make(CONFIG, GAME).init, jax.random.key(0))
    assert off.params.keys() == agent.policy(state).params.keys() == {"model", "actor", "critic"}
    assert state.params.keys() - off.params.keys() == {"ensemble"}
    assert state.tunables.keys() - off.tunables.keys() == {
        "exploration",
        "real_play_loss",
        "imagination_after",
    }
    assert off.replay.data.log_prob is None
    more = dreamer.make(ALL, GAME).replay_bytes - dreamer.make(CONFIG, GAME).replay_bytes
    assert more == 4 * CONFIG.replay_capacity


def test_it_learns_to_walk_a_chain_from_real_play_alone():
    config = dataclasses.replace(
        CONFIG, num_updates=4, discount=0.9, real_play=True, imagination_after=1e9, imagined_starts=4
    )
    agent, state, _ = parts(config, Chain(prize=1.0))
    train = jax.jit(lambda state: jax.lax.scan(lambda s, _: agent.train(s), state, length=300))
    state, metrics = train(copy(state))
    assert not np.asarray(metrics.means["loss/policy"]).any()
    cells = jnp.arange(CELLS - 1)
    begin = jax.vmap(lambda cell: GAME.init(jax.random.key(0)).replace(cell=cell))(cells)
    sight = Sight(observation=jax.vmap(GAME.observe)(begin), is_first=jnp.ones(CELLS - 1, bool))
    memory = agent.initial_memory((CELLS - 1,))
    action, _, told = agent.act(agent.policy(state), sight, memory, jax.random.key(2), True)
    assert action.tolist() == [RIGHT] * (CELLS - 1)
    np.testing.assert_allclose(told["value"], 0.9 ** np.array([3, 2, 1, 0]), atol=0.15)
