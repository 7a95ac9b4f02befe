"""Games whose players act at once under JaxMARL's interface: games by hand, automatic reset, its own wrappers."""

import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("gymnax")

from tests.adapters.sharing import LIMIT, Sharing
from tetrax.adapters.jaxmarl import JaxMARLGame

ENV = JaxMARLGame(Sharing())
AGENTS = ["agent_0", "agent_1"]


def begin(coins):
    """Return the start of a game with a pot of so many coins."""
    for number in range(100):
        observations, state = ENV.reset(jax.random.PRNGKey(number))
        if observations["agent_0"][0] == coins:
            return observations, state
    raise AssertionError


def actions(*taken):
    return {agent: jnp.int32(each) for agent, each in zip(AGENTS, taken, strict=True)}


def test_a_game_by_hand_and_the_next_one_after_it():
    """Of 5 coins both take 2; of the one that is left the first wants 2, gets none and pays 1, the second takes it."""
    observations, state = begin(5)
    assert ENV.agents == list(observations) == AGENTS and ENV.num_agents == 2
    observations, state, rewards, dones, _ = ENV.step(jax.random.key(1), state, actions(2, 2))
    assert {agent: seen.tolist() for agent, seen in observations.items()} == {
        "agent_0": [1, 2, 2],
        "agent_1": [1, 2, 2],
    }
    assert ENV.get_avail_actions(state)["agent_1"].tolist() == [True, True, False]
    assert not any(map(bool, dones.values()))
    seen, _, _, dones, _ = ENV.step_env(jax.random.key(2), state, actions(2, 1))
    assert [seen[agent].tolist() for agent in AGENTS] == [[0, 2, 3], [0, 3, 2]]
    observations, state, rewards, dones, infos = ENV.step(jax.random.key(2), state, actions(2, 1))
    assert {agent: float(reward) for agent, reward in rewards.items()} == {"agent_0": -1.0, "agent_1": 1.0}
    assert {agent: bool(done) for agent, done in dones.items()} == {
        **dict.fromkeys(AGENTS, True),
        "__all__": True,
    }
    assert not infos["truncated"].any()
    begun, _ = ENV.reset(jax.random.key(2))
    np.testing.assert_array_equal(observations["agent_1"], begun["agent_1"])
    assert state.steps == 0


def test_many_games_in_one_program_and_a_start_that_is_given():
    """Nobody takes anything: games are cut off every LIMIT steps, and all begin again from the same pot."""
    _, given = begin(7)
    keys = jax.random.split(jax.random.key(0), 3)
    seen, states = jax.vmap(ENV.reset)(keys)
    nothing = {agent: jnp.zeros(3, jnp.int32) for agent in AGENTS}

    def step(states, key):
        keys = jax.random.split(key, 3)
        _, states, _, dones, infos = jax.vmap(ENV.step, in_axes=(0, 0, 0, None))(keys, states, nothing, given)
        return states, (dones["__all__"], infos["truncated"], states.left)

    _, (dones, truncated, left) = jax.lax.scan(step, states, jax.random.split(jax.random.key(1), 2 * LIMIT))
    ends = np.arange(1, 2 * LIMIT + 1) % LIMIT == 0
    np.testing.assert_array_equal(dones, np.broadcast_to(ends[:, None], (2 * LIMIT, 3)))
    assert truncated.shape == (2 * LIMIT, 3, 2) and bool(truncated[LIMIT - 1].all())
    np.testing.assert_array_equal(left[0], seen["agent_0"][:, 0])
    assert (left[LIMIT - 1 :] == 7).all()


def test_spaces_and_what_shares_programs():
    assert ENV.observation_space("agent_1").shape == (3,) and ENV.action_space("agent_0").n == 3
    assert ENV == JaxMARLGame(Sharing()) != JaxMARLGame(Sharing(num_players=3))
    assert hash(ENV) == hash(JaxMARLGame(Sharing()))
    with pytest.raises(ValueError, match="tic-tac-toe, where players take turns; allowed: one where all act"):
        JaxMARLGame("tictactoe")


def test_the_error_without_gymnax_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnax", None)
    monkeypatch.setitem(sys.modules, "gymnax.environments", None)
    monkeypatch.delitem(sys.modules, "tetrax.adapters.jaxmarl", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '\.\[gymnax\]'"):
        importlib.import_module("tetrax.adapters.jaxmarl")


@pytest.mark.slow
def test_jaxmarls_wrappers_go_around_it(lenient):
    """Both coin takers take one each step: returns are the number of steps, or one less where the pot is odd."""
    wrappers = pytest.importorskip("jaxmarl.wrappers.baselines")
    logged = wrappers.LogWrapper(ENV)
    _, state = logged.reset(jax.random.PRNGKey(0))
    pot = int(state.env_state.left)
    for _ in range(LIMIT):
        _, state, _, done, info = logged.step(jax.random.PRNGKey(1), state, actions(1, 1))
        if done["__all__"]:
            break
    taken = min(pot, 2 * LIMIT)
    assert info["returned_episode_returns"].tolist() == [(taken + 1) // 2, taken // 2 - taken % 2]
    manager = wrappers.CTRolloutManager(ENV, batch_size=3)
    seen, states = manager.batch_reset(jax.random.PRNGKey(0))
    assert seen["agent_1"].shape == (3, 3 + 2) and seen["__all__"].shape == (3, 6)
    chosen = {agent: manager.batch_sample(jax.random.PRNGKey(2), agent).astype(jnp.int32) for agent in AGENTS}
    _, _, rewards, _, _ = manager.batch_step(jax.random.PRNGKey(3), states, chosen)
    np.testing.assert_array_equal(rewards["__all__"], rewards["agent_0"] + rewards["agent_1"])
